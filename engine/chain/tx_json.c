#include "chain/tx_json.h"

#include "chain/tx_check.h"

#include <stdio.h>
#include <string.h>

/* What a body may make json-c hold: an object or list costs it several hundred bytes. The largest transaction has fewer. */
enum { MAX_CONTAINERS = 40000, MAX_COMMAS = 200000, MAX_DEPTH = 16, MAX_SHOWN = 80 };

static int wrong(const char *key, const char *expected, struct json_object *seen, struct tfl_error *err)
{
    const char *text = seen ? json_object_to_json_string_ext(seen, JSON_C_TO_STRING_PLAIN) : "nothing";
    return tfl_fail(err, TFL_E_INVALID, "%s: expected %s, saw %.*s", key, expected, MAX_SHOWN, text);
}

/* An object whose members are the n required ones, and the optional one (or NULL); the values in order. */
static int get_members(struct json_object *o, const char *const *keys, size_t n, const char *optional,
    struct json_object **values, struct tfl_error *err)
{
    if (!json_object_is_type(o, json_type_object))
        return wrong("it", "an object", o, err);
    for (size_t i = 0; i < n; i++) {
        if (!json_object_object_get_ex(o, keys[i], &values[i]))
            return tfl_fail(err, TFL_E_INVALID, "%s: missing", keys[i]);
    }
    json_object_object_foreach(o, key, value)
    {
        bool known = optional && strcmp(key, optional) == 0;
        for (size_t i = 0; i < n && !known; i++)
            known = strcmp(key, keys[i]) == 0;
        (void)value;
        if (!known)
            return tfl_fail(err, TFL_E_INVALID, "%.*s: no such member", MAX_SHOWN, key);
    }
    return 0;
}

static int get_hex(
    struct json_object *v, const char *key, uint8_t *out, size_t n, bool may_0x, struct tfl_error *err)
{
    if (json_object_is_type(v, json_type_string)) {
        const char *hex = json_object_get_string(v);
        size_t len = (size_t)json_object_get_string_len(v);
        size_t skip = may_0x && len >= 2 && hex[0] == '0' && hex[1] == 'x' ? 2 : 0;
        if (tfl_unhex(out, n, hex + skip, len - skip))
            return 0;
    }
    char expected[32];
    snprintf(expected, sizeof expected, "%zu hex digits", 2 * n);
    return wrong(key, expected, v, err);
}

static int get_list(struct json_object *v, const char *key, size_t max, size_t *n, struct tfl_error *err)
{
    if (!json_object_is_type(v, json_type_array))
        return wrong(key, "a list", v, err);
    *n = json_object_array_length(v);
    if (*n > max)
        return tfl_fail(err, TFL_E_INVALID, "%s: a list of %zu, at most %zu may be", key, *n, max);
    return 0;
}

static int get_u64(struct json_object *v, const char *key, uint64_t *out, struct tfl_error *err)
{
    if (!json_object_is_type(v, json_type_int) || json_object_get_int64(v) < 0)
        return wrong(key, "a whole number of 0 to 2^64 - 1", v, err);
    *out = json_object_get_uint64(v);
    return 0;
}

static int get_output(struct json_object *o, struct tfl_output *out, struct tfl_error *err)
{
    static const char *const keys[] = {"value", "pk"};
    struct json_object *v[2] = {0};
    if (get_members(o, keys, 2, NULL, v, err) || get_u64(v[0], keys[0], &out->value, err))
        return -1;
    return get_hex(v[1], keys[1], out->pk, sizeof out->pk, false, err);
}

static int get_transfer(struct json_object *o, struct tfl_transfer *t, struct tfl_error *err)
{
    static const char *const keys[] = {"inputs", "outputs"};
    struct json_object *v[2] = {0};
    size_t n_in = 0, n_out = 0;
    if (get_members(o, keys, 2, NULL, v, err) || get_list(v[0], keys[0], UINT8_MAX, &n_in, err) ||
        get_list(v[1], keys[1], UINT8_MAX, &n_out, err))
        return -1;
    t->inputs = tfl_alloc(n_in * sizeof *t->inputs);
    t->n_inputs = (uint8_t)n_in;
    t->outputs = tfl_alloc(n_out * sizeof *t->outputs);
    t->n_outputs = (uint8_t)n_out;
    for (size_t i = 0; i < n_in; i++) {
        if (get_hex(
                json_object_array_get_idx(v[0], i), "id", t->inputs[i].b, sizeof t->inputs[i].b, false, err))
            return tfl_wrap(err, "inputs[%zu]", i);
    }
    for (size_t i = 0; i < n_out; i++) {
        if (get_output(json_object_array_get_idx(v[1], i), &t->outputs[i], err))
            return tfl_wrap(err, "outputs[%zu]", i);
    }
    return 0;
}

static int get_inscribe(struct json_object *o, struct tfl_inscribe *s, struct tfl_error *err)
{
    static const char *const keys[] = {"channel_id", "inscription", "parent", "signer"};
    struct json_object *v[4] = {0};
    if (get_members(o, keys, 4, NULL, v, err) ||
        get_hex(v[0], keys[0], s->channel.b, sizeof s->channel.b, true, err))
        return -1;
    if (!json_object_is_type(v[1], json_type_string))
        return wrong(keys[1], "a string of hex digits", v[1], err);
    size_t len = (size_t)json_object_get_string_len(v[1]) / 2;
    if (len > TFL_TX_MAX)
        return tfl_fail(err, TFL_E_TOO_LARGE, "%s: %zu bytes, at most %u may be", keys[1], len, TFL_TX_MAX);
    s->data = tfl_alloc(len);
    s->len = (uint32_t)len;
    return get_hex(v[1], keys[1], s->data, len, false, err) ||
                   get_hex(v[2], keys[2], s->parent.b, sizeof s->parent.b, true, err) ||
                   get_hex(v[3], keys[3], s->signer, sizeof s->signer, false, err)
               ? -1
               : 0;
}

static int get_op(struct json_object *o, struct tfl_tx_op *op, struct tfl_error *err)
{
    static const char *const keys[] = {"opcode", "payload"};
    struct json_object *v[2] = {0};
    uint64_t code = 0;
    if (get_members(o, keys, 2, NULL, v, err) || get_u64(v[0], keys[0], &code, err))
        return -1;
    if (code != TFL_OP_TRANSFER && code != TFL_OP_INSCRIBE)
        return tfl_fail(err, TFL_E_UNSUPPORTED,
            "opcode %llu: the reference node knows 0 (transfer) and 17 (inscribe)", (unsigned long long)code);
    op->code = (enum tfl_opcode)code;
    if (code == TFL_OP_TRANSFER ? get_transfer(v[1], &op->transfer, err)
                                : get_inscribe(v[1], &op->inscribe, err))
        return tfl_wrap(err, "payload");
    return 0;
}

static int get_proof(struct json_object *o, struct tfl_tx_op *op, struct tfl_error *err)
{
    static const char *const known[] = {"Ed25519Sig"}, *const foreign[] = {"ZkSig", "ZkAndEd25519Sigs", "PoC",
                                                           "ChannelMultiSigProof", "None"};
    struct json_object *v = NULL;
    for (size_t i = 0; i < TFL_LEN(foreign) && json_object_is_type(o, json_type_object); i++) {
        if (json_object_object_get_ex(o, foreign[i], NULL))
            return tfl_fail(
                err, TFL_E_UNSUPPORTED, "%s: the reference node verifies Ed25519Sig only", foreign[i]);
    }
    if (get_members(o, known, 1, NULL, &v, err))
        return -1;
    return get_hex(v, known[0], op->proof, sizeof op->proof, false, err);
}

/* mantle_tx.hash may stand there, and is right then. */
static int check_hash(const struct tfl_tx *tx, struct json_object *mantle, struct tfl_error *err)
{
    struct json_object *v;
    struct tfl_hash seen, hash;
    char hex[TFL_HASH_HEX];
    if (!json_object_object_get_ex(mantle, "hash", &v))
        return 0;
    if (get_hex(v, "hash", seen.b, sizeof seen.b, true, err))
        return -1;
    hash = tfl_tx_hash(tx);
    return tfl_hash_eq(&seen, &hash) ? 0 : wrong("hash", tfl_hash_hex(hex, &hash), v, err);
}

static int get_tx(struct json_object *json, struct tfl_tx *tx, struct tfl_error *err)
{
    static const char *const keys[] = {"mantle_tx", "ops_proofs"}, *const ops_key[] = {"ops"};
    struct json_object *v[2] = {0}, *ops = NULL;
    size_t n_ops = 0, n_proofs = 0;
    if (get_members(json, keys, 2, NULL, v, err))
        return -1;
    if (get_members(v[0], ops_key, 1, "hash", &ops, err) || get_list(ops, ops_key[0], UINT8_MAX, &n_ops, err))
        return tfl_wrap(err, "%s", keys[0]);
    if (get_list(v[1], keys[1], UINT8_MAX, &n_proofs, err))
        return -1;
    if (n_proofs != n_ops)
        return tfl_fail(err, TFL_E_INVALID,
            "ops_proofs: %zu proofs for %zu operations, one for each is needed", n_proofs, n_ops);
    tx->ops = tfl_alloc(n_ops * sizeof *tx->ops);
    for (size_t i = 0; i < n_ops; i++) {
        tx->n_ops = (uint8_t)(i + 1);
        if (get_op(json_object_array_get_idx(ops, i), &tx->ops[i], err))
            return tfl_wrap(err, "mantle_tx: ops[%zu]", i);
        if (get_proof(json_object_array_get_idx(v[1], i), &tx->ops[i], err))
            return tfl_wrap(err, "ops_proofs[%zu]", i);
    }
    if (tfl_tx_size(tx) > TFL_TX_MAX)
        return tfl_fail(err, TFL_E_TOO_LARGE, "a transaction of %zu bytes: at most %u may be",
            tfl_tx_size(tx), TFL_TX_MAX);
    if (check_hash(tx, v[0], err))
        return tfl_wrap(err, "%s", keys[0]);
    return 0;
}

int tfl_tx_from_json(struct tfl_tx *tx, struct json_object *json, struct tfl_error *err)
{
    *tx = (struct tfl_tx){0};
    if (get_tx(json, tx, err)) {
        tfl_tx_done(tx);
        return -1;
    }
    return 0;
}

/* What json-c does not tell of a text. */
struct scan {
    size_t containers, commas, digits;
    bool in_string, escaped;
};

/* The next character, which stands at `end`. False: before it ends a number beyond 2^64 - 1, which json-c takes for that. */
static bool scan_one(struct scan *s, char c, const char *end)
{
    static const char most[] = "18446744073709551615";
    if (s->in_string) {
        s->in_string = c != '"' || s->escaped;
        s->escaped = c == '\\' && !s->escaped;
        return true;
    }
    if (c >= '0' && c <= '9') {
        s->digits++;
        return true;
    }
    bool beyond = s->digits >= sizeof most ||
                  (s->digits == sizeof most - 1 && memcmp(end - s->digits, most, s->digits) > 0);
    s->digits = 0;
    s->in_string = c == '"';
    s->containers += c == '{' || c == '[';
    s->commas += c == ',';
    return !beyond;
}

static int check_text(const char *text, size_t len, struct tfl_error *err)
{
    struct scan s = {0};
    if (len > TFL_TX_JSON_MAX)
        return tfl_fail(err, TFL_E_TOO_LARGE, "a body of %zu bytes: at most %u may be", len, TFL_TX_JSON_MAX);
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\'') /* json-c takes it for a quote; no string of a transaction has one */
            return tfl_fail(err, TFL_E_BAD_REPLY, "not JSON: a single quote at byte %zu", i);
        if (!scan_one(&s, text[i], text + i))
            return tfl_fail(err, TFL_E_INVALID, "the number before byte %zu does not fit 64 bits", i);
    }
    if (s.containers > MAX_CONTAINERS || s.commas > MAX_COMMAS)
        return tfl_fail(err, TFL_E_TOO_LARGE,
            "a body of %zu objects and lists and %zu members: at most %d and %d may be", s.containers,
            s.commas, MAX_CONTAINERS, MAX_COMMAS);
    return 0;
}

static int parse(const char *text, size_t len, struct json_object **json, struct tfl_error *err)
{
    *json = NULL;
    const char *nul = memchr(text, '\0', len); /* where the parser would stop, whatever follows */
    if (nul)
        return tfl_fail(err, TFL_E_BAD_REPLY, "not JSON: a NUL at byte %zu", (size_t)(nul - text));
    struct json_tokener *t = json_tokener_new_ex(MAX_DEPTH);
    TFL_ASSERT(t);
    json_tokener_set_flags(t, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    *json = json_tokener_parse_ex(t, text, (int)len);
    enum json_tokener_error e = json_tokener_get_error(t);
    if (e == json_tokener_continue) { /* a number at the very end is whole only when something follows */
        *json = json_tokener_parse_ex(t, "\n", 1);
        e = json_tokener_get_error(t);
    }
    size_t at = json_tokener_get_parse_end(t);
    json_tokener_free(t);
    if (e == json_tokener_success)
        return 0;
    json_object_put(*json);
    *json = NULL;
    return tfl_fail(err, TFL_E_BAD_REPLY, "not JSON: %s at byte %zu", json_tokener_error_desc(e), at);
}

int tfl_tx_parse(struct tfl_tx *tx, const char *text, size_t len, struct tfl_error *err)
{
    struct json_object *json;
    *tx = (struct tfl_tx){0};
    if (check_text(text, len, err) || parse(text, len, &json, err))
        return -1;
    int result = tfl_tx_from_json(tx, json, err);
    json_object_put(json);
    return result;
}

static int get_header(struct json_object *o, struct tfl_header *h, struct tfl_hash *id, struct tfl_error *err)
{
    static const char *const keys[] = {"id", "parent_block", "slot", "block_root", "proof_of_leadership"},
                             *const proof[] = {"proof", "entropy_contribution", "leader_key", "voucher_cm"};
    struct json_object *v[5] = {0}, *p[4] = {0};
    for (size_t i = 0; i < TFL_LEN(keys); i++)
        json_object_object_get_ex(o, keys[i], &v[i]);
    if (json_object_is_type(v[4], json_type_object)) {
        for (size_t i = 0; i < TFL_LEN(proof); i++)
            json_object_object_get_ex(v[4], proof[i], &p[i]);
    }
    return get_hex(v[0], keys[0], id->b, sizeof id->b, true, err) ||
                   get_hex(v[1], keys[1], h->parent.b, sizeof h->parent.b, true, err) ||
                   get_u64(v[2], keys[2], &h->slot, err) ||
                   get_hex(v[3], keys[3], h->root.b, sizeof h->root.b, true, err) ||
                   get_hex(p[0], proof[0], h->proof, sizeof h->proof, false, err) ||
                   get_hex(p[1], proof[1], h->entropy.b, sizeof h->entropy.b, false, err) ||
                   get_hex(p[2], proof[2], h->leader, sizeof h->leader, false, err) ||
                   get_hex(p[3], proof[3], h->voucher_cm.b, sizeof h->voucher_cm.b, false, err)
               ? -1
               : 0;
}

static int get_block(struct json_object *json, struct tfl_block *b, struct tfl_error *err)
{
    struct json_object *header = NULL, *txs = NULL;
    struct tfl_hash seen_id;
    size_t n = 0;
    char want[TFL_HASH_HEX], seen[TFL_HASH_HEX];
    if (!json_object_is_type(json, json_type_object))
        return wrong("block", "an object", json, err);
    json_object_object_get_ex(json, "header", &header);
    json_object_object_get_ex(json, "transactions", &txs);
    if (!json_object_is_type(header, json_type_object))
        return wrong("header", "an object", header, err);
    if (get_header(header, &b->header, &seen_id, err))
        return tfl_wrap(err, "header");
    if (get_list(txs, "transactions", TFL_BLOCK_TXS_MAX, &n, err))
        return -1;
    b->txs = tfl_alloc(n * sizeof *b->txs);
    for (; b->n_txs < n; b->n_txs++) {
        if (tfl_tx_from_json(&b->txs[b->n_txs], json_object_array_get_idx(txs, b->n_txs), err))
            return tfl_wrap(err, "transactions[%u]", b->n_txs);
    }
    struct tfl_hash root = tfl_txs_root(b->txs, b->n_txs);
    if (!tfl_hash_eq(&root, &b->header.root))
        return tfl_fail(err, TFL_E_INVALID, "block_root %s is not that of the transactions, %s",
            tfl_hash_hex(seen, &b->header.root), tfl_hash_hex(want, &root));
    b->id = tfl_header_id(&b->header);
    if (!tfl_hash_eq(&b->id, &seen_id))
        return tfl_fail(err, TFL_E_INVALID, "id %s is not that of the header, %s",
            tfl_hash_hex(seen, &seen_id), tfl_hash_hex(want, &b->id));
    return 0;
}

int tfl_block_from_json(struct tfl_block *b, struct json_object *json, struct tfl_error *err)
{
    *b = (struct tfl_block){0};
    if (get_block(json, b, err)) {
        tfl_block_done(b);
        return -1;
    }
    return 0;
}
