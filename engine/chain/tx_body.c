#include "chain/tx_json.h"

/* Written by hand, not through json-c: the load generator makes thousands a second. */

static void add_hex(struct tfl_buf *out, const uint8_t *bytes, size_t n)
{
    tfl_buf_reserve(out, 2 * n + 2);
    tfl_buf_add(out, "\"", 1);
    tfl_hex(out->data + out->len, bytes, n);
    out->len += 2 * n;
    tfl_buf_add(out, "\"", 1);
}

static void add_transfer(struct tfl_buf *out, const struct tfl_transfer *t)
{
    tfl_buf_adds(out, "{\"inputs\":[");
    for (size_t i = 0; i < t->n_inputs; i++) {
        tfl_buf_adds(out, i ? "," : "");
        add_hex(out, t->inputs[i].b, sizeof t->inputs[i].b);
    }
    tfl_buf_adds(out, "],\"outputs\":[");
    for (size_t i = 0; i < t->n_outputs; i++) {
        tfl_buf_addf(out, "%s{\"value\":%llu,\"pk\":", i ? "," : "", (unsigned long long)t->outputs[i].value);
        add_hex(out, t->outputs[i].pk, sizeof t->outputs[i].pk);
        tfl_buf_adds(out, "}");
    }
    tfl_buf_adds(out, "]}");
}

static void add_inscribe(struct tfl_buf *out, const struct tfl_inscribe *s)
{
    tfl_buf_adds(out, "{\"channel_id\":");
    add_hex(out, s->channel.b, sizeof s->channel.b);
    tfl_buf_adds(out, ",\"inscription\":");
    add_hex(out, s->data, s->len);
    tfl_buf_adds(out, ",\"parent\":");
    add_hex(out, s->parent.b, sizeof s->parent.b);
    tfl_buf_adds(out, ",\"signer\":");
    add_hex(out, s->signer, sizeof s->signer);
    tfl_buf_adds(out, "}");
}

void tfl_tx_body(struct tfl_buf *out, const struct tfl_tx *tx)
{
    tfl_buf_adds(out, "{\"mantle_tx\":{\"ops\":[");
    for (size_t i = 0; i < tx->n_ops; i++) {
        tfl_buf_addf(out, "%s{\"opcode\":%d,\"payload\":", i ? "," : "", (int)tx->ops[i].code);
        if (tx->ops[i].code == TFL_OP_TRANSFER)
            add_transfer(out, &tx->ops[i].transfer);
        else
            add_inscribe(out, &tx->ops[i].inscribe);
        tfl_buf_adds(out, "}");
    }
    tfl_buf_adds(out, "]},\"ops_proofs\":[");
    for (size_t i = 0; i < tx->n_ops; i++) {
        tfl_buf_adds(out, i ? ",{\"Ed25519Sig\":" : "{\"Ed25519Sig\":");
        add_hex(out, tx->ops[i].proof, sizeof tx->ops[i].proof);
        tfl_buf_adds(out, "}");
    }
    tfl_buf_adds(out, "]}");
}
