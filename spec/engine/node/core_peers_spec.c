/* Messages, handshake and connections of a core. */
#include "core_bench.h"

static void test_bytes_that_are_no_block_or_message_drop_the_peer(void **state)
{
    const struct {
        const char *bytes;
        size_t len;
        const char *reason;
    } cases[] = {{"\x03", 1, "block"}, {"\x03xyz", 4, "block"}, {"\x09", 1, "kind 9"}, {"\x00", 1, "kind 0"},
        {"", 0, "0 bytes"}, {"\x02\x01", 2, "too early"}, {"\x04\x01", 2, "too early"},
        {"\x05\x01", 2, "too early"}};
    (void)state;
    for (size_t i = 0; i < TFL_LEN(cases); i++) {
        struct bench b;
        setup_at(&b, 10, false);
        up(&b, 1);
        message(&b, 1, tfl_bytes_new(cases[i].bytes, cases[i].len));
        assert_int_equal(b.seen.n_drops, 1);
        assert_non_null(strstr(b.seen.reason, cases[i].reason));
        message(&b, 1, tfl_bytes_new("\x09", 1)); /* its handle is dead */
        assert_int_equal(b.seen.n_drops, 0);
        done(&b);
    }
}

static void test_handshake_is_judged(void **state)
{
    struct bench b;
    struct tfl_hash other = {{1}};
    uint8_t node[32] = {5};
    (void)state;
    setup_at(&b, 10, false);
    struct tfl_hash g = genesis_id(&b);
    const struct {
        struct tfl_bytes *bytes;
        const char *reason;
    } cases[] = {{tfl_wire_hello(&other, node, &other, 0), "another chain"},
        {tfl_wire_hello(&g, b.net.nodes[0].params.node, &g, 0), "this node itself"},
        {tfl_wire_ping(&g, 0), "before its hello"}, {tfl_bytes_new("\x01\x07\x00", 3), "protocol version 7"},
        {tfl_bytes_new("\x01\x02\x00", 3), "too early"}};
    for (size_t i = 0; i < TFL_LEN(cases); i++) {
        tfl_core_peer_up(b.core, b.now, i + 10, true);
        drain(&b);
        message(&b, i + 10, cases[i].bytes);
        assert_true(b.seen.n_drops == 1 && b.seen.dropped == i + 10);
        assert_non_null(strstr(b.seen.reason, cases[i].reason));
    }
    assert_true(info(&b).n_connections == 0 && info(&b).n_dropped == TFL_LEN(cases));
    up(&b, 1);
    hello(&b, 1, NULL, 0);
    assert_non_null(strstr(b.seen.reason, "hello twice"));
    done(&b);
}

static void test_two_connections_to_one_node_are_one_peer(void **state)
{
    struct bench b;
    uint8_t node[32] = {5};
    (void)state;
    setup_at(&b, 10, false);
    struct tfl_hash g = genesis_id(&b);
    for (uint64_t peer = 1; peer <= 3; peer++) {
        tfl_core_peer_up(b.core, b.now, peer, false);
        drain(&b);
        node[0] = peer == 3 ? 6 : 5;
        message(&b, peer, tfl_wire_hello(&g, node, &g, 0));
    }
    assert_true(info(&b).n_connections == 3 && info(&b).n_peers == 2);
    tfl_core_peer_down(b.core, b.now, 1);
    drain(&b);
    assert_true(info(&b).n_connections == 2 && info(&b).n_peers == 2);
    tfl_core_peer_down(b.core, b.now, 2);
    tfl_core_peer_down(b.core, b.now, 2);
    drain(&b);
    assert_true(info(&b).n_connections == 1 && info(&b).n_peers == 1);
    struct tfl_core_peer peers[4];
    assert_int_equal(tfl_core_peers(b.core, peers, 4), 1);
    assert_true(peers[0].peer == 3 && peers[0].hello && peers[0].node[0] == 6);
    done(&b);
}

static void test_connections_are_bounded(void **state)
{
    struct bench b;
    (void)state;
    setup_at(&b, 10, false);
    for (uint64_t peer = 1; peer <= TFL_CORE_PEERS_MAX + 1; peer++) {
        forget(&b);
        tfl_core_peer_up(b.core, b.now, peer, false);
        drain(&b);
        assert_int_equal(b.seen.n_drops, peer > TFL_CORE_PEERS_MAX);
    }
    assert_true(info(&b).n_connections == TFL_CORE_PEERS_MAX);
    done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_that_are_no_block_or_message_drop_the_peer),
        cmocka_unit_test(test_handshake_is_judged),
        cmocka_unit_test(test_two_connections_to_one_node_are_one_peer),
        cmocka_unit_test(test_connections_are_bounded),
    };
    tfl_chain_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
