#ifndef TFL_NET_HTTP_POST_H
#define TFL_NET_HTTP_POST_H

#include "base/buf.h"
#include "loop/loop.h"
#include "net/addr.h"

/* One kept-alive HTTP/1.1 connection that posts JSON bodies to one address, one after the other: what load is made of.
 * Without libcurl, which costs three times the processor time of everything else here. It follows nothing, takes no
 * proxy, keeps only the beginning of an answer's body. A connection that the server has closed between two requests is
 * opened again, once, without anybody noticing; so a body may arrive twice. */
enum { TFL_POST_TEXT = 240, TFL_POST_ANSWER_MAX = 64 * 1024 };

struct tfl_http_post {
    /* The request is over: read failed or status and text, then send again, or call done. Never called inside send. */
    void (*answered)(struct tfl_http_post *post);
    void *owner;
    bool
        failed; /* no complete answer: err says why (TFL_E_CONNECT, TFL_E_TIMEOUT, TFL_E_BAD_REPLY, TFL_E_TOO_LARGE) */
    int status;               /* of the answer */
    char text[TFL_POST_TEXT]; /* the beginning of its body; control characters are spaces */
    struct tfl_error err;
    struct tfl_loop *loop; /* private from here on */
    struct tfl_addr addr;
    char *who, *where, *head; /* node; "127.0.0.1:20031/mempool/add/tx"; request up to the length */
    struct tfl_io io;
    struct tfl_timer deadline;
    struct tfl_defer ending;
    struct tfl_buf out_head, in;
    const char *body;
    size_t body_len, sent;
    int64_t timeout_ms;
    int fd;
    bool connected, writing, busy, reused;
};

/* post is zero-initialised. url: http:// with an IP literal or localhost, and a path. TFL_E_USAGE, TFL_E_UNSUPPORTED
 * (virtual time). who: the node, for messages. */
int tfl_http_post_init(struct tfl_http_post *post, struct tfl_loop *loop, const char *who, const char *url,
    struct tfl_error *err);
void tfl_http_post_done(struct tfl_http_post *post); /* at any time, answered is not called; also on zeros */
/* Only when no request is under way. The body must stay until the answer. timeout_ms: from now to the last byte. */
void tfl_http_post_send(struct tfl_http_post *post, const char *body, size_t len, int64_t timeout_ms);
static inline bool tfl_http_post_busy(const struct tfl_http_post *post)
{
    return post->busy;
}

#endif
