/* Transactions and blocks: building, judging, forks, finality, restart. */
#include "txs_bench.h"

#include "chain/lottery.h"

/* Alone with f = 1, at the start of a slot (counted from 0: that of genesis has no leader). */
static void lead_at(struct bench *b, uint64_t slot)
{
    b->now = slot_ns(slot + 1);
    tick(b, b->now);
    assert_int_equal(b->seen.n_blocks, 1);
}

static uint64_t value_at_tip(const struct bench *b, uint64_t *genesis)
{
    struct tfl_tx_ledger_info i = tfl_tx_ledger_info(tfl_core_ledger(b->core));
    *genesis = i.genesis_value;
    return i.value;
}

static void test_blocks_are_built_in_order_with_chains_of_unconfirmed(void **state)
{
    struct bench b;
    uint64_t genesis;
    (void)state;
    setup_sure(&b);
    b.now = slot_ns(0) - 400 * NET_MS;
    struct tfl_note n = first_note(&b, 0, 0), rival = first_note(&b, 1, 0);
    TFL_TX parent = pay(&b, &n, 0, 1), first = pay(&b, &rival, 1, 2), second = pay(&b, &rival, 1, 3);
    struct tfl_note made = made_by(&parent);
    TFL_TX child = pay(&b, &made, 1, 2);
    made = made_by(&child);
    TFL_TX grandchild = pay(&b, &made, 2, 3);
    const struct tfl_tx *order[] = {&grandchild, &first, &child, &second, &parent};
    for (size_t i = 0; i < TFL_LEN(order); i++)
        assert_int_equal(submit(&b, order[i]), TFL_CORE_TX_ACCEPTED);
    lead_at(&b, 0);
    TFL_BLOCK x = newest(&b);
    const struct tfl_tx *expected[] = {&first, &parent, &child, &grandchild};
    assert_int_equal(x.n_txs, TFL_LEN(expected));
    for (size_t i = 0; i < TFL_LEN(expected); i++) {
        struct tfl_hash want = tfl_tx_hash(expected[i]), seen = tfl_tx_hash(&x.txs[i]);
        assert_true(tfl_hash_eq(&want, &seen) && on_chain(&b, expected[i]) && !waits(&b, expected[i]));
        assert_int_equal(submit(&b, expected[i]), TFL_CORE_TX_KNOWN);
    }
    assert_true(waits(&b, &second) && info(&b).txs.parked == 1 && b.net.nodes[0].store.n_txs == 1);
    assert_true(value_at_tip(&b, &genesis) == genesis && genesis == ACCOUNTS * NOTES * VALUE);
    lead_at(&b, 1);
    assert_int_equal(txs_of_newest(&b), 0);
    assert_true(waits(&b, &second)); /* until what took its note is final */
    for (uint64_t slot = 2; slot <= K + 1; slot++)
        lead_at(&b, slot);
    assert_true(!waits(&b, &second) && info(&b).txs.conflicted == 1 && b.net.nodes[0].store.n_txs == 0);
    done(&b);
}

static void test_a_channel_goes_on_in_the_order_of_its_parents(void **state)
{
    struct bench b;
    struct tfl_hash channel = {{4}}, at = {{0}};
    struct tfl_tx txs[4];
    (void)state;
    setup_sure(&b);
    b.now = slot_ns(0) - 400 * NET_MS;
    for (int i = 0; i < 4; i++) {
        tfl_inscription(&txs[i], NULL, &b.net.accounts.keys[0], &channel, &at, &i, sizeof i);
        at = tfl_inscribe_id(&txs[i].ops[0]);
    }
    for (int i = 3; i >= 1; i--)
        assert_int_equal(submit(&b, &txs[i]), TFL_CORE_TX_ACCEPTED);
    lead_at(&b, 0);
    assert_true(txs_of_newest(&b) == 0 && info(&b).txs.parked == 3);
    assert_int_equal(submit(&b, &txs[0]), TFL_CORE_TX_ACCEPTED);
    lead_at(&b, 1);
    TFL_BLOCK x = newest(&b);
    assert_int_equal(x.n_txs, 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(x.txs[i].ops[0].inscribe.data[0], i);
        tfl_tx_done(&txs[i]);
    }
    done(&b);
}

static void test_blocks_are_bounded_in_number_and_bytes(void **state)
{
    struct bench b;
    TFL_FREE uint8_t *data = tfl_alloc(300000);
    (void)state;
    setup_sure(&b);
    b.now = slot_ns(0) - 400 * NET_MS;
    for (int i = 0; i < 1500; i++) {
        TFL_TX tx = inscription(&b, i);
        assert_int_equal(submit(&b, &tx), TFL_CORE_TX_ACCEPTED);
    }
    lead_at(&b, 0);
    TFL_BLOCK x = newest(&b);
    assert_true(x.n_txs == TFL_BLOCK_TXS_MAX && info(&b).txs.pending == 1500 - TFL_BLOCK_TXS_MAX);
    lead_at(&b, 1);
    assert_int_equal(info(&b).txs.pending, 0);
    for (int i = 0; i < 4; i++) {
        struct tfl_hash channel = {{(uint8_t)i, 0, 0, 9}};
        TFL_TX tx = {0};
        tfl_inscription(&tx, NULL, &b.net.accounts.keys[0], &channel, NULL, data, 300000);
        assert_int_equal(submit(&b, &tx), TFL_CORE_TX_ACCEPTED);
    }
    TFL_TX little = inscription(&b, 2000);
    assert_int_equal(submit(&b, &little), TFL_CORE_TX_ACCEPTED);
    lead_at(&b, 2); /* three and the little one that fits beside them */
    TFL_BLOCK y = newest(&b);
    assert_true(y.n_txs == 4 && on_chain(&b, &little) && info(&b).txs.pending == 1);
    lead_at(&b, 3);
    assert_int_equal(info(&b).txs.pending, 0);
    done(&b);
}

/* What cannot be applied does not stand in the way of what can, however much of it there is. */
static void test_a_mempool_full_of_waiting_ones_costs_no_block(void **state)
{
    struct bench b;
    (void)state;
    setup_sure(&b);
    b.now = slot_ns(0) - 400 * NET_MS;
    for (int i = 0; i < 9000; i++) {
        struct tfl_note nowhere = {.id = {{(uint8_t)i, (uint8_t)(i >> 8), 1}}, .value = 5};
        TFL_TX tx = pay(&b, &nowhere, 0, 1);
        assert_int_equal(submit(&b, &tx), TFL_CORE_TX_ACCEPTED);
    }
    struct tfl_note n = first_note(&b, 0, 0);
    TFL_TX tx = pay(&b, &n, 0, 1);
    assert_int_equal(submit(&b, &tx), TFL_CORE_TX_ACCEPTED);
    for (uint64_t slot = 0; slot < 160 && !on_chain(&b, &tx); slot++)
        lead_at(&b, slot);
    assert_true(on_chain(&b, &tx));
    done(&b);
}

static struct tfl_tx self_made(struct bench *b, int which)
{
    struct tfl_note n = first_note(b, 0, which);
    struct tfl_tx tx = pay(b, &n, 0, 1);
    switch (which) {
    case 1:
        tx.ops[0].transfer.inputs[0].b[9] ^= 1; /* not there */
        sign_all(&tx, &b->net.accounts.keys[0]);
        break;
    case 2:
        tx.ops[0].transfer.outputs[0].value++;
        sign_all(&tx, &b->net.accounts.keys[0]);
        break;
    case 3:
        sign_all(&tx, &b->net.accounts.keys[1]);
        break;
    case 4:
        tx.ops[0].transfer.n_outputs = 0;
        sign_all(&tx, &b->net.accounts.keys[0]);
        break;
    default:
        break;
    }
    return tx;
}

static void test_blocks_whose_transactions_cannot_be_applied_are_refused(void **state)
{
    struct bench b;
    uint64_t slot = 0, genesis;
    (void)state;
    setup_at(&b, 400, false);
    up(&b, 1);
    struct tfl_hash at = grow(&b, 1, (struct tfl_hash[]){genesis_id(&b)}, &slot);
    for (int which = 0; which < 6; which++) { /* 0: one transaction twice; 5: an own one and a good one */
        struct tfl_tx txs[2] = {self_made(&b, which == 5 ? 1 : which), self_made(&b, which)};
        slot = slot_of(&b, 1, slot, false);
        TFL_BLOCK x = forge_with(&b, 1, &at, slot, txs, 2);
        message(&b, 1, gossip_of(&x));
        assert_true(b.seen.n_blocks == 0 && b.seen.n_drops == 0 && b.seen.n_sends == 0);
        assert_int_equal(info(&b).n_refused, 3 * which + 1);
        TFL_BLOCK y = forge(&b, 1, &x.id, slot_of(&b, 1, slot, false));
        message(&b, 1, gossip_of(&y)); /* its child has no parent here */
        assert_true(b.seen.n_blocks == 0);
        message(&b, 1, gossip_of(&x)); /* and it stays refused */
        assert_true(b.seen.n_blocks == 0);
        struct tfl_core_info i = info(&b);
        assert_true(tfl_hash_eq(&i.tip, &at) && i.height == 1 && i.txs.included == 1);
        assert_true(value_at_tip(&b, &genesis) == genesis);
        b.core->n_refused = 3u * (unsigned)which + 3;
    }
    struct tfl_tx good = self_made(&b, 0);
    slot = slot_of(&b, 1, slot, false);
    TFL_BLOCK x = forge_with(&b, 1, &at, slot, &good, 1);
    message(&b, 1, gossip_of(&x));
    assert_true(b.seen.n_blocks == 1 && info(&b).height == 2 && info(&b).txs.included == 2);
    done(&b);
}

/* A fork is not judged while it is short; when it would win it is, and condemned from its first bad block on. */
static void test_a_branch_with_a_bad_block_never_wins(void **state)
{
    struct bench b;
    uint64_t slot = 0, fork_slot = 0;
    (void)state;
    setup_at(&b, 400, false);
    up(&b, 1);
    struct tfl_hash g = genesis_id(&b), main2;
    struct tfl_note n = first_note(&b, 0, 0), made;
    TFL_TX mine = pay(&b, &n, 0, 1);
    assert_int_equal(submit(&b, &mine), TFL_CORE_TX_ACCEPTED);
    struct tfl_tx in_main = pay(&b, &n, 0, 1), in_fork = pay(&b, &n, 0, 2);
    made = made_by(&in_main);
    struct tfl_tx stolen = pay(&b, &made, 2, 2); /* account 2 spends what is account 1's */
    slot = slot_of(&b, 1, 0, false);
    TFL_BLOCK a = forge_with(&b, 1, &g, slot, &in_main, 1);
    message(&b, 1, gossip_of(&a));
    assert_true(on_chain(&b, &mine) && !waits(&b, &mine));
    main2 = grow(&b, 1, &a.id, &slot);
    fork_slot = slot_of(&b, 2, 0, false);
    TFL_BLOCK f1 = forge_with(&b, 2, &g, fork_slot, &in_fork, 1);
    fork_slot = slot_of(&b, 2, fork_slot, false);
    TFL_BLOCK f2 = forge_with(&b, 2, &f1.id, fork_slot, &stolen, 1);
    message(&b, 1, gossip_of(&f1));
    message(&b, 1, gossip_of(&f2));
    assert_true(info(&b).n_blocks == 5 && info(&b).height == 2);
    fork_slot = slot_of(&b, 2, fork_slot, false);
    TFL_BLOCK f3 = forge(&b, 2, &f2.id, fork_slot);
    message(&b, 1, gossip_of(&f3));
    struct tfl_core_info i = info(&b);
    assert_true(tfl_hash_eq(&i.tip, &main2) && i.n_blocks == 5 && i.n_reorgs == 0 && b.seen.n_drops == 0);
    assert_true(on_chain(&b, &mine) && !waits(&b, &mine) && i.txs.included == 2);
    TFL_TX fork_tx = pay(&b, &n, 0, 2);
    assert_true(!on_chain(&b, &fork_tx) && waits(&b, &fork_tx)); /* it was good, only its block is lost */
    TFL_BLOCK f4 = forge(&b, 2, &f3.id, slot_of(&b, 2, fork_slot, false));
    message(&b, 1, gossip_of(&f4));
    TFL_BLOCK other = forge(&b, 2, &f2.id, slot_of(&b, 2, fork_slot, false));
    message(&b, 1, gossip_of(&other)); /* the parent is known to be bad */
    assert_true(tfl_hash_eq(&(struct tfl_hash[]){info(&b).tip}[0], &main2) && info(&b).n_blocks == 5);
    /* the good part of the branch may still win */
    TFL_BLOCK h2 = forge(&b, 1, &f1.id, slot_of(&b, 1, fork_slot, false));
    TFL_BLOCK h3 = forge(&b, 1, &h2.id, slot_of(&b, 1, h2.header.slot, false));
    message(&b, 1, gossip_of(&h2));
    message(&b, 1, gossip_of(&h3));
    i = info(&b);
    assert_true(tfl_hash_eq(&i.tip, &h3.id) && i.n_reorgs == 1 && i.max_reorg_depth == 2);
    assert_true(on_chain(&b, &fork_tx) && !waits(&b, &fork_tx) && waits(&b, &mine) && !on_chain(&b, &mine));
    done(&b);
}

static void test_transactions_of_abandoned_blocks_wait_again_until_their_rival_is_final(void **state)
{
    struct bench b;
    uint64_t slot = 0, genesis;
    (void)state;
    setup_at(&b, 400, false);
    up(&b, 1);
    struct tfl_hash g = genesis_id(&b), at;
    struct tfl_note n = first_note(&b, 0, 0), m = first_note(&b, 0, 1);
    struct tfl_tx here[2] = {pay(&b, &n, 0, 1), pay(&b, &m, 0, 1)}, there = pay(&b, &n, 0, 2);
    TFL_TX rival = pay(&b, &n, 0, 1), both = pay(&b, &m, 0, 1), winner = pay(&b, &n, 0, 2);
    TFL_BLOCK a = forge_with(&b, 1, &g, slot_of(&b, 1, 0, false), here, 2);
    message(&b, 1, gossip_of(&a));
    assert_true(on_chain(&b, &rival) && b.net.nodes[0].store.n_txs == 0);
    slot = slot_of(&b, 2, 0, false);
    TFL_BLOCK f1 = forge_with(&b, 2, &g, slot, &there, 1);
    message(&b, 1, gossip_of(&f1));
    at = grow(&b, 2, &f1.id, &slot);
    assert_true(info(&b).n_reorgs == 1 && on_chain(&b, &winner) && !on_chain(&b, &rival));
    assert_true(waits(&b, &rival) && waits(&b, &both) && info(&b).txs.returned == 2);
    assert_int_equal(b.net.nodes[0].store.n_txs, 2); /* on disk, too */
    assert_true(value_at_tip(&b, &genesis) == genesis);
    for (uint64_t i = 2; i < K; i++)
        at = grow(&b, 2, &at, &slot);
    assert_true(info(&b).lib_height == 0 && waits(&b, &rival));
    grow(&b, 2, &at, &slot);
    assert_true(info(&b).lib_height == 1 && !waits(&b, &rival) && waits(&b, &both));
    assert_true(info(&b).txs.conflicted == 1 && b.net.nodes[0].store.n_txs == 1);
    done(&b);
}

/* Several blocks of a branch in one answer: the first are not yet readable from the store when the last one wins. */
static void test_a_branch_that_comes_at_once_is_applied_from_memory(void **state)
{
    struct bench b;
    uint64_t slot = 0;
    TFL_BUF blocks = {0}, one = {0};
    (void)state;
    setup_at(&b, 400, false);
    up(&b, 1);
    struct tfl_hash g = genesis_id(&b), at = grow(&b, 1, &g, &slot), head;
    at = grow(&b, 1, &at, &slot);
    slot = 0;
    head = g;
    struct tfl_note n = first_note(&b, 0, 0);
    for (int i = 0; i < 4; i++) {
        struct tfl_tx tx = pay(&b, &n, i, (i + 1) % ACCOUNTS);
        n = made_by(&tx);
        slot = slot_of(&b, 2, slot, false);
        TFL_BLOCK x = forge_with(&b, 2, &head, slot, &tx, 1);
        head = x.id;
        tfl_buf_clear(&one);
        tfl_block_encode(&one, &x);
        tfl_wire_add_item(&blocks, one.data, one.len);
    }
    message(&b, 1, tfl_wire_ping(&head, 4));
    assert_int_equal(b.seen.n_sends, 1);
    message(&b, 1, tfl_wire_blocks(&head, false, 4, &blocks));
    assert_true(tfl_hash_eq(&(struct tfl_hash[]){info(&b).tip}[0], &head) && info(&b).txs.included == 5);
    struct tfl_note found;
    assert_true(tfl_tx_ledger_note(tfl_core_ledger(b.core), &n.id, &found) && found.value == VALUE);
    done(&b);
}

static void restart(struct bench *b, size_t n_blocks)
{
    struct tfl_error err;
    struct net_store *s = &b->net.nodes[0].store;
    forget(b);
    tfl_core_free(b->core);
    b->core = b->net.nodes[0].core = tfl_core_new(&b->net.nodes[0].params, &err);
    for (size_t i = 0; i < n_blocks; i++)
        assert_int_equal(tfl_core_restore(b->core, s->blocks[i]->data, s->blocks[i]->len, &err), 0);
    for (size_t i = 0; i < s->n_txs;) {
        struct net_tx *t = &s->txs[i];
        if (tfl_core_restore_tx(b->core, &t->tx, t->bytes->data, t->bytes->len, &err) == 0)
            i++;
        else
            net_store_drop_tx(s, t->tx.seq);
    }
    tfl_core_start(b->core, b->now);
    drain(b);
}

static void test_a_restart_keeps_ledger_and_mempool(void **state)
{
    struct bench b;
    uint64_t slot = 0;
    (void)state;
    setup_at(&b, 400, false);
    up(&b, 1);
    struct tfl_hash g = genesis_id(&b), tip;
    struct tfl_note n = first_note(&b, 0, 0), m = first_note(&b, 0, 1), unknown = {.id = {{1}}, .value = 9};
    struct tfl_tx here = pay(&b, &n, 0, 1), there = pay(&b, &n, 0, 2);
    TFL_TX rival = pay(&b, &n, 0, 1), pending = pay(&b, &m, 0, 1), unproven = pay(&b, &unknown, 0, 1);
    slot = slot_of(&b, 1, 0, false);
    TFL_BLOCK a = forge_with(&b, 1, &g, slot, &here, 1);
    message(&b, 1, gossip_of(&a));
    assert_int_equal(submit(&b, &pending), TFL_CORE_TX_ACCEPTED);
    assert_int_equal(submit(&b, &unproven), TFL_CORE_TX_ACCEPTED);
    slot = slot_of(&b, 2, 0, false);
    TFL_BLOCK f = forge_with(&b, 2, &g, slot, &there, 1);
    message(&b, 1, gossip_of(&f));
    tip = grow(&b, 2, &f.id, &slot); /* reorganised: rival waits again */
    for (int again = 0; again < 2; again++) {
        struct tfl_core_info i = info(&b);
        assert_true(tfl_hash_eq(&i.tip, &tip) && i.txs.pending == 3 && i.txs.included == 2);
        assert_true(waits(&b, &rival) && waits(&b, &pending) && waits(&b, &unproven));
        const struct net_tx *txs = b.net.nodes[0].store.txs;
        assert_true(b.net.nodes[0].store.n_txs == 3 && txs[0].tx.proven && !txs[1].tx.proven);
        restart(&b, b.net.nodes[0].store.n);
        assert_int_equal(b.seen.n_blocks, 0);
    }
    tfl_core_peer_up(b.core, b.now, 9, false);
    drain(&b);
    hello(&b, 9, NULL, 0);
    struct tfl_tx mined = pay(&b, &m, 0, 1);
    slot = slot_of(&b, 1, slot, false);
    TFL_BLOCK x = forge_with(&b, 1, &tip, slot, &mined, 1);
    message(&b, 9, gossip_of(&x));
    assert_true(on_chain(&b, &pending) && !waits(&b, &pending) && b.net.nodes[0].store.n_txs == 2);
    done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_are_built_in_order_with_chains_of_unconfirmed),
        cmocka_unit_test(test_a_channel_goes_on_in_the_order_of_its_parents),
        cmocka_unit_test(test_blocks_are_bounded_in_number_and_bytes),
        cmocka_unit_test(test_a_mempool_full_of_waiting_ones_costs_no_block),
        cmocka_unit_test(test_blocks_whose_transactions_cannot_be_applied_are_refused),
        cmocka_unit_test(test_a_branch_with_a_bad_block_never_wins),
        cmocka_unit_test(test_transactions_of_abandoned_blocks_wait_again_until_their_rival_is_final),
        cmocka_unit_test(test_a_branch_that_comes_at_once_is_applied_from_memory),
        cmocka_unit_test(test_a_restart_keeps_ledger_and_mempool),
    };
    tfl_chain_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
