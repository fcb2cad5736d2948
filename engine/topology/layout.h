#ifndef TFL_TOPOLOGY_LAYOUT_H
#define TFL_TOPOLOGY_LAYOUT_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The graph of peer connections of a cluster: who dials whom, and what follows from it. Undirected and simple
 * (no self loop, no double edge); an edge is one connection, dialled by the node with the higher index, so
 * that the first nodes wait for nobody. Same request, same graph, on every machine. */

#define TFL_LAYOUT_MAX_NODES                                                                                 \
    2048 /* keeps the adjacency bitmap under half a megabyte, the diameter under a second */

enum tfl_shape {
    TFL_SHAPE_STAR,      /* node 0 is the hub */
    TFL_SHAPE_CHAIN,     /* 0 - 1 - 2 - … */
    TFL_SHAPE_RING,      /* a chain whose ends are joined; with two nodes a chain */
    TFL_SHAPE_FULL,      /* every pair */
    TFL_SHAPE_K_REGULAR, /* random, every node has k edges, connected; drawn from the seed */
    TFL_SHAPE_CUSTOM     /* the given list */
};

struct tfl_edge {
    uint32_t dialer, listener; /* dialer > listener */
};

struct tfl_layout_request {
    enum tfl_shape shape;
    size_t n_nodes;
    size_t k;                     /* K_REGULAR only */
    const struct tfl_edge *edges; /* CUSTOM only, borrowed: either order of ends, doubles are merged */
    size_t n_edges;
    uint64_t seed; /* K_REGULAR only */
};

struct tfl_layout {
    size_t n_nodes, n_edges;
    struct tfl_edge *edges; /* owned; sorted by dialer, then listener */
    uint32_t *degree;       /* owned; one for each node */
    bool connected;         /* a single node is connected */
    size_t diameter;        /* hops between the two farthest nodes; 0 when not connected */
};

/* Fills g, which must be zero or done. TFL_E_BAD_CONFIG with what to change: no nodes or too many, k that is
 * 0, not below the number of nodes, or odd with an odd number of nodes (a regular graph of degree 1 joins two
 * nodes only), an edge that names a node which is not there or joins a node with itself. A custom graph that
 * is not connected is no error here: g->connected tells. */
int tfl_layout_build(struct tfl_layout *g, const struct tfl_layout_request *request, struct tfl_error *err);
void tfl_layout_done(struct tfl_layout *g); /* NULL-safe; g is zero afterwards */

/* "star", "chain", "ring", "full", "k_regular", "custom"; false for any other name. */
bool tfl_shape_parse(const char *name, enum tfl_shape *shape);
const char *tfl_shape_name(enum tfl_shape shape);

#endif
