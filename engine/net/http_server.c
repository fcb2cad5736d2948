#include "net/http_impl.h"
#include "net/sock.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

enum { FLUSH_TURNS = 4 };

static void run(struct tfl_http_server *s);

static void run_io(struct tfl_io *io, int events)
{
    (void)events;
    run(TFL_CONTAINER(io, struct tfl_http_server, io));
}

static void run_timer(struct tfl_timer *timer)
{
    run(TFL_CONTAINER(timer, struct tfl_http_server, timer));
}

static void run_again(struct tfl_defer *defer)
{
    run(TFL_CONTAINER(defer, struct tfl_http_server, again));
}

static void run(struct tfl_http_server *s)
{
    MHD_UNSIGNED_LONG_LONG ms;
    bool was_full = tfl_http_server_connections(s) >= s->options.max_connections;
    MHD_run(s->daemon);
    /* A daemon at its bound listens again only in the turn after the one that closed a connection. */
    if (was_full && tfl_http_server_connections(s) < s->options.max_connections)
        tfl_defer_start(s->loop, &s->again, run_again);
    if (MHD_get_timeout(s->daemon, &ms) != MHD_YES)
        tfl_timer_stop(s->loop, &s->timer);
    else if (ms == 0)
        tfl_defer_start(s->loop, &s->again, run_again);
    else
        tfl_timer_start(s->loop, &s->timer, tfl_now(s->loop) + (int64_t)ms * TFL_MS, run_timer);
}

/* A suspended connection is not watched by the daemon, so that a client which hangs up meanwhile would hold it until
 * the next row or for ever. */
static void client_spoke(struct tfl_io *io, int events)
{
    struct tfl_http_request *req = TFL_CONTAINER(io, struct tfl_http_request, hangup);
    char c;
    (void)events;
    int fd = MHD_get_connection_info(req->connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    ssize_t n = recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0) { /* the next request, early: it is the daemon's to read when this one is over */
        tfl_io_stop(req->server->loop, &req->hangup);
        return;
    }
    req->hung_up = true;
    tfl_http_resume(req);
}

void tfl_http_suspend(struct tfl_http_request *req)
{
    int fd = MHD_get_connection_info(req->connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    MHD_suspend_connection(req->connection);
    req->suspended = true;
    if (tfl_io_start(req->server->loop, &req->hangup, fd, TFL_READ, client_spoke, NULL))
        TFL_ASSERT(!"the server's loop watches descriptors");
}

void tfl_http_resume(struct tfl_http_request *req)
{
    if (!req->suspended)
        return;
    req->suspended = false;
    tfl_io_stop(req->server->loop, &req->hangup);
    MHD_resume_connection(req->connection);
    tfl_defer_start(req->server->loop, &req->server->again, run_again);
}

static enum MHD_Result queue(struct tfl_http_request *req)
{
    struct MHD_Response *response = req->response;
    req->response = NULL;
    req->state = TFL_HTTP_QUEUED;
    enum MHD_Result r = MHD_queue_response(req->connection, req->status, response);
    MHD_destroy_response(response);
    return r;
}

static bool announced_too_large(struct tfl_http_request *req)
{
    const char *length = tfl_http_header(req, "content-length");
    return length && strtoull(length, NULL, 10) > req->server->options.max_body;
}

static enum MHD_Result take_body(struct tfl_http_request *req, const char *data, size_t *n)
{
    size_t max = req->server->options.max_body;
    if (req->dropped || *n > max - req->body.len) {
        tfl_buf_done(&req->body);
        req->dropped += *n;
    } else {
        tfl_buf_add(&req->body, data, *n);
    }
    *n = 0;
    /* Some more is read so that a client that only reads the answer after writing gets its 413, but not for ever. */
    return req->dropped > max ? MHD_NO : MHD_YES;
}

static void too_large(struct tfl_http_request *req)
{
    tfl_http_replyf(
        req, 413, TFL_HTTP_TEXT, "the body is larger than %zu bytes", req->server->options.max_body);
}

/* Called by the daemon: once with the headers, for each piece of body, at its end, and after each resume until an
 * answer is queued. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url,
    const char *method, const char *version, const char *data, size_t *n, void **slot)
{
    struct tfl_http_server *s = arg;
    struct tfl_http_request *req = *slot;
    (void)version;
    if (s->stopping)
        return MHD_NO;
    if (!req) {
        *slot = req = tfl_alloc(sizeof *req);
        *req =
            (struct tfl_http_request){.server = s, .connection = connection, .method = method, .path = url};
        DL_APPEND(s->requests, req);
        if (!announced_too_large(req))
            return MHD_YES;
        req->state = TFL_HTTP_HANDED;
        too_large(req);
        return queue(req);
    }
    if (*n)
        return take_body(req, data, n);
    if (req->state == TFL_HTTP_READING) {
        req->state = TFL_HTTP_HANDED;
        s->n_requests++;
        if (req->dropped)
            too_large(req);
        else
            s->options.handle(req, s->options.arg);
    }
    if (req->hung_up)
        return MHD_NO;
    if (req->state == TFL_HTTP_ANSWERED)
        return queue(req);
    tfl_http_suspend(req);
    return MHD_YES;
}

static void on_completed(
    void *arg, struct MHD_Connection *connection, void **slot, enum MHD_RequestTerminationCode code)
{
    struct tfl_http_server *s = arg;
    struct tfl_http_request *req = *slot;
    (void)connection;
    (void)code;
    if (!req)
        return;
    *slot = NULL;
    DL_DELETE(s->requests, req);
    tfl_io_stop(s->loop, &req->hangup);
    if (req->state == TFL_HTTP_HANDED && req->gone)
        req->gone(req, req->user);
    if (req->stream)
        req->stream->req = NULL;
    if (req->response)
        MHD_destroy_response(req->response);
    tfl_buf_done(&req->body);
    free(req);
}

static void be_silent(void *arg, const char *format, va_list ap)
{
    (void)arg;
    (void)format;
    (void)ap;
}

struct tfl_http_server *tfl_http_server_new(
    struct tfl_loop *loop, const struct tfl_http_options *options, struct tfl_error *err)
{
    struct tfl_http_server *s = tfl_alloc(sizeof *s);
    int fd;
    s->loop = loop;
    s->options = *options;
    if (!s->options.max_body)
        s->options.max_body = TFL_HTTP_MAX_BODY;
    if (!s->options.max_connections)
        s->options.max_connections = TFL_HTTP_MAX_CONNECTIONS;
    if (!s->options.idle_s)
        s->options.idle_s = TFL_HTTP_IDLE_S;
    if (tfl_listen(&options->addr, &fd, &s->addr, err)) {
        free(s);
        return NULL;
    }
    s->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, s,
        MHD_OPTION_EXTERNAL_LOGGER, be_silent, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, s->options.max_connections, MHD_OPTION_CONNECTION_TIMEOUT,
        s->options.idle_s, MHD_OPTION_NOTIFY_COMPLETED, on_completed, s, MHD_OPTION_END);
    if (!s->daemon) {
        tfl_fail_errno(err, TFL_E_INTERNAL, errno, "cannot start an HTTP server");
        close(fd);
        free(s);
        return NULL;
    }
    int epoll_fd = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    if (tfl_io_start(loop, &s->io, epoll_fd, TFL_READ, run_io, err)) {
        tfl_http_server_free(s);
        return NULL;
    }
    return s;
}

void tfl_http_server_free(struct tfl_http_server *s)
{
    if (!s)
        return;
    struct tfl_http_request *req, *next;
    s->stopping = true;
    DL_FOREACH_SAFE(s->requests, req, next)
    {
        if (req->stream)
            req->stream->end(req->stream);
        else
            req->hung_up = true;
        tfl_http_resume(req); /* the daemon must not be stopped while a connection is suspended */
    }
    for (int i = 0; i < FLUSH_TURNS; i++)
        MHD_run(s->daemon);
    tfl_io_stop(s->loop, &s->io);
    MHD_stop_daemon(s->daemon);
    tfl_timer_stop(s->loop, &s->timer);
    tfl_defer_stop(s->loop, &s->again);
    free(s);
}

const struct tfl_addr *tfl_http_server_addr(const struct tfl_http_server *s)
{
    return &s->addr;
}

uint64_t tfl_http_server_requests(const struct tfl_http_server *s)
{
    return s->n_requests;
}

unsigned tfl_http_server_connections(const struct tfl_http_server *s)
{
    return MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)->num_connections;
}

const char *tfl_http_method(const struct tfl_http_request *req)
{
    return req->method;
}

const char *tfl_http_path(const struct tfl_http_request *req)
{
    return req->path;
}

const char *tfl_http_query(const struct tfl_http_request *req, const char *name)
{
    return MHD_lookup_connection_value(req->connection, MHD_GET_ARGUMENT_KIND, name);
}

const char *tfl_http_header(const struct tfl_http_request *req, const char *name)
{
    return MHD_lookup_connection_value(req->connection, MHD_HEADER_KIND, name);
}

const char *tfl_http_body(const struct tfl_http_request *req, size_t *n)
{
    *n = req->body.len;
    return req->body.data ? req->body.data : "";
}

void tfl_http_wait(
    struct tfl_http_request *req, void (*gone)(struct tfl_http_request *, void *arg), void *arg)
{
    req->gone = gone;
    req->user = arg;
}

void *tfl_http_user(const struct tfl_http_request *req)
{
    return req->user;
}

void tfl_http_answer(
    struct tfl_http_request *req, unsigned status, const char *type, struct MHD_Response *response)
{
    TFL_ASSERT(req->state == TFL_HTTP_HANDED && response);
    if (type)
        MHD_add_response_header(response, "content-type", type);
    req->status = status;
    req->response = response;
    req->state = TFL_HTTP_ANSWERED;
    tfl_http_resume(req);
}

void tfl_http_reply_buf(struct tfl_http_request *req, unsigned status, const char *type, struct tfl_buf *body)
{
    /* The response frees the bytes; an empty buffer may have none. */
    struct MHD_Response *response =
        body->data ? MHD_create_response_from_buffer(body->len, body->data, MHD_RESPMEM_MUST_FREE)
                   : MHD_create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT);
    *body = (struct tfl_buf){0};
    tfl_http_answer(req, status, type, response);
}

void tfl_http_reply(
    struct tfl_http_request *req, unsigned status, const char *type, const void *body, size_t n)
{
    struct tfl_buf b = {0};
    tfl_buf_add(&b, body, n);
    tfl_http_reply_buf(req, status, type, &b);
}

void tfl_http_replyf(struct tfl_http_request *req, unsigned status, const char *type, const char *fmt, ...)
{
    struct tfl_buf b = {0};
    va_list ap;
    va_start(ap, fmt);
    char *text = NULL;
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    TFL_ASSERT(n >= 0);
    b = (struct tfl_buf){.data = text, .len = (size_t)n, .cap = (size_t)n + 1};
    tfl_http_reply_buf(req, status, type, &b);
}
