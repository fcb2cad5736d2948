#include "node/tx_index.h"

#include "base/buf.h"
#include "base/error.h"

#include <stdlib.h>

static uint64_t key_of(const struct tfl_hash *hash)
{
    uint64_t key = tfl_get_le(hash->b, 8);
    return key ? key : 1;
}

/* Where the key is, or the free place where it would be. */
static uint32_t seek(const struct tfl_tx_index *ix, uint64_t key)
{
    uint32_t at = (uint32_t)key & (ix->size - 1);
    while (ix->keys[at] && ix->keys[at] != key)
        at = (at + 1) & (ix->size - 1);
    return at;
}

static void grow(struct tfl_tx_index *ix)
{
    struct tfl_tx_index old = *ix;
    TFL_ASSERT(old.size <= UINT32_MAX / 2);
    ix->size = old.size ? 2 * old.size : 64;
    ix->keys = tfl_alloc(ix->size * sizeof *ix->keys);
    ix->heights = tfl_alloc(ix->size * sizeof *ix->heights);
    for (uint32_t i = 0; i < old.size; i++) {
        if (!old.keys[i])
            continue;
        uint32_t at = seek(ix, old.keys[i]);
        ix->keys[at] = old.keys[i];
        ix->heights[at] = old.heights[i];
    }
    free(old.keys);
    free(old.heights);
}

void tfl_tx_index_done(struct tfl_tx_index *ix)
{
    free(ix->keys);
    free(ix->heights);
    *ix = (struct tfl_tx_index){0};
}

void tfl_tx_index_put(struct tfl_tx_index *ix, const struct tfl_hash *hash, uint32_t height)
{
    if (ix->n >= ix->size / 4 * 3)
        grow(ix);
    uint32_t at = seek(ix, key_of(hash));
    ix->n += !ix->keys[at];
    ix->keys[at] = key_of(hash);
    ix->heights[at] = height;
}

void tfl_tx_index_remove(struct tfl_tx_index *ix, const struct tfl_hash *hash)
{
    uint32_t mask = ix->size - 1, hole = ix->n ? seek(ix, key_of(hash)) : 0;
    if (ix->n == 0 || !ix->keys[hole])
        return;
    ix->n--;
    /* what follows moves up, unless its search begins behind the hole */
    for (uint32_t at = (hole + 1) & mask; ix->keys[at]; at = (at + 1) & mask) {
        uint32_t home = (uint32_t)ix->keys[at] & mask;
        if (((at - home) & mask) < ((at - hole) & mask))
            continue;
        ix->keys[hole] = ix->keys[at];
        ix->heights[hole] = ix->heights[at];
        hole = at;
    }
    ix->keys[hole] = 0;
}

bool tfl_tx_index_find(const struct tfl_tx_index *ix, const struct tfl_hash *hash, uint32_t *height)
{
    if (ix->n == 0)
        return false;
    uint32_t at = seek(ix, key_of(hash));
    *height = ix->heights[at];
    return ix->keys[at] != 0;
}
