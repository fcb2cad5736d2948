#ifndef TFL_SPEC_HTTP_CLIENT_WORLD_H
#define TFL_SPEC_HTTP_CLIENT_WORLD_H

/* A server, a request, and what becomes of it: shared by the specs of the HTTP client. */
#include "net/http_client.h"

#include "../../support/fake_http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/un.h>

#include <cmocka.h>

#define SHARED __attribute__((unused)) static

/* Each spec: a real server on the same loop, a request, and what becomes of it. */
struct world {
    struct tfl_loop *loop;
    struct tfl_http *http;
    struct fake_server *server;
    struct tfl_http_op *op;
    struct tfl_timer timer;
    struct fake_conn *conn;
    bool over, headers;
    size_t got;
    int slices;
    uint64_t sum;
    char path[256], method[16], body[256];
};

SHARED int setup(void **state)
{
    struct world *w = tfl_alloc(sizeof *w);
    w->loop = tfl_loop_new(NULL);
    w->http = tfl_http_new(w->loop, NULL);
    assert_non_null(w->http);
    *state = w;
    return 0;
}

SHARED int teardown(void **state)
{
    struct world *w = *state;
    tfl_timer_stop(w->loop, &w->timer);
    if (w->op)
        tfl_op_free(&w->op->op);
    assert_int_equal(tfl_http_active(w->http), 0);
    tfl_http_free(w->http);
    fake_free(w->server);
    tfl_loop_free(w->loop);
    free(w);
    return 0;
}

SHARED void done(struct tfl_op *op)
{
    ((struct world *)op->owner)->over = true;
}

SHARED void start(struct world *w, struct tfl_http_call call)
{
    char url[128];
    snprintf(url, sizeof url, "%s/cryptarchia/info", w->server->url);
    call.url = call.url ? call.url : url;
    call.who = "node-2";
    call.arg = w;
    w->over = false;
    w->op = tfl_http_start(w->http, &call);
    w->op->op.owner = w;
    w->op->op.done = done;
    assert_int_not_equal(w->op->op.state, TFL_OP_DONE); /* never inside the call */
}

SHARED void finish(struct world *w)
{
    assert_true(fake_run(w->loop, &w->over, 8000));
}

SHARED void fails(struct world *w, enum tfl_code code, const char *text)
{
    finish(w);
    assert_true(w->op->op.failed);
    if (!strstr(w->op->op.err.msg, text) || w->op->op.err.code != code)
        fail_msg("%s: %s, wanted %s: %s", tfl_code_string(w->op->op.err.code), w->op->op.err.msg,
            tfl_code_string(code), text);
    assert_string_equal(w->op->op.err.node, "node-2");
    assert_non_null(strstr(w->op->op.err.msg, "node-2: "));
}

SHARED void answer(struct fake_conn *c, const char *method, const char *path, const char *body)
{
    struct world *w = c->server->arg;
    snprintf(w->path, sizeof w->path, "%s", path);
    snprintf(w->method, sizeof w->method, "%s", method);
    snprintf(w->body, sizeof w->body, "%s", body);
    fake_reply(c, 201, "text/plain; charset=x", "hello");
}

SHARED void drip(struct tfl_timer *timer)
{
    struct world *w = TFL_CONTAINER(timer, struct world, timer);
    if (!w->conn)
        return;
    fake_raws(w->conn, "x");
    tfl_timer_start(w->loop, timer, tfl_now(w->loop) + 20 * TFL_MS, drip);
}

SHARED void forget(struct fake_conn *c)
{
    struct world *w = c->server->arg;
    w->conn = NULL;
}

SHARED void slow(struct fake_conn *c, const char *method, const char *path, const char *body)
{
    struct world *w = c->server->arg;
    (void)method, (void)path, (void)body;
    w->conn = c;
    fake_raws(c, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
    drip(&w->timer);
}

SHARED const char *canned;

SHARED void pour(struct tfl_timer *timer)
{
    struct world *w = TFL_CONTAINER(timer, struct world, timer);
    static char chunk[65536];
    if (!w->conn)
        return;
    memset(chunk, 'x', sizeof chunk);
    if (w->conn->out.len < 1u << 20)
        fake_raw(w->conn, chunk, sizeof chunk);
    w->got += sizeof chunk;
    tfl_timer_start(w->loop, timer, tfl_now(w->loop), pour);
}

SHARED void endless(struct fake_conn *c, const char *method, const char *path, const char *body)
{
    struct world *w = c->server->arg;
    (void)method, (void)path, (void)body;
    w->conn = c;
    fake_raws(c, canned);
    pour(&w->timer);
}

#endif
