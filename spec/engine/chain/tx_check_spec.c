#include "ledger_world.h"

static void collect(void *ctx, const struct tfl_note *note)
{
    char **next = ctx, hex[TFL_HASH_HEX];
    strcat(*next, tfl_hash_hex(hex, &note->id));
    strcat(*next, " ");
}

static void test_note_ids_follow_the_vectors(void **state)
{
    struct tfl_tx tx;
    char text[4 * TFL_HASH_HEX] = "", *to = text;
    (void)state;
    put_tx3(&tx);
    struct tfl_hash op = tfl_tx_op_id(&tx.ops[0]), hash = tfl_tx_hash(&tx);
    assert_hex(op.b, 32, V_TX3_OP_ID);
    assert_hex(hash.b, 32, V_TX3_HASH);
    tfl_tx_each_note(&tx, collect, &to);
    char want[sizeof text];
    snprintf(want, sizeof want, "%s %s %s ", V_TX3_NOTE_PAID, V_TX3_NOTE_CHANGE, V_TX3_NOTE_2);
    assert_string_equal(text, want);
    tfl_tx_done(&tx);
}

static void test_genesis_notes_follow_the_vectors(void **state)
{
    TFL_BLOCK b = {0};
    const struct {
        size_t op, output;
        const char *id;
    } cases[] = {
        {0, 0, V_NOTE_0}, {0, 3, V_NOTE_3}, {0, 254, V_NOTE_254}, {1, 0, V_NOTE_255}, {1, 44, V_NOTE_299}};
    (void)state;
    put_notes_genesis(&b);
    assert_int_equal(b.txs[0].n_ops, 3);
    assert_hex(b.header.root.b, 32, V_NOTES_ROOT);
    assert_hex(b.id.b, 32, V_NOTES_GENESIS_ID);
    for (size_t i = 0; i < TFL_LEN(cases); i++) {
        struct tfl_hash id = note_of(&b.txs[0], cases[i].op, cases[i].output);
        assert_hex(id.b, 32, cases[i].id);
    }
}

/* As many equal notes as there may be: no two ids are the same, and the block is within bounds. */
static void test_equal_genesis_notes_are_all_distinct(void **state)
{
    struct tfl_stake stake = {.stake = 1};
    struct tfl_output *notes = tfl_alloc((TFL_NOTES_MAX + 1) * sizeof *notes);
    struct tfl_genesis g = {
        .chain_id = "x", .stakes = &stake, .n_stakes = 1, .notes = notes, .n_notes = TFL_NOTES_MAX};
    TFL_BLOCK b = {0}, again = {0};
    TFL_BUF bytes = {0};
    struct tfl_error err = {0};
    (void)state;
    for (size_t i = 0; i <= TFL_NOTES_MAX; i++)
        notes[i].value = 5;
    assert_int_equal(tfl_genesis_check(&g, &err), 0);
    tfl_genesis_block(&b, &g);
    struct tfl_tx_ledger *l = tfl_tx_ledger_new(&b, &err);
    assert_non_null(l);
    assert_int_equal(tfl_tx_ledger_info(l).n_notes, TFL_NOTES_MAX);
    assert_int_equal(tfl_tx_ledger_info(l).value, 5 * TFL_NOTES_MAX);
    tfl_block_encode(&bytes, &b);
    assert_int_equal(tfl_block_decode(&again, bytes.data, bytes.len, &err), 0);
    g.n_notes++;
    assert_int_equal(tfl_genesis_check(&g, &err), -1);
    assert_non_null(strstr(err.msg, "16385"));
    tfl_tx_ledger_free(l);
    free(notes);
}

static void test_genesis_notes_out_of_bounds_are_refused(void **state)
{
    struct tfl_stake stake = {.stake = 1};
    struct tfl_output notes[2] = {{.value = UINT64_MAX - 1}, {.value = 1}};
    struct tfl_genesis g = {.chain_id = "x", .stakes = &stake, .n_stakes = 1, .notes = notes, .n_notes = 2};
    struct tfl_error err = {0};
    (void)state;
    assert_int_equal(tfl_genesis_check(&g, &err), 0);
    notes[1].value = 2;
    assert_int_equal(tfl_genesis_check(&g, &err), -1);
    assert_int_equal(err.code, TFL_E_BAD_CONFIG);
    notes[1].value = 0;
    assert_int_equal(tfl_genesis_check(&g, &err), -1);
    assert_non_null(strstr(err.msg, "note 1"));
}

static void test_a_good_transaction_is_proven_once(void **state)
{
    struct tfl_tx_ledger *l = notes_ledger();
    struct tfl_verdict v;
    struct tfl_error err = {0};
    struct tfl_tx tx;
    (void)state;
    put_tx3(&tx);
    assert_int_equal(tfl_tx_check(&v, &tx, &err), TFL_TX_OK);
    assert_true(v.checked);
    assert_false(v.proven);
    assert_hex(v.hash.b, 32, V_TX3_HASH);
    assert_int_equal(v.size, sizeof V_TX3 / 2);
    assert_int_equal(tfl_tx_prove(&v, &tx, tfl_tx_ledger_lookup, l, &err), TFL_TX_OK);
    assert_true(v.proven);
    assert_hex(tx.ops[0].proof, 64, V_TX3_SIG);
    /* what is proven is not looked at again: a spoilt proof goes unseen from here on */
    tx.ops[0].proof[0] ^= 1;
    assert_int_equal(tfl_tx_prove(&v, &tx, tfl_tx_ledger_lookup, l, &err), TFL_TX_OK);
    assert_int_equal(tfl_tx_ledger_apply_tx(l, &tx, &v, NULL, &err), TFL_TX_OK);
    tfl_tx_done(&tx);
    tfl_tx_ledger_free(l);
}

static void test_an_inscription_alone_needs_no_ledger(void **state)
{
    struct tfl_keypair k = vector_key();
    struct tfl_verdict v;
    struct tfl_error err = {0};
    struct tfl_tx tx;
    (void)state;
    put_tx2(&tx);
    assert_int_equal(tfl_tx_check(&v, &tx, &err), TFL_TX_BAD_SIGNATURE);
    assert_false(v.checked);
    assert_int_equal(err.code, TFL_E_INVALID);
    sign_all(&tx, &k);
    assert_int_equal(tfl_tx_check(&v, &tx, &err), TFL_TX_OK);
    assert_true(v.proven);
    tfl_tx_done(&tx);
}

/* Every flipped bit of a signature, and a signature over another transaction. */
static void test_bad_signatures_are_refused(void **state)
{
    struct tfl_tx_ledger *l = notes_ledger();
    struct tfl_verdict v;
    struct tfl_tx tx, other;
    (void)state;
    put_tx3(&tx);
    for (size_t i = 0; i < 64; i++) {
        for (size_t op = 0; op < 3; op++) {
            tx.ops[op].proof[i] ^= (uint8_t)(1 << i % 8);
            enum tfl_tx_fault fault = tfl_tx_check(&v, &tx, NULL);
            assert_int_equal(fault, op == 1 ? TFL_TX_BAD_SIGNATURE : TFL_TX_OK);
            if (op != 1)
                assert_int_equal(tfl_tx_prove(&v, &tx, tfl_tx_ledger_lookup, l, NULL), TFL_TX_BAD_SIGNATURE);
            assert_false(v.proven);
            assert_int_equal(tfl_tx_ledger_apply_tx(l, &tx, NULL, NULL, NULL), TFL_TX_BAD_SIGNATURE);
            tx.ops[op].proof[i] ^= (uint8_t)(1 << i % 8);
        }
    }
    struct tfl_hash input = unhexed(V_NOTE_0);
    struct tfl_keypair thief;
    uint8_t seed[32] = {7};
    tfl_keypair_from_seed(&thief, seed);
    put_pay(&other, &input, 1000, thief.pub);
    memcpy(other.ops[0].proof, tx.ops[0].proof, 64);
    assert_int_equal(tfl_tx_ledger_apply_tx(l, &other, NULL, NULL, NULL), TFL_TX_BAD_SIGNATURE);
    sign_all(&other, &thief);
    assert_int_equal(tfl_tx_ledger_apply_tx(l, &other, NULL, NULL, NULL), TFL_TX_BAD_SIGNATURE);
    assert_int_equal(tfl_tx_ledger_apply_tx(l, &tx, NULL, NULL, NULL), TFL_TX_OK);
    tfl_tx_done(&tx);
    tfl_tx_done(&other);
    tfl_tx_ledger_free(l);
}

static void refuse(struct tfl_tx *tx, enum tfl_tx_fault want, const char *say)
{
    struct tfl_tx_ledger *l = notes_ledger();
    struct tfl_keypair k = vector_key();
    struct tfl_error err = {0};
    uint64_t before = fold(l);
    if (tx->n_ops)
        sign_all(tx, &k);
    assert_int_equal(tfl_tx_ledger_apply_tx(l, tx, NULL, NULL, &err), want);
    assert_int_equal(err.code, TFL_E_INVALID);
    if (!strstr(err.msg, say))
        fail_msg("\"%s\" does not say \"%s\"", err.msg, say);
    assert_true(fold(l) == before);
    tfl_tx_ledger_free(l);
}

static void test_each_bad_shape_is_named(void **state)
{
    struct tfl_hash in = unhexed(V_NOTE_0), in3 = unhexed(V_NOTE_3);
    struct tfl_keypair k = vector_key();
    struct tfl_tx tx = {0};
    (void)state;
    refuse(&tx, TFL_TX_MALFORMED, "without operations");
    put_pay(&tx, &in, 1000, k.pub);
    tx.ops[0].transfer.n_inputs = 0;
    refuse(&tx, TFL_TX_MALFORMED, "without inputs");
    tx.ops[0].transfer.n_inputs = 1;
    tx.ops[0].transfer.n_outputs = 0;
    refuse(&tx, TFL_TX_MALFORMED, "without outputs");
    tx.ops[0].transfer.n_outputs = 1;
    tx.ops[0].transfer.outputs[0].value = 0;
    refuse(&tx, TFL_TX_MALFORMED, "value of 0");
    tx.ops[0].transfer.outputs[0].value = 1001;
    refuse(&tx, TFL_TX_NOT_CONSERVED, "takes 1000 and gives 1001");
    tx.ops[0].transfer.outputs[0].value = 999;
    refuse(&tx, TFL_TX_NOT_CONSERVED, "takes 1000 and gives 999");
    tx.ops[0].transfer.outputs[0].value = 1000;
    add_transfer(&tx, &in, 1000, k.pub);
    refuse(&tx, TFL_TX_MALFORMED, "is there twice");
    tx.ops[1].transfer.inputs[0] = in3; /* conserved in the sum of both, but not in each */
    tx.ops[0].transfer.outputs[0].value = 1001;
    tx.ops[1].transfer.outputs[0].value = 1002;
    refuse(&tx, TFL_TX_NOT_CONSERVED, "operation 0");
    tfl_tx_done(&tx);
}

static void test_overflow_mixed_owners_and_size_are_named(void **state)
{
    struct tfl_hash in = unhexed(V_NOTE_0);
    struct tfl_keypair k = vector_key();
    struct tfl_tx tx;
    TFL_BLOCK genesis = {0};
    (void)state;
    put_pay(&tx, &in, 1001, k.pub);
    struct tfl_transfer *t = &tx.ops[0].transfer;
    t->outputs = tfl_realloc(t->outputs, 2 * sizeof *t->outputs);
    t->outputs[1] = t->outputs[0];
    t->n_outputs = 2; /* 1001 + 2^64 - 1 is 1000 in 64 bits */
    t->outputs[1].value = UINT64_MAX;
    refuse(&tx, TFL_TX_MALFORMED, "does not fit 64 bits");

    put_notes_genesis(&genesis);
    t->n_outputs = 1;
    t->outputs[0].value = 2001;
    t->inputs = tfl_realloc(t->inputs, 2 * sizeof *t->inputs);
    t->inputs[1] = note_of(&genesis.txs[0], 0, 1); /* of 08…08 */
    t->n_inputs = 2;
    refuse(&tx, TFL_TX_BAD_OWNER, "several keys");
    tfl_tx_done(&tx);

    put_tx2(&tx);
    free(tx.ops[0].inscribe.data);
    tx.ops[0].inscribe.data = tfl_alloc(TFL_TX_MAX);
    tx.ops[0].inscribe.len = TFL_TX_MAX - 165; /* and the 166 bytes around it */
    refuse(&tx, TFL_TX_MALFORMED, "at most");
    tx.ops[0].inscribe.len--;
    sign_all(&tx, &k);
    struct tfl_verdict v;
    assert_int_equal(tfl_tx_check(&v, &tx, NULL), TFL_TX_OK);
    assert_int_equal(v.size, TFL_TX_MAX);
    tfl_tx_done(&tx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_note_ids_follow_the_vectors),
        cmocka_unit_test(test_genesis_notes_follow_the_vectors),
        cmocka_unit_test(test_equal_genesis_notes_are_all_distinct),
        cmocka_unit_test(test_genesis_notes_out_of_bounds_are_refused),
        cmocka_unit_test(test_a_good_transaction_is_proven_once),
        cmocka_unit_test(test_an_inscription_alone_needs_no_ledger),
        cmocka_unit_test(test_bad_signatures_are_refused),
        cmocka_unit_test(test_each_bad_shape_is_named),
        cmocka_unit_test(test_overflow_mixed_owners_and_size_are_named),
    };
    tfl_chain_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
