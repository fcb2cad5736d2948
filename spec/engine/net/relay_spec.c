/* The relay in a link, with plain sockets at both ends. */
#include "relay_world.h"

static const struct tfl_relay_policy OPEN, CUT = {.cut = true};

static void passes_both_ways_and_half_closes(void **state)
{
    struct relay_world *w = *state;
    char byte;
    link_up(w);
    say(w->dialer, "hello");
    expect_text(w, w->taken, "hello");
    say(w->taken, "answer");
    expect_text(w, w->dialer, "answer");
    shutdown(w->dialer, SHUT_WR);
    assert_int_equal(hear(w, w->taken, &byte, 1, 2000), 0);
    say(w->taken, "late");
    expect_text(w, w->dialer, "late");
    assert_int_equal(tfl_relay_open(w->relay), 1);
    close(w->taken);
    w->taken = -1;
    assert_int_equal(hear(w, w->dialer, &byte, 1, 2000), 0);
    pass(w->loop, 5);
    assert_int_equal(tfl_relay_open(w->relay), 0);
    struct tfl_relay_counts counts = tfl_relay_counts(w->relay, TFL_RELAY_FORWARD);
    assert_int_equal(counts.bytes, 5);
    assert_int_equal(counts.connections, 1);
    assert_int_equal(counts.delayed + counts.withheld + counts.refused, 0);
}

static void a_reset_passes(void **state)
{
    struct relay_world *w = *state;
    char byte;
    link_up(w);
    reset_now(&w->taken);
    assert_int_equal(hear(w, w->dialer, &byte, 1, 2000), -1);
}

static void nobody_listens_is_a_reset(void **state)
{
    struct relay_world *w = *state;
    char byte;
    close(w->listener);
    w->listener = -1;
    w->dialer = dial_port(w->listen);
    assert_int_equal(hear(w, w->dialer, &byte, 1, 2000), -1);
    assert_int_equal(tfl_relay_counts(w->relay, TFL_RELAY_FORWARD).connections, 0);
}

static void a_cut_leaks_nothing_and_its_end_drops_all(void **state)
{
    struct relay_world *w = *state;
    char byte;
    link_up(w);
    shape_both(w, &CUT);
    say(w->dialer, "secret");
    say(w->taken, "more");
    assert_int_equal(hear(w, w->taken, &byte, 1, 100), -2);
    assert_int_equal(hear(w, w->dialer, &byte, 1, 20), -2);
    assert_int_equal(tfl_relay_counts(w->relay, TFL_RELAY_FORWARD).withheld, 6);
    assert_int_equal(tfl_relay_counts(w->relay, TFL_RELAY_BACK).withheld, 4);
    shape_both(w, &OPEN);
    assert_int_equal(hear(w, w->taken, &byte, 1, 2000), -1);
    assert_int_equal(hear(w, w->dialer, &byte, 1, 2000), -1);
    assert_int_equal(tfl_relay_counts(w->relay, TFL_RELAY_FORWARD).withheld, 6);
    assert_int_equal(tfl_relay_counts(w->relay, TFL_RELAY_FORWARD).bytes, 0);
    close(w->dialer);
    close(w->taken);
    link_up(w);
    say(w->dialer, "new");
    expect_text(w, w->taken, "new");
}

static void a_cut_hides_the_end_of_a_connection(void **state)
{
    struct relay_world *w = *state;
    char byte;
    link_up(w);
    shape_both(w, &CUT);
    close(w->dialer);
    w->dialer = -1;
    assert_int_equal(hear(w, w->taken, &byte, 1, 150), -2);
    shape_both(w, &OPEN);
    assert_int_equal(hear(w, w->taken, &byte, 1, 2000), -1);
}

static void dials_during_a_cut_are_held_and_counted(void **state)
{
    struct relay_world *w = *state;
    char byte;
    tfl_relay_shape(w->relay, TFL_RELAY_BACK, &CUT);
    w->dialer = dial_port(w->listen);
    say(w->dialer, "anybody?");
    assert_int_equal(take_connection(w, 100), -1);
    assert_int_equal(hear(w, w->dialer, &byte, 1, 20), -2);
    struct tfl_relay_counts counts = tfl_relay_counts(w->relay, TFL_RELAY_FORWARD);
    assert_int_equal(counts.refused, 1);
    assert_int_equal(counts.connections, 0);
    tfl_relay_shape(w->relay, TFL_RELAY_BACK, &OPEN);
    assert_int_equal(hear(w, w->dialer, &byte, 1, 2000), -1);
    assert_int_equal(take_connection(w, 50), -1);
}

static void held_dials_are_bounded(void **state)
{
    struct relay_world *w = *state;
    int fds[80];
    char byte;
    shape_both(w, &CUT);
    for (size_t i = 0; i < TFL_LEN(fds); i++) {
        fds[i] = dial_port(w->listen);
        pass(w->loop, 1);
    }
    pass(w->loop, 20);
    assert_int_equal(tfl_relay_counts(w->relay, TFL_RELAY_FORWARD).refused, TFL_LEN(fds));
    assert_int_equal(hear(w, fds[0], &byte, 1, 200), -1);
    assert_int_equal(hear(w, fds[79], &byte, 1, 20), -2);
    for (size_t i = 0; i < TFL_LEN(fds); i++)
        close(fds[i]);
}

static void a_one_way_cut_stops_one_way(void **state)
{
    struct relay_world *w = *state;
    char byte;
    link_up(w);
    tfl_relay_shape(w->relay, TFL_RELAY_FORWARD, &CUT);
    say(w->dialer, "no");
    say(w->taken, "yes");
    expect_text(w, w->dialer, "yes");
    assert_int_equal(hear(w, w->taken, &byte, 1, 50), -2);
    int second = dial_port(w->listen);
    assert_int_equal(take_connection(w, 50), -1);
    close(second);
}

static void latency_is_kept_and_ends_at_once(void **state)
{
    struct relay_world *w = *state;
    struct tfl_relay_policy slow = {.latency_ns = 60 * TFL_MS, .jitter_ns = 10 * TFL_MS};
    char byte;
    link_up(w);
    shape_both(w, &slow);
    int64_t from = tfl_now(w->loop);
    say(w->dialer, "slow");
    expect_text(w, w->taken, "slow");
    assert_true(tfl_now(w->loop) - from >= 49 * TFL_MS);
    assert_int_equal(tfl_relay_counts(w->relay, TFL_RELAY_FORWARD).delayed, 4);
    slow.latency_ns = 30 * TFL_S;
    shape_both(w, &slow);
    say(w->dialer, "stuck");
    assert_int_equal(hear(w, w->taken, &byte, 1, 50), -2);
    shape_both(w, &OPEN);
    say(w->dialer, "+free");
    expect_text(w, w->taken, "stuck+free");
}

/* Sends n bytes that tell their place, and checks that they come in order. Gives the nanoseconds it took. */
static int64_t pour(struct relay_world *w, size_t n)
{
    static uint8_t out[4096], in[65536];
    size_t sent = 0, got = 0;
    int64_t from = tfl_now(w->loop);
    while (got < n) {
        assert_true(tfl_now(w->loop) - from < 60 * TFL_S);
        while (sent < n) {
            size_t part = n - sent < sizeof out ? n - sent : sizeof out;
            for (size_t i = 0; i < part; i++)
                out[i] = (uint8_t)((sent + i) * 2654435761u >> 13);
            ssize_t done = send(w->dialer, out, part, MSG_NOSIGNAL);
            if (done <= 0)
                break;
            sent += (size_t)done;
        }
        ssize_t some = recv(w->taken, in, sizeof in, 0);
        for (ssize_t i = 0; i < some; i++, got++)
            assert_int_equal(in[i], (uint8_t)(got * 2654435761u >> 13));
        if (some <= 0)
            pass(w->loop, 1);
    }
    return tfl_now(w->loop) - from;
}

static void bytes_keep_their_order_under_every_policy(void **state)
{
    struct relay_world *w = *state;
    struct tfl_relay_policy policies[] = {OPEN, {.latency_ns = 5 * TFL_MS, .jitter_ns = 5 * TFL_MS},
        {.loss = 0.01}, {.rate = 4000000}, {.latency_ns = 2 * TFL_MS, .loss = 0.005, .rate = 8000000}};
    link_up(w);
    for (size_t i = 0; i < TFL_LEN(policies); i++) {
        shape_both(w, &policies[i]);
        pour(w, i == 0 ? 8000000 : 400000);
    }
    shape_both(w, &OPEN);
    pour(w, 3000000);
}

static void rate_is_kept(void **state)
{
    struct relay_world *w = *state;
    struct tfl_relay_policy narrow = {.rate = 1000000};
    link_up(w);
    shape_both(w, &narrow);
    int64_t took = pour(w, 400000);
    assert_true(took >= 390 * TFL_MS);
}

static void what_waits_is_bounded(void **state)
{
    struct relay_world *w = *state;
    struct tfl_relay_policy stuck = {.latency_ns = 3600 * TFL_S};
    static char block[65536];
    size_t sent = 0;
    link_up(w);
    shape_both(w, &stuck);
    for (int quiet = 0; quiet < 20;) {
        ssize_t n = send(w->dialer, block, sizeof block, MSG_NOSIGNAL);
        if (n > 0)
            sent += (size_t)n;
        quiet = n > 0 ? 0 : quiet + 1;
        pass(w->loop, 2);
    }
    assert_true(tfl_relay_counts(w->relay, TFL_RELAY_FORWARD).delayed <= (1 << 20) + 65536);
    assert_true(sent < 64 << 20);
}

/* When each of n single bytes arrived under loss, in units of 200 ms of the relay's own waiting. */
static void draws(struct relay_world *w, char *out, size_t n)
{
    struct tfl_relay_policy lossy = {.loss = 0.3};
    char byte = 'x';
    link_up(w);
    shape_both(w, &lossy);
    for (size_t i = 0; i < n; i++) {
        uint64_t before = tfl_relay_counts(w->relay, TFL_RELAY_FORWARD).delayed;
        say(w->dialer, "x");
        pass(w->loop, 3);
        out[i] = tfl_relay_counts(w->relay, TFL_RELAY_FORWARD).delayed > before ? '1' : '0';
        shape_both(w, &OPEN); /* what waits comes at once */
        assert_int_equal(hear(w, w->taken, &byte, 1, 2000), 1);
        shape_both(w, &lossy);
    }
    out[n] = 0;
}

static void loss_is_drawn_from_the_seed(void **state)
{
    char first[41], second[41];
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct relay_world *w = relay_world();
        draws(w, i ? second : first, 40);
        relay_world_end(w);
    }
    assert_string_equal(first, second);
    assert_non_null(strchr(first, '1'));
    assert_non_null(strchr(first, '0'));
}

/* At 1,000 bytes a second it would take minutes; another policy than none is in force afterwards. */
static void a_rate_that_is_raised_holds_at_once(void **state)
{
    struct relay_world *w = *state;
    struct tfl_relay_policy narrow = {.rate = 1000}, wide = {.rate = 10000000, .latency_ns = TFL_MS};
    char got[4096];
    size_t sent = 0, n = 0;
    link_up(w);
    shape_both(w, &narrow);
    for (; sent < 200000; sent += sizeof got)
        if (send(w->dialer, got, sizeof got, MSG_NOSIGNAL) != sizeof got)
            break;
    pass(w->loop, 20);
    shape_both(w, &wide);
    say(w->dialer, "more");
    int64_t from = tfl_now(w->loop);
    while (n < sent + 4) {
        ssize_t some = hear(w, w->taken, got, sizeof got, 5000);
        assert_true(some > 0);
        n += (size_t)some;
    }
    assert_true(tfl_now(w->loop) - from < 10 * TFL_S);
}

static void a_taken_port_is_named(void **state)
{
    struct relay_world *w = *state;
    struct tfl_error err;
    struct tfl_relay_config config = {
        .loop = w->loop, .listen = w->target, .target = w->target, .name = "node-1/node-0"};
    assert_null(tfl_relay_new(&config, &err));
    assert_int_equal(err.code, TFL_E_CONNECT);
    assert_non_null(strstr(err.msg, "node-1/node-0"));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, relay_setup, relay_teardown)
    const struct CMUnitTest tests[] = {TEST(passes_both_ways_and_half_closes), TEST(a_reset_passes),
        TEST(nobody_listens_is_a_reset), TEST(a_cut_leaks_nothing_and_its_end_drops_all),
        TEST(a_cut_hides_the_end_of_a_connection), TEST(dials_during_a_cut_are_held_and_counted),
        TEST(held_dials_are_bounded), TEST(a_one_way_cut_stops_one_way),
        TEST(latency_is_kept_and_ends_at_once), TEST(bytes_keep_their_order_under_every_policy),
        TEST(rate_is_kept), TEST(what_waits_is_bounded), TEST(a_rate_that_is_raised_holds_at_once),
        cmocka_unit_test(loss_is_drawn_from_the_seed), TEST(a_taken_port_is_named)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
