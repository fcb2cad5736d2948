#ifndef TFL_NODE_MEMPOOL_H
#define TFL_NODE_MEMPOOL_H

#include "base/bytes.h"
#include "chain/tx_check.h"

#include <uthash.h>

/* The transactions that wait for a block, in order of arrival. Pure: no clock, no disk, and no ledger either: whether a
 * transaction can be applied is found out by who builds a block, and told here with tfl_mempool_park. A transaction is
 *   ready   it may be applicable: tfl_mempool_take gives the ready ones, first come first
 *   taken   whoever builds has it in hand
 *   parked  a thing it takes is not there: the transaction that makes it has not come yet, or another one took it. It
 *           costs no builder any time until something that it takes appears (tfl_mempool_wake).
 * Bounded in number and in bytes of their encoded form. */
#define TFL_MEMPOOL_TXS_MAX 100000u
#define TFL_MEMPOOL_BYTES_MAX (32u << 20)
#define TFL_MEMPOOL_TTL_S 86400u

/* What transactions take and make, each of which is taken once. The kind keeps apart ids that users choose (channels)
 * from those that are hashes. */
struct tfl_mempool_thing {
    struct tfl_hash id;
    uint8_t kind; /* enum tfl_mempool_kind */
};
enum tfl_mempool_kind {
    TFL_MEMPOOL_NOTE,    /* a note: made by a transfer, taken by another */
    TFL_MEMPOOL_MESSAGE, /* an inscription: the next one of its channel takes its place */
    TFL_MEMPOOL_CHANNEL, /* a channel without messages: taken by the first */
};
/* Calls fn for each thing that the transaction takes, or makes (these cost two hashes each). */
typedef void tfl_mempool_fn(void *ctx, const struct tfl_mempool_thing *thing);
void tfl_mempool_takes(const struct tfl_tx *tx, tfl_mempool_fn *fn, void *ctx);
void tfl_mempool_makes(const struct tfl_tx *tx, tfl_mempool_fn *fn, void *ctx);

struct tfl_mempool_tx {
    struct tfl_verdict verdict; /* with its hash; whoever learns more notes it here */
    struct tfl_bytes *bytes;    /* its encoded form with proofs; one reference */
    uint64_t seq;               /* rises with arrival; a transaction that comes back gets a new one */
    int64_t order;       /* blocks are built in this order: that of seq, but those that come back go first */
    uint64_t arrival_ms; /* unix time */
    bool stored;         /* the owner's: seq is on disk */
    enum { TFL_MEMPOOL_READY, TFL_MEMPOOL_TAKEN, TFL_MEMPOOL_PARKED } state;
    uint32_t heap_at, n_takes, n_makes; /* these and what follows are private */
    struct tfl_mempool_take *takes;
    struct tfl_mempool_make *makes;
    struct tfl_mempool_tx *prev, *next; /* in the order of seq; next may be followed */
    UT_hash_handle hh;
};

struct tfl_mempool {
    uint32_t max_txs;
    size_t max_bytes;
    uint64_t ttl_ms;
    uint32_t n, n_parked;
    size_t bytes;
    struct tfl_mempool_tx *list;     /* oldest first; owned */
    struct tfl_mempool_tx *table;    /* by hash */
    struct tfl_mempool_slot *takers; /* by what they take */
    struct tfl_mempool_make *makers; /* by what they make */
    struct tfl_mempool_tx **heap;    /* of the ready ones, by order; owned */
    uint32_t n_ready, heap_cap;
    uint64_t next_seq;   /* starts at 1 */
    int64_t next_before; /* the order of the next one that comes back */
};

/* A bound of 0 is the default above. */
void tfl_mempool_init(struct tfl_mempool *mp, uint32_t max_txs, size_t max_bytes, uint64_t ttl_s);
void tfl_mempool_done(struct tfl_mempool *mp);

/* NULL: not here. Results live until they are removed. */
struct tfl_mempool_tx *tfl_mempool_find(const struct tfl_mempool *mp, const struct tfl_hash *hash);
/* False when a bound is reached. */
bool tfl_mempool_has_room(const struct tfl_mempool *mp, size_t len);

/* Adds a transaction that is not here and has room, ready, at the end. v is its verdict (checked), tx the transaction
 * (borrowed), bytes its encoded form (one reference is taken over). */
struct tfl_mempool_tx *tfl_mempool_add(struct tfl_mempool *mp, const struct tfl_verdict *v,
    const struct tfl_tx *tx, struct tfl_bytes *bytes, uint64_t now_ms);
/* The same for one of a block that was undone: it goes before all others when blocks are built, and is taken also when a
 * bound is reached (it was accepted once). Call it for the last transaction of a block first. */
struct tfl_mempool_tx *tfl_mempool_put_back(struct tfl_mempool *mp, const struct tfl_verdict *v,
    const struct tfl_tx *tx, struct tfl_bytes *bytes, uint64_t now_ms);
/* The same for one of the disk, with the seq it had (above that of all others here). */
struct tfl_mempool_tx *tfl_mempool_restore(struct tfl_mempool *mp, const struct tfl_verdict *v,
    const struct tfl_tx *tx, struct tfl_bytes *bytes, uint64_t arrival_ms, uint64_t seq);
void tfl_mempool_remove(struct tfl_mempool *mp, struct tfl_mempool_tx *m);

/* Takes the first ready one; NULL when there is none. */
struct tfl_mempool_tx *tfl_mempool_take(struct tfl_mempool *mp);
void tfl_mempool_ready(struct tfl_mempool *mp, struct tfl_mempool_tx *m); /* gives a taken one back */
void tfl_mempool_park(
    struct tfl_mempool *mp, struct tfl_mempool_tx *m); /* the same, but not to be tried now */
/* A thing is there (anew): those that take it and are parked are ready. */
void tfl_mempool_wake(struct tfl_mempool *mp, const struct tfl_mempool_thing *thing);
/* Calls fn for each thing that m makes, without hashing again. */
void tfl_mempool_each_make(const struct tfl_mempool_tx *m, tfl_mempool_fn *fn, void *ctx);
/* Calls fn for those that take the thing; fn may remove the one it is given. */
void tfl_mempool_each_taker(struct tfl_mempool *mp, const struct tfl_mempool_thing *thing,
    void (*fn)(void *ctx, struct tfl_mempool_tx *m), void *ctx);
/* A note that a transaction in here makes. */
bool tfl_mempool_note(const struct tfl_mempool *mp, const struct tfl_hash *id, struct tfl_note *out);

/* The oldest when it is past its time; NULL: none is. */
struct tfl_mempool_tx *tfl_mempool_expired(const struct tfl_mempool *mp, uint64_t now_ms);
/* The first whose seq is above `after`, found by walking from the oldest; go on with its `next`. */
const struct tfl_mempool_tx *tfl_mempool_after(const struct tfl_mempool *mp, uint64_t after);

#endif
