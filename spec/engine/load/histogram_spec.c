#include "load/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct tfl_histogram h;

static int fresh(void **state)
{
    (void)state;
    memset(&h, 0, sizeof h);
    return 0;
}

static void nothing_has_no_quantile(void **state)
{
    (void)state;
    assert_int_equal(tfl_histogram_quantile(&h, 0.5), -1);
}

static void small_values_are_exact(void **state)
{
    (void)state;
    for (int i = 1; i <= 100; i++)
        tfl_histogram_add(&h, i);
    assert_int_equal(tfl_histogram_quantile(&h, 0.5), 50);
    assert_int_equal(tfl_histogram_quantile(&h, 0.95), 95);
    assert_int_equal(tfl_histogram_quantile(&h, 0.99), 99);
    assert_int_equal(tfl_histogram_quantile(&h, 1), 100);
    assert_int_equal(tfl_histogram_quantile(&h, 0), 1);
    assert_int_equal(h.n, 100);
    assert_int_equal(h.sum, 5050);
}

/* Against the sorted samples themselves, over ten orders of magnitude. */
static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void quantiles_are_within_a_hundredth(void **state)
{
    enum { N = 20000 };
    static int64_t all[N];
    uint64_t x = 88172645463325252u;
    (void)state;
    for (int i = 0; i < N; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        all[i] = (int64_t)((x >> 22) >> (x % 34));
        tfl_histogram_add(&h, all[i]);
    }
    qsort(all, N, sizeof *all, by_value);
    for (int q = 1; q <= 1000; q++) {
        int64_t exact = all[(q * N + 999) / 1000 - 1], seen = tfl_histogram_quantile(&h, q / 1000.0);
        int64_t off = seen > exact ? seen - exact : exact - seen;
        assert_true((double)off <= 0.008 * (double)exact);
    }
    assert_int_equal(h.min, all[0]);
    assert_int_equal(h.max, all[N - 1]);
    assert_int_equal(tfl_histogram_quantile(&h, 1), all[N - 1]);
}

static void the_ends_of_the_range_hold(void **state)
{
    (void)state;
    tfl_histogram_add(&h, -5);
    assert_int_equal(tfl_histogram_quantile(&h, 0.5), 0);
    tfl_histogram_add(&h, INT64_MAX);
    assert_int_equal(tfl_histogram_quantile(&h, 1), TFL_HISTOGRAM_MAX);
    assert_int_equal(h.counts[TFL_HISTOGRAM_BUCKETS - 1], 1); /* the last bucket is used, and none beyond */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_has_no_quantile, fresh),
        cmocka_unit_test_setup(small_values_are_exact, fresh),
        cmocka_unit_test_setup(quantiles_are_within_a_hundredth, fresh),
        cmocka_unit_test_setup(the_ends_of_the_range_hold, fresh),
    };
    return cmocka_run_group_tests_name("load.histogram", tests, NULL, NULL);
}
