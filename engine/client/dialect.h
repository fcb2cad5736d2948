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

/* "reference", "logos", or "http" (no chain: only requests by path); NULL and err (naming those there are) for others. */
const struct tfl_dialect *tfl_dialect_named(const char *name, struct tfl_error *err);

/* A copy whose paths are its own, to be changed; free with tfl_dialect_free (NULL-safe). */
struct tfl_dialect *tfl_dialect_copy(const struct tfl_dialect *dialect);
void tfl_dialect_free(struct tfl_dialect *copy);
/* Sets one path of a copy by the name of its member; NULL: none. TFL_E_USAGE. */
int tfl_dialect_set(struct tfl_dialect *copy, const char *question, const char *path, struct tfl_error *err);

#endif
