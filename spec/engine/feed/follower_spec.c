#include "block_feed_world.h"

static void loads_history_in_pages(void **state)
{
    (void)state;
    open_feed(2);
    define_chain(1, 0, 300);
    for (int i = 0; i < 2; i++) {
        own(&w->nodes[i], 1, 300);
        w->nodes[i].page = 64;
        w->nodes[i].lib = 290;
    }
    add(0);
    EVENTUALLY(tip_is(0, 300), 3000);
    assert_int_equal(node(0)->lib->height, 290);
    assert_in_range(w->nodes[0].n_range, 5, 6);
    assert_int_equal(w->nodes[0].n_block, 0);
    add(1); /* all is known by now: nothing but its view is asked for */
    EVENTUALLY(tip_is(1, 300), 1000);
    assert_int_equal(w->nodes[1].n_range, 0);
    assert_int_equal(told(TFL_GAP_BACKFILL), 0);
}

static void loads_history_by_id_where_there_is_no_range(void **state)
{
    (void)state;
    open_feed(1);
    define_chain(1, 0, 100);
    own(&w->nodes[0], 1, 100);
    w->nodes[0].no_range = true;
    follow_all();
    EVENTUALLY(tip_is(0, 100), 3000);
    assert_int_equal(w->nodes[0].n_block, 100);
}

static void polls_where_there_is_no_stream(void **state)
{
    (void)state;
    open_feed(1);
    w->nodes[0].no_stream = true;
    define_chain(1, 0, 30);
    follow_all();
    for (unsigned b = 1; b <= 30; b++) {
        fake_apply(&w->nodes[0], b);
        let_pass(10);
    }
    EVENTUALLY(tip_is(0, 30), 2000);
    int infos = w->nodes[0].n_info;
    let_pass(1000); /* nothing moves: it asks less often */
    assert_in_range(w->nodes[0].n_info - infos, 1, 12);
}

static void asks_for_what_a_stream_left_out(void **state)
{
    (void)state;
    open_feed(1);
    define_chain(1, 0, 40);
    follow_all();
    EVENTUALLY(node(0)->tip, 1000);
    for (unsigned b = 1; b <= 40; b++) {
        w->nodes[0].mute = b % 10 > 3; /* long holes */
        fake_apply(&w->nodes[0], b);
        let_pass(1);
    }
    w->nodes[0].mute = false;
    fake_define(41, 40, 500);
    fake_apply(&w->nodes[0], 41);
    EVENTUALLY(tip_is(0, 41), 2000);
    assert_true(told(TFL_GAP_BACKFILL) >= 1);
    assert_int_equal(told(TFL_BROKEN_LINK), 0);
    assert_int_equal(node(0)->tip->height, 41);
}

static void notices_a_silent_stream(void **state)
{
    (void)state;
    open_feed(2);
    define_chain(1, 0, 9);
    follow_all();
    EVENTUALLY(node(0)->tip && node(1)->tip, 1000);
    w->nodes[0].mute = true;
    for (unsigned b = 1; b <= 9; b++)
        fake_apply(&w->nodes[0], b);
    EVENTUALLY(tip_is(0, 9), 4000);
    assert_int_equal(told(TFL_GAP_SILENT), 1);
    assert_true(w->nodes[0].n_stream >= 2); /* opened again */
    assert_int_equal(w->nodes[1].n_stream, 1);
}

static void tries_a_dead_node_again(void **state)
{
    (void)state;
    open_feed(2);
    define_chain(1, 0, 20);
    follow_all();
    EVENTUALLY(node(0)->tip && node(1)->tip, 1000);
    int port = w->nodes[0].server->port;
    fake_node_stop(&w->nodes[0]);
    for (unsigned b = 1; b <= 10; b++) {
        fake_apply(&w->nodes[1], b);
        EVENTUALLY(tip_is(1, b), 400); /* the other is not delayed */
    }
    assert_int_equal(told(TFL_GAP_LOST), 1); /* told once, not at every try */
    assert_true(tip_is(0, 0));
    own(&w->nodes[0], 1, 12);
    fake_node_start(&w->nodes[0], w->loop, port);
    EVENTUALLY(tip_is(0, 12), 3000);
    fake_apply(&w->nodes[0], 13);
    EVENTUALLY(tip_is(0, 13), 500);
    assert_int_equal(node(0)->n_reorgs, 0);
}

static void nobody_waits_for_a_node_that_never_answers(void **state)
{
    (void)state;
    open_feed(3);
    w->nodes[0].deaf = true;
    w->nodes[1].slow = true;
    define_chain(1, 0, 10);
    follow_all();
    EVENTUALLY(node(2)->tip, 1000);
    for (unsigned b = 1; b <= 10; b++) {
        fake_apply(&w->nodes[1], b);
        fake_apply(&w->nodes[2], b);
        EVENTUALLY(tip_is(2, b) && tip_is(1, b), 400); /* its stream is enough */
    }
    size_t unknown;
    assert_null(tfl_graph_common(tfl_feed_graph(w->feed), NULL, &unknown));
    assert_int_equal(unknown, 1);
}

static void a_node_whose_stream_cannot_be_read_is_told_of_once_and_polled(void **state)
{
    (void)state;
    open_feed(2);
    w->nodes[0].garbage = "{\"block\":{\"header\":17}}\n";
    define_chain(1, 0, 6);
    follow_all();
    for (unsigned b = 1; b <= 5; b++) {
        fake_apply(&w->nodes[0], b);
        fake_apply(&w->nodes[1], b);
    }
    EVENTUALLY(tip_is(0, 5) && tip_is(1, 5), 3000);
    int port = w->nodes[0].server->port;
    fake_node_stop(&w->nodes[0]); /* also when it comes back */
    EVENTUALLY(told(TFL_GAP_LOST) == 1, 2000);
    own(&w->nodes[0], 1, 6);
    fake_node_start(&w->nodes[0], w->loop, port);
    EVENTUALLY(tip_is(0, 6), 3000);
    assert_int_equal(told(TFL_GAP_BAD), 1);
    assert_int_equal(w->nodes[0].n_stream, 1);
    assert_non_null(strstr(node(0)->unreadable, "node-0: "));
    assert_non_null(strstr(node(0)->unreadable, "field header: expected an object, saw 17"));
    assert_null(node(1)->unreadable);
}

static void a_block_without_its_parent_is_a_broken_link(void **state)
{
    (void)state;
    open_feed(1);
    define_chain(1, 0, 3);
    follow_all();
    EVENTUALLY(node(0)->tip, 1000);
    fake_define(9, 8, 50); /* nobody has block 8 */
    fake_apply(&w->nodes[0], 9);
    EVENTUALLY(told(TFL_BROKEN_LINK) == 1, 4000);
    assert_true(tip_is(0, 0));
    int asked = w->nodes[0].n_block;
    let_pass(300);
    assert_int_equal(w->nodes[0].n_block, asked);
}

static void bodies_of_known_blocks_are_skipped(void **state)
{
    (void)state;
    open_feed(2);
    define_chain(1, 0, 4);
    fake_blocks[2].pad = 3000000;
    follow_all();
    EVENTUALLY(node(0)->tip && node(1)->tip, 1000);
    for (unsigned b = 1; b <= 4; b++)
        fake_apply(&w->nodes[0], b);
    EVENTUALLY(tip_is(0, 4), 5000);
    for (unsigned b = 1; b <= 4; b++)
        fake_apply(&w->nodes[1], b);
    EVENTUALLY(tip_is(1, 4), 5000);
    assert_int_equal(node(1)->n_rows, 4);
}

#define SPEC(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        SPEC(loads_history_in_pages),
        SPEC(loads_history_by_id_where_there_is_no_range),
        SPEC(polls_where_there_is_no_stream),
        SPEC(asks_for_what_a_stream_left_out),
        SPEC(notices_a_silent_stream),
        SPEC(tries_a_dead_node_again),
        SPEC(nobody_waits_for_a_node_that_never_answers),
        SPEC(a_node_whose_stream_cannot_be_read_is_told_of_once_and_polled),
        SPEC(a_block_without_its_parent_is_a_broken_link),
        SPEC(bodies_of_known_blocks_are_skipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
