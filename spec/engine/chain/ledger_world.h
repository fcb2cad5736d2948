/* What the specs of transactions and ledger share: the genesis with notes and the signed transaction of vectors.py, and
 * transactions made by hand. */
#ifndef SPEC_CHAIN_LEDGER_WORLD_H
#define SPEC_CHAIN_LEDGER_WORLD_H

#include "chain/ledger.h"
#include "support.h"

enum { N_NOTES = 300 };

static inline struct tfl_hash unhexed(const char *hex)
{
    struct tfl_hash h;
    assert_true(tfl_unhex(h.b, sizeof h.b, hex, strlen(hex)));
    return h;
}

/* Note i has 1000 + i; every third is the vector key's, the others are of 08…08. */
static inline void put_notes_genesis(struct tfl_block *b)
{
    struct tfl_stake stakes[2] = {{.stake = 100000}, {.stake = 1}};
    struct tfl_output notes[N_NOTES];
    struct tfl_keypair k = vector_key();
    struct tfl_hash nonce = filled(9);
    struct tfl_genesis g = {.chain_id = "tfl-1",
        .genesis_time_unix_ms = 1787300000123,
        .stakes = stakes,
        .n_stakes = 2,
        .notes = notes,
        .n_notes = N_NOTES};
    struct tfl_error err = {0};
    memcpy(stakes[0].pub, k.pub, sizeof k.pub);
    memset(stakes[1].pub, 8, sizeof stakes[1].pub);
    memcpy(g.nonce, nonce.b, sizeof g.nonce);
    for (size_t i = 0; i < N_NOTES; i++) {
        notes[i].value = 1000 + i;
        memset(notes[i].pk, 8, sizeof notes[i].pk);
        if (i % 3 == 0)
            memcpy(notes[i].pk, k.pub, sizeof k.pub);
    }
    assert_int_equal(tfl_genesis_check(&g, &err), 0);
    tfl_genesis_block(b, &g);
}

static inline struct tfl_tx_ledger *notes_ledger(void)
{
    TFL_BLOCK genesis = {0};
    struct tfl_error err = {0};
    put_notes_genesis(&genesis);
    struct tfl_tx_ledger *l = tfl_tx_ledger_new(&genesis, &err);
    assert_non_null(l);
    return l;
}

/* tx3: notes 0 and 3 → 1 to 03…03 and change; an inscription in channel 05…05; note 255 → 04…04. */
static inline void put_tx3(struct tfl_tx *tx)
{
    static uint8_t bytes[sizeof V_TX3 / 2];
    struct tfl_reader r = {.p = bytes, .left = sizeof bytes};
    struct tfl_error err = {0};
    assert_true(tfl_unhex(bytes, sizeof bytes, V_TX3, strlen(V_TX3)));
    assert_int_equal(tfl_tx_decode(tx, &r, &err), 0);
    assert_int_equal(r.left, 0);
}

/* Signs every operation with k. */
static inline void sign_all(struct tfl_tx *tx, const struct tfl_keypair *k)
{
    struct tfl_hash h = tfl_tx_hash(tx);
    for (size_t i = 0; i < tx->n_ops; i++)
        tfl_sign(tx->ops[i].proof, k, h.b, sizeof h.b);
}

/* Adds a transfer of one input and one output, not signed. */
static inline struct tfl_transfer *add_transfer(
    struct tfl_tx *tx, const struct tfl_hash *input, uint64_t value, const uint8_t pk[32])
{
    tx->ops = tfl_realloc(tx->ops, (tx->n_ops + 1u) * sizeof *tx->ops);
    struct tfl_tx_op *op = &tx->ops[tx->n_ops++];
    *op = (struct tfl_tx_op){.code = TFL_OP_TRANSFER};
    op->transfer.inputs = tfl_alloc(sizeof *input);
    op->transfer.inputs[0] = *input;
    op->transfer.outputs = tfl_alloc(sizeof *op->transfer.outputs);
    op->transfer.outputs[0].value = value;
    memcpy(op->transfer.outputs[0].pk, pk, 32);
    op->transfer.n_inputs = op->transfer.n_outputs = 1;
    return &op->transfer;
}

/* A transaction of one such transfer, signed by the vector key. */
static inline void put_pay(
    struct tfl_tx *tx, const struct tfl_hash *input, uint64_t value, const uint8_t pk[32])
{
    struct tfl_keypair k = vector_key();
    *tx = (struct tfl_tx){0};
    add_transfer(tx, input, value, pk);
    sign_all(tx, &k);
}

/* The note that output i of operation op of tx makes. */
static inline struct tfl_hash note_of(const struct tfl_tx *tx, size_t op, size_t i)
{
    struct tfl_hash id = tfl_tx_op_id(&tx->ops[op]);
    return tfl_note_id(&id, i, &tx->ops[op].transfer.outputs[i]);
}

/* A number that tells two ledgers apart: all notes, and the figures. */
static inline void fold_note(void *ctx, const struct tfl_note *note)
{
    uint64_t *sum = ctx;
    *sum += tfl_get_le(note->id.b, 8) * (note->value | 1);
}

static inline uint64_t fold(const struct tfl_tx_ledger *l)
{
    struct tfl_tx_ledger_info i = tfl_tx_ledger_info(l);
    uint64_t sum = i.value * 31 + i.n_notes * 7 + i.n_channels;
    tfl_tx_ledger_each(l, NULL, fold_note, &sum);
    return sum;
}

#endif
