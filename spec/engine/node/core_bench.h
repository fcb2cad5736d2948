/* One core, and peers that the spec plays by hand. */
#ifndef SPEC_NODE_CORE_BENCH_H
#define SPEC_NODE_CORE_BENCH_H

#include "core_net.h"

#define K 5

/* What came out of the last inputs. */
struct seen {
    size_t n_blocks, n_finals, n_drops, n_sends; /* but get_txs, which have their own count */
    size_t n_get_txs;
    uint64_t dropped;
    char reason[256];
    struct tfl_bytes *sent[64]; /* the first ones, and to whom */
    uint64_t to[64];
};
struct bench {
    struct net net; /* node 0 runs, the others lend their keys */
    struct tfl_core *core;
    int64_t now;
    struct seen seen;
    struct tfl_core_view view; /* after the last block */
};

static inline void forget(struct bench *b)
{
    for (size_t i = 0; i < b->seen.n_sends && i < TFL_LEN(b->seen.sent); i++)
        tfl_bytes_unref(b->seen.sent[i]);
    b->seen = (struct seen){0};
}

static inline void drain(struct bench *b)
{
    struct tfl_core_effect e;
    while (tfl_core_next(b->core, &e)) {
        net_store_follow(&b->net.nodes[0].store, &e);
        if (e.type == TFL_CORE_SEND && e.bytes->data[0] == TFL_WIRE_GET_TXS) {
            b->seen.n_get_txs++;
        } else if (e.type == TFL_CORE_SEND) {
            if (b->seen.n_sends < TFL_LEN(b->seen.sent)) {
                b->seen.sent[b->seen.n_sends] = tfl_bytes_ref(e.bytes);
                b->seen.to[b->seen.n_sends] = e.peer;
            }
            b->seen.n_sends++;
        } else if (e.type == TFL_CORE_DROP) {
            b->seen.n_drops++;
            b->seen.dropped = e.peer;
            snprintf(b->seen.reason, sizeof b->seen.reason, "%s", (const char *)e.bytes->data);
        } else if (e.type == TFL_CORE_BLOCK) {
            b->seen.n_blocks++;
            b->view = e.view;
            net_store_put(&b->net.nodes[0].store, &e.block.id, e.bytes);
        } else if (e.type == TFL_CORE_FINAL) {
            b->seen.n_finals++;
        }
        tfl_core_effect_done(&e);
    }
}

static inline int64_t slot_ns(uint64_t slot)
{
    return ((int64_t)NET_GENESIS_MS + (int64_t)slot * 200) * NET_MS;
}

static inline void setup_at(struct bench *b, uint64_t slot, bool lead)
{
    struct tfl_error err;
    *b = (struct bench){0};
    net_init(&b->net, 3, 77, 0.5, K);
    b->net.nodes[0].params.read_arg = &b->net.nodes[0].store;
    b->net.nodes[0].params.test.no_lead = !lead;
    b->core = b->net.nodes[0].core = tfl_core_new(&b->net.nodes[0].params, &err);
    assert_non_null(b->core);
    b->now = slot_ns(slot);
    tfl_core_start(b->core, b->now);
    drain(b);
}

static inline void done(struct bench *b)
{
    forget(b);
    net_done(&b->net);
}

static inline void message(struct bench *b, uint64_t peer, struct tfl_bytes *bytes)
{
    forget(b);
    tfl_core_message(b->core, b->now, peer, bytes->data, bytes->len);
    tfl_bytes_unref(bytes);
    drain(b);
}

static inline struct tfl_hash genesis_id(const struct bench *b)
{
    struct tfl_core_info info;
    tfl_core_info(b->core, &info);
    return info.genesis;
}

static inline void hello(struct bench *b, uint64_t peer, const struct tfl_hash *tip, uint64_t height)
{
    struct tfl_hash g = genesis_id(b);
    uint8_t node[32] = {(uint8_t)peer, 1};
    message(b, peer, tfl_wire_hello(&g, node, tip ? tip : &g, height));
}

static inline void up(struct bench *b, uint64_t peer)
{
    tfl_core_peer_up(b->core, b->now, peer, false);
    drain(b);
    hello(b, peer, NULL, 0);
    assert_int_equal(b->seen.n_drops, 0);
}

static inline struct tfl_core_info info(const struct bench *b)
{
    struct tfl_core_info i;
    tfl_core_info(b->core, &i);
    return i;
}

/* The next slot after `slot` that leader i wins (or, when lose is set, does not). */
static inline uint64_t slot_of(const struct bench *b, int i, uint64_t slot, bool lose)
{
    const struct tfl_core_params *p = &b->net.nodes[i].params;
    uint64_t threshold = tfl_lottery_threshold(p->active_slot_coeff, 100, 300);
    for (;;) {
        uint8_t proof[TFL_PROOF_SIZE];
        tfl_lottery_prove(proof, &p->leader, p->genesis.nonce, ++slot);
        if ((tfl_lottery_ticket(proof) < threshold) != lose)
            return slot;
    }
}

static inline struct tfl_block forge(
    const struct bench *b, int i, const struct tfl_hash *parent, uint64_t slot)
{
    const struct tfl_core_params *p = &b->net.nodes[i].params;
    struct tfl_block block = {.header = {.parent = *parent, .slot = slot}};
    tfl_lottery_prove(block.header.proof, &p->leader, p->genesis.nonce, slot);
    memcpy(block.header.leader, p->leader.pub, sizeof p->leader.pub);
    tfl_block_seal(&block, &p->leader);
    return block;
}

static inline struct tfl_bytes *gossip_of(const struct tfl_block *block)
{
    TFL_BUF bytes = {0};
    tfl_block_encode(&bytes, block);
    return tfl_wire_block(bytes.data, bytes.len);
}

/* Peer 1 gossips a good block of leader i on parent at its next slot after *slot; *slot moves there. */
static inline struct tfl_hash grow(struct bench *b, int i, const struct tfl_hash *parent, uint64_t *slot)
{
    *slot = slot_of(b, i, *slot, false);
    TFL_BLOCK block = forge(b, i, parent, *slot);
    message(b, 1, gossip_of(&block));
    assert_int_equal(b->seen.n_drops, 0);
    return block.id;
}

/* A staker alone with f = 1 leads every slot that it is given in time. */
static inline void setup_sure(struct bench *b)
{
    struct tfl_error err;
    *b = (struct bench){0};
    net_init(&b->net, 1, 78, 1, K);
    b->core = b->net.nodes[0].core = tfl_core_new(&b->net.nodes[0].params, &err);
    assert_non_null(b->core);
    tfl_core_start(b->core, slot_ns(0) - 500 * NET_MS);
    drain(b);
}

static inline void tick(struct bench *b, int64_t at)
{
    forget(b);
    tfl_core_tick(b->core, at);
    drain(b);
}

#endif
