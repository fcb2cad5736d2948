#include "feed/graph_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tfl_gblock *graph_find(const struct tfl_graph *g, const struct tfl_hash *id)
{
    struct entry *e;
    HASH_FIND(hh, g->table, id, sizeof *id, e);
    return e ? &e->b : NULL;
}

static void full(struct tfl_graph *g, int node, const char *what, size_t bound, struct tfl_when now)
{
    char message[128];
    if (g->said_full)
        return;
    g->said_full = true;
    snprintf(message, sizeof message, "more than %zu %s; further ones are dropped", bound, what);
    tfl_graph_gap(g, node, TFL_GAP_FULL, message, now);
}

struct tfl_gblock *graph_intern(struct tfl_graph *g, int node, const struct tfl_hash *id, struct tfl_when now)
{
    struct tfl_gblock *b = graph_find(g, id);
    if (b)
        return b;
    if (HASH_COUNT(g->table) >= g->params.max_blocks) {
        full(g, node, "blocks", g->params.max_blocks, now);
        return NULL;
    }
    if (g->counts.pending >= g->params.max_pending) {
        full(g, node, "blocks without all their ancestors", g->params.max_pending, now);
        return NULL;
    }
    struct entry *e = tfl_alloc(sizeof *e);
    e->b.id = *id;
    e->b.first_node = TFL_NO_NODE;
    HASH_ADD(hh, g->table, b.id, sizeof e->b.id, e);
    g->counts.pending++;
    return &e->b;
}

static void set_root(struct tfl_graph *g, struct tfl_gblock *b, struct tfl_when now)
{
    g->root = g->last_final = b;
    if (b->state != TFL_GBLOCK_LINKED)
        g->counts.pending--;
    b->state = TFL_GBLOCK_LINKED;
    b->height = 0;
    b->final = true;
    g->cap_final = 64;
    g->final_at = tfl_alloc(g->cap_final * sizeof(struct tfl_gblock *));
    g->final_at[0] = b;
    graph_emit(g,
        &(struct tfl_feed_event){.t_ns = now.t_ns, .type = TFL_FEED_BLOCK, .node = b->first_node, .block = b},
        NULL);
}

/* b's parent is linked: so is b. */
static void link_one(struct tfl_graph *g, struct tfl_gblock *b, struct tfl_when now)
{
    b->state = TFL_GBLOCK_LINKED;
    b->height = b->parent->height + 1;
    g->counts.pending--;
    g->counts.blocks++;
    if (b->height > g->best_height)
        g->best_height = b->height;
    graph_emit(g,
        &(struct tfl_feed_event){.t_ns = now.t_ns, .type = TFL_FEED_BLOCK, .node = b->first_node, .block = b},
        NULL);
    if (b->slot <= b->parent->slot)
        graph_conflict(g, TFL_BAD_SLOT, b->first_node, b, b->parent, now,
            "slot %llu, its parent has slot %llu", (unsigned long long)b->slot,
            (unsigned long long)b->parent->slot);
}

/* Links what waited for b, in depth first order; the tree itself is the stack. */
static void link_below(struct tfl_graph *g, struct tfl_gblock *top, struct tfl_when now)
{
    struct tfl_gblock *b = top;
    while (b->child || b != top) {
        if (b->child && b->child->state != TFL_GBLOCK_LINKED) {
            b = b->child;
            link_one(g, b, now);
            if (b->child)
                continue;
        }
        while (b != top && !b->sibling)
            b = b->parent;
        if (b == top)
            break;
        b = b->sibling;
        link_one(g, b, now);
    }
}

static bool is_root(const struct tfl_graph *g, const struct tfl_block_head *head)
{
    return !g->root &&
           (head->slot == 0 || tfl_hash_is_zero(&head->parent) || tfl_hash_eq(&head->parent, &head->id));
}

static void check_future(struct tfl_graph *g, int node, struct tfl_gblock *b, struct tfl_when now)
{
    const struct tfl_graph_params *p = &g->params;
    if (p->genesis_time_ms <= 0 || p->slot_ms <= 0)
        return;
    int64_t since = now.wall_ms - p->genesis_time_ms;
    uint64_t slot = since < 0 ? 0 : (uint64_t)(since / p->slot_ms);
    if (b->slot > slot + 1)
        graph_conflict(g, TFL_FUTURE_BLOCK, node, b, NULL, now, "slot %llu, heard of in slot %llu",
            (unsigned long long)b->slot, (unsigned long long)slot);
}

/* As far as both are known: hashes that a node did not tell are zeros, and those beyond a bound are not kept. */
static bool same_txs(const struct tfl_gblock *b, const struct tfl_block_head *head)
{
    if (b->n_txs != head->n_txs)
        return false;
    for (uint32_t i = 0; b->txs && head->txs && i < b->n_txs; i++)
        if (!tfl_hash_is_zero(&b->txs[i]) && !tfl_hash_is_zero(&head->txs[i]) &&
            !tfl_hash_eq(&b->txs[i], &head->txs[i]))
            return false;
    return true;
}

/* One id, two contents: an id is a hash of parent and slot among others. */
static void check_same(struct tfl_graph *g, int node, struct tfl_gblock *b, const struct tfl_block_head *head,
    struct tfl_when now)
{
    if (b == g->root || b->contradicted || !b->parent)
        return;
    bool placed = b->slot == head->slot && tfl_hash_eq(&b->parent->id, &head->parent);
    if (placed && same_txs(b, head))
        return;
    b->contradicted = true;
    if (placed) {
        graph_conflict(g, TFL_BROKEN_LINK, node, b, b->parent, now,
            "told with other transactions than before (%u, before %u)", (unsigned)head->n_txs,
            (unsigned)b->n_txs);
        return;
    }
    graph_conflict(g, TFL_BROKEN_LINK, node, b, b->parent, now,
        "told with slot %llu and another parent or slot than before (slot %llu)",
        (unsigned long long)head->slot, (unsigned long long)b->slot);
}

/* Puts b under its parent; false when that cannot be. */
static bool attach(
    struct tfl_graph *g, int node, struct tfl_gblock *b, const struct tfl_hash *parent, struct tfl_when now)
{
    if (tfl_hash_is_zero(parent) || tfl_hash_eq(parent, &b->id)) {
        graph_conflict(g, TFL_BROKEN_LINK, node, b, NULL, now, "%s, and it is not this chain's genesis",
            tfl_hash_is_zero(parent) ? "it has no parent" : "it is its own parent");
        return false;
    }
    struct tfl_gblock *p = graph_intern(g, node, parent, now);
    if (!p)
        return false;
    b->parent = b->up = p;
    b->sibling = p->child;
    p->child = b;
    return true;
}

static void keep_txs(struct tfl_graph *g, int node, struct tfl_gblock *b, const struct tfl_block_head *head,
    struct tfl_when now)
{
    b->n_txs = head->n_txs;
    if (!head->n_txs || !head->txs)
        return;
    if (g->counts.txs + head->n_txs > g->params.max_txs) {
        full(g, node, "hashes of transactions", g->params.max_txs, now);
        return;
    }
    b->txs = tfl_alloc(head->n_txs * sizeof *b->txs);
    memcpy(b->txs, head->txs, head->n_txs * sizeof *b->txs);
    g->counts.txs += head->n_txs;
}

void tfl_graph_block(
    struct tfl_graph *g, int node, const struct tfl_block_head *head, bool live, struct tfl_when now)
{
    struct tfl_graph_node *n = &g->nodes[node];
    struct tfl_gblock *b = graph_intern(g, node, &head->id, now);
    n->n_rows++;
    n->last_heard_ns = now.t_ns;
    if (!b)
        return;
    if (b->state != TFL_GBLOCK_HOLE) {
        check_same(g, node, b, head, now);
        graph_mark_seen(g, b, node, live, now);
        return;
    }
    b->slot = head->slot;
    keep_txs(g, node, b, head, now);
    b->first_seen_ns = now.t_ns;
    b->first_node = (uint16_t)node;
    graph_mark_seen(g, b, node, false, now);
    if (is_root(g, head)) {
        set_root(g, b, now);
    } else {
        b->state = TFL_GBLOCK_PENDING;
        check_future(g, node, b, now);
        n->last_pending = b;
        if (!attach(g, node, b, &head->parent, now))
            return;
        if (b->parent->state == TFL_GBLOCK_LINKED)
            link_one(g, b, now);
        else if (live)
            tfl_graph_gap(g, node, TFL_GAP_BACKFILL, NULL, now);
    }
    if (b->state == TFL_GBLOCK_LINKED) {
        link_below(g, b, now);
        graph_settle(g, now);
    }
}

void tfl_graph_seen(struct tfl_graph *g, int node, const struct tfl_hash *id, bool live, struct tfl_when now)
{
    struct tfl_gblock *b = graph_find(g, id);
    g->nodes[node].n_rows++;
    g->nodes[node].last_heard_ns = now.t_ns;
    if (b)
        graph_mark_seen(g, b, node, live, now);
}

static void check_genesis(struct tfl_graph *g, int node, const struct tfl_hash *id, struct tfl_when now)
{
    char expected[TFL_HASH_HEX], seen[TFL_HASH_HEX];
    if ((size_t)node >= g->n_nodes || g->nodes[node].other_genesis || tfl_hash_eq(id, &g->root->id))
        return;
    g->nodes[node].other_genesis = true;
    graph_conflict(g, TFL_OTHER_GENESIS, node, g->root, NULL, now, "genesis_id: expected %s, saw %s",
        tfl_hash_hex(expected, &g->root->id), tfl_hash_hex(seen, id));
}

void tfl_graph_genesis(struct tfl_graph *g, int node, const struct tfl_hash *id, struct tfl_when now)
{
    if (tfl_hash_is_zero(id))
        return;
    if (g->root) {
        check_genesis(g, node, id, now);
        return;
    }
    struct tfl_gblock *b = graph_intern(g, 0, id, now);
    if (!b || b->state == TFL_GBLOCK_PENDING)
        return;
    g->knows_genesis = true;
    set_root(g, b, now);
    link_below(g, b, now);
    graph_settle(g, now);
}

/* The hole that b's ancestors end in; NULL when they end otherwise. Paths are shortened on the way. */
static struct tfl_gblock *hole_below(struct tfl_gblock *b)
{
    if (!b || b->state == TFL_GBLOCK_LINKED)
        return NULL;
    struct tfl_gblock *end = b;
    for (size_t i = 0; end->state == TFL_GBLOCK_PENDING; i++) {
        if (!end->up || i > (1u << 20)) /* a circle that a node made up */
            return NULL;
        if (end->up->up && end->up->state == TFL_GBLOCK_PENDING)
            end->up = end->up->up;
        end = end->up;
    }
    return end->state == TFL_GBLOCK_HOLE ? end : NULL;
}

const struct tfl_hash *tfl_graph_hole(struct tfl_graph *g, int node)
{
    struct tfl_graph_node *n = &g->nodes[node];
    struct tfl_gblock *wanted[] = {n->want_tip, n->want_lib, n->last_pending};
    for (size_t i = 0; i < TFL_LEN(wanted); i++) {
        struct tfl_gblock *hole = hole_below(wanted[i]);
        if (hole && hole != n->refused)
            return &hole->id;
    }
    return NULL;
}

void tfl_graph_refused(struct tfl_graph *g, int node, const struct tfl_hash *id, struct tfl_when now)
{
    struct tfl_graph_node *n = &g->nodes[node];
    struct tfl_gblock *hole = graph_find(g, id);
    char hex[TFL_HASH_HEX], message[160];
    if (!hole || hole->state != TFL_GBLOCK_HOLE || n->refused == hole)
        return;
    n->refused = hole;
    if (hole->child) {
        graph_conflict(g, TFL_BROKEN_LINK, node, hole->child, hole, now,
            "the node does not have its parent %.16s..", tfl_hash_hex(hex, id));
        return;
    }
    snprintf(message, sizeof message,
        "the node does not have block %.16s.., which it names as its tip or LIB", tfl_hash_hex(hex, id));
    tfl_graph_gap(g, node, TFL_GAP_UNKNOWN, message, now);
}

struct tfl_graph *tfl_graph_new(const struct tfl_graph_params *params)
{
    struct tfl_graph *g = tfl_alloc(sizeof *g);
    g->params = *params;
    g->params.max_blocks = params->max_blocks ? params->max_blocks : 1u << 20;
    g->params.max_pending = params->max_pending ? params->max_pending : 65536;
    g->params.window = params->window ? params->window : 65536;
    g->params.max_txs = params->max_txs ? params->max_txs : 1u << 24;
    return g;
}

void tfl_graph_free(struct tfl_graph *g)
{
    if (!g)
        return;
    struct entry *e = g->table, *next;
    HASH_CLEAR(hh, g->table); /* the table goes, the entries are still a list */
    for (; e; e = next) {
        next = e->hh.next;
        free(e->b.seen);
        free(e->b.txs);
        free(e);
    }
    for (size_t i = 0; i < g->n_nodes; i++)
        free(g->nodes[i].unreadable);
    free(g->final_at);
    free(g->nodes);
    free(g->ring);
    free(g->conflicts);
    free(g);
}

const struct tfl_gblock *tfl_graph_find(const struct tfl_graph *g, const struct tfl_hash *id)
{
    return graph_find(g, id);
}

bool tfl_graph_knows(const struct tfl_graph *g, const struct tfl_hash *id)
{
    const struct tfl_gblock *b = graph_find(g, id);
    return b && b->state != TFL_GBLOCK_HOLE;
}

const struct tfl_gblock *tfl_graph_root(const struct tfl_graph *g)
{
    return g->root;
}

const struct tfl_gblock *tfl_graph_head(const struct tfl_graph *g)
{
    const struct tfl_gblock *head = NULL, *any = NULL;
    for (size_t i = 0; i < g->n_nodes; i++) {
        const struct tfl_gblock *tip = g->nodes[i].tip;
        if (tip && (!any || tip->height > any->height))
            any = tip;
        if (tip && !g->nodes[i].stale && (!head || tip->height > head->height))
            head = tip;
    }
    return head ? head : any;
}

size_t tfl_graph_find_tx(
    const struct tfl_graph *g, const struct tfl_hash *hash, const struct tfl_gblock **out, size_t max)
{
    size_t n = 0;
    for (const struct entry *e = g->table; e; e = e->hh.next) {
        if (e->b.state != TFL_GBLOCK_LINKED)
            continue;
        for (uint32_t i = 0; e->b.txs && i < e->b.n_txs; i++)
            if (tfl_hash_eq(&e->b.txs[i], hash)) {
                if (n < max)
                    out[n] = &e->b;
                n++;
                break;
            }
    }
    return n;
}

uint64_t tfl_graph_best_height(const struct tfl_graph *g)
{
    return g->best_height;
}

const struct tfl_gblock *tfl_graph_last_final(const struct tfl_graph *g)
{
    return g->last_final;
}

void tfl_graph_count(const struct tfl_graph *g, struct tfl_graph_counts *counts)
{
    *counts = g->counts;
}
