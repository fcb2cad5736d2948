#include "http_client_world.h"

static void is_cancelled_and_freed_at_any_time(void **state)
{
    struct world *w = *state;
    w->server = fake_listen(w->loop, 0, slow, w);
    w->server->on_close = forget;
    bool never = false;
    for (int i = 0; i < 12; i++) {
        start(w, (struct tfl_http_call){0});
        fake_run(w->loop, &never, i);
        if (i % 2) {
            tfl_op_cancel(&w->op->op);
            finish(w);
            assert_int_equal(w->op->op.err.code, TFL_E_CANCELLED);
        }
        tfl_op_free(&w->op->op);
        w->op = NULL;
        assert_int_equal(tfl_http_active(w->http), 0);
    }
}

static void add_up(struct tfl_http_op *op, const char *data, size_t n)
{
    struct world *w = op->arg;
    assert_true(w->headers);
    assert_true(n > 0 && n <= TFL_HTTP_SLICE);
    for (size_t i = 0; i < n; i++)
        w->sum = w->sum * 31 + (unsigned char)data[i];
    w->got += n;
    w->slices++;
}

static void note_headers(struct tfl_http_op *op)
{
    struct world *w = op->arg;
    assert_false(w->headers);
    assert_int_equal(op->status, 200);
    w->headers = true;
}

static char *big;

static void stream_big(struct fake_conn *c, const char *method, const char *path, const char *body)
{
    (void)method, (void)path, (void)body;
    fake_stream_start(c);
    fake_stream_send(c, big);
    fake_stream_end(c);
}

static uint64_t make_big(size_t n)
{
    uint64_t sum = 0;
    big = tfl_alloc(n + 1);
    for (size_t i = 0; i < n; i++) {
        big[i] = (char)('a' + i * i % 23);
        sum = sum * 31 + (unsigned char)big[i];
    }
    return sum;
}

static void streams_in_order_and_in_slices(void **state)
{
    struct world *w = *state;
    uint64_t sum = make_big(700001);
    w->server = fake_listen(w->loop, 0, stream_big, w);
    start(w, (struct tfl_http_call){.on_data = add_up, .on_headers = note_headers, .timeout_ms = -1});
    finish(w);
    assert_false(w->op->op.failed);
    assert_int_equal(w->got, 700001);
    assert_true(w->sum == sum);
    free(big);
}

static void pause_each(struct tfl_http_op *op, const char *data, size_t n)
{
    add_up(op, data, n);
    tfl_http_hold(op);
}

static void resume_later(struct tfl_timer *timer)
{
    struct world *w = TFL_CONTAINER(timer, struct world, timer);
    if (w->over)
        return;
    tfl_http_unhold(w->op);
    tfl_timer_start(w->loop, timer, tfl_now(w->loop) + 3 * TFL_MS, resume_later);
}

static void holds_a_paused_stream_up(void **state)
{
    struct world *w = *state;
    bool never = false;
    size_t size = 12u << 20; /* more than sockets hold */
    uint64_t sum = make_big(size);
    w->server = fake_listen(w->loop, 0, stream_big, w);
    start(w, (struct tfl_http_call){.on_data = pause_each, .on_headers = note_headers});
    fake_run(w->loop, &never, 300);
    assert_int_equal(w->slices, 1);
    assert_non_null(w->server->conns);
    assert_true(w->server->conns->out.len > 1u << 20); /* the sender is held up, nothing piles up here */
    resume_later(&w->timer);
    assert_true(fake_run(w->loop, &w->over, 60000));
    assert_int_equal(w->got, size);
    assert_true(w->sum == sum);
    free(big);
}

static void free_in_data(struct tfl_http_op *op, const char *data, size_t n)
{
    struct world *w = op->arg;
    (void)data, (void)n;
    tfl_op_free(&op->op);
    w->op = NULL;
    w->over = true;
}

static void cancel_in_headers(struct tfl_http_op *op)
{
    tfl_op_cancel(&op->op);
}

static void may_be_freed_inside_its_callbacks(void **state)
{
    struct world *w = *state;
    make_big(100000);
    w->server = fake_listen(w->loop, 0, stream_big, w);
    start(w, (struct tfl_http_call){.on_data = free_in_data});
    finish(w);
    assert_null(w->op);
    start(w, (struct tfl_http_call){.on_data = add_up, .on_headers = cancel_in_headers});
    finish(w);
    assert_int_equal(w->op->op.err.code, TFL_E_CANCELLED);
    assert_int_equal(w->slices, 0);
    free(big);
}

static void bounds_a_stream(void **state)
{
    struct world *w = *state;
    canned = "HTTP/1.1 200 OK\r\n\r\n";
    w->server = fake_listen(w->loop, 0, endless, w);
    w->server->on_close = forget;
    start(w, (struct tfl_http_call){.on_data = add_up, .on_headers = note_headers, .max_body = 300000});
    fails(w, TFL_E_TOO_LARGE, "body of more than 300000 bytes");
}

static void hundreds_at_once(void **state)
{
    struct world *w = *state;
    static struct tfl_http_op *ops[300];
    bool never = false;
    w->server = fake_listen(w->loop, 0, answer, w);
    for (size_t i = 0; i < TFL_LEN(ops); i++)
        ops[i] = tfl_http_start(w->http, &(struct tfl_http_call){.url = w->server->url});
    for (int i = 0; i < 100 && tfl_http_active(w->http); i++)
        fake_run(w->loop, &never, 20);
    for (size_t i = 0; i < TFL_LEN(ops); i++) {
        assert_int_equal(ops[i]->op.state, TFL_OP_DONE);
        assert_int_equal(ops[i]->status, 201);
        tfl_op_free(&ops[i]->op);
    }
}

#define SPEC(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        SPEC(is_cancelled_and_freed_at_any_time),
        SPEC(streams_in_order_and_in_slices),
        SPEC(holds_a_paused_stream_up),
        SPEC(may_be_freed_inside_its_callbacks),
        SPEC(bounds_a_stream),
        SPEC(hundreds_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
