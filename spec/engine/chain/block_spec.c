#include "chain/block_json.h"
#include "support.h"

#include <json-c/json.h>

static void test_transaction_hashes_follow_the_vectors(void **state)
{
    struct tfl_tx tx1, tx2;
    TFL_BUF bytes = {0};
    struct tfl_hash h;
    (void)state;
    put_tx1(&tx1);
    put_tx2(&tx2);
    tfl_tx_bytes(&bytes, &tx1);
    assert_hex(bytes.data, bytes.len, V_TX1);
    h = tfl_tx_hash(&tx1);
    assert_hex(h.b, 32, V_TX1_HASH);
    h = tfl_tx_hash(&tx2);
    assert_hex(h.b, 32, V_TX2_HASH);
    h = tfl_tx_op_id(&tx1.ops[0]);
    assert_hex(h.b, 32, V_TRANSFER_OP_ID);
    h = tfl_tx_op_id(&tx1.ops[1]);
    assert_hex(h.b, 32, V_INSCRIBE_OP_ID);
    h = tfl_inscribe_id(&tx2.ops[0]);
    assert_hex(h.b, 32, V_INSCRIBE_ID);
    tfl_tx_done(&tx1);
    tfl_tx_done(&tx2);
}

static void test_merkle_roots_follow_the_vectors(void **state)
{
    const struct {
        uint32_t n;
        const char *root;
    } cases[] = {{1, V_MERKLE_1}, {2, V_MERKLE_2}, {3, V_MERKLE_3}, {5, V_MERKLE_5}, {8, V_MERKLE_8}};
    struct tfl_hash leaves[8];
    (void)state;
    for (int i = 0; i < 8; i++)
        leaves[i] = filled((uint8_t)(i + 1));
    for (size_t i = 0; i < TFL_LEN(cases); i++) {
        struct tfl_hash root = tfl_merkle_root(leaves, cases[i].n);
        assert_hex(root.b, 32, cases[i].root);
    }
    struct tfl_hash none = tfl_txs_root(NULL, 0);
    assert_true(tfl_hash_is_zero(&none));
}

static void test_block_bytes_and_id_follow_the_vectors(void **state)
{
    TFL_BLOCK b = {0};
    TFL_BUF bytes = {0};
    (void)state;
    put_block(&b);
    assert_hex(b.header.root.b, 32, V_BLOCK_ROOT);
    assert_hex(b.id.b, 32, V_BLOCK_ID);
    tfl_block_encode(&bytes, &b);
    assert_hex(bytes.data, bytes.len, V_BLOCK);
}

static void test_block_decodes_to_what_was_encoded(void **state)
{
    TFL_BLOCK b = {0}, again = {0};
    TFL_BUF bytes = {0}, second = {0};
    struct tfl_error err = {0};
    (void)state;
    put_block(&b);
    tfl_block_encode(&bytes, &b);
    assert_int_equal(tfl_block_decode(&again, bytes.data, bytes.len, &err), 0);
    assert_true(tfl_hash_eq(&again.id, &b.id));
    assert_int_equal(again.n_txs, 2);
    assert_true(again.txs[0].ops[0].transfer.outputs[1].value == UINT64_MAX);
    tfl_block_encode(&second, &again);
    assert_int_equal(second.len, bytes.len);
    assert_memory_equal(second.data, bytes.data, bytes.len);
}

/* A copy of exactly n bytes, so that a read past the end is seen by the sanitizer. */
static int decode_copy(const char *data, size_t n, struct tfl_error *err)
{
    TFL_BLOCK b = {0};
    TFL_FREE char *copy = tfl_alloc(n);
    memcpy(copy, data, n);
    int rc = tfl_block_decode(&b, copy, n, err);
    if (rc)
        assert_null(b.txs);
    return rc;
}

static void test_every_truncation_and_every_flipped_byte_of_the_body_is_refused(void **state)
{
    TFL_BLOCK b = {0};
    TFL_BUF bytes = {0};
    struct tfl_error err;
    (void)state;
    put_block(&b);
    tfl_block_encode(&bytes, &b);
    for (size_t n = 0; n < bytes.len; n++) {
        err = (struct tfl_error){0};
        assert_int_equal(decode_copy(bytes.data, n, &err), -1);
        assert_int_equal(err.code, TFL_E_INVALID);
    }
    /* proofs are not in the hash of a transaction (they sign it), so the flips end before those of the last one */
    const size_t body = 297 + 64, proofs1 = body + 2 + strlen(V_TX1) / 2;
    for (size_t i = body; i < proofs1; i++) {
        bytes.data[i] ^= 1;
        assert_int_equal(decode_copy(bytes.data, bytes.len, &err), -1);
        bytes.data[i] ^= 1;
    }
    assert_int_equal(decode_copy(bytes.data, bytes.len, &err), 0);
}

static void test_bytes_after_the_end_are_refused(void **state)
{
    TFL_BLOCK b = {0};
    TFL_BUF bytes = {0};
    struct tfl_error err = {0};
    (void)state;
    put_block(&b);
    tfl_block_encode(&bytes, &b);
    tfl_buf_add_le(&bytes, 0, 1);
    assert_int_equal(decode_copy(bytes.data, bytes.len, &err), -1);
    assert_non_null(strstr(err.msg, "1 bytes after the end"));
}

static void test_each_bad_layout_is_named(void **state)
{
    TFL_BLOCK b = {0};
    TFL_BUF bytes = {0}, big = {0};
    struct tfl_error err = {0};
    (void)state;
    tfl_block_encode(&bytes, &b); /* an empty block: 297 + 64 + 2 bytes, root zeros */
    assert_int_equal(decode_copy(bytes.data, bytes.len, &err), 0);
    bytes.data[0] = 2;
    assert_int_equal(decode_copy(bytes.data, bytes.len, &err), -1);
    assert_non_null(strstr(err.msg, "version 2"));
    bytes.data[0] = 1;
    bytes.data[297 + 64] = 1, bytes.data[297 + 65] = 4; /* 1025 */
    assert_int_equal(decode_copy(bytes.data, bytes.len, &err), -1);
    assert_non_null(strstr(err.msg, "1025 transactions"));
    bytes.data[297 + 65] = 0;
    tfl_buf_add(
        &bytes, "\x01\x20", 2); /* one operation, with an opcode of the real node that this one has not */
    for (int i = 0; i < 80; i++)
        tfl_buf_add_le(&bytes, 0, 1);
    assert_int_equal(decode_copy(bytes.data, bytes.len, &err), -1);
    assert_non_null(strstr(err.msg, "opcode 32"));
    bytes.data[297 + 64 + 3] = 0; /* an empty transfer: the layout is good, the root is not */
    bytes.len = 297 + 64 + 2 + 1 + 3 + 64;
    assert_int_equal(decode_copy(bytes.data, bytes.len, &err), -1);
    assert_non_null(strstr(err.msg, "block_root"));
    tfl_buf_reserve(&big, TFL_BLOCK_MAX + 1);
    memset(big.data, 0, TFL_BLOCK_MAX + 1);
    assert_int_equal(decode_copy(big.data, TFL_BLOCK_MAX + 1, &err), -1);
    assert_int_equal(err.code, TFL_E_TOO_LARGE);
}

static struct tfl_genesis vector_genesis(struct tfl_stake stakes[2])
{
    struct tfl_keypair k = vector_key();
    struct tfl_genesis g = {
        .chain_id = "tfl-1", .genesis_time_unix_ms = 1787300000123, .stakes = stakes, .n_stakes = 2};
    memcpy(stakes[0].pub, k.pub, sizeof k.pub);
    stakes[0].stake = 100000;
    memset(stakes[1].pub, 8, sizeof stakes[1].pub);
    stakes[1].stake = 1;
    memset(g.nonce, 9, sizeof g.nonce);
    return g;
}

static void test_genesis_follows_the_vectors(void **state)
{
    struct tfl_stake stakes[2];
    struct tfl_genesis g = vector_genesis(stakes);
    TFL_BLOCK b = {0}, again = {0};
    TFL_BUF bytes = {0};
    struct tfl_error err = {0};
    (void)state;
    assert_int_equal(tfl_genesis_check(&g, &err), 0);
    tfl_genesis_block(&b, &g);
    assert_hex(b.txs[0].ops[0].inscribe.data, b.txs[0].ops[0].inscribe.len, V_GENESIS_TEXT);
    assert_hex(b.header.root.b, 32, V_GENESIS_ROOT);
    assert_hex(b.header.entropy.b, 32, V_GENESIS_ENTROPY);
    assert_hex(b.id.b, 32, V_GENESIS_ID);
    tfl_block_encode(&bytes, &b);
    assert_int_equal(tfl_block_decode(&again, bytes.data, bytes.len, &err), 0);
    assert_true(tfl_hash_eq(&again.id, &b.id));
}

static void test_genesis_id_is_bound_to_every_parameter(void **state)
{
    struct tfl_stake stakes[2];
    struct tfl_hash ids[6];
    (void)state;
    for (int i = 0; i < 6; i++) {
        struct tfl_genesis g = vector_genesis(stakes);
        TFL_BLOCK b = {0};
        g.chain_id = i == 1 ? "tfl-2" : g.chain_id;
        g.genesis_time_unix_ms += i == 2;
        g.nonce[31] ^= i == 3;
        stakes[1].stake += i == 4;
        stakes[1].pub[0] ^= i == 5;
        tfl_genesis_block(&b, &g);
        ids[i] = b.id;
        for (int j = 0; j < i; j++)
            assert_false(tfl_hash_eq(&ids[i], &ids[j]));
    }
}

static void test_genesis_out_of_bounds_is_refused(void **state)
{
    struct tfl_stake stakes[2];
    struct tfl_genesis g = vector_genesis(stakes);
    char id[TFL_CHAIN_ID_MAX + 2];
    struct tfl_error err = {0};
    (void)state;
    memset(id, 'x', sizeof id - 1);
    id[sizeof id - 1] = '\0';
    g.chain_id = id;
    assert_int_equal(tfl_genesis_check(&g, &err), -1);
    g.chain_id = "";
    assert_int_equal(tfl_genesis_check(&g, &err), -1);
    g.chain_id = id + 1;
    assert_int_equal(tfl_genesis_check(&g, &err), 0);
    g.n_stakes = 0;
    assert_int_equal(tfl_genesis_check(&g, &err), -1);
    g.n_stakes = 2;
    stakes[0].stake = stakes[1].stake = 0;
    assert_int_equal(tfl_genesis_check(&g, &err), -1);
    stakes[0].stake = INT64_MAX;
    assert_int_equal(tfl_genesis_check(&g, &err), 0);
    stakes[1].stake = 1;
    assert_int_equal(tfl_genesis_check(&g, &err), -1);
    stakes[1] = stakes[0] = (struct tfl_stake){.stake = 5};
    assert_int_equal(tfl_genesis_check(&g, &err), -1);
    assert_non_null(strstr(err.msg, "twice"));
    assert_int_equal(err.code, TFL_E_BAD_CONFIG);
}

static const char *text_at(struct json_object *o, const char *pointer)
{
    struct json_object *found = NULL;
    assert_int_equal(json_pointer_get(o, pointer, &found), 0);
    return json_object_get_string(found);
}

static void test_json_has_the_shapes_of_the_contract(void **state)
{
    TFL_BLOCK b = {0};
    char proof[2 * TFL_PROOF_SIZE + 1];
    (void)state;
    put_block(&b);
    struct json_object *o = tfl_block_json(&b), *raw = tfl_block_raw_json(&b);
    assert_string_equal(text_at(o, "/header/id"), V_BLOCK_ID);
    assert_string_equal(text_at(o, "/header/slot"), "137");
    assert_string_equal(text_at(o, "/header/block_root"), V_BLOCK_ROOT);
    assert_int_equal(strspn(text_at(o, "/header/parent_block"), "07"), 64);
    assert_string_equal(text_at(o, "/header/proof_of_leadership/proof"), V_PROOF_137);
    assert_string_equal(text_at(o, "/header/proof_of_leadership/leader_key"), V_PUB);
    assert_int_equal(strspn(text_at(o, "/header/proof_of_leadership/voucher_cm"), "0"), 64);
    assert_int_equal(strspn(text_at(o, "/header/proof_of_leadership/entropy_contribution"), "0"), 64);
    assert_string_equal(text_at(o, "/transactions/0/mantle_tx/hash"), V_TX1_HASH);
    assert_string_equal(text_at(o, "/transactions/0/mantle_tx/ops/0/opcode"), "0");
    assert_string_equal(
        text_at(o, "/transactions/0/mantle_tx/ops/0/payload/outputs/1/value"), "18446744073709551615");
    assert_string_equal(text_at(o, "/transactions/0/mantle_tx/ops/1/opcode"), "17");
    assert_string_equal(text_at(o, "/transactions/0/mantle_tx/ops/1/payload/inscription"), "68656c6c6f");
    assert_string_equal(text_at(o, "/transactions/1/mantle_tx/ops/0/payload/signer"), V_PUB);
    assert_int_equal(strlen(text_at(o, "/transactions/1/ops_proofs/0/Ed25519Sig")), 128);
    assert_false(json_object_object_get_ex(o, "signature", NULL));
    assert_false(json_object_object_get_ex(json_object_object_get(raw, "header"), "id", NULL));
    assert_string_equal(text_at(raw, "/header/version"), "Bedrock");
    assert_string_equal(text_at(raw, "/signature"), tfl_hex(proof, b.sig, sizeof b.sig));
    json_object_put(o);
    json_object_put(raw);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transaction_hashes_follow_the_vectors),
        cmocka_unit_test(test_merkle_roots_follow_the_vectors),
        cmocka_unit_test(test_block_bytes_and_id_follow_the_vectors),
        cmocka_unit_test(test_block_decodes_to_what_was_encoded),
        cmocka_unit_test(test_every_truncation_and_every_flipped_byte_of_the_body_is_refused),
        cmocka_unit_test(test_bytes_after_the_end_are_refused),
        cmocka_unit_test(test_each_bad_layout_is_named),
        cmocka_unit_test(test_genesis_follows_the_vectors),
        cmocka_unit_test(test_genesis_id_is_bound_to_every_parameter),
        cmocka_unit_test(test_genesis_out_of_bounds_is_refused),
        cmocka_unit_test(test_json_has_the_shapes_of_the_contract),
    };
    tfl_chain_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
