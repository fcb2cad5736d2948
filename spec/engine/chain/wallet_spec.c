#include "chain/wallet.h"

#include "base/rng.h"
#include "ledger_world.h"

/* A wallet with n genesis notes of value each, and the ledger that has them. */
struct world {
    struct tfl_wallet w;
    struct tfl_tx_ledger *l;
    uint8_t to[32];
};

static void receive(void *ctx, const struct tfl_note *note)
{
    tfl_wallet_receive(ctx, note);
}

static void open_world(struct world *w, uint32_t n, uint64_t value)
{
    struct tfl_stake stake = {.stake = 1};
    struct tfl_output notes[64];
    struct tfl_genesis g = {.chain_id = "x", .stakes = &stake, .n_stakes = 1, .notes = notes, .n_notes = n};
    TFL_BLOCK b = {0};
    struct tfl_error err = {0};
    tfl_wallet_init(&w->w, 42, 3);
    memset(w->to, 9, sizeof w->to);
    for (uint32_t i = 0; i < n; i++) {
        notes[i].value = value;
        memcpy(notes[i].pk, w->w.key.pub, sizeof notes[i].pk);
    }
    tfl_genesis_block(&b, &g);
    w->l = tfl_tx_ledger_new(&b, &err);
    assert_non_null(w->l);
    tfl_tx_each_note(&b.txs[0], receive, &w->w);
    assert_int_equal(tfl_wallet_n_notes(&w->w), n);
}

static void close_world(struct world *w)
{
    tfl_wallet_done(&w->w);
    tfl_tx_ledger_free(w->l);
}

/* Sends amount, and includes it in the ledger unless want is NOT_INCLUDED. */
static struct tfl_hash send(struct world *w, uint64_t amount, enum tfl_tx_fault want)
{
    struct tfl_tx tx;
    struct tfl_hash hash, again;
    struct tfl_error err = {0};
    assert_int_equal(tfl_wallet_transfer(&w->w, w->to, amount, &tx, &hash, &err), 0);
    again = tfl_tx_hash(&tx);
    assert_true(tfl_hash_eq(&hash, &again));
    if ((int)want >= 0)
        assert_int_equal(tfl_tx_ledger_apply_tx(w->l, &tx, NULL, NULL, &err), want);
    tfl_tx_done(&tx);
    return hash;
}
#define NOT_INCLUDED ((enum tfl_tx_fault) - 1)

static void sync_one(void *ctx, const struct tfl_note *note)
{
    struct tfl_buf *b = ctx;
    tfl_buf_add(b, note, sizeof *note);
}

static void sync_with_ledger(struct world *w)
{
    TFL_BUF notes = {0};
    tfl_tx_ledger_each(w->l, w->w.key.pub, sync_one, &notes);
    tfl_wallet_sync(&w->w, (const struct tfl_note *)(void *)notes.data, notes.len / sizeof(struct tfl_note));
}

static void test_keys_follow_the_seed(void **state)
{
    struct tfl_wallet a, b;
    (void)state;
    tfl_wallet_init(&a, 42, 3);
    assert_hex(a.key.pub, 32, V_WALLET_42_3);
    tfl_wallet_init(&b, 42, 4);
    assert_memory_not_equal(a.key.pub, b.key.pub, 32);
    tfl_wallet_done(&a);
    tfl_wallet_done(&b);
    tfl_wallet_done(&b);
    tfl_wallet_done(NULL);
}

/* One note is enough for many transfers in a row, each on the change of the one before; the ledger takes them all. */
static void test_change_is_spent_before_it_is_on_the_chain(void **state)
{
    struct world w;
    struct tfl_error err = {0};
    struct tfl_tx tx;
    (void)state;
    open_world(&w, 1, 100);
    for (int i = 0; i < 10; i++)
        send(&w, 9, TFL_TX_OK);
    assert_int_equal(tfl_wallet_balance(&w.w), 10);
    assert_int_equal(tfl_wallet_n_pending(&w.w), 10);
    assert_int_equal(tfl_wallet_transfer(&w.w, w.to, 11, &tx, NULL, &err), -1);
    assert_int_equal(err.code, TFL_E_NOT_FOUND);
    assert_non_null(strstr(err.msg, "the wallet has 10"));
    assert_null(tx.ops);
    assert_int_equal(tfl_wallet_transfer(&w.w, w.to, 0, &tx, NULL, &err), -1);
    assert_int_equal(err.code, TFL_E_USAGE);
    send(&w, 10, TFL_TX_OK); /* no change */
    assert_int_equal(tfl_wallet_n_notes(&w.w), 0);
    assert_int_equal(tfl_tx_ledger_info(w.l).value, 100);
    close_world(&w);
}

static void test_several_notes_are_joined_and_used_in_turn(void **state)
{
    struct world w;
    struct tfl_tx tx;
    struct tfl_error err = {0};
    (void)state;
    open_world(&w, 4, 100);
    assert_int_equal(tfl_wallet_transfer(&w.w, w.to, 250, &tx, NULL, &err), 0);
    assert_int_equal(tx.ops[0].transfer.n_inputs, 3);
    assert_int_equal(tx.ops[0].transfer.outputs[1].value, 50);
    struct tfl_hash change = note_of(&tx, 0, 1);
    assert_int_equal(tfl_tx_ledger_apply_tx(w.l, &tx, NULL, NULL, NULL), TFL_TX_OK);
    tfl_tx_done(&tx);
    assert_int_equal(
        tfl_wallet_transfer(&w.w, w.to, 1, &tx, NULL, &err), 0); /* the fourth note, not the change */
    assert_false(tfl_hash_eq(&tx.ops[0].transfer.inputs[0], &change));
    assert_int_equal(tfl_tx_ledger_apply_tx(w.l, &tx, NULL, NULL, NULL), TFL_TX_OK);
    tfl_tx_done(&tx);
    assert_int_equal(tfl_wallet_transfer(&w.w, w.to, 1, &tx, NULL, &err), 0);
    assert_true(tfl_hash_eq(&tx.ops[0].transfer.inputs[0], &change));
    tfl_tx_done(&tx);
    close_world(&w);
}

static void test_a_transfer_to_itself_keeps_all(void **state)
{
    struct world w;
    (void)state;
    open_world(&w, 1, 100);
    memcpy(w.to, w.w.key.pub, sizeof w.to);
    send(&w, 30, TFL_TX_OK);
    assert_int_equal(tfl_wallet_balance(&w.w), 100);
    assert_int_equal(tfl_wallet_n_notes(&w.w), 2);
    send(&w, 95, TFL_TX_OK);
    assert_int_equal(tfl_wallet_balance(&w.w), 100);
    close_world(&w);
}

/* 300 notes of 1 and one of 1000: 400 needs the large one first. */
static void test_dust_does_not_block_a_large_note(void **state)
{
    struct tfl_wallet w;
    struct tfl_tx tx;
    struct tfl_error err = {0};
    uint8_t to[32] = {1};
    (void)state;
    tfl_wallet_init(&w, 1, 1);
    struct tfl_note note = {.value = 1};
    memcpy(note.pk, w.key.pub, sizeof note.pk);
    for (int i = 0; i < 301; i++) {
        note.id.b[0] = (uint8_t)i;
        note.id.b[1] = (uint8_t)(1 + i / 256);
        note.value = i == 300 ? 1000 : 1;
        tfl_wallet_receive(&w, &note);
        tfl_wallet_receive(&w, &note); /* doubles are ignored */
    }
    assert_int_equal(tfl_wallet_balance(&w), 1300);
    assert_int_equal(tfl_wallet_transfer(&w, to, 1255, &tx, NULL, &err), -1);
    assert_non_null(strstr(err.msg, "301 notes"));
    assert_int_equal(tfl_wallet_transfer(&w, to, 1254, &tx, NULL, &err), 0);
    assert_int_equal(tx.ops[0].transfer.n_inputs, 255);
    tfl_tx_done(&tx);
    note.pk[0] ^= 1;
    note.id.b[2] = 1;
    tfl_wallet_receive(&w, &note); /* another's */
    assert_int_equal(tfl_wallet_balance(&w), 46);
    tfl_wallet_done(&w);
}

static void count_hash(void *ctx, const struct tfl_hash *hash)
{
    (void)hash;
    ++*(int *)ctx;
}

/* Of transfers 0…5 on one note, 2 is lost: 3, 4 and 5 go with it, and what 2 spent can be spent. */
static void test_a_dropped_transfer_takes_along_what_was_built_on_it(void **state)
{
    struct world w;
    struct tfl_hash hashes[6];
    int dropped = 0;
    (void)state;
    open_world(&w, 1, 100);
    for (int i = 0; i < 6; i++)
        hashes[i] = send(&w, 10, i < 2 ? TFL_TX_OK : NOT_INCLUDED);
    assert_true(tfl_wallet_dropped(&w.w, &hashes[2], count_hash, &dropped));
    assert_int_equal(dropped, 4);
    assert_int_equal(tfl_wallet_balance(&w.w), 80);
    assert_int_equal(tfl_wallet_n_notes(&w.w), 1);
    assert_int_equal(tfl_wallet_n_pending(&w.w), 2);
    assert_false(tfl_wallet_dropped(&w.w, &hashes[3], NULL, NULL));
    send(&w, 80, TFL_TX_OK);
    close_world(&w);
}

/* With two notes, a loss in one chain leaves the other alone; a transfer that joined both brings back the good half. */
static void test_a_loss_touches_its_own_chain_only(void **state)
{
    struct world w;
    struct tfl_hash lost, good;
    int dropped = 0;
    (void)state;
    open_world(&w, 2, 100);
    lost = send(&w, 10, NOT_INCLUDED);
    good = send(&w, 20, TFL_TX_OK);
    send(&w, 150, NOT_INCLUDED); /* joins the changes of both */
    assert_int_equal(tfl_wallet_balance(&w.w), 20);
    assert_true(tfl_wallet_dropped(&w.w, &lost, count_hash, &dropped));
    assert_int_equal(dropped, 2);
    assert_int_equal(tfl_wallet_balance(&w.w), 180);
    tfl_wallet_settled(&w.w, &good);
    assert_int_equal(tfl_wallet_n_pending(&w.w), 0);
    send(&w, 180, TFL_TX_OK);
    close_world(&w);
}

/* Settled out of order, and one dropped whose parent is settled. */
static void test_settled_transfers_are_forgotten(void **state)
{
    struct world w;
    struct tfl_hash hashes[5];
    (void)state;
    open_world(&w, 1, 100);
    for (int i = 0; i < 5; i++)
        hashes[i] = send(&w, 10, i < 4 ? TFL_TX_OK : NOT_INCLUDED);
    tfl_wallet_settled(&w.w, &hashes[1]);
    tfl_wallet_settled(&w.w, &hashes[3]);
    tfl_wallet_settled(&w.w, &hashes[3]);
    assert_int_equal(tfl_wallet_n_pending(&w.w), 3);
    tfl_wallet_settled(&w.w, &hashes[0]);
    assert_true(tfl_wallet_dropped(&w.w, &hashes[4], NULL, NULL));
    assert_int_equal(tfl_wallet_balance(&w.w), 60);
    send(&w, 60, TFL_TX_OK);
    assert_int_equal(tfl_wallet_n_pending(&w.w), 2);
    close_world(&w);
}

/* The chain tells: 0 and 1 are included, 2 and 3 wait, 4 was lost before. */
static void test_sync_with_the_chain(void **state)
{
    struct world w;
    struct tfl_hash lost;
    (void)state;
    open_world(&w, 2, 100);
    send(&w, 10, TFL_TX_OK);
    send(&w, 10, TFL_TX_OK);
    struct tfl_hash waiting = send(&w, 20, NOT_INCLUDED);
    send(&w, 20, NOT_INCLUDED);
    lost = send(&w, 5, NOT_INCLUDED); /* on the change of `waiting` */
    assert_true(tfl_wallet_dropped(&w.w, &lost, NULL, NULL));
    sync_with_ledger(&w);
    assert_int_equal(tfl_wallet_balance(&w.w), 140);
    assert_int_equal(tfl_wallet_n_pending(&w.w), 2);
    assert_true(tfl_wallet_dropped(&w.w, &waiting, NULL, NULL));
    sync_with_ledger(&w);
    assert_int_equal(tfl_wallet_balance(&w.w), 160);
    assert_int_equal(tfl_wallet_n_pending(&w.w), 1);
    tfl_wallet_sync(&w.w, NULL, 0); /* the chain has nothing: nothing waits any more */
    assert_int_equal(tfl_wallet_balance(&w.w), 0);
    assert_int_equal(tfl_wallet_n_pending(&w.w), 0);
    sync_with_ledger(&w);
    assert_int_equal(tfl_wallet_balance(&w.w), 180);
    send(&w, 180, TFL_TX_OK);
    close_world(&w);
}

/* Random sends, losses and inclusions: what the wallet makes is always good on the ledger once its parents are, and in the
 * end wallet and ledger agree. */
static void test_random_losses_never_make_a_bad_transfer(void **state)
{
    enum { MAX = 64 };
    struct world w;
    struct tfl_rng rng;
    struct tfl_tx waiting[MAX];
    size_t n = 0;
    struct tfl_error err = {0};
    (void)state;
    open_world(&w, 5, 1000000);
    tfl_rng_init(&rng, 9, "wallet");
    for (int i = 0; i < 3000; i++) {
        uint64_t dice = tfl_rng_below(&rng, 10);
        if (dice < 6 && n < MAX) {
            uint64_t amount = 1 + tfl_rng_below(&rng, 100);
            assert_int_equal(tfl_wallet_transfer(&w.w, w.to, amount, &waiting[n], NULL, &err), 0);
            n++;
        } else if (dice < 9 &&
                   n > 0) { /* the oldest is included: it must be good unless its parent was dropped */
            struct tfl_hash hash = tfl_tx_hash(&waiting[0]);
            enum tfl_tx_fault fault = tfl_tx_ledger_apply_tx(w.l, &waiting[0], NULL, NULL, NULL);
            if (fault) /* then the wallet knows it as dropped */
                assert_false(tfl_wallet_dropped(&w.w, &hash, NULL, NULL));
            else
                tfl_wallet_settled(&w.w, &hash);
            tfl_tx_done(&waiting[0]);
            memmove(waiting, waiting + 1, --n * sizeof *waiting);
        } else if (n > 0) {
            size_t pick = tfl_rng_below(&rng, n);
            struct tfl_hash hash = tfl_tx_hash(&waiting[pick]);
            tfl_wallet_dropped(&w.w, &hash, NULL, NULL);
            tfl_tx_done(&waiting[pick]);
            memmove(&waiting[pick], &waiting[pick + 1], (--n - pick) * sizeof *waiting);
        }
    }
    for (size_t i = 0; i < n; i++)
        tfl_tx_done(&waiting[i]);
    tfl_wallet_sync(&w.w, NULL, 0);
    sync_with_ledger(&w);
    send(&w, tfl_wallet_balance(&w.w), TFL_TX_OK);
    close_world(&w);
}

static void test_followed_transfers_have_a_bound(void **state)
{
    struct world w;
    struct tfl_hash hashes[20];
    (void)state;
    open_world(&w, 1, 1000000);
    w.w.max_pending = 8;
    for (int i = 0; i < 20; i++)
        hashes[i] = send(&w, 1, NOT_INCLUDED);
    assert_int_equal(tfl_wallet_n_pending(&w.w), 8);
    assert_false(tfl_wallet_dropped(&w.w, &hashes[11], NULL, NULL)); /* the oldest count as settled */
    assert_true(tfl_wallet_dropped(&w.w, &hashes[12], NULL, NULL));
    assert_int_equal(tfl_wallet_balance(&w.w), 1000000 - 12);
    close_world(&w);
}

/* One that never settles at the front, and many behind it that do. */
static void test_a_straggler_does_not_confuse_the_others(void **state)
{
    struct world w;
    (void)state;
    open_world(&w, 1, 1000000);
    struct tfl_hash first = send(&w, 1, TFL_TX_OK);
    for (int i = 0; i < 300; i++) {
        struct tfl_hash hash = send(&w, 1, TFL_TX_OK);
        tfl_wallet_settled(&w.w, &hash);
    }
    assert_int_equal(tfl_wallet_n_pending(&w.w), 1);
    tfl_wallet_settled(&w.w, &first);
    assert_int_equal(tfl_wallet_n_pending(&w.w), 0);
    send(&w, 1000000 - 301, TFL_TX_OK);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_follow_the_seed),
        cmocka_unit_test(test_change_is_spent_before_it_is_on_the_chain),
        cmocka_unit_test(test_several_notes_are_joined_and_used_in_turn),
        cmocka_unit_test(test_a_transfer_to_itself_keeps_all),
        cmocka_unit_test(test_dust_does_not_block_a_large_note),
        cmocka_unit_test(test_a_dropped_transfer_takes_along_what_was_built_on_it),
        cmocka_unit_test(test_a_loss_touches_its_own_chain_only),
        cmocka_unit_test(test_settled_transfers_are_forgotten),
        cmocka_unit_test(test_sync_with_the_chain),
        cmocka_unit_test(test_random_losses_never_make_a_bad_transfer),
        cmocka_unit_test(test_followed_transfers_have_a_bound),
        cmocka_unit_test(test_a_straggler_does_not_confuse_the_others),
    };
    tfl_chain_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
