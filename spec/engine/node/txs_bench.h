/* A bench with transactions. */
#ifndef SPEC_NODE_TXS_BENCH_H
#define SPEC_NODE_TXS_BENCH_H

#include "core_bench.h"

static struct tfl_error err_of_submit;

static inline struct tfl_note first_note(const struct bench *b, int account, int n)
{
    return note_of(&b->net.nodes[0].params.genesis, account, n);
}

/* The whole note from one account to another. */
static inline struct tfl_tx pay(const struct bench *b, const struct tfl_note *note, int from, int to)
{
    const struct tfl_keypair *keys = b->net.accounts.keys;
    return transfer(note, &keys[from], keys[to].pub, note->value);
}

/* The first message of a channel of its own. */
static inline struct tfl_tx inscription(const struct bench *b, int number)
{
    struct tfl_hash channel = {{(uint8_t)number, (uint8_t)(number >> 8), 1}};
    struct tfl_tx tx;
    tfl_inscription(&tx, NULL, &b->net.accounts.keys[0], &channel, NULL, "hello", 5);
    return tx;
}

static inline enum tfl_core_submitted submit(struct bench *b, const struct tfl_tx *tx)
{
    forget(b);
    enum tfl_core_submitted r = tfl_core_submit(b->core, b->now, tx, &err_of_submit);
    drain(b);
    return r;
}

/* A peer gossips it. */
static inline void tell(struct bench *b, uint64_t peer, const struct tfl_tx *tx, uint64_t cursor)
{
    TFL_BUF bytes = {0}, item = {0};
    tfl_tx_encode(&bytes, tx);
    tfl_wire_add_item(&item, bytes.data, bytes.len);
    message(b, peer, tfl_wire_txs(cursor, 1, &item));
}

/* The default bench at slot 10, with the mempool bounds and switches of p. */
static inline void setup_with(struct bench *b, struct tfl_core_params p)
{
    struct tfl_error err;
    struct tfl_core_params *own;
    *b = (struct bench){0};
    net_init(&b->net, 3, 77, 0.5, K);
    own = &b->net.nodes[0].params;
    own->test = p.test;
    own->test.no_lead = true;
    own->mempool_max_txs = p.mempool_max_txs;
    own->mempool_max_bytes = p.mempool_max_bytes;
    own->mempool_ttl_s = p.mempool_ttl_s;
    b->core = b->net.nodes[0].core = tfl_core_new(own, &err);
    assert_non_null(b->core);
    b->now = slot_ns(10);
    tfl_core_start(b->core, b->now);
    drain(b);
}

/* Transactions are taken over. */
static inline struct tfl_block forge_with(const struct bench *b, int i, const struct tfl_hash *parent,
    uint64_t slot, struct tfl_tx *txs, uint32_t n)
{
    struct tfl_block x = forge(b, i, parent, slot);
    x.txs = memcpy(tfl_alloc(n * sizeof *txs), txs, n * sizeof *txs);
    x.n_txs = n;
    tfl_block_seal(&x, &b->net.nodes[i].params.leader);
    return x;
}

/* The newest block in the store. */
static inline struct tfl_block newest(const struct bench *b)
{
    const struct net_store *s = &b->net.nodes[0].store;
    struct tfl_block x;
    assert_int_equal(tfl_block_decode(&x, s->blocks[s->n - 1]->data, s->blocks[s->n - 1]->len, NULL), 0);
    return x;
}

static inline uint32_t txs_of_newest(const struct bench *b)
{
    TFL_BLOCK x = newest(b);
    return x.n_txs;
}

static inline bool waits(const struct bench *b, const struct tfl_tx *tx)
{
    struct tfl_hash h = tfl_tx_hash(tx);
    return tfl_core_is_pending(b->core, &h);
}

static inline bool on_chain(const struct bench *b, const struct tfl_tx *tx)
{
    struct tfl_hash h = tfl_tx_hash(tx);
    struct tfl_core_header header;
    return tfl_core_find_tx(b->core, &h, &header);
}

#endif
