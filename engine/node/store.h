#ifndef TFL_NODE_STORE_H
#define TFL_NODE_STORE_H

#include "base/buf.h"
#include "node/node_core.h"

/* The blocks of a node and the transactions that wait, on disk: one SQLite file in its base folder. One process at a time: a second one is refused.
 *
 * Writes of one turn of the loop are one transaction (put … put, commit). A reader in the same process sees them at
 * once; SIGKILL loses at most the transaction that is open, so that what is left is always a prefix of what was
 * stored, parents first, hence a valid chain. WAL with synchronous=NORMAL is as safe against a killed process as FULL
 * (what was written is in the kernel's cache); only a host that loses power may lose the last commits, and those
 * blocks are fetched from the peers again. */
struct tfl_store;

/* Opens or makes folder/chain.sqlite. TFL_E_IO, TFL_E_NO_SPACE, TFL_E_STATE (another process has it) name the file. A
 * store of another chain (genesis) is TFL_E_BAD_CONFIG. */
struct tfl_store *tfl_store_open(const char *folder, const struct tfl_hash *genesis, struct tfl_error *err);
void tfl_store_close(struct tfl_store *s); /* commits; NULL-safe */

/* Calls each for every stored block in the order they were put. A row whose bytes are no block or hash to another id is
 * ignored and removed, and so is one that each refuses (-1): its parent was. *ignored counts them. Call it before put. */
int tfl_store_restore(struct tfl_store *s, int (*each)(void *arg, const void *block, size_t len), void *arg,
    uint64_t *ignored, struct tfl_error *err);

/* Looks whether the file is sound, changing nothing: SQLite's own integrity check; each block hashes to its id, and its parent is
 * genesis or was put before it. *blocks and *txs count what is there. TFL_E_IO says what is wrong. */
int tfl_store_check(struct tfl_store *s, const struct tfl_hash *genesis, uint64_t *blocks, uint64_t *txs,
    struct tfl_error *err);

/* Stores the encoded bytes of a block; the same id again changes nothing. Opens a transaction if none is open. */
int tfl_store_put(struct tfl_store *s, const struct tfl_core_header *block, const void *data, size_t len,
    struct tfl_error *err);
bool tfl_store_dirty(const struct tfl_store *s); /* puts that are not committed yet */
int tfl_store_commit(struct tfl_store *s, struct tfl_error *err);

/* The mempool, in the same transactions of the loop's turns. put and drop carry out TFL_CORE_TX and TFL_CORE_TXS_GONE
 * (seqs: n bytes, u64le each). restore calls each for every one in the order of seq, and removes those it refuses. */
int tfl_store_put_tx(
    struct tfl_store *s, const struct tfl_core_tx *tx, const void *data, size_t len, struct tfl_error *err);
int tfl_store_drop_txs(struct tfl_store *s, const uint8_t *seqs, size_t n, struct tfl_error *err);
int tfl_store_restore_txs(struct tfl_store *s,
    int (*each)(void *arg, const struct tfl_core_tx *tx, const void *data, size_t len), void *arg,
    uint64_t *removed, struct tfl_error *err);

/* Appends the bytes of a block; TFL_E_NOT_FOUND when it is not stored. Has the form of tfl_core_read_fn. */
int tfl_store_read(void *store, const struct tfl_hash *id, struct tfl_buf *out, struct tfl_error *err);

#endif
