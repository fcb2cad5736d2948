#ifndef TFL_NET_HTTP_CLIENT_IMPL_H
#define TFL_NET_HTTP_CLIENT_IMPL_H

/* Shared by http_client.c (curl's multi handle on the loop) and http_client_transfer.c (one request); nobody else
 * includes it. No user code runs inside a curl callback: those only collect bytes and mark transfers. */
#include "net/http_client.h"

#include <curl/curl.h>

enum {
    POOL = 16,                /* idle easy handles kept */
    MAX_CONNECTIONS = 4096,   /* open at a time; further requests wait, within their timeouts */
    STREAM_BUFFER = 4 * 1024, /* what one read of a stream takes */
    TURN_BYTES = 64 * 1024,   /* given to on_data functions in one turn of the loop, over all streams */
};

struct tfl_http {
    struct tfl_loop *loop;
    CURLM *multi;
    struct tfl_timer timer;         /* when curl wants to be called */
    struct tfl_defer deliver;       /* hands stream data to its takers */
    struct transfer *all, *waiting; /* waiting: have something to deliver */
    CURL *pool[POOL];
    size_t n_pool, n_active;
};

struct transfer {
    struct tfl_http *http;
    struct tfl_http_op *op; /* NULL: nobody wants the answer any more */
    CURL *easy;
    struct curl_slist *headers;
    char *body;
    struct tfl_timer deadline;
    int64_t timeout_ms, connect_timeout_ms;
    void (*on_data)(struct tfl_http_op *op, const char *data, size_t n);
    void (*on_headers)(struct tfl_http_op *op);
    struct tfl_buf window; /* stream data not yet delivered */
    size_t header_bytes, body_bytes, max_body;
    bool headers_due;  /* on_headers is to be called */
    bool held;         /* by tfl_http_hold */
    bool curl_paused;  /* the window was full */
    bool queued, busy; /* in http->waiting; inside a call of its taker */
    bool finished;     /* curl is done with it: result tells how */
    CURLcode result;
    const char *too_large; /* which bound was hit */
    size_t bound;
    char error[CURL_ERROR_SIZE];
    struct transfer *prev, *next, *wait_prev, *wait_next;
};

/* http_client_transfer.c */
/* Sets every option of t->easy. -1 and err when the request cannot be made. */
int tfl_transfer_prepare(struct transfer *t, const struct tfl_http_call *call, struct tfl_error *err);
/* Why t failed, from its result. */
void tfl_transfer_error(struct transfer *t, struct tfl_error *err);
void tfl_transfer_timeout_error(struct transfer *t, struct tfl_error *err);

/* http_client.c */
void tfl_transfer_want_delivery(struct transfer *t);

#endif
