#include "block_graph_world.h"

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
    struct tfl_graph_pair pairs[8];
    assert_true(tfl_graph_nodes(g) <= TFL_LEN(pairs));
    tfl_graph_propagation(g, 0, 1000, 2, pairs);
    assert_int_equal(pairs[0].n, 200); /* all of them told by node 0 first */
    assert_int_equal(pairs[1].n + pairs[2].n, 0);
    assert_true(pairs[0].p50_ms > 5.99 && pairs[0].p50_ms < 6.01);
    assert_true(pairs[0].max_ms > 4990 && pairs[0].max_ms < 5010);
    tfl_graph_propagation(g, 11, 21, 1, pairs);
    assert_int_equal(pairs[0].n, 10);
    assert_true(pairs[0].max_ms > 1.99 && pairs[0].max_ms < 2.01);
    tfl_graph_propagation(g, 0, 1000, 0, pairs);
    assert_int_equal(pairs[0].n + pairs[1].n + pairs[2].n, 0);
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
