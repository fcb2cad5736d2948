#ifndef TFL_CHAIN_LOTTERY_H
#define TFL_CHAIN_LOTTERY_H

#include "chain/genesis.h"

/* The leader lottery. For a slot, a leader signs (tag, nonce, slot) with its Ed25519 key, which is deterministic; the
 * ticket is Blake2b-256 of the signature and wins when its first 53 bits are below phi * 2^53, with
 * phi = 1 - (1 - f)^share: whatever the split of the stake, a slot has some leader with chance f. */

/* floor(phi * 2^53), for share = stake / total in [0, 1] and f in (0, 1]. 0 never wins, 2^53 always does. */
uint64_t tfl_lottery_threshold(double active_slot_coeff, uint64_t stake, uint64_t total);

/* The proof field of a header: the signature and 64 zeros. */
void tfl_lottery_prove(
    uint8_t proof[TFL_PROOF_SIZE], const struct tfl_keypair *k, const uint8_t nonce[32], uint64_t slot);
/* The first 53 bits of the ticket of a proof (as a little-endian number of its first 8 bytes, shifted right by 11). */
uint64_t tfl_lottery_ticket(const uint8_t proof[TFL_PROOF_SIZE]);
/* The signature in the proof is the leader's over nonce and slot, and the rest is zeros. Does not look at the ticket. */
bool tfl_lottery_verify(const uint8_t proof[TFL_PROOF_SIZE], const uint8_t pub[TFL_PUBLIC_KEY_SIZE],
    const uint8_t nonce[32], uint64_t slot);

/* The stake table, sorted by key, with each leader's threshold. */
struct tfl_lottery {
    struct tfl_lottery_leader {
        uint8_t pub[TFL_PUBLIC_KEY_SIZE];
        uint64_t threshold;
    } * leaders; /* owned */
    uint32_t n;
    uint8_t nonce[32];
};
void tfl_lottery_init(struct tfl_lottery *l, const struct tfl_genesis *g, double active_slot_coeff);
void tfl_lottery_done(struct tfl_lottery *l);
/* The threshold of a key; 0 for one that is not in the table. */
uint64_t tfl_lottery_find(const struct tfl_lottery *l, const uint8_t pub[TFL_PUBLIC_KEY_SIZE]);

#endif
