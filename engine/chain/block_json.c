#include "chain/block_json.h"

static void add_hex(struct json_object *o, const char *key, const uint8_t *bytes, size_t n)
{
    TFL_FREE char *hex = tfl_alloc(2 * n + 1);
    json_object_object_add(o, key, json_object_new_string_len(tfl_hex(hex, bytes, n), (int)(2 * n)));
}

static void add_hash(struct json_object *o, const char *key, const struct tfl_hash *h)
{
    add_hex(o, key, h->b, sizeof h->b);
}

static struct json_object *leadership(const struct tfl_header *h)
{
    struct json_object *o = json_object_new_object();
    add_hex(o, "proof", h->proof, sizeof h->proof);
    add_hash(o, "entropy_contribution", &h->entropy);
    add_hex(o, "leader_key", h->leader, sizeof h->leader);
    add_hash(o, "voucher_cm", &h->voucher_cm);
    return o;
}

/* The members both forms have, after the first one of each. */
static void add_header(struct json_object *o, const struct tfl_header *h)
{
    add_hash(o, "parent_block", &h->parent);
    json_object_object_add(o, "slot", json_object_new_uint64(h->slot));
    add_hash(o, "block_root", &h->root);
    json_object_object_add(o, "proof_of_leadership", leadership(h));
}

static struct json_object *transfer_json(const struct tfl_transfer *t)
{
    struct json_object *o = json_object_new_object(), *inputs = json_object_new_array(),
                       *outputs = json_object_new_array();
    for (size_t i = 0; i < t->n_inputs; i++) {
        char hex[TFL_HASH_HEX];
        json_object_array_add(inputs, json_object_new_string(tfl_hash_hex(hex, &t->inputs[i])));
    }
    for (size_t i = 0; i < t->n_outputs; i++) {
        struct json_object *output = json_object_new_object();
        json_object_object_add(output, "value", json_object_new_uint64(t->outputs[i].value));
        add_hex(output, "pk", t->outputs[i].pk, sizeof t->outputs[i].pk);
        json_object_array_add(outputs, output);
    }
    json_object_object_add(o, "inputs", inputs);
    json_object_object_add(o, "outputs", outputs);
    return o;
}

static struct json_object *inscribe_json(const struct tfl_inscribe *s)
{
    struct json_object *o = json_object_new_object();
    add_hash(o, "channel_id", &s->channel);
    add_hex(o, "inscription", s->data, s->len);
    add_hash(o, "parent", &s->parent);
    add_hex(o, "signer", s->signer, sizeof s->signer);
    return o;
}

struct json_object *tfl_tx_json(const struct tfl_tx *tx)
{
    struct json_object *o = json_object_new_object(), *mantle = json_object_new_object(),
                       *ops = json_object_new_array(), *proofs = json_object_new_array();
    struct tfl_hash hash = tfl_tx_hash(tx);
    add_hash(mantle, "hash", &hash);
    for (size_t i = 0; i < tx->n_ops; i++) {
        const struct tfl_tx_op *op = &tx->ops[i];
        struct json_object *entry = json_object_new_object(), *proof = json_object_new_object();
        json_object_object_add(entry, "opcode", json_object_new_int((int)op->code));
        json_object_object_add(entry, "payload",
            op->code == TFL_OP_TRANSFER ? transfer_json(&op->transfer) : inscribe_json(&op->inscribe));
        json_object_array_add(ops, entry);
        add_hex(proof, "Ed25519Sig", op->proof, sizeof op->proof);
        json_object_array_add(proofs, proof);
    }
    json_object_object_add(mantle, "ops", ops);
    json_object_object_add(o, "mantle_tx", mantle);
    json_object_object_add(o, "ops_proofs", proofs);
    return o;
}

static struct json_object *txs_json(const struct tfl_block *b)
{
    struct json_object *txs = json_object_new_array();
    for (uint32_t i = 0; i < b->n_txs; i++)
        json_object_array_add(txs, tfl_tx_json(&b->txs[i]));
    return txs;
}

struct json_object *tfl_block_json(const struct tfl_block *b)
{
    struct json_object *o = json_object_new_object(), *header = json_object_new_object();
    add_hash(header, "id", &b->id);
    add_header(header, &b->header);
    json_object_object_add(o, "header", header);
    json_object_object_add(o, "transactions", txs_json(b));
    return o;
}

struct json_object *tfl_block_raw_json(const struct tfl_block *b)
{
    struct json_object *o = json_object_new_object(), *header = json_object_new_object();
    json_object_object_add(header, "version", json_object_new_string("Bedrock"));
    add_header(header, &b->header);
    json_object_object_add(o, "header", header);
    add_hex(o, "signature", b->sig, sizeof b->sig);
    json_object_object_add(o, "transactions", txs_json(b));
    return o;
}
