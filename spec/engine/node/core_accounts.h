/* Accounts with notes in genesis, and transactions made by hand (chain/wallet chooses notes itself). */
#ifndef SPEC_NODE_CORE_ACCOUNTS_H
#define SPEC_NODE_CORE_ACCOUNTS_H

#include "chain/genesis.h"
#include "chain/wallet.h"

#include <stdlib.h>
#include <string.h>

#define ACCOUNTS 4
#define NOTES 8     /* of each account … */
#define VALUE 1000u /* … each worth this much */

struct accounts {
    struct tfl_keypair keys[ACCOUNTS];
    struct tfl_output notes[ACCOUNTS * NOTES]; /* note n of account a is a * NOTES + n */
};

static inline void accounts_init(struct accounts *a)
{
    for (int i = 0; i < ACCOUNTS; i++)
        tfl_keypair_from_seed(&a->keys[i], (const uint8_t[32]){(uint8_t)(200 + i)});
    for (int i = 0; i < ACCOUNTS * NOTES; i++) {
        a->notes[i].value = VALUE;
        memcpy(a->notes[i].pk, a->keys[i / NOTES].pub, TFL_PUBLIC_KEY_SIZE);
    }
}

struct first_notes {
    struct tfl_note notes[ACCOUNTS * NOTES];
    size_t n;
};

static inline void take_note(void *ctx, const struct tfl_note *note)
{
    struct first_notes *f = ctx;
    f->notes[f->n++] = *note;
}

/* Note n of an account in the genesis of these parameters. */
static inline struct tfl_note note_of(const struct tfl_genesis *g, int account, int n)
{
    struct first_notes f = {.n = 0};
    TFL_BLOCK b = {0};
    tfl_genesis_block(&b, g);
    tfl_tx_each_note(&b.txs[0], take_note, &f);
    return f.notes[account * NOTES + n];
}

static inline void sign_all(struct tfl_tx *tx, const struct tfl_keypair *k)
{
    struct tfl_hash hash = tfl_tx_hash(tx);
    for (size_t i = 0; i < tx->n_ops; i++)
        tfl_sign(tx->ops[i].proof, k, hash.b, sizeof hash.b);
}

/* One note becomes one of another key (value: what it gives, that of the note for a good one). */
static inline struct tfl_tx transfer(
    const struct tfl_note *from, const struct tfl_keypair *owner, const uint8_t to[32], uint64_t value)
{
    struct tfl_tx tx = {.ops = tfl_alloc(sizeof *tx.ops), .n_ops = 1};
    struct tfl_transfer *t = &tx.ops[0].transfer;
    tx.ops[0].code = TFL_OP_TRANSFER;
    t->n_inputs = t->n_outputs = 1;
    t->inputs = tfl_alloc(sizeof *t->inputs);
    t->outputs = tfl_alloc(sizeof *t->outputs);
    t->inputs[0] = from->id;
    t->outputs[0].value = value;
    memcpy(t->outputs[0].pk, to, 32);
    sign_all(&tx, owner);
    return tx;
}

/* The note that such a transfer makes. */
static inline struct tfl_note made_by(const struct tfl_tx *tx)
{
    struct first_notes f = {.n = 0};
    tfl_tx_each_note(tx, take_note, &f);
    return f.notes[0];
}

#define TFL_TX __attribute__((cleanup(tfl_tx_done))) struct tfl_tx

#endif
