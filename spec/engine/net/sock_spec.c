#include "net/sock.h"

#include "support.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

enum { MAX = 1 << 20, QUEUE = 4 << 20 };

/* Two framed streams that are connected to each other, and what they saw. */
struct end {
    struct tfl_framed f;
    struct world *world;
    struct tfl_buf got; /* messages, each followed by '|' when short */
    size_t n_messages, n_bytes, n_heard;
    bool closed, close_on_message;
    struct tfl_error why;
};
struct world {
    struct tfl_loop *loop;
    struct tfl_listener listener;
    struct tfl_dialer dialer;
    struct end a, b; /* a dials */
    int n_accepted, n_failed;
    bool up, failed, keep_accepted_fd;
    int accepted_fd, fds;
    struct tfl_error err;
};

static void on_message(struct tfl_framed *f, const uint8_t *data, size_t n)
{
    struct end *e = TFL_CONTAINER(f, struct end, f);
    e->n_messages++;
    e->n_bytes += n;
    if (n < 100) {
        tfl_buf_add(&e->got, data, n);
        tfl_buf_adds(&e->got, "|");
    }
    if (e->close_on_message)
        tfl_framed_close(f);
}

static void on_heard(struct tfl_framed *f)
{
    TFL_CONTAINER(f, struct end, f)->n_heard++;
}

static void on_closed(struct tfl_framed *f, const struct tfl_error *why)
{
    struct end *e = TFL_CONTAINER(f, struct end, f);
    assert_false(e->closed);
    e->closed = true;
    e->why = *why;
}

static void take(struct world *w, struct end *e, int fd)
{
    e->world = w;
    e->f.message = on_message;
    e->f.heard = on_heard;
    e->f.closed = on_closed;
    assert_int_equal(tfl_framed_start(w->loop, &e->f, fd, MAX, QUEUE, NULL), 0);
}

static void accepted(struct tfl_listener *l, int fd, const struct tfl_addr *from)
{
    struct world *w = TFL_CONTAINER(l, struct world, listener);
    assert_string_equal(from->host, "127.0.0.1");
    w->n_accepted++;
    if (w->keep_accepted_fd) {
        w->accepted_fd = fd;
        w->up = true;
        return;
    }
    take(w, &w->b, fd);
    w->up = w->a.f.fd > 0;
}

static void connected(struct tfl_dialer *d, int fd)
{
    struct world *w = TFL_CONTAINER(d, struct world, dialer);
    assert_false(tfl_dialer_started(d));
    take(w, &w->a, fd);
    w->up = w->n_accepted > 0;
}

static void dial_failed(struct tfl_dialer *d, const struct tfl_error *err)
{
    struct world *w = TFL_CONTAINER(d, struct world, dialer);
    assert_true(tfl_dialer_started(d));
    w->n_failed++;
    w->failed = true;
    w->err = *err;
}

static int setup(void **state)
{
    struct world *w = tfl_alloc(sizeof *w);
    struct tfl_addr addr = any_port();
    w->fds = open_fds();
    w->loop = tfl_loop_new(NULL);
    assert_int_equal(tfl_listener_start(w->loop, &w->listener, &addr, accepted, NULL), 0);
    w->dialer.addr = w->listener.addr;
    w->dialer.connected = connected;
    w->dialer.failed = dial_failed;
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    tfl_framed_close(&w->a.f);
    tfl_framed_close(&w->b.f);
    tfl_buf_done(&w->a.got);
    tfl_buf_done(&w->b.got);
    tfl_dialer_stop(&w->dialer);
    tfl_listener_stop(&w->listener);
    tfl_loop_free(w->loop);
    int leaked = open_fds() - w->fds;
    free(w);
    return leaked;
}

static void connect_both(struct world *w)
{
    tfl_dialer_start(w->loop, &w->dialer);
    assert_true(until(w->loop, &w->up, 2000));
}

static void addresses_are_read_and_written(void **state)
{
    static const char *const good[][2] = {{"127.0.0.1:80", "/ip4/127.0.0.1/tcp/80"},
        {"[::1]:1", "/ip6/::1/tcp/1"}, {"node-1.x:65535", "/dns4/node-1.x/tcp/65535"}};
    static const char *const bad[] = {"", "127.0.0.1", "127.0.0.1:", ":80", "127.0.0.1:65536", "127.0.0.1:+1",
        "127.0.0.1: 1", "::1:80", "[127.0.0.1]:80", "a b:1", "-a:1", "[]:1"};
    static const char *const bad_multi[] = {"", "/", "/ip4/127.0.0.1", "/ip4/127.0.0.1/tcp/",
        "/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/1/quic-v1", "/ip4/::1/tcp/1", "/ip6/127.0.0.1/tcp/1",
        "/dns4/127.0.0.1/tcp/1", "/dns4//tcp/1", "/ip4/127.0.0.1/tcp/1/", "127.0.0.1:1",
        "/ip4/127.0.0.1/tcp/99999"};
    struct tfl_addr addr;
    struct tfl_error err;
    char text[TFL_ADDR_TEXT];
    (void)state;
    for (size_t i = 0; i < TFL_LEN(good); i++) {
        assert_int_equal(tfl_addr_parse(&addr, good[i][0], &err), 0);
        assert_string_equal(tfl_addr_multi(&addr, text), good[i][1]);
        assert_int_equal(tfl_addr_parse_multi(&addr, good[i][1], &err), 0);
        assert_string_equal(tfl_addr_text(&addr, text), good[i][0]);
    }
    for (size_t i = 0; i < TFL_LEN(bad); i++)
        assert_int_equal(tfl_addr_parse(&addr, bad[i], &err), -1);
    for (size_t i = 0; i < TFL_LEN(bad_multi); i++) {
        assert_int_equal(tfl_addr_parse_multi(&addr, bad_multi[i], &err), -1);
        assert_non_null(strstr(err.msg, "/ip4/ADDRESS/tcp/PORT"));
    }
    char host[300];
    memset(host, 'a', sizeof host);
    host[299] = '\0';
    assert_int_equal(tfl_addr_make(&addr, host, 1, &err), -1);
}

static void messages_keep_order_and_borders(void **state)
{
    struct world *w = *state;
    connect_both(w);
    tfl_framed_send(&w->a.f, "one", 3);
    tfl_framed_send(&w->a.f, "", 0);
    tfl_framed_send(&w->a.f, "three", 5);
    tfl_framed_send(&w->b.f, "back", 4);
    for (int i = 0; i < 100 && (w->b.n_messages < 3 || w->a.n_messages < 1); i++)
        tfl_loop_turn(w->loop, true);
    assert_string_equal(w->b.got.data, "one||three|");
    assert_string_equal(w->a.got.data, "back|");
    assert_true(w->b.n_heard > 0);
    int on = 0;
    socklen_t len = sizeof on;
    getsockopt(w->a.f.fd, IPPROTO_TCP, TCP_NODELAY, &on, &len);
    assert_int_equal(on, 1);
    getsockopt(w->b.f.fd, IPPROTO_TCP, TCP_NODELAY, &on, &len);
    assert_int_equal(on, 1);
}

static void large_messages_pass_in_pieces(void **state)
{
    struct world *w = *state;
    uint8_t *big = tfl_alloc(MAX);
    int small = 64 * 1024;
    connect_both(w);
    setsockopt(w->a.f.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    for (int i = 0; i < 3; i++)
        tfl_framed_send(&w->a.f, big, MAX);
    assert_true(w->a.f.writing); /* more than the socket takes: the rest is queued */
    for (int i = 0; i < 10000 && w->b.n_messages < 3; i++)
        tfl_loop_turn(w->loop, true);
    assert_int_equal(w->b.n_bytes, 3 * (size_t)MAX);
    for (int i = 0; i < 100 && w->a.f.writing; i++)
        tfl_loop_turn(w->loop, true);
    assert_false(w->a.f.writing);
    assert_null(w->a.f.out.data); /* and nothing is held afterwards */
    free(big);
}

static void announced_sizes_are_bounded(void **state)
{
    struct world *w = *state;
    w->keep_accepted_fd = true;
    tfl_dialer_start(w->loop, &w->dialer);
    assert_true(until(w->loop, &w->up, 2000));
    uint8_t head[4];
    tfl_put_le(head, MAX + 1, 4);
    assert_int_equal(send(w->accepted_fd, head, 4, 0), 4);
    assert_true(until(w->loop, &w->a.closed, 2000));
    assert_int_equal(w->a.why.code, TFL_E_TOO_LARGE);
    assert_non_null(strstr(w->a.why.msg, "1048577"));
    tfl_framed_send(&w->a.f, "x", 1); /* over: does nothing */
    close(w->accepted_fd);
}

static void a_peer_that_does_not_read_is_dropped(void **state)
{
    struct world *w = *state;
    uint8_t *big = tfl_alloc(MAX);
    w->keep_accepted_fd = true;
    tfl_dialer_start(w->loop, &w->dialer);
    assert_true(until(w->loop, &w->up, 2000));
    while (w->a.f.fd <= 0)
        tfl_loop_turn(w->loop, true);
    for (int i = 0; i < 20; i++)
        tfl_framed_send(&w->a.f, big, MAX);
    assert_false(w->a.closed); /* never inside send */
    assert_true(until(w->loop, &w->a.closed, 2000));
    assert_int_equal(w->a.why.code, TFL_E_TOO_LARGE);
    close(w->accepted_fd);
    free(big);
}

static void a_stream_may_be_closed_inside_its_message(void **state)
{
    struct world *w = *state;
    connect_both(w);
    w->b.close_on_message = true;
    tfl_framed_send(&w->a.f, "one", 3);
    tfl_framed_send(&w->a.f, "two", 3);
    assert_true(until(w->loop, &w->a.closed, 2000));
    assert_int_equal(w->b.n_messages, 1);
    assert_false(w->b.closed); /* who closes is not told */
    assert_int_equal(w->a.why.code, TFL_E_CONNECT);
}

static void the_dialler_keeps_trying_with_growing_pauses(void **state)
{
    struct world *w = *state;
    int64_t start = tfl_now(w->loop);
    struct tfl_addr addr = w->listener.addr;
    tfl_listener_stop(&w->listener);
    tfl_dialer_start(w->loop, &w->dialer);
    while (w->n_failed < 4) /* at 0, 50, 150 and 350 ms */
        tfl_loop_turn(w->loop, true);
    int64_t took = tfl_now(w->loop) - start;
    assert_true(took >= 350 * TFL_MS && took < 1400 * TFL_MS);
    assert_int_equal(w->err.code, TFL_E_CONNECT);
    char text[TFL_ADDR_TEXT];
    assert_non_null(strstr(w->err.msg, tfl_addr_text(&addr, text)));
    assert_int_equal(tfl_listener_start(w->loop, &w->listener, &addr, accepted, NULL), 0);
    assert_true(until(w->loop, &w->up, 1000));
    assert_int_equal(w->n_accepted, 1);
}

static void a_peer_that_hangs_up_is_not_dialled_in_a_spin(void **state)
{
    struct world *w = *state;
    int64_t start = tfl_now(w->loop);
    for (int i = 0; i < 5; i++) { /* at 0, 50, 150, 350, 750 ms */
        w->up = false;
        connect_both(w);
        tfl_framed_close(&w->a.f);
        tfl_framed_close(&w->b.f);
        w->a.f.fd = 0;
        w->n_accepted = 0;
    }
    assert_true(tfl_now(w->loop) - start >= 750 * TFL_MS);
    tfl_dialer_reset(&w->dialer);
    start = tfl_now(w->loop);
    w->up = false;
    connect_both(w);
    assert_true(tfl_now(w->loop) - start < 400 * TFL_MS); /* without the reset: 500 */
}

static void names_are_looked_up_beside_the_loop(void **state)
{
    struct world *w = *state;
    uint16_t port = w->listener.addr.port;
    assert_int_equal(tfl_addr_make(&w->dialer.addr, "localhost", port, NULL), 0);
    assert_int_equal(w->dialer.addr.kind, TFL_ADDR_NAME);
    tfl_dialer_start(w->loop, &w->dialer);
    assert_true(until(w->loop, &w->up, 3000));
    tfl_framed_close(&w->a.f);
    assert_int_equal(tfl_addr_make(&w->dialer.addr, "no-such-host.invalid", port, NULL), 0);
    w->failed = false;
    tfl_dialer_start(w->loop, &w->dialer);
    assert_true(until(w->loop, &w->failed, 8000));
    assert_non_null(strstr(w->err.msg, "no-such-host.invalid"));
    tfl_dialer_stop(&w->dialer); /* while the next lookup may be on its way */
    pass(w->loop, 50);
}

static void a_taken_port_is_named(void **state)
{
    struct world *w = *state;
    struct tfl_listener second = {0};
    struct tfl_error err;
    char text[TFL_ADDR_TEXT];
    assert_int_equal(tfl_listener_start(w->loop, &second, &w->listener.addr, accepted, &err), -1);
    assert_int_equal(err.code, TFL_E_CONNECT);
    assert_non_null(strstr(err.msg, tfl_addr_text(&w->listener.addr, text)));
    assert_non_null(strstr(err.msg, strerror(EADDRINUSE)));
    struct tfl_addr name;
    assert_int_equal(tfl_addr_make(&name, "localhost", 0, NULL), 0);
    assert_int_equal(tfl_listener_start(w->loop, &second, &name, accepted, &err), -1);
}

/* Out of descriptors, the listener must neither spin nor be lost. */
static void out_of_descriptors_is_survived(void **state)
{
    struct world *w = *state;
    struct rlimit old, tight;
    w->keep_accepted_fd = true;
    int client = connect_plain(&w->listener.addr);
    getrlimit(RLIMIT_NOFILE, &old);
    tight = old;
    int lowest = dup(client);
    close(lowest);
    tight.rlim_cur = (rlim_t)lowest;
    setrlimit(RLIMIT_NOFILE, &tight);
    int64_t start = tfl_now(w->loop);
    int turns = 0;
    for (; tfl_now(w->loop) - start < 250 * TFL_MS; turns++)
        tfl_loop_turn(w->loop, w->listener.pause.slot != 0);
    setrlimit(RLIMIT_NOFILE, &old);
    assert_true(turns < 20);
    assert_false(w->up);
    assert_true(until(w->loop, &w->up, 1000));
    close(client);
    close(w->accepted_fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read_and_written),
        cmocka_unit_test_setup_teardown(messages_keep_order_and_borders, setup, teardown),
        cmocka_unit_test_setup_teardown(large_messages_pass_in_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(announced_sizes_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(a_peer_that_does_not_read_is_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stream_may_be_closed_inside_its_message, setup, teardown),
        cmocka_unit_test_setup_teardown(the_dialler_keeps_trying_with_growing_pauses, setup, teardown),
        cmocka_unit_test_setup_teardown(a_peer_that_hangs_up_is_not_dialled_in_a_spin, setup, teardown),
        cmocka_unit_test_setup_teardown(names_are_looked_up_beside_the_loop, setup, teardown),
        cmocka_unit_test_setup_teardown(a_taken_port_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(out_of_descriptors_is_survived, setup, teardown),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
