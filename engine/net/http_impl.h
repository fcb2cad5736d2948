#ifndef TFL_NET_HTTP_IMPL_H
#define TFL_NET_HTTP_IMPL_H

/* Shared by http_server.c (daemon, requests, answers) and http_stream.c (streams); nobody else includes it. */
#include "net/http_server.h"

#include <microhttpd.h>

struct tfl_http_server {
    struct tfl_loop *loop;
    struct tfl_http_options options;
    struct tfl_addr addr;
    struct MHD_Daemon *daemon;
    struct tfl_io io;       /* the daemon's epoll descriptor */
    struct tfl_timer timer; /* the daemon's next timeout */
    struct tfl_defer again; /* a turn of the daemon is due */
    struct tfl_http_request *requests;
    uint64_t n_requests;
    bool stopping;
};

struct tfl_http_stream;

struct tfl_http_request {
    struct tfl_http_request *prev, *next;
    struct tfl_http_server *server;
    struct MHD_Connection *connection;
    const char *method, *path;
    struct tfl_buf body;
    size_t dropped; /* bytes of a body that is too large */
    enum { TFL_HTTP_READING, TFL_HTTP_HANDED, TFL_HTTP_ANSWERED, TFL_HTTP_QUEUED } state;
    bool suspended; /* the daemon leaves the connection alone: nobody answered yet, or a stream has no row */
    bool hung_up;   /* the client is gone, or the server wants it to be */
    struct tfl_io hangup;
    struct MHD_Response *response; /* ours until it is queued */
    unsigned status;
    struct tfl_http_stream *stream;
    void (*gone)(struct tfl_http_request *, void *);
    void *user;
};

/* What the two kinds of stream begin with. The response owns the stream. */
struct tfl_http_stream {
    struct tfl_http_request *req;                /* NULL once the request is over */
    void (*end)(struct tfl_http_stream *stream); /* the server stops: end cleanly when that is possible */
};

void tfl_http_suspend(struct tfl_http_request *req);
void tfl_http_resume(struct tfl_http_request *req);
/* The end of every answer: hands the response over (or drops it when the client is gone). */
void tfl_http_answer(
    struct tfl_http_request *req, unsigned status, const char *type, struct MHD_Response *response);

#endif
