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
    struct net_tx {
        struct tfl_core_tx tx;
        struct tfl_bytes *bytes;
    } * txs; /* that wait, by seq */
    size_t n_txs;
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

static inline void net_store_put_tx(struct net_store *s, const struct tfl_core_effect *e)
{
    assert_true(s->n_txs == 0 || s->txs[s->n_txs - 1].tx.seq < e->tx.seq);
    s->txs = tfl_realloc(s->txs, (s->n_txs + 1) * sizeof *s->txs);
    s->txs[s->n_txs++] = (struct net_tx){e->tx, tfl_bytes_ref(e->bytes)};
}

static inline void net_store_drop_tx(struct net_store *s, uint64_t seq)
{
    for (size_t i = 0; i < s->n_txs; i++) {
        if (s->txs[i].tx.seq != seq)
            continue;
        tfl_bytes_unref(s->txs[i].bytes);
        memmove(&s->txs[i], &s->txs[i + 1], (--s->n_txs - i) * sizeof *s->txs);
        return;
    }
    fail_msg("a transaction is gone that was never stored");
}

/* TX and TXS_GONE; others are not for it. */
static inline void net_store_follow(struct net_store *s, const struct tfl_core_effect *e)
{
    if (e->type == TFL_CORE_TX)
        net_store_put_tx(s, e);
    for (size_t i = 0; e->type == TFL_CORE_TXS_GONE && i < e->bytes->len; i += 8)
        net_store_drop_tx(s, tfl_get_le(e->bytes->data + i, 8));
}

static inline void net_store_done(struct net_store *s)
{
    for (size_t i = 0; i < s->n_txs; i++)
        tfl_bytes_unref(s->txs[i].bytes);
    free(s->txs);
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
    tfl_buf_add_le(&b, e->tx.seq, 8);
    tfl_buf_add_le(&b, e->tx.arrival_ms, 8);
    tfl_buf_add_le(&b, e->tx.proven, 1);
    const struct tfl_span spans[] = {{digest->b, 32}, {b.data, b.len}};
    *digest = tfl_hash_of("", spans, 2);
}

#endif
