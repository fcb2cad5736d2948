/* Random trouble from a seed: links cut and healed, nodes paused, killed and started again, some of them with the end of
 * their store lost. Whatever happens, no final block is undone and all nodes come together when it ends. */
#include "core_net.h"

#define NODES 5

static void anyone_up(struct net *net)
{
    for (int i = 0; i < net->n; i++) {
        if (!net->nodes[i].core)
            net_boot(net, i);
    }
}

/* The last blocks were not yet on disk; finals they made are made again after the restart. */
static void lose_the_end(struct net *net, int i, uint64_t n)
{
    struct net_node *node = &net->nodes[i];
    while (n-- > 0 && node->store.n > 0)
        tfl_bytes_unref(node->store.blocks[--node->store.n]);
    struct tfl_error err;
    struct tfl_core_info info;
    struct tfl_core *core = tfl_core_new(&node->params, &err);
    for (size_t b = 0; b < node->store.n; b++)
        assert_int_equal(
            tfl_core_restore(core, node->store.blocks[b]->data, node->store.blocks[b]->len, &err), 0);
    tfl_core_info(core, &info);
    assert_true(info.lib_height <= node->n_finals);
    node->n_finals = info.lib_height;
    tfl_core_free(core);
}

static void trouble(struct net *net, struct tfl_rng *rng)
{
    int i = (int)tfl_rng_below(rng, NODES), j = (int)tfl_rng_below(rng, NODES);
    switch (tfl_rng_below(rng, 6)) {
    case 0:
        net_cut(net, i, j, true);
        break;
    case 1:
        for (j = 0; j < NODES; j++)
            net_cut(net, i, j, true);
        break;
    case 2:
    case 3:
        for (j = 0; j < NODES; j++)
            net_cut(net, i, j, false);
        break;
    case 4:
        if (net->nodes[i].core)
            net->nodes[i].paused_until = net->now + (int64_t)tfl_rng_below(rng, 3000) * NET_MS;
        break;
    default:
        if (net->nodes[i].core) {
            net_halt(net, i);
            net->nodes[i].paused_until = 0;
            if (tfl_rng_below(rng, 2))
                lose_the_end(net, i, tfl_rng_below(rng, 4));
        } else {
            net_boot(net, i);
        }
    }
}

/* The tip they agree on in the end; *deepest is raised to the deepest reorganisation on the way. */
static struct tfl_hash run(uint64_t seed, uint64_t *deepest)
{
    struct net net;
    struct tfl_rng rng;
    net_init(&net, NODES, seed, 0.5, 100);
    tfl_rng_init(&rng, seed, "trouble");
    for (int i = 1; i < NODES; i++) {
        for (int j = 0; j < i; j++)
            net_connect(&net, i, j);
    }
    anyone_up(&net);
    for (uint64_t slot = 10; slot < 800; slot += 1 + tfl_rng_below(&rng, 10)) {
        net_run_to_slot(&net, slot);
        for (int i = 0; i < NODES; i++) {
            uint64_t depth = net.nodes[i].core ? net_info(&net, i).max_reorg_depth : 0;
            *deepest = depth > *deepest ? depth : *deepest;
        }
        trouble(&net, &rng);
    }
    anyone_up(&net);
    for (int i = 0; i < NODES; i++) {
        for (int j = 0; j < i; j++)
            net_cut(&net, i, j, false);
    }
    net_run_to_slot(&net, 830);
    net_settle(&net);
    net_assert_safe(&net);
    assert_true(net_info(&net, 0).height > 101 && net_info(&net, 0).n_peers == NODES - 1);
    struct tfl_hash tip = net_info(&net, 0).tip;
    for (int i = 0; i < NODES; i++) {
        net_assert_chain(&net, i);
        assert_true(net_info(&net, i).lib_height > 0 && net_info(&net, i).n_orphans == 0);
    }
    net_done(&net);
    return tip;
}

static void test_no_trouble_undoes_a_final_block_or_keeps_nodes_apart(void **state)
{
    (void)state;
    uint64_t deepest = 0;
    for (uint64_t seed = 1; seed <= 8; seed++)
        run(seed, &deepest);
    assert_true(deepest >= 10); /* else there was no trouble to speak of */
}

static void test_one_seed_is_one_history(void **state)
{
    (void)state;
    uint64_t deepest = 0;
    struct tfl_hash once = run(1, &deepest), again = run(1, &deepest), other = run(2, &deepest);
    assert_true(tfl_hash_eq(&once, &again) && !tfl_hash_eq(&once, &other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_trouble_undoes_a_final_block_or_keeps_nodes_apart),
        cmocka_unit_test(test_one_seed_is_one_history),
    };
    tfl_chain_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
