#include "feed/graph_impl.h"

#include <stdlib.h>
#include <string.h>

static bool chosen(const struct tfl_graph *g, const bool *nodes, size_t i)
{
    return nodes ? nodes[i] : !g->nodes[i].stale;
}

/* The highest tip; of equals the one more nodes have. */
static const struct tfl_gblock *best_tip(const struct tfl_graph *g, const bool *nodes)
{
    const struct tfl_gblock *best = NULL;
    size_t best_votes = 0;
    for (size_t i = 0; i < g->n_nodes; i++) {
        const struct tfl_gblock *tip = chosen(g, nodes, i) ? g->nodes[i].tip : NULL;
        if (!tip || tip == best || (best && tip->height < best->height))
            continue;
        size_t votes = 0;
        for (size_t j = 0; j < g->n_nodes; j++)
            votes += chosen(g, nodes, j) && g->nodes[j].tip == tip;
        if (!best || tip->height > best->height || votes > best_votes) {
            best = tip;
            best_votes = votes;
        }
    }
    return best;
}

/* Slots of the blocks of the window at or below top, ascending; owned by the caller. */
static uint64_t *slots_below(const struct tfl_gblock *top, uint64_t from, uint64_t to, size_t *n)
{
    size_t count = 0;
    for (const struct tfl_gblock *b = top; b && b->parent && b->slot >= from; b = b->parent)
        count += b->slot < to;
    uint64_t *slots = tfl_alloc(count * sizeof *slots);
    *n = count;
    for (const struct tfl_gblock *b = top; b && b->parent && b->slot >= from; b = b->parent)
        if (b->slot < to && count)
            slots[--count] = b->slot;
    return slots;
}

static void find_longest_gap(struct tfl_graph_figures *f, uint64_t from, uint64_t to)
{
    uint64_t next = from; /* first slot of the run */
    f->last_growth = from;
    for (size_t i = 0; i <= f->n_canonical; i++) {
        uint64_t slot = i < f->n_canonical ? f->canonical[i] : to;
        if (slot > next && slot - next > f->gap_slots) {
            f->gap_slots = slot - next;
            f->gap_from = next;
        }
        next = slot + 1;
        if (i < f->n_canonical)
            f->last_growth = slot;
    }
}

/* Delays fall into buckets of their packed form, which are a thousandth wide or less. */
static void tally(const struct tfl_gblock *b, uint32_t *buckets, struct tfl_graph_figures *f)
{
    for (size_t i = 0; i < b->n_seen; i++)
        if (b->seen[i] < SEEN_UNTIMED) {
            buckets[b->seen[i]]++;
            f->n_samples++;
        }
}

static double percentile(const uint32_t *buckets, uint64_t n, double share)
{
    uint64_t rank = (uint64_t)(share * (double)n + 0.999999), sum = 0;
    rank = rank < 1 ? 1 : rank > n ? n : rank;
    for (uint32_t i = 0; i < SEEN_UNTIMED; i++) {
        sum += buckets[i];
        if (sum >= rank)
            return n ? (double)graph_unpack_us((uint16_t)i) / 1000 : 0;
    }
    return 0;
}

static void look_at_all(struct tfl_graph *g, uint64_t from, uint64_t to, struct tfl_graph_figures *f)
{
    uint32_t *buckets = tfl_alloc((SEEN_NEVER + 1) * sizeof *buckets);
    g->epoch++;
    for (const struct tfl_gblock *b = f->best; b; b = b->parent)
        ((struct tfl_gblock *)b)->mark = g->epoch;
    for (struct entry *e = g->table; e; e = e->hh.next) {
        const struct tfl_gblock *b = &e->b;
        if (b->state == TFL_GBLOCK_HOLE || b == g->root || b->slot < from || b->slot >= to)
            continue;
        f->observed++;
        tally(b, buckets, f);
        if (b->state != TFL_GBLOCK_LINKED || b->mark == g->epoch)
            continue;
        f->fork_blocks++;
        f->forks += b->parent->mark == g->epoch;
    }
    f->p50_ms = percentile(buckets, f->n_samples, 0.5);
    f->p99_ms = percentile(buckets, f->n_samples, 0.99);
    f->max_ms = percentile(buckets, f->n_samples, 1);
    free(buckets);
}

void tfl_graph_judge(
    struct tfl_graph *g, uint64_t from, uint64_t to, const bool *nodes, struct tfl_graph_figures *out)
{
    struct tfl_graph_figures f = {0};
    f.common = tfl_graph_common(g, nodes, &f.unknown_tips);
    f.best = best_tip(g, nodes);
    f.canonical = slots_below(f.common, from, to, &f.n_canonical);
    f.best_slots = slots_below(f.best, from, to, &f.n_best);
    find_longest_gap(&f, from, to);
    look_at_all(g, from, to, &f);
    *out = f;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

void tfl_graph_propagation(
    const struct tfl_graph *g, uint64_t from, uint64_t to, size_t node, struct tfl_graph_pair *out)
{
    uint32_t *samples = tfl_alloc(HASH_COUNT(g->table) * sizeof *samples + 1); /* who told first, delay */
    size_t n = 0;
    for (const struct entry *e = g->table; e; e = e->hh.next) {
        const struct tfl_gblock *b = &e->b;
        bool in_window = b->state != TFL_GBLOCK_HOLE && b != g->root && b->slot >= from && b->slot < to;
        if (in_window && node < b->n_seen && b->seen[node] < SEEN_UNTIMED)
            samples[n++] = (uint32_t)b->first_node << 16 | b->seen[node];
    }
    qsort(samples, n, sizeof *samples, by_value);
    memset(out, 0, g->n_nodes * sizeof *out);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && samples[end] >> 16 == samples[i] >> 16;)
            end++;
        out[samples[i] >> 16] = (struct tfl_graph_pair){.n = (uint32_t)(end - i),
            .p50_ms = (double)graph_unpack_us((uint16_t)samples[i + (end - i - 1) / 2]) / 1000,
            .max_ms = (double)graph_unpack_us((uint16_t)samples[end - 1]) / 1000};
    }
    free(samples);
}

void tfl_graph_figures_done(struct tfl_graph_figures *figures)
{
    free(figures->canonical);
    free(figures->best_slots);
    *figures = (struct tfl_graph_figures){0};
}
