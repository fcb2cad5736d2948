#include "support.h"

#include "base/rng.h"

static struct tfl_loop *loop;

static int virtual_loop(void **state)
{
    (void)state;
    journal[0] = '\0';
    loop = tfl_loop_new_virtual(1000 * TFL_S);
    return 0;
}

static int real_loop(void **state)
{
    struct tfl_error err;
    (void)state;
    journal[0] = '\0';
    loop = tfl_loop_new(&err);
    return loop ? 0 : -1;
}

static int free_loop(void **state)
{
    (void)state;
    tfl_loop_free(loop);
    return 0;
}

static const bool never = false;

static void virtual_time_jumps_to_the_next_deadline(void **state)
{
    (void)state;
    struct mark a = {.letter = 'a'}, b = {.letter = 'b'}, c = {.letter = 'c'};
    assert_true(tfl_loop_is_virtual(loop));
    assert_true(tfl_now(loop) == 0 && tfl_wall_now(loop) == 1000 * TFL_S);
    tfl_timer_start(loop, &b.timer, 2 * TFL_S, timer_marks);
    tfl_timer_start(loop, &c.timer, 3600 * TFL_S, timer_marks);
    tfl_timer_start(loop, &a.timer, TFL_S, timer_marks);
    assert_true(tfl_loop_turn(loop, false));
    assert_true(tfl_now(loop) == 0); /* only looked */
    assert_true(tfl_loop_turn(loop, true));
    assert_true(tfl_now(loop) == TFL_S && tfl_wall_now(loop) == 1001 * TFL_S);
    assert_string_equal(journal, "");
    tfl_loop_run(loop, &never);
    assert_string_equal(journal, "abc");
    assert_true(tfl_now(loop) == 3600 * TFL_S);
    assert_false(tfl_loop_turn(loop, true));
    assert_true(tfl_loop_take_lag(loop) == 0);
}

static void one_deadline_fires_in_the_order_of_starting(void **state)
{
    (void)state;
    struct mark marks[20];
    memset(marks, 0, sizeof marks);
    for (int i = 0; i < 20; i++) {
        marks[i].letter = (char)('a' + i);
        tfl_timer_start(loop, &marks[i].timer, TFL_S, timer_marks);
    }
    tfl_timer_start(loop, &marks[3].timer, TFL_S, timer_marks); /* restarted: now the last */
    tfl_timer_stop(loop, &marks[0].timer);
    tfl_timer_stop(loop, &marks[0].timer);
    assert_false(tfl_timer_started(&marks[0].timer));
    tfl_loop_run(loop, &never);
    assert_string_equal(journal, "bcefghijklmnopqrstd");
}

static uint64_t fired;
static int64_t last_at;
static struct tfl_rng rng;
static struct tfl_timer many[500];

static void in_order(struct tfl_timer *timer)
{
    assert_true(timer->at >= last_at && tfl_now(loop) == timer->at);
    assert_false(tfl_timer_started(timer));
    last_at = timer->at;
    fired++;
    tfl_timer_stop(loop, &many[tfl_rng_below(&rng, TFL_LEN(many))]);
    if (fired < 20000) {
        struct tfl_timer *other = &many[tfl_rng_below(&rng, TFL_LEN(many))];
        tfl_timer_start(loop, other, tfl_now(loop) + (int64_t)tfl_rng_below(&rng, 1000), in_order);
        tfl_timer_start(loop, timer, tfl_now(loop) + (int64_t)tfl_rng_below(&rng, 1000), in_order);
    }
}

static void stays_in_order_under_random_starts_and_stops(void **state)
{
    (void)state;
    fired = 0;
    last_at = 0;
    memset(many, 0, sizeof many);
    tfl_rng_init(&rng, 5, "timers");
    for (size_t i = 0; i < TFL_LEN(many); i++)
        tfl_timer_start(loop, &many[i], (int64_t)tfl_rng_below(&rng, 1000), in_order);
    tfl_loop_run(loop, &never);
    assert_true(fired >= 20000);
    for (size_t i = 0; i < TFL_LEN(many); i++)
        assert_false(tfl_timer_started(&many[i]));
}

static int restarts;
static void restarts_in_the_past(struct tfl_timer *timer)
{
    if (++restarts < 50)
        tfl_timer_start(loop, timer, 0, restarts_in_the_past);
}

/* A timer that restarts itself with a deadline long over must not keep others that are due from firing. */
static void the_past_does_not_starve_the_due(void **state)
{
    (void)state;
    struct tfl_timer busy = {0};
    struct mark due = {.letter = 'd'};
    restarts = 0;
    tfl_timer_start(loop, &due.timer, TFL_MS, timer_marks);
    while (tfl_now(loop) < TFL_MS)
        tfl_loop_turn(loop, true);
    tfl_timer_stop(loop, &due.timer);
    tfl_timer_start(loop, &busy, 0, restarts_in_the_past);
    tfl_timer_start(loop, &due.timer, TFL_MS, timer_marks);
    for (int i = 0; i < 3; i++)
        tfl_loop_turn(loop, false);
    assert_string_equal(journal, "d");
    assert_in_range(restarts, 1, 3); /* and once a turn is enough */
    tfl_timer_stop(loop, &busy);
}

static void restarts_itself(struct tfl_timer *timer)
{
    timer_marks(timer);
    struct mark *m = TFL_CONTAINER(timer, struct mark, timer);
    if (strlen(journal) < 4)
        tfl_timer_start(loop, &m->timer, timer->at + TFL_S, restarts_itself);
}

static void a_timer_may_restart_itself(void **state)
{
    (void)state;
    struct mark m = {.letter = 'm'};
    tfl_timer_start(loop, &m.timer, TFL_S, restarts_itself);
    tfl_loop_run(loop, &never);
    assert_string_equal(journal, "mmmm");
    assert_true(tfl_now(loop) == 4 * TFL_S);
}

static void frees_itself(struct tfl_timer *timer)
{
    timer_marks(timer);
    free(TFL_CONTAINER(timer, struct mark, timer));
}

static void a_timer_may_free_itself(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct mark *m = tfl_alloc(sizeof *m);
        m->letter = 'f';
        tfl_timer_start(loop, &m->timer, i, frees_itself);
    }
    tfl_loop_run(loop, &never);
    assert_string_equal(journal, "fff");
}

static struct mark *other;
static void stops_the_other(struct tfl_timer *timer)
{
    timer_marks(timer);
    tfl_timer_stop(loop, &other->timer);
}

static void a_timer_stopped_by_one_with_its_deadline_does_not_fire(void **state)
{
    (void)state;
    struct mark a = {.letter = 'a'}, b = {.letter = 'b'};
    other = &b;
    tfl_timer_start(loop, &a.timer, TFL_S, stops_the_other);
    tfl_timer_start(loop, &b.timer, TFL_S, timer_marks);
    tfl_loop_run(loop, &never);
    assert_string_equal(journal, "a");
}

static void a_timer_without_end_never_fires(void **state)
{
    (void)state;
    struct mark a = {.letter = 'a'};
    tfl_timer_start(loop, &a.timer, TFL_NEVER, timer_marks);
    tfl_loop_run(loop, &never);
    assert_string_equal(journal, "");
    assert_true(tfl_timer_started(&a.timer));
}

static struct mark *third;
static void defers_more(struct tfl_defer *defer)
{
    defer_marks(defer);
    tfl_defer_start(loop, defer, defers_more);         /* waits for the next turn */
    tfl_defer_stop(loop, &other->defer);               /* was due in this one */
    tfl_defer_start(loop, &third->defer, defer_marks); /* is there already */
}

static void deferred_calls_run_once_in_the_next_turn(void **state)
{
    (void)state;
    struct mark a = {.letter = 'a'}, b = {.letter = 'b'}, c = {.letter = 'c'};
    other = &b;
    third = &c;
    tfl_defer_start(loop, &a.defer, defers_more);
    tfl_defer_start(loop, &a.defer, defer_marks); /* started: this changes nothing */
    tfl_defer_start(loop, &b.defer, defer_marks);
    tfl_defer_start(loop, &c.defer, defer_marks);
    assert_string_equal(journal, "");
    assert_true(tfl_loop_turn(loop, true));
    assert_string_equal(journal, "ac");
    tfl_loop_turn(loop, true);
    assert_string_equal(journal, "aca"); /* c was started again by this turn: it is due in the next */
    tfl_defer_stop(loop, &a.defer);
    tfl_defer_stop(loop, &c.defer);
    assert_false(tfl_loop_turn(loop, true));
}

static void the_real_clock_is_on_time(void **state)
{
    (void)state;
    struct mark a = {.letter = 'a'}, b = {.letter = 'b'}, past = {.letter = 'p'};
    int64_t start = tfl_now(loop);
    assert_false(tfl_loop_is_virtual(loop));
    tfl_timer_start(loop, &b.timer, start + 30 * TFL_MS, timer_marks);
    tfl_timer_start(loop, &a.timer, start + 10 * TFL_MS, timer_marks);
    tfl_timer_start(loop, &past.timer, 0, timer_marks);
    tfl_loop_turn(loop, false);
    assert_string_equal(journal, "p");
    /* a deadline that was over when the timer was started says nothing about the host */
    assert_true(tfl_loop_take_lag(loop) < TFL_S);
    tfl_loop_run(loop, &never);
    assert_string_equal(journal, "pab");
    assert_true(tfl_now(loop) >= start + 30 * TFL_MS);
}

static void wait_busily(struct tfl_timer *timer)
{
    int64_t until = tfl_now(loop) + 20 * TFL_MS;
    (void)timer;
    while (tfl_now(loop) < until)
        continue;
}

static void a_hogged_turn_shows_as_lag(void **state)
{
    (void)state;
    struct mark late = {.letter = 'l'};
    struct tfl_timer hog = {0};
    int64_t now = tfl_now(loop);
    tfl_timer_start(loop, &hog, now, wait_busily);
    tfl_timer_start(loop, &late.timer, now + TFL_MS, timer_marks);
    tfl_loop_run(loop, &never);
    assert_true(tfl_loop_take_lag(loop) >= 15 * TFL_MS);
    assert_true(tfl_loop_take_lag(loop) == 0);
}

static void an_earlier_timer_rearms_the_real_clock(void **state)
{
    (void)state;
    struct mark a = {.letter = 'a'}, b = {.letter = 'b'};
    int64_t start = tfl_now(loop);
    tfl_timer_start(loop, &a.timer, start + 3600 * TFL_S, timer_marks);
    tfl_timer_start(loop, &b.timer, start + TFL_MS, timer_marks);
    while (!journal[0])
        tfl_loop_turn(loop, true);
    assert_string_equal(journal, "b");
    tfl_timer_stop(loop, &a.timer);
    assert_false(tfl_loop_turn(loop, true)); /* nothing left: it does not sleep for an hour */
}

#define VIRTUAL(f) cmocka_unit_test_setup_teardown(f, virtual_loop, free_loop)
#define REAL(f) cmocka_unit_test_setup_teardown(f, real_loop, free_loop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIRTUAL(virtual_time_jumps_to_the_next_deadline),
        VIRTUAL(one_deadline_fires_in_the_order_of_starting),
        VIRTUAL(stays_in_order_under_random_starts_and_stops),
        VIRTUAL(the_past_does_not_starve_the_due),
        VIRTUAL(a_timer_may_restart_itself),
        VIRTUAL(a_timer_may_free_itself),
        VIRTUAL(a_timer_stopped_by_one_with_its_deadline_does_not_fire),
        VIRTUAL(a_timer_without_end_never_fires),
        VIRTUAL(deferred_calls_run_once_in_the_next_turn),
        REAL(the_past_does_not_starve_the_due),
        REAL(a_timer_may_free_itself),
        REAL(a_timer_stopped_by_one_with_its_deadline_does_not_fire),
        REAL(deferred_calls_run_once_in_the_next_turn),
        REAL(the_real_clock_is_on_time),
        REAL(a_hogged_turn_shows_as_lag),
        REAL(an_earlier_timer_rearms_the_real_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
