#include "base/error.h"
#include "base/rng.h"
#include "node/chain_index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct tfl_hash id_of(uint32_t i)
{
    return tfl_hash_of("block", &(struct tfl_span){&i, sizeof i}, 1);
}

/* The same rules written without any index: parents in an array, every question answered by walking. */
struct model {
    uint32_t parent[2000], height[2000], n, tip, lib, k;
};

static uint32_t walk(const struct model *m, uint32_t i, uint32_t height)
{
    while (m->height[i] > height)
        i = m->parent[i];
    return i;
}

static bool model_open(const struct model *m, uint32_t i)
{
    return m->height[i] >= m->height[m->lib] && walk(m, i, m->height[m->lib]) == m->lib;
}

static void model_add(struct model *m, uint32_t parent)
{
    uint32_t i = m->n++;
    m->parent[i] = parent;
    m->height[i] = m->height[parent] + 1;
    if (m->height[i] > m->height[m->tip])
        m->tip = i;
    m->lib = walk(m, m->tip, m->height[m->tip] > m->k ? m->height[m->tip] - m->k : 0);
}

static void compare(const struct model *m, const struct tfl_index *ix, struct tfl_rng *rng)
{
    assert_true(ix->tip == m->tip && ix->lib == m->lib && ix->n == m->n);
    uint32_t a = (uint32_t)tfl_rng_below(rng, m->n), height = (uint32_t)tfl_rng_below(rng, m->height[a] + 1);
    struct tfl_hash id = id_of(a), unknown = id_of(1u << 30);
    assert_true(tfl_index_find(ix, &id) == a && tfl_index_find(ix, &unknown) == TFL_INDEX_NONE);
    assert_true(tfl_index_ancestor(ix, a, height) == walk(m, a, height));
    assert_true(tfl_index_open(ix, a) == model_open(m, a));
    assert_true(tfl_index_canonical(ix, a) ==
                (m->height[a] <= m->height[m->tip] && walk(m, m->tip, m->height[a]) == a));
}

static void test_index_agrees_with_a_model_on_random_trees(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        static struct model m;
        struct tfl_index ix;
        struct tfl_rng rng;
        struct tfl_hash id = id_of(0);
        uint32_t reorgs = 0, refused = 0;
        tfl_rng_init(&rng, seed, "index");
        m = (struct model){.n = 1, .k = 1 + (uint32_t)(seed % 7)};
        tfl_index_init(&ix, &id, m.k);
        while (m.n < 1000) {
            /* mostly on one of the newest blocks, now and then on any */
            uint32_t near = m.n < 5 ? m.n : 5, parent = m.n - 1 - (uint32_t)tfl_rng_below(&rng, near), reorg;
            if (tfl_rng_below(&rng, 10) == 0)
                parent = (uint32_t)tfl_rng_below(&rng, m.n);
            if (!model_open(&m, parent)) {
                assert_false(tfl_index_open(&ix, parent));
                refused++;
                continue;
            }
            id = id_of(m.n);
            uint32_t old = m.tip,
                     i = tfl_index_add(&ix, &id, parent, ix.entries[parent].slot + 1 + m.n % 3, &reorg);
            model_add(&m, parent);
            assert_true(i == m.n - 1 && ix.entries[i].height == m.height[i]);
            uint32_t kept = m.height[old];
            while (walk(&m, m.tip, kept) != walk(&m, old, kept))
                kept--;
            assert_true(reorg == m.height[old] - kept && reorg <= m.k);
            reorgs += reorg > 0;
            compare(&m, &ix, &rng);
        }
        assert_true(reorgs > 0 && refused > 0);
        tfl_index_done(&ix);
    }
}

static void build(struct tfl_index *ix, uint32_t n)
{
    struct tfl_hash id = id_of(0);
    uint32_t reorg;
    tfl_index_init(ix, &id, 10);
    for (uint32_t i = 1; i <= n; i++) {
        id = id_of(i);
        assert_true(tfl_index_add(ix, &id, i - 1, 3 * i, &reorg) == i && reorg == 0);
    }
}

static void test_heights_of_slots(void **state)
{
    struct tfl_index ix;
    (void)state;
    build(&ix, 100);
    assert_int_equal(tfl_index_height_at_slot(&ix, 0), 0);
    assert_int_equal(tfl_index_height_at_slot(&ix, 1), 1);
    assert_int_equal(tfl_index_height_at_slot(&ix, 3), 1);
    assert_int_equal(tfl_index_height_at_slot(&ix, 4), 2);
    assert_int_equal(tfl_index_height_at_slot(&ix, 300), 100);
    assert_int_equal(tfl_index_height_at_slot(&ix, 301), 101);
    assert_int_equal(tfl_index_height_at_slot(&ix, UINT64_MAX), 101);
    tfl_index_done(&ix);
}

static void test_locator_goes_back_to_genesis_in_few_steps(void **state)
{
    struct tfl_index ix;
    struct tfl_hash ids[40];
    (void)state;
    build(&ix, 10000);
    uint16_t n = tfl_index_locator(&ix, 10000, ids, TFL_LEN(ids));
    assert_true(n > 10 && n < 20);
    assert_true(tfl_hash_eq(&ids[0], &ix.entries[10000].id) && tfl_hash_eq(&ids[1], &ix.entries[9999].id));
    assert_true(tfl_hash_eq(&ids[n - 1], &ix.entries[0].id));
    for (uint16_t i = 1; i < n; i++)
        assert_true(tfl_index_find(&ix, &ids[i]) < tfl_index_find(&ix, &ids[i - 1]));
    assert_int_equal(tfl_index_locator(&ix, 0, ids, TFL_LEN(ids)), 1);
    tfl_index_done(&ix);
}

static void test_ten_thousand_blocks_take_little_memory(void **state)
{
    struct tfl_index ix;
    (void)state;
    build(&ix, 10000);
    size_t bytes =
        ix.cap * sizeof *ix.entries + ix.table_size * sizeof *ix.table + ix.main_cap * sizeof *ix.main;
    assert_true(bytes < 10000 * 110);
    tfl_index_done(&ix);
}

static void test_what_is_condemned_is_never_built_on(void **state)
{
    struct tfl_index ix;
    struct tfl_hash ids[8];
    uint32_t reorg;
    (void)state;
    for (int i = 0; i < 8; i++)
        ids[i] = (struct tfl_hash){{(uint8_t)(i + 1)}};
    tfl_index_init(&ix, &ids[0], 5);
    /* 0 - 1 - 2 is the chain, 0 - 3 - 4 and 0 - 5 are forks */
    static const uint32_t parents[] = {0, 0, 1, 0, 3, 0};
    for (uint32_t i = 1; i < 6; i++)
        assert_int_equal(tfl_index_add(&ix, &ids[i], parents[i], 10 * i, &reorg), i);
    assert_true(ix.tip == 2 && tfl_index_leads(&ix, 4) && !tfl_index_leads(&ix, 5));
    tfl_index_condemn(&ix, 3);
    assert_true(!tfl_index_open(&ix, 3) && !tfl_index_open(&ix, 4) && tfl_index_open(&ix, 5));
    assert_true(tfl_index_open(&ix, 2) && ix.tip == 2 && ix.entries[4].height == 2);
    tfl_index_done(&ix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_index_agrees_with_a_model_on_random_trees),
        cmocka_unit_test(test_heights_of_slots),
        cmocka_unit_test(test_locator_goes_back_to_genesis_in_few_steps),
        cmocka_unit_test(test_ten_thousand_blocks_take_little_memory),
        cmocka_unit_test(test_what_is_condemned_is_never_built_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
