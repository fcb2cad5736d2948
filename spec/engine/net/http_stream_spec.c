#include "http_support.h"

static void a_topic_reaches_all_its_readers(void **state)
{
    struct world *w = *state;
    ask(w, &w->a, "GET /topic HTTP/1.1\r\nHost: x\r\n\r\n");
    sees(&w->a, "application/x-ndjson\r\n"); /* headers come at once, without a row */
    tfl_http_topic_push(&w->topic, "{1}\n", 4);
    ask(w, &w->b, "GET /topic HTTP/1.1\r\nHost: x\r\n\r\n");
    sees(&w->b, "\r\n\r\n");
    tfl_http_topic_push(&w->topic, "{2}\n", 4);
    sees(&w->a, "{1}\n\r\n4\r\n{2}\n\r\n");
    sees(&w->b, "{2}\n");
    assert_null(strstr(w->b.got.data, "{1}"));
    hang_up(&w->a); /* while nothing is sent */
    pass(w->loop, 30);
    assert_int_equal(w->topic.n_readers, 1);
    assert_int_equal(tfl_http_server_connections(w->server), 1);
    tfl_http_topic_push(&w->topic, "{3}\n", 4);
    sees(&w->b, "{3}\n");
    tfl_http_topic_done(&w->topic);
    sees(&w->b, "\r\n0\r\n\r\n"); /* a clean end; the connection can be used again */
    ask(w, &w->b, "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
    sees(&w->b, "GET /echo");
}

static void a_slow_reader_loses_the_oldest_rows(void **state)
{
    struct world *w = *state;
    char row[2001], wanted[16];
    w->topic.max_rows = 8;
    ask(w, &w->a, "GET /topic HTTP/1.1\r\nHost: x\r\n\r\n");
    sees(&w->a, "\r\n\r\n");
    tfl_io_stop(w->loop, &w->a.io); /* stops to read */
    for (int i = 0; i < 20000 && w->topic.dropped < 1000; i++) {
        memset(row, '.', sizeof row);
        row[snprintf(row, sizeof row, "<%d", i)] = '.';
        row[1999] = '\n';
        tfl_http_topic_push(&w->topic, row, 2000);
        tfl_loop_turn(w->loop, false);
        snprintf(wanted, sizeof wanted, "<%d.", i);
    }
    assert_true(w->topic.dropped >= 1000);
    tfl_io_start(w->loop, &w->a.io, w->a.fd, TFL_READ, on_readable, NULL);
    sees(&w->a, wanted); /* the newest is there */
    pass(w->loop, 50);
    /* and every row that came is whole: the marks rise, each 2,000 bytes after the one before */
    int rows = 0, last = -1;
    size_t dots = 0;
    for (const char *p = strstr(w->a.got.data, "<"); p; p = strstr(p + 1, "<")) {
        int number = atoi(p + 1);
        assert_true(number > last);
        last = number;
        rows++;
    }
    for (size_t i = 0; i < w->a.got.len; i++)
        dots += w->a.got.data[i] == '.';
    assert_true(rows > 8 && dots > (size_t)rows * 1990 && dots < (size_t)rows * 2000);
}

static void parts_are_made_as_they_are_read(void **state)
{
    struct world *w = *state;
    ask(w, &w->a, "GET /parts HTTP/1.1\r\nHost: x\r\n\r\n");
    sees(&w->a, "part 1000\n");
    sees(&w->a, "\r\n0\r\n\r\n");
    assert_int_equal(w->n_parts_done, 1);
    w->n_parts = -1000000;
    ask(w, &w->b, "GET /parts HTTP/1.1\r\nHost: x\r\n\r\n");
    sees(&w->b, "part");
    hang_up(&w->b); /* in the middle */
    pass(w->loop, 50);
    assert_int_equal(w->n_parts_done, 2);
    assert_true(w->n_parts < -100000); /* no more parts than the client took were made */
}

static void nothing_spins_while_nothing_happens(void **state)
{
    struct world *w = *state;
    ask(w, &w->a,
        "GET /topic HTTP/1.1\r\nHost: x\r\n\r\nGET /echo HTTP/1.1\r\n"); /* and speaks out of turn */
    ask(w, &w->b, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    sees(&w->a, "\r\n\r\n");
    pass(w->loop, 30);
    int64_t end = tfl_now(w->loop) + 200 * TFL_MS;
    int turns = 0;
    struct tfl_timer alarm = {0};
    tfl_timer_start(w->loop, &alarm, end, support_alarm);
    for (; tfl_now(w->loop) < end; turns++)
        tfl_loop_turn(w->loop, true);
    assert_true(turns < 20);
    assert_non_null(w->held);
}

static void idle_connections_are_closed_and_streams_are_not(void **state)
{
    struct world *w = *state;
    tfl_http_server_free(w->server);
    make_server(w, (struct tfl_http_options){.idle_s = 1});
    ask(w, &w->a, "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
    ask(w, &w->b, "GET /topic HTTP/1.1\r\nHost: x\r\n\r\n");
    sees(&w->a, "GET /echo");
    ends(&w->a);
    pass(w->loop, 1500);
    assert_false(w->b.over);
    tfl_http_topic_push(&w->topic, "row", 3);
    sees(&w->b, "row");
}

static void a_server_is_freed_with_everything_open(void **state)
{
    struct world *w = *state;
    ask(w, &w->a, "GET /topic HTTP/1.1\r\nHost: x\r\n\r\n");
    ask(w, &w->b, "GET /parts HTTP/1.1\r\nHost: x\r\n\r\n");
    w->n_parts = -1000000;
    sees(&w->a, "\r\n\r\n");
    tfl_io_stop(w->loop, &w->b.io);
    tfl_http_topic_push(&w->topic, "last row", 8);
    tfl_http_server_free(w->server);
    w->server = NULL;
    sees(&w->a, "last row");
    sees(&w->a, "\r\n0\r\n\r\n");
    ends(&w->a);
    assert_int_equal(w->n_parts_done, 1);
    tfl_http_topic_push(&w->topic, "nobody", 6);
    tfl_http_topic_done(&w->topic);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_topic_reaches_all_its_readers, setup, teardown),
        cmocka_unit_test_setup_teardown(a_slow_reader_loses_the_oldest_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(parts_are_made_as_they_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_spins_while_nothing_happens, setup, teardown),
        cmocka_unit_test_setup_teardown(idle_connections_are_closed_and_streams_are_not, setup, teardown),
        cmocka_unit_test_setup_teardown(a_server_is_freed_with_everything_open, setup, teardown),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
