/* How connections through a relay begin and end under its policy. */
#include "relay_world.h"

static const struct tfl_relay_policy OPEN, CUT = {.cut = true};

/* What the listener says still reaches the dialer's host, which answers that nobody is there: that answer is cut. */
static void a_one_way_cut_hides_a_reset(void **state)
{
    struct relay_world *w = *state;
    char byte;
    link_up(w);
    tfl_relay_shape(w->relay, TFL_RELAY_FORWARD, &CUT);
    say(w->dialer, "unheard");
    pass(w->loop, 5);
    reset_now(&w->dialer);
    for (int i = 0; i < 5; i++) {
        say(w->taken, "are you there?");
        assert_int_equal(hear(w, w->taken, &byte, 1, 20), -2);
    }
    assert_int_equal(tfl_relay_counts(w->relay, TFL_RELAY_FORWARD).withheld, 7);
    tfl_relay_shape(w->relay, TFL_RELAY_FORWARD, &OPEN);
    assert_int_equal(hear(w, w->taken, &byte, 1, 2000), -1);
}

/* A connection that ends by the way that is open: what the other way had withheld stays counted. */
static void withheld_bytes_are_counted_once_and_for_all(void **state)
{
    struct relay_world *w = *state;
    char byte;
    link_up(w);
    tfl_relay_shape(w->relay, TFL_RELAY_FORWARD, &CUT);
    say(w->dialer, "four");
    pass(w->loop, 5);
    assert_int_equal(tfl_relay_counts(w->relay, TFL_RELAY_FORWARD).withheld, 4);
    reset_now(&w->taken);
    assert_int_equal(hear(w, w->dialer, &byte, 1, 2000), -1);
    assert_int_equal(tfl_relay_open(w->relay), 0);
    assert_int_equal(tfl_relay_counts(w->relay, TFL_RELAY_FORWARD).withheld, 4);
    tfl_relay_shape(w->relay, TFL_RELAY_FORWARD, &OPEN);
    assert_int_equal(tfl_relay_counts(w->relay, TFL_RELAY_FORWARD).withheld, 4);
}

/* Dialled while cut, and not even taken by the relay when the cut ends. */
static void a_dial_that_waits_at_heal_is_dropped(void **state)
{
    struct relay_world *w = *state;
    char byte;
    shape_both(w, &CUT);
    w->dialer = dial_port(w->listen);
    say(w->dialer, "sent while cut");
    shape_both(w, &OPEN);
    assert_int_equal(hear(w, w->dialer, &byte, 1, 2000), -1);
    assert_int_equal(take_connection(w, 50), -1);
    assert_int_equal(tfl_relay_counts(w->relay, TFL_RELAY_FORWARD).refused, 1);
    assert_int_equal(tfl_relay_counts(w->relay, TFL_RELAY_FORWARD).withheld, 14);
}

/* The relay has dialled, the listener's host has answered, the relay does not know yet. */
static void a_connection_cut_at_birth_stays_silent(void **state)
{
    struct relay_world *w = *state;
    char byte;
    w->dialer = dial_port(w->listen);
    say(w->dialer, "hello");
    int64_t end = tfl_now(w->loop) + 2000 * TFL_MS;
    while (!tfl_relay_open(w->relay) && tfl_now(w->loop) < end)
        tfl_loop_turn(w->loop, false);
    shape_both(w, &CUT);
    w->taken = take_connection(w, 100);
    assert_true(w->taken >= 0);
    assert_int_equal(hear(w, w->taken, &byte, 1, 50), -2);
    assert_int_equal(hear(w, w->dialer, &byte, 1, 20), -2);
    assert_int_equal(tfl_relay_counts(w->relay, TFL_RELAY_FORWARD).withheld, 5);
    shape_both(w, &OPEN);
    assert_int_equal(hear(w, w->taken, &byte, 1, 2000), -1);
    assert_int_equal(hear(w, w->dialer, &byte, 1, 2000), -1);
}

static void the_end_of_a_connection_waits_its_turn(void **state)
{
    struct relay_world *w = *state;
    struct tfl_relay_policy slow = {.latency_ns = 60 * TFL_MS};
    char byte;
    for (int i = 0; i < 2; i++) { /* an end, a reset */
        link_up(w);
        shape_both(w, &slow);
        int64_t from = tfl_now(w->loop);
        say(w->dialer, "last words");
        pass(w->loop, 5);
        if (i)
            reset_now(&w->dialer);
        else
            shutdown(w->dialer, SHUT_WR);
        expect_text(w, w->taken, "last words");
        assert_int_equal(hear(w, w->taken, &byte, 1, 2000), i ? -1 : 0);
        assert_true(tfl_now(w->loop) - from >= 60 * TFL_MS);
        if (!i)
            reset_now(&w->dialer);
        close(w->taken);
        w->taken = -1;
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, relay_setup, relay_teardown)
    const struct CMUnitTest tests[] = {TEST(a_one_way_cut_hides_a_reset),
        TEST(withheld_bytes_are_counted_once_and_for_all), TEST(a_dial_that_waits_at_heal_is_dropped),
        TEST(a_connection_cut_at_birth_stays_silent), TEST(the_end_of_a_connection_waits_its_turn)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
