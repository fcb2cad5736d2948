#ifndef TFL_FEED_GRAPH_IMPL_H
#define TFL_FEED_GRAPH_IMPL_H

/* Shared by block_graph.c (blocks and links), graph_view.c (tips, finality), graph_events.c (the log, findings) and
 * graph_judge.c (figures); nobody else includes it. */
#include "feed/block_graph.h"

#include <uthash.h>

enum { KEPT_CONFLICTS = 256 };

/* What lies in memory for a block: the public part, and its place in the table. */
struct entry {
    struct tfl_gblock b;
    UT_hash_handle hh;
};

struct tfl_graph {
    struct tfl_graph_params params;
    struct entry *table;
    struct tfl_gblock *root, *last_final;
    struct tfl_gblock **final_at; /* by height: the first block that was final there */
    size_t cap_final;
    struct tfl_graph_node *nodes;
    size_t n_nodes, cap_nodes, n_unsettled;
    struct tfl_graph_counts counts;
    uint64_t best_height;
    uint32_t epoch; /* of marks */
    struct tfl_feed_event *ring;
    size_t cap_ring;
    uint64_t first, end;
    struct tfl_conflict *conflicts;
    size_t n_conflicts;
    bool said_full;
    bool knows_genesis; /* the root is the genesis by name, not only the first block that was told */
    void (*notify)(void *arg);
    void *notify_arg;
};

/* graph_events.c */
void graph_emit(struct tfl_graph *g, const struct tfl_feed_event *event, const char *message);
void graph_conflict(struct tfl_graph *g, enum tfl_feed_code code, int node, const struct tfl_gblock *block,
    const struct tfl_gblock *other, struct tfl_when now, const char *fmt, ...)
    __attribute__((format(printf, 7, 8)));

/* block_graph.c */
struct tfl_gblock *graph_find(const struct tfl_graph *g, const struct tfl_hash *id);
/* The block with this id, made as a hole when it is new; NULL when a bound is reached (and a gap says so). */
struct tfl_gblock *graph_intern(
    struct tfl_graph *g, int node, const struct tfl_hash *id, struct tfl_when now);

/* graph_view.c */
void graph_settle(struct tfl_graph *g, struct tfl_when now); /* views that waited for blocks */
void graph_mark_seen(struct tfl_graph *g, struct tfl_gblock *b, int node, bool live, struct tfl_when now);

/* Delays in 16 bits: the eleven leading bits of the microseconds, and how far they are shifted. */
enum { SEEN_NEVER = 0xffff, SEEN_UNTIMED = 0xfffe };
uint16_t graph_pack_us(int64_t us);
int64_t graph_unpack_us(uint16_t packed);

#endif
