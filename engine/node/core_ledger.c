/* The ledger, the places of transactions and the mempool follow the tip. A block's transactions are judged when its branch
 * is to become the chain of the tip, not before: only then it is known what they are applied to. */
#include "node/core_impl.h"

#include <stdlib.h>
#include <string.h>

int core_ledger_init(struct tfl_core *core, const struct tfl_block *genesis, struct tfl_error *err)
{
    core->ledger = tfl_tx_ledger_new(genesis, err);
    if (!core->ledger)
        return tfl_wrap(err, "genesis");
    for (uint32_t i = 0; i < genesis->n_txs; i++) {
        struct tfl_hash hash = tfl_tx_hash(&genesis->txs[i]);
        tfl_tx_index_put(&core->txs, &hash, 0);
    }
    return 0;
}

void core_ledger_done(struct tfl_core *core)
{
    for (size_t i = core->undo_head; i < core->n_undos; i++)
        tfl_undo_done(&core->undos[i]);
    free(core->undos);
    tfl_tx_index_done(&core->txs);
    tfl_tx_ledger_free(core->ledger);
}

static void undos_push(struct tfl_core *core, struct tfl_undo undo)
{
    if (core->n_undos == core->undos_cap) {
        core->undos_cap = core->undos_cap ? 2 * core->undos_cap : 16;
        core->undos = tfl_realloc(core->undos, core->undos_cap * sizeof undo);
    }
    core->undos[core->n_undos++] = undo;
}

/* The oldest is not needed any more: its block is final. */
static void undos_shift(struct tfl_core *core)
{
    TFL_ASSERT(core->undo_head < core->n_undos);
    tfl_undo_done(&core->undos[core->undo_head++]);
    core->undo_base++;
    if (core->undo_head > core->n_undos / 2) {
        core->n_undos -= core->undo_head;
        memmove(core->undos, core->undos + core->undo_head, core->n_undos * sizeof *core->undos);
        core->undo_head = 0;
    }
}

/* The bytes of a block of the index: read back, or, when its effect was not carried out yet, from there. */
static int load(struct tfl_core *core, uint32_t i, struct tfl_block *b, struct tfl_error *err)
{
    TFL_BUF bytes = {0};
    const struct tfl_hash *id = &core->index.entries[i].id;
    for (size_t e = core->n_effects; e > core->effects_head; e--) {
        const struct tfl_core_effect *effect = &core->effects[e - 1];
        if (effect->type == TFL_CORE_BLOCK && tfl_hash_eq(&effect->block.id, id))
            return tfl_block_decode(b, effect->bytes->data, effect->bytes->len, err);
    }
    return tfl_core_read(core, id, &bytes, err) || tfl_block_decode(b, bytes.data, bytes.len, err) ? -1 : 0;
}

static void wake(void *arg, const struct tfl_mempool_thing *thing)
{
    tfl_mempool_wake(arg, thing);
}

/* A transaction with the same hash may have other proofs: a verdict holds for the proofs it was made of. */
static bool same_proofs(const struct tfl_mempool_tx *m, const struct tfl_tx *tx)
{
    const uint8_t *proofs = m->bytes->data + m->bytes->len - (size_t)tx->n_ops * TFL_SIGNATURE_SIZE;
    for (size_t i = 0; i < tx->n_ops; i++) {
        if (memcmp(proofs + i * TFL_SIGNATURE_SIZE, tx->ops[i].proof, TFL_SIGNATURE_SIZE) != 0)
            return false;
    }
    return true;
}

/* Applies a block on top of the ledger's; its transactions leave the mempool. trusted: it was applied before. */
static int push(
    struct tfl_core *core, const struct tfl_block *b, uint32_t height, bool trusted, struct tfl_error *err)
{
    TFL_FREE struct tfl_verdict *verdicts = tfl_alloc(b->n_txs * sizeof *verdicts);
    TFL_FREE struct tfl_hash *hashes = tfl_alloc(b->n_txs * sizeof *hashes);
    struct tfl_undo undo = {0};
    for (uint32_t i = 0; i < b->n_txs; i++) {
        hashes[i] = tfl_tx_hash(&b->txs[i]);
        const struct tfl_mempool_tx *m = tfl_mempool_find(&core->pool, &hashes[i]);
        if (m && same_proofs(m, &b->txs[i]))
            verdicts[i] = m->verdict;
    }
    if (trusted ? tfl_tx_ledger_apply_trusted(core->ledger, b, &undo, err)
                : tfl_tx_ledger_apply(core->ledger, b, verdicts, &undo, err)) {
        tfl_undo_done(&undo);
        return -1;
    }
    undos_push(core, undo);
    for (uint32_t i = 0; i < b->n_txs; i++) {
        struct tfl_mempool_tx *m = tfl_mempool_find(&core->pool, &hashes[i]);
        if (m)
            core_pool_remove(core, m);
        tfl_tx_index_put(&core->txs, &hashes[i], height);
        if (core->pool.n_parked)
            tfl_mempool_makes(&b->txs[i], wake, &core->pool);
    }
    return 0;
}

/* Takes the ledger's newest block back; its transactions wait again. Before the start those are on disk, if they still
 * wait, and are restored later. */
static void pop(struct tfl_core *core, const struct tfl_block *b)
{
    TFL_ASSERT(core->n_undos > core->undo_head);
    struct tfl_undo *undo = &core->undos[--core->n_undos];
    tfl_tx_ledger_undo(core->ledger, undo);
    tfl_undo_done(undo);
    for (uint32_t i = b->n_txs; i-- > 0;) {
        const struct tfl_tx *tx = &b->txs[i];
        struct tfl_verdict v = {.hash = tfl_tx_hash(tx), .checked = true, .proven = true};
        tfl_tx_index_remove(&core->txs, &v.hash);
        tfl_mempool_takes(tx, wake, &core->pool);
        if (!core->started || tfl_mempool_find(&core->pool, &v.hash))
            continue;
        TFL_BUF bytes = {0};
        tfl_tx_encode(&bytes, tx);
        v.size = (uint32_t)bytes.len;
        tfl_mempool_put_back(
            &core->pool, &v, tx, tfl_bytes_new(bytes.data, bytes.len), (uint64_t)(core->now_ns / CORE_MS));
        core->counts.returned++;
    }
}

/* Blocks in a row, the oldest first: which, and what they hold. */
struct row {
    uint32_t *numbers;
    struct tfl_block *blocks;
    uint32_t n, height; /* of the first */
};

static void row_done(struct row *row)
{
    for (uint32_t i = 0; i < row->n; i++)
        tfl_block_done(&row->blocks[i]);
    free(row->blocks);
    free(row->numbers);
}

/* The blocks from above `height` up to i. */
static int row_load(
    struct tfl_core *core, struct row *row, uint32_t i, uint32_t height, struct tfl_error *err)
{
    const struct tfl_index *ix = &core->index;
    uint32_t n = ix->entries[i].height - height;
    *row = (struct row){.n = n, .height = height + 1};
    row->numbers = tfl_alloc(n * sizeof *row->numbers);
    row->blocks = tfl_alloc(n * sizeof *row->blocks);
    while (n-- > 0) {
        row->numbers[n] = i;
        if (load(core, i, &row->blocks[n], err))
            return tfl_wrap(err, "height %u", height + 1 + n);
        i = ix->entries[i].parent;
    }
    return 0;
}

/* Undoes `old`, applies `new` and b on top of it; or, when one of those cannot be applied, all is as before. */
static int exchange(struct tfl_core *core, const struct row *old, const struct row *new,
    const struct tfl_block *b, struct tfl_error *err)
{
    uint32_t done = 0;
    for (uint32_t i = old->n; i-- > 0;)
        pop(core, &old->blocks[i]);
    while (done < new->n && push(core, &new->blocks[done], new->height + done, !core->started, err) == 0)
        done++;
    if (done == new->n && push(core, b, new->height + new->n, !core->started, err) == 0)
        return 0;
    if (done < new->n)
        tfl_index_condemn(&core->index, new->numbers[done]);
    while (done-- > 0)
        pop(core, &new->blocks[done]);
    for (uint32_t i = 0; i < old->n; i++)
        TFL_ASSERT(push(core, &old->blocks[i], old->height + i, true, NULL) == 0);
    return -1;
}

/* The ledger goes from the tip to a new child of `parent`. */
static int follow(struct tfl_core *core, uint32_t parent, const struct tfl_block *b, struct tfl_error *err)
{
    const struct tfl_index *ix = &core->index;
    struct row old = {0}, new = {0};
    uint32_t fork = parent;
    while (!tfl_index_canonical(ix, fork))
        fork = ix->entries[fork].parent;
    uint32_t height = ix->entries[fork].height;
    int result = -1;
    if (row_load(core, &old, ix->tip, height, err) == 0 && row_load(core, &new, parent, height, err) == 0) {
        result = exchange(core, &old, &new, b, err);
        if (result)
            core->bad[core->n_bad++ % CORE_BAD_MAX] = b->id;
    }
    row_done(&old);
    row_done(&new);
    return result;
}

static void evict(void *arg, struct tfl_mempool_tx *m)
{
    struct tfl_core *core = arg;
    core->counts.conflicted++;
    core_pool_remove(core, m);
}

static void evict_takers(void *arg, const struct tfl_mempool_thing *thing)
{
    struct tfl_core *core = arg;
    tfl_mempool_each_taker(&core->pool, thing, evict, core);
}

/* What its transactions took is taken for ever: those that wait for the same can go. */
static void finalise(struct tfl_core *core, uint32_t height)
{
    TFL_BLOCK b = {0};
    struct tfl_error err;
    undos_shift(core);
    TFL_ASSERT(core->undo_base == height);
    if (core->pool.n == 0)
        return;
    if (load(core, core->index.main[height], &b, &err)) {
        core_log(core, TFL_LOG_ERROR, "height %u is final but cannot be read: %s", height, err.msg);
        return;
    }
    for (uint32_t i = 0; i < b.n_txs; i++)
        tfl_mempool_takes(&b.txs[i], evict_takers, core);
}

bool core_is_bad(const struct tfl_core *core, const struct tfl_hash *id)
{
    for (uint32_t i = 0; i < core->n_bad && i < CORE_BAD_MAX; i++) {
        if (tfl_hash_eq(&core->bad[i], id))
            return true;
    }
    return false;
}

int core_place(struct tfl_core *core, const struct tfl_hash *id, uint32_t parent, uint64_t slot,
    const struct tfl_block *b, const struct tfl_bytes *bytes, uint32_t *reorg, struct tfl_error *err)
{
    struct tfl_index *ix = &core->index;
    TFL_BLOCK decoded = {0};
    if (tfl_index_leads(ix, parent)) {
        if (!b && tfl_block_decode(&decoded, bytes->data, bytes->len, err))
            return -1;
        if (follow(core, parent, b ? b : &decoded, err))
            return -1;
    }
    uint32_t final = tfl_index_lib_height(ix);
    tfl_index_add(ix, id, parent, slot, reorg);
    while (final < tfl_index_lib_height(ix))
        finalise(core, ++final);
    return 0;
}
