#ifndef TFL_NODE_TX_INDEX_H
#define TFL_NODE_TX_INDEX_H

#include "chain/hash.h"

/* Where the transactions of the main chain are: 12 bytes and some room for each. A transaction is told by the first 64
 * bits of its hash: who needs to be sure looks into the block. */
struct tfl_tx_index {
    uint64_t *keys; /* owned; open addressing; 0 is free (a hash that begins with eight zeros counts as 1) */
    uint32_t *heights; /* owned */
    uint32_t n, size;
};

void tfl_tx_index_done(struct tfl_tx_index *ix); /* zero-initialised is empty and valid */
void tfl_tx_index_put(struct tfl_tx_index *ix, const struct tfl_hash *hash, uint32_t height);
void tfl_tx_index_remove(struct tfl_tx_index *ix, const struct tfl_hash *hash); /* not there: nothing */
bool tfl_tx_index_find(const struct tfl_tx_index *ix, const struct tfl_hash *hash, uint32_t *height);

#endif
