/* What holds for every net of cores, whatever happened. Included by core_net.h. */
#ifndef SPEC_NODE_CORE_ASSERTS_H
#define SPEC_NODE_CORE_ASSERTS_H

/* The longest final prefix is the same for all. */
static inline void net_assert_safe(const struct net *net)
{
    for (int i = 1; i < net->n; i++) {
        for (uint64_t h = 0; h < net->nodes[0].n_finals && h < net->nodes[i].n_finals; h++)
            assert_true(tfl_hash_eq(&net->nodes[0].finals[h], &net->nodes[i].finals[h]));
    }
}

/* Every stored block is there once; the main chain links, rises in slots and is readable from genesis to the tip. */
static inline void net_assert_chain(const struct net *net, int i)
{
    const struct tfl_core *core = net->nodes[i].core;
    struct tfl_core_info info = net_info(net, i);
    struct tfl_core_header before = {0}, h;
    assert_true(info.n_blocks == net->nodes[i].store.n + 1);
    for (uint64_t height = 0; height <= info.height; height++) {
        TFL_BUF bytes = {0};
        TFL_BLOCK b = {0};
        struct tfl_error err;
        assert_true(tfl_core_at_height(core, height, &h));
        assert_true(h.canonical && h.height == height && h.final == (height <= info.lib_height));
        assert_true(tfl_hash_eq(&h.parent, &before.id) && (height == 0 || h.slot > before.slot));
        assert_int_equal(tfl_core_read(core, &h.id, &bytes, &err), 0);
        assert_int_equal(tfl_block_decode(&b, bytes.data, bytes.len, &err), 0);
        assert_true(
            tfl_hash_eq(&b.id, &h.id) && tfl_hash_eq(&b.header.parent, &h.parent) && b.header.slot == h.slot);
        assert_true(tfl_core_height_at_slot(core, h.slot) == height);
        before = h;
    }
    assert_true(tfl_hash_eq(&before.id, &info.tip));
    assert_false(tfl_core_at_height(core, info.height + 1, &h));
}

#endif
