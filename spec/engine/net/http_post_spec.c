#include "net/http_post.h"

#include "net/http_answer.h"

#include "../../support/fake_http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct world {
    struct tfl_loop *loop;
    struct fake_server *server;
    struct tfl_http_post post;
    bool over;
    int n_answers;
    char method[16], path[128];
    struct tfl_buf body;
    const char *reply;
    int close_before; /* the connection is closed when this many requests have come */
    bool hang_up, silent;
};

static void answered(struct tfl_http_post *post)
{
    struct world *w = post->owner;
    w->over = true;
    w->n_answers++;
}

static void handler(struct fake_conn *c, const char *method, const char *path, const char *body)
{
    struct world *w = c->server->arg;
    snprintf(w->method, sizeof w->method, "%s", method);
    snprintf(w->path, sizeof w->path, "%s", path);
    tfl_buf_clear(&w->body);
    tfl_buf_adds(&w->body, body);
    if (w->close_before && c->server->n_requests == w->close_before) {
        fake_close(c);
        return;
    }
    if (w->silent)
        return;
    if (w->hang_up)
        c->close_after = true;
    if (w->reply)
        fake_raws(c, w->reply);
    else
        fake_json(c, "null");
}

static int setup(void **state)
{
    struct world *w = tfl_alloc(sizeof *w);
    struct tfl_error err = {0};
    char url[128];
    w->loop = tfl_loop_new(NULL);
    w->server = fake_listen(w->loop, 0, handler, w);
    snprintf(url, sizeof url, "%s/mempool/add/tx", w->server->url);
    if (tfl_http_post_init(&w->post, w->loop, "node-3", url, &err))
        fail_msg("%s", err.msg);
    w->post.answered = answered;
    w->post.owner = w;
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    tfl_http_post_done(&w->post);
    if (w->server)
        fake_free(w->server);
    tfl_buf_done(&w->body);
    tfl_loop_free(w->loop);
    free(w);
    return 0;
}

static void run(struct world *w, const char *body, int64_t timeout_ms)
{
    int before = w->n_answers;
    w->over = false;
    tfl_http_post_send(&w->post, body, strlen(body), timeout_ms);
    assert_false(w->over); /* never inside */
    assert_true(fake_run(w->loop, &w->over, 10000));
    assert_int_equal(w->n_answers, before + 1);
    assert_false(tfl_http_post_busy(&w->post));
}

static void posts_over_one_connection(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 50; i++) {
        run(w, "{\"a\":1}", 5000);
        assert_false(w->post.failed);
        assert_int_equal(w->post.status, 200);
        assert_string_equal(w->post.text, "null");
        assert_string_equal(w->method, "POST");
        assert_string_equal(w->path, "/mempool/add/tx");
        assert_string_equal(w->body.data, "{\"a\":1}");
    }
    assert_int_equal(w->server->n_accepted, 1);
}

static void a_body_of_megabytes_arrives(void **state)
{
    struct world *w = *state;
    TFL_BUF body = {0};
    while (body.len < 3000000)
        tfl_buf_addf(&body, "%zu,", body.len);
    run(w, body.data, 5000);
    assert_int_equal(w->post.status, 200);
    assert_int_equal(w->body.len, body.len);
    assert_memory_equal(w->body.data, body.data, body.len);
}

static void an_idle_connection_that_was_closed_is_opened_again(void **state)
{
    struct world *w = *state;
    run(w, "1", 5000);
    w->close_before = 2; /* as a server does that gives up the connection while the request is on its way */
    run(w, "2", 5000);
    assert_false(w->post.failed);
    assert_string_equal(w->body.data, "2");
    assert_int_equal(w->server->n_requests, 3);
    assert_int_equal(w->server->n_accepted, 2);
    while (w->server->conns) /* and one that is seen to go while nothing is asked */
        fake_close(w->server->conns);
    bool never = false;
    fake_run(w->loop, &never, 20);
    assert_int_equal(w->post.fd, -1);
    run(w, "4", 5000);
    assert_false(w->post.failed);
}

static void a_fresh_connection_that_dies_is_a_failure(void **state)
{
    struct world *w = *state;
    w->close_before = 1;
    run(w, "1", 5000);
    assert_true(w->post.failed);
    assert_int_equal(w->post.err.code, TFL_E_CONNECT);
    assert_string_equal(w->post.err.node, "node-3");
    assert_int_equal(w->server->n_requests, 1);
}

static void nobody_there(void **state)
{
    struct world *w = *state;
    fake_free(w->server);
    w->server = NULL;
    run(w, "1", 5000);
    assert_true(w->post.failed);
    assert_int_equal(w->post.err.code, TFL_E_CONNECT);
    assert_non_null(strstr(w->post.err.msg, "node-3: no HTTP answer on 127.0.0.1:"));
    assert_non_null(strstr(w->post.err.msg, "refused"));
    assert_int_equal(w->post.sent, 0);
}

static void silence_has_an_end(void **state)
{
    struct world *w = *state;
    w->silent = true;
    run(w, "1", 50);
    assert_true(w->post.failed);
    assert_int_equal(w->post.err.code, TFL_E_TIMEOUT);
    assert_non_null(strstr(w->post.err.msg, "within 50ms (last: connected, no byte received)"));
    w->silent = false;
    run(w, "2", 5000); /* over a new connection: the old answer may still come on the other */
    assert_int_equal(w->post.status, 200);
    assert_int_equal(w->server->n_accepted, 2);
}

static void answers_of_all_shapes(void **state)
{
    static const struct {
        const char *reply;
        int status;
        const char *text;
        bool hang_up, kept;
    } cases[] = {
        {"HTTP/1.1 422 X\r\ncontent-length: 3\r\n\r\nbad", 422, "bad", false, true},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length:0\r\n\r\n", 200, "", false, true},
        {"HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\na\nb\rc\r\n1\r\nd\r\n0\r\nT: "
         "u\r\n\r\n",
            500, "a b c", false, true},
        {"HTTP/1.1 204 No\r\n\r\n", 204, "", false, true},
        {"HTTP/1.0 200 OK\r\n\r\nuntil the end", 200, "until the end", true, false},
        {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", 200, "x", false, false},
    };
    struct world *w = *state;
    for (size_t i = 0; i < TFL_LEN(cases); i++) {
        w->reply = cases[i].reply;
        w->hang_up = cases[i].hang_up;
        run(w, "{}", 5000);
        if (w->post.failed)
            fail_msg("case %zu: %s", i, w->post.err.msg);
        assert_int_equal(w->post.status, cases[i].status);
        assert_string_equal(w->post.text, cases[i].text);
        assert_int_equal(w->post.fd >= 0, cases[i].kept);
    }
}

static void nonsense_is_told(void **state)
{
    static const struct {
        const char *reply;
        enum tfl_code code;
        const char *why;
        bool hang_up;
    } cases[] = {
        {"SSH-2.0-x\r\n", TFL_E_BAD_REPLY, "does not begin with HTTP", false},
        {"HTTP/1.1 ok\r\n\r\n", TFL_E_BAD_REPLY, "without a status", false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n", TFL_E_BAD_REPLY, "content-length",
            false},
        {"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", TFL_E_BAD_REPLY, "content-length", false},
        {"HTTP/1.1 200 OK\r\nnothing\r\n\r\n", TFL_E_BAD_REPLY, "colon", false},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", TFL_E_BAD_REPLY, "chunk", false},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxyz\r\n", TFL_E_BAD_REPLY, "chunk",
            false},
        {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", TFL_E_CONNECT, "ended within the answer", true},
    };
    struct world *w = *state;
    for (size_t i = 0; i < TFL_LEN(cases); i++) {
        w->reply = cases[i].reply;
        w->hang_up = cases[i].hang_up;
        run(w, "{}", 5000);
        assert_true(w->post.failed);
        assert_int_equal(w->post.err.code, cases[i].code);
        if (!strstr(w->post.err.msg, cases[i].why))
            fail_msg("case %zu: \"%s\" does not say \"%s\"", i, w->post.err.msg, cases[i].why);
    }
}

static void an_answer_has_a_bound(void **state)
{
    struct world *w = *state;
    TFL_BUF reply = {0};
    tfl_buf_adds(&reply, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
    while (reply.len < 70000)
        tfl_buf_adds(&reply, "xxxxxxxxxxxxxxxx");
    w->reply = reply.data;
    run(w, "{}", 5000);
    assert_true(w->post.failed);
    assert_int_equal(w->post.err.code, TFL_E_TOO_LARGE);
}

/* Every beginning of an answer is a beginning, nothing else. */
static void answers_come_in_pieces(void **state)
{
    (void)state;
    static const char *const whole[] = {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX: y\r\n\r\nnull",
        "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 500 X\r\nTransfer-Encoding: "
        "chunked\r\n\r\n3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n"};
    struct tfl_http_answer a;
    for (size_t k = 0; k < TFL_LEN(whole); k++) {
        size_t n = strlen(whole[k]);
        for (size_t i = 0; i < n; i++) {
            char *exact = tfl_strndup(whole[k], i); /* so that a read beyond is seen */
            assert_int_equal(tfl_http_answer_read(&a, exact, i, false), 0);
            free(exact);
        }
        assert_int_equal(tfl_http_answer_read(&a, whole[k], n, false), 1);
        assert_int_equal(a.used, n);
    }
}

static void refuse(const char *url, const char *why)
{
    struct tfl_error err = {0};
    struct tfl_loop *loop = tfl_loop_new(NULL);
    struct tfl_http_post post = {0};
    assert_int_equal(tfl_http_post_init(&post, loop, "n", url, &err), -1);
    assert_int_equal(err.code, TFL_E_USAGE);
    if (!strstr(err.msg, why))
        fail_msg("%s: \"%s\" does not say \"%s\"", url, err.msg, why);
    tfl_http_post_done(&post);
    tfl_loop_free(loop);
}

static void addresses_are_checked(void **state)
{
    (void)state;
    refuse("https://127.0.0.1/", "expected http://");
    refuse("http:///x", "expected http://");
    refuse("http://127.0.0.1:80/a b", "expected http://");
    refuse("http://example.org/", "IP addresses or localhost");
    refuse("http://127.0.0.1:99999/", "http://127.0.0.1:99999/");
    struct tfl_error err = {0};
    struct tfl_loop *loop = tfl_loop_new(NULL);
    struct tfl_http_post post = {0};
    assert_int_equal(tfl_http_post_init(&post, loop, "n", "http://localhost/x", &err), 0);
    assert_string_equal(post.addr.host, "127.0.0.1");
    assert_int_equal(post.addr.port, 80);
    tfl_http_post_done(&post);
    assert_int_equal(tfl_http_post_init(&post, loop, "n", "http://[::1]:81", &err), 0);
    assert_int_equal(post.addr.port, 81);
    assert_non_null(strstr(post.head, "POST / HTTP/1.1\r\nHost: [::1]:81\r\n"));
    tfl_http_post_done(&post);
    tfl_loop_free(loop);
    loop = tfl_loop_new_virtual(0);
    assert_int_equal(tfl_http_post_init(&post, loop, "n", "http://127.0.0.1/x", &err), -1);
    assert_int_equal(err.code, TFL_E_UNSUPPORTED);
    tfl_loop_free(loop);
}

static void may_go_at_any_time(void **state)
{
    struct world *w = *state;
    tfl_http_post_send(&w->post, "1", 1, 1000);
    tfl_http_post_done(&w->post);
    bool never = false;
    fake_run(w->loop, &never, 20);
    assert_int_equal(w->n_answers, 0);
}

#define SPEC(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SPEC(posts_over_one_connection),
        SPEC(a_body_of_megabytes_arrives),
        SPEC(an_idle_connection_that_was_closed_is_opened_again),
        SPEC(a_fresh_connection_that_dies_is_a_failure),
        SPEC(nobody_there),
        SPEC(silence_has_an_end),
        SPEC(answers_of_all_shapes),
        SPEC(nonsense_is_told),
        SPEC(an_answer_has_a_bound),
        cmocka_unit_test(answers_come_in_pieces),
        cmocka_unit_test(addresses_are_checked),
        SPEC(may_go_at_any_time),
    };
    return cmocka_run_group_tests_name("net.http_post", tests, NULL, NULL);
}
