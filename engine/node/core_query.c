#include "node/core_impl.h"

#include <string.h>

void tfl_core_info(const struct tfl_core *core, struct tfl_core_info *info)
{
    const struct tfl_index *ix = &core->index;
    uint64_t slot;
    bool began = tfl_slots_at(&core->slots, core->now_ns, &slot);
    *info = (struct tfl_core_info){
        .genesis = ix->entries[0].id,
        .tip = ix->entries[ix->tip].id,
        .lib = ix->entries[ix->lib].id,
        .tip_slot = ix->entries[ix->tip].slot,
        .lib_slot = ix->entries[ix->lib].slot,
        .height = tfl_index_tip_height(ix),
        .lib_height = tfl_index_lib_height(ix),
        .current_slot = slot,
        .phase = !began         ? TFL_CORE_AWAITING_GENESIS
                 : core->online ? TFL_CORE_FOLLOWING
                                : TFL_CORE_SYNCING,
        .online = core->online,
        .n_connections = (uint32_t)core->n_peers,
        .n_peers = core->n_identities,
        .n_blocks = ix->n,
        .n_orphans = core->orphans.n,
        .n_led = core->n_led,
        .n_refused = core->n_refused,
        .n_dropped = core->n_dropped,
        .n_reorgs = core->n_reorgs,
        .max_reorg_depth = core->max_reorg_depth,
        .n_late_slots = core->n_late_slots,
        .txs = core->counts,
    };
    info->txs.pending = core->pool.n;
    info->txs.bytes = core->pool.bytes;
    info->txs.parked = core->pool.n_parked;
    info->txs.included = core->txs.n;
    info->txs.notes = tfl_tx_ledger_info(core->ledger).n_notes;
}

const struct tfl_tx_ledger *tfl_core_ledger(const struct tfl_core *core)
{
    return core->ledger;
}

bool tfl_core_is_pending(const struct tfl_core *core, const struct tfl_hash *tx)
{
    return tfl_mempool_find(&core->pool, tx) != NULL;
}

void tfl_core_each_pending(
    const struct tfl_core *core, void (*fn)(void *ctx, const struct tfl_hash *tx), void *ctx)
{
    for (const struct tfl_mempool_tx *m = core->pool.list; m; m = m->next)
        fn(ctx, &m->verdict.hash);
}

bool tfl_core_find_tx(const struct tfl_core *core, const struct tfl_hash *tx, struct tfl_core_header *block)
{
    uint32_t height;
    return tfl_tx_index_find(&core->txs, tx, &height) && tfl_core_at_height(core, height, block);
}

bool tfl_core_find(const struct tfl_core *core, const struct tfl_hash *id, struct tfl_core_header *out)
{
    uint32_t i = tfl_index_find(&core->index, id);
    if (i == TFL_INDEX_NONE)
        return false;
    *out = core_header(core, i);
    return true;
}

bool tfl_core_at_height(const struct tfl_core *core, uint64_t height, struct tfl_core_header *out)
{
    if (height > tfl_index_tip_height(&core->index))
        return false;
    *out = core_header(core, core->index.main[height]);
    return true;
}

uint64_t tfl_core_height_at_slot(const struct tfl_core *core, uint64_t slot)
{
    return tfl_index_height_at_slot(&core->index, slot);
}

static int locate(const struct tfl_core *core, const struct tfl_hash *id, uint32_t otherwise, uint32_t *i,
    struct tfl_error *err)
{
    char hex[TFL_HASH_HEX];
    *i = id ? tfl_index_find(&core->index, id) : otherwise;
    return *i == TFL_INDEX_NONE ? tfl_fail(err, TFL_E_NOT_FOUND, "no block %s here", tfl_hash_hex(hex, id))
                                : 0;
}

int tfl_core_headers(const struct tfl_core *core, const struct tfl_hash *from, const struct tfl_hash *to,
    struct tfl_hash ids[TFL_CORE_HEADERS_MAX], size_t *n, struct tfl_error *err)
{
    const struct tfl_index *ix = &core->index;
    uint32_t newest, oldest;
    *n = 0;
    if (locate(core, from, ix->tip, &newest, err) || locate(core, to, ix->lib, &oldest, err))
        return -1;
    if (ix->entries[oldest].height > ix->entries[newest].height ||
        tfl_index_ancestor(ix, newest, ix->entries[oldest].height) != oldest) {
        char a[TFL_HASH_HEX], b[TFL_HASH_HEX];
        return tfl_fail(err, TFL_E_NOT_FOUND, "block %s is no ancestor of %s",
            tfl_hash_hex(a, &ix->entries[oldest].id), tfl_hash_hex(b, &ix->entries[newest].id));
    }
    for (uint32_t i = newest; *n < TFL_CORE_HEADERS_MAX; i = ix->entries[i].parent) {
        ids[(*n)++] = ix->entries[i].id;
        if (i == oldest)
            break;
    }
    return 0;
}

int tfl_core_read(
    const struct tfl_core *core, const struct tfl_hash *id, struct tfl_buf *out, struct tfl_error *err)
{
    char hex[TFL_HASH_HEX];
    uint32_t i = tfl_index_find(&core->index, id);
    if (i == TFL_INDEX_NONE)
        return tfl_fail(err, TFL_E_NOT_FOUND, "no block %s here", tfl_hash_hex(hex, id));
    if (i == 0) {
        tfl_buf_add(out, core->genesis.data, core->genesis.len);
        return 0;
    }
    return core->params.read(core->params.read_arg, id, out, err);
}

size_t tfl_core_peers(const struct tfl_core *core, struct tfl_core_peer *out, size_t max)
{
    for (size_t i = 0; i < core->n_peers && i < max; i++) {
        const struct core_peer *p = &core->peers[i];
        out[i] = (struct tfl_core_peer){
            .peer = p->handle, .configured = p->configured, .hello = p->hello, .height = p->height};
        memcpy(out[i].node, p->node, sizeof p->node);
    }
    return core->n_peers;
}

size_t tfl_core_late_slots(const struct tfl_core *core, struct tfl_core_late out[TFL_CORE_LATE_RANGES_MAX])
{
    size_t first = (core->late_end + TFL_CORE_LATE_RANGES_MAX - core->n_late) % TFL_CORE_LATE_RANGES_MAX;
    for (size_t i = 0; i < core->n_late; i++)
        out[i] = core->late[(first + i) % TFL_CORE_LATE_RANGES_MAX];
    return core->n_late;
}
