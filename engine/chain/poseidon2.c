#include "chain/poseidon2.h"

#include "base/error.h"
#include "chain/poseidon2_table.h"

#include <string.h>

__extension__ typedef unsigned __int128 u128;

/* An element times 2^256 modulo r (Montgomery's form), least significant word first, always below r. */
struct fe {
    uint64_t w[4];
};

static const struct fe modulus = {
    {0x43e1f593f0000001, 0x2833e84879b97091, 0xb85045b68181585d, 0x30644e72e131a029}};
static const struct fe r_squared = {/* 2^512 modulo r */
    {0x1bb8e645ae216da7, 0x53fe3ab1e35c59e3, 0x8c49833d53bb8085, 0x0216d0b17f4e44a5}};
#define NEGATED_INVERSE UINT64_C(0xc2e1f593efffffff) /* -1/r modulo 2^64 */

/* out = a - r; whether that was below zero. */
static bool less_modulus(struct fe *out, const struct fe *a)
{
    uint64_t borrow = 0;
    for (int i = 0; i < 4; i++) {
        u128 d = (u128)a->w[i] - modulus.w[i] - borrow;
        out->w[i] = (uint64_t)d;
        borrow = (uint64_t)(d >> 64) & 1;
    }
    return borrow;
}

/* For a < 2r, which fits 255 bits. */
static struct fe reduced(struct fe a)
{
    struct fe less;
    return less_modulus(&less, &a) ? a : less;
}

static struct fe add(struct fe a, struct fe b)
{
    u128 carry = 0;
    for (int i = 0; i < 4; i++) {
        carry += (u128)a.w[i] + b.w[i];
        a.w[i] = (uint64_t)carry;
        carry >>= 64;
    }
    return reduced(a);
}

/* a * b / 2^256 modulo r. One of them may be any number of 256 bits, when the other is below r. */
static struct fe mul(struct fe a, struct fe b)
{
    uint64_t t[6] = {0};
    for (int i = 0; i < 4; i++) {
        u128 carry = 0;
        for (int j = 0; j < 4; j++) {
            carry += (u128)a.w[j] * b.w[i] + t[j];
            t[j] = (uint64_t)carry;
            carry >>= 64;
        }
        carry += t[4];
        t[4] = (uint64_t)carry;
        t[5] = (uint64_t)(carry >> 64);
        uint64_t m = t[0] * NEGATED_INVERSE;
        carry = ((u128)m * modulus.w[0] + t[0]) >> 64;
        for (int j = 1; j < 4; j++) {
            carry += (u128)m * modulus.w[j] + t[j];
            t[j - 1] = (uint64_t)carry;
            carry >>= 64;
        }
        carry += t[4];
        t[3] = (uint64_t)carry;
        t[4] = t[5] + (uint64_t)(carry >> 64);
    }
    return reduced((struct fe){{t[0], t[1], t[2], t[3]}});
}

static struct fe words_of(const uint8_t bytes[32])
{
    struct fe x = {{0}};
    for (int i = 0; i < 32; i++)
        x.w[i / 8] |= (uint64_t)bytes[i] << (8 * (i % 8));
    return x;
}

static struct fe load(const struct tfl_fr *x)
{
    return mul(words_of(x->b), r_squared);
}

static struct tfl_fr store(struct fe x)
{
    struct tfl_fr out;
    x = mul(x, (struct fe){{1}});
    for (int i = 0; i < 32; i++)
        out.b[i] = (uint8_t)(x.w[i / 8] >> (8 * (i % 8)));
    return out;
}

static struct fe constant(size_t i)
{
    const uint64_t *c = tfl_poseidon2_table[i];
    return mul((struct fe){{c[3], c[2], c[1], c[0]}}, r_squared);
}

static struct fe fifth_power(struct fe x)
{
    struct fe square = mul(x, x);
    return mul(mul(square, square), x);
}

static void external_matrix(struct fe s[3])
{
    struct fe sum = add(add(s[0], s[1]), s[2]);
    for (int i = 0; i < 3; i++)
        s[i] = add(s[i], sum);
}

static void external_rounds(struct fe s[3], size_t first)
{
    for (size_t round = first; round < first + TFL_POSEIDON2_EXTERNAL / 2; round++) {
        for (size_t i = 0; i < 3; i++)
            s[i] = fifth_power(add(s[i], constant(3 * round + i)));
        external_matrix(s);
    }
}

static void permute(struct fe s[3])
{
    external_matrix(s);
    external_rounds(s, 0);
    for (size_t i = 0; i < TFL_POSEIDON2_INTERNAL; i++) {
        s[0] = fifth_power(add(s[0], constant(3 * TFL_POSEIDON2_EXTERNAL + i)));
        struct fe sum = add(add(s[0], s[1]), s[2]);
        s[0] = add(s[0], sum);
        s[1] = add(s[1], sum);
        s[2] = add(add(s[2], s[2]), sum);
    }
    external_rounds(s, TFL_POSEIDON2_EXTERNAL / 2);
}

bool tfl_fr_valid(const struct tfl_fr *x)
{
    struct fe words = words_of(x->b), less;
    return less_modulus(&less, &words);
}

struct tfl_fr tfl_fr_reduce(const uint8_t bytes[32])
{
    return store(mul(words_of(bytes), r_squared));
}

struct tfl_fr tfl_poseidon2_compress(const struct tfl_fr *a, const struct tfl_fr *b)
{
    struct fe s[3] = {load(a), load(b), {{0}}};
    permute(s);
    return store(s[0]);
}

struct tfl_fr tfl_poseidon2_digest(const struct tfl_fr *xs, size_t n)
{
    struct fe s[3] = {{{0}}};
    for (size_t i = 0; i < n; i++) {
        s[0] = add(s[0], load(&xs[i]));
        permute(s);
    }
    s[0] = add(s[0], mul((struct fe){{1}}, r_squared));
    permute(s);
    return store(s[0]);
}

/* The characters read as a little-endian number; at most 31. */
static struct tfl_fr text(const char *s)
{
    struct tfl_fr x = {{0}};
    size_t n = strlen(s);
    TFL_ASSERT(n < sizeof x.b);
    memcpy(x.b, s, n);
    return x;
}

static struct tfl_fr number(uint64_t v)
{
    struct tfl_fr x = {{0}};
    for (int i = 0; i < 8; i++)
        x.b[i] = (uint8_t)(v >> (8 * i));
    return x;
}

struct tfl_fr tfl_zk_public(const struct tfl_fr *secret)
{
    struct tfl_fr tag = text("KDF");
    return tfl_poseidon2_compress(&tag, secret);
}

struct tfl_fr tfl_zk_note_id(
    const struct tfl_hash *op_id, uint64_t index, uint64_t value, const struct tfl_fr *pk)
{
    struct tfl_fr xs[5] = {text("NOTE_ID_V1"), tfl_fr_reduce(op_id->b), number(index), number(value), *pk};
    return tfl_poseidon2_digest(xs, 5);
}
