#ifndef TFL_CHAIN_REPLAY_H
#define TFL_CHAIN_REPLAY_H

#include "chain/ledger.h"

/* Replays a chain from genesis, as it stands, and finds what must not be in it. A bad transaction is noted and skipped; so
 * what is built on it is found too, as unknown input. Every signature is verified, in pieces (tfl_replay_step), so that the
 * loop goes on. */
#define TFL_FINDINGS_MAX 100 /* kept with all they say; more are only counted */

struct tfl_finding {
    enum tfl_tx_fault fault; /* never OK; SPENT_INPUT is a double spend */
    uint64_t height, slot;
    struct tfl_hash block, tx;
    char message[256];
};

struct tfl_replay {
    struct tfl_tx_ledger *ledger; /* NULL before genesis */
    struct tfl_hash tip;
    uint64_t height, slot; /* of the tip */
    uint64_t n_blocks, n_txs, n_transfers,
        n_inscribes;                           /* good ones; genesis is a block without transactions here */
    uint64_t n_faults[TFL_TX_SPENT_INPUT + 1]; /* by enum tfl_tx_fault */
    struct tfl_finding *findings;              /* owned; the first TFL_FINDINGS_MAX */
    size_t n_findings;
    struct tfl_block block; /* private: the one at work */
    uint32_t next;
};

void tfl_replay_init(struct tfl_replay *r);
void tfl_replay_done(struct tfl_replay *r); /* NULL-safe */
/* The next block; the first is genesis. Takes what is in b, which is empty afterwards (also on errors). TFL_E_INVALID: not
 * a genesis block, or not a child of the one before in a later slot; TFL_E_STATE: the one before is not stepped through. */
int tfl_replay_push(struct tfl_replay *r, struct tfl_block *b, struct tfl_error *err);
/* Judges at most n transactions of it; false: none are left, the next block may come. */
bool tfl_replay_step(struct tfl_replay *r, uint32_t n);

#endif
