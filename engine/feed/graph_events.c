#include "feed/graph_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const types[] = {"block", "adopt", "reorg", "final", "conflict", "gap", "stale"};

static const struct {
    const char *name, *text;
} codes[TFL_FEED_CODES] = {
    [TFL_FEED_NONE] = {"", ""},
    [TFL_FINAL_CONFLICT] = {"final_conflict", "two final blocks at one height"},
    [TFL_FINAL_UNDONE] = {"final_undone", "a final block was undone"},
    [TFL_BROKEN_LINK] = {"broken_link", "a block whose parent is not where it says"},
    [TFL_BAD_SLOT] = {"bad_slot", "a block whose slot is not above its parent's"},
    [TFL_FUTURE_BLOCK] = {"future_block", "a block from more than a slot ahead"},
    [TFL_OTHER_GENESIS] = {"other_genesis", "a node whose genesis is another"},
    [TFL_EARLY_FINAL] = {"early_final", "a block called final that is not deep enough"},
    [TFL_GAP_BACKFILL] = {"backfill", "the stream left blocks out; they are asked for"},
    [TFL_GAP_LOST] = {"lost", "the node does not answer; it is asked again"},
    [TFL_GAP_SILENT] = {"silent", "the node moved on and its stream did not say so"},
    [TFL_GAP_BAD] = {"bad_reply", "what the node sends cannot be read"},
    [TFL_GAP_UNKNOWN] = {"unknown_block", "the node does not have a block that it names"},
    [TFL_GAP_FULL] = {"full", "a bound is reached, blocks are dropped"},
};

const char *tfl_feed_type_string(enum tfl_feed_type type)
{
    return types[type];
}

const char *tfl_feed_code_string(enum tfl_feed_code code)
{
    return codes[code].name;
}

const char *tfl_feed_code_text(enum tfl_feed_code code)
{
    return codes[code].text;
}

static void add_id(struct json_object *o, const char *key, const struct tfl_gblock *b)
{
    char hex[TFL_HASH_HEX];
    if (b)
        json_object_object_add(
            o, key, json_object_new_string_len(tfl_hash_hex(hex, &b->id), TFL_HASH_HEX - 1));
}

/* The event for the record of the run; its time is the record's. */
static void tell_sink(struct tfl_graph *g, const struct tfl_feed_event *e, const char *message)
{
    struct json_object *o = json_object_new_object();
    const struct tfl_gblock *b = e->block;
    if (e->node != TFL_NO_NODE)
        json_object_object_add(o, "node", json_object_new_string(g->nodes[e->node].name));
    if (e->code)
        json_object_object_add(o, "code", json_object_new_string(codes[e->code].name));
    if (b && b->state != TFL_GBLOCK_HOLE)
        json_object_object_add(o, "slot", json_object_new_uint64(b->slot));
    if (b && b->state == TFL_GBLOCK_LINKED)
        json_object_object_add(o, "height", json_object_new_uint64(b->height));
    add_id(o, "id", b);
    if (e->type == TFL_FEED_BLOCK && b) {
        add_id(o, "parent", b->parent);
        json_object_object_add(o, "transactions", json_object_new_int64(b->n_txs));
    } else if (e->type == TFL_FEED_REORG) {
        json_object_object_add(o, "depth", json_object_new_int64(e->n));
        add_id(o, "from", e->other);
    } else if (e->type == TFL_FEED_FINAL) {
        json_object_object_add(o, "count", json_object_new_int64(e->n));
    } else if (e->type == TFL_FEED_CONFLICT) {
        add_id(o, "other", e->other);
    }
    if (message)
        json_object_object_add(o, "message", json_object_new_string(message));
    tfl_emit(g->params.sink, types[e->type], o);
}

void graph_emit(struct tfl_graph *g, const struct tfl_feed_event *event, const char *message)
{
    size_t kept = (size_t)(g->end - g->first);
    if (kept == g->cap_ring && kept < g->params.window) { /* not yet wrapped: number i lies at i */
        g->cap_ring = g->cap_ring ? 2 * g->cap_ring : 64;
        g->cap_ring = g->cap_ring < g->params.window ? g->cap_ring : g->params.window;
        g->ring = tfl_realloc(g->ring, g->cap_ring * sizeof *g->ring);
    } else if (kept == g->cap_ring) {
        g->first++;
    }
    g->ring[g->end % g->cap_ring] = *event;
    g->end++;
    if (g->params.sink)
        tell_sink(g, event, message);
    if (g->notify)
        g->notify(g->notify_arg);
}

void graph_conflict(struct tfl_graph *g, enum tfl_feed_code code, int node, const struct tfl_gblock *block,
    const struct tfl_gblock *other, struct tfl_when now, const char *fmt, ...)
{
    struct tfl_conflict c = {
        .code = code, .node = (uint16_t)node, .t_ns = now.t_ns, .block = block, .other = other};
    va_list ap;
    va_start(ap, fmt);
    // NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): it is, one line up
    vsnprintf(c.message, sizeof c.message, fmt, ap);
    va_end(ap);
    uint32_t index = (uint32_t)g->n_conflicts;
    if (g->n_conflicts < KEPT_CONFLICTS) {
        g->conflicts = tfl_realloc(g->conflicts, (g->n_conflicts + 1) * sizeof c);
        g->conflicts[g->n_conflicts++] = c;
    } else {
        index = UINT32_MAX;
    }
    g->counts.by_code[code]++;
    if (c.node < g->n_nodes)
        g->nodes[c.node].n_conflicts++;
    graph_emit(g,
        &(struct tfl_feed_event){.t_ns = now.t_ns,
            .type = TFL_FEED_CONFLICT,
            .code = (uint8_t)code,
            .node = c.node,
            .n = index,
            .block = block,
            .other = other},
        c.message);
}

void tfl_graph_gap(
    struct tfl_graph *g, int node, enum tfl_feed_code code, const char *message, struct tfl_when now)
{
    g->counts.by_code[code]++;
    if ((size_t)node < g->n_nodes) {
        struct tfl_graph_node *n = &g->nodes[node];
        n->n_gaps++;
        if (code == TFL_GAP_BAD && message && !n->unreadable)
            n->unreadable = tfl_strdup(message);
    }
    graph_emit(g,
        &(struct tfl_feed_event){.t_ns = now.t_ns,
            .type = TFL_FEED_GAP,
            .code = (uint8_t)code,
            .node = (size_t)node < g->n_nodes ? (uint16_t)node : TFL_NO_NODE},
        message);
}

void tfl_graph_on_events(struct tfl_graph *g, void (*fn)(void *arg), void *arg)
{
    g->notify = fn;
    g->notify_arg = arg;
}

size_t tfl_graph_conflicts(const struct tfl_graph *g, const struct tfl_conflict **list)
{
    *list = g->conflicts;
    return g->n_conflicts;
}

uint64_t tfl_graph_first(const struct tfl_graph *g)
{
    return g->first;
}

uint64_t tfl_graph_end(const struct tfl_graph *g)
{
    return g->end;
}

const struct tfl_feed_event *tfl_graph_event(const struct tfl_graph *g, uint64_t number)
{
    TFL_ASSERT(number >= g->first && number < g->end);
    return &g->ring[number % g->cap_ring];
}
