#ifndef TFL_BASE_RNG_H
#define TFL_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

/* A seeded generator (xoshiro256**, Blackman and Vigna). One tree for a run: the root comes from --seed, every user of
 * randomness has a derived stream with a name ("node/3", "chaos", "topology"), so that one more draw in one place
 * changes nothing elsewhere. Same seed and names, same numbers, on every machine. Not for secrets. */
struct tfl_rng {
    uint64_t s[4];
};

/* The stream `name` of seed: the state is Blake2b-256(u64le seed || name). */
void tfl_rng_init(struct tfl_rng *r, uint64_t seed, const char *name);
uint64_t tfl_rng_u64(struct tfl_rng *r);
uint64_t tfl_rng_below(struct tfl_rng *r, uint64_t n); /* uniform in [0, n), n > 0 */
double tfl_rng_unit(struct tfl_rng *r);                /* uniform in [0, 1), 53 bits */

/* 32 bytes bound to seed and name, for keys and nonces: Blake2b-256("TFL_SEED_V1" || u64le seed || name). */
void tfl_seed_bytes(uint8_t out[32], uint64_t seed, const char *name);

#endif
