#ifndef TFL_SPEC_STAND_IN_WALLET_H
#define TFL_SPEC_STAND_IN_WALLET_H

/* The wallet of the stand-in: it has the keys that user.yaml says, a note of STAND_NOTE for each question, and signs with zeros.
 * Include it after stand_in_chain.h, in one file. */
enum { STAND_NOTE = 100000, STAND_PRICE = 1 };

static void refuse(struct fake_conn *c, int status, const char *message)
{
    TFL_BUF b = {0};
    if (is(stand.version, "AUG"))
        tfl_buf_addf(&b, "{\"code\":%d,\"message\":\"%s\"}", status, message);
    else
        tfl_buf_adds(&b, message);
    fake_reply(c, status, is(stand.version, "AUG") ? "application/json" : "text/plain", b.data);
}

static struct json_object *at(struct json_object *json, const char *key)
{
    struct json_object *value = NULL;
    return json_object_is_type(json, json_type_object) && json_object_object_get_ex(json, key, &value) ? value
                                                                                                       : NULL;
}

static const char *text_at(struct json_object *json, const char *key)
{
    const char *text = json_object_get_string(at(json, key));
    return text ? text : "";
}

static bool owns(const char *pk)
{
    const char *keys = strstr(stand.config.user, "known_keys:");
    return strlen(pk) == 64 && keys && strstr(keys, pk);
}

static const char *first_funder(struct json_object *wish)
{
    struct json_object *list = at(wish, "funding_public_keys");
    const char *pk = json_object_is_type(list, json_type_array)
                         ? json_object_get_string(json_object_array_get_idx(list, 0))
                         : NULL;
    return pk ? pk : "";
}

static uint64_t notes_given; /* so many were spent */

static struct tfl_hash note_id(uint64_t serial)
{
    uint8_t bytes[16];
    tfl_put_le(bytes, (uint64_t)stand.config.p2p, 8);
    tfl_put_le(bytes + 8, serial, 8);
    return tfl_hash_of("stand-in note", &(struct tfl_span){bytes, 16}, 1);
}

/* A fresh note into one or two outputs. */
static struct tfl_tx_op transfer_op(const char *to, uint64_t amount, const char *change, uint64_t rest)
{
    struct tfl_tx_op op = {.code = TFL_OP_TRANSFER};
    op.transfer.inputs = tfl_alloc(sizeof(struct tfl_hash));
    op.transfer.outputs = tfl_alloc(2 * sizeof(struct tfl_output));
    op.transfer.n_inputs = 1;
    op.transfer.inputs[0] = note_id(++notes_given);
    if (amount) {
        tfl_unhex(op.transfer.outputs[0].pk, 32, to, 64);
        op.transfer.outputs[op.transfer.n_outputs++].value = amount;
    }
    tfl_unhex(op.transfer.outputs[op.transfer.n_outputs].pk, 32, change, 64);
    op.transfer.outputs[op.transfer.n_outputs++].value = rest;
    return op;
}

static void transfer_json(struct tfl_buf *b, const struct tfl_tx_op *op)
{
    char hex[TFL_HASH_HEX];
    tfl_buf_addf(b, "{\"opcode\":0,\"payload\":{\"inputs\":[\"%s\"],\"outputs\":[",
        tfl_hash_hex(hex, &op->transfer.inputs[0]));
    for (int i = 0; i < op->transfer.n_outputs; i++)
        tfl_buf_addf(b, "%s{\"value\":%llu,\"pk\":\"%s\"}", i ? "," : "",
            (unsigned long long)op->transfer.outputs[i].value, tfl_hex(hex, op->transfer.outputs[i].pk, 32));
    tfl_buf_adds(b, "]}}");
}

static void proof_json(struct tfl_buf *b)
{
    tfl_buf_addf(b, "{\"ZkSig\":{\"pi_a\":\"%064d\",\"pi_b\":\"%0128d\",\"pi_c\":\"%064d\"}}", 0, 0, 0);
}

static void make_transfer(struct fake_conn *c, const char *body)
{
    struct json_object *wish = json_tokener_parse(body);
    const char *from = first_funder(wish), *to = text_at(wish, "recipient_public_key");
    const char *change = text_at(wish, "change_public_key");
    uint64_t amount = json_object_get_uint64(at(wish, "amount"));
    if (strlen(to) != 64 || strlen(change) != 64 || amount == 0) {
        fake_reply(c, 422, "text/plain", "Failed to deserialize the JSON body into the target type");
    } else if (!owns(from)) {
        refuse(c, 404, "The requested address could not be found in the wallet");
    } else if (amount >= STAND_NOTE) {
        refuse(c, 500, "insufficient funds");
    } else {
        TFL_BUF json = {0};
        TFL_BUF reply = {0};
        char hex[TFL_HASH_HEX];
        struct tfl_tx_op op = transfer_op(to, amount, change, STAND_NOTE - amount);
        struct tfl_hash hash = tfl_tx_hash(&(struct tfl_tx){&op, 1});
        tfl_buf_addf(&json, "{\"mantle_tx\":{\"hash\":\"%s\",\"ops\":[", tfl_hash_hex(hex, &hash));
        transfer_json(&json, &op);
        tfl_buf_adds(&json, "]},\"ops_proofs\":[");
        proof_json(&json);
        tfl_buf_adds(&json, "]}");
        take_tx(&hash, json.data, wall_slot() + AFTER);
        tfl_buf_addf(&reply, "{\"hash\":\"%s\"}", hex);
        fake_reply(c, 201, "text/plain", reply.data);
    }
    json_object_put(wish);
}

static void balance(struct fake_conn *c, const char *path)
{
    TFL_BUF b = {0};
    char pk[65] = "";
    sscanf(path, "/wallet/%64[0-9a-f]/balance", pk);
    if (!owns(pk)) {
        refuse(c, 404, "The requested address could not be found in the wallet");
        return;
    }
    tfl_buf_addf(&b, "{\"balance\":%llu,\"address\":\"%s\"", (unsigned long long)(UINT64_C(1) << 53) + 1, pk);
    if (is(stand.version, "AUG")) { /* of its notes the one that was spent last */
        char hex[TFL_HASH_HEX];
        struct tfl_hash id = note_id(notes_given);
        tfl_buf_addf(&b, ",\"notes\":{\"%s\":%d}", tfl_hash_hex(hex, &id), STAND_NOTE);
    }
    tfl_buf_adds(&b, "}");
    fake_reply(c, 200, "text/plain", b.data);
}

/* AUG: the operations that it was given, and a transfer that pays for them. */
static void fund(struct fake_conn *c, const char *body)
{
    struct json_object *wish = json_tokener_parse(body), *builder = at(wish, "tx_builder");
    struct json_object *ops = at(at(builder, "mantle_tx"), "ops");
    TFL_BUF b = {0};
    if (!is(stand.version, "AUG") || json_object_array_length(ops) != 1 ||
        !at(builder, "channel_multi_sig_proofs")) {
        fake_reply(c, 422, "text/plain", "missing field");
    } else if (!owns(first_funder(wish))) {
        refuse(c, 404, "The requested address could not be found in the wallet");
    } else if (json_object_get_uint64(at(wish, "max_tx_fee")) < 700 * STAND_PRICE) {
        refuse(c, 500, "the fee is above max_tx_fee");
    } else {
        struct tfl_tx_op op =
            transfer_op("", 0, text_at(wish, "change_public_key"), STAND_NOTE - 700 * STAND_PRICE);
        tfl_buf_addf(&b, "{\"tip\":\"%064d\",\"funded_tx\":{\"ops\":[%s,", 0,
            json_object_to_json_string_ext(json_object_array_get_idx(ops, 0), JSON_C_TO_STRING_PLAIN));
        transfer_json(&b, &op);
        tfl_buf_adds(&b, "]},\"transfer_proof\":");
        proof_json(&b);
        tfl_buf_adds(&b, "}");
        fake_json(c, b.data);
    }
    json_object_put(wish);
}

/* AUG: an inscription and the transfer that pays for it. The hash is computed here, and the first proof checked against it. */
static void submit_funded(struct fake_conn *c, const char *body)
{
    struct json_object *json = json_tokener_parse(body), *mantle = at(json, "mantle_tx"),
                       *proofs = at(json, "ops_proofs");
    struct json_object *first = json_object_array_get_idx(proofs, 0),
                       *second = json_object_array_get_idx(proofs, 1);
    struct tfl_tx tx = {0};
    struct tfl_error err = {0};
    char hex[TFL_HASH_HEX];
    struct json_object *zk = json_object_get(second);
    bool paid = at(zk, "ZkSig") != NULL; /* else it is left to the reader of lone ones, and waits for ever */
    if (paid)
        json_object_array_put_idx(proofs, 1, json_object_get(first));
    if (tfl_tx_from_json(&tx, json, &err) == 0) {
        struct tfl_hash hash = tfl_tx_hash(&tx);
        bool good = tx.ops[0].code == TFL_OP_INSCRIBE &&
                    tfl_verify(tx.ops[0].proof, tx.ops[0].inscribe.signer, hash.b, sizeof hash.b);
        if (paid)
            json_object_array_put_idx(proofs, 1, json_object_get(zk));
        json_object_object_add(mantle, "hash", json_object_new_string(tfl_hash_hex(hex, &hash)));
        if (good)
            take_tx(&hash, json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN),
                paid ? wall_slot() + AFTER : UINT64_MAX);
        fake_reply(c, good ? 200 : 422, "application/json", good ? "null" : "Invalid signature");
        tfl_tx_done(&tx);
    } else {
        fake_reply(c, 422, "text/plain", err.msg);
    }
    json_object_put(zk);
    json_object_put(json);
}

#endif
