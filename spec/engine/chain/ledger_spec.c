#include "ledger_world.h"

#include "base/rng.h"
#include "chain/table.h"

/* The table against a plain list, with keys that crowd one home. */
static void test_table_finds_what_was_put_and_not_removed(void **state)
{
    struct cell {
        uint64_t key, value;
    } c;
    enum { N = 400 };
    struct tfl_table t;
    struct tfl_rng rng;
    uint64_t value[N] = {0};
    (void)state;
    tfl_table_init(&t, sizeof c, 8);
    tfl_rng_init(&rng, 5, "table");
    for (int i = 0; i < 40000; i++) {
        uint64_t k = tfl_rng_below(&rng, N);
        c = (struct cell){(k / 8 + 1) | (k % 8) << 40, 1 + (uint64_t)i};
        struct cell *found = tfl_table_get(&t, &c.key);
        assert_true((found ? found->value : 0) == value[k]);
        if (found)
            assert_true(tfl_table_remove(&t, &c.key));
        else
            tfl_table_put(&t, &c);
        value[k] = found ? 0 : c.value;
    }
    size_t at = 0, n = 0;
    while (tfl_table_next(&t, &at))
        n++;
    assert_int_equal(n, t.n);
    for (uint64_t k = 0; k < N; k++)
        n -= value[k] != 0;
    assert_int_equal(n, 0);
    c.key = 99999;
    assert_false(tfl_table_remove(&t, &c.key));
    tfl_table_done(&t);
}

static void test_genesis_gives_the_first_notes(void **state)
{
    struct tfl_tx_ledger *l = notes_ledger();
    struct tfl_hash id = unhexed(V_NOTE_255);
    struct tfl_note note;
    uint64_t sum = 300 * 1000 + 299 * 300 / 2;
    (void)state;
    assert_true(tfl_tx_ledger_note(l, &id, &note));
    assert_int_equal(note.value, 1255);
    struct tfl_tx_ledger_info info = tfl_tx_ledger_info(l);
    assert_int_equal(info.value, sum);
    assert_int_equal(info.genesis_value, sum);
    assert_int_equal(info.n_notes, 300);
    id.b[3] ^= 1;
    assert_false(tfl_tx_ledger_note(l, &id, &note));
    assert_false(tfl_tx_ledger_spent(l, &id));
    tfl_tx_ledger_free(l);
}

static void test_what_is_no_genesis_block_is_refused(void **state)
{
    TFL_BLOCK b = {0};
    struct tfl_error err = {0};
    (void)state;
    put_notes_genesis(&b);
    struct tfl_transfer *t = &b.txs[0].ops[0].transfer;
    b.header.parent = filled(1);
    assert_null(tfl_tx_ledger_new(&b, &err));
    b.header.parent = filled(0);
    uint64_t value = t->outputs[7].value;
    t->outputs[7].value = 0;
    assert_null(tfl_tx_ledger_new(&b, &err));
    t->outputs[7].value = UINT64_MAX;
    assert_null(tfl_tx_ledger_new(&b, &err));
    t->outputs[7].value = value;
    t->inputs = tfl_realloc(t->inputs, sizeof *t->inputs);
    t->inputs[0] = filled(1);
    t->n_inputs = 1;
    assert_null(tfl_tx_ledger_new(&b, &err));
    assert_int_equal(err.code, TFL_E_INVALID);
    t->n_inputs = 0;
    /* two equal transfers would make the same notes twice */
    struct tfl_transfer *second = &b.txs[0].ops[1].transfer;
    struct tfl_transfer kept = *second;
    *second = *t;
    assert_null(tfl_tx_ledger_new(&b, &err));
    *second = kept;
    struct tfl_tx_ledger *l = tfl_tx_ledger_new(&b, &err);
    assert_non_null(l);
    tfl_tx_ledger_free(l);
}

static void test_a_transaction_spends_and_makes_and_is_undone(void **state)
{
    struct tfl_tx_ledger *l = notes_ledger();
    struct tfl_undo undo = {0};
    struct tfl_error err = {0};
    struct tfl_tx tx;
    uint64_t before = fold(l);
    struct tfl_hash spent = unhexed(V_NOTE_3), paid = unhexed(V_TX3_NOTE_PAID),
                    change = unhexed(V_TX3_NOTE_CHANGE);
    struct tfl_note note;
    (void)state;
    put_tx3(&tx);
    assert_int_equal(tfl_tx_ledger_apply_tx(l, &tx, NULL, &undo, &err), TFL_TX_OK);
    assert_false(tfl_tx_ledger_note(l, &spent, NULL));
    assert_true(tfl_tx_ledger_spent(l, &spent));
    assert_true(tfl_tx_ledger_note(l, &paid, &note));
    assert_int_equal(note.value, 1);
    assert_true(tfl_tx_ledger_note(l, &change, &note));
    assert_int_equal(note.value, 2002);
    struct tfl_tx_ledger_info info = tfl_tx_ledger_info(l);
    assert_int_equal(info.value, info.genesis_value);
    assert_int_equal(info.n_notes, 300);
    assert_int_equal(info.n_channels, 1);
    assert_int_equal(tfl_tx_ledger_apply_tx(l, &tx, NULL, &undo, &err), TFL_TX_SPENT_INPUT);
    assert_non_null(strstr(err.msg, "is spent"));
    tfl_tx_ledger_undo(l, &undo);
    assert_true(fold(l) == before);
    assert_false(tfl_tx_ledger_spent(l, &spent));
    assert_int_equal(tfl_tx_ledger_apply_tx(l, &tx, NULL, NULL, &err), TFL_TX_OK);
    tfl_undo_done(&undo);
    tfl_tx_done(&tx);
    tfl_tx_ledger_free(l);
}

/* A chain of payments inside one block; the same out of order; a note made by the transaction itself. */
static void test_inputs_are_there_before_their_transaction(void **state)
{
    struct tfl_tx_ledger *l = notes_ledger();
    struct tfl_keypair k = vector_key();
    struct tfl_hash in = unhexed(V_NOTE_0);
    struct tfl_tx txs[3], own = {0};
    struct tfl_block b = {.txs = txs, .n_txs = 3};
    struct tfl_undo undo = {0};
    struct tfl_error err = {0};
    uint64_t before = fold(l);
    (void)state;
    for (int i = 0; i < 3; i++) {
        put_pay(&txs[i], &in, 1000, k.pub);
        in = note_of(&txs[i], 0, 0);
    }
    assert_int_equal(tfl_tx_ledger_apply(l, &b, NULL, &undo, &err), 0);
    assert_true(tfl_tx_ledger_note(l, &in, NULL));
    assert_int_equal(tfl_tx_ledger_info(l).n_notes, 300);
    tfl_tx_ledger_undo(l, &undo);
    assert_true(fold(l) == before);

    struct tfl_tx first = txs[1];
    txs[1] = txs[2];
    txs[2] = first;
    assert_int_equal(tfl_tx_ledger_apply(l, &b, NULL, &undo, &err), -1);
    assert_non_null(strstr(err.msg, "transaction 1 of 3"));
    assert_non_null(strstr(err.msg, "not there"));
    assert_true(fold(l) == before);
    assert_int_equal(undo.n, 0);

    in = unhexed(V_NOTE_0);
    add_transfer(&own, &in, 1000, k.pub);
    in = note_of(&own, 0, 0);
    add_transfer(&own, &in, 1000, k.pub);
    sign_all(&own, &k);
    assert_int_equal(tfl_tx_ledger_apply_tx(l, &own, NULL, NULL, NULL), TFL_TX_UNKNOWN_INPUT);
    assert_true(fold(l) == before);
    for (int i = 0; i < 3; i++)
        tfl_tx_done(&txs[i]);
    tfl_tx_done(&own);
    tfl_undo_done(&undo);
    tfl_tx_ledger_free(l);
}

static void put_said(struct tfl_tx *tx, const struct tfl_keypair *k, const struct tfl_hash *parent, char word)
{
    put_tx2(tx);
    tx->ops[0].inscribe.data[0] = (uint8_t)word;
    tx->ops[0].inscribe.parent = *parent;
    memcpy(tx->ops[0].inscribe.signer, k->pub, sizeof k->pub);
    sign_all(tx, k);
}

static void test_a_channel_goes_on_message_by_message(void **state)
{
    struct tfl_tx_ledger *l = notes_ledger();
    struct tfl_keypair k = vector_key(), other;
    struct tfl_hash zero = filled(0), id1, id2;
    struct tfl_tx a, b, c, stranger, again;
    struct tfl_undo undo = {0};
    uint8_t seed[32] = {1};
    (void)state;
    tfl_keypair_from_seed(&other, seed);
    put_said(&a, &k, &zero, 'a');
    id1 = tfl_inscribe_id(&a.ops[0]);
    put_said(&b, &k, &id1, 'b');
    id2 = tfl_inscribe_id(&b.ops[0]);
    put_said(&c, &k, &id2, 'c');
    put_said(&stranger, &other, &id1, 's');
    put_said(&again, &k, &id1, 'x');
    assert_int_equal(tfl_tx_ledger_apply_tx(l, &b, NULL, NULL, NULL), TFL_TX_UNKNOWN_INPUT);
    assert_int_equal(tfl_tx_ledger_apply_tx(l, &a, NULL, NULL, NULL), TFL_TX_OK);
    assert_int_equal(tfl_tx_ledger_apply_tx(l, &a, NULL, NULL, NULL), TFL_TX_SPENT_INPUT);
    assert_int_equal(tfl_tx_ledger_apply_tx(l, &stranger, NULL, NULL, NULL), TFL_TX_UNKNOWN_INPUT);
    uint64_t before = fold(l);
    assert_int_equal(tfl_tx_ledger_apply_tx(l, &b, NULL, &undo, NULL), TFL_TX_OK);
    assert_int_equal(tfl_tx_ledger_apply_tx(l, &c, NULL, &undo, NULL), TFL_TX_OK);
    assert_int_equal(tfl_tx_ledger_apply_tx(l, &again, NULL, NULL, NULL), TFL_TX_SPENT_INPUT);
    tfl_tx_ledger_undo(l, &undo);
    assert_true(fold(l) == before);
    assert_int_equal(tfl_tx_ledger_apply_tx(l, &c, NULL, NULL, NULL), TFL_TX_UNKNOWN_INPUT);
    assert_int_equal(tfl_tx_ledger_apply_tx(l, &again, NULL, NULL, NULL), TFL_TX_OK);
    assert_int_equal(tfl_tx_ledger_apply_tx(l, &b, NULL, NULL, NULL), TFL_TX_SPENT_INPUT);
    struct tfl_tx *const all[] = {&a, &b, &c, &stranger, &again};
    for (size_t i = 0; i < TFL_LEN(all); i++)
        tfl_tx_done(all[i]);
    tfl_undo_done(&undo);
    tfl_tx_ledger_free(l);
}

/* A transaction that fails in its last operation leaves nothing of the first. */
static void test_a_late_fault_leaves_nothing(void **state)
{
    struct tfl_tx_ledger *l = notes_ledger();
    struct tfl_keypair k = vector_key();
    struct tfl_hash zero = filled(0), in = unhexed(V_NOTE_0);
    struct tfl_tx opened, tx;
    struct tfl_undo undo = {0};
    (void)state;
    put_said(&opened, &k, &zero, 'o');
    assert_int_equal(tfl_tx_ledger_apply_tx(l, &opened, NULL, NULL, NULL), TFL_TX_OK);
    uint64_t before = fold(l);
    put_pay(&tx, &in, 1000, k.pub);
    tx.ops = tfl_realloc(tx.ops, 2 * sizeof *tx.ops);
    tx.n_ops = 2;
    tx.ops[1] = (struct tfl_tx_op){.code = TFL_OP_TRANSFER};
    put_inscribe(&tx.ops[1], 0);
    sign_all(&tx, &k);
    assert_int_equal(tfl_tx_ledger_apply_tx(l, &tx, NULL, &undo, NULL), TFL_TX_SPENT_INPUT);
    assert_true(fold(l) == before);
    assert_false(tfl_tx_ledger_spent(l, &in));
    assert_int_equal(undo.n, 0);
    tfl_tx_done(&opened);
    tfl_tx_done(&tx);
    tfl_undo_done(&undo);
    tfl_tx_ledger_free(l);
}

static void test_a_trusted_replay_gives_the_same_ledger(void **state)
{
    struct tfl_tx_ledger *l = notes_ledger(), *trusted = notes_ledger();
    struct tfl_tx tx;
    struct tfl_block b = {.txs = &tx, .n_txs = 1};
    struct tfl_verdict v = {0};
    struct tfl_error err = {0};
    (void)state;
    put_tx3(&tx);
    assert_int_equal(tfl_tx_ledger_apply(l, &b, &v, NULL, &err), 0);
    assert_true(v.checked && v.proven);
    memset(tx.ops[0].proof, 0, 64); /* not looked at */
    assert_int_equal(tfl_tx_ledger_apply_trusted(trusted, &b, NULL, &err), 0);
    assert_true(fold(l) == fold(trusted));
    assert_int_equal(tfl_tx_ledger_apply_trusted(trusted, &b, NULL, &err), -1);
    tfl_tx_done(&tx);
    tfl_tx_ledger_free(l);
    tfl_tx_ledger_free(trusted);
}

static void count_value(void *ctx, const struct tfl_note *note)
{
    *(uint64_t *)ctx += note->value;
}

static void test_notes_are_listed_by_owner(void **state)
{
    struct tfl_tx_ledger *l = notes_ledger();
    struct tfl_keypair k = vector_key();
    struct tfl_hash other = filled(8);
    uint64_t mine = 0, theirs = 0;
    (void)state;
    tfl_tx_ledger_each(l, k.pub, count_value, &mine);
    tfl_tx_ledger_each(l, other.b, count_value, &theirs);
    assert_int_equal(mine, 100 * 1000 + 3 * 99 * 100 / 2);
    assert_int_equal(mine + theirs, tfl_tx_ledger_info(l).value);
    tfl_tx_ledger_free(l);
}

/* Random payments in random blocks, some undone: the sum stays, and undoing all gives the first ledger. */
static void test_random_blocks_conserve_and_undo(void **state)
{
    enum { BLOCKS = 60, LIVE = 40 };
    struct tfl_tx_ledger *l = notes_ledger();
    struct tfl_keypair k = vector_key();
    struct tfl_undo undos[BLOCKS] = {{0}};
    struct tfl_hash live[LIVE];
    uint64_t value[LIVE], folds[BLOCKS + 1];
    struct tfl_rng rng;
    TFL_BLOCK genesis = {0};
    (void)state;
    tfl_rng_init(&rng, 3, "blocks");
    put_notes_genesis(&genesis);
    for (size_t i = 0; i < LIVE; i++) {
        live[i] = note_of(&genesis.txs[0], 0, 3 * i);
        value[i] = 1000 + 3 * i;
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        folds[i] = fold(l);
        for (size_t n = tfl_rng_below(&rng, 8); n > 0; n--) {
            struct tfl_tx tx;
            size_t pick = tfl_rng_below(&rng, LIVE);
            put_pay(&tx, &live[pick], value[pick], k.pub);
            struct tfl_verdict v;
            assert_int_equal(tfl_tx_check(&v, &tx, NULL), TFL_TX_OK);
            assert_int_equal(tfl_tx_ledger_apply_tx(l, &tx, &v, &undos[i], NULL), TFL_TX_OK);
            live[pick] = note_of(&tx, 0, 0);
            tfl_tx_done(&tx);
        }
        assert_true(tfl_tx_ledger_info(l).value == tfl_tx_ledger_info(l).genesis_value);
    }
    for (size_t i = BLOCKS; i-- > 0;) {
        tfl_tx_ledger_undo(l, &undos[i]);
        assert_true(fold(l) == folds[i]);
        tfl_undo_done(&undos[i]);
    }
    tfl_tx_ledger_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_finds_what_was_put_and_not_removed),
        cmocka_unit_test(test_genesis_gives_the_first_notes),
        cmocka_unit_test(test_what_is_no_genesis_block_is_refused),
        cmocka_unit_test(test_a_transaction_spends_and_makes_and_is_undone),
        cmocka_unit_test(test_inputs_are_there_before_their_transaction),
        cmocka_unit_test(test_a_channel_goes_on_message_by_message),
        cmocka_unit_test(test_a_late_fault_leaves_nothing),
        cmocka_unit_test(test_a_trusted_replay_gives_the_same_ledger),
        cmocka_unit_test(test_notes_are_listed_by_owner),
        cmocka_unit_test(test_random_blocks_conserve_and_undo),
    };
    tfl_chain_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
