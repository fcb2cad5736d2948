#include "chain/tx_check.h"

#include <stdlib.h>
#include <string.h>

/* Says what is wrong and which fault it is. */
#define FAULT(fault, ...) (tfl_fail(err, TFL_E_INVALID, __VA_ARGS__), (fault))

struct tfl_hash tfl_note_id(const struct tfl_hash *op_id, uint64_t index, const struct tfl_output *output)
{
    uint8_t numbers[16];
    tfl_put_le(numbers, index, 8);
    tfl_put_le(numbers + 8, output->value, 8);
    struct tfl_span spans[] = {
        {op_id->b, sizeof op_id->b}, {numbers, sizeof numbers}, {output->pk, sizeof output->pk}};
    struct tfl_hash id = tfl_hash_of("NOTE_ID_V1", spans, TFL_LEN(spans));
    id.b[31] &= 0x1f;
    return id;
}

void tfl_tx_each_note(const struct tfl_tx *tx, void (*fn)(void *ctx, const struct tfl_note *note), void *ctx)
{
    for (size_t i = 0; i < tx->n_ops; i++) {
        const struct tfl_transfer *t = &tx->ops[i].transfer;
        if (tx->ops[i].code != TFL_OP_TRANSFER)
            continue;
        struct tfl_hash op_id = tfl_tx_op_id(&tx->ops[i]);
        for (size_t j = 0; j < t->n_outputs; j++) {
            struct tfl_note note = {
                .id = tfl_note_id(&op_id, j, &t->outputs[j]), .value = t->outputs[j].value};
            memcpy(note.pk, t->outputs[j].pk, sizeof note.pk);
            fn(ctx, &note);
        }
    }
}

const char *tfl_tx_fault_name(enum tfl_tx_fault fault)
{
    static const char *const names[] = {
        "ok", "malformed", "bad_signature", "bad_owner", "not_conserved", "unknown_input", "spent_input"};
    TFL_ASSERT((size_t)fault < TFL_LEN(names));
    return names[fault];
}

/* False: beyond u64. */
static bool output_sum(const struct tfl_transfer *t, uint64_t *sum)
{
    *sum = 0;
    for (size_t i = 0; i < t->n_outputs; i++) {
        if (t->outputs[i].value > UINT64_MAX - *sum)
            return false;
        *sum += t->outputs[i].value;
    }
    return true;
}

static enum tfl_tx_fault check_transfer(const struct tfl_transfer *t, size_t op, struct tfl_error *err)
{
    uint64_t sum;
    if (!t->n_inputs)
        return FAULT(TFL_TX_MALFORMED, "operation %zu: a transfer without inputs", op);
    if (!t->n_outputs)
        return FAULT(TFL_TX_MALFORMED, "operation %zu: a transfer without outputs", op);
    for (size_t i = 0; i < t->n_outputs; i++) {
        if (!t->outputs[i].value)
            return FAULT(TFL_TX_MALFORMED, "operation %zu: output %zu has a value of 0", op, i);
    }
    if (!output_sum(t, &sum))
        return FAULT(TFL_TX_MALFORMED, "operation %zu: the sum of the outputs does not fit 64 bits", op);
    return TFL_TX_OK;
}

static int by_id(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct tfl_hash));
}

static enum tfl_tx_fault check_doubles(const struct tfl_tx *tx, struct tfl_error *err)
{
    size_t n = 0, at = 0;
    for (size_t i = 0; i < tx->n_ops; i++)
        n += tx->ops[i].code == TFL_OP_TRANSFER ? tx->ops[i].transfer.n_inputs : 0;
    if (n < 2)
        return TFL_TX_OK;
    TFL_FREE struct tfl_hash *ids = tfl_alloc(n * sizeof *ids);
    for (size_t i = 0; i < tx->n_ops; i++) {
        const struct tfl_transfer *t = &tx->ops[i].transfer;
        if (tx->ops[i].code != TFL_OP_TRANSFER)
            continue;
        memcpy(ids + at, t->inputs, t->n_inputs * sizeof *ids);
        at += t->n_inputs;
    }
    qsort(ids, n, sizeof *ids, by_id);
    for (size_t i = 1; i < n; i++) {
        char hex[TFL_HASH_HEX];
        if (tfl_hash_eq(&ids[i - 1], &ids[i]))
            return FAULT(TFL_TX_MALFORMED, "input %s is there twice", tfl_hash_hex(hex, &ids[i]));
    }
    return TFL_TX_OK;
}

static enum tfl_tx_fault check_bounds(const struct tfl_tx *tx, struct tfl_error *err)
{
    size_t size = tfl_tx_size(tx);
    if (!tx->n_ops)
        return FAULT(TFL_TX_MALFORMED, "a transaction without operations");
    if (size > TFL_TX_MAX)
        return FAULT(TFL_TX_MALFORMED, "a transaction of %zu bytes: at most %u may be", size, TFL_TX_MAX);
    for (size_t i = 0; i < tx->n_ops; i++) {
        enum tfl_tx_fault fault = TFL_TX_OK;
        if (tx->ops[i].code == TFL_OP_TRANSFER)
            fault = check_transfer(&tx->ops[i].transfer, i, err);
        if (fault)
            return fault;
    }
    return check_doubles(tx, err);
}

enum tfl_tx_fault tfl_tx_check(struct tfl_verdict *v, const struct tfl_tx *tx, struct tfl_error *err)
{
    *v = (struct tfl_verdict){0};
    enum tfl_tx_fault fault = check_bounds(tx, err);
    if (fault)
        return fault;
    struct tfl_hash hash = tfl_tx_hash(tx);
    bool transfers = false;
    for (size_t i = 0; i < tx->n_ops; i++) {
        const struct tfl_tx_op *op = &tx->ops[i];
        if (op->code == TFL_OP_TRANSFER)
            transfers = true;
        else if (!tfl_verify(op->proof, op->inscribe.signer, hash.b, sizeof hash.b))
            return FAULT(TFL_TX_BAD_SIGNATURE,
                "operation %zu: its proof is not the signer's signature over the transaction's hash", i);
    }
    *v = (struct tfl_verdict){
        .hash = hash, .size = (uint32_t)tfl_tx_size(tx), .checked = true, .proven = !transfers};
    return TFL_TX_OK;
}

static enum tfl_tx_fault prove_transfer(const struct tfl_verdict *v, const struct tfl_tx_op *op, size_t i,
    tfl_note_lookup *lookup, void *ctx, struct tfl_error *err)
{
    const struct tfl_transfer *t = &op->transfer;
    struct tfl_note owner = {.value = 0}, note;
    uint64_t in = 0, out = 0;
    bool fits = output_sum(t, &out);
    char hex[TFL_HASH_HEX];
    for (size_t j = 0; j < t->n_inputs; j++) {
        if (!lookup(ctx, &t->inputs[j], &note))
            return FAULT(TFL_TX_UNKNOWN_INPUT, "operation %zu: input %s is not there", i,
                tfl_hash_hex(hex, &t->inputs[j]));
        if (j == 0)
            owner = note;
        else if (memcmp(owner.pk, note.pk, sizeof note.pk) != 0)
            return FAULT(TFL_TX_BAD_OWNER, "operation %zu: its inputs belong to several keys", i);
        fits = fits && note.value <= UINT64_MAX - in;
        in += note.value;
    }
    if (!fits || in != out)
        return FAULT(TFL_TX_NOT_CONSERVED, "operation %zu: takes %llu and gives %llu", i,
            (unsigned long long)in, (unsigned long long)out);
    if (!tfl_verify(op->proof, owner.pk, v->hash.b, sizeof v->hash.b))
        return FAULT(TFL_TX_BAD_SIGNATURE,
            "operation %zu: its proof is not the signature of the inputs' owner %s over the transaction's "
            "hash",
            i, tfl_hex(hex, owner.pk, sizeof owner.pk));
    return TFL_TX_OK;
}

enum tfl_tx_fault tfl_tx_prove(
    struct tfl_verdict *v, const struct tfl_tx *tx, tfl_note_lookup *lookup, void *ctx, struct tfl_error *err)
{
    TFL_ASSERT(v->checked);
    for (size_t i = 0; i < tx->n_ops && !v->proven; i++) {
        enum tfl_tx_fault fault = TFL_TX_OK;
        if (tx->ops[i].code == TFL_OP_TRANSFER)
            fault = prove_transfer(v, &tx->ops[i], i, lookup, ctx, err);
        if (fault)
            return fault;
    }
    v->proven = true;
    return TFL_TX_OK;
}
