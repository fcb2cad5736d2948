#ifndef TFL_CHAIN_WALLET_H
#define TFL_CHAIN_WALLET_H

#include "chain/tx_check.h"

#define TFL_WALLET_PENDING_MAX 100000 /* transfers followed; beyond, the oldest count as settled */

/* One account: an Ed25519 key, its notes, and the transfers it has made that are not settled yet. Change of a transfer can
 * be spent at once, so one wallet can send many without waiting for blocks; notes are taken oldest first and change goes to
 * the end, so n notes make n independent chains. Not for real value: the key follows from the seed of the run. */
struct tfl_wallet {
    struct tfl_keypair key;
    struct tfl_wallet_notes *notes;     /* owned, private: spendable */
    struct tfl_wallet_pending *pending; /* owned, private */
    uint64_t n_channels;                /* fresh channels given out */
    uint32_t max_pending;               /* TFL_WALLET_PENDING_MAX */
};

/* The account i of a run: its key is made of tfl_seed_bytes(seed, "wallet/i"). It has no notes yet. */
void tfl_wallet_init(struct tfl_wallet *w, uint64_t seed, uint64_t index);
void tfl_wallet_done(struct tfl_wallet *w); /* NULL-safe */

/* A note that belongs to the wallet's key (others and doubles are ignored): from genesis, or seen on the chain. */
void tfl_wallet_receive(struct tfl_wallet *w, const struct tfl_note *note);
/* What could be spent now: notes and unconfirmed change. */
uint64_t tfl_wallet_balance(const struct tfl_wallet *w);
size_t tfl_wallet_n_notes(const struct tfl_wallet *w);
size_t tfl_wallet_n_pending(const struct tfl_wallet *w);

/* Builds and signs a transfer of amount (> 0) to a key, change to itself; its notes are spent from now on. tx is the
 * caller's (tfl_tx_done), hash may be NULL. TFL_E_USAGE: amount 0; TFL_E_NOT_FOUND: not enough, says how much there is, or
 * the notes are so small that more than 255 would be needed. */
int tfl_wallet_transfer(struct tfl_wallet *w, const uint8_t to[TFL_PUBLIC_KEY_SIZE], uint64_t amount,
    struct tfl_tx *tx, struct tfl_hash *hash, struct tfl_error *err);

/* The transfer is on the chain (or nobody cares any more): forget it. Unknown hashes are ignored. */
void tfl_wallet_settled(struct tfl_wallet *w, const struct tfl_hash *hash);
/* The transfer will never be on the chain: what it spent can be spent again, and what was built on its change is dropped
 * with it. fn (may be NULL) is called for each transfer dropped, this one first. False: no such transfer. */
bool tfl_wallet_dropped(struct tfl_wallet *w, const struct tfl_hash *hash,
    void (*fn)(void *ctx, const struct tfl_hash *hash), void *ctx);
/* Sets the wallet right by its notes on the canonical chain (of the ledger's replay, or GET /wallet/:pk/balance): pending
 * transfers whose inputs are neither there nor change of an earlier pending one are forgotten (they are on the chain, or
 * impossible); what the others spend stays spent. Call dropped for lost ones before. */
void tfl_wallet_sync(struct tfl_wallet *w, const struct tfl_note *notes, size_t n);

/* Builds and signs an inscription. channel NULL: a fresh one, Blake2b-256("TFL_CHANNEL_V1" || pk || u64le counter).
 * parent NULL: zeros, the first of its channel. Data is copied; at most TFL_INSCRIPTION_MAX bytes (asserted). */
#define TFL_INSCRIPTION_MAX (TFL_TX_MAX - 256)
void tfl_inscription(struct tfl_tx *tx, struct tfl_hash *hash, const struct tfl_keypair *key,
    const struct tfl_hash *channel, const struct tfl_hash *parent, const void *data, size_t len);
void tfl_wallet_inscribe(struct tfl_wallet *w, struct tfl_tx *tx, struct tfl_hash *hash,
    const struct tfl_hash *channel, const struct tfl_hash *parent, const void *data, size_t len);

#endif
