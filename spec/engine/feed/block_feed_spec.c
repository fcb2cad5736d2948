#include "block_feed_world.h"

static void follows_streams_and_gives_each_event_once(void **state)
{
    (void)state;
    open_feed(3);
    follow_all();
    EVENTUALLY(node(0)->tip && node(1)->tip && node(2)->tip, 1000);
    define_chain(1, 0, 20);
    for (unsigned b = 1; b <= 20; b++) {
        for (int i = 0; i < 3; i++)
            fake_apply(&w->nodes[i], b);
        let_pass(3);
    }
    EVENTUALLY(tip_is(0, 20) && tip_is(1, 20) && tip_is(2, 20), 1000);
    int blocks = 0, adopts = 0, others = 0;
    uint64_t lost, last_height = 0;
    const struct tfl_feed_event *e;
    while ((e = tfl_feed_read(w->feed, &w->cursor, &lost))) {
        if (e->type == TFL_FEED_BLOCK && e->block->height) {
            assert_int_equal(e->block->height, ++last_height);
            blocks++;
        } else if (e->type == TFL_FEED_ADOPT && e->block->height) {
            adopts++;
        } else if (e->type != TFL_FEED_BLOCK && e->type != TFL_FEED_ADOPT) {
            others++;
        }
    }
    assert_int_equal(lost, 0);
    assert_int_equal(blocks, 20);
    assert_int_equal(adopts, 60);
    assert_int_equal(others, 0);
    struct tfl_graph_figures f;
    tfl_graph_judge(tfl_feed_graph(w->feed), 1, 100, NULL, &f);
    assert_int_equal(f.n_canonical, 20);
    assert_int_equal(f.n_samples, 40);
    tfl_graph_figures_done(&f);
}

static void a_stopped_node_is_stale_until_it_is_followed_again(void **state)
{
    (void)state;
    struct tfl_error err;
    open_feed(2);
    define_chain(1, 0, 10);
    follow_all();
    EVENTUALLY(node(0)->tip && node(1)->tip, 1000);
    assert_int_equal(tfl_feed_add(w->feed, "node-0", w->clients[0], &err), -1);
    assert_int_equal(err.code, TFL_E_STATE);
    assert_int_equal(tfl_feed_stop_node(w->feed, "node-0", &err), 0);
    assert_int_equal(tfl_feed_stop_node(w->feed, "node-0", &err), -1);
    assert_int_equal(tfl_feed_stop_node(w->feed, "node-9", &err), -1);
    assert_true(node(0)->stale);
    for (unsigned b = 1; b <= 5; b++) {
        fake_apply(&w->nodes[0], b);
        fake_apply(&w->nodes[1], b);
    }
    EVENTUALLY(tip_is(1, 5), 1000);
    assert_true(tip_is(0, 0));
    assert_int_equal(tfl_graph_common(tfl_feed_graph(w->feed), NULL, NULL)->height, 5);
    add(0);
    assert_false(node(0)->stale);
    EVENTUALLY(tip_is(0, 5), 1000);
    assert_int_equal(told(TFL_GAP_LOST), 0);
}

static void conflicting_final_blocks_are_found(void **state)
{
    (void)state;
    open_feed(2);
    define_chain(1, 0, 10);
    define_chain(101, 0, 10);
    follow_all();
    EVENTUALLY(node(0)->tip && node(1)->tip, 1000);
    for (unsigned i = 0; i < 10; i++) {
        w->nodes[0].lib = i > 4 ? i - 3 : 0;
        w->nodes[1].lib = i > 4 ? 100 + i - 3 : 0;
        fake_apply(&w->nodes[0], 1 + i);
        fake_apply(&w->nodes[1], 101 + i);
    }
    EVENTUALLY(told(TFL_FINAL_CONFLICT) == 1, 1000);
    const struct tfl_conflict *list;
    assert_int_equal(tfl_graph_conflicts(tfl_feed_graph(w->feed), &list), 1);
    assert_int_equal(list[0].block->height, 1);
}

static void ended(struct tfl_op *op)
{
    *(bool *)op->owner = true;
}

static void waits_end_with_an_event_or_the_feed(void **state)
{
    (void)state;
    bool over = false;
    open_feed(1);
    w->cursor.next = tfl_graph_end(tfl_feed_graph(w->feed));
    struct tfl_op *op = tfl_feed_wait(w->feed, &w->cursor), *dropped = tfl_feed_wait(w->feed, &w->cursor);
    op->owner = &over;
    op->done = ended;
    let_pass(20);
    assert_false(over);
    tfl_op_free(dropped);
    follow_all();
    assert_true(fake_run(w->loop, &over, 1000));
    tfl_op_free(op);
    over = false;
    w->cursor.next = tfl_graph_end(tfl_feed_graph(w->feed)) + 1000;
    op = tfl_feed_wait(w->feed, &w->cursor);
    op->owner = &over;
    op->done = ended;
    tfl_feed_close(w->feed);
    assert_true(fake_run(w->loop, &over, 1000));
    assert_false(op->failed);
    tfl_op_free(op);
    assert_int_equal(tfl_http_active(w->http), 0);
}

static void readers_are_told_what_they_lost(void **state)
{
    (void)state;
    struct tfl_feed_params params = {.graph.genesis = fake_id(0), .graph.window = 10};
    w->feed = tfl_feed_new(w->loop, &params);
    w->n = 1;
    fake_node_start(&w->nodes[0], w->loop, 0);
    define_chain(1, 0, 30);
    own(&w->nodes[0], 1, 30);
    follow_all();
    EVENTUALLY(tip_is(0, 30), 2000);
    uint64_t lost, total = tfl_graph_end(tfl_feed_graph(w->feed));
    assert_null(tfl_feed_read(w->feed, &w->cursor, &lost));
    assert_int_equal(lost, total - 10);
    for (int i = 0; i < 10; i++)
        assert_non_null(tfl_feed_read(w->feed, &w->cursor, &lost));
    assert_null(tfl_feed_read(w->feed, &w->cursor, &lost));
    assert_int_equal(lost, 0);
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* From the node's write to the end of the wait: well under the 5 ms that a subscriber is promised. */
static void tells_blocks_quickly(void **state)
{
    (void)state;
    enum { N = 200 };
    static int64_t took[N];
    open_feed(10);
    define_chain(1, 0, N);
    follow_all();
    for (int i = 0; i < 10; i++)
        EVENTUALLY(node(i)->tip != NULL, 2000);
    for (unsigned b = 1; b <= N; b++) {
        bool over = false;
        w->cursor.next = tfl_graph_end(tfl_feed_graph(w->feed));
        struct tfl_op *op = tfl_feed_wait(w->feed, &w->cursor);
        op->owner = &over;
        op->done = ended;
        for (int i = 0; i < 10; i++)
            fake_apply(&w->nodes[i], b);
        int64_t begin = tfl_now(w->loop);
        assert_true(fake_run(w->loop, &over, 1000));
        took[b - 1] = tfl_now(w->loop) - begin;
        tfl_op_free(op);
        let_pass(1);
    }
    qsort(took, N, sizeof took[0], compare);
    assert_true(took[N / 2] <
                20 * TFL_MS); /* the sanitizers and the host may be slow: the benchmark has the figure */
}

static void somebody_else_tells_of_a_node(void **state)
{
    struct tfl_error err;
    (void)state;
    open_feed(1);
    define_chain(1, 0, 2);
    assert_int_equal(tfl_feed_enter(w->feed, "told", &err), 0);
    struct tfl_graph *g = tfl_feed_graph(w->feed);
    int told = tfl_graph_find_node(g, "told");
    struct tfl_hash genesis = fake_id(0), one = fake_id(1);
    struct tfl_block_head head = {.id = one, .parent = genesis, .slot = 1};
    tfl_graph_block(g, told, &head, true, tfl_feed_now(w->feed));
    tfl_graph_view(g, told, &one, &genesis, tfl_feed_now(w->feed));
    assert_true(tfl_hash_eq(&tfl_graph_node(g, (size_t)told)->tip->id, &one));
    assert_false(tfl_graph_node(g, (size_t)told)->stale);
    assert_int_equal(tfl_feed_stop_node(w->feed, "told", &err), 0);
    assert_true(tfl_graph_node(g, (size_t)told)->stale);
    assert_int_equal(tfl_feed_stop_node(w->feed, "told", &err), -1);
    assert_int_equal(tfl_feed_enter(w->feed, "told", &err), 0);
    tfl_feed_close(w->feed);
    assert_int_equal(tfl_feed_enter(w->feed, "told", &err), -1);
    assert_int_equal(err.code, TFL_E_STATE);
}

static void closes_at_any_moment(void **state)
{
    (void)state;
    open_feed(4);
    define_chain(1, 0, 200);
    for (int i = 0; i < 4; i++)
        own(&w->nodes[i], 1, 200);
    w->nodes[1].no_range = true;
    w->nodes[2].no_stream = true;
    w->nodes[3].deaf = true;
    for (int round = 0; round < 25; round++) {
        follow_all();
        let_pass(round);
        tfl_feed_close(w->feed);
        tfl_feed_unref(w->feed);
        assert_int_equal(tfl_http_active(w->http), 0);
        w->feed = tfl_feed_new(w->loop, &(struct tfl_feed_params){.graph.genesis = fake_id(0)});
    }
}

#define SPEC(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        SPEC(follows_streams_and_gives_each_event_once),
        SPEC(a_stopped_node_is_stale_until_it_is_followed_again),
        SPEC(conflicting_final_blocks_are_found),
        SPEC(waits_end_with_an_event_or_the_feed),
        SPEC(readers_are_told_what_they_lost),
        SPEC(tells_blocks_quickly),
        SPEC(somebody_else_tells_of_a_node),
        SPEC(closes_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
