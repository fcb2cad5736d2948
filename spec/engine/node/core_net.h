/* Pure cores in memory: a network of links with seeded delays, a store for each node, and a digest of every effect.
 * Nothing here reads a clock: the same seed gives the same run. */
#ifndef SPEC_NODE_CORE_NET_H
#define SPEC_NODE_CORE_NET_H

#include "base/rng.h"
#include "core_accounts.h"
#include "core_store.h"

#define NET_NODES_MAX 8
#define NET_LINKS_MAX 32
#define NET_GENESIS_MS UINT64_C(1800000000000)
#define NET_MS INT64_C(1000000)

struct net_node {
    struct tfl_core *core; /* NULL while stopped */
    struct tfl_core_params params;
    struct net_store store;
    struct tfl_hash digest;  /* of all effects so far */
    struct tfl_hash *finals; /* by height */
    uint64_t n_finals;
    int64_t paused_until; /* gets no input before */
};
struct net_link {
    int end[2]; /* 0 dials 1 */
    bool up, cut;
    uint64_t handle[2];
    int64_t redial_at, busy_until[2]; /* busy_until: order within a direction is kept */
};
struct net_message {
    int64_t at;
    uint64_t seq, handle;
    int to;
    struct tfl_bytes *bytes;
};
struct net {
    struct net_node nodes[NET_NODES_MAX];
    struct net_link links[NET_LINKS_MAX];
    int n, n_links;
    struct net_message *queue; /* unordered */
    size_t n_queue, queue_cap;
    int64_t now, delay_max_ns;
    uint64_t next_handle, next_seq;
    struct tfl_rng rng;
    struct tfl_stake stakes[NET_NODES_MAX];
    struct accounts accounts;
    uint64_t n_drops, n_gossip; /* DROP effects; sent messages with a new block */
};

static inline struct net_link *net_link_of(struct net *net, uint64_t handle, int *side)
{
    for (int i = 0; i < net->n_links; i++) {
        for (*side = 0; *side < 2; ++*side) {
            if (net->links[i].up && net->links[i].handle[*side] == handle)
                return &net->links[i];
        }
    }
    return NULL;
}

static inline void net_send(struct net *net, uint64_t handle, struct tfl_bytes *bytes)
{
    int side;
    struct net_link *l = net_link_of(net, handle, &side);
    if (!l || l->cut)
        return;
    int64_t at = net->now + (int64_t)tfl_rng_below(&net->rng, (uint64_t)net->delay_max_ns + 1);
    if (at < l->busy_until[side])
        at = l->busy_until[side];
    l->busy_until[side] = at;
    if (net->n_queue == net->queue_cap) {
        net->queue_cap = net->queue_cap ? 2 * net->queue_cap : 64;
        net->queue = tfl_realloc(net->queue, net->queue_cap * sizeof *net->queue);
    }
    net->queue[net->n_queue++] = (struct net_message){.at = at,
        .seq = net->next_seq++,
        .handle = l->handle[!side],
        .to = l->end[!side],
        .bytes = tfl_bytes_ref(bytes)};
}

static inline void net_drain(struct net *net, int i);

static inline void net_link_down(struct net *net, struct net_link *l, int but)
{
    if (!l->up)
        return;
    l->up = false;
    l->redial_at = net->now + 100 * NET_MS;
    for (int side = 0; side < 2; side++) {
        struct net_node *node = &net->nodes[l->end[side]];
        if (l->end[side] == but || !node->core)
            continue;
        tfl_core_peer_down(node->core, net->now, l->handle[side]);
        net_drain(net, l->end[side]);
    }
}

static inline void net_final(struct net_node *node, const struct tfl_core_effect *e)
{
    assert_true(e->block.height == node->n_finals + 1); /* in order, each once, over restarts too */
    node->finals = tfl_realloc(node->finals, (node->n_finals + 1) * sizeof *node->finals);
    node->finals[node->n_finals++] = e->block.id;
    assert_true(e->block.final);
}

static inline void net_drain(struct net *net, int i)
{
    struct net_node *node = &net->nodes[i];
    struct tfl_core_effect e;
    while (tfl_core_next(node->core, &e)) {
        int side;
        net_digest(&node->digest, &e);
        net_store_follow(&node->store, &e);
        if (e.type == TFL_CORE_SEND) {
            net->n_gossip += e.bytes->data[0] == TFL_WIRE_BLOCK;
            net_send(net, e.peer, e.bytes);
        } else if (e.type == TFL_CORE_DROP) {
            struct net_link *l = net_link_of(net, e.peer, &side);
            net->n_drops++;
            if (l)
                net_link_down(net, l, i);
        } else if (e.type == TFL_CORE_BLOCK) {
            net_store_put(&node->store, &e.block.id, e.bytes);
        } else if (e.type == TFL_CORE_FINAL) {
            net_final(node, &e);
        }
        tfl_core_effect_done(&e);
    }
}

static inline void net_link_up(struct net *net, struct net_link *l)
{
    if (l->up || !net->nodes[l->end[0]].core || !net->nodes[l->end[1]].core)
        return;
    l->up = true;
    for (int side = 0; side < 2; side++) {
        l->handle[side] = net->next_handle++;
        l->busy_until[side] = net->now;
    }
    for (int side = 0; side < 2; side++) {
        tfl_core_peer_up(net->nodes[l->end[side]].core, net->now, l->handle[side], side == 0);
        net_drain(net, l->end[side]);
    }
}

/* n nodes that all share the params but for keys; equal stakes unless changed before net_boot. */
static inline void net_init(struct net *net, int n, uint64_t seed, double f, uint32_t k)
{
    *net = (struct net){
        .n = n, .now = (int64_t)NET_GENESIS_MS * NET_MS - 1000 * NET_MS, .delay_max_ns = 30 * NET_MS};
    net->next_handle = 1;
    tfl_rng_init(&net->rng, seed, "net");
    accounts_init(&net->accounts);
    for (int i = 0; i < n; i++) {
        struct tfl_core_params *p = &net->nodes[i].params;
        uint8_t bytes[32];
        char name[32];
        snprintf(name, sizeof name, "leader/%d", i);
        tfl_seed_bytes(bytes, seed, name);
        *p = (struct tfl_core_params){.slot_duration_ms = 200, .active_slot_coeff = f, .security_param = k};
        p->read = net_read;
        p->read_arg = &net->nodes[i].store;
        tfl_keypair_from_seed(&p->leader, bytes);
        memcpy(p->node, p->leader.pub, sizeof p->node);
        memcpy(net->stakes[i].pub, p->leader.pub, sizeof p->leader.pub);
        net->stakes[i].stake = 100;
        p->genesis = (struct tfl_genesis){.chain_id = "spec", .genesis_time_unix_ms = NET_GENESIS_MS};
        tfl_seed_bytes(p->genesis.nonce, seed, "nonce");
        p->genesis.stakes = net->stakes;
        p->genesis.n_stakes = (uint32_t)n;
        p->genesis.notes = net->accounts.notes;
        p->genesis.n_notes = ACCOUNTS * NOTES;
    }
}

static inline struct net_link *net_connect(struct net *net, int from, int to)
{
    assert_true(net->n_links < NET_LINKS_MAX);
    struct net_link *l = &net->links[net->n_links++];
    *l = (struct net_link){.end = {from, to}};
    net->nodes[from].params.n_configured_peers++;
    return l;
}

/* Starts a node, from what its store holds. */
static inline void net_boot(struct net *net, int i)
{
    struct net_node *node = &net->nodes[i];
    struct tfl_error err;
    assert_null(node->core);
    node->core = tfl_core_new(&node->params, &err);
    assert_non_null(node->core);
    for (size_t b = 0; b < node->store.n; b++)
        assert_int_equal(
            tfl_core_restore(node->core, node->store.blocks[b]->data, node->store.blocks[b]->len, &err), 0);
    for (size_t t = 0; t < node->store.n_txs; t++)
        assert_int_equal(tfl_core_restore_tx(node->core, &node->store.txs[t].tx,
                             node->store.txs[t].bytes->data, node->store.txs[t].bytes->len, &err),
            0);
    tfl_core_start(node->core, net->now);
    net_drain(net, i);
    for (int l = 0; l < net->n_links; l++) {
        if (net->links[l].end[0] == i || net->links[l].end[1] == i)
            net->links[l].redial_at = net->now;
    }
}

static inline void net_halt(struct net *net, int i)
{
    struct net_node *node = &net->nodes[i];
    tfl_core_free(node->core);
    node->core = NULL;
    for (int l = 0; l < net->n_links; l++) {
        if (net->links[l].end[0] == i || net->links[l].end[1] == i)
            net_link_down(net, &net->links[l], i);
    }
}

/* When node i next has something to do, and what: a message of the queue (its number) or its deadline (-1). */
static inline int64_t net_next_of(const struct net *net, int i, long *message)
{
    const struct net_node *node = &net->nodes[i];
    int64_t at = tfl_core_next_deadline_ns(node->core);
    uint64_t seq = UINT64_MAX;
    *message = -1;
    for (size_t m = 0; m < net->n_queue; m++) {
        const struct net_message *x = &net->queue[m];
        if (x->to == i && (x->at < at || (x->at == at && x->seq < seq))) {
            at = x->at;
            seq = x->seq;
            *message = (long)m;
        }
    }
    return at < node->paused_until ? node->paused_until : at;
}

static inline void net_deliver(struct net *net, long m)
{
    struct net_message x = net->queue[m];
    int side;
    net->queue[m] = net->queue[--net->n_queue];
    struct net_link *l = net_link_of(net, x.handle, &side);
    if (l && !l->cut) {
        tfl_core_message(net->nodes[x.to].core, net->now, x.handle, x.bytes->data, x.bytes->len);
        net_drain(net, x.to);
    }
    tfl_bytes_unref(x.bytes);
}

/* Messages to a node that is down go nowhere. */
static inline void net_discard(struct net *net)
{
    for (size_t m = 0; m < net->n_queue;) {
        if (net->nodes[net->queue[m].to].core) {
            m++;
            continue;
        }
        tfl_bytes_unref(net->queue[m].bytes);
        net->queue[m] = net->queue[--net->n_queue];
    }
}

static inline void net_run_until(struct net *net, int64_t end)
{
    for (;;) {
        int64_t best = end;
        int node = -1, link = -1;
        long message = -1, m;
        net_discard(net);
        for (int i = 0; i < net->n; i++) {
            if (!net->nodes[i].core)
                continue;
            int64_t at = net_next_of(net, i, &m);
            if (at < best) {
                best = at;
                node = i;
                message = m;
            }
        }
        for (int l = 0; l < net->n_links; l++) {
            const struct net_link *x = &net->links[l];
            if (!x->up && !x->cut && x->redial_at < best && net->nodes[x->end[0]].core &&
                net->nodes[x->end[1]].core) {
                best = x->redial_at;
                link = l;
            }
        }
        if (node < 0 && link < 0)
            break;
        net->now = best > net->now ? best : net->now;
        if (link >= 0) {
            net_link_up(net, &net->links[link]);
        } else if (message >= 0) {
            net_deliver(net, message);
        } else {
            tfl_core_tick(net->nodes[node].core, net->now);
            net_drain(net, node);
        }
    }
    net->now = end;
}

static inline void net_run_ms(struct net *net, int64_t ms)
{
    net_run_until(net, net->now + ms * NET_MS);
}

/* To the end of a slot of the chain. */
static inline void net_run_to_slot(struct net *net, uint64_t slot)
{
    net_run_until(net, ((int64_t)NET_GENESIS_MS + (int64_t)slot * 200 + 199) * NET_MS);
}

/* Cut as a relay cuts: bytes stop, connections stand until someone notices. Heal resets both sides. */
static inline void net_cut(struct net *net, int a, int b, bool cut)
{
    for (int i = 0; i < net->n_links; i++) {
        struct net_link *l = &net->links[i];
        if ((l->end[0] == a && l->end[1] == b) || (l->end[0] == b && l->end[1] == a)) {
            l->cut = cut;
            if (!cut)
                net_link_down(net, l, -1);
        }
    }
}

static inline struct tfl_core_info net_info(const struct net *net, int i)
{
    struct tfl_core_info info;
    tfl_core_info(net->nodes[i].core, &info);
    return info;
}

static inline bool net_same_tip(const struct net *net)
{
    struct tfl_core_info first = net_info(net, 0);
    for (int i = 1; i < net->n; i++) {
        struct tfl_core_info info = net_info(net, i);
        if (!tfl_hash_eq(&first.tip, &info.tip))
            return false;
    }
    return true;
}

/* Every pair is linked; the higher number dials. */
static inline void net_full(struct net *net)
{
    for (int i = 0; i < net->n; i++) {
        for (int j = 0; j < i; j++)
            net_connect(net, i, j);
    }
    for (int i = 0; i < net->n; i++)
        net_boot(net, i);
}

static inline void net_settle(struct net *net)
{
    for (int i = 0; i < 200 && !net_same_tip(net); i++)
        net_run_ms(net, 100);
    assert_true(net_same_tip(net));
}

static inline void net_done(struct net *net)
{
    for (int i = 0; i < net->n; i++) {
        tfl_core_free(net->nodes[i].core);
        net_store_done(&net->nodes[i].store);
        free(net->nodes[i].finals);
    }
    for (size_t m = 0; m < net->n_queue; m++)
        tfl_bytes_unref(net->queue[m].bytes);
    free(net->queue);
}

#include "core_asserts.h"

#endif
