/* What the specs of chain share: the transactions and the block of vectors.py. */
#ifndef SPEC_CHAIN_SUPPORT_H
#define SPEC_CHAIN_SUPPORT_H

#include "chain/genesis.h"
#include "chain/lottery.h"
#include "vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static inline struct tfl_hash filled(uint8_t byte)
{
    struct tfl_hash h;
    memset(h.b, byte, sizeof h.b);
    return h;
}

static inline struct tfl_keypair vector_key(void)
{
    struct tfl_keypair k;
    uint8_t seed[TFL_SEED_SIZE];
    assert_true(tfl_unhex(seed, sizeof seed, V_SEED, strlen(V_SEED)));
    tfl_keypair_from_seed(&k, seed);
    return k;
}

static inline void assert_hex(const void *bytes, size_t n, const char *want)
{
    char *hex = tfl_alloc(2 * n + 1);
    assert_string_equal(tfl_hex(hex, bytes, n), want);
    free(hex);
}

static inline void put_inscribe(struct tfl_tx_op *op, uint8_t proof)
{
    struct tfl_keypair k = vector_key();
    op->code = TFL_OP_INSCRIBE;
    op->inscribe =
        (struct tfl_inscribe){.channel = filled(5), .data = (uint8_t *)tfl_strdup("hello"), .len = 5};
    memcpy(op->inscribe.signer, k.pub, sizeof k.pub);
    memset(op->proof, proof, sizeof op->proof);
}

/* tx1: a transfer and an inscription; tx2: the inscription alone. */
static inline void put_tx1(struct tfl_tx *tx)
{
    *tx = (struct tfl_tx){.ops = tfl_alloc(2 * sizeof *tx->ops), .n_ops = 2};
    struct tfl_transfer *t = &tx->ops[0].transfer;
    t->inputs = tfl_alloc(2 * sizeof *t->inputs);
    t->outputs = tfl_alloc(2 * sizeof *t->outputs);
    t->n_inputs = t->n_outputs = 2;
    t->inputs[0] = filled(1);
    t->inputs[1] = filled(2);
    t->outputs[0].value = 100;
    memset(t->outputs[0].pk, 3, 32);
    t->outputs[1].value = UINT64_MAX;
    memset(t->outputs[1].pk, 4, 32);
    memset(tx->ops[0].proof, 0x61, sizeof tx->ops[0].proof);
    put_inscribe(&tx->ops[1], 0x62);
}

static inline void put_tx2(struct tfl_tx *tx)
{
    *tx = (struct tfl_tx){.ops = tfl_alloc(sizeof *tx->ops), .n_ops = 1};
    put_inscribe(&tx->ops[0], 0x63);
}

static inline void put_block(struct tfl_block *b)
{
    struct tfl_keypair k = vector_key();
    struct tfl_hash nonce = filled(9);
    *b = (struct tfl_block){.header = {.parent = filled(7), .slot = 137}};
    memcpy(b->header.leader, k.pub, sizeof k.pub);
    tfl_lottery_prove(b->header.proof, &k, nonce.b, 137);
    b->txs = tfl_alloc(2 * sizeof *b->txs);
    b->n_txs = 2;
    put_tx1(&b->txs[0]);
    put_tx2(&b->txs[1]);
    tfl_block_seal(b, &k);
}

#endif
