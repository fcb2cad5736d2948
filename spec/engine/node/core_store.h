/* A store of blocks in memory, and the digest of effects. */
#ifndef SPEC_NODE_CORE_STORE_H
#define SPEC_NODE_CORE_STORE_H

#include "base/rng.h"
#include "node/core_impl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct net_store {
    struct tfl_hash *ids;
    struct tfl_bytes **blocks;
    size_t n, cap;
};

static inline int net_read(void *arg, const struct tfl_hash *id, struct tfl_buf *out, struct tfl_error *err)
{
    const struct net_store *s = arg;
    for (size_t i = 0; i < s->n; i++) {
        if (tfl_hash_eq(&s->ids[i], id)) {
            tfl_buf_add(out, s->blocks[i]->data, s->blocks[i]->len);
            return 0;
        }
    }
    return tfl_fail(err, TFL_E_NOT_FOUND, "not stored");
}

static inline void net_store_put(struct net_store *s, const struct tfl_hash *id, struct tfl_bytes *bytes)
{
    if (s->n == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 64;
        s->ids = tfl_realloc(s->ids, s->cap * sizeof *s->ids);
        s->blocks = tfl_realloc(s->blocks, s->cap * sizeof *s->blocks);
    }
    s->ids[s->n] = *id;
    s->blocks[s->n++] = tfl_bytes_ref(bytes);
}

static inline void net_store_done(struct net_store *s)
{
    for (size_t i = 0; i < s->n; i++)
        tfl_bytes_unref(s->blocks[i]);
    free(s->ids);
    free(s->blocks);
    *s = (struct net_store){0};
}

static inline void net_digest(struct tfl_hash *digest, const struct tfl_core_effect *e)
{
    TFL_BUF b = {0};
    tfl_buf_add_le(&b, e->type, 1);
    tfl_buf_add_le(&b, e->peer, 8);
    tfl_buf_add_le(&b, e->level, 1);
    if (e->bytes)
        tfl_buf_add(&b, e->bytes->data, e->bytes->len);
    tfl_buf_add(&b, e->block.id.b, 32);
    tfl_buf_add_le(&b, e->block.slot, 8);
    tfl_buf_add_le(&b, e->block.height, 8);
    tfl_buf_add(&b, e->view.tip.b, 32);
    tfl_buf_add(&b, e->view.lib.b, 32);
    const struct tfl_span spans[] = {{digest->b, 32}, {b.data, b.len}};
    *digest = tfl_hash_of("", spans, 2);
}

#endif
