#include "net/http_server.h"

#include "support.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

enum { MAX_BODY = 100000 };

/* A client that speaks raw bytes, on the loop of the server. */
struct client {
    struct world *world;
    struct tfl_io io;
    int fd;
    struct tfl_buf got;
    bool over;   /* the server closed */
    bool paused; /* does not read */
};

struct world {
    struct tfl_loop *loop;
    struct tfl_http_server *server;
    struct tfl_http_topic topic;
    struct tfl_http_request *held; /* by /later */
    int n_gone, n_parts, n_parts_done, fds;
    struct client a, b;
};

static void on_gone(struct tfl_http_request *req, void *arg)
{
    struct world *w = arg;
    assert_ptr_equal(req, w->held);
    assert_ptr_equal(tfl_http_user(req), w);
    w->held = NULL;
    w->n_gone++;
}

static bool next_part(void *arg, struct tfl_buf *part)
{
    struct world *w = arg;
    if (w->n_parts++ % 2)
        tfl_buf_addf(part, "part %d\n", w->n_parts / 2); /* every other part is empty */
    return w->n_parts < 2000;
}

static void parts_done(void *arg)
{
    ((struct world *)arg)->n_parts_done++;
}

static void handle(struct tfl_http_request *req, void *arg)
{
    struct world *w = arg;
    const char *path = tfl_http_path(req), *q = tfl_http_query(req, "q");
    size_t n;
    const char *body = tfl_http_body(req, &n);
    if (!strcmp(path, "/echo"))
        tfl_http_replyf(req, 200, TFL_HTTP_TEXT, "%s %s q=%s x=%s body=%zu:%.20s", tfl_http_method(req), path,
            q ? q : "none", tfl_http_header(req, "x-y") ? tfl_http_header(req, "X-Y") : "none", n, body);
    else if (!strcmp(path, "/later")) {
        w->held = req;
        tfl_http_wait(req, on_gone, w);
    } else if (!strcmp(path, "/topic"))
        tfl_http_topic_join(&w->topic, req, TFL_HTTP_NDJSON);
    else if (!strcmp(path, "/parts"))
        tfl_http_reply_parts(req, 200, TFL_HTTP_NDJSON, next_part, parts_done, w);
    else if (!strcmp(path, "/empty"))
        tfl_http_reply(req, 204, NULL, "", 0);
    else
        tfl_http_reply(req, 404, NULL, "", 0);
}

static void make_server(struct world *w, struct tfl_http_options options)
{
    options.addr = any_port();
    options.handle = handle;
    options.arg = w;
    options.max_body = MAX_BODY;
    w->server = tfl_http_server_new(w->loop, &options, NULL);
    assert_non_null(w->server);
}

static int setup(void **state)
{
    struct world *w = tfl_alloc(sizeof *w);
    w->fds = open_fds();
    w->loop = tfl_loop_new(NULL);
    make_server(w, (struct tfl_http_options){0});
    *state = w;
    return 0;
}

static void hang_up(struct client *c)
{
    if (!c->world)
        return;
    tfl_io_stop(c->world->loop, &c->io);
    close(c->fd);
    tfl_buf_done(&c->got);
    *c = (struct client){0};
}

static int teardown(void **state)
{
    struct world *w = *state;
    hang_up(&w->a);
    hang_up(&w->b);
    tfl_http_server_free(w->server);
    assert_int_equal(w->topic.n_readers, 0);
    tfl_loop_free(w->loop);
    int leaked = open_fds() - w->fds;
    free(w);
    return leaked;
}

static void on_readable(struct tfl_io *io, int events)
{
    struct client *c = TFL_CONTAINER(io, struct client, io);
    char chunk[4096];
    (void)events;
    ssize_t n = recv(c->fd, chunk, sizeof chunk, MSG_DONTWAIT);
    if (n > 0)
        tfl_buf_add(&c->got, chunk, (size_t)n);
    else if (n == 0 || errno != EAGAIN) {
        c->over = true;
        tfl_io_stop(c->world->loop, &c->io);
    }
}

static void say(struct client *c, const char *text)
{
    assert_int_equal(send(c->fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void ask(struct world *w, struct client *c, const char *text)
{
    if (!c->world) {
        c->world = w;
        c->fd = connect_plain(tfl_http_server_addr(w->server));
        tfl_io_start(w->loop, &c->io, c->fd, TFL_READ, on_readable, NULL);
    }
    say(c, text);
}

/* Turns the loop until the client has seen the text. */
static void sees(struct client *c, const char *text)
{
    int64_t end = tfl_now(c->world->loop) + 3 * TFL_S;
    while (tfl_now(c->world->loop) < end && !(c->got.data && strstr(c->got.data, text)))
        pass(c->world->loop, 1);
    if (!c->got.data || !strstr(c->got.data, text))
        fail_msg("wanted \"%s\", got \"%.2000s\"", text, c->got.data ? c->got.data : "");
}

static void ends(struct client *c)
{
    assert_true(until(c->world->loop, &c->over, 3000));
}

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
        cmocka_unit_test_setup_teardown(requests_are_understood_and_kept_alive, setup, teardown),
        cmocka_unit_test_setup_teardown(a_request_may_come_a_byte_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(bodies_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(bodies_of_unknown_length_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_may_come_later, setup, teardown),
        cmocka_unit_test_setup_teardown(a_client_that_gives_up_is_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_topic_reaches_all_its_readers, setup, teardown),
        cmocka_unit_test_setup_teardown(a_slow_reader_loses_the_oldest_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(parts_are_made_as_they_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(connections_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_spins_while_nothing_happens, setup, teardown),
        cmocka_unit_test_setup_teardown(idle_connections_are_closed_and_streams_are_not, setup, teardown),
        cmocka_unit_test_setup_teardown(nonsense_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_server_is_freed_with_everything_open, setup, teardown),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
