#include "node/mempool.h"

#include <stdlib.h>
#include <utlist.h>

/* All that take one thing; it is there while somebody does. */
struct tfl_mempool_slot {
    struct tfl_mempool_thing thing;
    struct tfl_mempool_take *takers;
    UT_hash_handle hh;
};
struct tfl_mempool_take {
    struct tfl_mempool_tx *tx;
    struct tfl_mempool_slot *slot;
    struct tfl_mempool_take *prev, *next;
};
/* One thing that is made. Two transactions with the same operation make the same one: the first stands in the table. */
struct tfl_mempool_make {
    struct tfl_mempool_thing thing;
    bool in_table;
    uint64_t value; /* of a note, as is pk */
    uint8_t pk[TFL_PUBLIC_KEY_SIZE];
    UT_hash_handle hh;
};

_Static_assert(sizeof(struct tfl_mempool_thing) == 33, "things are hashed and compared as bytes");

void tfl_mempool_takes(const struct tfl_tx *tx, tfl_mempool_fn *fn, void *ctx)
{
    for (size_t i = 0; i < tx->n_ops; i++) {
        const struct tfl_tx_op *op = &tx->ops[i];
        if (op->code == TFL_OP_INSCRIBE) {
            bool first = tfl_hash_is_zero(&op->inscribe.parent);
            struct tfl_mempool_thing thing = {first ? op->inscribe.channel : op->inscribe.parent,
                first ? TFL_MEMPOOL_CHANNEL : TFL_MEMPOOL_MESSAGE};
            fn(ctx, &thing);
            continue;
        }
        for (size_t j = 0; j < op->transfer.n_inputs; j++)
            fn(ctx, &(struct tfl_mempool_thing){op->transfer.inputs[j], TFL_MEMPOOL_NOTE});
    }
}

struct makes_ctx {
    tfl_mempool_fn *fn;
    void *ctx;
};

static void made_note(void *arg, const struct tfl_note *note)
{
    struct makes_ctx *c = arg;
    c->fn(c->ctx, &(struct tfl_mempool_thing){note->id, TFL_MEMPOOL_NOTE});
}

static void messages(const struct tfl_tx *tx, tfl_mempool_fn *fn, void *ctx)
{
    for (size_t i = 0; i < tx->n_ops; i++) {
        if (tx->ops[i].code == TFL_OP_INSCRIBE)
            fn(ctx, &(struct tfl_mempool_thing){tfl_inscribe_id(&tx->ops[i]), TFL_MEMPOOL_MESSAGE});
    }
}

void tfl_mempool_makes(const struct tfl_tx *tx, tfl_mempool_fn *fn, void *ctx)
{
    tfl_tx_each_note(tx, made_note, &(struct makes_ctx){fn, ctx});
    messages(tx, fn, ctx);
}

void tfl_mempool_init(struct tfl_mempool *mp, uint32_t max_txs, size_t max_bytes, uint64_t ttl_s)
{
    *mp = (struct tfl_mempool){.max_txs = max_txs ? max_txs : TFL_MEMPOOL_TXS_MAX,
        .max_bytes = max_bytes ? max_bytes : TFL_MEMPOOL_BYTES_MAX,
        .ttl_ms = 1000 * (ttl_s ? ttl_s : TFL_MEMPOOL_TTL_S),
        .next_seq = 1};
}

void tfl_mempool_done(struct tfl_mempool *mp)
{
    while (mp->list)
        tfl_mempool_remove(mp, mp->list);
    free(mp->heap);
    *mp = (struct tfl_mempool){0};
}

static void heap_set(struct tfl_mempool *mp, uint32_t at, struct tfl_mempool_tx *m)
{
    mp->heap[at] = m;
    m->heap_at = at;
}

/* Moves m, whose place `at` is free, to where it belongs. */
static void heap_settle(struct tfl_mempool *mp, uint32_t at, struct tfl_mempool_tx *m)
{
    while (at > 0 && mp->heap[(at - 1) / 2]->order > m->order) {
        heap_set(mp, at, mp->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (uint32_t child; (child = 2 * at + 1) < mp->n_ready; at = child) {
        if (child + 1 < mp->n_ready && mp->heap[child + 1]->order < mp->heap[child]->order)
            child++;
        if (mp->heap[child]->order >= m->order)
            break;
        heap_set(mp, at, mp->heap[child]);
    }
    heap_set(mp, at, m);
}

static void heap_put(struct tfl_mempool *mp, struct tfl_mempool_tx *m)
{
    if (mp->n_ready == mp->heap_cap) {
        mp->heap_cap = mp->heap_cap ? 2 * mp->heap_cap : 64;
        mp->heap = tfl_realloc(mp->heap, mp->heap_cap * sizeof(struct tfl_mempool_tx *));
    }
    m->state = TFL_MEMPOOL_READY;
    heap_settle(mp, mp->n_ready++, m);
}

static void heap_drop(struct tfl_mempool *mp, struct tfl_mempool_tx *m)
{
    struct tfl_mempool_tx *last = mp->heap[--mp->n_ready];
    TFL_ASSERT(mp->heap[m->heap_at] == m);
    if (last != m)
        heap_settle(mp, m->heap_at, last);
}

struct tfl_mempool_tx *tfl_mempool_find(const struct tfl_mempool *mp, const struct tfl_hash *hash)
{
    struct tfl_mempool_tx *m;
    HASH_FIND(hh, mp->table, hash, sizeof *hash, m);
    return m;
}

bool tfl_mempool_has_room(const struct tfl_mempool *mp, size_t len)
{
    return mp->n < mp->max_txs && len <= mp->max_bytes && mp->bytes <= mp->max_bytes - len;
}

static struct tfl_mempool_slot *find_slot(const struct tfl_mempool *mp, const struct tfl_mempool_thing *thing)
{
    struct tfl_mempool_slot *slot;
    HASH_FIND(hh, mp->takers, thing, sizeof *thing, slot);
    return slot;
}

static struct tfl_mempool_make *find_make(const struct tfl_mempool *mp, const struct tfl_mempool_thing *thing)
{
    struct tfl_mempool_make *make;
    HASH_FIND(hh, mp->makers, thing, sizeof *thing, make);
    return make;
}

struct enter_ctx {
    struct tfl_mempool *mp;
    struct tfl_mempool_tx *m;
};

static void enter_take(void *arg, const struct tfl_mempool_thing *thing)
{
    struct enter_ctx *c = arg;
    struct tfl_mempool_slot *slot = find_slot(c->mp, thing);
    if (slot && slot->takers->prev->tx == c->m)
        return; /* two inscriptions of one transaction that can only exclude each other */
    struct tfl_mempool_take *take = &c->m->takes[c->m->n_takes++];
    if (!slot) {
        slot = tfl_alloc(sizeof *slot);
        slot->thing = *thing;
        HASH_ADD(hh, c->mp->takers, thing, sizeof slot->thing, slot);
    }
    take->tx = c->m;
    take->slot = slot;
    DL_APPEND(slot->takers, take);
}

static struct tfl_mempool_make *next_make(struct enter_ctx *c, const struct tfl_mempool_thing *thing)
{
    struct tfl_mempool_make *make = &c->m->makes[c->m->n_makes++];
    make->thing = *thing;
    make->in_table = !find_make(c->mp, thing);
    if (make->in_table)
        HASH_ADD(hh, c->mp->makers, thing, sizeof make->thing, make);
    return make;
}

static void enter_note(void *arg, const struct tfl_note *note)
{
    struct tfl_mempool_make *make = next_make(arg, &(struct tfl_mempool_thing){note->id, TFL_MEMPOOL_NOTE});
    make->value = note->value;
    memcpy(make->pk, note->pk, sizeof make->pk);
}

static void enter_message(void *arg, const struct tfl_mempool_thing *thing)
{
    next_make(arg, thing);
}

static void enter_things(struct tfl_mempool *mp, struct tfl_mempool_tx *m, const struct tfl_tx *tx)
{
    struct enter_ctx c = {mp, m};
    size_t takes = 0, makes = 0;
    for (size_t i = 0; i < tx->n_ops; i++) {
        bool transfer = tx->ops[i].code == TFL_OP_TRANSFER;
        takes += transfer ? tx->ops[i].transfer.n_inputs : 1;
        makes += transfer ? tx->ops[i].transfer.n_outputs : 1;
    }
    m->takes = tfl_alloc(takes * sizeof *m->takes);
    m->makes = tfl_alloc(makes * sizeof *m->makes);
    tfl_mempool_takes(tx, enter_take, &c);
    tfl_tx_each_note(tx, enter_note, &c);
    messages(tx, enter_message, &c);
    TFL_ASSERT(m->n_takes <= takes && m->n_makes == makes);
}

struct tfl_mempool_tx *tfl_mempool_restore(struct tfl_mempool *mp, const struct tfl_verdict *v,
    const struct tfl_tx *tx, struct tfl_bytes *bytes, uint64_t arrival_ms, uint64_t seq)
{
    struct tfl_mempool_tx *m = tfl_alloc(sizeof *m);
    TFL_ASSERT(v->checked && !tfl_mempool_find(mp, &v->hash) && seq >= mp->next_seq);
    m->verdict = *v;
    m->bytes = bytes;
    m->seq = seq;
    m->order = (int64_t)seq;
    m->arrival_ms = arrival_ms;
    mp->next_seq = seq + 1;
    mp->n++;
    mp->bytes += bytes->len;
    HASH_ADD(hh, mp->table, verdict.hash, sizeof m->verdict.hash, m);
    DL_APPEND(mp->list, m);
    enter_things(mp, m, tx);
    heap_put(mp, m);
    return m;
}

struct tfl_mempool_tx *tfl_mempool_add(struct tfl_mempool *mp, const struct tfl_verdict *v,
    const struct tfl_tx *tx, struct tfl_bytes *bytes, uint64_t now_ms)
{
    TFL_ASSERT(tfl_mempool_has_room(mp, bytes->len));
    return tfl_mempool_restore(mp, v, tx, bytes, now_ms, mp->next_seq);
}

struct tfl_mempool_tx *tfl_mempool_put_back(struct tfl_mempool *mp, const struct tfl_verdict *v,
    const struct tfl_tx *tx, struct tfl_bytes *bytes, uint64_t now_ms)
{
    struct tfl_mempool_tx *m = tfl_mempool_restore(mp, v, tx, bytes, now_ms, mp->next_seq);
    heap_drop(mp, m);
    m->order = --mp->next_before;
    heap_put(mp, m);
    return m;
}

void tfl_mempool_remove(struct tfl_mempool *mp, struct tfl_mempool_tx *m)
{
    if (m->state == TFL_MEMPOOL_READY)
        heap_drop(mp, m);
    mp->n_parked -= m->state == TFL_MEMPOOL_PARKED;
    for (uint32_t i = 0; i < m->n_takes; i++) {
        struct tfl_mempool_slot *slot = m->takes[i].slot;
        DL_DELETE(slot->takers, &m->takes[i]);
        if (!slot->takers) {
            HASH_DEL(mp->takers, slot); // NOLINT(clang-analyzer-core.NullDereference): the table holds slot
            free(slot);
        }
    }
    for (uint32_t i = 0; i < m->n_makes; i++) {
        if (m->makes[i].in_table)
            // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): in_table says that the table is there
            HASH_DEL(mp->makers, &m->makes[i]);
    }
    mp->n--;
    mp->bytes -= m->bytes->len;
    HASH_DEL(mp->table, m);
    DL_DELETE(mp->list, m);
    tfl_bytes_unref(m->bytes);
    free(m->takes);
    free(m->makes);
    free(m);
}

struct tfl_mempool_tx *tfl_mempool_take(struct tfl_mempool *mp)
{
    if (mp->n_ready == 0)
        return NULL;
    struct tfl_mempool_tx *m = mp->heap[0];
    heap_drop(mp, m);
    m->state = TFL_MEMPOOL_TAKEN;
    return m;
}

void tfl_mempool_ready(struct tfl_mempool *mp, struct tfl_mempool_tx *m)
{
    TFL_ASSERT(m->state == TFL_MEMPOOL_TAKEN);
    heap_put(mp, m);
}

void tfl_mempool_park(struct tfl_mempool *mp, struct tfl_mempool_tx *m)
{
    TFL_ASSERT(m->state == TFL_MEMPOOL_TAKEN);
    m->state = TFL_MEMPOOL_PARKED;
    mp->n_parked++;
}

void tfl_mempool_wake(struct tfl_mempool *mp, const struct tfl_mempool_thing *thing)
{
    struct tfl_mempool_slot *slot = mp->n_parked ? find_slot(mp, thing) : NULL;
    for (struct tfl_mempool_take *t = slot ? slot->takers : NULL; t; t = t->next) {
        if (t->tx->state != TFL_MEMPOOL_PARKED)
            continue;
        mp->n_parked--;
        heap_put(mp, t->tx);
    }
}

void tfl_mempool_each_make(const struct tfl_mempool_tx *m, tfl_mempool_fn *fn, void *ctx)
{
    for (uint32_t i = 0; i < m->n_makes; i++)
        fn(ctx, &m->makes[i].thing);
}

void tfl_mempool_each_taker(struct tfl_mempool *mp, const struct tfl_mempool_thing *thing,
    void (*fn)(void *ctx, struct tfl_mempool_tx *m), void *ctx)
{
    struct tfl_mempool_slot *slot = find_slot(mp, thing);
    for (struct tfl_mempool_take *t = slot ? slot->takers : NULL, *next; t; t = next) {
        next = t->next; /* of another transaction: each takes a thing once */
        fn(ctx, t->tx);
    }
}

bool tfl_mempool_note(const struct tfl_mempool *mp, const struct tfl_hash *id, struct tfl_note *out)
{
    const struct tfl_mempool_make *make = find_make(mp, &(struct tfl_mempool_thing){*id, TFL_MEMPOOL_NOTE});
    if (!make)
        return false;
    if (out) {
        *out = (struct tfl_note){.id = *id, .value = make->value};
        memcpy(out->pk, make->pk, sizeof out->pk);
    }
    return true;
}

struct tfl_mempool_tx *tfl_mempool_expired(const struct tfl_mempool *mp, uint64_t now_ms)
{
    struct tfl_mempool_tx *m = mp->list;
    return m && now_ms >= m->arrival_ms && now_ms - m->arrival_ms >= mp->ttl_ms ? m : NULL;
}

const struct tfl_mempool_tx *tfl_mempool_after(const struct tfl_mempool *mp, uint64_t after)
{
    const struct tfl_mempool_tx *m = mp->list;
    while (m && m->seq <= after)
        m = m->next;
    return m;
}
