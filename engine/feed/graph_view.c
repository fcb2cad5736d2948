#include "feed/graph_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool tfl_graph_is_ancestor(const struct tfl_gblock *a, const struct tfl_gblock *b)
{
    while (b && b->height > a->height)
        b = b->parent;
    return a == b;
}

const struct tfl_gblock *tfl_graph_meet(const struct tfl_gblock *a, const struct tfl_gblock *b)
{
    while (a && b && a != b) {
        if (a->height > b->height)
            a = a->parent;
        else if (b->height > a->height)
            b = b->parent;
        else
            a = a->parent, b = b->parent;
    }
    return a == b ? a : NULL;
}

int tfl_graph_find_node(const struct tfl_graph *g, const char *name)
{
    for (size_t i = 0; i < g->n_nodes; i++)
        if (strncmp(g->nodes[i].name, name, sizeof g->nodes[i].name - 1) == 0)
            return (int)i;
    return -1;
}

int tfl_graph_add_node(struct tfl_graph *g, const char *name)
{
    int found = tfl_graph_find_node(g, name);
    if (found >= 0 || g->n_nodes >= TFL_GRAPH_NODES)
        return found;
    if (g->n_nodes == g->cap_nodes) {
        g->cap_nodes = g->cap_nodes ? 2 * g->cap_nodes : 8;
        g->nodes = tfl_realloc(g->nodes, g->cap_nodes * sizeof *g->nodes);
    }
    struct tfl_graph_node *n = &g->nodes[g->n_nodes];
    *n = (struct tfl_graph_node){.stale = true, .last_heard_ns = -1};
    snprintf(n->name, sizeof n->name, "%s", name);
    return (int)g->n_nodes++;
}

size_t tfl_graph_nodes(const struct tfl_graph *g)
{
    return g->n_nodes;
}

const struct tfl_graph_node *tfl_graph_node(const struct tfl_graph *g, size_t node)
{
    return &g->nodes[node];
}

void tfl_graph_session(struct tfl_graph *g, int node, struct tfl_when now)
{
    struct tfl_graph_node *n = &g->nodes[node];
    n->stale = false;
    n->fresh = true;
    n->live_since_ns = now.t_ns;
    n->want_tip = n->want_lib = n->last_pending = n->refused = NULL; /* told by what may be gone */
    g->n_unsettled -= n->unsettled;
    n->unsettled = false;
}

void tfl_graph_fresh(struct tfl_graph *g, int node)
{
    g->nodes[node].fresh = true;
}

void tfl_graph_in_order(struct tfl_graph *g, int node)
{
    g->nodes[node].in_order = true;
}

void tfl_graph_stale(struct tfl_graph *g, int node, struct tfl_when now)
{
    struct tfl_graph_node *n = &g->nodes[node];
    if (n->stale)
        return;
    n->stale = true;
    graph_emit(g,
        &(struct tfl_feed_event){
            .t_ns = now.t_ns, .type = TFL_FEED_STALE, .node = (uint16_t)node, .block = n->tip},
        NULL);
}

uint16_t graph_pack_us(int64_t us)
{
    uint64_t m = us > 0 ? (uint64_t)us : 0;
    unsigned shift = 0;
    for (; m >= 2048; m >>= 1)
        shift++;
    return (uint16_t)((shift << 10) + m);
}

int64_t graph_unpack_us(uint16_t packed)
{
    if (packed < 2048)
        return packed;
    return (int64_t)((packed & 1023u) + 1024) << ((packed >> 10) - 1);
}

void graph_mark_seen(struct tfl_graph *g, struct tfl_gblock *b, int node, bool live, struct tfl_when now)
{
    if ((size_t)node >= b->n_seen) {
        size_t n = g->n_nodes;
        b->seen = tfl_realloc(b->seen, n * sizeof *b->seen);
        for (size_t i = b->n_seen; i < n; i++)
            b->seen[i] = SEEN_NEVER;
        b->n_seen = (uint16_t)n;
    }
    if (b->seen[node] != SEEN_NEVER)
        return;
    /* blocks of the time before this node was followed, and history, tell nothing of propagation */
    bool timed = live && b->first_node != TFL_NO_NODE && b->first_seen_ns >= g->nodes[node].live_since_ns;
    b->seen[node] = timed ? graph_pack_us((now.t_ns - b->first_seen_ns) / 1000) : SEEN_UNTIMED;
}

static void mark_final(struct tfl_graph *g, int node, struct tfl_gblock *b, struct tfl_when now)
{
    b->final = true;
    g->counts.final++;
    if (b->height >= g->cap_final) {
        size_t cap = g->cap_final;
        while (cap <= b->height)
            cap *= 2;
        g->final_at = tfl_realloc(g->final_at, cap * sizeof(struct tfl_gblock *));
        memset(g->final_at + g->cap_final, 0, (cap - g->cap_final) * sizeof(struct tfl_gblock *));
        g->cap_final = cap;
    }
    struct tfl_gblock *other = g->final_at[b->height];
    TFL_ASSERT(b->parent);      /* genesis is final from the start */
    if (b->parent->contested) { /* a consequence of what has been told */
        b->contested = true;
    } else if (!other) {
        g->final_at[b->height] = b;
        if (b->height > g->last_final->height)
            g->last_final = b;
    } else { /* here the branches part */
        b->contested = true;
        char here[TFL_HASH_HEX], there[TFL_HASH_HEX];
        graph_conflict(g, TFL_FINAL_CONFLICT, node, b, other, now,
            "two final blocks at height %llu: %.16s.. (slot %llu) and %.16s.. (slot %llu)",
            (unsigned long long)b->height, tfl_hash_hex(here, &b->id), (unsigned long long)b->slot,
            tfl_hash_hex(there, &other->id), (unsigned long long)other->slot);
    }
}

/* lib and all below it are final. Lowest first, so that a conflict is told where the branches part. */
static void finalize(struct tfl_graph *g, int node, struct tfl_gblock *lib, struct tfl_when now)
{
    struct tfl_gblock *b = lib, *above = NULL;
    while (b && !b->final) { /* `up` of linked blocks is free: it remembers the way back */
        b->up = above;
        above = b;
        b = b->parent;
    }
    for (b = above; b;) {
        struct tfl_gblock *next = b->up;
        b->up = NULL;
        mark_final(g, node, b, now);
        b = next;
    }
}

static void adopt(
    struct tfl_graph *g, int node, const struct tfl_gblock *tip, bool fresh, struct tfl_when now)
{
    struct tfl_graph_node *n = &g->nodes[node];
    const struct tfl_gblock *old = n->tip, *meet = old ? tfl_graph_meet(old, tip) : NULL;
    n->tip = tip;
    if (meet != old &&
        !(fresh && meet == tip)) { /* a node that starts again may be behind: no reorganisation */
        uint64_t depth = old->height - meet->height;
        n->n_reorgs++;
        g->counts.reorgs++;
        n->max_reorg = depth > n->max_reorg ? depth : n->max_reorg;
        g->counts.max_reorg = depth > g->counts.max_reorg ? depth : g->counts.max_reorg;
        graph_emit(g,
            &(struct tfl_feed_event){.t_ns = now.t_ns,
                .type = TFL_FEED_REORG,
                .node = (uint16_t)node,
                .n = (uint32_t)depth,
                .block = tip,
                .other = old},
            NULL);
    }
    graph_emit(g,
        &(struct tfl_feed_event){
            .t_ns = now.t_ns, .type = TFL_FEED_ADOPT, .node = (uint16_t)node, .block = tip},
        NULL);
}

static bool undone(const struct tfl_gblock *old, const struct tfl_gblock *now_at, bool fresh)
{
    return !tfl_graph_is_ancestor(old, now_at) && !(fresh && tfl_graph_is_ancestor(now_at, old));
}

/* A LIB moves to what is k below the tip. Where it stands when a node starts again says nothing; and one less is forgiven, since
 * whether the tip itself counts is for the node to say. */
static void check_depth(struct tfl_graph *g, int node, const struct tfl_gblock *tip,
    const struct tfl_gblock *lib, struct tfl_when now)
{
    uint64_t k = g->params.security_param;
    if (k && lib->height + k > tip->height + 1 && tfl_graph_is_ancestor(lib, tip))
        graph_conflict(g, TFL_EARLY_FINAL, node, lib, tip, now,
            "LIB moved to height %llu, %llu below the tip (%llu); blocks are final %llu below it",
            (unsigned long long)lib->height, (unsigned long long)(tip->height - lib->height),
            (unsigned long long)tip->height, (unsigned long long)k);
}

/* All ancestors of a linked tip are linked: a LIB that is not cannot be one of them. Told once for each such LIB. */
static void check_stray(struct tfl_graph *g, int node, const struct tfl_gblock *tip,
    const struct tfl_gblock *lib, struct tfl_when now)
{
    struct tfl_graph_node *n = &g->nodes[node];
    char hex[TFL_HASH_HEX];
    if (!g->knows_genesis || tip->state != TFL_GBLOCK_LINKED || lib->state == TFL_GBLOCK_LINKED ||
        tfl_hash_eq(&n->stray_lib, &lib->id))
        return;
    n->stray_lib = lib->id;
    graph_conflict(g, TFL_FINAL_UNDONE, node, tip, lib, now,
        "LIB %.16s.. is not on its own chain (height %llu)", tfl_hash_hex(hex, &lib->id),
        (unsigned long long)tip->height);
}

/* The node's tip and LIB are these, both linked. */
static void apply(
    struct tfl_graph *g, int node, struct tfl_gblock *tip, struct tfl_gblock *lib, struct tfl_when now)
{
    struct tfl_graph_node *n = &g->nodes[node];
    const struct tfl_gblock *old_tip = n->tip, *old = n->lib;
    bool fresh = n->fresh;
    n->fresh = false;
    /* An answer that is only older than what the node has said (a proxy, a slow stream) undoes nothing. */
    bool lower = !fresh && old && lib != old && tfl_graph_is_ancestor(lib, old);
    if (lower && !n->in_order)
        return;
    if (tip != old_tip)
        adopt(g, node, tip, fresh, now);
    if (lib != old && !lower) {
        n->lib = lib;
        if (old && !fresh)
            check_depth(g, node, tip, lib, now);
        finalize(g, node, lib, now);
        uint64_t from = old && tfl_graph_is_ancestor(old, lib) ? old->height : 0;
        if (lib->height > from)
            graph_emit(g,
                &(struct tfl_feed_event){.t_ns = now.t_ns,
                    .type = TFL_FEED_FINAL,
                    .node = (uint16_t)node,
                    .n = (uint32_t)(lib->height - from),
                    .block = lib},
                NULL);
    }
    if (old && lib != old && !lower && undone(old, lib, fresh))
        graph_conflict(g, TFL_FINAL_UNDONE, node, lib, old, now,
            "LIB moved from height %llu to height %llu of another chain", (unsigned long long)old->height,
            (unsigned long long)lib->height);
    else if (old && tip != old_tip && undone(old, tip, fresh))
        graph_conflict(g, TFL_FINAL_UNDONE, node, tip, old, now,
            "adopted a chain of height %llu without its final block of height %llu",
            (unsigned long long)tip->height, (unsigned long long)old->height);
    else if ((tip != old_tip || lib != old) && !tfl_graph_is_ancestor(lib, tip))
        graph_conflict(g, TFL_FINAL_UNDONE, node, lib, tip, now,
            "LIB of height %llu is not on its own chain (height %llu)", (unsigned long long)lib->height,
            (unsigned long long)tip->height);
}

static void settle(struct tfl_graph *g, int node, struct tfl_when now)
{
    struct tfl_graph_node *n = &g->nodes[node];
    struct tfl_gblock *tip = n->want_tip, *lib = n->want_lib;
    bool ready = tip->state == TFL_GBLOCK_LINKED && lib->state == TFL_GBLOCK_LINKED;
    if (ready == n->unsettled) {
        n->unsettled = !ready;
        g->n_unsettled = ready ? g->n_unsettled - 1 : g->n_unsettled + 1;
    }
    if (!ready) {
        check_stray(g, node, tip, lib, now);
        return;
    }
    n->want_tip = n->want_lib = NULL;
    apply(g, node, tip, lib, now);
}

void graph_settle(struct tfl_graph *g, struct tfl_when now)
{
    for (size_t i = 0; g->n_unsettled && i < g->n_nodes; i++)
        if (g->nodes[i].unsettled)
            settle(g, (int)i, now);
}

void tfl_graph_view(struct tfl_graph *g, int node, const struct tfl_hash *tip, const struct tfl_hash *lib,
    struct tfl_when now)
{
    struct tfl_graph_node *n = &g->nodes[node];
    struct tfl_gblock *t = graph_intern(g, node, tip, now), *l = t ? graph_intern(g, node, lib, now) : NULL;
    n->last_heard_ns = now.t_ns;
    if (!l)
        return;
    n->want_tip = t;
    n->want_lib = l;
    settle(g, node, now);
}

const struct tfl_gblock *tfl_graph_common(const struct tfl_graph *g, const bool *nodes, size_t *unknown)
{
    const struct tfl_gblock *common = NULL;
    size_t missing = 0;
    for (size_t i = 0; i < g->n_nodes; i++) {
        const struct tfl_graph_node *n = &g->nodes[i];
        if (nodes ? !nodes[i] : n->stale)
            continue;
        if (!n->tip)
            missing++;
        else
            common = common ? tfl_graph_meet(common, n->tip) : n->tip;
    }
    if (unknown)
        *unknown = missing;
    return missing ? NULL : common;
}
