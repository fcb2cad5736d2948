/* Transactions that come: from clients of this node, from peers, from disk. What needs no chain is judged at once, and
 * signatures of transfers as soon as the notes they spend are known, so that neither a leader nor a block has to wait. */
#include "node/core_impl.h"

#include <string.h>

static uint64_t now_ms(const struct tfl_core *core)
{
    return (uint64_t)(core->now_ns / CORE_MS);
}

void core_pool_remove(struct tfl_core *core, struct tfl_mempool_tx *m)
{
    if (m->stored)
        tfl_buf_add_le(&core->gone, m->seq, 8);
    tfl_mempool_remove(&core->pool, m);
}

void core_pool_expire(struct tfl_core *core)
{
    struct tfl_mempool_tx *m;
    uint64_t before = core->counts.expired;
    while ((m = tfl_mempool_expired(&core->pool, now_ms(core)))) {
        core->counts.expired++;
        core_pool_remove(core, m);
    }
    if (core->counts.expired > before)
        core_log(core, TFL_LOG_INFO, "%llu transactions expired",
            (unsigned long long)(core->counts.expired - before));
}

void core_pool_flush(struct tfl_core *core)
{
    struct tfl_mempool_tx *last = core->pool.list ? core->pool.list->prev : NULL, *m = last;
    if (core->gone.len) {
        core_emit(core, (struct tfl_core_effect){.type = TFL_CORE_TXS_GONE,
                            .bytes = tfl_bytes_new(core->gone.data, core->gone.len)});
        tfl_buf_clear(&core->gone);
    }
    if (!last || last->stored)
        return;
    while (m != core->pool.list && !m->prev->stored) /* new ones are at the end, all together */
        m = m->prev;
    for (; m; m = m->next) {
        m->stored = true;
        core_emit(core, (struct tfl_core_effect){.type = TFL_CORE_TX,
                            .bytes = tfl_bytes_ref(m->bytes),
                            .tx = {m->seq, m->arrival_ms, m->verdict.proven}});
    }
}

/* Sends the items that did not come from p, in a message that is shared with the other peers where it can be. */
static void send_outbox(struct tfl_core *core, const struct core_peer *p, struct tfl_bytes **shared)
{
    const struct core_outbox *out = &core->outbox;
    TFL_BUF txs = {0};
    uint16_t n = 0;
    bool all = true;
    for (uint32_t i = 0; i < out->n && all; i++)
        all = out->items[i].from != p->handle;
    if (all && *shared) {
        core_send(core, p, tfl_bytes_ref(*shared));
        return;
    }
    for (uint32_t i = 0; i < out->n; i++) {
        const struct core_outbox_item *item = &out->items[i];
        if (item->from == p->handle)
            continue;
        tfl_wire_add_item(&txs, item->bytes->data, item->bytes->len);
        n++;
    }
    if (n == 0)
        return;
    struct tfl_bytes *message = tfl_wire_txs(0, n, &txs);
    if (all)
        *shared = tfl_bytes_ref(message);
    core_send(core, p, message);
}

void core_gossip_txs(struct tfl_core *core)
{
    struct core_outbox *out = &core->outbox;
    struct tfl_bytes *shared = NULL;
    for (size_t i = 0; i < core->n_peers; i++) {
        if (!core->peers[i].gone && core->peers[i].hello)
            send_outbox(core, &core->peers[i], &shared);
    }
    tfl_bytes_unref(shared);
    for (uint32_t i = 0; i < out->n; i++)
        tfl_bytes_unref(out->items[i].bytes);
    out->n = 0;
    out->bytes = 0;
}

static void queue_gossip(struct tfl_core *core, struct tfl_bytes *bytes, const struct core_peer *from)
{
    struct core_outbox *out = &core->outbox;
    if (core->n_peers == 0)
        return; /* who comes later asks for all */
    if (out->n == TFL_LEN(out->items) || (out->n && out->bytes + bytes->len > TFL_WIRE_BATCH_BYTES))
        core_gossip_txs(core);
    if (out->n == 0)
        out->due_ns = core->now_ns + CORE_GOSSIP_NS;
    out->items[out->n++] =
        (struct core_outbox_item){.bytes = tfl_bytes_ref(bytes), .from = from ? from->handle : 0};
    out->bytes += bytes->len;
}

/* A note of the tip's ledger, or one that a waiting transaction makes. */
static bool lookup(void *arg, const struct tfl_hash *id, struct tfl_note *out)
{
    const struct tfl_core *core = arg;
    return tfl_tx_ledger_note(core->ledger, id, out) || tfl_mempool_note(&core->pool, id, out);
}

static bool is_final_fault(enum tfl_tx_fault fault)
{
    return fault != TFL_TX_OK && fault != TFL_TX_UNKNOWN_INPUT && fault != TFL_TX_SPENT_INPUT;
}

/* A transaction that came before the one that makes what it takes. */
static void prove_late(void *arg, struct tfl_mempool_tx *m)
{
    struct tfl_core *core = arg;
    struct tfl_reader r = {.p = m->bytes->data, .left = m->bytes->len};
    struct tfl_tx tx = {0};
    if (m->verdict.proven)
        return;
    TFL_ASSERT(tfl_tx_decode(&tx, &r, NULL) == 0);
    if (is_final_fault(tfl_tx_prove(&m->verdict, &tx, lookup, core, NULL))) {
        core->counts.refused++;
        core_pool_remove(core, m);
    }
    tfl_tx_done(&tx);
}

static void prove_takers(void *arg, const struct tfl_mempool_thing *thing)
{
    struct tfl_core *core = arg;
    tfl_mempool_each_taker(&core->pool, thing, prove_late, core);
}

/* It waits already, with proofs that were found good, or is on the chain. One whose proofs could not be judged yet does not
 * keep out the same with proofs that can be: else anybody could take its place with a wrong signature. */
static bool is_known(
    const struct tfl_core *core, const struct tfl_hash *hash, struct tfl_mempool_tx **unproven)
{
    uint32_t height;
    struct tfl_mempool_tx *m = tfl_mempool_find(&core->pool, hash);
    *unproven = m && !m->verdict.proven ? m : NULL;
    return (m && m->verdict.proven) || tfl_tx_index_find(&core->txs, hash, &height);
}

static enum tfl_core_submitted enter(struct tfl_core *core, const struct core_peer *from,
    const struct tfl_verdict *v, const struct tfl_tx *tx, struct tfl_error *err)
{
    struct tfl_mempool *mp = &core->pool;
    TFL_BUF bytes = {0};
    if (!tfl_mempool_has_room(mp, v->size)) {
        core->counts.full++;
        tfl_fail(err, TFL_E_TOO_LARGE,
            "the mempool is full: %u transactions of %u, %zu bytes of %zu; try again later", mp->n,
            mp->max_txs, mp->bytes, mp->max_bytes);
        return TFL_CORE_TX_FULL;
    }
    core->counts.accepted++;
    core->counts.last_ms = now_ms(core);
    uint64_t every = core->params.test.drop_every;
    if (!from && every && ++core->n_dropped_txs % every == 0)
        return TFL_CORE_TX_ACCEPTED;
    tfl_tx_encode(&bytes, tx);
    struct tfl_mempool_tx *m = tfl_mempool_add(mp, v, tx, tfl_bytes_new(bytes.data, bytes.len), now_ms(core));
    queue_gossip(core, m->bytes, from);
    tfl_mempool_each_make(m, prove_takers, core);
    return TFL_CORE_TX_ACCEPTED;
}

/* *broken: it breaks a rule that needs no chain, so that no honest node would pass it on. */
static enum tfl_core_submitted take(struct tfl_core *core, const struct core_peer *from,
    const struct tfl_tx *tx, bool *broken, struct tfl_error *err)
{
    struct tfl_verdict v;
    struct tfl_mempool_tx *unproven;
    struct tfl_hash hash = tfl_tx_hash(tx);
    *broken = false;
    if (is_known(core, &hash, &unproven)) {
        struct tfl_mempool_tx *m = tfl_mempool_find(&core->pool, &hash);
        if (m && !from)
            queue_gossip(core, m->bytes, NULL); /* who sends it again doubts that it came through */
        return TFL_CORE_TX_KNOWN;
    }
    enum tfl_tx_fault fault = tfl_tx_check(&v, tx, err);
    *broken = fault != TFL_TX_OK;
    if (!fault && !v.proven)
        fault = tfl_tx_prove(&v, tx, lookup, core, err);
    if (is_final_fault(fault)) {
        core->counts.refused++;
        return TFL_CORE_TX_REFUSED;
    }
    if (unproven && !v.proven)
        return TFL_CORE_TX_KNOWN;
    if (unproven)
        core_pool_remove(core, unproven);
    return enter(core, from, &v, tx, err);
}

enum tfl_core_submitted tfl_core_submit(
    struct tfl_core *core, int64_t wall_ns, const struct tfl_tx *tx, struct tfl_error *err)
{
    bool broken;
    core_advance(core, wall_ns);
    enum tfl_core_submitted result = take(core, NULL, tx, &broken, err);
    core_finish(core);
    return result;
}

int tfl_core_restore_tx(
    struct tfl_core *core, const struct tfl_core_tx *t, const void *data, size_t len, struct tfl_error *err)
{
    struct tfl_reader r = {.p = data, .left = len};
    struct tfl_verdict v = {.size = (uint32_t)len, .checked = true, .proven = t->proven};
    struct tfl_tx tx;
    uint32_t height;
    TFL_ASSERT(!core->started);
    if (t->seq < core->pool.next_seq || len > TFL_TX_MAX)
        return tfl_fail(err, TFL_E_INVALID, "stored transaction %llu is out of order or too large",
            (unsigned long long)t->seq);
    if (tfl_tx_decode(&tx, &r, err))
        return -1;
    v.hash = tfl_tx_hash(&tx);
    int result = 0;
    if (r.left || !tx.n_ops || tfl_mempool_find(&core->pool, &v.hash) ||
        tfl_tx_index_find(&core->txs, &v.hash, &height))
        result = tfl_fail(err, TFL_E_INVALID, "stored transaction %llu is on the chain, twice, or damaged",
            (unsigned long long)t->seq);
    else
        tfl_mempool_restore(&core->pool, &v, &tx, tfl_bytes_new(data, len), t->arrival_ms, t->seq)->stored =
            true;
    tfl_tx_done(&tx);
    return result;
}

void core_ask_txs(struct tfl_core *core)
{
    for (size_t i = 0; i < core->n_peers; i++) {
        struct core_peer *p = &core->peers[i];
        if (p->gone || !p->hello || !p->synced || p->asked_txs || core_deaf(core))
            continue;
        p->asked_txs = true;
        core_send(core, p, tfl_wire_get_txs(0));
    }
}

void core_serve_txs(struct tfl_core *core, struct core_peer *p, const struct tfl_wire_msg *m)
{
    TFL_BUF txs = {0};
    uint16_t n = 0;
    uint64_t last = 0;
    const struct tfl_mempool_tx *t = tfl_mempool_after(&core->pool, m->cursor);
    for (; t && n < TFL_WIRE_BATCH_TXS; t = t->next, n++) {
        if (n && txs.len + t->bytes->len > TFL_WIRE_BATCH_BYTES)
            break;
        tfl_wire_add_item(&txs, t->bytes->data, t->bytes->len);
        last = t->seq;
    }
    if (n > 0 || m->cursor > 0)
        core_send(core, p, tfl_wire_txs(t ? last : 0, n, &txs));
}

void core_hear_txs(struct tfl_core *core, struct core_peer *p, struct tfl_wire_msg *m)
{
    const uint8_t *data;
    size_t len;
    bool full = false;
    while (!full && tfl_wire_next_item(m, &data, &len)) {
        struct tfl_reader r = {.p = data, .left = len};
        struct tfl_error err;
        struct tfl_tx tx;
        bool broken;
        if (tfl_tx_decode(&tx, &r, &err)) {
            core_drop(core, p, "sent %s", err.msg);
            return;
        }
        if (r.left) {
            core_drop(core, p, "sent %zu bytes after the end of a transaction", r.left);
            tfl_tx_done(&tx);
            return;
        }
        full = take(core, p, &tx, &broken, &err) == TFL_CORE_TX_FULL;
        tfl_tx_done(&tx);
        if (broken) {
            core_drop(core, p, "sent an invalid transaction: %s", err.msg);
            return;
        }
    }
    if (m->cursor <= p->txs_cursor || !p->asked_txs || full)
        return;
    p->txs_cursor = m->cursor;
    core_send(core, p, tfl_wire_get_txs(m->cursor));
}
