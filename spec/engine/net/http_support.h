/* A server with a few paths, and clients that speak raw bytes, on one loop: what the specs of the HTTP server share. */
#ifndef SPEC_NET_HTTP_SUPPORT_H
#define SPEC_NET_HTTP_SUPPORT_H

#include "net/http_server.h"

#include "support.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

enum { MAX_BODY = 100000 };

/* A client that speaks raw bytes, on the loop of the server. */
struct client {
    struct world *world;
    struct tfl_io io;
    int fd;
    struct tfl_buf got;
    bool over;   /* the server closed */
    bool paused; /* does not read */
};

struct world {
    struct tfl_loop *loop;
    struct tfl_http_server *server;
    struct tfl_http_topic topic;
    struct tfl_http_request *held; /* by /later */
    int n_gone, n_parts, n_parts_done, fds;
    struct client a, b;
};

static inline void on_gone(struct tfl_http_request *req, void *arg)
{
    struct world *w = arg;
    assert_ptr_equal(req, w->held);
    assert_ptr_equal(tfl_http_user(req), w);
    w->held = NULL;
    w->n_gone++;
}

static inline bool next_part(void *arg, struct tfl_buf *part)
{
    struct world *w = arg;
    if (w->n_parts++ % 2)
        tfl_buf_addf(part, "part %d\n", w->n_parts / 2); /* every other part is empty */
    return w->n_parts < 2000;
}

static inline void parts_done(void *arg)
{
    ((struct world *)arg)->n_parts_done++;
}

static inline void handle(struct tfl_http_request *req, void *arg)
{
    struct world *w = arg;
    const char *path = tfl_http_path(req), *q = tfl_http_query(req, "q");
    size_t n;
    const char *body = tfl_http_body(req, &n);
    if (!strcmp(path, "/echo"))
        tfl_http_replyf(req, 200, TFL_HTTP_TEXT, "%s %s q=%s x=%s body=%zu:%.20s", tfl_http_method(req), path,
            q ? q : "none", tfl_http_header(req, "x-y") ? tfl_http_header(req, "X-Y") : "none", n, body);
    else if (!strcmp(path, "/later")) {
        w->held = req;
        tfl_http_wait(req, on_gone, w);
    } else if (!strcmp(path, "/topic"))
        tfl_http_topic_join(&w->topic, req, TFL_HTTP_NDJSON);
    else if (!strcmp(path, "/parts"))
        tfl_http_reply_parts(req, 200, TFL_HTTP_NDJSON, next_part, parts_done, w);
    else if (!strcmp(path, "/empty"))
        tfl_http_reply(req, 204, NULL, "", 0);
    else
        tfl_http_reply(req, 404, NULL, "", 0);
}

static inline void make_server(struct world *w, struct tfl_http_options options)
{
    options.addr = any_port();
    options.handle = handle;
    options.arg = w;
    options.max_body = MAX_BODY;
    w->server = tfl_http_server_new(w->loop, &options, NULL);
    assert_non_null(w->server);
}

static inline int setup(void **state)
{
    struct world *w = tfl_alloc(sizeof *w);
    w->fds = open_fds();
    w->loop = tfl_loop_new(NULL);
    make_server(w, (struct tfl_http_options){0});
    *state = w;
    return 0;
}

static inline void hang_up(struct client *c)
{
    if (!c->world)
        return;
    tfl_io_stop(c->world->loop, &c->io);
    close(c->fd);
    tfl_buf_done(&c->got);
    *c = (struct client){0};
}

static inline int teardown(void **state)
{
    struct world *w = *state;
    hang_up(&w->a);
    hang_up(&w->b);
    tfl_http_server_free(w->server);
    assert_int_equal(w->topic.n_readers, 0);
    tfl_loop_free(w->loop);
    int leaked = open_fds() - w->fds;
    free(w);
    return leaked;
}

static inline void on_readable(struct tfl_io *io, int events)
{
    struct client *c = TFL_CONTAINER(io, struct client, io);
    char chunk[4096];
    (void)events;
    ssize_t n = recv(c->fd, chunk, sizeof chunk, MSG_DONTWAIT);
    if (n > 0)
        tfl_buf_add(&c->got, chunk, (size_t)n);
    else if (n == 0 || errno != EAGAIN) {
        c->over = true;
        tfl_io_stop(c->world->loop, &c->io);
    }
}

static inline void say(struct client *c, const char *text)
{
    assert_int_equal(send(c->fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static inline void ask(struct world *w, struct client *c, const char *text)
{
    if (!c->world) {
        c->world = w;
        c->fd = connect_plain(tfl_http_server_addr(w->server));
        tfl_io_start(w->loop, &c->io, c->fd, TFL_READ, on_readable, NULL);
    }
    say(c, text);
}

/* Turns the loop until the client has seen the text. */
static inline void sees(struct client *c, const char *text)
{
    int64_t end = tfl_now(c->world->loop) + 3 * TFL_S;
    while (tfl_now(c->world->loop) < end && !(c->got.data && strstr(c->got.data, text)))
        pass(c->world->loop, 1);
    if (!c->got.data || !strstr(c->got.data, text))
        fail_msg("wanted \"%s\", got \"%.2000s\"", text, c->got.data ? c->got.data : "");
}

static inline void ends(struct client *c)
{
    assert_true(until(c->world->loop, &c->over, 3000));
}

#endif
