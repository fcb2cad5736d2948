#ifndef TFL_SPEC_CLIENT_WORLD_H
#define TFL_SPEC_CLIENT_WORLD_H

/* A client of a server that says what the spec wants: shared by the specs of the client. */
#include "client/block_stream.h"
#include "client/client.h"

#include "../../support/fake_api.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SHARED __attribute__((unused)) static

struct world {
    struct tfl_loop *loop;
    struct tfl_http *http;
    struct fake_server *server;
    struct tfl_client *client;
    struct tfl_client_op *op;
    bool over;
    const char *reply;
    int status;
    int rows, skipped, opened;
    char method[16], path[512], body[512];
};

SHARED int setup(void **state)
{
    struct world *w = tfl_alloc(sizeof *w);
    w->loop = tfl_loop_new(NULL);
    w->http = tfl_http_new(w->loop, NULL);
    *state = w;
    w->status = 200;
    return 0;
}

SHARED int teardown(void **state)
{
    struct world *w = *state;
    if (w->op)
        tfl_op_free(&w->op->op);
    tfl_client_unref(w->client);
    assert_int_equal(tfl_http_active(w->http), 0);
    tfl_http_free(w->http);
    fake_free(w->server);
    tfl_loop_free(w->loop);
    free(w);
    return 0;
}

SHARED void answer(struct fake_conn *c, const char *method, const char *path, const char *body)
{
    struct world *w = c->server->arg;
    snprintf(w->method, sizeof w->method, "%s", method);
    snprintf(w->path, sizeof w->path, "%s", path);
    snprintf(w->body, sizeof w->body, "%s", body);
    fake_reply(c, w->status, "application/json", w->reply);
}

static void serve(struct world *w, const char *dialect,
    void (*handler)(struct fake_conn *, const char *, const char *, const char *))
{
    struct tfl_error err;
    w->server = fake_listen(w->loop, 0, handler, w);
    w->client = tfl_client_new(w->http, w->loop, "node-7", w->server->url, dialect, &err);
    assert_non_null(w->client);
}

SHARED void done(struct tfl_op *op)
{
    *(bool *)op->owner = true;
}

SHARED void finish(struct world *w, struct tfl_client_op *op)
{
    w->op = op;
    w->over = false;
    op->op.owner = &w->over;
    op->op.done = done;
    assert_int_not_equal(op->op.state, TFL_OP_DONE);
    assert_true(fake_run(w->loop, &w->over, 20000));
}

SHARED void drop(struct world *w)
{
    tfl_op_free(&w->op->op);
    w->op = NULL;
}

SHARED void fails(struct world *w, struct tfl_client_op *op, enum tfl_code code, const char *text)
{
    finish(w, op);
    assert_true(op->op.failed);
    if (op->op.err.code != code || !strstr(op->op.err.msg, text))
        fail_msg("%s: %s; wanted %s: %s", tfl_code_string(op->op.err.code), op->op.err.msg,
            tfl_code_string(code), text);
    assert_string_equal(op->op.err.node, "node-7");
    assert_memory_equal(op->op.err.msg, "node-7: ", 8);
    drop(w);
}

#endif
