#ifndef TFL_NODE_CHAIN_INDEX_H
#define TFL_NODE_CHAIN_INDEX_H

#include "chain/hash.h"

/* All blocks a node knows, without their bodies, and the fork choice: the longest chain, the first seen when two are as
 * long; the LIB is k below the tip (genesis while the chain is shorter), and never moves back. About 70 bytes a block.
 * Blocks are numbered in the order they were added (genesis is 0), so a parent's number is below its children's. */
#define TFL_INDEX_NONE UINT32_MAX

struct tfl_index_entry {
    struct tfl_hash id;
    uint64_t slot;
    uint32_t parent;      /* genesis: TFL_INDEX_NONE */
    uint32_t height : 31; /* genesis: 0 */
    uint32_t bad : 1;     /* its transactions, or those of an ancestor, cannot be applied */
};
struct tfl_index {
    struct tfl_index_entry *entries; /* owned */
    uint32_t *table;                 /* owned; open addressing by id, TFL_INDEX_NONE is free */
    uint32_t *main;                  /* owned; the chain of the tip: block number by height */
    uint32_t n, cap, table_size, main_cap;
    uint32_t tip, lib, k;
};

void tfl_index_init(struct tfl_index *ix, const struct tfl_hash *genesis, uint32_t k);
void tfl_index_done(struct tfl_index *ix);

uint32_t tfl_index_find(
    const struct tfl_index *ix, const struct tfl_hash *id); /* TFL_INDEX_NONE when unknown */
/* A child of this block would descend from the LIB (or the block is the LIB), and no ancestor of it is bad. */
bool tfl_index_open(const struct tfl_index *ix, uint32_t i);
/* Adds an unknown block with an open parent and a slot above the parent's; may move tip and LIB. *reorg (not NULL) is
 * the number of blocks that left the main chain. */
uint32_t tfl_index_add(
    struct tfl_index *ix, const struct tfl_hash *id, uint32_t parent, uint64_t slot, uint32_t *reorg);

/* A child of this block would be the tip. */
bool tfl_index_leads(const struct tfl_index *ix, uint32_t parent);
/* Marks a block that is not on the main chain, and all that descend from it, as bad. Looks at all blocks after it. */
void tfl_index_condemn(struct tfl_index *ix, uint32_t i);

bool tfl_index_canonical(const struct tfl_index *ix, uint32_t i);
/* The ancestor of i (or i itself) at a height not above its own. */
uint32_t tfl_index_ancestor(const struct tfl_index *ix, uint32_t i, uint32_t height);
/* The least height of the main chain whose slot is >= slot; the tip's + 1 when there is none. */
uint32_t tfl_index_height_at_slot(const struct tfl_index *ix, uint64_t slot);
/* Ids from block i back to genesis, at growing distances: at most max (>= 40), newest first; how many. */
uint16_t tfl_index_locator(const struct tfl_index *ix, uint32_t i, struct tfl_hash *out, uint16_t max);

static inline uint32_t tfl_index_tip_height(const struct tfl_index *ix)
{
    return ix->entries[ix->tip].height;
}
static inline uint32_t tfl_index_lib_height(const struct tfl_index *ix)
{
    return ix->entries[ix->lib].height;
}

#endif
