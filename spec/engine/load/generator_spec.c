#include "load_world.h"

static struct tfl_stage ten_seconds = {10 * TFL_S, 100, 100};

static void arrivals_keep_their_times(void **state)
{
    (void)state;
    w->answer_ms = 5;
    begin((struct tfl_generator_params){.stages = &ten_seconds, .n_stages = 1});
    pass(20000);
    assert_int_equal(counts()->planned, 1000);
    assert_int_equal(counts()->accepted, 1000);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(w->posted_at[i], i * 10 * MS);
        assert_int_equal(rec((uint64_t)i)->intended_ns, i * 10 * MS);
        assert_int_equal(rec((uint64_t)i)->sent_us, 0);
        assert_int_equal(rec((uint64_t)i)->accepted_us, 5000);
    }
    assert_true(tfl_load_reached(w->load, TFL_LOAD_SENT));
    assert_false(tfl_load_reached(w->load, TFL_LOAD_INCLUDED));
    struct tfl_generator_figures f;
    tfl_generator_figures(w->load->generator, &f);
    assert_int_equal(f.due, 1000);
    assert_int_equal(f.late, 0);
    assert_int_equal(f.held, 0);
    assert_int_equal(tfl_histogram_quantile(f.lag, 1), 0);
    assert_int_equal(f.most_in_flight, 1);
    assert_int_equal(f.made, 1000);
}

/* 100 a second, each answered after a second, 50 at a time: the queue grows, nothing is skipped, and the account says so. */
static void slow_answers_move_no_arrival(void **state)
{
    (void)state;
    w->answer_ms = 1000;
    begin((struct tfl_generator_params){.stages = &ten_seconds, .n_stages = 1, .in_flight = 50});
    pass(10000);
    struct tfl_generator_figures f;
    tfl_generator_figures(w->load->generator, &f);
    assert_int_equal(f.due, 1000);
    assert_in_range(f.late, 900, 950); /* those not yet sent are late, too */
    assert_in_range(f.held, 900, 950);
    assert_false(tfl_load_reached(w->load, TFL_LOAD_SENT));
    pass(15000);
    assert_true(tfl_load_reached(w->load, TFL_LOAD_SENT));
    assert_int_equal(counts()->planned, 1000);
    assert_int_equal(counts()->accepted, 1000);
    assert_int_equal(w->most, 50);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(rec((uint64_t)i)->intended_ns, i * 10 * MS);
    assert_int_equal(rec(999)->sent_us, 19 * 1000000 + 490000 - 9990000);
}

static void targets_take_turns(void **state)
{
    (void)state;
    begin((struct tfl_generator_params){.stages = &ten_seconds, .n_stages = 1, .round_robin = true});
    pass(11000);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(w->targets[i], i % 3);
}

static void drawn_targets_follow_the_seed(void **state)
{
    (void)state;
    size_t n[3] = {0}, first[1000];
    begin((struct tfl_generator_params){.stages = &ten_seconds, .n_stages = 1, .seed = 42});
    pass(11000);
    for (size_t i = 0; i < 1000; i++)
        n[first[i] = w->targets[i]]++;
    for (size_t i = 0; i < 3; i++)
        assert_in_range(n[i], 270, 400);
    teardown(NULL);
    setup(NULL);
    begin((struct tfl_generator_params){.stages = &ten_seconds, .n_stages = 1, .seed = 42});
    pass(11000);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(w->targets[i], first[i]);
    teardown(NULL);
    setup(NULL);
    size_t same = 0;
    begin((struct tfl_generator_params){.stages = &ten_seconds, .n_stages = 1, .seed = 43});
    pass(11000);
    for (size_t i = 0; i < 1000; i++)
        same += w->targets[i] == first[i];
    assert_in_range(same, 200, 500);
}

static enum tfl_submit_answer dead_is_1(uint64_t i, size_t target, int try, bool *maybe)
{
    (void)i;
    (void)try;
    (void)maybe;
    return target == 1 ? TFL_SUBMIT_LATER : TFL_SUBMIT_ACCEPTED;
}

static void what_does_not_reach_one_node_goes_to_the_next(void **state)
{
    (void)state;
    w->says = dead_is_1;
    w->answer_ms = 1;
    begin((struct tfl_generator_params){.stages = &ten_seconds, .n_stages = 1, .round_robin = true});
    pass(11000);
    assert_int_equal(counts()->accepted, 1000);
    assert_int_equal(counts()->tries, 1000 + 333);
    for (uint64_t i = 0; i < 1000; i++) {
        assert_int_equal(rec(i)->target, i % 3 == 1 ? 2 : i % 3);
        assert_int_equal(rec(i)->accepted_us, i % 3 == 1 ? 2000 : 1000); /* at once */
    }
}

static enum tfl_submit_answer all_kinds(uint64_t i, size_t target, int try, bool *maybe)
{
    (void)target;
    *maybe = i % 4 == 3 && try == 2;
    if (i % 4 == 0)
        return TFL_SUBMIT_REJECTED;
    if (i % 4 == 1)
        return try < 6 ? TFL_SUBMIT_LATER : TFL_SUBMIT_ACCEPTED;
    return TFL_SUBMIT_LATER;
}

static void tries_have_an_end(void **state)
{
    struct tfl_stage stage = {TFL_S, 4, 4};
    (void)state;
    w->says = all_kinds;
    begin((struct tfl_generator_params){.stages = &stage, .n_stages = 1, .tries = 6, .n_targets = 2});
    pass(60000);
    assert_int_equal(rec(0)->answer, TFL_TX_REJECTED);
    assert_int_equal(rec(0)->tries, 1);
    assert_int_equal(rec(1)->answer, TFL_TX_ACCEPTED);
    assert_int_equal(rec(1)->tries, 6);
    assert_int_equal(rec(1)->accepted_us, 200000 + 800000); /* both nodes, 200 ms, both, 800 ms, both */
    assert_int_equal(rec(2)->answer, TFL_TX_REJECTED);      /* every node has said that it cannot */
    assert_int_equal(rec(3)->answer, TFL_TX_UNANSWERED);    /* one may have it */
    uint64_t n = 0;
    assert_string_equal(tfl_tracker_reason(w->load->tracker, rec(0)->reason, &n), "because");
    assert_int_equal(n, 3);
    assert_int_equal(w->dropped, 2); /* the wallet may spend again what surely nobody has */
    assert_true(tfl_load_reached(w->load, TFL_LOAD_SENT));
}

static enum tfl_submit_answer refuses_the_first(uint64_t i, size_t target, int try, bool *maybe)
{
    (void)target;
    (void)try;
    *maybe = false;
    return i == 0 ? TFL_SUBMIT_REJECTED : TFL_SUBMIT_ACCEPTED;
}

/* What was made ahead of its time, and built on one that is gone, would be accepted and could never be on the chain. */
static void what_was_made_ahead_on_one_that_is_gone_is_made_again(void **state)
{
    struct tfl_stage stage = {TFL_S, 10, 10};
    (void)state;
    w->says = refuses_the_first;
    w->chain = 5; /* 5 is built on 0; the others are not */
    w->answer_ms = 1;
    begin((struct tfl_generator_params){.stages = &stage, .n_stages = 1});
    pass(2000);
    assert_int_equal(counts()->rejected, 1);
    assert_int_equal(counts()->accepted, 9);
    assert_int_equal(w->makes, 11);
    assert_false(rec(5)->flags & TFL_TX_DROPPED);
}

static void what_cannot_be_made_is_rejected(void **state)
{
    struct tfl_stage stage = {TFL_S, 10, 10};
    (void)state;
    w->fails = 5;
    begin((struct tfl_generator_params){.stages = &stage, .n_stages = 1});
    pass(2000);
    assert_int_equal(counts()->planned, 10);
    assert_int_equal(counts()->rejected, 2);
    assert_int_equal(counts()->accepted, 8);
    assert_int_equal(counts()->sent, 8);
    assert_string_equal(tfl_tracker_reason(w->load->tracker, rec(5)->reason, NULL), "no note left");
    assert_true(tfl_load_reached(w->load, TFL_LOAD_SENT));
}

static void stop_ends_the_arrivals_and_finishes_the_queue(void **state)
{
    (void)state;
    w->answer_ms = 500;
    begin((struct tfl_generator_params){.stages = &ten_seconds, .n_stages = 1, .in_flight = 60});
    pass(995);
    tfl_generator_stop(w->load->generator);
    struct tfl_generator_figures f;
    tfl_generator_figures(w->load->generator, &f);
    assert_int_equal(f.due, 100);
    assert_int_equal(f.planned, 1000);
    assert_int_equal(w->dropped, 64); /* made ahead, never to be sent */
    pass(30000);
    assert_int_equal(counts()->planned, 100);
    assert_int_equal(counts()->accepted, 100);
    assert_true(tfl_load_reached(w->load, TFL_LOAD_SENT));
}

static void abort_gives_up_all_and_counts_it(void **state)
{
    (void)state;
    w->answer_ms = -1;
    begin((struct tfl_generator_params){.stages = &ten_seconds, .n_stages = 1, .in_flight = 10});
    pass(995);
    tfl_generator_abort(w->load->generator);
    assert_int_equal(counts()->planned, 100);
    assert_int_equal(counts()->unanswered, 10);
    assert_int_equal(counts()->sent, 10);
    assert_int_equal(rec(99)->answer, TFL_TX_PLANNED);
    assert_true(tfl_load_reached(w->load, TFL_LOAD_SENT));
    pass(10000);
    assert_int_equal(counts()->planned, 100);
}

static void an_endless_load_goes_on(void **state)
{
    struct tfl_stage stage = {TFL_PACER_ENDLESS, 10, 10};
    (void)state;
    begin((struct tfl_generator_params){.stages = &stage, .n_stages = 1});
    pass(60000);
    assert_int_equal(counts()->accepted, 601);
    assert_false(tfl_load_reached(w->load, TFL_LOAD_SENT));
    tfl_generator_stop(w->load->generator);
    pass(10);
    assert_true(tfl_load_reached(w->load, TFL_LOAD_SENT));
}

static void parameters_are_checked(void **state)
{
    struct tfl_error err = {0};
    struct tfl_generator_params p = {
        .stages = &ten_seconds, .n_stages = 1, .source = &w->source, .wire = &w->wire};
    (void)state;
    assert_null(tfl_load_new(w->loop, &p, NULL, NULL, NULL, &err));
    assert_non_null(strstr(err.msg, "at least one node"));
    p.n_targets = 1;
    p.in_flight = 5000;
    assert_null(tfl_load_new(w->loop, &p, NULL, NULL, NULL, &err));
    assert_non_null(strstr(err.msg, "at most 4096"));
    p.in_flight = 0;
    p.n_stages = 0;
    assert_null(tfl_load_new(w->loop, &p, NULL, NULL, NULL, &err));
    assert_int_equal(err.code, TFL_E_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SPEC(arrivals_keep_their_times),
        SPEC(slow_answers_move_no_arrival),
        SPEC(targets_take_turns),
        SPEC(drawn_targets_follow_the_seed),
        SPEC(what_does_not_reach_one_node_goes_to_the_next),
        SPEC(tries_have_an_end),
        SPEC(what_was_made_ahead_on_one_that_is_gone_is_made_again),
        SPEC(what_cannot_be_made_is_rejected),
        SPEC(stop_ends_the_arrivals_and_finishes_the_queue),
        SPEC(abort_gives_up_all_and_counts_it),
        SPEC(an_endless_load_goes_on),
        SPEC(parameters_are_checked),
    };
    return cmocka_run_group_tests_name("load.generator", tests, NULL, NULL);
}
