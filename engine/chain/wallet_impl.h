#ifndef TFL_CHAIN_WALLET_IMPL_H
#define TFL_CHAIN_WALLET_IMPL_H

#include "chain/wallet.h"

#include <string.h>

/* What wallet.c and wallet_fate.c share. */

/* A note of the wallet; maker is the number of the pending transfer that makes it, 0 for one that is on the chain. */
struct tfl_own {
    struct tfl_hash id;
    uint64_t value, maker;
};
/* A queue: taken from the front, added to the back. */
struct tfl_wallet_notes {
    struct tfl_own *items; /* owned */
    size_t head, n, cap;
};
struct tfl_sent {
    struct tfl_hash hash;
    struct tfl_own *inputs; /* owned; NULL when over */
    uint8_t n_inputs;
    bool over, dead;        /* over: settled or dropped; dead: being dropped */
    struct tfl_own made[2]; /* outputs that are the wallet's own */
    uint8_t n_made;
};
/* Transfers in the order they were made; the one at i has the number first + i. */
struct tfl_wallet_pending {
    struct tfl_sent *items; /* owned */
    size_t head, n, cap, n_over;
    uint64_t first;
};

static inline struct tfl_own *tfl_wallet_note_at(const struct tfl_wallet *w, size_t i)
{
    return &w->notes->items[w->notes->head + i];
}

static inline struct tfl_sent *tfl_wallet_pending_at(const struct tfl_wallet *w, size_t i)
{
    return &w->pending->items[w->pending->head + i];
}

/* Adds a note at the back. */
void tfl_wallet_push(struct tfl_wallet *w, const struct tfl_own *note);
/* The transfer is over: it waits as a placeholder until it is at the front. */
void tfl_wallet_finish(struct tfl_wallet *w, struct tfl_sent *t);
/* Forgets the ones that are over at the front. */
void tfl_wallet_trim(struct tfl_wallet *w);

static inline bool tfl_wallet_is_own(const struct tfl_wallet *w, const struct tfl_note *note)
{
    return note->value > 0 && memcmp(note->pk, w->key.pub, sizeof note->pk) == 0;
}

#endif
