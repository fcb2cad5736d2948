#ifndef TFL_NODE_ORPHANS_H
#define TFL_NODE_ORPHANS_H

#include "base/bytes.h"
#include "chain/hash.h"

#include <stdbool.h>

#define TFL_ORPHANS_MAX 64
#define TFL_ORPHANS_BYTES (2u << 20)

/* Blocks whose parent is not known yet, checked in everything that needs no parent. When one of the bounds is hit the
 * oldest go; whoever sent them still has them. */
struct tfl_orphan {
    struct tfl_hash id, parent;
    uint64_t slot, peer;     /* peer: who sent it */
    struct tfl_bytes *bytes; /* one reference */
};
struct tfl_orphans {
    struct tfl_orphan items[TFL_ORPHANS_MAX]; /* oldest first */
    uint32_t n;
    size_t bytes;
};

/* Takes over the reference in o.bytes. False (and the reference is given up) when it is there already. */
bool tfl_orphans_put(struct tfl_orphans *os, struct tfl_orphan o);
const struct tfl_orphan *tfl_orphans_find(const struct tfl_orphans *os, const struct tfl_hash *id);
/* Removes item i; its reference is the caller's. */
struct tfl_orphan tfl_orphans_take(struct tfl_orphans *os, uint32_t i);
void tfl_orphans_done(struct tfl_orphans *os);

#endif
