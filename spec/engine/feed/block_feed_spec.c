#include "feed/block_feed.h"

#include "../../support/fake_node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { MAX = 12 };

struct world {
    struct tfl_loop *loop;
    struct tfl_http *http;
    struct tfl_feed *feed;
    struct fake_node nodes[MAX];
    struct tfl_client *clients[MAX];
    struct tfl_feed_cursor cursor;
    int n;
};
static struct world *w;

static void add(int i)
{
    char name[16];
    struct tfl_error err;
    snprintf(name, sizeof name, "node-%d", i);
    if (!w->clients[i])
        w->clients[i] = tfl_client_new(w->http, w->loop, name, w->nodes[i].server->url, NULL, &err);
    assert_non_null(w->clients[i]);
    assert_int_equal(tfl_feed_add(w->feed, name, w->clients[i], &err), 0);
}

static int setup(void **state)
{
    (void)state;
    w = tfl_alloc(sizeof *w);
    w->loop = tfl_loop_new(NULL);
    w->http = tfl_http_new(w->loop, NULL);
    memset(fake_blocks, 0, sizeof fake_blocks);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tfl_feed_unref(w->feed);
    for (int i = 0; i < MAX; i++) {
        tfl_client_unref(w->clients[i]);
        fake_node_stop(&w->nodes[i]);
    }
    assert_int_equal(tfl_http_active(w->http), 0);
    tfl_http_free(w->http);
    tfl_loop_free(w->loop);
    free(w);
    return 0;
}

static void open_feed(int n)
{
    struct tfl_feed_params params = {.graph.genesis = fake_id(0), .check_ms = 200, .timeout_ms = 1000};
    w->feed = tfl_feed_new(w->loop, &params);
    w->n = n;
    for (int i = 0; i < n; i++)
        fake_node_start(&w->nodes[i], w->loop, 0);
}

static void follow_all(void)
{
    for (int i = 0; i < w->n; i++)
        add(i);
}

static const struct tfl_graph_node *node(int i)
{
    return tfl_graph_node(tfl_feed_graph(w->feed), (size_t)i);
}

static uint64_t told(enum tfl_feed_code code)
{
    struct tfl_graph_counts c;
    tfl_graph_count(tfl_feed_graph(w->feed), &c);
    return c.by_code[code];
}

static bool tip_is(int i, unsigned n)
{
    struct tfl_hash id = fake_id(n);
    return node(i)->tip && tfl_hash_eq(&node(i)->tip->id, &id);
}

#define EVENTUALLY(cond, ms)                                                                                 \
    do {                                                                                                     \
        bool met_ = false, never_ = false;                                                                   \
        for (int64_t end_ = tfl_now(w->loop) + (ms)*TFL_MS; !met_ && tfl_now(w->loop) < end_; met_ = (cond)) \
            fake_run(w->loop, &never_, 2);                                                                   \
        if (!met_)                                                                                           \
            fail_msg("not within %d ms: %s", (int)(ms), #cond);                                              \
    } while (0)

static void let_pass(int64_t ms)
{
    bool never = false;
    fake_run(w->loop, &never, ms);
}

/* A chain of n blocks in slots 2, 4, …, from block `first` on parent. */
static void define_chain(unsigned first, unsigned parent, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        fake_define(first + i, i ? first + i - 1 : parent, fake_blocks[parent].slot + 2 + 2 * i);
}

static void own(struct fake_node *f, unsigned first, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        f->has[first + i] = true;
    f->tip = first + n - 1;
}

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
        let_pass(30);
        assert_true(tip_is(1, b)); /* the other is not delayed */
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
        let_pass(20);
        assert_true(tip_is(2, b));
        assert_true(tip_is(1, b)); /* its stream is enough */
    }
    size_t unknown;
    assert_null(tfl_graph_common(tfl_feed_graph(w->feed), NULL, &unknown));
    assert_int_equal(unknown, 1);
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

static void garbage_is_told_and_survived(void **state)
{
    (void)state;
    open_feed(2);
    w->nodes[0].garbage = "{\"block\":{\"header\":17}}\n";
    define_chain(1, 0, 5);
    follow_all();
    EVENTUALLY(w->nodes[0].n_stream >= 3, 3000);
    for (unsigned b = 1; b <= 5; b++)
        fake_apply(&w->nodes[1], b);
    EVENTUALLY(tip_is(1, 5), 1000);
    w->nodes[0].garbage = NULL;
    own(&w->nodes[0], 1, 5);
    EVENTUALLY(tip_is(0, 5), 3000);
    struct tfl_graph_counts c;
    tfl_graph_count(tfl_feed_graph(w->feed), &c);
    assert_int_equal(c.blocks, 5);
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
        SPEC(loads_history_in_pages),
        SPEC(loads_history_by_id_where_there_is_no_range),
        SPEC(polls_where_there_is_no_stream),
        SPEC(asks_for_what_a_stream_left_out),
        SPEC(notices_a_silent_stream),
        SPEC(tries_a_dead_node_again),
        SPEC(nobody_waits_for_a_node_that_never_answers),
        SPEC(a_stopped_node_is_stale_until_it_is_followed_again),
        SPEC(garbage_is_told_and_survived),
        SPEC(conflicting_final_blocks_are_found),
        SPEC(a_block_without_its_parent_is_a_broken_link),
        SPEC(bodies_of_known_blocks_are_skipped),
        SPEC(waits_end_with_an_event_or_the_feed),
        SPEC(readers_are_told_what_they_lost),
        SPEC(tells_blocks_quickly),
        SPEC(closes_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
