#include "node/core_impl.h"

#include <stdlib.h>
#include <string.h>

static int check(const struct tfl_core_params *p, struct tfl_error *err)
{
    if (p->slot_duration_ms < TFL_SLOT_MS_MIN || p->slot_duration_ms > TFL_SLOT_MS_MAX)
        return tfl_fail(err, TFL_E_BAD_CONFIG, "slot duration %llu ms: expected %d to %d",
            (unsigned long long)p->slot_duration_ms, TFL_SLOT_MS_MIN, TFL_SLOT_MS_MAX);
    if (!(p->active_slot_coeff > 0 && p->active_slot_coeff <= 1))
        return tfl_fail(err, TFL_E_BAD_CONFIG, "active slot coefficient %g: expected above 0 and at most 1",
            p->active_slot_coeff);
    if (p->security_param < 1)
        return tfl_fail(err, TFL_E_BAD_CONFIG, "security parameter 0: expected at least 1");
    return tfl_genesis_check(&p->genesis, err);
}

struct tfl_core *tfl_core_new(const struct tfl_core_params *params, struct tfl_error *err)
{
    if (check(params, err)) {
        tfl_wrap(err, "deployment");
        return NULL;
    }
    struct tfl_core *core = tfl_alloc(sizeof *core);
    struct tfl_genesis *g = &core->params.genesis;
    size_t size = params->genesis.n_stakes * sizeof *core->stakes;
    core->params = *params;
    g->chain_id = core->chain_id = tfl_strdup(params->genesis.chain_id);
    g->stakes = core->stakes = memcpy(tfl_alloc(size), params->genesis.stakes, size);
    core->slots = (struct tfl_slots){g->genesis_time_unix_ms, params->slot_duration_ms};
    tfl_lottery_init(&core->lottery, g, params->active_slot_coeff);
    TFL_BLOCK genesis = {0};
    tfl_genesis_block(&genesis, &params->genesis);
    g->notes = NULL; /* they are the caller's, and in the block now */
    g->n_notes = 0;
    tfl_block_encode(&core->genesis, &genesis);
    tfl_index_init(&core->index, &genesis.id, params->security_param);
    tfl_mempool_init(&core->pool, params->mempool_max_txs, params->mempool_max_bytes, params->mempool_ttl_s);
    if (core_ledger_init(core, &genesis, err)) {
        tfl_core_free(core);
        return NULL;
    }
    return core;
}

void tfl_core_free(struct tfl_core *core)
{
    struct tfl_core_effect effect;
    if (!core)
        return;
    while (tfl_core_next(core, &effect))
        tfl_core_effect_done(&effect);
    for (uint32_t i = 0; i < core->outbox.n; i++)
        tfl_bytes_unref(core->outbox.items[i].bytes);
    tfl_orphans_done(&core->orphans);
    core_ledger_done(core);
    tfl_mempool_done(&core->pool);
    tfl_buf_done(&core->gone);
    tfl_index_done(&core->index);
    tfl_lottery_done(&core->lottery);
    tfl_buf_done(&core->genesis);
    free(core->effects);
    free(core->peers);
    free(core->stakes);
    free(core->chain_id);
    free(core);
}

int tfl_core_restore(struct tfl_core *core, const void *block, size_t len, struct tfl_error *err)
{
    TFL_BLOCK b = {0};
    struct tfl_index *ix = &core->index;
    char hex[TFL_HASH_HEX], of[TFL_HASH_HEX];
    uint32_t reorg;
    TFL_ASSERT(!core->started);
    if (tfl_block_decode(&b, block, len, err))
        return tfl_wrap(err, "stored block %u", ix->n);
    uint32_t parent = tfl_index_find(ix, &b.header.parent);
    tfl_hash_hex(hex, &b.id);
    if (parent == TFL_INDEX_NONE)
        return tfl_fail(err, TFL_E_INVALID,
            "stored block %u, %s: its parent %s is neither before it nor the genesis of this deployment",
            ix->n, hex, tfl_hash_hex(of, &b.header.parent));
    if (tfl_index_find(ix, &b.id) != TFL_INDEX_NONE || b.header.slot <= ix->entries[parent].slot ||
        !tfl_index_open(ix, parent))
        return tfl_fail(err, TFL_E_INVALID,
            "stored block %u, %s: it is there twice, has a slot not above its parent's, or forks below the "
            "last final "
            "block; was it stored with another security parameter?",
            ix->n, hex);
    if (core_place(core, &b.id, parent, b.header.slot, &b, NULL, &reorg, err))
        return tfl_wrap(err, "stored block %u, %s", ix->n, hex);
    return 0;
}

static void set_online(struct tfl_core *core)
{
    core->online = true;
    core_log(core, TFL_LOG_INFO, "online at height %u", tfl_index_tip_height(&core->index));
}

static bool bootstraps_alone(const struct tfl_core *core)
{
    return !core->online && core->params.n_configured_peers == 0;
}

static void see_bootstrap(struct tfl_core *core)
{
    if (bootstraps_alone(core) && core->now_ns >= core->bootstrap_until_ns)
        set_online(core);
}

void tfl_core_start(struct tfl_core *core, int64_t wall_ns)
{
    TFL_ASSERT(!core->started && wall_ns >= 0);
    core->started = true;
    core->now_ns = wall_ns;
    core->next_beat_ns = wall_ns + CORE_BEAT_NS;
    /* the slot that is running now may have been led already, before a restart */
    if (tfl_slots_at(&core->slots, wall_ns, &core->slot))
        core->next_slot = core->slot + 1;
    /* A node that has blocks is one of a network that goes on: if it led alone until the first of those that dial it is
     * back, it would lead a fork. */
    core->bootstrap_until_ns =
        core->index.n > 1 ? wall_ns + (int64_t)core->params.bootstrap_ms * CORE_MS : wall_ns;
    see_bootstrap(core);
}

static void remember_late(struct tfl_core *core, uint64_t from, uint64_t to)
{
    core->n_late_slots += to - from + 1;
    core->late[core->late_end] = (struct tfl_core_late){from, to};
    core->late_end = (core->late_end + 1) % TFL_CORE_LATE_RANGES_MAX;
    if (core->n_late < TFL_CORE_LATE_RANGES_MAX)
        core->n_late++;
}

/* What time alone brings; every input begins with it. */
void core_advance(struct tfl_core *core, int64_t wall_ns)
{
    uint64_t slot;
    TFL_ASSERT(core->started);
    if (wall_ns > core->now_ns)
        core->now_ns = wall_ns;
    see_bootstrap(core);
    if (core->now_ns >= core->next_beat_ns)
        core_beat(core);
    if (core->outbox.n && core->now_ns >= core->outbox.due_ns)
        core_gossip_txs(core);
    if (!tfl_slots_at(&core->slots, core->now_ns, &slot) || slot < core->next_slot)
        return;
    core->slot = slot;
    if (slot > core->next_slot)
        remember_late(core, core->next_slot, slot - 1);
    core->next_slot = slot + 1;
    core_lead(core, slot);
}

/* Every input ends with it. */
void core_finish(struct tfl_core *core)
{
    for (size_t i = 0; i < core->n_peers && !core->online; i++) {
        const struct core_peer *p = &core->peers[i];
        if ((p->configured || bootstraps_alone(core)) && !p->gone && p->hello && p->synced)
            set_online(core);
    }
    core_sync(core);
    core_ask_txs(core);
    core_pool_flush(core);
    core_sweep(core);
}

void tfl_core_tick(struct tfl_core *core, int64_t wall_ns)
{
    core_advance(core, wall_ns);
    core_finish(core);
}

void tfl_core_peer_up(struct tfl_core *core, int64_t wall_ns, uint64_t peer, bool configured)
{
    core_advance(core, wall_ns);
    core_sweep(core);
    TFL_ASSERT(!core_peer(core, peer));
    if (core->n_peers == core->peers_cap) {
        core->peers_cap = core->peers_cap ? core->peers_cap * 2 : 8;
        core->peers = tfl_realloc(core->peers, core->peers_cap * sizeof *core->peers);
    }
    struct core_peer *p = &core->peers[core->n_peers++];
    *p = (struct core_peer){.handle = peer, .configured = configured, .heard_ns = core->now_ns};
    if (core->n_peers > TFL_CORE_PEERS_MAX)
        core_drop(core, p, "one connection too many: there are %d", TFL_CORE_PEERS_MAX);
    else
        core_greet(core, p);
    core_finish(core);
}

void tfl_core_heard(struct tfl_core *core, int64_t wall_ns, uint64_t peer)
{
    core_advance(core, wall_ns);
    struct core_peer *p = core_peer(core, peer);
    if (p)
        p->heard_ns = core->now_ns;
    core_finish(core);
}

void tfl_core_message(struct tfl_core *core, int64_t wall_ns, uint64_t peer, const void *data, size_t len)
{
    core_advance(core, wall_ns);
    struct core_peer *p = core_peer(core, peer);
    if (p) {
        p->heard_ns = core->now_ns;
        core_hear(core, p, data, len);
    }
    core_finish(core);
}

void tfl_core_peer_down(struct tfl_core *core, int64_t wall_ns, uint64_t peer)
{
    core_advance(core, wall_ns);
    struct core_peer *p = core_peer(core, peer);
    if (p)
        p->gone = true;
    core_finish(core);
}

int64_t tfl_core_next_deadline_ns(const struct tfl_core *core)
{
    int64_t slot_ns = tfl_slots_start_ns(&core->slots, core->next_slot);
    int64_t at = slot_ns < core->next_beat_ns ? slot_ns : core->next_beat_ns;
    if (bootstraps_alone(core) && core->bootstrap_until_ns < at)
        at = core->bootstrap_until_ns;
    return core->outbox.n && core->outbox.due_ns < at ? core->outbox.due_ns : at;
}
