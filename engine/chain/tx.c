#include "chain/tx.h"

#include <stdlib.h>
#include <string.h>

static void op_done(struct tfl_tx_op *op)
{
    if (op->code == TFL_OP_TRANSFER) {
        free(op->transfer.inputs);
        free(op->transfer.outputs);
    } else {
        free(op->inscribe.data);
    }
}

void tfl_tx_done(struct tfl_tx *tx)
{
    if (!tx)
        return;
    for (size_t i = 0; i < tx->n_ops; i++)
        op_done(&tx->ops[i]);
    free(tx->ops);
    *tx = (struct tfl_tx){0};
}

static void payload_bytes(struct tfl_buf *out, const struct tfl_tx_op *op)
{
    if (op->code == TFL_OP_TRANSFER) {
        const struct tfl_transfer *t = &op->transfer;
        tfl_buf_add_le(out, t->n_inputs, 1);
        for (size_t i = 0; i < t->n_inputs; i++)
            tfl_buf_add(out, t->inputs[i].b, sizeof t->inputs[i].b);
        tfl_buf_add_le(out, t->n_outputs, 1);
        for (size_t i = 0; i < t->n_outputs; i++) {
            tfl_buf_add_le(out, t->outputs[i].value, 8);
            tfl_buf_add(out, t->outputs[i].pk, sizeof t->outputs[i].pk);
        }
    } else {
        const struct tfl_inscribe *s = &op->inscribe;
        TFL_ASSERT(op->code == TFL_OP_INSCRIBE);
        tfl_buf_add(out, s->channel.b, sizeof s->channel.b);
        tfl_buf_add_le(out, s->len, 4);
        tfl_buf_add(out, s->data, s->len);
        tfl_buf_add(out, s->parent.b, sizeof s->parent.b);
        tfl_buf_add(out, s->signer, sizeof s->signer);
    }
}

void tfl_tx_bytes(struct tfl_buf *out, const struct tfl_tx *tx)
{
    tfl_buf_add_le(out, tx->n_ops, 1);
    for (size_t i = 0; i < tx->n_ops; i++) {
        tfl_buf_add_le(out, tx->ops[i].code, 1);
        payload_bytes(out, &tx->ops[i]);
    }
}

void tfl_tx_encode(struct tfl_buf *out, const struct tfl_tx *tx)
{
    tfl_tx_bytes(out, tx);
    for (size_t i = 0; i < tx->n_ops; i++)
        tfl_buf_add(out, tx->ops[i].proof, sizeof tx->ops[i].proof);
}

size_t tfl_tx_size(const struct tfl_tx *tx)
{
    size_t size = 1;
    for (size_t i = 0; i < tx->n_ops; i++) {
        const struct tfl_tx_op *op = &tx->ops[i];
        size += 1 + sizeof op->proof;
        if (op->code == TFL_OP_TRANSFER)
            size += 2 + op->transfer.n_inputs * sizeof op->transfer.inputs->b +
                    op->transfer.n_outputs * (8 + sizeof op->transfer.outputs->pk);
        else
            size += 4 + op->inscribe.len + 3 * sizeof op->inscribe.channel.b;
    }
    return size;
}

/* Lengths are checked against what is left before anything is allocated for them. */
static void transfer_decode(struct tfl_transfer *t, struct tfl_reader *r)
{
    uint8_t n = (uint8_t)tfl_read_le(r, 1);
    const uint8_t *ids = tfl_read_bytes(r, n * sizeof t->inputs->b);
    if (!ids)
        return;
    t->inputs = tfl_alloc(n * sizeof *t->inputs);
    t->n_inputs = n;
    for (size_t i = 0; i < n; i++)
        memcpy(t->inputs[i].b, ids + i * sizeof t->inputs[i].b, sizeof t->inputs[i].b);
    n = (uint8_t)tfl_read_le(r, 1);
    if (r->failed || r->left < n * (8 + sizeof t->outputs->pk)) {
        r->failed = true;
        return;
    }
    t->outputs = tfl_alloc(n * sizeof *t->outputs);
    t->n_outputs = n;
    for (size_t i = 0; i < n; i++) {
        t->outputs[i].value = tfl_read_le(r, 8);
        tfl_read_into(r, t->outputs[i].pk, sizeof t->outputs[i].pk);
    }
}

static void inscribe_decode(struct tfl_inscribe *s, struct tfl_reader *r)
{
    tfl_read_into(r, s->channel.b, sizeof s->channel.b);
    uint32_t len = (uint32_t)tfl_read_le(r, 4);
    const uint8_t *data = tfl_read_bytes(r, len);
    if (data) {
        s->data = tfl_alloc(len);
        memcpy(s->data, data, len);
        s->len = len;
    }
    tfl_read_into(r, s->parent.b, sizeof s->parent.b);
    tfl_read_into(r, s->signer, sizeof s->signer);
}

/* The smallest operation: a transfer of nothing to nobody and its proof. */
#define OP_BYTES_MIN (1 + 2 + TFL_SIGNATURE_SIZE)

int tfl_tx_decode(struct tfl_tx *tx, struct tfl_reader *r, struct tfl_error *err)
{
    *tx = (struct tfl_tx){0};
    uint8_t n = (uint8_t)tfl_read_le(r, 1);
    if (r->failed || r->left < (size_t)n * OP_BYTES_MIN)
        return tfl_fail(err, TFL_E_INVALID, "a transaction ends before its %u operations do", n);
    tx->ops = tfl_alloc(n * sizeof *tx->ops);
    for (; tx->n_ops < n && !r->failed; tx->n_ops++) {
        struct tfl_tx_op *op = &tx->ops[tx->n_ops];
        uint8_t code = (uint8_t)tfl_read_le(r, 1);
        op->code = code;
        if (code == TFL_OP_TRANSFER) {
            transfer_decode(&op->transfer, r);
        } else if (code == TFL_OP_INSCRIBE) {
            inscribe_decode(&op->inscribe, r);
        } else {
            tfl_tx_done(tx);
            return tfl_fail(err, TFL_E_INVALID, "opcode %u: expected 0 (transfer) or 17 (inscribe)", code);
        }
    }
    for (size_t i = 0; i < tx->n_ops; i++)
        tfl_read_into(r, tx->ops[i].proof, sizeof tx->ops[i].proof);
    if (r->failed) {
        tfl_tx_done(tx);
        return tfl_fail(err, TFL_E_INVALID, "a transaction ends before its %u operations and proofs do", n);
    }
    return 0;
}

struct tfl_hash tfl_tx_hash(const struct tfl_tx *tx)
{
    TFL_BUF bytes = {0};
    tfl_tx_bytes(&bytes, tx);
    return tfl_hash_of("MANTLE_TXHASH_V1", &(struct tfl_span){bytes.data, bytes.len}, 1);
}

struct tfl_hash tfl_tx_op_id(const struct tfl_tx_op *op)
{
    TFL_BUF bytes = {0};
    payload_bytes(&bytes, op);
    return tfl_hash_of("OPERATION_ID_V1", &(struct tfl_span){bytes.data, bytes.len}, 1);
}

struct tfl_hash tfl_inscribe_id(const struct tfl_tx_op *op)
{
    TFL_BUF bytes = {0};
    TFL_ASSERT(op->code == TFL_OP_INSCRIBE);
    payload_bytes(&bytes, op);
    return tfl_hash_of("", &(struct tfl_span){bytes.data, bytes.len}, 1);
}
