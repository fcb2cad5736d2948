#include "base/rng.h"

#include "base/buf.h"
#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Numbers of an independent implementation (Python: hashlib.blake2b and xoshiro256** from its paper). */
static void matches_an_independent_implementation(void **state)
{
    (void)state;
    struct tfl_rng r = {{1, 2, 3, 4}};
    static const uint64_t published[] = {11520, 0, 1509978240, 1215971899390074240};
    for (size_t i = 0; i < TFL_LEN(published); i++)
        assert_true(tfl_rng_u64(&r) == published[i]);
    static const uint64_t node_3[] = {
        0x362c1f4388dcb204, 0x5022acb45717d98f, 0x77e275c749b3f005, 0x192fbb9cad464cc9};
    tfl_rng_init(&r, 42, "node/3");
    for (size_t i = 0; i < TFL_LEN(node_3); i++)
        assert_true(tfl_rng_u64(&r) == node_3[i]);
    uint8_t bytes[32];
    char hex[65];
    tfl_seed_bytes(bytes, 42, "node/3");
    assert_string_equal(
        tfl_hex(hex, bytes, 32), "8019317b5cc2ae06478339636cf60a88b433c6a19e7bf31b4a81031c27e22b82");
}

static void names_and_seeds_give_streams_of_their_own(void **state)
{
    (void)state;
    struct tfl_rng a, b, c;
    tfl_rng_init(&a, 7, "chaos");
    tfl_rng_init(&b, 7, "chaos");
    tfl_rng_init(&c, 8, "chaos");
    uint64_t first = tfl_rng_u64(&a);
    assert_true(tfl_rng_u64(&b) == first);
    assert_true(tfl_rng_u64(&c) != first);
    tfl_rng_init(&c, 7, "chaos2");
    assert_true(tfl_rng_u64(&c) != first);
}

static void below_is_uniform_and_in_range(void **state)
{
    (void)state;
    struct tfl_rng r;
    unsigned counts[6] = {0};
    tfl_rng_init(&r, 1, "dice");
    for (int i = 0; i < 60000; i++)
        counts[tfl_rng_below(&r, 6)]++;
    for (size_t i = 0; i < 6; i++)
        assert_in_range(counts[i], 9600, 10400); /* 4 standard deviations are 365 */
    assert_true(tfl_rng_below(&r, 1) == 0);
    for (int i = 0; i < 100; i++)
        assert_true(tfl_rng_below(&r, (UINT64_C(1) << 63) + 1) <= UINT64_C(1) << 63);
}

static void unit_is_in_its_half_open_interval(void **state)
{
    (void)state;
    struct tfl_rng r;
    double sum = 0;
    tfl_rng_init(&r, 1, "unit");
    for (int i = 0; i < 10000; i++) {
        double x = tfl_rng_unit(&r);
        assert_true(x >= 0 && x < 1);
        sum += x;
    }
    assert_true(sum > 4880 && sum < 5120);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_an_independent_implementation),
        cmocka_unit_test(names_and_seeds_give_streams_of_their_own),
        cmocka_unit_test(below_is_uniform_and_in_range),
        cmocka_unit_test(unit_is_in_its_half_open_interval),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
