/* Orphans, requests for blocks and their answers. */
#include "core_bench.h"

static void test_orphan_is_kept_its_ancestors_asked_for_and_all_of_it_adopted(void **state)
{
    struct bench b;
    struct tfl_block chain[3];
    struct tfl_wire_msg m;
    struct tfl_error err;
    TFL_BUF blocks = {0}, one = {0};
    uint64_t slot = 0;
    (void)state;
    setup_at(&b, 100, false);
    up(&b, 1);
    up(&b, 2);
    for (int i = 0; i < 3; i++) {
        struct tfl_hash g = genesis_id(&b);
        slot = slot_of(&b, 1, slot, false);
        chain[i] = forge(&b, 1, i ? &chain[i - 1].id : &g, slot);
    }
    message(&b, 1, gossip_of(&chain[2]));
    assert_true(b.seen.n_blocks == 0 && b.seen.n_sends == 1 && b.seen.to[0] == 1 && info(&b).n_orphans == 1);
    assert_int_equal(tfl_wire_decode(&m, b.seen.sent[0]->data, b.seen.sent[0]->len, &err), 0);
    assert_true(m.kind == TFL_WIRE_GET_BLOCKS && tfl_hash_eq(&m.target, &chain[1].id) && m.n == 1);
    message(&b, 2, gossip_of(&chain[2])); /* peer 2 is not asked for the same */
    assert_true(b.seen.n_sends == 0 && b.seen.n_blocks == 0);
    for (int i = 0; i < 2; i++) {
        tfl_buf_clear(&one);
        tfl_block_encode(&one, &chain[i]);
        tfl_wire_add_item(&blocks, one.data, one.len);
    }
    message(&b, 1, tfl_wire_blocks(&chain[1].id, false, 2, &blocks));
    struct tfl_core_info i = info(&b);
    assert_true(b.seen.n_blocks == 3 && b.seen.n_drops == 0 && i.n_orphans == 0 && i.height == 3);
    assert_true(tfl_hash_eq(&i.tip, &chain[2].id));
    assert_true(b.seen.n_sends == 1 && b.seen.to[0] == 2); /* of the three, peer 2 is told the newest */
    done(&b);
}

static void test_orphans_are_bounded(void **state)
{
    struct bench b;
    uint64_t slot = 0;
    (void)state;
    setup_at(&b, 2000, false);
    up(&b, 1);
    for (int i = 0; i < TFL_ORPHANS_MAX + 20; i++) {
        struct tfl_hash nowhere = {{(uint8_t)i, 0xff}};
        grow(&b, 1, &nowhere, &slot);
    }
    assert_true(info(&b).n_orphans == TFL_ORPHANS_MAX && info(&b).n_blocks == 1);
    done(&b);
}

static size_t answer_of(struct bench *b, struct tfl_wire_msg *m)
{
    struct tfl_error err;
    assert_int_equal(b->seen.n_sends, 1);
    assert_int_equal(tfl_wire_decode(m, b->seen.sent[0]->data, b->seen.sent[0]->len, &err), 0);
    assert_true(m->kind == TFL_WIRE_BLOCKS);
    return m->n;
}

static void test_requests_are_answered_in_batches_parents_first(void **state)
{
    struct bench b;
    struct tfl_wire_msg m;
    struct tfl_hash nowhere = {{1}}, locator[2];
    struct tfl_core_header h;
    const uint8_t *data;
    size_t len;
    (void)state;
    setup_sure(&b);
    for (uint64_t slot = 0; slot <= 100; slot++)
        tick(&b, slot_ns(slot));
    b.now = slot_ns(100);
    up(&b, 1);
    struct tfl_hash tip = info(&b).tip;
    message(&b, 1, tfl_wire_get_blocks(&nowhere, NULL, 0));
    assert_true(answer_of(&b, &m) == 0 && !m.more);
    message(&b, 1, tfl_wire_get_blocks(&tip, &nowhere, 1)); /* no common block told: from genesis on */
    assert_true(answer_of(&b, &m) == TFL_WIRE_BATCH_BLOCKS && m.more);
    for (uint64_t height = 1; tfl_wire_next_item(&m, &data, &len); height++) {
        struct tfl_hash id;
        assert_true(tfl_block_peek_id(&id, data, len) && tfl_core_at_height(b.core, height, &h));
        assert_true(tfl_hash_eq(&id, &h.id));
    }
    assert_true(tfl_core_at_height(b.core, 90, &h));
    locator[0] = nowhere;
    locator[1] = h.id;
    message(&b, 1, tfl_wire_get_blocks(&tip, locator, 2));
    assert_true(answer_of(&b, &m) == 10 && !m.more);
    struct tfl_hash older = h.parent; /* a locator above the target does not help */
    message(&b, 1, tfl_wire_get_blocks(&older, &tip, 1));
    assert_true(answer_of(&b, &m) == TFL_WIRE_BATCH_BLOCKS && m.more);
    done(&b);
}

/* A good block of about `size` bytes. */
static struct tfl_block big_block(
    const struct bench *b, const struct tfl_hash *parent, uint64_t slot, uint32_t size)
{
    struct tfl_block x = forge(b, 1, parent, slot);
    struct tfl_hash channel = {{(uint8_t)slot, (uint8_t)(slot >> 8)}};
    TFL_FREE uint8_t *data = tfl_alloc(size);
    x.n_txs = 1;
    x.txs = tfl_alloc(sizeof *x.txs);
    tfl_inscription(&x.txs[0], NULL, &b->net.nodes[1].params.leader, &channel, NULL, data, size);
    tfl_block_seal(&x, &b->net.nodes[1].params.leader);
    return x;
}

static void test_batches_are_bounded_in_bytes_but_one_block_always_fits(void **state)
{
    const uint32_t sizes[] = {100 << 10, 100 << 10, 100 << 10, (1 << 20) - 1300};
    struct bench b;
    struct tfl_wire_msg m;
    struct tfl_hash at, locator;
    uint64_t slot = 0;
    (void)state;
    setup_at(&b, 200, false);
    up(&b, 1);
    at = genesis_id(&b);
    for (size_t i = 0; i < TFL_LEN(sizes); i++) {
        slot = slot_of(&b, 1, slot, false);
        TFL_BLOCK x = big_block(&b, &at, slot, sizes[i]);
        at = x.id;
        message(&b, 1, gossip_of(&x));
        assert_int_equal(b.seen.n_blocks, 1);
    }
    message(&b, 1, tfl_wire_get_blocks(&at, NULL, 0));
    assert_true(answer_of(&b, &m) == 2 && m.more);
    struct tfl_core_header h;
    assert_true(tfl_core_at_height(b.core, 3, &h));
    locator = h.id;
    message(&b, 1, tfl_wire_get_blocks(&at, &locator, 1));
    assert_true(answer_of(&b, &m) == 1 && !m.more && b.seen.sent[0]->len > (1 << 20) - 1300);
    done(&b);
}

static void test_answers_nobody_asked_for_are_ignored_and_broken_ones_drop_the_peer(void **state)
{
    struct bench b;
    struct tfl_hash nowhere = {{1}}, head = {{2}};
    TFL_BUF blocks = {0}, one = {0};
    (void)state;
    setup_at(&b, 100, false);
    up(&b, 1);
    TFL_BLOCK loose = forge(&b, 1, &nowhere, slot_of(&b, 1, 0, false));
    tfl_block_encode(&one, &loose);
    tfl_wire_add_item(&blocks, one.data, one.len);
    message(&b, 1, tfl_wire_blocks(&head, false, 1, &blocks));
    assert_true(b.seen.n_drops == 0 && info(&b).n_orphans == 0);
    message(&b, 1, tfl_wire_ping(&head, 7)); /* now it is asked for head */
    assert_int_equal(b.seen.n_sends, 1);
    message(&b, 1, tfl_wire_blocks(&head, false, 1, &blocks));
    assert_non_null(strstr(b.seen.reason, "do not begin"));
    done(&b);
}

static void test_peer_that_does_not_answer_is_passed_over(void **state)
{
    struct bench b;
    struct tfl_hash head = {{2}};
    struct tfl_bytes *none;
    int asked[3] = {0};
    TFL_BUF empty = {0};
    (void)state;
    setup_at(&b, 100, false);
    up(&b, 1);
    up(&b, 2);
    message(&b, 1, tfl_wire_ping(&head, 7));
    assert_true(b.seen.n_sends == 1 && b.seen.to[0] == 1);
    message(&b, 2, tfl_wire_ping(&head, 7));
    assert_int_equal(b.seen.n_sends, 0);
    for (int i = 0; i < 11; i++) { /* both live, and say nothing of blocks, for 5.5 s */
        b.now += 500 * NET_MS;
        tfl_core_heard(b.core, b.now, 1);
        tfl_core_heard(b.core, b.now, 2);
        forget(&b);
        drain(&b);
        for (size_t s = 0; s < b.seen.n_sends; s++) {
            if (b.seen.sent[s]->data[0] == TFL_WIRE_GET_BLOCKS)
                asked[b.seen.to[s]]++;
        }
    }
    assert_true(asked[1] == 0 && asked[2] == 1 && info(&b).n_dropped == 0);
    none = tfl_wire_blocks(&head, false, 0, &empty); /* "I have it not": not asked again at once */
    message(&b, 2, none);
    assert_true(b.seen.n_drops == 0);
    done(&b);
}

/* n blocks of leader i on parent, each on the one before. */
static void chain_of(
    const struct bench *b, int i, struct tfl_hash parent, uint64_t slot, struct tfl_block *out, int n)
{
    for (int j = 0; j < n; j++) {
        slot = slot_of(b, i, slot, false);
        out[j] = forge(b, i, &parent, slot);
        parent = out[j].id;
    }
}

static struct tfl_bytes *answer(
    const struct tfl_hash *target, bool more, const struct tfl_block *chain, uint16_t n)
{
    TFL_BUF blocks = {0}, one = {0};
    for (uint16_t i = 0; i < n; i++) {
        tfl_buf_clear(&one);
        tfl_block_encode(&one, &chain[i]);
        tfl_wire_add_item(&blocks, one.data, one.len);
    }
    return tfl_wire_blocks(target, more, n, &blocks);
}

static void test_orphans_are_adopted_in_whatever_order_they_came(void **state)
{
    struct bench b;
    struct tfl_block chain[4];
    (void)state;
    setup_at(&b, 100, false);
    up(&b, 1);
    chain_of(&b, 1, genesis_id(&b), 0, chain, 4);
    const int order[] = {3, 1, 2, 0};
    for (int i = 0; i < 4; i++) {
        assert_true(info(&b).height == 0);
        message(&b, 1, gossip_of(&chain[order[i]]));
    }
    assert_true(info(&b).height == 4 && info(&b).n_orphans == 0 && b.seen.n_blocks == 4);
    done(&b);
}

static void test_end_of_a_fetched_chain_is_gossiped_to_the_others(void **state)
{
    struct bench b;
    struct tfl_block chain[3];
    struct tfl_hash id;
    (void)state;
    setup_at(&b, 100, false);
    up(&b, 1);
    up(&b, 2);
    chain_of(&b, 1, genesis_id(&b), 0, chain, 3);
    message(&b, 1, tfl_wire_ping(&chain[2].id, 3));
    message(&b, 1, answer(&chain[2].id, true, chain, 2)); /* not yet the end */
    assert_true(b.seen.n_blocks == 2 && b.seen.n_sends == 1 && b.seen.to[0] == 1);
    message(&b, 1, answer(&chain[2].id, false, chain + 2, 1));
    assert_true(b.seen.n_blocks == 1 && b.seen.n_sends == 1 && b.seen.to[0] == 2);
    assert_true(tfl_block_peek_id(&id, b.seen.sent[0]->data + 1, b.seen.sent[0]->len - 1));
    assert_true(tfl_hash_eq(&id, &chain[2].id));
    done(&b);
}

static void test_asker_on_a_fork_is_answered_from_where_it_left(void **state)
{
    struct bench b;
    struct tfl_wire_msg m;
    struct tfl_block chain[4], fork[2];
    const uint8_t *data = NULL;
    size_t len = 0;
    struct tfl_hash first;
    (void)state;
    setup_at(&b, 100, false);
    up(&b, 1);
    chain_of(&b, 1, genesis_id(&b), 0, chain, 4);
    chain_of(&b, 2, chain[0].id, chain[0].header.slot, fork, 2);
    for (int i = 0; i < 4; i++)
        message(&b, 1, gossip_of(&chain[i]));
    for (int i = 0; i < 2; i++)
        message(&b, 1, gossip_of(&fork[i]));
    assert_true(info(&b).n_blocks == 7);
    const struct tfl_hash locator[] = {fork[1].id, fork[0].id, chain[0].id};
    message(&b, 1, tfl_wire_get_blocks(&chain[3].id, locator, 3));
    assert_true(answer_of(&b, &m) == 3 && tfl_wire_next_item(&m, &data, &len));
    assert_true(tfl_block_peek_id(&first, data, len) && tfl_hash_eq(&first, &chain[1].id));
    message(&b, 1, tfl_wire_get_blocks(&fork[1].id, &chain[3].id, 1)); /* a fork may be the target, too */
    assert_true(answer_of(&b, &m) == 3 && !m.more);
    done(&b);
}

static void test_peer_whose_chain_ends_below_the_lib_is_not_asked(void **state)
{
    struct bench b;
    struct tfl_hash at, unknown = {{1}};
    uint64_t slot = 0;
    (void)state;
    setup_at(&b, 200, false);
    up(&b, 1);
    at = genesis_id(&b);
    for (int i = 0; i < K + 3; i++)
        at = grow(&b, 1, &at, &slot);
    message(&b, 1, tfl_wire_ping(&unknown, 3)); /* the LIB's height */
    assert_int_equal(b.seen.n_sends, 0);
    message(&b, 1, tfl_wire_ping(&unknown, 4));
    assert_int_equal(b.seen.n_sends, 1);
    done(&b);
}

static void restart_with_a_configured_peer(struct bench *b)
{
    struct tfl_error err;
    struct net_node *node = &b->net.nodes[0];
    tfl_core_free(node->core);
    node->params.n_configured_peers = 1;
    b->core = node->core = tfl_core_new(&node->params, &err);
    assert_non_null(b->core);
    tfl_core_start(b->core, b->now);
    drain(b);
}

static void test_online_takes_a_configured_peer_and_what_it_had_when_asked(void **state)
{
    struct bench b;
    struct tfl_block chain[3];
    (void)state;
    setup_at(&b, 100, false);
    assert_true(info(&b).online); /* no peers configured */
    restart_with_a_configured_peer(&b);
    chain_of(&b, 1, genesis_id(&b), 0, chain, 3);
    up(&b, 1); /* as high as this node, but it came in by itself */
    assert_false(info(&b).online);
    tfl_core_peer_up(b.core, b.now, 2, true);
    drain(&b);
    assert_false(info(&b).online);
    hello(&b, 2, &chain[1].id, 2);
    assert_true(b.seen.n_sends == 1 && !info(&b).online);
    message(&b, 2, tfl_wire_ping(&chain[2].id, 3)); /* it has grown meanwhile */
    assert_false(info(&b).online);
    message(&b, 2, answer(&chain[1].id, false, chain, 2));
    assert_true(info(&b).online && info(&b).height == 2);
    tfl_core_peer_down(b.core, b.now, 2);
    drain(&b);
    assert_true(info(&b).online); /* for good */
    done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orphan_is_kept_its_ancestors_asked_for_and_all_of_it_adopted),
        cmocka_unit_test(test_orphans_are_bounded),
        cmocka_unit_test(test_requests_are_answered_in_batches_parents_first),
        cmocka_unit_test(test_batches_are_bounded_in_bytes_but_one_block_always_fits),
        cmocka_unit_test(test_answers_nobody_asked_for_are_ignored_and_broken_ones_drop_the_peer),
        cmocka_unit_test(test_peer_that_does_not_answer_is_passed_over),
        cmocka_unit_test(test_orphans_are_adopted_in_whatever_order_they_came),
        cmocka_unit_test(test_end_of_a_fetched_chain_is_gossiped_to_the_others),
        cmocka_unit_test(test_asker_on_a_fork_is_answered_from_where_it_left),
        cmocka_unit_test(test_peer_whose_chain_ends_below_the_lib_is_not_asked),
        cmocka_unit_test(test_online_takes_a_configured_peer_and_what_it_had_when_asked),
    };
    tfl_chain_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
