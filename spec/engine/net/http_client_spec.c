#include "http_client_world.h"

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

static void gives_up_on_a_byte_at_a_time(void **state)
{
    struct world *w = *state;
    w->server = fake_listen(w->loop, 0, slow, w);
    w->server->on_close = forget;
    start(w, (struct tfl_http_call){.timeout_ms = 200});
    fails(w, TFL_E_TIMEOUT, "within 200ms (last: an answer of");
}

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
        SPEC(answers_over_a_unix_socket),
        cmocka_unit_test(is_refused_under_virtual_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
