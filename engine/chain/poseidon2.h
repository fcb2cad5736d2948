#ifndef TFL_CHAIN_POSEIDON2_H
#define TFL_CHAIN_POSEIDON2_H

#include "chain/hash.h"

/* Poseidon2 over the scalar field of BN254 (t = 3, d = 5, 8 external and 56 internal rounds), and what the real node makes
 * of it. Not constant-time: for keys of test networks only. */

/* A field element as it is written: 32 bytes, little-endian, below the modulus. */
struct tfl_fr {
    uint8_t b[32];
};

/* Whether the bytes are below the modulus. All other functions reduce what is not. */
bool tfl_fr_valid(const struct tfl_fr *x);
/* 32 little-endian bytes of any value, reduced. */
struct tfl_fr tfl_fr_reduce(const uint8_t bytes[32]);

/* The first element of the permutation of (a, b, 0). */
struct tfl_fr tfl_poseidon2_compress(const struct tfl_fr *a, const struct tfl_fr *b);
/* A sponge over n elements and a closing 1, one element for each permutation. */
struct tfl_fr tfl_poseidon2_digest(const struct tfl_fr *xs, size_t n);

/* The public key of a ZK secret key. */
struct tfl_fr tfl_zk_public(const struct tfl_fr *secret);
/* The id of the output at index of the operation op_id. */
struct tfl_fr tfl_zk_note_id(
    const struct tfl_hash *op_id, uint64_t index, uint64_t value, const struct tfl_fr *pk);

#endif
