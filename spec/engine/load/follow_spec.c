#include "load_world.h"

#include <stdlib.h>

/* Ten a second for two seconds, accepted at once; then the spec tells the chain. */
static void load_twenty(struct tfl_generator_params params)
{
    static const struct tfl_stage stage = {2 * TFL_S, 10, 10};
    params.stages = &stage;
    params.n_stages = 1;
    tell(0, 1, 0, 0, 0, 0);
    begin(params);
    pass(3000);
    assert_int_equal(counts()->accepted, 20);
}

static void inclusion_and_finality_have_times(void **state)
{
    (void)state;
    load_twenty((struct tfl_generator_params){.recover_ms = -1});
    tell(0, 2, 1, 0, 0, 10);
    pass(100);
    assert_int_equal(counts()->included, 10);
    assert_int_equal(counts()->open, 10);
    assert_ptr_equal(rec(9)->block, tfl_graph_find(w->graph, &(struct tfl_hash){{0xff, 2}}));
    assert_int_equal(rec(9)->included_us, 3000000 - 900000);
    assert_int_equal(rec(10)->included_us, TFL_TX_NEVER);
    tell(0, 3, 2, 2, 10, 10);
    pass(1);
    assert_int_equal(counts()->included, 20);
    assert_int_equal(counts()->final, 10);
    assert_int_equal(w->settled, 10);
    assert_true(tfl_load_reached(w->load, TFL_LOAD_INCLUDED));
    assert_false(tfl_load_reached(w->load, TFL_LOAD_FINAL));
    tell(1, 3, 2, 3, 10, 10); /* final at any node */
    pass(1);
    assert_true(tfl_load_reached(w->load, TFL_LOAD_FINAL));
    assert_int_equal(rec(19)->final_us, 3101000 - 1900000);
    assert_int_equal(counts()->two_branches, 0); /* one block, told by two nodes */
}

static void a_fork_counts_once(void **state)
{
    (void)state;
    load_twenty((struct tfl_generator_params){.recover_ms = -1});
    tell(0, 2, 1, 0, 0, 10);
    tell(1, 12, 1, 0, 5, 10); /* the same height: not canonical */
    pass(1);
    assert_int_equal(counts()->included, 10);
    assert_int_equal(counts()->two_branches, 5);
    assert_int_equal(counts()->reorged, 0);
    pass(100);
    tell(1, 13, 12, 0, 15, 2); /* now it is the longer one */
    pass(1);
    assert_int_equal(counts()->included, 12);
    assert_int_equal(counts()->reorged, 10); /* the first branch is gone; five of its ten are in the other */
    assert_null(rec(0)->block);
    assert_true(rec(0)->flags & TFL_TX_REORGED);
    assert_int_equal(rec(0)->included_us, TFL_TX_NEVER);
    assert_int_equal(rec(5)->included_us, 3101000 - 500000); /* on the chain that stands since then */
    assert_true(rec(5)->flags & TFL_TX_TWO_BRANCHES);
    assert_false(rec(16)->flags & TFL_TX_TWO_BRANCHES);
    tell(1, 14, 13, 0, 0, 5);
    pass(1);
    assert_int_equal(counts()->included, 17);
    assert_int_equal(counts()->twice, 0);
}

static void twice_on_one_chain_is_told(void **state)
{
    (void)state;
    load_twenty((struct tfl_generator_params){.recover_ms = -1});
    tell(0, 2, 1, 0, 0, 10);
    tell(0, 3, 2, 0, 9, 2);
    pass(1);
    assert_int_equal(counts()->included, 11);
    assert_int_equal(counts()->twice, 1);
    assert_true(rec(9)->flags & TFL_TX_TWICE);
}

static void the_end_is_what_all_have_in_common(void **state)
{
    (void)state;
    load_twenty((struct tfl_generator_params){.recover_ms = -1});
    for (int i = 0; i < 3; i++)
        tell(i, 2, 1, 0, 0, 10);
    tell(2, 3, 2, 0, 10, 10);
    pass(1);
    assert_int_equal(counts()->included, 20);
    assert_true(tfl_follow_settle(&w->load->follow));
    assert_int_equal(counts()->included, 10);
    assert_int_equal(counts()->reorged, 0); /* not gone, only not common yet */
    tell(0, 3, 2, 0, 10, 10);
    tell(1, 3, 2, 0, 10, 10);
    assert_true(tfl_follow_settle(&w->load->follow));
    assert_int_equal(counts()->included, 20);
    tfl_graph_session(w->graph, tfl_graph_add_node(w->graph, "node-3"), tfl_feed_now(w->feed));
    assert_false(tfl_follow_settle(&w->load->follow)); /* nobody knows where node-3 is */
}

static void what_came_with_the_history_counts(void **state)
{
    (void)state;
    static const struct tfl_stage stage = {2 * TFL_S, 10, 10};
    begin((struct tfl_generator_params){
        .stages = &stage, .n_stages = 1, .recover_ms = -1}); /* no tip known yet */
    pass(3000);
    struct tfl_hash txs[3] = {tx_hash(0), tx_hash(1), tx_hash(2)};
    struct tfl_block_head head = {
        .id = block_id(1), .parent = block_id(0), .slot = 1, .n_txs = 3, .txs = txs};
    tfl_graph_block(w->graph, 0, &head, false, tfl_feed_now(w->feed));
    tell(0, 2, 1, 1, 3, 3);
    pass(1);
    assert_int_equal(counts()->included, 6);
    assert_int_equal(counts()->final, 3);
}

/* More events than the window holds between two looks: nothing is lost but the account of forks. */
static void a_flood_of_events_is_caught_up_with(void **state)
{
    (void)state;
    tfl_feed_unref(w->feed);
    struct tfl_feed_params params = {.graph.genesis = {{0xff, 0}}, .graph.window = 8};
    w->feed = tfl_feed_new(w->loop, &params);
    w->graph = tfl_feed_graph(w->feed);
    tfl_graph_add_node(w->graph, "node-0");
    tfl_graph_session(w->graph, 0, tfl_feed_now(w->feed));
    load_twenty((struct tfl_generator_params){.recover_ms = -1});
    for (unsigned i = 2; i < 12; i++)
        tell(0, i, i - 1, i > 4 ? i - 3 : 0, 2 * (i - 2), 2);
    pass(1);
    assert_int_equal(counts()->included, 20);
    assert_int_equal(counts()->final, 14);
}

/* ---- wallets learn what is lost */

static void overtaken_for_long_is_given_up(void **state)
{
    static const struct tfl_stage stage = {60 * TFL_S, 1, 1};
    (void)state;
    w->chain = 10; /* every tenth transaction is of one wallet */
    tell(0, 1, 0, 0, 0, 0);
    begin((struct tfl_generator_params){.stages = &stage, .n_stages = 1, .recover_ms = 20000, .ahead = 1});
    for (unsigned i = 0; i < 60; i++) { /* all but transaction 3 and its descendants are in the next block */
        pass(1000);
        bool lost = i % 10 == 3 && i < 33;
        tell(0, i + 2, i + 1, i > 3 ? i - 2 : 0, i, lost ? 0 : 1);
    }
    pass(2000);
    assert_int_equal(counts()->included, 57);
    assert_int_equal(w->dropped, 1);
    assert_true(rec(3)->flags & TFL_TX_DROPPED);
    assert_false(rec(3)->flags & TFL_TX_AFTER_LOST);
    assert_true(rec(13)->flags & TFL_TX_AFTER_LOST);
    assert_true(rec(23)->flags & TFL_TX_AFTER_LOST);
    assert_false(rec(33)->flags & TFL_TX_AFTER_LOST); /* made after its wallet knew */
    assert_false(rec(4)->flags & TFL_TX_DROPPED);
}

static void a_standing_chain_loses_nothing(void **state)
{
    (void)state;
    load_twenty((struct tfl_generator_params){.recover_ms = 1000});
    pass(3600000);
    assert_int_equal(w->dropped, 0); /* nothing has overtaken anything */
}

/* ---- the account */

static struct tfl_load_report *report(struct tfl_load_report_params params)
{
    static struct tfl_load_report r;
    if (!params.end_ns)
        params.end_ns = tfl_load_now(w->load);
    tfl_load_report(w->load->tracker, &params, &r);
    assert_int_equal(r.planned, r.unsent + r.under_way + r.accepted + r.unanswered + r.rejected);
    assert_int_equal(r.accepted, r.accepted_included + r.pending + r.lost + r.expired + r.orphaned);
    return &r;
}

static enum tfl_submit_answer some_fail(uint64_t i, size_t target, int try, bool *maybe)
{
    (void)target;
    (void)try;
    *maybe = i == 1;
    return i == 0 ? TFL_SUBMIT_REJECTED : i == 1 ? TFL_SUBMIT_LATER : TFL_SUBMIT_ACCEPTED;
}

static void every_transaction_is_in_the_account(void **state)
{
    static const struct tfl_stage stage = {2 * TFL_S, 10, 10};
    (void)state;
    w->says = some_fail;
    tell(0, 1, 0, 0, 0, 0);
    begin((struct tfl_generator_params){.stages = &stage, .n_stages = 1, .tries = 1, .recover_ms = -1});
    pass(10000);
    for (int i = 0; i < 3; i++)
        tell(i, 2, 1, 1, 1, 9); /* 1 to 9: also the one that nobody has answered for */
    tell(0, 3, 2, 1, 10, 5);
    pass(1);
    tfl_follow_settle(&w->load->follow);
    struct tfl_load_report *r =
        report((struct tfl_load_report_params){.allowance_ns = 8650 * MS, .max_list = 3});
    assert_int_equal(r->planned, 20);
    assert_int_equal(r->rejected, 1);
    assert_int_equal(r->unanswered, 1);
    assert_int_equal(r->accepted, 18);
    assert_int_equal(r->accepted_included, 8);
    assert_int_equal(r->included, 9);
    assert_int_equal(r->pending, 6); /* accepted after 1.35 s */
    assert_int_equal(r->lost, 4);
    assert_int_equal(r->n_lost_list, 3);
    assert_int_equal(r->lost_list[0], 10);
    assert_int_equal(r->lost_list[2], 12);
    assert_int_equal(r->to_accepted.n, 18);
    assert_int_equal(r->to_included.n, 9);
    assert_int_equal(r->to_included.max, 9900 * MS);
    tfl_load_report_done(r);
    r = report((struct tfl_load_report_params){.ttl_ns = 8750 * MS, .max_list = 100});
    assert_int_equal(r->expired, 3); /* 10, 11, 12 */
    assert_int_equal(r->lost, 7);
    assert_int_equal(r->n_lost_list, 7);
    tfl_load_report_done(r);
}

static void a_million_fit(void **state)
{
    struct tfl_tracker *t = tfl_tracker_new();
    (void)state;
    for (uint64_t i = 0; i < 200000; i++) {
        struct tfl_hash h = tx_hash(i);
        assert_int_equal(tfl_tracker_plan(t, (int64_t)i, &h, NULL), i);
    }
    for (uint64_t i = 0; i < 200000; i += 17) {
        struct tfl_hash h = tx_hash(i), other = tx_hash(i + 200000);
        assert_int_equal(tfl_tracker_find(t, &h), i);
        assert_true(tfl_tracker_find(t, &other) == UINT64_MAX);
    }
    assert_in_range(tfl_tracker_bytes(t) / 200000, 72, 84); /* bytes each; the feed's 32 come on top */
    tfl_tracker_free(t);
}

static void reasons_are_bounded(void **state)
{
    struct tfl_tracker *t = tfl_tracker_new();
    (void)state;
    for (int i = 0; i < 1000; i++) {
        struct tfl_error err = {.code = TFL_E_NOT_FOUND};
        snprintf(err.msg, sizeof err.msg, "reason %d", i % 100);
        tfl_tracker_plan(t, i, NULL, &err);
    }
    uint64_t n = 0, all = 0;
    uint16_t r = 1;
    for (; tfl_tracker_reason(t, r, &n); r++)
        all += n;
    assert_int_equal(r - 1, TFL_TX_REASONS);
    assert_int_equal(all, 1000);
    assert_string_equal(tfl_tracker_reason(t, TFL_TX_REASONS, NULL), "other reasons");
    assert_string_equal(tfl_tracker_reason(t, 1, &n), "reason 0");
    assert_int_equal(n, 10);
    tfl_tracker_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SPEC(inclusion_and_finality_have_times),
        SPEC(a_fork_counts_once),
        SPEC(twice_on_one_chain_is_told),
        SPEC(the_end_is_what_all_have_in_common),
        SPEC(what_came_with_the_history_counts),
        SPEC(a_flood_of_events_is_caught_up_with),
        SPEC(overtaken_for_long_is_given_up),
        SPEC(a_standing_chain_loses_nothing),
        SPEC(every_transaction_is_in_the_account),
        cmocka_unit_test(a_million_fit),
        cmocka_unit_test(reasons_are_bounded),
    };
    return cmocka_run_group_tests_name("load.follow", tests, NULL, NULL);
}
