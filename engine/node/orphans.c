#include "node/orphans.h"

#include "base/error.h"

#include <string.h>

struct tfl_orphan tfl_orphans_take(struct tfl_orphans *os, uint32_t i)
{
    TFL_ASSERT(i < os->n);
    struct tfl_orphan o = os->items[i];
    memmove(&os->items[i], &os->items[i + 1], (os->n - i - 1) * sizeof o);
    os->n--;
    os->bytes -= o.bytes->len;
    return o;
}

static void forget_oldest(struct tfl_orphans *os)
{
    struct tfl_orphan o = tfl_orphans_take(os, 0);
    tfl_bytes_unref(o.bytes);
}

const struct tfl_orphan *tfl_orphans_find(const struct tfl_orphans *os, const struct tfl_hash *id)
{
    for (uint32_t i = 0; i < os->n; i++) {
        if (tfl_hash_eq(&os->items[i].id, id))
            return &os->items[i];
    }
    return NULL;
}

bool tfl_orphans_put(struct tfl_orphans *os, struct tfl_orphan o)
{
    if (tfl_orphans_find(os, &o.id)) {
        tfl_bytes_unref(o.bytes);
        return false;
    }
    TFL_ASSERT(o.bytes->len <= TFL_ORPHANS_BYTES);
    while (os->n == TFL_ORPHANS_MAX || os->bytes + o.bytes->len > TFL_ORPHANS_BYTES)
        forget_oldest(os);
    os->items[os->n++] = o;
    os->bytes += o.bytes->len;
    return true;
}

void tfl_orphans_done(struct tfl_orphans *os)
{
    while (os->n)
        forget_oldest(os);
}
