#include "base/bytes.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

struct tfl_bytes *tfl_bytes_new(const void *data, size_t n)
{
    struct tfl_bytes *b = tfl_alloc(sizeof *b + n + 1);
    b->refs = 1;
    b->len = n;
    if (n)
        memcpy(b->data, data, n);
    return b;
}

struct tfl_bytes *tfl_bytes_ref(struct tfl_bytes *b)
{
    TFL_ASSERT(b->refs > 0);
    b->refs++;
    return b;
}

void tfl_bytes_unref(struct tfl_bytes *b)
{
    if (!b)
        return;
    TFL_ASSERT(b->refs > 0);
    if (--b->refs == 0)
        free(b);
}
