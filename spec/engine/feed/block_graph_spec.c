#include "feed/block_graph.h"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct tfl_graph *g;
static int64_t clock_ms;

static struct tfl_when now(void)
{
    return (struct tfl_when){clock_ms * 1000000, 1000000 + clock_ms};
}

/* Block n of a spec: n in the first bytes. 0 is genesis. */
static struct tfl_hash id(unsigned n)
{
    struct tfl_hash h;
    memset(&h, 0x5a, sizeof h);
    h.b[0] = (uint8_t)n;
    h.b[1] = (uint8_t)(n >> 8);
    return h;
}

static struct tfl_block_head head(unsigned n, unsigned parent, uint64_t slot)
{
    return (struct tfl_block_head){.id = id(n), .parent = id(parent), .slot = slot};
}

static void block(int node, unsigned n, unsigned parent, uint64_t slot)
{
    struct tfl_block_head h = head(n, parent, slot);
    tfl_graph_block(g, node, &h, true, now());
}

static void view(int node, unsigned tip, unsigned lib)
{
    struct tfl_hash t = id(tip), l = id(lib);
    tfl_graph_view(g, node, &t, &l, now());
}

static void row(int node, unsigned n, unsigned parent, uint64_t slot, unsigned lib)
{
    block(node, n, parent, slot);
    view(node, n, lib);
}

static const struct tfl_gblock *find(unsigned n)
{
    struct tfl_hash h = id(n);
    return tfl_graph_find(g, &h);
}

static void make(struct tfl_graph_params params, int nodes)
{
    clock_ms = 0;
    g = tfl_graph_new(&params);
    for (int i = 0; i < nodes; i++) {
        char name[16];
        snprintf(name, sizeof name, "node-%d", i);
        assert_int_equal(tfl_graph_add_node(g, name), i);
        tfl_graph_session(g, i, now());
    }
    struct tfl_hash genesis = id(0);
    tfl_graph_genesis(g, &genesis, now());
}

static int setup(void **state)
{
    (void)state;
    make((struct tfl_graph_params){0}, 3);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tfl_graph_free(g);
    g = NULL;
    return 0;
}

/* The log as text: "B1 A1@0 R2@1/3 F4@0+2 Cbad_slot G…". */
static const char *told(uint64_t from)
{
    static char out[4096];
    size_t n = 0;
    out[0] = '\0';
    for (uint64_t i = from; i < tfl_graph_end(g); i++) {
        const struct tfl_feed_event *e = tfl_graph_event(g, i);
        unsigned b = e->block ? (unsigned)(e->block->id.b[0] | e->block->id.b[1] << 8) : 0;
        const char *space = n ? " " : "";
        size_t left = sizeof out - n;
        switch ((enum tfl_feed_type)e->type) {
        case TFL_FEED_BLOCK:
            n += (size_t)snprintf(out + n, left, "%sB%u", space, b);
            break;
        case TFL_FEED_ADOPT:
            n += (size_t)snprintf(out + n, left, "%sA%u@%d", space, b, e->node);
            break;
        case TFL_FEED_REORG:
            n += (size_t)snprintf(out + n, left, "%sR%u@%d/%u", space, b, e->node, e->n);
            break;
        case TFL_FEED_FINAL:
            n += (size_t)snprintf(out + n, left, "%sF%u@%d+%u", space, b, e->node, e->n);
            break;
        case TFL_FEED_CONFLICT:
        case TFL_FEED_GAP:
            n += (size_t)snprintf(out + n, left, "%s%s@%d", space, tfl_feed_code_string(e->code), e->node);
            break;
        case TFL_FEED_STALE:
            n += (size_t)snprintf(out + n, left, "%sS@%d", space, e->node);
            break;
        }
    }
    return out;
}

static void rows_become_events_in_order(void **state)
{
    (void)state;
    row(0, 1, 0, 3, 0);
    row(1, 1, 0, 3, 0);
    row(0, 2, 1, 5, 1);
    assert_string_equal(told(0), "B0 B1 A1@0 A1@1 B2 A2@0 F1@0+1");
    row(0, 2, 1, 5, 1); /* again: nothing new */
    assert_string_equal(told(0), "B0 B1 A1@0 A1@1 B2 A2@0 F1@0+1");
    assert_int_equal(find(2)->height, 2);
    assert_int_equal(tfl_graph_node(g, 0)->lib->height, 1);
    assert_true(find(1)->final);
    assert_false(find(2)->final);
}

static void what_comes_before_its_parent_waits(void **state)
{
    (void)state;
    block(0, 3, 2, 9);
    block(1, 4, 2, 10);
    view(0, 3, 1);
    assert_string_equal(told(1), "backfill@0 backfill@1");
    struct tfl_hash two = id(2);
    assert_memory_equal(tfl_graph_hole(g, 0), &two, sizeof two);
    block(0, 2, 1, 6);
    struct tfl_hash one = id(1);
    assert_memory_equal(tfl_graph_hole(g, 0), &one, sizeof one);
    assert_memory_equal(tfl_graph_hole(g, 1), &one, sizeof one);
    assert_int_equal(find(3)->state, TFL_GBLOCK_PENDING);
    uint64_t from = tfl_graph_end(g);
    block(2, 1, 0, 1);
    assert_null(tfl_graph_hole(g, 0));
    assert_null(tfl_graph_hole(g, 1));
    assert_string_equal(told(from), "B1 B2 B4 B3 A3@0 F1@0+1");
    assert_int_equal(find(4)->height, 3);
}

static void a_reorganisation_has_a_depth(void **state)
{
    (void)state;
    row(0, 1, 0, 1, 0);
    row(0, 2, 1, 2, 0);
    row(0, 3, 2, 3, 0);
    uint64_t from = tfl_graph_end(g);
    block(0, 12, 1, 4);
    block(0, 13, 12, 5);
    row(0, 14, 13, 6, 0);
    assert_string_equal(told(from), "B12 B13 B14 R14@0/2 A14@0");
    assert_int_equal(tfl_graph_node(g, 0)->max_reorg, 2);
    struct tfl_graph_counts c;
    tfl_graph_count(g, &c);
    assert_int_equal(c.reorgs, 1);
    assert_int_equal(c.max_reorg, 2);
    assert_int_equal(c.blocks, 6);
}

static uint64_t conflicts(enum tfl_feed_code code)
{
    struct tfl_graph_counts c;
    tfl_graph_count(g, &c);
    return c.by_code[code];
}

static void two_final_blocks_at_one_height_conflict(void **state)
{
    (void)state;
    row(0, 1, 0, 1, 0);
    row(0, 2, 1, 2, 1);
    row(1, 11, 0, 1, 0);
    row(1, 12, 11, 3, 11);
    assert_int_equal(conflicts(TFL_FINAL_CONFLICT), 1);
    row(1, 13, 12, 4, 12); /* what follows from it is not told again */
    row(0, 3, 2, 5, 2);
    assert_int_equal(conflicts(TFL_FINAL_CONFLICT), 1);
    assert_int_equal(conflicts(TFL_FINAL_UNDONE), 0);
    const struct tfl_conflict *list;
    assert_int_equal(tfl_graph_conflicts(g, &list), 1);
    assert_int_equal(list[0].node, 1);
    assert_ptr_equal(list[0].block, find(11));
    assert_ptr_equal(list[0].other, find(1));
    assert_non_null(strstr(list[0].message, "two final blocks at height 1"));
}

static void the_conflict_is_found_where_branches_part(void **state)
{
    (void)state;
    for (unsigned i = 1; i < 9; i++)
        row(0, i, i - 1, i, i > 2 ? i - 2 : 0);
    block(1, 1, 0, 1);
    block(1, 2, 1, 2);
    for (unsigned i = 13; i < 19; i++)
        block(1, i, i == 13 ? 2 : i - 1, i);
    view(1, 18, 16); /* one jump over the whole branch */
    const struct tfl_conflict *list;
    assert_int_equal(tfl_graph_conflicts(g, &list), 1);
    assert_ptr_equal(list[0].block, find(13));
}

static void an_undone_final_block_is_found(void **state)
{
    (void)state;
    row(0, 1, 0, 1, 0);
    row(0, 2, 1, 2, 1);
    block(0, 11, 0, 1);
    row(0, 12, 11, 3, 11); /* its own LIB moves to another branch */
    assert_int_equal(conflicts(TFL_FINAL_UNDONE), 1);
    assert_int_equal(conflicts(TFL_FINAL_CONFLICT), 1);
    row(1, 1, 0, 1, 0);
    row(1, 2, 1, 2, 1);
    block(1, 12, 11, 3);
    view(1, 12, 1); /* the LIB stays, the chain is one without it */
    assert_int_equal(conflicts(TFL_FINAL_UNDONE), 2);
    row(2, 2, 1, 2, 2);
    view(2, 2, 1); /* backwards, in the same session */
    assert_int_equal(conflicts(TFL_FINAL_UNDONE), 3);
}

static void a_node_that_starts_again_may_be_behind(void **state)
{
    (void)state;
    row(0, 1, 0, 1, 0);
    row(0, 2, 1, 2, 1);
    tfl_graph_stale(g, 0, now());
    assert_true(tfl_graph_node(g, 0)->stale);
    uint64_t from = tfl_graph_end(g);
    tfl_graph_session(g, 0, now());
    view(0, 0, 0); /* wiped */
    assert_string_equal(told(from), "A0@0");
    row(0, 1, 0, 1, 0);
    row(0, 2, 1, 2, 1);
    assert_int_equal(conflicts(TFL_FINAL_UNDONE), 0);
    assert_int_equal(tfl_graph_node(g, 0)->n_reorgs, 0);
    tfl_graph_session(g, 0, now());
    block(0, 11, 0, 1);
    view(0, 11, 11); /* but it may not come back with another truth */
    assert_int_equal(conflicts(TFL_FINAL_UNDONE), 1);
    assert_int_equal(conflicts(TFL_FINAL_CONFLICT), 1);
}

static void slots_must_grow(void **state)
{
    (void)state;
    row(0, 1, 0, 5, 0);
    row(0, 2, 1, 5, 0);
    row(0, 3, 2, 4, 0);
    row(1, 4, 0, 0, 0);
    assert_int_equal(conflicts(TFL_BAD_SLOT), 3);
    row(1, 2, 1, 5, 0);
    assert_int_equal(conflicts(TFL_BAD_SLOT), 3); /* once for each block */
}

static void blocks_from_the_future_are_found(void **state)
{
    (void)state;
    tfl_graph_free(g);
    make((struct tfl_graph_params){.genesis_time_ms = 1000000, .slot_ms = 100}, 2);
    clock_ms = 450; /* slot 4 */
    row(0, 1, 0, 4, 0);
    row(0, 2, 1, 5, 0); /* clocks differ: one slot is allowed */
    assert_int_equal(conflicts(TFL_FUTURE_BLOCK), 0);
    row(0, 3, 2, 6, 0);
    assert_int_equal(conflicts(TFL_FUTURE_BLOCK), 1);
    clock_ms = 700;
    row(1, 4, 3, 7, 0);
    assert_int_equal(conflicts(TFL_FUTURE_BLOCK), 1);
}

static void broken_links_are_found(void **state)
{
    (void)state;
    struct tfl_hash missing = id(7);
    row(0, 8, 7, 9, 0);
    assert_memory_equal(tfl_graph_hole(g, 0), &missing, sizeof missing);
    tfl_graph_refused(g, 0, &missing, now());
    assert_int_equal(conflicts(TFL_BROKEN_LINK), 1);
    assert_null(tfl_graph_hole(g, 0)); /* it is not asked for ever */
    row(1, 1, 0, 1, 0);
    block(1, 1, 2, 1); /* the same id with another parent */
    assert_int_equal(conflicts(TFL_BROKEN_LINK), 2);
    block(1, 20, 20, 3); /* its own parent */
    assert_int_equal(conflicts(TFL_BROKEN_LINK), 3);
    struct tfl_block_head other = {.id = id(30), .slot = 0}; /* another genesis */
    tfl_graph_block(g, 1, &other, true, now());
    assert_int_equal(conflicts(TFL_BROKEN_LINK), 4);
    view(2, 50, 0);
    struct tfl_hash tip = id(50);
    tfl_graph_refused(g, 2, &tip, now()); /* only named, linked by nobody: no link is broken */
    assert_int_equal(conflicts(TFL_BROKEN_LINK), 4);
    assert_int_equal(conflicts(TFL_GAP_UNKNOWN), 1);
}

static void a_circle_hangs_nobody(void **state)
{
    (void)state;
    block(0, 1, 2, 1);
    block(0, 2, 1, 2);
    view(0, 2, 1);
    assert_null(tfl_graph_hole(g, 0));
    assert_null(tfl_graph_node(g, 0)->tip);
}

static void genesis_is_found_out(void **state)
{
    (void)state;
    tfl_graph_free(g);
    clock_ms = 0;
    g = tfl_graph_new(&(struct tfl_graph_params){0});
    tfl_graph_add_node(g, "node-0");
    tfl_graph_session(g, 0, now());
    row(0, 2, 1, 2, 100);
    block(0, 1, 100, 1);
    struct tfl_block_head genesis = {.id = id(100), .slot = 0}, other = {.id = id(0), .slot = 0};
    tfl_graph_block(g, 0, &genesis, false, now());
    assert_ptr_equal(tfl_graph_root(g), find(100));
    assert_int_equal(find(2)->height, 2);
    assert_ptr_equal(tfl_graph_node(g, 0)->tip, find(2));
    tfl_graph_block(g, 0, &other, false, now());
    assert_int_equal(conflicts(TFL_BROKEN_LINK), 1);
}

static void the_common_prefix_needs_every_live_node(void **state)
{
    (void)state;
    size_t unknown;
    assert_null(tfl_graph_common(g, NULL, &unknown));
    assert_int_equal(unknown, 3);
    row(0, 1, 0, 1, 0);
    row(0, 2, 1, 2, 0);
    row(1, 1, 0, 1, 0);
    row(1, 12, 1, 3, 0);
    assert_null(tfl_graph_common(g, NULL, &unknown)); /* node 2 has not said anything */
    assert_int_equal(unknown, 1);
    view(2, 0, 0);
    assert_ptr_equal(tfl_graph_common(g, NULL, NULL), find(0));
    tfl_graph_stale(g, 2, now());
    assert_ptr_equal(tfl_graph_common(g, NULL, NULL), find(1));
    bool only[] = {true, false, false}, all[] = {true, true, true};
    assert_ptr_equal(tfl_graph_common(g, only, NULL), find(2));
    assert_ptr_equal(tfl_graph_common(g, all, NULL), find(0));
}

static void figures_of_a_window(void **state)
{
    (void)state;
    row(0, 1, 0, 4, 0);
    row(0, 2, 1, 10, 0);
    row(0, 3, 2, 12, 0);
    row(0, 4, 3, 20, 1);
    row(0, 5, 4, 30, 2);
    view(1, 4, 1);
    view(2, 5, 2);
    block(1, 13, 2, 13); /* a branch of two */
    block(1, 14, 13, 14);
    struct tfl_graph_figures f;
    tfl_graph_judge(g, 10, 30, NULL, &f);
    assert_ptr_equal(f.common, find(4));
    assert_ptr_equal(f.best, find(5));
    assert_int_equal(f.n_canonical, 3);
    assert_int_equal(f.canonical[0], 10);
    assert_int_equal(f.canonical[2], 20);
    assert_int_equal(f.observed, 5);
    assert_int_equal(f.forks, 1);
    assert_int_equal(f.fork_blocks, 2);
    assert_int_equal(f.gap_slots, 9); /* 21 to 29 */
    assert_int_equal(f.gap_from, 21);
    assert_int_equal(f.last_growth, 20);
    tfl_graph_figures_done(&f);
    tfl_graph_judge(g, 5, 40, NULL, &f);
    assert_int_equal(f.n_best, 4);
    assert_int_equal(f.gap_slots, 19);
    tfl_graph_figures_done(&f);
    tfl_graph_judge(g, 31, 41, NULL, &f);
    assert_int_equal(f.n_canonical, 0);
    assert_int_equal(f.gap_slots, 10);
    assert_int_equal(f.gap_from, 31);
    tfl_graph_figures_done(&f);
}

static void only_forks_growing_is_no_growth(void **state)
{
    (void)state;
    for (int node = 0; node < 3; node++)
        for (unsigned i = 1; i < 20; i++)
            row(node, (unsigned)node * 100 + i, i == 1 ? 0 : (unsigned)node * 100 + i - 1, i, 0);
    struct tfl_graph_figures f;
    tfl_graph_judge(g, 1, 20, NULL, &f);
    assert_int_equal(f.n_canonical, 0);
    assert_int_equal(f.observed, 57);
    assert_int_equal(f.fork_blocks, 38);
    assert_int_equal(f.forks, 2);
    assert_int_equal(f.gap_slots, 19);
    tfl_graph_figures_done(&f);
}

static void propagation_is_measured(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= 200; i++) {
        clock_ms = i * 1000;
        row(0, i, i - 1, i, 0);
        clock_ms += 2;
        row(1, i, i - 1, i, 0);
        clock_ms += i == 200 ? 5000 : 4;
        row(2, i, i - 1, i, 0);
    }
    struct tfl_graph_figures f;
    tfl_graph_judge(g, 0, 1000, NULL, &f);
    assert_int_equal(f.n_samples, 400);
    assert_true(f.p50_ms > 1.99 && f.p50_ms < 2.01);
    assert_true(f.p99_ms > 5.99 && f.p99_ms < 6.01);
    assert_true(f.max_ms > 4990 && f.max_ms < 5010);
    tfl_graph_figures_done(&f);
    tfl_graph_session(g, 1, now()); /* what was missed while away is no propagation */
    clock_ms += 100000;
    struct tfl_block_head h = head(300, 200, 400);
    clock_ms -= 1000;
    tfl_graph_block(g, 0, &h, true, now());
    clock_ms += 1000;
    tfl_graph_session(g, 1, now());
    tfl_graph_block(g, 1, &h, true, now());
    tfl_graph_judge(g, 0, 1000, NULL, &f);
    assert_int_equal(f.n_samples, 400);
    tfl_graph_figures_done(&f);
}

static void the_log_is_bounded_and_numbered(void **state)
{
    (void)state;
    tfl_graph_free(g);
    make((struct tfl_graph_params){.window = 100}, 1);
    for (unsigned i = 1; i <= 500; i++) {
        row(0, i, i - 1, i, 0);
        for (uint64_t k = tfl_graph_first(g); k < tfl_graph_end(g); k++)
            assert_non_null(tfl_graph_event(g, k)->block);
        assert_ptr_equal(tfl_graph_event(g, tfl_graph_end(g) - 1)->block, find(i));
    }
    assert_int_equal(tfl_graph_end(g), 1001);
    assert_int_equal(tfl_graph_first(g), 901);
}

static void bounds_are_kept_and_told(void **state)
{
    (void)state;
    tfl_graph_free(g);
    make((struct tfl_graph_params){.max_blocks = 1000, .max_pending = 10}, 1);
    for (unsigned i = 100; i < 200; i += 2)
        block(0, i, i + 1, i);
    struct tfl_graph_counts c;
    tfl_graph_count(g, &c);
    assert_in_range(c.pending, 9, 11);
    assert_int_equal(conflicts(TFL_GAP_FULL), 1);
}

struct count_sink {
    struct tfl_event_sink sink;
    int n;
    char last[512];
};

static void count(struct tfl_event_sink *sink, const char *type, struct json_object *fields)
{
    struct count_sink *s = TFL_CONTAINER(sink, struct count_sink, sink);
    s->n++;
    snprintf(s->last, sizeof s->last, "%s %s", type,
        json_object_to_json_string_ext(fields, JSON_C_TO_STRING_PLAIN));
    json_object_put(fields);
}

static void the_sink_gets_every_event(void **state)
{
    (void)state;
    struct count_sink sink = {.sink = {count}};
    tfl_graph_free(g);
    make((struct tfl_graph_params){.sink = &sink.sink}, 2);
    row(1, 1, 0, 7, 0);
    assert_int_equal(sink.n, tfl_graph_end(g));
    assert_string_equal(sink.last, "adopt {\"node\":\"node-1\",\"slot\":7,\"height\":1,\"id\":"
                                   "\"01005a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a\"}");
}

/* Random trees, told in random order by random nodes: however they come, the graph is the same. */
static void order_does_not_matter(void **state)
{
    (void)state;
    enum { N = 300 };
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct tfl_rng rng;
        unsigned parent[N], order[N];
        uint64_t height[N] = {0};
        tfl_rng_init(&rng, seed, "spec");
        tfl_graph_free(g);
        make((struct tfl_graph_params){0}, 5);
        for (unsigned i = 1; i < N; i++) {
            unsigned back = 1 + (unsigned)tfl_rng_below(&rng, i < 6 ? i : 6);
            parent[i] = i - back;
            height[i] = height[parent[i]] + 1;
            order[i] = i;
        }
        for (unsigned i = N - 1; i > 1; i--) {
            unsigned j = 1 + (unsigned)tfl_rng_below(&rng, i), t = order[i];
            order[i] = order[j];
            order[j] = t;
        }
        for (unsigned i = 1; i < N; i++)
            block((int)tfl_rng_below(&rng, 5), order[i], parent[order[i]], order[i]);
        for (unsigned i = 1; i < N; i++) {
            assert_int_equal(find(i)->state, TFL_GBLOCK_LINKED);
            assert_int_equal(find(i)->height, height[i]);
        }
        unsigned tips[5], meet = 0;
        for (int node = 0; node < 5; node++) {
            tips[node] = 250 + (unsigned)tfl_rng_below(&rng, 50);
            view(node, tips[node], 0);
        }
        for (unsigned c = 0; c < N; c++) { /* the deepest that is at or below every tip */
            bool all = true;
            for (int node = 0; node < 5; node++) {
                unsigned b = tips[node];
                while (b > c)
                    b = parent[b];
                all = all && b == c;
            }
            meet = all ? c : meet;
        }
        assert_ptr_equal(tfl_graph_common(g, NULL, NULL), find(meet));
    }
}

static void long_histories_are_quick(void **state)
{
    (void)state;
    for (unsigned i = 60000; i >= 1; i--) /* newest first: every one waits for the last */
        block(0, i, i - 1, i);
    assert_int_equal(find(60000)->height, 60000);
    assert_null(tfl_graph_hole(g, 0));
    view(0, 60000, 59990);
    assert_int_equal(tfl_graph_last_final(g)->height, 59990);
}

#define SPEC(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        SPEC(rows_become_events_in_order),
        SPEC(what_comes_before_its_parent_waits),
        SPEC(a_reorganisation_has_a_depth),
        SPEC(two_final_blocks_at_one_height_conflict),
        SPEC(the_conflict_is_found_where_branches_part),
        SPEC(an_undone_final_block_is_found),
        SPEC(a_node_that_starts_again_may_be_behind),
        SPEC(slots_must_grow),
        SPEC(blocks_from_the_future_are_found),
        SPEC(broken_links_are_found),
        SPEC(a_circle_hangs_nobody),
        SPEC(genesis_is_found_out),
        SPEC(the_common_prefix_needs_every_live_node),
        SPEC(figures_of_a_window),
        SPEC(only_forks_growing_is_no_growth),
        SPEC(propagation_is_measured),
        SPEC(the_log_is_bounded_and_numbered),
        SPEC(bounds_are_kept_and_told),
        SPEC(the_sink_gets_every_event),
        SPEC(order_does_not_matter),
        SPEC(long_histories_are_quick),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
