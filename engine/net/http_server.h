#ifndef TFL_NET_HTTP_SERVER_H
#define TFL_NET_HTTP_SERVER_H

#include "base/buf.h"
#include "loop/loop.h"
#include "net/addr.h"

/* An HTTP/1.1 server on the loop (libmicrohttpd without threads): the node's API, the metrics endpoint of tfl, and fake
 * nodes in specs. Keep-alive; a bound on connections, header size, body, and what a slow reader may leave unread. */
struct tfl_http_server;

/* One request, owned by the server. It is valid from the handler's call until it is answered or its `gone` is called. */
struct tfl_http_request;

enum {
    TFL_HTTP_MAX_BODY = 10 * 1024 * 1024,
    TFL_HTTP_MAX_CONNECTIONS = 500,
    TFL_HTTP_IDLE_S = 60,
};

struct tfl_http_options {
    struct tfl_addr addr; /* a literal; port 0: any free one */
    /* Called when a request is there with its whole body. Answers with one of the calls below, now or later. */
    void (*handle)(struct tfl_http_request *req, void *arg);
    void *arg;
    size_t max_body;          /* bytes, larger is answered 413; 0: TFL_HTTP_MAX_BODY */
    unsigned max_connections; /* more wait in the kernel until one ends; 0: TFL_HTTP_MAX_CONNECTIONS */
    unsigned idle_s; /* a connection without traffic is closed; open streams are not; 0: TFL_HTTP_IDLE_S */
};

/* Listens and serves. NULL and err when the address cannot be listened on. */
struct tfl_http_server *tfl_http_server_new(
    struct tfl_loop *loop, const struct tfl_http_options *options, struct tfl_error *err);
const struct tfl_addr *tfl_http_server_addr(const struct tfl_http_server *s); /* with the real port */
uint64_t tfl_http_server_requests(const struct tfl_http_server *s);    /* handed to the handler so far */
unsigned tfl_http_server_connections(const struct tfl_http_server *s); /* open now */
/* Ends all streams cleanly, closes all connections, calls `gone` of what was not answered. NULL-safe. Not from inside a
 * handler. */
void tfl_http_server_free(struct tfl_http_server *s);

/* What was asked. The strings live as long as the request. */
const char *tfl_http_method(const struct tfl_http_request *req);
const char *tfl_http_path(const struct tfl_http_request *req); /* decoded, without the query */
const char *tfl_http_query(const struct tfl_http_request *req, const char *name);  /* decoded, or NULL */
const char *tfl_http_header(const struct tfl_http_request *req, const char *name); /* or NULL */
const char *tfl_http_body(const struct tfl_http_request *req, size_t *n); /* never NULL, NUL-terminated */

/* For handlers that answer later: `gone` is called once if the client hangs up, or the server is freed, before the
 * answer; the request is dead from then on. arg is the handler's own (tfl_http_user). */
void tfl_http_wait(
    struct tfl_http_request *req, void (*gone)(struct tfl_http_request *, void *arg), void *arg);
void *tfl_http_user(const struct tfl_http_request *req);

/* Answers, once. type may be NULL (no content-type). The body is copied. */
void tfl_http_reply(
    struct tfl_http_request *req, unsigned status, const char *type, const void *body, size_t n);
void tfl_http_replyf(struct tfl_http_request *req, unsigned status, const char *type, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* The same, but takes the buffer's bytes over; the buffer is empty after it. */
void tfl_http_reply_buf(
    struct tfl_http_request *req, unsigned status, const char *type, struct tfl_buf *body);

#define TFL_HTTP_JSON "application/json"
#define TFL_HTTP_NDJSON "application/x-ndjson"
#define TFL_HTTP_TEXT "text/plain; charset=utf-8"

/* Answers with a stream (chunked) whose parts are made one after the other when the client has room: next appends to
 * part and returns true, or returns false at the end (what it appended then still goes out). done frees arg, when the
 * stream has ended or its client is gone. */
void tfl_http_reply_parts(struct tfl_http_request *req, unsigned status, const char *type,
    bool (*next)(void *arg, struct tfl_buf *part), void (*done)(void *arg), void *arg);

/* A topic is a set of endless streams that all get the same rows. Zero-initialised is empty and valid; done ends all
 * streams. Each reader has a queue of at most max_rows rows (2 or more; 0: 256) and 8 MiB: the queue of a reader that is too slow loses its
 * oldest rows, silently as the real node's does, so readers check continuity and fetch what they miss. Rows are
 * shared between readers. Free topics before the server, or after: either order works. */
struct tfl_http_reader;
struct tfl_http_topic {
    struct tfl_http_reader *readers;
    unsigned n_readers;
    size_t max_rows;
    uint64_t dropped; /* rows lost by slow readers so far */
};
void tfl_http_topic_join(struct tfl_http_topic *t, struct tfl_http_request *req, const char *type);
void tfl_http_topic_push(struct tfl_http_topic *t, const void *row, size_t n); /* copied once */
void tfl_http_topic_done(struct tfl_http_topic *t);

#endif
