#include "net/http_client.h"

#include "../../support/fake_http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/un.h>

#include <cmocka.h>

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

static int setup(void **state)
{
    struct world *w = tfl_alloc(sizeof *w);
    w->loop = tfl_loop_new(NULL);
    w->http = tfl_http_new(w->loop, NULL);
    assert_non_null(w->http);
    *state = w;
    return 0;
}

static int teardown(void **state)
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

static void done(struct tfl_op *op)
{
    ((struct world *)op->owner)->over = true;
}

static void start(struct world *w, struct tfl_http_call call)
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

static void finish(struct world *w)
{
    assert_true(fake_run(w->loop, &w->over, 8000));
}

static void fails(struct world *w, enum tfl_code code, const char *text)
{
    finish(w);
    assert_true(w->op->op.failed);
    if (!strstr(w->op->op.err.msg, text) || w->op->op.err.code != code)
        fail_msg("%s: %s, wanted %s: %s", tfl_code_string(w->op->op.err.code), w->op->op.err.msg,
            tfl_code_string(code), text);
    assert_string_equal(w->op->op.err.node, "node-2");
    assert_non_null(strstr(w->op->op.err.msg, "node-2: "));
}

static void answer(struct fake_conn *c, const char *method, const char *path, const char *body)
{
    struct world *w = c->server->arg;
    snprintf(w->path, sizeof w->path, "%s", path);
    snprintf(w->method, sizeof w->method, "%s", method);
    snprintf(w->body, sizeof w->body, "%s", body);
    fake_reply(c, 201, "text/plain; charset=x", "hello");
}

static void gives_the_answer_and_keeps_the_connection(void **state)
{
    struct world *w = *state;
    w->server = fake_listen(w->loop, 0, answer, w);
    for (int i = 0; i < 5; i++) {
        start(w, (struct tfl_http_call){0});
        finish(w);
        assert_false(w->op->op.failed);
        assert_int_equal(w->op->status, 201);
        assert_string_equal(w->op->body.data, "hello");
        assert_string_equal(w->op->content_type, "text/plain; charset=x");
        assert_string_equal(w->path, "/cryptarchia/info");
        assert_string_equal(w->method, "GET");
        tfl_op_free(&w->op->op);
        w->op = NULL;
    }
    assert_int_equal(w->server->n_accepted, 1);
}

static void posts_a_body(void **state)
{
    struct world *w = *state;
    w->server = fake_listen(w->loop, 0, answer, w);
    start(w, (struct tfl_http_call){.body = "\"a1\"", .body_len = 4});
    finish(w);
    assert_string_equal(w->method, "POST");
    assert_string_equal(w->body, "\"a1\"");
    tfl_op_free(&w->op->op);
    start(w, (struct tfl_http_call){.method = "DELETE"});
    finish(w);
    assert_string_equal(w->method, "DELETE");
    assert_int_equal(w->server->n_accepted, 1);
}

static void ignores_proxies_of_the_environment(void **state)
{
    struct world *w = *state;
    w->server = fake_listen(w->loop, 0, answer, w);
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    start(w, (struct tfl_http_call){0});
    finish(w);
    unsetenv("http_proxy");
    unsetenv("all_proxy");
    assert_false(w->op->op.failed);
}

static void says_when_the_connection_is_refused(void **state)
{
    struct world *w = *state;
    w->server = fake_listen(w->loop, 0, answer, w);
    tfl_io_stop(w->loop, &w->server->io);
    close(w->server->fd);
    start(w, (struct tfl_http_call){0});
    fails(w, TFL_E_CONNECT, "/cryptarchia/info (last: connection refused)");
    w->server->fd = -1;
}

static void silent(struct fake_conn *c, const char *method, const char *path, const char *body)
{
    (void)c, (void)method, (void)path, (void)body;
}

static void gives_up_on_a_server_that_never_answers(void **state)
{
    struct world *w = *state;
    w->server = fake_listen(w->loop, 0, silent, w);
    int64_t begin = tfl_now(w->loop);
    start(w, (struct tfl_http_call){.timeout_ms = 150});
    fails(w, TFL_E_TIMEOUT, "/cryptarchia/info within 150ms (last: connected, no byte received)");
    assert_in_range((tfl_now(w->loop) - begin) / TFL_MS, 150, 1000);
}

static void drip(struct tfl_timer *timer)
{
    struct world *w = TFL_CONTAINER(timer, struct world, timer);
    if (!w->conn)
        return;
    fake_raws(w->conn, "x");
    tfl_timer_start(w->loop, timer, tfl_now(w->loop) + 20 * TFL_MS, drip);
}

static void forget(struct fake_conn *c)
{
    struct world *w = c->server->arg;
    w->conn = NULL;
}

static void slow(struct fake_conn *c, const char *method, const char *path, const char *body)
{
    struct world *w = c->server->arg;
    (void)method, (void)path, (void)body;
    w->conn = c;
    fake_raws(c, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
    drip(&w->timer);
}

static void gives_up_on_a_byte_at_a_time(void **state)
{
    struct world *w = *state;
    w->server = fake_listen(w->loop, 0, slow, w);
    w->server->on_close = forget;
    start(w, (struct tfl_http_call){.timeout_ms = 200});
    fails(w, TFL_E_TIMEOUT, "within 200ms (last: an answer of");
}

static const char *canned;
static void say(struct fake_conn *c, const char *method, const char *path, const char *body)
{
    (void)method, (void)path, (void)body;
    c->close_after = true;
    fake_raws(c, canned);
}

static void refuses_a_declared_gigabyte(void **state)
{
    struct world *w = *state;
    canned = "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\nabc";
    w->server = fake_listen(w->loop, 0, say, w);
    start(w, (struct tfl_http_call){.max_body = 1000});
    fails(w, TFL_E_TOO_LARGE, "has a body of more than 1000 bytes");
}

static void pour(struct tfl_timer *timer)
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

static void endless(struct fake_conn *c, const char *method, const char *path, const char *body)
{
    struct world *w = c->server->arg;
    (void)method, (void)path, (void)body;
    w->conn = c;
    fake_raws(c, canned);
    pour(&w->timer);
}

static void refuses_an_endless_body(void **state)
{
    struct world *w = *state;
    canned = "HTTP/1.1 200 OK\r\n\r\n";
    w->server = fake_listen(w->loop, 0, endless, w);
    w->server->on_close = forget;
    start(w, (struct tfl_http_call){.max_body = 5000000});
    fails(w, TFL_E_TOO_LARGE, "has a body of more than 5000000 bytes");
    assert_true(w->op->body.len <= 5000000);
}

static void refuses_an_endless_header_line(void **state)
{
    struct world *w = *state;
    canned = "HTTP/1.1 200 OK\r\nX-Y: ";
    w->server = fake_listen(w->loop, 0, endless, w);
    w->server->on_close = forget;
    start(w, (struct tfl_http_call){0});
    fails(w, TFL_E_TOO_LARGE, "has a header of more than 65536 bytes");
}

static void refuses_endless_headers(void **state)
{
    struct world *w = *state;
    struct tfl_buf many = {0};
    tfl_buf_adds(&many, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 9000; i++)
        tfl_buf_addf(&many, "X-%d: some value\r\n", i);
    canned = many.data;
    w->server = fake_listen(w->loop, 0, say, w);
    start(w, (struct tfl_http_call){0});
    fails(w, TFL_E_TOO_LARGE, "has a header of more than 65536 bytes");
    tfl_buf_done(&many);
}

static void names_garbage(void **state)
{
    struct world *w = *state;
    static const char *const garbage[] = {
        "\x01\x02\x03 what is this\n\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: nonsense\r\n\r\nabc",
        "HTTP/9.9 abc\r\n\r\n",
    };
    w->server = fake_listen(w->loop, 0, say, w);
    for (size_t i = 0; i < TFL_LEN(garbage); i++) {
        canned = garbage[i];
        start(w, (struct tfl_http_call){.timeout_ms = 3000});
        fails(w, TFL_E_BAD_REPLY, "/cryptarchia/info");
        tfl_op_free(&w->op->op);
        w->op = NULL;
    }
}

static void resets(struct fake_conn *c, const char *method, const char *path, const char *body)
{
    (void)method, (void)path, (void)body;
    fake_reset(c);
}

static void names_a_reset(void **state)
{
    struct world *w = *state;
    w->server = fake_listen(w->loop, 0, resets, w);
    start(w, (struct tfl_http_call){0});
    fails(w, TFL_E_CONNECT, "(last: connection reset by peer)");
}

static void names_an_answer_cut_short(void **state)
{
    struct world *w = *state;
    w->server = fake_listen(w->loop, 0, say, w);
    canned = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc";
    start(w, (struct tfl_http_call){0});
    fails(w, TFL_E_CONNECT, "within the answer");
    tfl_op_free(&w->op->op);
    canned = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
    start(w, (struct tfl_http_call){0});
    fails(w, TFL_E_CONNECT, "(after 3 bytes)");
}

static void refuses_what_is_no_url(void **state)
{
    struct world *w = *state;
    static const char *const urls[] = {
        "file:///etc/passwd", "http://", "http://127.0.0.1:99999/", "", "ftp://x/"};
    w->server = fake_listen(w->loop, 0, answer, w);
    for (size_t i = 0; i < TFL_LEN(urls); i++) {
        start(w, (struct tfl_http_call){.url = urls[i]});
        fails(w, TFL_E_USAGE, "not a URL");
        tfl_op_free(&w->op->op);
        w->op = NULL;
    }
}

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

static void answers_over_a_unix_socket(void **state)
{
    struct world *w = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char dir[] = "/tmp/tfl-spec-XXXXXX";
    assert_non_null(mkdtemp(dir));
    snprintf(address.sun_path, sizeof address.sun_path, "%s/s", dir);
    w->server = fake_listen(w->loop, 0, answer, w);
    tfl_io_stop(w->loop, &w->server->io);
    close(w->server->fd);
    w->server->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(w->server->fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(w->server->fd, 8), 0);
    assert_int_equal(tfl_io_start(w->loop, &w->server->io, w->server->fd, TFL_READ, fake_accept, NULL), 0);
    start(w, (struct tfl_http_call){.url = "http://localhost/v1/x", .unix_path = address.sun_path});
    finish(w);
    assert_false(w->op->op.failed);
    assert_string_equal(w->path, "/v1/x");
    assert_non_null(strstr(w->op->where, "/s/v1/x"));
    unlink(address.sun_path);
    rmdir(dir);
}

static void is_refused_under_virtual_time(void **state)
{
    (void)state;
    struct tfl_loop *loop = tfl_loop_new_virtual(0);
    struct tfl_error err;
    assert_null(tfl_http_new(loop, &err));
    assert_int_equal(err.code, TFL_E_UNSUPPORTED);
    tfl_loop_free(loop);
}

#define SPEC(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        SPEC(gives_the_answer_and_keeps_the_connection),
        SPEC(posts_a_body),
        SPEC(ignores_proxies_of_the_environment),
        SPEC(says_when_the_connection_is_refused),
        SPEC(gives_up_on_a_server_that_never_answers),
        SPEC(gives_up_on_a_byte_at_a_time),
        SPEC(refuses_a_declared_gigabyte),
        SPEC(refuses_an_endless_body),
        SPEC(refuses_an_endless_header_line),
        SPEC(refuses_endless_headers),
        SPEC(names_garbage),
        SPEC(names_a_reset),
        SPEC(names_an_answer_cut_short),
        SPEC(refuses_what_is_no_url),
        SPEC(is_cancelled_and_freed_at_any_time),
        SPEC(streams_in_order_and_in_slices),
        SPEC(holds_a_paused_stream_up),
        SPEC(may_be_freed_inside_its_callbacks),
        SPEC(bounds_a_stream),
        SPEC(hundreds_at_once),
        SPEC(answers_over_a_unix_socket),
        cmocka_unit_test(is_refused_under_virtual_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
