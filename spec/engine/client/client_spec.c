#include "client/block_stream.h"
#include "client/client.h"

#include "../../support/fake_node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

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

static int setup(void **state)
{
    struct world *w = tfl_alloc(sizeof *w);
    w->loop = tfl_loop_new(NULL);
    w->http = tfl_http_new(w->loop, NULL);
    *state = w;
    w->status = 200;
    return 0;
}

static int teardown(void **state)
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

static void answer(struct fake_conn *c, const char *method, const char *path, const char *body)
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

static void done(struct tfl_op *op)
{
    *(bool *)op->owner = true;
}

static void finish(struct world *w, struct tfl_client_op *op)
{
    w->op = op;
    w->over = false;
    op->op.owner = &w->over;
    op->op.done = done;
    assert_int_not_equal(op->op.state, TFL_OP_DONE);
    assert_true(fake_run(w->loop, &w->over, 20000));
}

static void drop(struct world *w)
{
    tfl_op_free(&w->op->op);
    w->op = NULL;
}

static void fails(struct world *w, struct tfl_client_op *op, enum tfl_code code, const char *text)
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

static void asks_each_question(void **state)
{
    struct world *w = *state;
    TFL_BUF b = {0};
    struct tfl_hash one = fake_id(1), two = fake_id(2);
    serve(w, NULL, answer);
    tfl_buf_addf(&b,
        "{\"tip\":\"%s\",\"lib\":\"%s\",\"slot\":9007199254740993,\"height\":12,\"mode\":\"Online\"}",
        fake_hex(1), fake_hex(2));
    w->reply = b.data;
    finish(w, tfl_client_info(w->client, 0));
    assert_false(w->op->op.failed);
    assert_true(w->op->info.slot == UINT64_C(9007199254740993)); /* 2^53 + 1 */
    assert_string_equal(w->path, "/cryptarchia/info");
    drop(w);
    w->reply = "{\"n_peers\":3,\"peer_id\":\"x\"}";
    finish(w, tfl_client_network(w->client, 0));
    assert_int_equal(w->op->network.n_peers, 3);
    drop(w);
    tfl_buf_clear(&b);
    tfl_buf_addf(&b, "[\"%s\",\"%s\"]", fake_hex(1), fake_hex(2));
    w->reply = b.data;
    finish(w, tfl_client_headers(w->client, &one, &two, 0));
    assert_int_equal(w->op->n, 2);
    assert_memory_equal(&w->op->ids[1], &two, sizeof two);
    tfl_buf_clear(&b);
    tfl_buf_addf(&b, "/cryptarchia/headers?from=%s&to=%s", fake_hex(1), fake_hex(2));
    assert_string_equal(w->path, b.data);
    drop(w);
    w->reply = "[4,5,9]";
    finish(w, tfl_client_late_slots(w->client, 0));
    assert_int_equal(w->op->n, 3);
    assert_int_equal(w->op->slots[2], 9);
    drop(w);
    w->status = 404;
    finish(w, tfl_client_late_slots(w->client, 0));
    assert_false(w->op->op.failed);
    assert_null(w->op->slots);
    drop(w);
    assert_int_equal(w->server->n_accepted, 1);
}

static void reads_blocks(void **state)
{
    struct world *w = *state;
    TFL_BUF b = {0};
    struct tfl_hash id = fake_id(5);
    serve(w, NULL, answer);
    fake_define(5, 4, 77);
    fake_blocks[5].pad = 2000000; /* parsed in many slices */
    fake_block_json(&b, 5);
    w->reply = b.data;
    finish(w, tfl_client_block(w->client, &id, 0));
    assert_false(w->op->op.failed);
    assert_int_equal(w->op->block.slot, 77);
    assert_int_equal(w->op->block.n_txs, 1);
    assert_non_null(w->op->json);
    drop(w);
    TFL_BUF list = {0};
    tfl_buf_addf(&list, "[%s,%s]", b.data, b.data);
    w->reply = list.data;
    finish(w, tfl_client_blocks(w->client, 3, 900, 0));
    assert_int_equal(w->op->n, 2);
    assert_string_equal(w->path, "/cryptarchia/blocks?slot_from=3&slot_to=900");
    fake_blocks[5].pad = 0;
}

static void names_what_is_wrong(void **state)
{
    struct world *w = *state;
    struct tfl_hash id = fake_id(5);
    serve(w, NULL, answer);
    w->reply = "<html>";
    fails(w, tfl_client_info(w->client, 0), TFL_E_BAD_REPLY, "/cryptarchia/info: not JSON: ");
    w->reply = "{}";
    fails(w, tfl_client_info(w->client, 0), TFL_E_BAD_REPLY,
        "/cryptarchia/info: field tip: expected 64 hex digits");
    fails(w, tfl_client_network(w->client, 0), TFL_E_BAD_REPLY, "/network/info: field n_peers");
    fails(w, tfl_client_block(w->client, &id, 0), TFL_E_BAD_REPLY,
        "field header: expected an object, saw nothing");
    w->status = 500;
    w->reply = "Item\nbroken";
    fails(w, tfl_client_info(w->client, 0), TFL_E_HTTP_STATUS, "status 500, expected 200: Item broken");
    w->status = 404;
    fails(w, tfl_client_block(w->client, &id, 0), TFL_E_NOT_FOUND, "there is no such block");
    tfl_io_stop(w->loop, &w->server->io);
    close(w->server->fd);
    w->server->fd = -1;
    while (w->server->conns)
        fake_close(w->server->conns);
    fails(w, tfl_client_info(w->client, 0), TFL_E_CONNECT, "(last: connection refused)");
}

static void bounds_replies(void **state)
{
    struct world *w = *state;
    TFL_BUF b = {0};
    serve(w, NULL, answer);
    tfl_buf_adds(&b, "{\"x\":\"");
    for (int i = 0; i < 300000; i++)
        tfl_buf_adds(&b, "y");
    tfl_buf_adds(&b, "\"}");
    w->reply = b.data;
    fails(w, tfl_client_info(w->client, 0), TFL_E_TOO_LARGE, "a body of more than");
}

static void old(struct fake_conn *c, const char *method, const char *path, const char *body)
{
    struct world *w = c->server->arg;
    TFL_BUF b = {0};
    snprintf(w->path, sizeof w->path, "%s", path);
    if (strcmp(method, "POST") != 0 || strcmp(path, "/storage/block") != 0) {
        fake_reply(c, 404, "text/plain", "");
        return;
    }
    snprintf(w->body, sizeof w->body, "%s", body);
    tfl_buf_addf(&b, "{\"header\":{\"parent_block\":\"%s\",\"slot\":8},\"transactions\":[]}", fake_hex(4));
    fake_json(c, w->status == 200 ? b.data : "null");
}

static void asks_old_nodes_the_old_way(void **state)
{
    struct world *w = *state;
    struct tfl_hash id = fake_id(5);
    serve(w, "logos", old);
    for (int i = 0; i < 2; i++) {
        int before = w->server->n_requests;
        finish(w, tfl_client_block(w->client, &id, 0));
        assert_false(w->op->op.failed);
        assert_memory_equal(&w->op->block.id, &id, sizeof id);
        assert_int_equal(w->body[0], '"');
        assert_memory_equal(w->body + 1, fake_hex(5), 64);
        assert_int_equal(w->server->n_requests - before, i == 0 ? 2 : 1); /* learned */
        drop(w);
    }
    w->status = 0;
    fails(w, tfl_client_block(w->client, &id, 0), TFL_E_NOT_FOUND, "no such block");
}

static void gives_raw_answers(void **state)
{
    struct world *w = *state;
    serve(w, NULL, answer);
    w->status = 418;
    w->reply = "short and stout";
    finish(w, tfl_client_request(w->client, "POST", "/pot?x=1", "tea", 3, "text/plain", 0));
    assert_false(w->op->op.failed);
    assert_int_equal(w->op->status, 418);
    assert_string_equal(w->op->body.data, "short and stout");
    assert_string_equal(w->op->content_type, "application/json");
    assert_string_equal(w->method, "POST");
    assert_string_equal(w->path, "/pot?x=1");
    assert_string_equal(w->body, "tea");
}

static void refuses_bad_addresses(void **state)
{
    struct world *w = *state;
    struct tfl_error err;
    assert_null(tfl_client_new(w->http, w->loop, "n", "https://x", NULL, &err));
    assert_int_equal(err.code, TFL_E_USAGE);
    assert_null(tfl_client_new(w->http, w->loop, "n", "http://", NULL, &err));
    assert_null(tfl_client_new(w->http, w->loop, "n", "http://x", "klingon", &err));
    assert_non_null(strstr(err.msg, "unknown dialect \"klingon\""));
    struct tfl_client *client = tfl_client_new(w->http, w->loop, "n", "http://127.0.0.1:1//", NULL, &err);
    assert_string_equal(client->url, "http://127.0.0.1:1");
    tfl_client_unref(client);
}

static void is_cancelled_at_any_time(void **state)
{
    struct world *w = *state;
    TFL_BUF b = {0};
    bool never = false;
    struct tfl_hash id = fake_id(5);
    serve(w, NULL, answer);
    fake_blocks[5].pad = 500000;
    fake_block_json(&b, 5);
    fake_blocks[5].pad = 0;
    w->reply = b.data;
    for (int i = 0; i < 40; i++) {
        struct tfl_client_op *op = tfl_client_block(w->client, &id, 0);
        for (int turns = 0; turns < i; turns++)
            tfl_loop_turn(w->loop, false);
        if (i % 2)
            tfl_op_cancel(&op->op);
        tfl_op_free(&op->op);
    }
    fake_run(w->loop, &never, 10);
}

/* Streams. */
static void rows(struct fake_conn *c, const char *method, const char *path, const char *body)
{
    struct world *w = c->server->arg;
    struct fake_node node = {.tip = 3};
    TFL_BUF b = {0};
    (void)method, (void)body;
    snprintf(w->path, sizeof w->path, "%s", path);
    if (w->status != 200) {
        fake_reply(c, w->status, "text/plain", "no");
        return;
    }
    for (unsigned n = 1; n <= 3; n++)
        fake_row(&b, &node, n);
    fake_stream_start(c);
    fake_stream_send(c, b.data);
    if (w->reply)
        fake_stream_send(c, w->reply);
    fake_stream_end(c);
}

static void count_row(struct tfl_block_stream *s, const struct tfl_block_row *row)
{
    struct world *w = s->arg;
    w->rows++;
    w->skipped += row->skipped;
}

static void count_open(struct tfl_block_stream *s)
{
    ((struct world *)s->arg)->opened++;
}

static void watch(struct world *w, struct tfl_block_stream *s)
{
    w->over = false;
    w->rows = w->opened = 0;
    s->arg = w;
    s->on_row = count_row;
    s->on_open = count_open;
    s->op.owner = &w->over;
    s->op.done = done;
}

static void streams_rows(void **state)
{
    struct world *w = *state;
    serve(w, NULL, rows);
    for (unsigned n = 1; n <= 3; n++)
        fake_define(n, n - 1, n);
    struct tfl_block_stream *s = tfl_client_stream(w->client);
    watch(w, s);
    assert_true(fake_run(w->loop, &w->over, 5000));
    assert_false(s->op.failed);
    assert_int_equal(w->rows, 3);
    assert_int_equal(w->opened, 1);
    assert_string_equal(w->path, "/cryptarchia/events/blocks/stream");
    tfl_op_free(&s->op);
    s = tfl_client_range(w->client, 4, 9, 1000);
    watch(w, s);
    assert_true(fake_run(w->loop, &w->over, 5000));
    assert_string_equal(w->path, "/cryptarchia/blocks_range?slot_from=4&slot_to=9&order=ascending");
    tfl_op_free(&s->op);
}

static void stream_fails(struct world *w, enum tfl_code code, const char *text)
{
    struct tfl_block_stream *s = tfl_client_stream(w->client);
    watch(w, s);
    assert_true(fake_run(w->loop, &w->over, 5000));
    assert_true(s->op.failed);
    assert_int_equal(s->op.err.code, code);
    assert_non_null(strstr(s->op.err.msg, text));
    assert_string_equal(s->op.err.node, "node-7");
    tfl_op_free(&s->op);
}

static void says_why_a_stream_ended(void **state)
{
    struct world *w = *state;
    serve(w, NULL, rows);
    w->reply = "{\"block\":[]}\n";
    stream_fails(w, TFL_E_BAD_REPLY, "/cryptarchia/events/blocks/stream: field header");
    assert_int_equal(w->rows, 3);
    w->reply = "{\"block\":";
    stream_fails(w, TFL_E_BAD_REPLY, "ended inside a row");
    w->status = 404;
    stream_fails(w, TFL_E_UNSUPPORTED, "no such stream");
    assert_int_equal(w->opened, 0);
    w->status = 500;
    stream_fails(w, TFL_E_HTTP_STATUS, "status 500");
}

static void free_in_row(struct tfl_block_stream *s, const struct tfl_block_row *row)
{
    struct world *w = s->arg;
    (void)row;
    assert_int_equal(w->rows++, 0); /* never again */
    tfl_op_free(&s->op);
}

static void free_in_open(struct tfl_block_stream *s)
{
    tfl_op_free(&s->op);
}

static void a_stream_may_be_freed_inside_its_callbacks(void **state)
{
    struct world *w = *state;
    bool never = false;
    serve(w, NULL, rows);
    struct tfl_block_stream *s = tfl_client_stream(w->client);
    watch(w, s);
    s->on_row = free_in_row;
    fake_run(w->loop, &never, 100);
    assert_int_equal(w->rows, 1);
    s = tfl_client_stream(w->client);
    watch(w, s);
    s->on_open = free_in_open;
    fake_run(w->loop, &never, 100);
    assert_int_equal(w->rows, 0);
}

#define SPEC(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        SPEC(asks_each_question),
        SPEC(reads_blocks),
        SPEC(names_what_is_wrong),
        SPEC(bounds_replies),
        SPEC(asks_old_nodes_the_old_way),
        SPEC(gives_raw_answers),
        SPEC(refuses_bad_addresses),
        SPEC(is_cancelled_at_any_time),
        SPEC(streams_rows),
        SPEC(says_why_a_stream_ended),
        SPEC(a_stream_may_be_freed_inside_its_callbacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
