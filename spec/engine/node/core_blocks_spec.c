/* Which blocks a core takes, refuses, passes on and makes. */
#include "core_bench.h"

#include <math.h>

static void test_good_block_is_stored_and_gossiped_once_and_not_back(void **state)
{
    struct bench b;
    uint64_t slot = 0;
    (void)state;
    setup_at(&b, 100, false);
    up(&b, 1);
    up(&b, 2);
    up(&b, 3);
    tfl_core_peer_up(b.core, b.now, 4, false); /* no handshake yet: gets nothing */
    drain(&b);
    struct tfl_hash g = genesis_id(&b), id = grow(&b, 1, &g, &slot);
    assert_int_equal(b.seen.n_blocks, 1);
    assert_int_equal(b.seen.n_sends, 2);
    assert_true(b.seen.to[0] == 2 && b.seen.to[1] == 3 && b.seen.sent[0] == b.seen.sent[1]);
    assert_true(tfl_hash_eq(&b.view.tip, &id) && b.view.tip_slot == slot && tfl_hash_eq(&b.view.lib, &g));
    TFL_BLOCK again = forge(&b, 1, &g, slot);
    message(&b, 2, gossip_of(&again));
    assert_true(b.seen.n_blocks == 0 && b.seen.n_sends == 0 && b.seen.n_drops == 0);
    done(&b);
}

enum bad {
    BAD_SIGNATURE,
    BAD_SIGNER,
    BAD_LEADER,
    BAD_LOSER,
    BAD_PROOF_SLOT,
    BAD_PROOF_TAIL,
    BAD_ROOT,
    BAD_VOUCHER,
    BAD_ENTROPY,
    BAD_SLOT_OF_PARENT,
    BAD_SLOT_BELOW,
    BAD_N
};
static const char *const reasons[BAD_N] = {"signature", "signature", "holds no stake", "ticket",
    "proof of leadership", "proof of leadership", "block_root", "voucher_cm", "voucher_cm", "slot", "slot"};

/* A block that is good but for one thing, and sealed again so that only that thing is wrong. */
static struct tfl_block bad_block(
    const struct bench *b, enum bad what, const struct tfl_hash *parent, uint64_t at)
{
    const struct tfl_core_params *p = &b->net.nodes[1].params;
    uint64_t slot = slot_of(b, 1, at, what == BAD_LOSER);
    struct tfl_block x;
    if (what == BAD_SLOT_BELOW || what == BAD_SLOT_OF_PARENT)
        slot = what == BAD_SLOT_BELOW ? slot_of(b, 1, 0, false) : at;
    x = forge(b, 1, parent, slot);
    struct tfl_keypair signer = p->leader;
    if (what == BAD_LEADER) {
        tfl_keypair_from_seed(&signer, (const uint8_t[32]){9});
        memcpy(x.header.leader, signer.pub, sizeof signer.pub);
    } else if (what == BAD_PROOF_SLOT) {
        tfl_lottery_prove(x.header.proof, &p->leader, p->genesis.nonce, slot_of(b, 1, slot, false));
    } else if (what == BAD_PROOF_TAIL) {
        x.header.proof[TFL_PROOF_SIZE - 1] = 1;
    } else if (what == BAD_VOUCHER) {
        x.header.voucher_cm.b[0] = 1;
    } else if (what == BAD_ENTROPY) {
        x.header.entropy.b[31] = 1;
    } else if (what == BAD_SIGNER) {
        signer = b->net.nodes[2].params.leader;
    }
    tfl_block_seal(&x, &signer);
    if (what == BAD_SIGNATURE)
        x.sig[0] ^= 1;
    if (what == BAD_ROOT)
        x.header.root.b[0] = 1;
    return x;
}

static void test_bad_blocks_of_every_sort_are_refused_and_their_sender_dropped(void **state)
{
    (void)state;
    for (enum bad what = 0; what < BAD_N; what++) {
        for (int in_answer = 0; in_answer < 2; in_answer++) {
            struct bench b;
            uint64_t slot = 0;
            setup_at(&b, 200, false);
            up(&b, 1);
            up(&b, 2);
            struct tfl_hash parent = genesis_id(&b);
            for (int i = 0; i < 3; i++)
                parent = grow(&b, 1, &parent, &slot);
            TFL_BLOCK x = bad_block(&b, what, &parent, slot);
            TFL_BUF bytes = {0}, blocks = {0};
            tfl_block_encode(&bytes, &x);
            if (in_answer) {
                message(&b, 2, tfl_wire_ping(&x.id, 9)); /* makes the core ask peer 2 */
                tfl_wire_add_item(&blocks, bytes.data, bytes.len);
                message(&b, 2, tfl_wire_blocks(&x.id, false, 1, &blocks));
            } else {
                message(&b, 2, tfl_wire_block(bytes.data, bytes.len));
            }
            assert_true(b.seen.n_blocks == 0 && b.seen.n_sends == 0);
            assert_true(b.seen.n_drops == 1 && b.seen.dropped == 2);
            assert_non_null(strstr(b.seen.reason, reasons[what]));
            assert_true(info(&b).n_refused == 1 && info(&b).height == 3 && info(&b).n_peers == 1);
            done(&b);
        }
    }
}

static void test_block_more_than_a_slot_ahead_is_not_taken_nor_held_against_its_sender(void **state)
{
    struct bench b;
    (void)state;
    setup_at(&b, 0, false);
    uint64_t slot = slot_of(&b, 1, 20, false);
    struct tfl_hash g = genesis_id(&b);
    TFL_BLOCK block = forge(&b, 1, &g, slot);
    up(&b, 1);
    b.now = slot_ns(slot - 1) - 1;
    message(&b, 1, gossip_of(&block));
    assert_true(b.seen.n_blocks == 0 && b.seen.n_drops == 0 && info(&b).n_refused == 1);
    b.now = slot_ns(slot - 1); /* just one slot ahead: a clock may differ */
    message(&b, 1, gossip_of(&block));
    assert_true(b.seen.n_blocks == 1 && info(&b).tip_slot == slot);
    done(&b);
}

static void test_first_seen_wins_a_tie_and_length_wins_after(void **state)
{
    struct bench b;
    uint64_t slot1 = 0, slot2 = 0;
    (void)state;
    setup_at(&b, 100, false);
    up(&b, 1);
    struct tfl_hash g = genesis_id(&b), first = grow(&b, 1, &g, &slot1), second = grow(&b, 2, &g, &slot2);
    struct tfl_core_info i = info(&b);
    assert_true(tfl_hash_eq(&i.tip, &first) && i.n_blocks == 3 && i.n_reorgs == 0);
    struct tfl_hash third = grow(&b, 2, &second, &slot2);
    i = info(&b);
    assert_true(tfl_hash_eq(&i.tip, &third) && i.height == 2 && i.n_reorgs == 1 && i.max_reorg_depth == 1);
    struct tfl_core_header h;
    assert_true(tfl_core_find(b.core, &first, &h) && !h.canonical);
    assert_true(tfl_core_find(b.core, &second, &h) && h.canonical && !h.final);
    done(&b);
}

static void test_lib_is_k_below_and_nothing_forks_below_it(void **state)
{
    struct bench b;
    uint64_t slots[K + 4] = {0}, slot = 0;
    struct tfl_hash ids[K + 4];
    (void)state;
    setup_at(&b, 400, false);
    up(&b, 1);
    ids[0] = genesis_id(&b);
    for (int i = 1; i < K + 4; i++) {
        ids[i] = grow(&b, 1, &ids[i - 1], &slot);
        slots[i] = slot;
        assert_int_equal(b.seen.n_finals, i > K);
        assert_true(tfl_hash_eq(&b.view.lib, &ids[i > K ? i - K : 0]));
    }
    for (int i = 0; i < 3; i++) { /* the LIB is at height 3: forks of 0, 1 and 2 come too late */
        TFL_BLOCK late = forge(&b, 2, &ids[i], slot_of(&b, 2, slots[i], false));
        message(&b, 1, gossip_of(&late));
        assert_true(b.seen.n_blocks == 0 && b.seen.n_drops == 0 && b.seen.n_sends == 0);
    }
    assert_true(info(&b).n_refused == 3);
    /* a fork right on the LIB may come, and may even win: K + 1 blocks against K */
    struct tfl_hash at = ids[3];
    slot = slots[3];
    for (int i = 0; i < K + 1; i++) {
        at = grow(&b, 2, &at, &slot);
        assert_int_equal(b.seen.n_blocks, 1);
    }
    struct tfl_core_info now = info(&b);
    assert_true(tfl_hash_eq(&now.tip, &at) && now.lib_height == 4 && now.max_reorg_depth == K);
    struct tfl_core_header h;
    assert_true(tfl_core_find(b.core, &ids[3], &h) && h.final);
    assert_true(tfl_core_find(b.core, &ids[4], &h) && !h.canonical && !h.final);
    done(&b);
}

static void test_late_ticks_do_not_lead_and_are_remembered(void **state)
{
    struct bench b;
    struct tfl_core_late late[TFL_CORE_LATE_RANGES_MAX];
    (void)state;
    setup_sure(&b);
    assert_true(info(&b).phase == TFL_CORE_AWAITING_GENESIS);
    tick(&b, slot_ns(0) - 1);
    tick(&b, slot_ns(0));
    assert_true(info(&b).n_led == 0); /* slot 0 is that of genesis */
    for (uint64_t slot = 1; slot <= 5; slot++) {
        assert_true(tfl_core_next_deadline_ns(b.core) <= slot_ns(slot));
        tick(&b, slot_ns(slot));
        assert_int_equal(b.seen.n_blocks, 1);
        tick(&b, slot_ns(slot) + 100 * NET_MS);
        assert_int_equal(b.seen.n_blocks, 0); /* once a slot */
    }
    tick(&b, slot_ns(7) - 1); /* the last moment of slot 6 */
    assert_true(b.seen.n_blocks == 1 && info(&b).n_late_slots == 0);
    tick(&b, slot_ns(10) + 1); /* 7, 8 and 9 are over */
    assert_true(b.seen.n_blocks == 1 && info(&b).tip_slot == 10 && info(&b).n_late_slots == 3);
    tick(&b, slot_ns(8)); /* time that runs backwards stands still */
    assert_true(b.seen.n_blocks == 0 && info(&b).current_slot == 10);
    tick(&b, slot_ns(12));
    assert_int_equal(tfl_core_late_slots(b.core, late), 2);
    assert_true(late[0].from == 7 && late[0].to == 9 && late[1].from == 11 && late[1].to == 11);
    for (uint64_t slot = 14; slot < 14 + 2 * 300; slot += 2)
        tick(&b, slot_ns(slot));
    assert_int_equal(tfl_core_late_slots(b.core, late), TFL_CORE_LATE_RANGES_MAX);
    assert_true(late[TFL_CORE_LATE_RANGES_MAX - 1].to == 611 && late[0].to == 611 - 2 * 255);
    assert_true(info(&b).n_late_slots == 304);
    done(&b);
}

static void test_slot_that_runs_at_the_start_is_not_led(void **state)
{
    struct bench b;
    struct tfl_error err;
    (void)state;
    setup_sure(&b);
    tfl_core_free(b.core);
    b.core = b.net.nodes[0].core = tfl_core_new(&b.net.nodes[0].params, &err);
    tfl_core_start(b.core, slot_ns(20) + 1); /* may have led 20 before it was killed */
    drain(&b);
    tick(&b, slot_ns(20) + 50 * NET_MS);
    assert_int_equal(b.seen.n_blocks, 0);
    tick(&b, slot_ns(21));
    assert_true(b.seen.n_blocks == 1 && info(&b).n_late_slots == 0);
    done(&b);
}

static void test_header_walks(void **state)
{
    struct bench b;
    struct tfl_hash ids[TFL_CORE_HEADERS_MAX], nowhere = {{1}};
    struct tfl_core_header h;
    struct tfl_error err;
    size_t n;
    (void)state;
    setup_sure(&b);
    for (uint64_t slot = 0; slot <= 600; slot++)
        tick(&b, slot_ns(slot));
    assert_int_equal(tfl_core_headers(b.core, NULL, NULL, ids, &n, &err), 0);
    assert_int_equal(n, K + 1);
    struct tfl_core_info i = info(&b);
    assert_true(tfl_hash_eq(&ids[0], &i.tip) && tfl_hash_eq(&ids[K], &i.lib));
    assert_int_equal(tfl_core_headers(b.core, NULL, &i.genesis, ids, &n, &err), 0);
    assert_int_equal(n, TFL_CORE_HEADERS_MAX);
    assert_int_equal(tfl_core_headers(b.core, &i.lib, &i.lib, ids, &n, &err), 0);
    assert_int_equal(n, 1);
    assert_int_equal(tfl_core_headers(b.core, &i.lib, &i.tip, ids, &n, &err), -1);
    assert_int_equal(err.code, TFL_E_NOT_FOUND);
    assert_int_equal(tfl_core_headers(b.core, &nowhere, NULL, ids, &n, &err), -1);
    assert_true(tfl_core_at_height(b.core, 10, &h) && tfl_core_height_at_slot(b.core, 10) == 10);
    assert_true(tfl_core_height_at_slot(b.core, 601) == 601);
    TFL_BUF bytes = {0};
    assert_int_equal(tfl_core_read(b.core, &nowhere, &bytes, &err), -1);
    done(&b);
}

static void test_parameters_out_of_bounds_are_refused(void **state)
{
    struct net net;
    struct tfl_error err = {0};
    (void)state;
    for (int i = 0; i < 6; i++) {
        net_init(&net, 1, 1, 0.5, 5);
        struct tfl_core_params *p = &net.nodes[0].params;
        p->slot_duration_ms = i == 0 ? 49 : p->slot_duration_ms;
        p->active_slot_coeff = i == 1 ? 0 : i == 2 ? 1.01 : i == 3 ? (double)NAN : 0.5;
        p->security_param = i != 4;
        p->genesis.n_stakes = i != 5;
        assert_null(tfl_core_new(p, &err));
        assert_int_equal(err.code, TFL_E_BAD_CONFIG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_block_is_stored_and_gossiped_once_and_not_back),
        cmocka_unit_test(test_bad_blocks_of_every_sort_are_refused_and_their_sender_dropped),
        cmocka_unit_test(test_block_more_than_a_slot_ahead_is_not_taken_nor_held_against_its_sender),
        cmocka_unit_test(test_first_seen_wins_a_tie_and_length_wins_after),
        cmocka_unit_test(test_lib_is_k_below_and_nothing_forks_below_it),
        cmocka_unit_test(test_late_ticks_do_not_lead_and_are_remembered),
        cmocka_unit_test(test_slot_that_runs_at_the_start_is_not_led),
        cmocka_unit_test(test_header_walks),
        cmocka_unit_test(test_parameters_out_of_bounds_are_refused),
    };
    tfl_chain_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
