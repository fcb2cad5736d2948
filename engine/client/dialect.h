#ifndef TFL_CLIENT_DIALECT_H
#define TFL_CLIENT_DIALECT_H

#include "base/error.h"

/* How to ask a kind of node for its chain: paths, as data. NULL: the kind has no such thing. The shapes of the answers
 * are read tolerantly (client/reply.h), so that all versions of the contract share one parser. */
struct tfl_dialect {
    const char *name;
    const char *info, *network, *headers;
    const char *block;      /* the id is appended */
    const char *block_post; /* the older way: POST, body a JSON string; asked when the newer one gives 404 */
    const char *blocks;     /* final blocks of a range of slots, one JSON list */
    const char *range;      /* any blocks of a range of slots, as rows */
    const char *stream;     /* rows as they come */
    const char *stream_old; /* the same, bare blocks: asked when the newer one is not there */
    const char *late_slots;
    const char *submit;   /* POST of one transaction */
    const char *transfer; /* POST of a wish that the node makes a transfer of; the answer tells the hash */
    const char *mempool;  /* hashes of the transactions that wait */
};

/* "reference" or "logos"; NULL and err (naming those there are) for others. */
const struct tfl_dialect *tfl_dialect_named(const char *name, struct tfl_error *err);

#endif
