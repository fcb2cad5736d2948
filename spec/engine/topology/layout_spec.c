#include "topology/layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct tfl_layout build(enum tfl_shape shape, size_t n, size_t k, uint64_t seed)
{
    struct tfl_layout g;
    struct tfl_error err = {0};
    struct tfl_layout_request r = {.shape = shape, .n_nodes = n, .k = k, .seed = seed};
    if (tfl_layout_build(&g, &r, &err) != 0)
        fail_msg("%s(%zu) over %zu nodes: %s", tfl_shape_name(shape), k, n, err.msg);
    return g;
}

/* What every graph keeps: sorted edges without doubles or loops, dialled downwards, degrees that add up. */
static void check_sane(const struct tfl_layout *g)
{
    size_t sum = 0;
    for (size_t i = 0; i < g->n_edges; i++) {
        const struct tfl_edge *e = &g->edges[i];
        assert_true(e->dialer < g->n_nodes);
        assert_true(e->listener < e->dialer);
        if (i > 0)
            assert_true(
                e[-1].dialer < e->dialer || (e[-1].dialer == e->dialer && e[-1].listener < e->listener));
    }
    for (size_t i = 0; i < g->n_nodes; i++)
        sum += g->degree[i];
    assert_int_equal(sum, 2 * g->n_edges);
}

/* Diameter by Floyd and Warshall, to check the breadth-first one; 0 when not connected. */
static size_t slow_diameter(const struct tfl_layout *g)
{
    size_t n = g->n_nodes, worst = 0;
    unsigned *d = calloc(n * n, sizeof *d);
    assert_non_null(d);
    for (size_t i = 0; i < n * n; i++)
        d[i] = i % (n + 1) == 0 ? 0 : 1000000;
    for (size_t i = 0; i < g->n_edges; i++)
        d[g->edges[i].dialer * n + g->edges[i].listener] = d[g->edges[i].listener * n + g->edges[i].dialer] =
            1;
    for (size_t m = 0; m < n; m++)
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++)
                if (d[i * n + m] + d[m * n + j] < d[i * n + j])
                    d[i * n + j] = d[i * n + m] + d[m * n + j];
    for (size_t i = 0; i < n * n; i++)
        worst = d[i] > worst ? d[i] : worst;
    free(d);
    return worst >= 1000000 ? 0 : worst;
}

static void known_shapes(void **state)
{
    (void)state;
    static const struct {
        enum tfl_shape shape;
        size_t n, edges, diameter, degree_0, degree_last;
    } cases[] = {
        {TFL_SHAPE_STAR, 1, 0, 0, 0, 0},
        {TFL_SHAPE_STAR, 2, 1, 1, 1, 1},
        {TFL_SHAPE_STAR, 7, 6, 2, 6, 1},
        {TFL_SHAPE_CHAIN, 1, 0, 0, 0, 0},
        {TFL_SHAPE_CHAIN, 5, 4, 4, 1, 1},
        {TFL_SHAPE_CHAIN, 130, 129, 129, 1, 1},
        {TFL_SHAPE_RING, 1, 0, 0, 0, 0},
        {TFL_SHAPE_RING, 2, 1, 1, 1, 1},
        {TFL_SHAPE_RING, 3, 3, 1, 2, 2},
        {TFL_SHAPE_RING, 8, 8, 4, 2, 2},
        {TFL_SHAPE_RING, 65, 65, 32, 2, 2},
        {TFL_SHAPE_FULL, 1, 0, 0, 0, 0},
        {TFL_SHAPE_FULL, 64, 2016, 1, 63, 63},
        {TFL_SHAPE_FULL, 65, 2080, 1, 64, 64},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tfl_layout g = build(cases[i].shape, cases[i].n, 0, 1);
        check_sane(&g);
        assert_true(g.connected);
        assert_int_equal(g.n_edges, cases[i].edges);
        assert_int_equal(g.diameter, cases[i].diameter);
        assert_int_equal(g.diameter, slow_diameter(&g));
        assert_int_equal(g.degree[0], cases[i].degree_0);
        assert_int_equal(g.degree[g.n_nodes - 1], cases[i].degree_last);
        tfl_layout_done(&g);
    }
}

static void star_dials_the_hub(void **state)
{
    (void)state;
    struct tfl_layout g = build(TFL_SHAPE_STAR, 4, 0, 1);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(g.edges[i].dialer, i + 1);
        assert_int_equal(g.edges[i].listener, 0);
    }
    tfl_layout_done(&g);
}

static void k_regular_is_regular_connected_and_seeded(void **state)
{
    (void)state;
    size_t differing = 0, graphs = 0;
    for (size_t n = 1; n <= 24; n++) {
        for (size_t k = n > 1; k < n; k++) {
            if (n * k % 2 || (k == 1 && n > 2))
                continue;
            for (uint64_t seed = 1; seed <= 5; seed++) {
                struct tfl_layout g = build(TFL_SHAPE_K_REGULAR, n, k, seed);
                struct tfl_layout again = build(TFL_SHAPE_K_REGULAR, n, k, seed);
                struct tfl_layout other = build(TFL_SHAPE_K_REGULAR, n, k, seed + 1000);
                check_sane(&g);
                assert_true(g.connected);
                assert_int_equal(g.n_edges, n * k / 2);
                for (size_t i = 0; i < n; i++)
                    assert_int_equal(g.degree[i], k);
                assert_int_equal(g.diameter, slow_diameter(&g));
                assert_memory_equal(g.edges, again.edges, g.n_edges * sizeof *g.edges);
                if (n >= 12 && k >= 3 && k <= n - 4) {
                    graphs++;
                    differing += memcmp(g.edges, other.edges, g.n_edges * sizeof *g.edges) != 0;
                }
                tfl_layout_done(&g);
                tfl_layout_done(&again);
                tfl_layout_done(&other);
            }
        }
    }
    assert_true(graphs > 100);
    assert_int_equal(differing, graphs);
}

/* Over 200 seeds each of the 45 pairs of a 4-regular graph of 10 nodes is an edge in about 4 of 9 draws:
 * within five standard deviations of 89, so no pair is favoured. */
static void k_regular_is_even_handed(void **state)
{
    (void)state;
    unsigned seen[10][10] = {{0}};
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct tfl_layout g = build(TFL_SHAPE_K_REGULAR, 10, 4, seed);
        for (size_t i = 0; i < g.n_edges; i++)
            seen[g.edges[i].dialer][g.edges[i].listener]++;
        tfl_layout_done(&g);
    }
    for (size_t a = 1; a < 10; a++)
        for (size_t b = 0; b < a; b++)
            assert_in_range(seen[a][b], 89 - 36, 89 + 36);
}

static void big_graphs_are_quick_enough(void **state)
{
    (void)state;
    struct tfl_layout g = build(TFL_SHAPE_K_REGULAR, 1000, 8, 42);
    check_sane(&g);
    assert_true(g.connected);
    assert_in_range(g.diameter, 4, 6); /* 8 * 7^(d-1) reaches 1000 nodes at d = 4 */
    tfl_layout_done(&g);
}

static int build_custom(
    struct tfl_layout *g, size_t n, const struct tfl_edge *edges, size_t n_edges, struct tfl_error *err)
{
    struct tfl_layout_request r = {
        .shape = TFL_SHAPE_CUSTOM, .n_nodes = n, .edges = edges, .n_edges = n_edges};
    return tfl_layout_build(g, &r, err);
}

static void custom_merges_doubles_and_sees_islands(void **state)
{
    (void)state;
    struct tfl_layout g;
    struct tfl_error err = {0};
    static const struct tfl_edge edges[] = {{0, 1}, {1, 0}, {2, 3}, {3, 2}, {2, 3}};
    assert_int_equal(build_custom(&g, 4, edges, 5, &err), 0);
    check_sane(&g);
    assert_int_equal(g.n_edges, 2);
    assert_false(g.connected);
    assert_int_equal(g.diameter, 0);
    tfl_layout_done(&g);

    static const struct tfl_edge joined[] = {{0, 1}, {2, 3}, {1, 2}};
    assert_int_equal(build_custom(&g, 4, joined, 3, &err), 0);
    assert_true(g.connected);
    assert_int_equal(g.diameter, 3);
    tfl_layout_done(&g);

    assert_int_equal(build_custom(&g, 2, NULL, 0, &err), 0);
    assert_false(g.connected);
    tfl_layout_done(&g);
}

static void refusals_name_the_remedy(void **state)
{
    (void)state;
    static const struct {
        enum tfl_shape shape;
        size_t n, k;
        const char *says;
    } cases[] = {
        {TFL_SHAPE_STAR, 0, 0, "at least 1"},
        {TFL_SHAPE_STAR, TFL_LAYOUT_MAX_NODES + 1, 0, "the most is 2048"},
        {TFL_SHAPE_K_REGULAR, 4, 0, "k must be 2 or more"},
        {TFL_SHAPE_K_REGULAR, 4, 4, "lower k to 3"},
        {TFL_SHAPE_K_REGULAR, 5, 3, "use k = 4 or 6 nodes"},
        {TFL_SHAPE_K_REGULAR, 4, 1, "k must be 2 or more"},
        {TFL_SHAPE_K_REGULAR, 1, 1, "needs more than 1 node"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tfl_layout g;
        struct tfl_error err = {0};
        struct tfl_layout_request r = {.shape = cases[i].shape, .n_nodes = cases[i].n, .k = cases[i].k};
        assert_int_equal(tfl_layout_build(&g, &r, &err), -1);
        assert_int_equal(err.code, TFL_E_BAD_CONFIG);
        if (!strstr(err.msg, cases[i].says))
            fail_msg("\"%s\" does not say \"%s\"", err.msg, cases[i].says);
        assert_null(g.edges);
    }
}

static void custom_refuses_bad_edges(void **state)
{
    (void)state;
    struct tfl_layout g;
    struct tfl_error err = {0};
    static const struct tfl_edge outside[] = {{0, 1}, {1, 3}}, loop[] = {{1, 1}};
    assert_int_equal(build_custom(&g, 3, outside, 2, &err), -1);
    assert_string_equal(err.msg, "edge 2 of the layout joins nodes 1 and 3; the plan has nodes 0 to 2");
    assert_int_equal(build_custom(&g, 3, loop, 1, &err), -1);
    assert_string_equal(err.msg, "edge 1 of the layout joins node 1 with itself; an edge needs two nodes");
}

static void names_of_shapes(void **state)
{
    (void)state;
    enum tfl_shape shape;
    for (int i = TFL_SHAPE_STAR; i <= TFL_SHAPE_CUSTOM; i++) {
        assert_true(tfl_shape_parse(tfl_shape_name((enum tfl_shape)i), &shape));
        assert_int_equal(shape, i);
    }
    assert_false(tfl_shape_parse("stars", &shape));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_shapes),
        cmocka_unit_test(star_dials_the_hub),
        cmocka_unit_test(k_regular_is_regular_connected_and_seeded),
        cmocka_unit_test(k_regular_is_even_handed),
        cmocka_unit_test(big_graphs_are_quick_enough),
        cmocka_unit_test(custom_merges_doubles_and_sees_islands),
        cmocka_unit_test(refusals_name_the_remedy),
        cmocka_unit_test(custom_refuses_bad_edges),
        cmocka_unit_test(names_of_shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
