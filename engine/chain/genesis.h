#ifndef TFL_CHAIN_GENESIS_H
#define TFL_CHAIN_GENESIS_H

#include "chain/block.h"

#define TFL_CHAIN_ID_MAX 128
#define TFL_STAKES_MAX 4096
#define TFL_NOTES_MAX 16384 /* the genesis block stays within TFL_BLOCK_MAX */

struct tfl_stake {
    uint8_t pub[TFL_PUBLIC_KEY_SIZE]; /* leader key */
    uint64_t stake;
};

/* What a deployment fixes before the first block. Everything in it is bound by the id of the genesis block; the lottery
 * depends on nonce and stakes alone, so that one seed gives one leader schedule whatever the time is. */
struct tfl_genesis {
    const char *chain_id; /* 1 to TFL_CHAIN_ID_MAX bytes; borrowed */
    uint64_t genesis_time_unix_ms;
    uint8_t nonce[32];
    const struct tfl_stake *stakes; /* borrowed; stakes of 0 are allowed, their sum is > 0 and fits 63 bits */
    uint32_t n_stakes;              /* at most TFL_STAKES_MAX, no key twice */
    const struct tfl_output
        *notes;       /* borrowed; the first notes of the ledger: values > 0, their sum fits 64 bits */
    uint32_t n_notes; /* at most TFL_NOTES_MAX, 0 and NULL are allowed */
};

/* Names the first thing that breaks the bounds above (TFL_E_BAD_CONFIG). */
int tfl_genesis_check(const struct tfl_genesis *g, struct tfl_error *err);

/* Makes the genesis block (free with tfl_block_done): slot 0 and one transaction, transfers without inputs that give the
 * notes in order, then an inscription `u64le len || chain_id || u64le time in seconds || 32 nonce`. Transfer i has at most
 * 255 - i outputs, so no two are the same, nor their operation ids, nor the ids of their notes. Entropy is a hash of time
 * in ms and stakes with the top three bits cleared (a field element); all other fields are zeros. g must have passed
 * tfl_genesis_check. */
void tfl_genesis_block(struct tfl_block *b, const struct tfl_genesis *g);

#endif
