#include "chain/replay.h"

#include "ledger_world.h"

/* Puts a block with the given transactions (moved) on the replay's tip and judges it. */
static void add_block(struct tfl_replay *r, struct tfl_tx *txs, uint32_t n)
{
    struct tfl_keypair k = vector_key();
    struct tfl_block b = {.header = {.parent = r->tip, .slot = r->slot + 2}, .n_txs = n};
    struct tfl_error err = {0};
    b.txs = tfl_alloc(n * sizeof *b.txs);
    if (n)
        memcpy(b.txs, txs, n * sizeof *txs);
    tfl_block_seal(&b, &k);
    assert_int_equal(tfl_replay_push(r, &b, &err), 0);
    assert_int_equal(b.n_txs, 0);
    while (tfl_replay_step(r, 1)) {
    }
}

static void begin(struct tfl_replay *r)
{
    TFL_BLOCK genesis = {0};
    struct tfl_error err = {0};
    put_notes_genesis(&genesis);
    tfl_replay_init(r);
    assert_int_equal(tfl_replay_push(r, &genesis, &err), 0);
    assert_false(tfl_replay_step(r, 10));
}

static void test_a_good_chain_has_no_findings(void **state)
{
    struct tfl_replay r;
    struct tfl_tx txs[2];
    struct tfl_keypair k = vector_key();
    (void)state;
    begin(&r);
    add_block(&r, NULL, 0);
    put_tx3(&txs[0]);
    struct tfl_hash change = note_of(&txs[0], 0, 1);
    put_pay(&txs[1], &change, 2002, k.pub);
    add_block(&r, txs, 2);
    assert_int_equal(r.n_findings, 0);
    assert_int_equal(r.height, 2);
    assert_int_equal(r.n_blocks, 3);
    assert_int_equal(r.n_txs, 2);
    assert_int_equal(r.n_transfers, 3);
    assert_int_equal(r.n_inscribes, 1);
    struct tfl_tx_ledger_info info = tfl_tx_ledger_info(r.ledger);
    assert_int_equal(info.value, info.genesis_value);
    tfl_replay_done(&r);
}

static void test_each_fault_is_found_where_it_is(void **state)
{
    struct tfl_replay r;
    struct tfl_keypair k = vector_key();
    struct tfl_hash in = unhexed(V_NOTE_0), in3 = unhexed(V_NOTE_3), in255 = unhexed(V_NOTE_255),
                    none = filled(3);
    const enum tfl_tx_fault want[] = {TFL_TX_SPENT_INPUT, TFL_TX_NOT_CONSERVED, TFL_TX_UNKNOWN_INPUT,
        TFL_TX_UNKNOWN_INPUT, TFL_TX_BAD_SIGNATURE, TFL_TX_MALFORMED};
    struct tfl_tx txs[7];
    uint8_t other[32] = {1};
    (void)state;
    begin(&r);
    put_pay(&txs[0], &in, 1000, k.pub);
    put_pay(&txs[1], &in, 1000, other); /* the same note again */
    put_pay(&txs[2], &in3, 5000, k.pub);
    struct tfl_hash made = note_of(&txs[2], 0, 0);
    put_pay(&txs[3], &made, 5000, k.pub); /* built on a bad one */
    put_pay(&txs[4], &none, 1, k.pub);
    put_pay(&txs[5], &in255, 1255, other);
    txs[5].ops[0].proof[3] ^= 1;
    put_pay(&txs[6], &in255, 1255, other);
    txs[6].ops[0].transfer.outputs[0].value = 0;
    struct tfl_hash twice = tfl_tx_hash(&txs[1]);
    add_block(&r, txs, 7);
    assert_int_equal(r.n_findings, TFL_LEN(want));
    for (size_t i = 0; i < TFL_LEN(want); i++) {
        assert_int_equal(r.findings[i].fault, want[i]);
        assert_int_equal(r.findings[i].height, 1);
        assert_int_equal(r.findings[i].slot, 2);
        assert_true(tfl_hash_eq(&r.findings[i].block, &r.tip));
    }
    assert_true(tfl_hash_eq(&r.findings[0].tx, &twice));
    assert_non_null(strstr(r.findings[1].message, "takes 1003 and gives 5000"));
    assert_int_equal(r.n_faults[TFL_TX_UNKNOWN_INPUT], 2);
    assert_int_equal(r.n_txs, 1);
    tfl_replay_done(&r);
}

static void test_findings_are_bounded_and_counted(void **state)
{
    struct tfl_replay r;
    struct tfl_hash none = filled(3);
    struct tfl_tx txs[TFL_FINDINGS_MAX + 5];
    (void)state;
    begin(&r);
    for (size_t i = 0; i < TFL_LEN(txs); i++)
        put_pay(&txs[i], &none, 1 + i, none.b);
    add_block(&r, txs, TFL_LEN(txs));
    assert_int_equal(r.n_findings, TFL_FINDINGS_MAX);
    assert_int_equal(r.n_faults[TFL_TX_UNKNOWN_INPUT], TFL_LEN(txs));
    tfl_replay_done(&r);
}

static void refuse(struct tfl_replay *r, struct tfl_header header, enum tfl_code code, const char *say)
{
    struct tfl_keypair k = vector_key();
    struct tfl_block b = {.header = header};
    struct tfl_error err = {0};
    tfl_block_seal(&b, &k);
    assert_int_equal(tfl_replay_push(r, &b, &err), -1);
    assert_int_equal(err.code, code);
    if (!strstr(err.msg, say))
        fail_msg("\"%s\" does not say \"%s\"", err.msg, say);
}

static void test_blocks_out_of_order_are_refused(void **state)
{
    struct tfl_replay r;
    struct tfl_tx tx;
    (void)state;
    tfl_replay_init(&r);
    refuse(&r, (struct tfl_header){.parent = filled(1), .slot = 1}, TFL_E_INVALID, "first block");
    tfl_replay_done(&r);
    begin(&r);
    add_block(&r, NULL, 0);
    refuse(&r, (struct tfl_header){.parent = filled(1), .slot = 9}, TFL_E_INVALID, "its parent is 0101");
    refuse(&r, (struct tfl_header){.parent = r.tip, .slot = 2}, TFL_E_INVALID, "its slot 2");
    put_tx3(&tx);
    struct tfl_keypair k = vector_key();
    struct tfl_block b = {.header = {.parent = r.tip, .slot = 9}, .n_txs = 1};
    struct tfl_error err = {0};
    b.txs = tfl_alloc(sizeof *b.txs);
    b.txs[0] = tx;
    tfl_block_seal(&b, &k);
    assert_int_equal(tfl_replay_push(&r, &b, &err), 0);
    refuse(&r, (struct tfl_header){.parent = r.tip, .slot = 11}, TFL_E_STATE, "not judged");
    assert_false(tfl_replay_step(&r, 1));
    add_block(&r, NULL, 0);
    assert_int_equal(r.n_txs, 1);
    tfl_replay_done(&r);
    tfl_replay_done(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_good_chain_has_no_findings),
        cmocka_unit_test(test_each_fault_is_found_where_it_is),
        cmocka_unit_test(test_findings_are_bounded_and_counted),
        cmocka_unit_test(test_blocks_out_of_order_are_refused),
    };
    tfl_chain_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
