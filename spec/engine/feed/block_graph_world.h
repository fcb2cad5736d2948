#ifndef TFL_SPEC_BLOCK_GRAPH_WORLD_H
#define TFL_SPEC_BLOCK_GRAPH_WORLD_H

/* A graph, and short ways to tell it of blocks: shared by the specs of the block graph. */
#include "feed/block_graph.h"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SHARED __attribute__((unused)) static

SHARED struct tfl_graph *g;

SHARED int64_t clock_ms;

SHARED struct tfl_when now(void)
{
    return (struct tfl_when){clock_ms * 1000000, 1000000 + clock_ms};
}

/* Block n of a spec: n in the first bytes. 0 is genesis. */
SHARED struct tfl_hash id(unsigned n)
{
    struct tfl_hash h;
    memset(&h, 0x5a, sizeof h);
    h.b[0] = (uint8_t)n;
    h.b[1] = (uint8_t)(n >> 8);
    return h;
}

SHARED struct tfl_block_head head(unsigned n, unsigned parent, uint64_t slot)
{
    return (struct tfl_block_head){.id = id(n), .parent = id(parent), .slot = slot};
}

SHARED void block(int node, unsigned n, unsigned parent, uint64_t slot)
{
    struct tfl_block_head h = head(n, parent, slot);
    tfl_graph_block(g, node, &h, true, now());
}

SHARED void view(int node, unsigned tip, unsigned lib)
{
    struct tfl_hash t = id(tip), l = id(lib);
    tfl_graph_view(g, node, &t, &l, now());
}

SHARED void row(int node, unsigned n, unsigned parent, uint64_t slot, unsigned lib)
{
    block(node, n, parent, slot);
    view(node, n, lib);
}

SHARED const struct tfl_gblock *find(unsigned n)
{
    struct tfl_hash h = id(n);
    return tfl_graph_find(g, &h);
}

SHARED void make(struct tfl_graph_params params, int nodes)
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
    tfl_graph_genesis(g, TFL_NO_NODE, &genesis, now());
}

SHARED int setup(void **state)
{
    (void)state;
    make((struct tfl_graph_params){0}, 3);
    return 0;
}

SHARED int teardown(void **state)
{
    (void)state;
    tfl_graph_free(g);
    g = NULL;
    return 0;
}

/* The log as text: "B1 A1@0 R2@1/3 F4@0+2 Cbad_slot G…". */
SHARED const char *told(uint64_t from)
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

SHARED uint64_t conflicts(enum tfl_feed_code code)
{
    struct tfl_graph_counts c;
    tfl_graph_count(g, &c);
    return c.by_code[code];
}

#endif
