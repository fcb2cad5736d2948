#include "chain/tx_json.h"

#include "chain/block_json.h"
#include "ledger_world.h"

/* text with its first `from` replaced; the caller frees it. */
static char *swapped(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    assert_non_null(at);
    return tfl_sprintf("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

static int parse(const char *text, size_t len, struct tfl_error *err)
{
    struct tfl_tx tx;
    char *copy = malloc(len ? len : 1); /* exactly: a read past the end is seen by the sanitizer */
    memcpy(copy, text, len);
    int result = tfl_tx_parse(&tx, copy, len, err);
    if (result)
        assert_true(!tx.ops && !tx.n_ops);
    tfl_tx_done(&tx);
    free(copy);
    return result;
}

static void test_the_vector_body_is_the_vector_transaction(void **state)
{
    struct tfl_tx tx;
    TFL_BUF bytes = {0};
    struct tfl_error err = {0};
    (void)state;
    assert_int_equal(tfl_tx_parse(&tx, V_TX3_JSON, strlen(V_TX3_JSON), &err), 0);
    tfl_tx_encode(&bytes, &tx);
    assert_hex(bytes.data, bytes.len, V_TX3);
    assert_int_equal(tfl_tx_size(&tx), bytes.len);
    tfl_buf_clear(&bytes);
    tfl_tx_body(&bytes, &tx);
    assert_string_equal(bytes.data, V_TX3_JSON);
    tfl_tx_done(&tx);
}

static void test_what_is_written_is_read_back(void **state)
{
    TFL_BLOCK b = {0}, genesis = {0}, again = {0};
    TFL_BUF bytes = {0}, want = {0};
    struct tfl_error err = {0};
    (void)state;
    put_block(&b);
    struct json_object *json = tfl_block_json(&b);
    assert_int_equal(tfl_block_from_json(&again, json, &err), 0);
    assert_hex(again.id.b, 32, V_BLOCK_ID);
    memset(b.sig, 0, sizeof b.sig); /* the API does not show it */
    tfl_block_encode(&want, &b);
    tfl_block_encode(&bytes, &again);
    assert_int_equal(bytes.len, want.len);
    assert_memory_equal(bytes.data, want.data, want.len);
    json_object_put(json);
    tfl_block_done(&again);

    put_notes_genesis(&genesis);
    json = tfl_block_json(&genesis);
    assert_int_equal(tfl_block_from_json(&again, json, &err), 0);
    assert_hex(again.id.b, 32, V_NOTES_GENESIS_ID);
    json_object_put(json);
}

static void test_ids_may_begin_with_0x_where_the_contract_says(void **state)
{
    struct tfl_error err = {0};
    (void)state;
    char *text = swapped(V_TX3_JSON, "\"channel_id\":\"", "\"channel_id\":\"0x");
    assert_int_equal(parse(text, strlen(text), &err), 0);
    free(text);
    text = swapped(V_TX3_JSON, "\"inputs\":[\"", "\"inputs\":[\"0x");
    assert_int_equal(parse(text, strlen(text), &err), -1);
    assert_non_null(strstr(err.msg, "inputs[0]"));
    free(text);
}

static void test_the_largest_number_is_read(void **state)
{
    struct tfl_error err = {0};
    struct tfl_tx tx;
    (void)state;
    char *text = swapped(V_TX3_JSON, "\"value\":1,", "\"value\":18446744073709551615,");
    assert_int_equal(tfl_tx_parse(&tx, text, strlen(text), &err), 0);
    assert_true(tx.ops[0].transfer.outputs[0].value == UINT64_MAX);
    tfl_tx_done(&tx);
    free(text);
}

static void test_each_bad_shape_is_named(void **state)
{
    const struct {
        const char *from, *to, *say;
    } cases[] = {
        {"\"mantle_tx\"", "\"mantle\"", "mantle_tx: missing"},
        {"\"ops_proofs\":[", "\"more\":1,\"ops_proofs\":[", "more: no such member"},
        {"{\"ops\":[", "{\"gas\":0,\"ops\":[", "mantle_tx: gas: no such member"},
        {"{\"ops\":[", "{\"hash\":7,\"ops\":[", "mantle_tx: hash: expected 64 hex digits, saw 7"},
        {"{\"ops\":[",
            "{\"hash\":\"0000000000000000000000000000000000000000000000000000000000000000\",\"ops\":[",
            "hash: expected " /* the right one */},
        {"{\"ops\":[", "{\"ops\":[[],", "ops_proofs: 3 proofs for 4 operations"},
        {"\"opcode\":0", "\"opcode\":\"0\"", "ops[0]: opcode: expected a whole number"},
        {"\"opcode\":0", "\"opcode\":-1", "ops[0]: opcode: expected a whole number"},
        {"\"opcode\":0", "\"opcode\":16", "ops[0]: opcode 16: the reference node knows"},
        {"\"opcode\":0", "\"opcode\":256", "ops[0]: opcode 256"},
        {"\"inputs\":[", "\"inputs\":[null,", "ops[0]: payload: inputs[0]"},
        {"\"inputs\":[\"", "\"inputs\":[\"0", "inputs[0]: id: expected 64 hex digits"},
        {"\"value\":1,", "\"value\":1.0,", "outputs[0]: value: expected a whole number"},
        {"\"value\":1,", "\"value\":-1,", "outputs[0]: value: expected a whole number"},
        {"\"value\":1,", "\"value\":18446744073709551616,", "does not fit 64 bits"},
        {"\"value\":1,", "\"value\":99999999999999999999,", "does not fit 64 bits"},
        {"\"value\":1,", "\"value\":true,", "outputs[0]: value: expected a whole number"},
        {"\"value\":1,", "", "outputs[0]: value: missing"},
        {"\"inscription\":\"68", "\"inscription\":\"6", "inscription: expected"},
        {"\"inscription\":\"68656c6c6f\"", "\"inscription\":[104]", "inscription: expected a string"},
        {"\"signer\"", "\"signed\"", "payload: signer: missing"},
        {"{\"Ed25519Sig\"", "{\"ZkSig\"", "ops_proofs[0]: ZkSig"},
        {"{\"Ed25519Sig\"", "{\"Sig\"", "ops_proofs[0]: Ed25519Sig: missing"},
        {"{\"Ed25519Sig\":\"", "{\"Ed25519Sig\":\"ab", "Ed25519Sig: expected 128 hex digits"},
    };
    (void)state;
    for (size_t i = 0; i < TFL_LEN(cases); i++) {
        struct tfl_error err = {0};
        char *text = swapped(V_TX3_JSON, cases[i].from, cases[i].to);
        assert_int_equal(parse(text, strlen(text), &err), -1);
        if (!strstr(err.msg, cases[i].say))
            fail_msg("\"%s\" does not say \"%s\"", err.msg, cases[i].say);
        assert_int_equal(err.code, strstr(err.msg, "reference node") ? TFL_E_UNSUPPORTED : TFL_E_INVALID);
        free(text);
    }
}

static void test_what_is_no_json_is_told_apart(void **state)
{
    const char *const bad[] = {"", " ", "{", "{\"mantle_tx\":", "nul", "{'mantle_tx':1}", "{\"a\":1}x",
        "{\"a\":\"\xff\"}", "[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]", "{\"a\":1}}"};
    const char *const wrong[] = {"{\"a\":NaN}" /* json-c takes it, no member does */,
        "{\"a\":18446744073709551616}", "{\"a\":184467440737095516150}", "null", "7", "\"x\"", "[]", "{}",
        " {} \n"};
    struct tfl_error err;
    (void)state;
    for (size_t i = 0; i < TFL_LEN(bad); i++) {
        err = (struct tfl_error){0};
        assert_int_equal(parse(bad[i], strlen(bad[i]), &err), -1);
        if (err.code != TFL_E_BAD_REPLY)
            fail_msg("%s: %s", bad[i], err.msg);
    }
    assert_int_equal(parse("{}\0{}", 5, &err), -1);
    size_t whole = strlen(V_TX3_JSON); /* what follows a NUL is no end */
    char *hidden = calloc(1, whole + 8);
    memcpy(hidden, V_TX3_JSON, whole);
    memcpy(hidden + whole, "\0{x", 4);
    assert_int_equal(parse(hidden, whole, &err), 0);
    assert_int_equal(parse(hidden, whole + 4, &err), -1);
    assert_non_null(strstr(err.msg, "a NUL at byte"));
    free(hidden);
    for (size_t i = 0; i < TFL_LEN(wrong); i++) {
        err = (struct tfl_error){0};
        assert_int_equal(parse(wrong[i], strlen(wrong[i]), &err), -1);
        if (err.code != TFL_E_INVALID)
            fail_msg("%s: %s", wrong[i], err.msg);
    }
    for (size_t n = 0; n < strlen(V_TX3_JSON); n++) { /* every truncation */
        assert_int_equal(parse(V_TX3_JSON, n, &err), -1);
        assert_int_equal(err.code, TFL_E_BAD_REPLY);
    }
}

static void refuse_repeated(const char *piece, size_t n, enum tfl_code code)
{
    TFL_BUF text = {0};
    struct tfl_error err = {0};
    tfl_buf_adds(&text, "[");
    for (size_t i = 0; i < n; i++)
        tfl_buf_adds(&text, piece);
    tfl_buf_adds(&text, "1]");
    assert_int_equal(parse(text.data, text.len, &err), -1);
    assert_int_equal(err.code, code);
}

static void test_bodies_have_bounds(void **state)
{
    (void)state;
    refuse_repeated("{},", 41000, TFL_E_TOO_LARGE);
    refuse_repeated("1,", 201000, TFL_E_TOO_LARGE);
    refuse_repeated("                  ", 300000, TFL_E_TOO_LARGE);
    refuse_repeated("1,", 1000, TFL_E_INVALID);
}

/* The largest transaction goes through JSON; a byte more does not. */
static void test_the_largest_transaction_is_read(void **state)
{
    struct tfl_error err = {0};
    struct tfl_tx tx;
    (void)state;
    for (size_t more = 0; more < 2; more++) {
        put_tx2(&tx);
        free(tx.ops[0].inscribe.data);
        tx.ops[0].inscribe.len = (uint32_t)(TFL_TX_MAX - 166 + more);
        tx.ops[0].inscribe.data = tfl_alloc(tx.ops[0].inscribe.len);
        struct json_object *json = tfl_tx_json(&tx);
        const char *text = json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN);
        assert_int_equal(parse(text, strlen(text), &err), more ? -1 : 0);
        json_object_put(json);
        tfl_tx_done(&tx);
    }
    assert_int_equal(err.code, TFL_E_TOO_LARGE);

    /* and one of many small outputs */
    tx = (struct tfl_tx){0};
    struct tfl_hash in = filled(1);
    for (int op = 0; op < 101; op++) {
        struct tfl_transfer *t = add_transfer(&tx, &in, 1, in.b);
        t->outputs = tfl_realloc(t->outputs, UINT8_MAX * sizeof *t->outputs);
        for (size_t i = 0; i < UINT8_MAX; i++)
            t->outputs[i].value = UINT64_MAX;
        t->n_outputs = UINT8_MAX;
    }
    assert_true(tfl_tx_size(&tx) < TFL_TX_MAX && tfl_tx_size(&tx) > TFL_TX_MAX - 12000);
    struct json_object *json = tfl_tx_json(&tx);
    const char *text = json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN);
    assert_int_equal(parse(text, strlen(text), &err), 0);
    json_object_put(json);
    tfl_tx_done(&tx);
}

static void refuse_block(const char *pointer, struct json_object *value, const char *say)
{
    TFL_BLOCK b = {0}, out = {0};
    struct tfl_error err = {0};
    put_block(&b);
    struct json_object *json = tfl_block_json(&b);
    assert_int_equal(json_pointer_set(&json, pointer, value), 0);
    assert_int_equal(tfl_block_from_json(&out, json, &err), -1);
    assert_true(!out.txs && !out.n_txs);
    if (!strstr(err.msg, say))
        fail_msg("\"%s\" does not say \"%s\"", err.msg, say);
    json_object_put(json);
}

static void test_blocks_that_lie_are_refused(void **state)
{
    (void)state;
    refuse_block("/header/slot", json_object_new_int(138), "is not that of the header");
    refuse_block("/header/slot", json_object_new_string("137"), "header: slot");
    refuse_block("/header/id", json_object_new_string(V_BLOCK_ROOT), "is not that of the header");
    refuse_block(
        "/header/proof_of_leadership", json_object_new_int(1), "header: proof: expected 256 hex digits");
    refuse_block("/transactions/0/mantle_tx/ops/0/payload/outputs/0/value", json_object_new_int(101),
        "transactions[0]: mantle_tx: hash");
    refuse_block("/transactions", json_object_new_array(), "block_root");
    refuse_block("/transactions", json_object_new_string("none"), "transactions: expected a list");
    refuse_block("/header", NULL, "header: expected an object");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_vector_body_is_the_vector_transaction),
        cmocka_unit_test(test_what_is_written_is_read_back),
        cmocka_unit_test(test_ids_may_begin_with_0x_where_the_contract_says),
        cmocka_unit_test(test_the_largest_number_is_read),
        cmocka_unit_test(test_each_bad_shape_is_named),
        cmocka_unit_test(test_what_is_no_json_is_told_apart),
        cmocka_unit_test(test_bodies_have_bounds),
        cmocka_unit_test(test_the_largest_transaction_is_read),
        cmocka_unit_test(test_blocks_that_lie_are_refused),
    };
    tfl_chain_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
