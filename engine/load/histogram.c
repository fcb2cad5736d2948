#include "load/histogram.h"

#include <math.h>

static unsigned bucket_of(uint64_t v)
{
    unsigned shift = 0;
    if (v >= TFL_HISTOGRAM_HALF)
        shift =
            64 - (unsigned)__builtin_clzll(v) - 8; /* leaves eight leading bits, the first of them a one */
    return shift * TFL_HISTOGRAM_HALF + (unsigned)(v >> shift);
}

/* The middle of a bucket. */
static int64_t value_of(unsigned bucket)
{
    if (bucket < 2 * TFL_HISTOGRAM_HALF)
        return (int64_t)bucket;
    unsigned shift = bucket / TFL_HISTOGRAM_HALF - 1;
    uint64_t low = (uint64_t)(bucket % TFL_HISTOGRAM_HALF + TFL_HISTOGRAM_HALF) << shift;
    return (int64_t)(low + (UINT64_C(1) << shift) / 2);
}

void tfl_histogram_add(struct tfl_histogram *h, int64_t ns)
{
    int64_t v = ns < 0 ? 0 : ns > TFL_HISTOGRAM_MAX ? TFL_HISTOGRAM_MAX : ns;
    if (!h->n || v < h->min)
        h->min = v;
    if (!h->n || v > h->max)
        h->max = v;
    h->n++;
    h->sum += (double)v;
    h->counts[bucket_of((uint64_t)v)]++;
}

int64_t tfl_histogram_quantile(const struct tfl_histogram *h, double q)
{
    if (!h->n)
        return -1;
    double wanted = ceil(q * (double)h->n * (1 - 1e-12)); /* 0.07 of 100 is the 7th, not the 8th */
    uint64_t rank = wanted < 1 ? 1 : wanted > (double)h->n ? h->n : (uint64_t)wanted, seen = 0;
    unsigned bucket = 0;
    while ((seen += h->counts[bucket]) < rank)
        bucket++;
    if (rank == h->n)
        return h->max;
    int64_t v = value_of(bucket);
    return v < h->min ? h->min : v > h->max ? h->max : v;
}
