#ifndef TFL_NET_HTTP_CLIENT_H
#define TFL_NET_HTTP_CLIENT_H

#include "base/buf.h"
#include "loop/op.h"

/* HTTP/1.1 requests on the loop: one libcurl multi handle, shared by all who ask. Connections are kept alive and reused.
 * It never blocks, never takes a proxy from the environment, follows no redirect, and gives up at its bounds. URLs are
 * IP literals or localhost. */
struct tfl_http;

/* NULL and err (TFL_E_UNSUPPORTED) on a virtual loop. One loop may have several. */
struct tfl_http *tfl_http_new(struct tfl_loop *loop, struct tfl_error *err);
/* Cancels what is pending (the ops stay their owners'). NULL-safe. */
void tfl_http_free(struct tfl_http *http);

struct tfl_http_op;

enum {
    TFL_HTTP_MAX_HEADER = 64 * 1024, /* bytes of status line, headers and trailers of an answer */
    TFL_HTTP_SLICE = 16 * 1024,      /* the most bytes one on_data call gets */
    TFL_HTTP_WINDOW = 64 * 1024,     /* the most bytes a stream holds back before the sender is held up */
};

/* What to ask. Everything is copied; zero means the default. */
struct tfl_http_call {
    const char *who;       /* whom messages name ("node-2"), or NULL */
    const char *method;    /* NULL: GET, or POST when there is a body */
    const char *url;       /* http://… */
    const char *unix_path; /* connect to this socket instead of the URL's host */
    const void *body;
    size_t body_len;
    const char *content_type;   /* of the body; default application/json */
    const char *const *headers; /* "Name: value" strings, ended by NULL; or NULL */
    int64_t timeout_ms; /* from the call to the last byte; default 30,000; -1: none (endless streams) */
    int64_t connect_timeout_ms; /* default 5,000 */
    size_t max_body;            /* bytes; default 16 MiB; a stream's default is no bound */
    /* A stream: the body goes here in order, in slices, from the loop and never from inside curl; the op completes after
     * the last one. May pause, cancel or free the op. NULL: the body is collected in op->body. */
    void (*on_data)(struct tfl_http_op *op, const char *data, size_t n);
    /* Once, when the final status line and headers are there, before the body; op->status is set. May be NULL. */
    void (*on_headers)(struct tfl_http_op *op);
    void *arg; /* for on_data and on_headers: op->arg */
};

/* One request. It succeeds when a complete answer is there, whatever its status. Else it fails with TFL_E_CONNECT
 * (refused, reset, unreachable, cut short), TFL_E_TIMEOUT, TFL_E_TOO_LARGE, TFL_E_BAD_REPLY (not HTTP), or TFL_E_USAGE
 * (a URL that is not one); err.node is `who`. */
struct tfl_http_op {
    struct tfl_op op;
    int status; /* 0 until known */
    char content_type[64];
    struct tfl_buf body; /* the op's; take it by copying the struct and zeroing this one */
    char *where;         /* "127.0.0.1:20031/cryptarchia/info", for messages */
    char who[64];
    void *arg;
    struct transfer *transfer; /* private; NULL when over */
};

/* Starts a request; never NULL, errors come through the op. The caller owns it (tfl_op_free(&op->op)). */
struct tfl_http_op *tfl_http_start(struct tfl_http *http, const struct tfl_http_call *call);

/* Streams only: no on_data until resumed; at most TFL_HTTP_WINDOW bytes (and curl's own slice) are held meanwhile. */
void tfl_http_hold(struct tfl_http_op *op);
void tfl_http_unhold(struct tfl_http_op *op);

/* Requests not yet over: for specs and tfl doctor. */
size_t tfl_http_active(const struct tfl_http *http);

#endif
