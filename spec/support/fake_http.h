#ifndef TFL_SPEC_FAKE_HTTP_H
#define TFL_SPEC_FAKE_HTTP_H

/* A small HTTP server on the loop of a spec, that answers what the spec says, also nonsense. Bodies of requests are read
 * by Content-Length; connections are kept alive. Everything static: include it in one spec file. */
#include "base/buf.h"
#include "base/error.h"
#include "loop/loop.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

struct fake_conn {
    struct fake_server *server;
    struct tfl_io io;
    int fd;
    struct tfl_buf in, out;
    bool close_after; /* once out is written */
    bool streaming;   /* an answer that has not ended */
    void *data;
    struct fake_conn *prev, *next;
};

struct fake_server {
    struct tfl_loop *loop;
    struct tfl_io io;
    int fd, port;
    char url[64];
    struct fake_conn *conns;
    int n_accepted, n_requests;
    void (*handler)(struct fake_conn *conn, const char *method, const char *path, const char *body);
    void (*on_close)(struct fake_conn *conn);
    void *arg;
};

#define FAKE __attribute__((unused)) static

FAKE void fake_close(struct fake_conn *c)
{
    if (c->server->on_close)
        c->server->on_close(c);
    tfl_io_stop(c->server->loop, &c->io);
    close(c->fd);
    DL_DELETE(c->server->conns, c);
    tfl_buf_done(&c->in);
    tfl_buf_done(&c->out);
    free(c);
}

/* Closes with a reset instead of a FIN. */
FAKE void fake_reset(struct fake_conn *c)
{
    struct linger linger = {1, 0};
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    fake_close(c);
}

static void fake_io(struct tfl_io *io, int events);

static void fake_watch(struct fake_conn *c)
{
    tfl_io_start(c->server->loop, &c->io, c->fd, TFL_READ | (c->out.len ? TFL_WRITE : 0), fake_io, NULL);
}

FAKE void fake_raw(struct fake_conn *c, const void *data, size_t n)
{
    tfl_buf_add(&c->out, data, n);
    fake_watch(c);
}

FAKE void fake_raws(struct fake_conn *c, const char *s)
{
    fake_raw(c, s, strlen(s));
}

FAKE void fake_reply(struct fake_conn *c, int status, const char *type, const char *body)
{
    tfl_buf_addf(&c->out, "HTTP/1.1 %d X\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n", status, type,
        strlen(body));
    fake_raws(c, body);
}

FAKE void fake_json(struct fake_conn *c, const char *body)
{
    fake_reply(c, 200, "application/json", body);
}

FAKE void fake_stream_start(struct fake_conn *c)
{
    c->streaming = true;
    fake_raws(
        c, "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n");
}

FAKE void fake_stream_send(struct fake_conn *c, const char *text)
{
    tfl_buf_addf(&c->out, "%zx\r\n", strlen(text));
    tfl_buf_adds(&c->out, text);
    fake_raws(c, "\r\n");
}

FAKE void fake_stream_end(struct fake_conn *c)
{
    c->streaming = false;
    fake_raws(c, "0\r\n\r\n");
}

/* Takes one whole request from the front of c->in; false when there is none yet. */
static bool fake_request(struct fake_conn *c)
{
    char *end = c->in.len ? strstr(c->in.data, "\r\n\r\n") : NULL;
    if (!end)
        return false;
    size_t head = (size_t)(end - c->in.data) + 4, length = 0;
    char *line = strcasestr(c->in.data, "\r\ncontent-length:");
    if (line && line < end)
        length = strtoul(line + 17, NULL, 10);
    if (c->in.len < head + length)
        return false;
    char method[16] = "", path[1024] = "";
    sscanf(c->in.data, "%15s %1023s", method, path);
    char *body = tfl_strndup(c->in.data + head, length);
    tfl_buf_eat(&c->in, head + length);
    c->server->n_requests++;
    c->server->handler(c, method, path, body);
    free(body);
    return true;
}

static void fake_io(struct tfl_io *io, int events)
{
    struct fake_conn *c = TFL_CONTAINER(io, struct fake_conn, io), *other;
    struct fake_server *s = c->server;
    if (events & TFL_WRITE && c->out.len) {
        ssize_t n =
            send(c->fd, c->out.data, c->out.len > 65536 ? 65536 : c->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0)
            tfl_buf_eat(&c->out, (size_t)n);
        if (!c->out.len && c->close_after) {
            fake_close(c);
            return;
        }
        fake_watch(c);
    }
    if (!(events & TFL_READ))
        return;
    char chunk[65536];
    ssize_t n = recv(c->fd, chunk, sizeof chunk, MSG_DONTWAIT);
    if (n <= 0) {
        fake_close(c);
        return;
    }
    tfl_buf_add(&c->in, chunk, (size_t)n);
    bool more = true;
    while (more) {
        more = fake_request(c);
        bool alive = false;
        DL_FOREACH(s->conns, other)
        alive |= other == c;
        more = more && alive;
    }
}

static void fake_accept(struct tfl_io *io, int events)
{
    struct fake_server *s = TFL_CONTAINER(io, struct fake_server, io);
    (void)events;
    int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    struct fake_conn *c = tfl_alloc(sizeof *c);
    c->server = s;
    c->fd = fd;
    s->n_accepted++;
    DL_APPEND(s->conns, c);
    fake_watch(c);
}

/* Listens on 127.0.0.1:port (0: any free one). */
FAKE struct fake_server *fake_listen(struct tfl_loop *loop, int port,
    void (*handler)(struct fake_conn *, const char *, const char *, const char *), void *arg)
{
    struct fake_server *s = tfl_alloc(sizeof *s);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t size = sizeof address;
    int one = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->loop = loop;
    s->handler = handler;
    s->arg = arg;
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    TFL_ASSERT(bind(s->fd, (struct sockaddr *)&address, sizeof address) == 0);
    TFL_ASSERT(listen(s->fd, 128) == 0);
    getsockname(s->fd, (struct sockaddr *)&address, &size);
    s->port = ntohs(address.sin_port);
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d", s->port);
    TFL_ASSERT(tfl_io_start(loop, &s->io, s->fd, TFL_READ, fake_accept, NULL) == 0);
    return s;
}

/* Closes the listener and every connection. */
FAKE void fake_free(struct fake_server *s)
{
    if (!s)
        return;
    while (s->conns)
        fake_close(s->conns);
    tfl_io_stop(s->loop, &s->io);
    close(s->fd);
    free(s);
}

FAKE void fake_nothing(struct tfl_timer *timer)
{
    (void)timer;
}

/* Turns the loop until *stop, for at most ms milliseconds; true when *stop. */
FAKE bool fake_run(struct tfl_loop *loop, const bool *stop, int64_t ms)
{
    struct tfl_timer wake = {0};
    int64_t end = tfl_now(loop) + ms * TFL_MS;
    tfl_timer_start(loop, &wake, end, fake_nothing);
    while (!*stop && tfl_now(loop) < end)
        tfl_loop_turn(loop, true);
    tfl_timer_stop(loop, &wake);
    return *stop;
}

#endif
