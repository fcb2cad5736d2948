/* Which transactions go into a block of this node: those that wait longest, as far as they can be applied one after the
 * other at the tip. All work is bounded, so that a mempool full of what cannot be applied does not cost the slot. */
#include "node/core_impl.h"

#include <stdlib.h>

enum {
    TRIES = 8 * TFL_BLOCK_TXS_MAX, /* transactions looked at */
    PROOFS = 64, /* of those, signatures to verify: what was proven when it came costs nothing here */
    ASIDE = 256, /* left for the next block because this one has no room, or no time, for them */
};
#define EMPTY_BLOCK_BYTES (1 + 4 * 32 + 8 + TFL_PROOF_SIZE + TFL_PUBLIC_KEY_SIZE + TFL_SIGNATURE_SIZE + 2)

struct build {
    struct tfl_core *core;
    struct tfl_block *b;
    struct tfl_undo undo;
    size_t room;
    uint32_t proofs;
    struct tfl_mempool_tx *taken[TFL_BLOCK_TXS_MAX + ASIDE]; /* in the block or aside */
    uint32_t n_taken, n_aside;
};

static void wake(void *arg, const struct tfl_mempool_thing *thing)
{
    tfl_mempool_wake(arg, thing);
}

static void try_one(struct build *w, struct tfl_mempool_tx *m)
{
    struct tfl_core *core = w->core;
    struct tfl_reader r = {.p = m->bytes->data, .left = m->bytes->len};
    struct tfl_tx *tx = &w->b->txs[w->b->n_txs];
    struct tfl_error err;
    if (m->bytes->len > w->room || (!m->verdict.proven && w->proofs == PROOFS)) {
        w->taken[w->n_taken++] = m;
        w->n_aside++;
        return;
    }
    w->proofs += !m->verdict.proven;
    TFL_ASSERT(tfl_tx_decode(tx, &r, &err) == 0);
    enum tfl_tx_fault fault = tfl_tx_ledger_apply_tx(core->ledger, tx, &m->verdict, &w->undo, NULL);
    if (fault == TFL_TX_OK) {
        w->b->n_txs++;
        w->room -= m->bytes->len;
        w->taken[w->n_taken++] = m;
        tfl_mempool_each_make(m, wake, &core->pool); /* what came before what it needs */
        return;
    }
    tfl_tx_done(tx);
    if (fault == TFL_TX_UNKNOWN_INPUT || fault == TFL_TX_SPENT_INPUT) {
        tfl_mempool_park(&core->pool, m);
    } else {
        core->counts.refused++;
        core_pool_remove(core, m);
    }
}

void core_build(struct tfl_core *core, struct tfl_block *b)
{
    struct build w = {.core = core, .b = b, .room = TFL_BLOCK_MAX - EMPTY_BLOCK_BYTES};
    uint32_t most = core->pool.n_ready + core->pool.n_parked;
    struct tfl_mempool_tx *m;
    if (most == 0)
        return;
    most = most < TFL_BLOCK_TXS_MAX ? most : TFL_BLOCK_TXS_MAX;
    b->txs = tfl_alloc(most * sizeof *b->txs);
    for (int tries = 0; tries < TRIES && b->n_txs < most && w.n_aside < ASIDE; tries++) {
        if (!(m = tfl_mempool_take(&core->pool)))
            break;
        try_one(&w, m);
    }
    tfl_tx_ledger_undo(core->ledger, &w.undo);
    tfl_undo_done(&w.undo);
    while (w.n_taken > 0)
        tfl_mempool_ready(&core->pool, w.taken[--w.n_taken]); /* to be removed as those of any block are */
}
