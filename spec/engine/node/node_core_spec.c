/* Whole networks of pure cores. The rules for single blocks and peers are in core_blocks_spec.c, core_peers_spec.c and core_sync_spec.c. */
#include "core_net.h"

static void three_cores(uint64_t seed, struct tfl_hash digests[3], struct tfl_core_info *info)
{
    struct net net;
    net_init(&net, 3, seed, 0.5, 12);
    net_full(&net);
    net_run_to_slot(&net, 300);
    net_settle(&net);
    net_assert_safe(&net);
    *info = net_info(&net, 0);
    for (int i = 0; i < 3; i++) {
        net_assert_chain(&net, i);
        assert_true(net_info(&net, i).n_led > 10 && net_info(&net, i).n_refused == 0);
        assert_true(net_info(&net, i).n_late_slots == 0 && net_info(&net, i).n_peers == 2);
        digests[i] = net.nodes[i].digest;
    }
    assert_true(net.n_drops == 0);
    net_done(&net);
}

static void test_three_cores_reach_one_chain_and_the_same_bytes_twice(void **state)
{
    struct tfl_hash once[3], twice[3];
    struct tfl_core_info a, b, c;
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        three_cores(seed, once, &a);
        three_cores(seed, twice, &b);
        assert_memory_equal(once, twice, sizeof once);
        assert_true(tfl_hash_eq(&a.tip, &b.tip));
        /* 300 slots at f = 0.5: 150 blocks, four deviations of 8.7 */
        assert_true(a.height > 115 && a.height < 185);
        assert_true(a.lib_height == a.height - 12);
        three_cores(seed + 100, twice, &c);
        assert_false(tfl_hash_eq(&once[0], &twice[0])); /* and the digest does see a difference */
    }
}

static void test_no_slow_link_breaks_growth_or_safety(void **state)
{
    struct net net;
    (void)state;
    net_init(&net, 4, 5, 0.5, 30);
    net.delay_max_ns = 350 * NET_MS; /* nearly two slots */
    net_full(&net);
    net_run_to_slot(&net, 300);
    net_settle(&net);
    net_assert_safe(&net);
    assert_true(net_info(&net, 0).height > 60 && net_info(&net, 0).n_reorgs > 0);
    net_done(&net);
}

/* 0-1 | 2-3: after `slots` slots apart the two sides meet again. */
static void partition(struct net *net, bool cut)
{
    for (int a = 0; a < 2; a++) {
        for (int b = 2; b < 4; b++)
            net_cut(net, a, b, cut);
    }
}

static void test_partition_heals_to_the_longer_side(void **state)
{
    struct net net;
    (void)state;
    net_init(&net, 4, 8, 0.5, 60);
    net.stakes[0].stake = 300;
    net_full(&net);
    net_run_to_slot(&net, 40);
    net_settle(&net);
    uint64_t common = net_info(&net, 0).height;
    partition(&net, true);
    net_run_to_slot(&net, 100);
    struct tfl_core_info major = net_info(&net, 1), minor = net_info(&net, 3);
    assert_true(major.height > common + 10 && minor.height > common + 3); /* both go on leading */
    assert_true(major.n_peers == 1 && minor.n_peers == 1);                /* and noticed the cut */
    partition(&net, false);
    net_run_to_slot(&net, 110);
    net_settle(&net);
    struct tfl_core_info after = net_info(&net, 3);
    struct tfl_core_header h;
    assert_true(tfl_core_find(net.nodes[3].core, &major.tip, &h) && h.canonical);
    assert_true(tfl_core_find(net.nodes[3].core, &minor.tip, &h) && !h.canonical);
    assert_true(after.max_reorg_depth >= minor.height - common && after.n_peers == 3);
    net_assert_safe(&net);
    for (int i = 0; i < 4; i++)
        net_assert_chain(&net, i);
    net_done(&net);
}

static void test_partition_longer_than_k_never_undoes_a_final_block(void **state)
{
    struct net net;
    (void)state;
    net_init(&net, 4, 9, 0.9, 5);
    net_full(&net);
    net_run_to_slot(&net, 10);
    partition(&net, true);
    net_run_to_slot(&net, 60);
    struct tfl_core_info major = net_info(&net, 0), minor = net_info(&net, 3);
    assert_false(tfl_hash_eq(&major.lib, &minor.lib));
    partition(&net, false);
    net_run_to_slot(&net, 120);
    /* each side keeps what it called final and its own chain; net_final has checked every FINAL on the way */
    struct tfl_core_header h;
    assert_true(tfl_core_find(net.nodes[0].core, &major.lib, &h) && h.final);
    assert_true(tfl_core_find(net.nodes[3].core, &minor.lib, &h) && h.final);
    assert_true(net_info(&net, 0).n_refused > 0 && net_info(&net, 3).n_refused > 0);
    assert_true(net_info(&net, 0).height > major.height && net_info(&net, 3).height > minor.height);
    net_done(&net);
}

static void test_sides_that_differ_by_several_batches_come_together(void **state)
{
    struct net net;
    (void)state;
    net_init(&net, 2, 10, 0.9, 400);
    net_connect(&net, 1, 0);
    net_boot(&net, 0);
    net_boot(&net, 1);
    net_run_to_slot(&net, 10);
    net_cut(&net, 0, 1, true);
    net_run_to_slot(&net, 260);
    uint64_t low = net_info(&net, 0).height < net_info(&net, 1).height ? net_info(&net, 0).height
                                                                       : net_info(&net, 1).height;
    assert_true(low > 2 * TFL_WIRE_BATCH_BLOCKS);
    net_cut(&net, 0, 1, false);
    net_run_to_slot(&net, 270);
    net_settle(&net);
    uint64_t a = net_info(&net, 0).max_reorg_depth, b = net_info(&net, 1).max_reorg_depth;
    assert_true((a > b ? a : b) > 2 * TFL_WIRE_BATCH_BLOCKS);
    net_done(&net);
}

static void test_late_joiner_gets_the_whole_chain_before_it_leads(void **state)
{
    struct net net;
    (void)state;
    net_init(&net, 3, 11, 0.9, 40);
    net_connect(&net, 1, 0);
    net_connect(&net, 2, 0);
    net_connect(&net, 2, 1);
    net_boot(&net, 0);
    net_boot(&net, 1);
    net_run_to_slot(&net, 400); /* about 290 blocks: several batches of 64 */
    assert_true(net_info(&net, 0).height > 4 * TFL_WIRE_BATCH_BLOCKS);
    net_boot(&net, 2);
    assert_false(net_info(&net, 2).online);
    assert_true(net_info(&net, 2).phase == TFL_CORE_SYNCING);
    net_run_ms(&net, 1500);
    assert_true(net_info(&net, 2).online && net_info(&net, 2).phase == TFL_CORE_FOLLOWING);
    net_settle(&net);
    net_run_to_slot(&net, 450);
    net_settle(&net);
    assert_true(net_info(&net, 2).n_led > 5);
    net_assert_chain(&net, 2);
    net_assert_safe(&net);
    assert_true(net.n_drops == 0);
    net_done(&net);
}

static void test_node_that_came_back_and_dials_nobody_waits_for_who_dials_it(void **state)
{
    struct net net;
    (void)state;
    net_init(&net, 2, 13, 0.9, 40);
    net.nodes[0].params.bootstrap_ms = 3000;
    net_connect(&net, 1, 0);
    net_boot(&net, 0);
    assert_true(net_info(&net, 0).online); /* it has no blocks: the network may begin with it */
    net_boot(&net, 1);
    net_run_to_slot(&net, 40);
    for (int dialled = 0; dialled < 2; dialled++) {
        net_halt(&net, 0);
        net_cut(&net, 0, 1, true);
        net_boot(&net, 0);
        net_run_ms(&net, 2500);
        assert_true(!net_info(&net, 0).online && net_info(&net, 0).n_led == 0);
        if (dialled)
            net_cut(&net, 0, 1, false);
        net_run_ms(&net, 490);
        assert_true(net_info(&net, 0).online == dialled);
        net_run_ms(&net, 1000);
        assert_true(net_info(&net, 0).online && net_info(&net, 0).n_led > 0);
        net_cut(&net, 0, 1, false);
    }
    net_settle(&net);
    net_assert_safe(&net);
    net_done(&net);
}

static void test_node_alone_with_its_peers_away_never_leads(void **state)
{
    struct net net;
    (void)state;
    net_init(&net, 2, 12, 0.9, 10);
    net_connect(&net, 1, 0);
    net_boot(&net, 1); /* 0 never comes */
    net_run_to_slot(&net, 50);
    assert_true(net_info(&net, 1).n_led == 0 && net_info(&net, 1).height == 0 && !net_info(&net, 1).online);
    assert_true(net_info(&net, 1).n_late_slots == 0);
    net_boot(&net, 0); /* has no configured peers: leads, and 1 follows */
    net_run_to_slot(&net, 100);
    net_settle(&net);
    assert_true(net_info(&net, 1).online && net_info(&net, 1).n_led > 0);
    net_done(&net);
}

static void test_restarted_node_has_its_chain_and_catches_up(void **state)
{
    struct net net;
    (void)state;
    net_init(&net, 3, 13, 0.5, 12);
    net_full(&net);
    net_run_to_slot(&net, 100);
    net_settle(&net);
    struct tfl_core_info before = net_info(&net, 2);
    net_halt(&net, 2);
    net_boot(&net, 2);
    struct tfl_core_info after = net_info(&net, 2);
    assert_true(tfl_hash_eq(&before.tip, &after.tip) && tfl_hash_eq(&before.lib, &after.lib));
    assert_true(before.n_blocks == after.n_blocks && after.height == before.height);
    net_halt(&net, 2);
    net_run_to_slot(&net, 250);
    net_boot(&net, 2);
    net_run_to_slot(&net, 260);
    net_settle(&net);
    for (int i = 0; i < 3; i++)
        net_assert_chain(&net, i);
    net_assert_safe(&net);
    assert_true(net_info(&net, 2).n_refused == 0);
    net_done(&net);
}

/* Killed with the end of the store lost, as after a crash of the host: any prefix is a good chain. */
static void test_any_prefix_of_the_store_is_a_valid_start(void **state)
{
    struct net net;
    (void)state;
    net_init(&net, 2, 14, 0.9, 6);
    net_connect(&net, 1, 0);
    net_boot(&net, 0);
    net_boot(&net, 1);
    net_run_to_slot(&net, 60);
    net_halt(&net, 1);
    while (net.nodes[1].store.n > 0) {
        struct net_node *node = &net.nodes[1];
        tfl_bytes_unref(node->store.blocks[--node->store.n]);
        net_boot(&net, 1);
        assert_true(net_info(&net, 1).n_blocks == node->store.n + 1);
        net_assert_chain(&net, 1);
        net_halt(&net, 1);
    }
    net_done(&net);
}

static void test_restore_refuses_what_is_no_prefix(void **state)
{
    struct net net;
    struct tfl_error err;
    (void)state;
    net_init(&net, 1, 15, 0.9, 6);
    net_boot(&net, 0);
    net_run_to_slot(&net, 30);
    struct net_store *s = &net.nodes[0].store;
    struct tfl_core *core = tfl_core_new(&net.nodes[0].params, &err);
    assert_int_equal(tfl_core_restore(core, s->blocks[1]->data, s->blocks[1]->len, &err), -1);
    assert_non_null(strstr(err.msg, "its parent"));
    assert_int_equal(tfl_core_restore(core, s->blocks[0]->data, s->blocks[0]->len, &err), 0);
    assert_int_equal(tfl_core_restore(core, s->blocks[0]->data, s->blocks[0]->len, &err), -1);
    assert_int_equal(tfl_core_restore(core, s->blocks[1]->data, s->blocks[1]->len - 1, &err), -1);
    assert_int_equal(err.code, TFL_E_INVALID);
    tfl_core_free(core);
    net_done(&net);
}

static void test_silent_peer_is_dropped_within_two_seconds(void **state)
{
    struct net net;
    (void)state;
    net_init(&net, 2, 16, 0.5, 12);
    net_connect(&net, 1, 0);
    net_boot(&net, 0);
    net_boot(&net, 1);
    net_run_ms(&net, 3210);
    assert_true(net_info(&net, 0).n_peers == 1);
    net_cut(&net, 0, 1, true);
    net_run_ms(&net, 1000);
    assert_true(net_info(&net, 0).n_peers == 1); /* not before it is sure */
    net_run_ms(&net, 1000);
    assert_true(net_info(&net, 0).n_peers == 0 && net_info(&net, 1).n_peers == 0);
    assert_true(net_info(&net, 1).online); /* which it stays: both sides of a partition go on */
    net_done(&net);
}

static void test_paused_node_blames_nobody_and_catches_up(void **state)
{
    struct net net;
    (void)state;
    net_init(&net, 3, 17, 0.5, 20);
    net_full(&net);
    net_run_to_slot(&net, 50);
    uint64_t led = net_info(&net, 2).n_led;
    net.nodes[2].paused_until = net.now + 1100 * NET_MS; /* too short for the others to drop it */
    net_run_ms(&net, 1099);
    assert_true(net_info(&net, 2).n_led == led);
    net_run_ms(&net, 500);
    struct tfl_core_info info = net_info(&net, 2);
    struct tfl_core_late late[TFL_CORE_LATE_RANGES_MAX];
    assert_true(net.n_drops == 0 && info.n_dropped == 0);
    assert_int_equal(tfl_core_late_slots(net.nodes[2].core, late), 1);
    assert_true(
        late[0].from == 51 && info.n_late_slots == late[0].to - late[0].from + 1 && info.n_late_slots == 5);
    net_settle(&net);
    net_done(&net);
}

/* 0 - 1 - 2 - 3: blocks pass through, each block once over each link and never back. */
static void test_gossip_passes_a_chain_of_nodes_once(void **state)
{
    struct net net;
    (void)state;
    net_init(&net, 4, 21, 0.3, 20);
    for (int i = 1; i < 4; i++) {
        net_connect(&net, i, i - 1);
        net.nodes[i].params.test.no_lead = true;
    }
    for (int i = 0; i < 4; i++)
        net_boot(&net, i);
    net_run_to_slot(&net, 100);
    net_settle(&net);
    assert_true(net_info(&net, 3).height > 5);
    for (int i = 0; i < 4; i++)
        assert_true(net_info(&net, i).n_blocks == net_info(&net, 0).n_led + 1);
    assert_true(net.n_gossip == 3 * net_info(&net, 0).n_led);
    net_done(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_three_cores_reach_one_chain_and_the_same_bytes_twice),
        cmocka_unit_test(test_no_slow_link_breaks_growth_or_safety),
        cmocka_unit_test(test_partition_heals_to_the_longer_side),
        cmocka_unit_test(test_partition_longer_than_k_never_undoes_a_final_block),
        cmocka_unit_test(test_sides_that_differ_by_several_batches_come_together),
        cmocka_unit_test(test_late_joiner_gets_the_whole_chain_before_it_leads),
        cmocka_unit_test(test_node_that_came_back_and_dials_nobody_waits_for_who_dials_it),
        cmocka_unit_test(test_node_alone_with_its_peers_away_never_leads),
        cmocka_unit_test(test_restarted_node_has_its_chain_and_catches_up),
        cmocka_unit_test(test_any_prefix_of_the_store_is_a_valid_start),
        cmocka_unit_test(test_restore_refuses_what_is_no_prefix),
        cmocka_unit_test(test_silent_peer_is_dropped_within_two_seconds),
        cmocka_unit_test(test_paused_node_blames_nobody_and_catches_up),
        cmocka_unit_test(test_gossip_passes_a_chain_of_nodes_once),
    };
    tfl_chain_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
