#ifndef TFL_CHAIN_HASH_H
#define TFL_CHAIN_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 32 bytes that name something: a block, a transaction, an operation, a merkle root. Plain data; all zeros is "none". */
struct tfl_hash {
    uint8_t b[32];
};
#define TFL_HASH_HEX 65 /* characters of a hash in hex, with the NUL */

bool tfl_hash_eq(const struct tfl_hash *a, const struct tfl_hash *b);
bool tfl_hash_is_zero(const struct tfl_hash *h);
/* Writes 64 lowercase hex digits and a NUL into out (TFL_HASH_HEX bytes), and returns out. */
char *tfl_hash_hex(char *out, const struct tfl_hash *h);

/* One run of bytes to hash. */
struct tfl_span {
    const void *data;
    size_t len;
};
/* Blake2b-256 of the tag's characters (no NUL; "" for no tag) followed by the n spans. */
struct tfl_hash tfl_hash_of(const char *tag, const struct tfl_span *spans, size_t n);

#endif
