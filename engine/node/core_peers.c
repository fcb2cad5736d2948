#include "node/core_impl.h"

#include <string.h>

struct core_peer *core_peer(struct tfl_core *core, uint64_t handle)
{
    for (size_t i = 0; i < core->n_peers; i++) {
        if (core->peers[i].handle == handle)
            return core->peers[i].gone ? NULL : &core->peers[i];
    }
    return NULL;
}

bool core_deaf(const struct tfl_core *core)
{
    return core->params.test.deaf_from_slot && core->slot >= core->params.test.deaf_from_slot;
}

/* Another connection to the same node that stays when p goes (or was there when p came). */
static bool has_twin(const struct tfl_core *core, const struct core_peer *p)
{
    for (size_t i = 0; i < core->n_peers; i++) {
        const struct core_peer *other = &core->peers[i];
        if (other != p && other->hello && memcmp(other->node, p->node, sizeof p->node) == 0)
            return true;
    }
    return false;
}

void core_sweep(struct tfl_core *core)
{
    for (size_t i = 0; i < core->n_peers;) {
        struct core_peer *p = &core->peers[i];
        if (!p->gone) {
            i++;
            continue;
        }
        if (p->hello && !has_twin(core, p))
            core->n_identities--;
        core->n_peers--;
        memmove(p, p + 1, (core->n_peers - i) * sizeof *p);
    }
}

void core_greet(struct tfl_core *core, struct core_peer *p)
{
    const struct tfl_index *ix = &core->index;
    core_send(core, p,
        tfl_wire_hello(
            &ix->entries[0].id, core->params.node, &ix->entries[ix->tip].id, tfl_index_tip_height(ix)));
}

void core_beat(struct tfl_core *core)
{
    const struct tfl_index *ix = &core->index;
    struct tfl_bytes *ping = tfl_wire_ping(&ix->entries[ix->tip].id, tfl_index_tip_height(ix));
    /* when this process did not run for a while, what peers sent meanwhile is still unread: none of them is to blame */
    bool late = core->now_ns - core->next_beat_ns >= CORE_BEAT_NS;
    for (size_t i = 0; i < core->n_peers; i++) {
        struct core_peer *p = &core->peers[i];
        if (p->gone)
            continue;
        if (late)
            p->heard_ns = core->now_ns;
        if (core->now_ns - p->heard_ns >= CORE_SILENCE_NS) {
            core_drop(core, p, "silent for %lld ms", (long long)((core->now_ns - p->heard_ns) / CORE_MS));
            continue;
        }
        if (p->fetching && core->now_ns >= p->fetch_until_ns) {
            p->fetching = false;
            p->hold_until_ns = core->now_ns + CORE_HOLD_NS;
            core_log(core, TFL_LOG_WARN, "peer %llu gave no blocks in %lld ms", (unsigned long long)p->handle,
                (long long)(CORE_FETCH_NS / CORE_MS));
        }
        core_send(core, p, tfl_bytes_ref(ping));
    }
    tfl_bytes_unref(ping);
    core->next_beat_ns = late ? core->now_ns + CORE_BEAT_NS : core->next_beat_ns + CORE_BEAT_NS;
    core_pool_expire(core);
    core_sync(core);
}

static void hear_hello(struct tfl_core *core, struct core_peer *p, const struct tfl_wire_msg *m)
{
    const struct tfl_hash *ours = &core->index.entries[0].id;
    if (p->hello) {
        core_drop(core, p, "said hello twice");
    } else if (m->protocol != TFL_WIRE_PROTOCOL) {
        core_drop(core, p, "speaks protocol version %u: expected %d", m->protocol, TFL_WIRE_PROTOCOL);
    } else if (!tfl_hash_eq(&m->genesis, ours)) {
        char want[TFL_HASH_HEX], seen[TFL_HASH_HEX];
        core_drop(core, p,
            "is of another chain: its genesis is %s, ours %s; do both use one deployment file?",
            tfl_hash_hex(seen, &m->genesis), tfl_hash_hex(want, ours));
    } else if (memcmp(m->node, core->params.node, sizeof m->node) == 0) {
        core_drop(core, p, "is this node itself, or one with the same node key");
    } else {
        memcpy(p->node, m->node, sizeof p->node);
        if (!has_twin(core, p))
            core->n_identities++;
        p->hello = true;
        core_heard_of(core, p, &m->tip, m->height);
    }
}

static void hear_block(struct tfl_core *core, struct core_peer *p, const struct tfl_wire_msg *m)
{
    struct tfl_error err;
    struct tfl_hash id;
    switch (core_take_block(core, p, m->body.p, m->body.left, false, &err)) {
    case CORE_ORPHAN:
        TFL_ASSERT(tfl_block_peek_id(&id, m->body.p, m->body.left));
        core_heard_of(core, p, &id, UINT64_MAX);
        break;
    case CORE_INVALID:
        core_drop(core, p, "sent an invalid block: %s", err.msg);
        break;
    default:
        break;
    }
}

void core_hear(struct tfl_core *core, struct core_peer *p, const void *data, size_t len)
{
    struct tfl_wire_msg m;
    struct tfl_error err;
    if (tfl_wire_decode(&m, data, len, &err)) {
        core_drop(core, p, "sent %s", err.msg);
        return;
    }
    if (core_deaf(core))
        return; /* it was heard, which is all that a ping is for */
    if (!p->hello && m.kind != TFL_WIRE_HELLO) {
        core_drop(core, p, "spoke (kind %d) before its hello", (int)m.kind);
        return;
    }
    switch (m.kind) {
    case TFL_WIRE_HELLO:
        hear_hello(core, p, &m);
        break;
    case TFL_WIRE_PING:
        core_heard_of(core, p, &m.tip, m.height);
        break;
    case TFL_WIRE_BLOCK:
        hear_block(core, p, &m);
        break;
    case TFL_WIRE_GET_BLOCKS:
        core_serve(core, p, &m);
        break;
    case TFL_WIRE_BLOCKS:
        core_answer(core, p, &m);
        break;
    case TFL_WIRE_TXS:
        core_hear_txs(core, p, &m);
        break;
    case TFL_WIRE_GET_TXS:
        core_serve_txs(core, p, &m);
        break;
    }
}
