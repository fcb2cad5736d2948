#include "base/rng.h"

#include "base/buf.h"
#include "base/error.h"

#include <sodium.h>
#include <string.h>

static void derive(uint8_t out[32], const char *tag, uint64_t seed, const char *name)
{
    crypto_generichash_state st;
    uint8_t le[8];
    tfl_put_le(le, seed, sizeof le);
    crypto_generichash_init(&st, NULL, 0, 32);
    crypto_generichash_update(&st, (const uint8_t *)tag, strlen(tag));
    crypto_generichash_update(&st, le, sizeof le);
    crypto_generichash_update(&st, (const uint8_t *)name, strlen(name));
    crypto_generichash_final(&st, out, 32);
}

void tfl_seed_bytes(uint8_t out[32], uint64_t seed, const char *name)
{
    derive(out, "TFL_SEED_V1", seed, name);
}

void tfl_rng_init(struct tfl_rng *r, uint64_t seed, const char *name)
{
    uint8_t bytes[32];
    derive(bytes, "", seed, name);
    for (int i = 0; i < 4; i++)
        r->s[i] = tfl_get_le(bytes + 8 * i, 8);
}

static uint64_t rotl(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

uint64_t tfl_rng_u64(struct tfl_rng *r)
{
    uint64_t *s = r->s, result = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

uint64_t tfl_rng_below(struct tfl_rng *r, uint64_t n)
{
    TFL_ASSERT(n > 0);
    uint64_t limit = UINT64_MAX - UINT64_MAX % n, x;
    do
        x = tfl_rng_u64(r);
    while (x >= limit);
    return x % n;
}

double tfl_rng_unit(struct tfl_rng *r)
{
    return (double)(tfl_rng_u64(r) >> 11) * 0x1p-53;
}
