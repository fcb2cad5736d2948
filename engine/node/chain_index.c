#include "node/chain_index.h"

#include "base/buf.h"
#include "base/error.h"

#include <stdlib.h>
#include <string.h>

/* Where the search for an id begins; ids are hashes, so any of their bytes do. */
static uint32_t home(const struct tfl_index *ix, const struct tfl_hash *id)
{
    return (uint32_t)tfl_get_le(id->b, 4) & (ix->table_size - 1);
}

static void table_put(struct tfl_index *ix, uint32_t i)
{
    uint32_t at = home(ix, &ix->entries[i].id);
    while (ix->table[at] != TFL_INDEX_NONE)
        at = (at + 1) & (ix->table_size - 1);
    ix->table[at] = i;
}

static void grow(struct tfl_index *ix)
{
    if (ix->n == ix->cap) {
        ix->cap += ix->cap / 2 + 64; /* by half: a doubling wastes half of the room */
        ix->entries = tfl_realloc(ix->entries, ix->cap * sizeof *ix->entries);
    }
    if (ix->n >= ix->table_size / 4 * 3) {
        ix->table_size = ix->table_size ? ix->table_size * 2 : 128;
        free(ix->table);
        ix->table = tfl_alloc(ix->table_size * sizeof *ix->table);
        memset(ix->table, 0xff, ix->table_size * sizeof *ix->table);
        for (uint32_t i = 0; i < ix->n; i++)
            table_put(ix, i);
    }
}

static uint32_t append(
    struct tfl_index *ix, const struct tfl_hash *id, uint32_t parent, uint32_t height, uint64_t slot)
{
    TFL_ASSERT(ix->n < TFL_INDEX_NONE / 2);
    grow(ix);
    ix->entries[ix->n] =
        (struct tfl_index_entry){.id = *id, .slot = slot, .parent = parent, .height = height & INT32_MAX};
    table_put(ix, ix->n);
    return ix->n++;
}

/* Makes block i the tip: rewrites the main chain back to where the two meet, and moves the LIB. */
static void adopt(struct tfl_index *ix, uint32_t i, uint32_t *reorg)
{
    uint32_t height = ix->entries[i].height, old = tfl_index_tip_height(ix), at = i, lib = ix->lib;
    if (height >= ix->main_cap) {
        ix->main_cap = height + height / 2 + 64;
        ix->main = tfl_realloc(ix->main, ix->main_cap * sizeof *ix->main);
    }
    while (ix->entries[at].height > old || ix->main[ix->entries[at].height] != at) {
        ix->main[ix->entries[at].height] = at;
        at = ix->entries[at].parent;
    }
    *reorg = old - ix->entries[at].height;
    ix->tip = i;
    TFL_ASSERT(ix->main[ix->entries[lib].height] == lib); /* nothing final is ever undone */
    if (height > ix->k)
        ix->lib = ix->main[height - ix->k];
    TFL_ASSERT(ix->entries[ix->lib].height >= ix->entries[lib].height);
}

void tfl_index_init(struct tfl_index *ix, const struct tfl_hash *genesis, uint32_t k)
{
    TFL_ASSERT(k >= 1);
    *ix = (struct tfl_index){.k = k, .main_cap = 64};
    ix->main = tfl_alloc(ix->main_cap * sizeof *ix->main);
    ix->tip = ix->lib = ix->main[0] = append(ix, genesis, TFL_INDEX_NONE, 0, 0);
}

void tfl_index_done(struct tfl_index *ix)
{
    if (!ix)
        return;
    free(ix->entries);
    free(ix->table);
    free(ix->main);
    *ix = (struct tfl_index){0};
}

uint32_t tfl_index_find(const struct tfl_index *ix, const struct tfl_hash *id)
{
    uint32_t i;
    for (uint32_t at = home(ix, id); (i = ix->table[at]) != TFL_INDEX_NONE;
         at = (at + 1) & (ix->table_size - 1)) {
        if (tfl_hash_eq(&ix->entries[i].id, id))
            return i;
    }
    return TFL_INDEX_NONE;
}

bool tfl_index_canonical(const struct tfl_index *ix, uint32_t i)
{
    uint32_t height = ix->entries[i].height;
    return height <= tfl_index_tip_height(ix) && ix->main[height] == i;
}

uint32_t tfl_index_ancestor(const struct tfl_index *ix, uint32_t i, uint32_t height)
{
    TFL_ASSERT(height <= ix->entries[i].height);
    while (ix->entries[i].height > height) {
        if (tfl_index_canonical(ix, i))
            return ix->main[height];
        i = ix->entries[i].parent;
    }
    return i;
}

bool tfl_index_open(const struct tfl_index *ix, uint32_t i)
{
    uint32_t lib = tfl_index_lib_height(ix);
    return !ix->entries[i].bad && ix->entries[i].height >= lib && tfl_index_ancestor(ix, i, lib) == ix->lib;
}

uint32_t tfl_index_add(
    struct tfl_index *ix, const struct tfl_hash *id, uint32_t parent, uint64_t slot, uint32_t *reorg)
{
    TFL_ASSERT(parent < ix->n && slot > ix->entries[parent].slot);
    TFL_ASSERT(tfl_index_open(ix, parent) && tfl_index_find(ix, id) == TFL_INDEX_NONE);
    *reorg = 0;
    uint32_t i = append(ix, id, parent, ix->entries[parent].height + 1, slot);
    if (tfl_index_leads(ix, parent))
        adopt(ix, i, reorg);
    return i;
}

bool tfl_index_leads(const struct tfl_index *ix, uint32_t parent)
{
    return ix->entries[parent].height >= tfl_index_tip_height(ix);
}

void tfl_index_condemn(struct tfl_index *ix, uint32_t i)
{
    TFL_ASSERT(!tfl_index_canonical(ix, i));
    ix->entries[i].bad = 1;
    for (uint32_t child = i + 1; child < ix->n; child++) {
        if (ix->entries[ix->entries[child].parent].bad)
            ix->entries[child].bad = 1;
    }
}

uint32_t tfl_index_height_at_slot(const struct tfl_index *ix, uint64_t slot)
{
    uint32_t low = 0, high = tfl_index_tip_height(ix) + 1;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (ix->entries[ix->main[middle]].slot < slot)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint16_t tfl_index_locator(const struct tfl_index *ix, uint32_t i, struct tfl_hash *out, uint16_t max)
{
    uint16_t n = 0;
    uint32_t step = 1;
    for (;;) {
        uint32_t height = ix->entries[i].height;
        TFL_ASSERT(n < max);
        out[n++] = ix->entries[i].id;
        if (height == 0)
            return n;
        i = tfl_index_ancestor(ix, i, height > step ? height - step : 0);
        if (n >= 4)
            step *= 2;
    }
}
