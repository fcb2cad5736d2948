#include "chain/hash.h"

#include "base/buf.h"
#include "base/error.h"

#include <sodium.h>
#include <string.h>

bool tfl_hash_eq(const struct tfl_hash *a, const struct tfl_hash *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}

bool tfl_hash_is_zero(const struct tfl_hash *h)
{
    static const struct tfl_hash zero;
    return tfl_hash_eq(h, &zero);
}

char *tfl_hash_hex(char *out, const struct tfl_hash *h)
{
    return tfl_hex(out, h->b, sizeof h->b);
}

struct tfl_hash tfl_hash_of(const char *tag, const struct tfl_span *spans, size_t n)
{
    struct tfl_hash out;
    crypto_generichash_state st;
    crypto_generichash_init(&st, NULL, 0, sizeof out.b);
    crypto_generichash_update(&st, (const uint8_t *)tag, strlen(tag));
    for (size_t i = 0; i < n; i++)
        crypto_generichash_update(&st, spans[i].data, spans[i].len);
    crypto_generichash_final(&st, out.b, sizeof out.b);
    return out;
}
