#include "node/tx_index.h"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { N = 600 };

/* Few places to begin at, so that searches run into each other. */
static struct tfl_hash hash_of(uint32_t i)
{
    return (struct tfl_hash){{(uint8_t)(i % 7), 0, 0, 0, (uint8_t)i, (uint8_t)(i >> 8)}};
}

static void test_it_finds_what_was_put_and_not_removed(void **state)
{
    struct tfl_tx_index ix = {0};
    struct tfl_rng rng;
    uint32_t height, heights[N] = {0}, n = 0; /* 0: not there */
    (void)state;
    tfl_rng_init(&rng, 1, "tx_index");
    for (uint32_t step = 1; step < 6000; step++) {
        uint32_t i = (uint32_t)tfl_rng_below(&rng, N);
        struct tfl_hash h = hash_of(i);
        if (tfl_rng_below(&rng, 5) < (step < 3000 ? 3 : 1)) {
            tfl_tx_index_put(&ix, &h, step);
            n += heights[i] == 0;
            heights[i] = step;
        } else {
            tfl_tx_index_remove(&ix, &h);
            n -= heights[i] != 0;
            heights[i] = 0;
        }
        assert_int_equal(ix.n, n);
        for (uint32_t j = step % 10; j < N; j += 10) {
            h = hash_of(j);
            assert_int_equal(tfl_tx_index_find(&ix, &h, &height), heights[j] != 0);
            assert_true(heights[j] == 0 || height == heights[j]);
        }
    }
    tfl_tx_index_done(&ix);
}

static void test_empty_and_zero_are_no_special_cases(void **state)
{
    struct tfl_tx_index ix = {0};
    struct tfl_hash zero = {{0}};
    uint32_t height;
    (void)state;
    assert_false(tfl_tx_index_find(&ix, &zero, &height));
    tfl_tx_index_remove(&ix, &zero);
    tfl_tx_index_put(&ix, &zero, 0);
    assert_true(tfl_tx_index_find(&ix, &zero, &height) && height == 0);
    tfl_tx_index_remove(&ix, &zero);
    assert_false(tfl_tx_index_find(&ix, &zero, &height));
    tfl_tx_index_done(&ix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_finds_what_was_put_and_not_removed),
        cmocka_unit_test(test_empty_and_zero_are_no_special_cases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
