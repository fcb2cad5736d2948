#include "node/core_impl.h"

#include <string.h>

struct tfl_core_header core_header(const struct tfl_core *core, uint32_t i)
{
    const struct tfl_index *ix = &core->index;
    const struct tfl_index_entry *e = &ix->entries[i];
    struct tfl_core_header h = {.id = e->id, .slot = e->slot, .height = e->height};
    if (e->parent != TFL_INDEX_NONE)
        h.parent = ix->entries[e->parent].id;
    h.canonical = tfl_index_canonical(ix, i);
    h.final = h.canonical && e->height <= tfl_index_lib_height(ix);
    return h;
}

void core_gossip(struct tfl_core *core, const struct core_peer *but, const void *block, size_t len)
{
    struct tfl_bytes *message = NULL;
    for (size_t i = 0; i < core->n_peers; i++) {
        struct core_peer *p = &core->peers[i];
        if (p == but || p->gone || !p->hello)
            continue;
        if (!message)
            message = tfl_wire_block(block, len);
        core_send(core, p, tfl_bytes_ref(message));
    }
    tfl_bytes_unref(message);
}

/* The rules that need neither parent nor clock: the leader holds stake, its ticket wins, both signatures are its own.
 * The signatures come last, they are what costs. */
static int check_leader(const struct tfl_core *core, const struct tfl_block *b, struct tfl_error *err)
{
    const struct tfl_header *h = &b->header;
    char hex[2 * TFL_PUBLIC_KEY_SIZE + 1];
    uint64_t threshold = tfl_lottery_find(&core->lottery, h->leader), ticket = tfl_lottery_ticket(h->proof);
    tfl_hex(hex, h->leader, sizeof h->leader);
    if (threshold == 0)
        return tfl_fail(err, TFL_E_INVALID, "its leader %s holds no stake", hex);
    if (ticket >= threshold)
        return tfl_fail(err, TFL_E_INVALID,
            "the ticket of its leader %s is %llu: slot %llu is won below %llu", hex,
            (unsigned long long)ticket, (unsigned long long)h->slot, (unsigned long long)threshold);
    if (!tfl_hash_is_zero(&h->voucher_cm) || !tfl_hash_is_zero(&h->entropy))
        return tfl_fail(err, TFL_E_INVALID, "voucher_cm and entropy_contribution must be zeros");
    if (!tfl_lottery_verify(h->proof, h->leader, core->lottery.nonce, h->slot))
        return tfl_fail(err, TFL_E_INVALID, "its proof of leadership is not by %s for slot %llu", hex,
            (unsigned long long)h->slot);
    if (!tfl_verify(b->sig, h->leader, b->id.b, sizeof b->id.b))
        return tfl_fail(err, TFL_E_INVALID, "its signature is not by its leader %s", hex);
    return 0;
}

static int check_slot(const struct tfl_core *core, uint64_t slot, uint32_t parent, struct tfl_error *err)
{
    if (slot > core->index.entries[parent].slot)
        return 0;
    return tfl_fail(err, TFL_E_INVALID, "its slot %llu is not above that of its parent, %llu",
        (unsigned long long)slot, (unsigned long long)core->index.entries[parent].slot);
}

/* Puts a judged block (b: decoded, or NULL) on its parent and tells what came of it; false when it, or its branch, cannot
 * be applied. Takes over the reference in bytes. */
static bool apply(struct tfl_core *core, const struct tfl_hash *id, uint32_t parent, uint64_t slot,
    const struct tfl_block *b, struct tfl_bytes *bytes, struct tfl_error *err)
{
    struct tfl_index *ix = &core->index;
    char hex[TFL_HASH_HEX];
    uint32_t final = tfl_index_lib_height(ix), reorg, i = ix->n;
    tfl_hash_hex(hex, id);
    if (core_place(core, id, parent, slot, b, bytes, &reorg, err)) {
        tfl_bytes_unref(bytes);
        core->n_refused++;
        core_log(core, TFL_LOG_WARN, "block %s is refused: %s", hex, err->msg);
        return false;
    }
    struct tfl_core_effect effect = {.type = TFL_CORE_BLOCK, .bytes = bytes, .block = core_header(core, i)};
    effect.view = (struct tfl_core_view){
        .tip = ix->entries[ix->tip].id,
        .lib = ix->entries[ix->lib].id,
        .tip_slot = ix->entries[ix->tip].slot,
        .lib_slot = ix->entries[ix->lib].slot,
    };
    core_emit(core, effect);
    for (uint32_t height = final + 1; height <= tfl_index_lib_height(ix); height++)
        core_emit(core,
            (struct tfl_core_effect){.type = TFL_CORE_FINAL, .block = core_header(core, ix->main[height])});
    if (reorg > 0) {
        core->n_reorgs++;
        if (reorg > core->max_reorg_depth)
            core->max_reorg_depth = reorg;
        core_log(core, TFL_LOG_INFO, "reorganised %u blocks deep to %s at height %u", reorg, hex,
            ix->entries[i].height);
    }
    return true;
}

/* Applies and gossips the orphans whose parents are known by now; one may free the next. */
static void adopt_orphans(struct tfl_core *core)
{
    struct tfl_orphans *os = &core->orphans;
    for (uint32_t i = 0; i < os->n;) {
        struct tfl_error err;
        uint32_t parent = tfl_index_find(&core->index, &os->items[i].parent);
        if (parent == TFL_INDEX_NONE) {
            i++;
            continue;
        }
        struct tfl_orphan o = tfl_orphans_take(os, i);
        struct core_peer *from = core_peer(core, o.peer);
        if (check_slot(core, o.slot, parent, &err)) {
            core->n_refused++;
            if (from)
                core_drop(core, from, "sent an invalid block: %s", err.msg);
            tfl_bytes_unref(o.bytes);
        } else if (!tfl_index_open(&core->index, parent)) {
            core->n_refused++;
            tfl_bytes_unref(o.bytes);
        } else if (tfl_index_find(&core->index, &o.id) != TFL_INDEX_NONE) {
            tfl_bytes_unref(o.bytes); /* it came again by another way, after its parent */
        } else {
            if (apply(core, &o.id, parent, o.slot, NULL, tfl_bytes_ref(o.bytes), &err))
                core_gossip(core, from, o.bytes->data, o.bytes->len);
            tfl_bytes_unref(o.bytes);
            i = 0; /* its own children may stand before it */
        }
    }
}

enum core_verdict core_take_block(struct tfl_core *core, struct core_peer *from, const void *data, size_t len,
    bool quiet, struct tfl_error *err)
{
    TFL_BLOCK b = {0};
    struct tfl_hash id;
    struct tfl_index *ix = &core->index;
    if (tfl_block_peek_id(&id, data, len) &&
        (tfl_index_find(ix, &id) != TFL_INDEX_NONE || tfl_orphans_find(&core->orphans, &id)))
        return tfl_index_find(ix, &id) != TFL_INDEX_NONE ? CORE_KNOWN : CORE_ORPHAN;
    if (tfl_block_peek_id(&id, data, len) && core_is_bad(core, &id)) {
        tfl_fail(err, TFL_E_INVALID, "it was refused before");
        return CORE_BAD;
    }
    if (tfl_block_decode(&b, data, len, err) || check_leader(core, &b, err)) {
        core->n_refused++;
        return CORE_INVALID;
    }
    TFL_ASSERT(tfl_hash_eq(&b.id, &id));
    if (tfl_slots_start_ns(&core->slots, b.header.slot) >
        core->now_ns + (int64_t)core->slots.slot_duration_ms * CORE_MS) {
        core->n_refused++;
        return CORE_FUTURE;
    }
    uint32_t parent = tfl_index_find(ix, &b.header.parent);
    if (parent == TFL_INDEX_NONE && b.header.slot > ix->entries[ix->lib].slot) {
        tfl_orphans_put(&core->orphans, (struct tfl_orphan){.id = id,
                                            .parent = b.header.parent,
                                            .slot = b.header.slot,
                                            .peer = from ? from->handle : 0,
                                            .bytes = tfl_bytes_new(data, len)});
        return CORE_ORPHAN;
    }
    if (parent != TFL_INDEX_NONE && check_slot(core, b.header.slot, parent, err)) {
        core->n_refused++;
        return CORE_INVALID;
    }
    if (parent != TFL_INDEX_NONE && ix->entries[parent].bad) {
        core->n_refused++;
        tfl_fail(err, TFL_E_INVALID, "an ancestor of it was refused");
        return CORE_BAD;
    }
    if (parent == TFL_INDEX_NONE || !tfl_index_open(ix, parent)) {
        core->n_refused++;
        return CORE_BELOW;
    }
    if (!apply(core, &id, parent, b.header.slot, &b, tfl_bytes_new(data, len), err))
        return CORE_BAD;
    if (!quiet)
        core_gossip(core, from, data, len);
    adopt_orphans(core);
    return CORE_APPLIED;
}

void core_lead(struct tfl_core *core, uint64_t slot)
{
    const struct tfl_core_test *test = &core->params.test;
    const struct tfl_keypair *k = &core->params.leader;
    struct tfl_index *ix = &core->index;
    uint64_t threshold = tfl_lottery_find(&core->lottery, k->pub);
    uint32_t parent = test->build_on_genesis ? 0 : ix->tip;
    if (!core->online || threshold == 0 || test->no_lead || core_deaf(core) ||
        (test->lead_until_slot && slot >= test->lead_until_slot))
        return;
    if (slot <= ix->entries[parent].slot || !tfl_index_open(ix, parent))
        return; /* a block of this very slot came from a clock ahead of ours; or genesis is behind the LIB */
    TFL_BLOCK b = {.header = {.parent = ix->entries[parent].id, .slot = slot}};
    TFL_BUF bytes = {0};
    tfl_lottery_prove(b.header.proof, k, core->lottery.nonce, slot);
    if (tfl_lottery_ticket(b.header.proof) >= threshold)
        return;
    memcpy(b.header.leader, k->pub, sizeof k->pub);
    if (parent == ix->tip)
        core_build(core, &b);
    tfl_block_seal(&b, k);
    if (tfl_index_find(ix, &b.id) != TFL_INDEX_NONE)
        return; /* another process with the same key was quicker */
    tfl_block_encode(&bytes, &b);
    struct tfl_error err;
    if (!apply(core, &b.id, parent, slot, &b, tfl_bytes_new(bytes.data, bytes.len), &err))
        return; /* it is in the log; nothing was lost */
    core_gossip(core, NULL, bytes.data, bytes.len);
    adopt_orphans(core);
    core->n_led++;
}
