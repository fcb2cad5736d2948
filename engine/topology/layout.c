#include "topology/layout.h"

#include "base/rng.h"

#include <stdlib.h>
#include <string.h>

/* Draws of a k-regular graph before giving up. Random regular graphs of degree 3 and more are almost surely
 * connected: the worst case (8 nodes, degree 3) misses about once in a hundred draws. */
#define MAX_DRAWS 64
#define SWAPS_PER_EDGE 10

/* The graph while it is made: a bitmap of neighbours beside the list of edges. */
struct draft {
    size_t n, words; /* words: 64-bit words in a row of the bitmap */
    uint64_t *rows;
    struct tfl_edge *edges;
    size_t n_edges, cap;
};

static uint64_t *row(const struct draft *d, size_t node)
{
    return d->rows + node * d->words;
}

static bool joined(const struct draft *d, size_t a, size_t b)
{
    return row(d, a)[b / 64] >> (b % 64) & 1;
}

static void flip(struct draft *d, size_t a, size_t b)
{
    row(d, a)[b / 64] ^= UINT64_C(1) << (b % 64);
    row(d, b)[a / 64] ^= UINT64_C(1) << (a % 64);
}

static void join(struct draft *d, size_t a, size_t b)
{
    if (joined(d, a, b))
        return;
    if (d->n_edges == d->cap) {
        d->cap = d->cap ? 2 * d->cap : 64;
        d->edges = tfl_realloc(d->edges, d->cap * sizeof *d->edges);
    }
    d->edges[d->n_edges++] = (struct tfl_edge){(uint32_t)(a > b ? a : b), (uint32_t)(a > b ? b : a)};
    flip(d, a, b);
}

static void draft_init(struct draft *d, size_t n)
{
    *d = (struct draft){.n = n, .words = (n + 63) / 64};
    d->rows = tfl_alloc(n * d->words * sizeof *d->rows);
}

static void draft_clear(struct draft *d)
{
    memset(d->rows, 0, d->n * d->words * sizeof *d->rows);
    d->n_edges = 0;
}

static void draft_done(struct draft *d)
{
    free(d->rows);
    free(d->edges);
}

/* Breadth first from start; the number of nodes reached, and the hops to the farthest in *depth. */
static size_t reach(const struct draft *d, size_t start, uint64_t *work, size_t *depth)
{
    uint64_t *seen = work, *now = work + d->words, *next = now + d->words;
    memset(work, 0, 3 * d->words * sizeof *work);
    seen[start / 64] = now[start / 64] = UINT64_C(1) << (start % 64);
    size_t reached = 1, hops = 0;
    for (;; hops++) {
        memset(next, 0, d->words * sizeof *next);
        for (size_t w = 0; w < d->words; w++) {
            for (uint64_t bits = now[w]; bits; bits &= bits - 1) {
                const uint64_t *r = row(d, w * 64 + (size_t)__builtin_ctzll(bits));
                for (size_t i = 0; i < d->words; i++)
                    next[i] |= r[i];
            }
        }
        size_t found = 0;
        for (size_t i = 0; i < d->words; i++) {
            next[i] &= ~seen[i];
            seen[i] |= next[i];
            found += (size_t)__builtin_popcountll(next[i]);
        }
        if (!found)
            break;
        reached += found;
        uint64_t *swap = now;
        now = next;
        next = swap;
    }
    *depth = hops;
    return reached;
}

static bool is_connected(const struct draft *d)
{
    TFL_FREE uint64_t *work = tfl_alloc(3 * d->words * sizeof *work);
    size_t depth;
    return reach(d, 0, work, &depth) == d->n;
}

/* The circulant graph of degree k over a shuffled order of the nodes: simple, connected, regular. */
static void join_circulant(struct draft *d, size_t k, struct tfl_rng *rng)
{
    TFL_FREE size_t *order = tfl_alloc(d->n * sizeof *order);
    for (size_t i = 0; i < d->n; i++) {
        size_t j = (size_t)tfl_rng_below(rng, i + 1);
        order[i] = order[j];
        order[j] = i;
    }
    for (size_t i = 0; i < d->n; i++) {
        for (size_t step = 1; step <= k / 2; step++)
            join(d, order[i], order[(i + step) % d->n]);
        if (k % 2)
            join(d, order[i], order[(i + d->n / 2) % d->n]);
    }
}

/* Random exchanges of the ends of two edges: they keep every degree and the graph simple, and mix it well. */
static void mix(struct draft *d, struct tfl_rng *rng)
{
    for (size_t i = SWAPS_PER_EDGE * d->n_edges; i > 0; i--) {
        struct tfl_edge *e = &d->edges[tfl_rng_below(rng, d->n_edges)];
        struct tfl_edge *f = &d->edges[tfl_rng_below(rng, d->n_edges)];
        bool crossed = tfl_rng_below(rng, 2);
        size_t a = e->dialer, b = e->listener;
        size_t c = crossed ? f->listener : f->dialer, x = crossed ? f->dialer : f->listener;
        if (a == c || a == x || b == c || b == x || joined(d, a, x) || joined(d, c, b))
            continue;
        flip(d, a, b);
        flip(d, c, x);
        flip(d, a, x);
        flip(d, c, b);
        *e = (struct tfl_edge){(uint32_t)(a > x ? a : x), (uint32_t)(a > x ? x : a)};
        *f = (struct tfl_edge){(uint32_t)(c > b ? c : b), (uint32_t)(c > b ? b : c)};
    }
}

static int draw_k_regular(struct draft *d, const struct tfl_layout_request *request, struct tfl_error *err)
{
    size_t n = request->n_nodes, k = request->k;
    if (k == 0 && n > 1)
        return tfl_fail(
            err, TFL_E_BAD_CONFIG, "k_regular(0) leaves %zu nodes unconnected; k must be 2 or more", n);
    if (k >= n)
        return tfl_fail(err, TFL_E_BAD_CONFIG,
            "k_regular(%zu) needs more than %zu nodes, the plan has %zu; lower k to %zu or add nodes", k, k,
            n, n - 1);
    if (k * n % 2)
        return tfl_fail(err, TFL_E_BAD_CONFIG,
            "k_regular(%zu) with %zu nodes: the number of nodes times k must be even; use k = %zu or %zu "
            "nodes",
            k, n, k + 1, n + 1);
    if (k == 1 && n > 2)
        return tfl_fail(err, TFL_E_BAD_CONFIG,
            "k_regular(1) joins nodes in pairs, so %zu nodes are not connected; k must be 2 or more", n);
    struct tfl_rng rng;
    tfl_rng_init(&rng, request->seed, "topology");
    for (int draw = 0; draw < MAX_DRAWS; draw++) {
        draft_clear(d);
        join_circulant(d, k, &rng);
        if (k > 2) /* every connected graph of degree 2 is a ring: the shuffled one is uniform already */
            mix(d, &rng);
        if (is_connected(d))
            return 0;
    }
    return tfl_fail(err, TFL_E_INTERNAL,
        "no connected graph of degree %zu over %zu nodes in %d draws; try another seed", k, n, MAX_DRAWS);
}

static int join_custom(struct draft *d, const struct tfl_layout_request *request, struct tfl_error *err)
{
    for (size_t i = 0; i < request->n_edges; i++) {
        uint32_t a = request->edges[i].dialer, b = request->edges[i].listener;
        if (a >= d->n || b >= d->n)
            return tfl_fail(err, TFL_E_BAD_CONFIG,
                "edge %zu of the layout joins nodes %u and %u; the plan has nodes 0 to %zu", i + 1, a, b,
                d->n - 1);
        if (a == b)
            return tfl_fail(err, TFL_E_BAD_CONFIG,
                "edge %zu of the layout joins node %u with itself; an edge needs two nodes", i + 1, a);
        join(d, a, b);
    }
    return 0;
}

static int draw(struct draft *d, const struct tfl_layout_request *request, struct tfl_error *err)
{
    switch (request->shape) {
    case TFL_SHAPE_STAR:
        for (size_t i = 1; i < d->n; i++)
            join(d, i, 0);
        return 0;
    case TFL_SHAPE_CHAIN:
    case TFL_SHAPE_RING:
        for (size_t i = 1; i < d->n; i++)
            join(d, i, i - 1);
        if (request->shape == TFL_SHAPE_RING && d->n > 2)
            join(d, d->n - 1, 0);
        return 0;
    case TFL_SHAPE_FULL:
        for (size_t i = 1; i < d->n; i++)
            for (size_t j = 0; j < i; j++)
                join(d, i, j);
        return 0;
    case TFL_SHAPE_K_REGULAR:
        return draw_k_regular(d, request, err);
    case TFL_SHAPE_CUSTOM:
        return join_custom(d, request, err);
    }
    return tfl_fail(err, TFL_E_INTERNAL, "unknown graph shape %d", (int)request->shape);
}

static int compare_edges(const void *a, const void *b)
{
    const struct tfl_edge *x = a, *y = b;
    if (x->dialer != y->dialer)
        return x->dialer < y->dialer ? -1 : 1;
    return x->listener < y->listener ? -1 : x->listener > y->listener;
}

static void measure(struct tfl_layout *g, const struct draft *d)
{
    g->degree = tfl_alloc(d->n * sizeof *g->degree);
    for (size_t i = 0; i < g->n_edges; i++) {
        g->degree[g->edges[i].dialer]++;
        g->degree[g->edges[i].listener]++;
    }
    TFL_FREE uint64_t *work = tfl_alloc(3 * d->words * sizeof *work);
    g->connected = true;
    for (size_t i = 0; i < d->n; i++) {
        size_t depth;
        if (reach(d, i, work, &depth) != d->n) {
            g->connected = false;
            g->diameter = 0;
            return;
        }
        if (depth > g->diameter)
            g->diameter = depth;
    }
}

int tfl_layout_build(struct tfl_layout *g, const struct tfl_layout_request *request, struct tfl_error *err)
{
    *g = (struct tfl_layout){0};
    if (request->n_nodes == 0)
        return tfl_fail(err, TFL_E_BAD_CONFIG, "a topology of 0 nodes; it needs at least 1");
    if (request->n_nodes > TFL_LAYOUT_MAX_NODES)
        return tfl_fail(err, TFL_E_BAD_CONFIG, "a topology of %zu nodes; the most is %d", request->n_nodes,
            TFL_LAYOUT_MAX_NODES);
    struct draft d;
    draft_init(&d, request->n_nodes);
    int rc = draw(&d, request, err);
    if (rc == 0) {
        g->n_nodes = d.n;
        g->n_edges = d.n_edges;
        g->edges = d.edges;
        d.edges = NULL;
        if (g->n_edges)
            qsort(g->edges, g->n_edges, sizeof *g->edges, compare_edges);
        measure(g, &d);
    }
    draft_done(&d);
    return rc;
}

void tfl_layout_done(struct tfl_layout *g)
{
    if (!g)
        return;
    free(g->edges);
    free(g->degree);
    *g = (struct tfl_layout){0};
}

static const char *const shape_names[] = {
    [TFL_SHAPE_STAR] = "star",
    [TFL_SHAPE_CHAIN] = "chain",
    [TFL_SHAPE_RING] = "ring",
    [TFL_SHAPE_FULL] = "full",
    [TFL_SHAPE_K_REGULAR] = "k_regular",
    [TFL_SHAPE_CUSTOM] = "custom",
};

bool tfl_shape_parse(const char *name, enum tfl_shape *shape)
{
    for (size_t i = 0; i < TFL_LEN(shape_names); i++) {
        if (strcmp(name, shape_names[i]) == 0) {
            *shape = (enum tfl_shape)i;
            return true;
        }
    }
    return false;
}

const char *tfl_shape_name(enum tfl_shape shape)
{
    return shape_names[shape];
}
