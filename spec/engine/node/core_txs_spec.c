/* One core and its transactions: what is taken, what is told to peers, what goes into blocks. */
#include "txs_bench.h"

static void test_a_transaction_is_stored_and_gossiped_once(void **state)
{
    struct bench b;
    struct tfl_wire_msg m;
    struct tfl_error err;
    const uint8_t *data;
    size_t len;
    (void)state;
    setup_at(&b, 10, false);
    for (uint64_t peer = 1; peer <= 3; peer++)
        up(&b, peer);
    struct tfl_note n = first_note(&b, 0, 0);
    TFL_TX tx = pay(&b, &n, 0, 1);
    assert_int_equal(submit(&b, &tx), TFL_CORE_TX_ACCEPTED);
    assert_true(b.net.nodes[0].store.n_txs == 1 && b.seen.n_sends == 0);
    assert_true(tfl_core_next_deadline_ns(b.core) == b.now + CORE_GOSSIP_NS);
    b.now += CORE_GOSSIP_NS;
    tick(&b, b.now);
    assert_int_equal(b.seen.n_sends, 3);
    assert_int_equal(tfl_wire_decode(&m, b.seen.sent[0]->data, b.seen.sent[0]->len, &err), 0);
    assert_true(m.kind == TFL_WIRE_TXS && m.n == 1 && m.cursor == 0 && tfl_wire_next_item(&m, &data, &len));
    struct tfl_bytes *gossip = tfl_bytes_ref(b.seen.sent[0]);
    struct tfl_note other = first_note(&b, 0, 1);
    TFL_TX from_peer = pay(&b, &other, 0, 1);
    tell(&b, 2, &from_peer, 0);
    assert_true(b.net.nodes[0].store.n_txs == 2 && b.seen.n_sends == 0);
    message(&b, 3, gossip); /* it has that */
    assert_true(b.net.nodes[0].store.n_txs == 2 && info(&b).txs.accepted == 2);
    b.now += CORE_GOSSIP_NS;
    tick(&b, b.now);
    assert_true(b.seen.n_sends == 2 && b.seen.to[0] == 1 && b.seen.to[1] == 3); /* not to 2 */
    b.now += CORE_GOSSIP_NS;
    tick(&b, b.now);
    assert_int_equal(b.seen.n_sends, 0);
    assert_int_equal(
        submit(&b, &tx), TFL_CORE_TX_KNOWN); /* a client in doubt: gossiped again, not stored again */
    b.now += CORE_GOSSIP_NS;
    tick(&b, b.now);
    assert_true(b.seen.n_sends == 3 && b.net.nodes[0].store.n_txs == 2);
    done(&b);
}

static void test_gossip_goes_in_batches_that_leave_out_what_the_peer_sent(void **state)
{
    struct bench b;
    struct tfl_wire_msg m;
    struct tfl_error err;
    (void)state;
    setup_at(&b, 10, false);
    for (uint64_t peer = 1; peer <= 2; peer++)
        up(&b, peer);
    forget(&b);
    for (int i = 0; i < 300; i++) { /* 256 at once, the rest later */
        TFL_TX tx = inscription(&b, i);
        if (i % 3 == 0)
            tell(&b, 1, &tx, 0);
        else
            assert_int_equal(tfl_core_submit(b.core, b.now, &tx, &err), TFL_CORE_TX_ACCEPTED);
    }
    drain(&b);
    b.now += CORE_GOSSIP_NS;
    forget(&b);
    tick(&b, b.now);
    assert_int_equal(b.seen.n_sends, 2);
    static const uint16_t expected[] = {30, 44}; /* of 256 to 299, every third came from peer 1 */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(tfl_wire_decode(&m, b.seen.sent[i]->data, b.seen.sent[i]->len, &err), 0);
        assert_true(b.seen.to[i] == (uint64_t)i + 1 && m.n == expected[i]);
    }
    done(&b);
}

static void test_bad_transactions_are_refused_and_named(void **state)
{
    struct bench b;
    (void)state;
    setup_at(&b, 10, false);
    struct tfl_note mine = first_note(&b, 0, 0), theirs = first_note(&b, 1, 0);
    const struct tfl_keypair *keys = b.net.accounts.keys;
    struct tfl_tx txs[] = {transfer(&mine, &keys[1], keys[1].pub, VALUE), pay(&b, &mine, 0, 1),
        transfer(&mine, &keys[0], keys[1].pub, VALUE + 1), transfer(&mine, &keys[0], keys[1].pub, 0),
        pay(&b, &mine, 0, 1), inscription(&b, 1), {.ops = NULL}};
    static const char *const why[] = {"signature", "signature", "takes 1000 and gives 1001", "value of 0",
        "several keys", "signature", "without operations"};
    txs[1].ops[0].proof[5] ^= 1;
    struct tfl_transfer *t = &txs[4].ops[0].transfer;
    t->inputs = tfl_realloc(t->inputs, 2 * sizeof *t->inputs);
    t->inputs[t->n_inputs++] = theirs.id;
    t->outputs[0].value = 2 * VALUE;
    sign_all(&txs[4], &keys[0]);
    txs[5].ops[0].proof[5] ^= 1;
    for (size_t i = 0; i < TFL_LEN(txs); i++) {
        assert_int_equal(submit(&b, &txs[i]), TFL_CORE_TX_REFUSED);
        if (!strstr(err_of_submit.msg, why[i]))
            fail_msg("%zu: %s", i, err_of_submit.msg);
        tfl_tx_done(&txs[i]);
    }
    assert_true(info(&b).txs.refused == TFL_LEN(txs) && info(&b).txs.pending == 0);
    done(&b);
}

static void test_a_peer_is_dropped_for_what_no_honest_node_would_pass_on(void **state)
{
    struct bench b;
    (void)state;
    setup_at(&b, 10, false);
    up(&b, 1);
    struct tfl_note n = first_note(&b, 0, 0);
    TFL_TX wrong = transfer(&n, &b.net.accounts.keys[1], n.pk, VALUE); /* it may not know the note */
    tell(&b, 1, &wrong, 0);
    assert_true(b.seen.n_drops == 0 && info(&b).txs.pending == 0 && info(&b).txs.refused == 1);
    TFL_TX forged = inscription(&b, 1), zero = transfer(&n, &b.net.accounts.keys[0], n.pk, 0);
    forged.ops[0].proof[0] ^= 1;
    tell(&b, 1, &forged, 0);
    assert_true(b.seen.n_drops == 1 && strstr(b.seen.reason, "sent an invalid transaction"));
    up(&b, 2);
    tell(&b, 2, &zero, 0);
    assert_int_equal(b.seen.n_drops, 1);
    up(&b, 3);
    TFL_BUF item = {0};
    tfl_wire_add_item(&item, "\x01\x05", 2);
    message(&b, 3, tfl_wire_txs(0, 1, &item));
    assert_int_equal(b.seen.n_drops, 1);
    up(&b, 4);
    TFL_TX good = pay(&b, &n, 0, 1);
    TFL_BUF bytes = {0};
    tfl_tx_encode(&bytes, &good);
    tfl_buf_clear(&item);
    tfl_wire_add_item(&item, bytes.data, bytes.len + 1); /* its NUL */
    message(&b, 4, tfl_wire_txs(0, 1, &item));
    assert_true(b.seen.n_drops == 1 && strstr(b.seen.reason, "1 bytes after the end"));
    assert_int_equal(info(&b).txs.pending, 0);
    done(&b);
}

static void test_a_full_mempool_says_so_and_expiry_makes_room(void **state)
{
    struct bench b;
    (void)state;
    setup_with(&b, (struct tfl_core_params){.mempool_max_txs = 2, .mempool_ttl_s = 3});
    up(&b, 1);
    struct tfl_tx txs[3] = {inscription(&b, 0), inscription(&b, 1), inscription(&b, 2)};
    assert_int_equal(submit(&b, &txs[0]), TFL_CORE_TX_ACCEPTED);
    b.now += 1000 * NET_MS;
    tell(&b, 1, &txs[1], 0);
    assert_int_equal(submit(&b, &txs[2]), TFL_CORE_TX_FULL);
    assert_non_null(strstr(err_of_submit.msg, "the mempool is full: 2 transactions of 2"));
    tell(&b, 1, &txs[2], 0); /* from a peer it is only not taken */
    assert_true(b.seen.n_drops == 0 && info(&b).txs.full == 2);
    assert_int_equal(submit(&b, &txs[0]), TFL_CORE_TX_KNOWN);
    b.now += 2500 * NET_MS;
    tick(&b, b.now);
    assert_true(info(&b).txs.expired == 1 && info(&b).txs.pending == 1);
    assert_int_equal(b.net.nodes[0].store.n_txs, 1);
    assert_int_equal(submit(&b, &txs[2]), TFL_CORE_TX_ACCEPTED);
    for (size_t i = 0; i < TFL_LEN(txs); i++)
        tfl_tx_done(&txs[i]);
    done(&b);
}

static void test_the_switch_answers_well_and_forgets_every_nth(void **state)
{
    struct bench b;
    (void)state;
    setup_with(&b, (struct tfl_core_params){.test = {.no_lead = true, .drop_every = 10}});
    up(&b, 1);
    for (int i = 0; i < 40; i++) {
        TFL_TX tx = inscription(&b, i);
        assert_int_equal(submit(&b, &tx), TFL_CORE_TX_ACCEPTED);
        assert_int_equal(waits(&b, &tx), i % 10 != 9);
    }
    b.now += CORE_GOSSIP_NS;
    tick(&b, b.now);
    assert_true(b.seen.n_sends == 1 && info(&b).txs.accepted == 40);
    assert_int_equal(b.net.nodes[0].store.n_txs, 36);
    TFL_TX from_peer = inscription(&b, 100);
    tell(&b, 1, &from_peer, 0); /* what peers send is not counted */
    assert_true(waits(&b, &from_peer));
    done(&b);
}

/* A thief may send the owner's transfer with a proof of his own before the note is known here. */
static void test_a_proof_that_cannot_be_judged_keeps_no_good_one_out(void **state)
{
    struct bench b;
    (void)state;
    setup_at(&b, 10, false);
    struct tfl_note n = first_note(&b, 0, 0);
    TFL_TX parent = pay(&b, &n, 0, 1);
    struct tfl_note made = made_by(&parent);
    TFL_TX child = pay(&b, &made, 1, 2), stolen = pay(&b, &made, 1, 2);
    sign_all(&stolen, &b.net.accounts.keys[3]);
    assert_int_equal(submit(&b, &stolen), TFL_CORE_TX_ACCEPTED); /* who knows */
    assert_int_equal(submit(&b, &parent), TFL_CORE_TX_ACCEPTED);
    assert_true(info(&b).txs.pending == 1 && info(&b).txs.refused == 1); /* now it is known */
    assert_int_equal(submit(&b, &stolen), TFL_CORE_TX_REFUSED);
    assert_int_equal(submit(&b, &child), TFL_CORE_TX_ACCEPTED);
    assert_int_equal(b.net.nodes[0].store.n_txs, 2);
    done(&b);
}

static void test_a_peer_that_comes_is_asked_for_what_waits(void **state)
{
    struct bench b;
    struct tfl_wire_msg m;
    struct tfl_error err;
    TFL_BUF none = {0};
    uint32_t got = 0;
    uint64_t cursor = 0;
    (void)state;
    setup_at(&b, 10, false);
    for (int i = 0; i < 600; i++) {
        TFL_TX tx = inscription(&b, i);
        assert_int_equal(submit(&b, &tx), TFL_CORE_TX_ACCEPTED);
    }
    tfl_core_peer_up(b.core, b.now, 1, false);
    drain(&b);
    hello(&b, 1, NULL, 0);
    assert_int_equal(b.seen.n_get_txs, 1);
    do { /* and what it asks for is answered, in parts */
        message(&b, 1, tfl_wire_get_txs(cursor));
        assert_int_equal(b.seen.n_sends, 1);
        assert_int_equal(tfl_wire_decode(&m, b.seen.sent[0]->data, b.seen.sent[0]->len, &err), 0);
        assert_true(m.kind == TFL_WIRE_TXS && (m.cursor == 0 || m.cursor > cursor));
        got += m.n;
        cursor = m.cursor;
    } while (cursor);
    assert_int_equal(got, 600);
    for (int i = 0; i < 2; i++) { /* an answer that goes on is asked on, each part once */
        message(&b, 1, tfl_wire_txs(7, 0, &none));
        assert_int_equal(b.seen.n_get_txs, i == 0);
    }
    message(&b, 1, tfl_wire_txs(0, 0, &none));
    assert_true(b.seen.n_get_txs == 0 && b.seen.n_drops == 0);
    done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_transaction_is_stored_and_gossiped_once),
        cmocka_unit_test(test_gossip_goes_in_batches_that_leave_out_what_the_peer_sent),
        cmocka_unit_test(test_bad_transactions_are_refused_and_named),
        cmocka_unit_test(test_a_peer_is_dropped_for_what_no_honest_node_would_pass_on),
        cmocka_unit_test(test_a_full_mempool_says_so_and_expiry_makes_room),
        cmocka_unit_test(test_the_switch_answers_well_and_forgets_every_nth),
        cmocka_unit_test(test_a_proof_that_cannot_be_judged_keeps_no_good_one_out),
        cmocka_unit_test(test_a_peer_that_comes_is_asked_for_what_waits),
    };
    tfl_chain_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
