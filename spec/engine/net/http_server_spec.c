#include "http_support.h"

static void requests_are_understood_and_kept_alive(void **state)
{
    struct world *w = *state;
    ask(w, &w->a, "GET /echo?q=a%20b&r=1 HTTP/1.1\r\nHost: x\r\nX-Y: z\r\n\r\n");
    sees(&w->a, "GET /echo q=a b x=z body=0:");
    sees(&w->a, "HTTP/1.1 200 OK");
    sees(&w->a, "ontent-type: text/plain; charset=utf-8\r\n");
    tfl_buf_clear(&w->a.got);
    ask(w, &w->a, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
    sees(&w->a, "POST /echo q=none x=none body=5:hello");
    tfl_buf_clear(&w->a.got);
    ask(w, &w->a,
        "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\nGET /empty HTTP/1.1\r\nHost: x\r\n\r\n"); /* pipelined */
    sees(&w->a, "404 Not Found");
    sees(&w->a, "204 No Content");
    assert_false(w->a.over);
    assert_int_equal(tfl_http_server_requests(w->server), 4);
    assert_int_equal(tfl_http_server_connections(w->server), 1);
}

static void a_request_may_come_a_byte_at_a_time(void **state)
{
    struct world *w = *state;
    const char *text = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi";
    ask(w, &w->a, "");
    for (const char *p = text; *p; p++) {
        assert_int_equal(send(w->a.fd, p, 1, 0), 1);
        pass(w->loop, 1);
    }
    sees(&w->a, "body=2:hi");
}

static void bodies_are_bounded(void **state)
{
    struct world *w = *state;
    char head[200];
    char *body = tfl_alloc(MAX_BODY + 1);
    memset(body, 'b', MAX_BODY);
    snprintf(head, sizeof head, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", MAX_BODY);
    ask(w, &w->a, head);
    for (size_t sent = 0; sent < MAX_BODY; tfl_loop_turn(w->loop, false)) {
        ssize_t n = send(w->a.fd, body + sent, MAX_BODY - sent, MSG_DONTWAIT);
        sent += n > 0 ? (size_t)n : 0;
    }
    sees(&w->a, "body=100000:bbb");
    hang_up(&w->a);
    /* one byte more is refused before it is sent */
    snprintf(head, sizeof head, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", MAX_BODY + 1);
    ask(w, &w->a, head);
    sees(&w->a, "HTTP/1.1 413");
    sees(&w->a, "larger than 100000 bytes");
    free(body);
}

/* Sends a chunked body of n bytes while the loop turns. */
static void send_chunked(struct world *w, struct client *c, int n)
{
    char piece[1100];
    memset(piece, 'c', sizeof piece);
    memcpy(piece, "400\r\n", 5);
    memcpy(piece + 5 + 1024, "\r\n", 2);
    ask(w, c, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < n / 1024 && !c->over; i++) {
        if (send(c->fd, piece, 5 + 1024 + 2, MSG_NOSIGNAL) < 0)
            break;
        tfl_loop_turn(w->loop, false);
    }
    send(c->fd, "0\r\n\r\n", 5, MSG_NOSIGNAL);
}

static void bodies_of_unknown_length_are_bounded(void **state)
{
    struct world *w = *state;
    send_chunked(w, &w->a, 95 * 1024);
    sees(&w->a, "body=97280:cccccccccccccccccccc");
    send_chunked(w, &w->b, MAX_BODY + 10240);
    sees(&w->b, "HTTP/1.1 413");
    hang_up(&w->b);
    send_chunked(w, &w->b, 100 * MAX_BODY); /* for ever: hung up on */
    ends(&w->b);
}

static void an_answer_may_come_later(void **state)
{
    struct world *w = *state;
    ask(w, &w->a, "GET /later HTTP/1.1\r\nHost: x\r\n\r\nGET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
    pass(w->loop, 50);
    assert_non_null(w->held);
    assert_int_equal(w->a.got.len, 0);
    tfl_http_replyf(w->held, 200, NULL, "at last");
    sees(&w->a, "at last");
    sees(&w->a, "GET /echo"); /* what was sent meanwhile is answered too */
    assert_int_equal(w->n_gone, 0);
}

static void a_client_that_gives_up_is_noticed(void **state)
{
    struct world *w = *state;
    ask(w, &w->a, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    pass(w->loop, 30);
    assert_non_null(w->held);
    hang_up(&w->a);
    pass(w->loop, 30);
    assert_int_equal(w->n_gone, 1);
    assert_int_equal(tfl_http_server_connections(w->server), 0);
    ask(w, &w->b, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    pass(w->loop, 30);
    assert_non_null(w->held); /* this one is there when the server is freed */
    tfl_http_server_free(w->server);
    w->server = NULL;
    assert_int_equal(w->n_gone, 2);
    ends(&w->b);
}

static void connections_are_bounded(void **state)
{
    struct world *w = *state;
    tfl_http_server_free(w->server);
    make_server(w, (struct tfl_http_options){.max_connections = 2});
    struct client third = {0};
    ask(w, &w->a, "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
    ask(w, &w->b, "GET /topic HTTP/1.1\r\nHost: x\r\n\r\n");
    sees(&w->a, "GET /echo");
    sees(&w->b, "\r\n\r\n");
    ask(w, &third, "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
    int64_t end = tfl_now(w->loop) + 100 * TFL_MS;
    int turns = 0;
    struct tfl_timer alarm = {0};
    tfl_timer_start(w->loop, &alarm, end, support_alarm);
    for (; tfl_now(w->loop) < end; turns++)
        tfl_loop_turn(w->loop, true);
    assert_true(turns < 50); /* it waits without a spin */
    assert_int_equal(third.got.len, 0);
    hang_up(&w->a);
    sees(&third, "GET /echo");
    hang_up(&third);
}

static void nonsense_is_refused(void **state)
{
    struct world *w = *state;
    char *header = tfl_alloc(200001);
    ask(w, &w->a, "\x16\x03\x01 what is this\r\n\r\n");
    ends(&w->a);
    memset(header, 'h', 200000);
    ask(w, &w->b, "GET /echo HTTP/1.1\r\nHost: x\r\nX: ");
    for (int i = 0; i < 20 && !w->b.over; i++) {
        send(w->b.fd, header, 10000, MSG_NOSIGNAL | MSG_DONTWAIT);
        pass(w->loop, 2);
    }
    ends(&w->b);
    assert_int_equal(tfl_http_server_requests(w->server), 0);
    free(header);
    struct tfl_error err;
    struct tfl_http_options again = {.addr = *tfl_http_server_addr(w->server), .handle = handle};
    assert_null(tfl_http_server_new(w->loop, &again, &err));
    assert_non_null(strstr(err.msg, "127.0.0.1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(requests_are_understood_and_kept_alive, setup, teardown),
        cmocka_unit_test_setup_teardown(a_request_may_come_a_byte_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(bodies_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(bodies_of_unknown_length_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_may_come_later, setup, teardown),
        cmocka_unit_test_setup_teardown(a_client_that_gives_up_is_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(connections_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(nonsense_is_refused, setup, teardown),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
