#ifndef TFL_LOAD_HISTOGRAM_H
#define TFL_LOAD_HISTOGRAM_H

#include <stdint.h>

/* Durations in log-linear buckets: 128 for each power of two, so that a quantile is at most 0.8 % off. Exact below 128 ns;
 * what is negative counts as 0, what is above TFL_HISTOGRAM_MAX as that. Zero-initialised is empty. */
#define TFL_HISTOGRAM_MAX ((INT64_C(1) << 43) - 1) /* nanoseconds: 2.4 hours */
enum { TFL_HISTOGRAM_HALF = 128, TFL_HISTOGRAM_BUCKETS = (43 - 7 + 1) * TFL_HISTOGRAM_HALF };

struct tfl_histogram {
    uint64_t n;
    int64_t min, max; /* nanoseconds, exact; meaningless while n is 0 */
    double sum;       /* nanoseconds */
    uint32_t counts[TFL_HISTOGRAM_BUCKETS];
};

void tfl_histogram_add(struct tfl_histogram *h, int64_t ns);
/* The least value (to the bucket's width, never outside min and max) that q of the samples, 0 to 1, do not exceed; −1
 * when there are none. */
int64_t tfl_histogram_quantile(const struct tfl_histogram *h, double q);

#endif
