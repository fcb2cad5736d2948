#include "client_world.h"

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
    stream_fails(w, TFL_E_CONNECT, "ended inside a row");
    w->status = 404;
    stream_fails(w, TFL_E_UNSUPPORTED, "no such stream");
    assert_int_equal(w->opened, 0);
    w->status = 500;
    stream_fails(w, TFL_E_HTTP_STATUS, "status 500");
}

static void only_old(struct fake_conn *c, const char *method, const char *path, const char *body)
{
    if (strcmp(path, "/cryptarchia/blocks/stream") == 0)
        rows(c, method, path, body);
    else
        fake_reply(c, 404, "text/plain", "");
}

static void only_new(struct fake_conn *c, const char *method, const char *path, const char *body)
{
    if (strcmp(path, "/cryptarchia/events/blocks/stream") == 0)
        rows(c, method, path, body);
    else
        fake_reply(c, 404, "text/plain", "");
}

static void streams_from(struct world *w, const char *path, int requests)
{
    int before = w->server->n_requests;
    struct tfl_block_stream *s = tfl_client_stream(w->client);
    watch(w, s);
    assert_true(fake_run(w->loop, &w->over, 5000));
    assert_false(s->op.failed);
    assert_int_equal(w->rows, 3);
    assert_int_equal(w->opened, 1);
    assert_string_equal(w->path, path);
    assert_int_equal(w->server->n_requests - before, requests);
    tfl_op_free(&s->op);
}

static void finds_the_path_that_a_node_has(void **state)
{
    struct world *w = *state;
    serve(w, "logos", only_old);
    for (unsigned n = 1; n <= 3; n++)
        fake_define(n, n - 1, n);
    streams_from(w, "/cryptarchia/blocks/stream", 2);
    streams_from(w, "/cryptarchia/blocks/stream", 1); /* learned */
    w->server->handler = only_new;                    /* it comes back as a newer one */
    streams_from(w, "/cryptarchia/events/blocks/stream", 2);
    streams_from(w, "/cryptarchia/events/blocks/stream", 1);
    w->status = 404;
    stream_fails(w, TFL_E_UNSUPPORTED, "no such stream");
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
        SPEC(streams_rows),
        SPEC(says_why_a_stream_ended),
        SPEC(finds_the_path_that_a_node_has),
        SPEC(a_stream_may_be_freed_inside_its_callbacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
