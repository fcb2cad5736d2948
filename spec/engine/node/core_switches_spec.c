/* The switches of struct tfl_core_test: bad nodes for the failure specs of tfl. */
#include "core_net.h"

static void test_leaders_off_means_no_growth(void **state)
{
    struct net net;
    (void)state;
    net_init(&net, 3, 18, 0.9, 12);
    for (int i = 0; i < 3; i++)
        net.nodes[i].params.test.lead_until_slot = 40;
    net_full(&net);
    net_run_to_slot(&net, 60);
    net_settle(&net);
    struct tfl_core_info info = net_info(&net, 0);
    assert_true(info.height > 20 && info.tip_slot < 40);
    net_run_to_slot(&net, 120);
    assert_true(net_info(&net, 0).height == info.height);
    net_done(&net);

    net_init(&net, 3, 18, 0.9, 12);
    for (int i = 0; i < 3; i++)
        net.nodes[i].params.test.no_lead = true;
    net_full(&net);
    net_run_to_slot(&net, 60);
    assert_true(net_info(&net, 0).height == 0);
    net_done(&net);
}

static void test_deaf_node_stays_connected_and_falls_behind(void **state)
{
    struct net net;
    (void)state;
    net_init(&net, 3, 19, 0.5, 20);
    net.nodes[2].params.test.deaf_from_slot = 50;
    net_full(&net);
    net_run_to_slot(&net, 150);
    struct tfl_core_info deaf = net_info(&net, 2), other = net_info(&net, 0);
    assert_true(deaf.tip_slot <= 50 && other.tip_slot > 140 && other.height > deaf.height + 20);
    assert_true(net.n_drops == 0 && other.n_peers == 2);
    net_done(&net);
}

static void test_building_on_genesis_makes_forks_only(void **state)
{
    struct net net;
    (void)state;
    net_init(&net, 3, 20, 0.5, 20);
    for (int i = 0; i < 3; i++)
        net.nodes[i].params.test.build_on_genesis = true;
    net_full(&net);
    net_run_to_slot(&net, 100);
    for (int i = 0; i < 3; i++) {
        assert_true(net_info(&net, i).height == 1 && net_info(&net, i).n_blocks > 30);
        assert_true(net_info(&net, i).lib_height == 0);
    }
    net_done(&net);

    net_init(&net, 3, 20, 0.5, 20); /* one such node among honest ones is outgrown, then refused */
    net.nodes[2].params.test.build_on_genesis = true;
    net_full(&net);
    net_run_to_slot(&net, 200);
    assert_true(net_info(&net, 0).height > 40 && net_info(&net, 0).lib_height > 0);
    net_settle(&net);
    net_assert_safe(&net);
    assert_true(net.n_drops == 0);
    net_done(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leaders_off_means_no_growth),
        cmocka_unit_test(test_deaf_node_stays_connected_and_falls_behind),
        cmocka_unit_test(test_building_on_genesis_makes_forks_only),
    };
    tfl_chain_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
