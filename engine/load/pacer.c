#include "load/pacer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double max_rate = 1e7, max_total = 1099511627776.0; /* 2^40 */

static int check_stage(const struct tfl_stage *s, size_t i, size_t n, struct tfl_error *err)
{
    if (s->duration_ns <= 0)
        return tfl_fail(err, TFL_E_USAGE, "stage %zu: its duration must be more than nothing", i + 1);
    if (!(s->from >= 0 && s->from <= max_rate && s->to >= 0 && s->to <= max_rate))
        return tfl_fail(err, TFL_E_USAGE,
            "stage %zu: a rate of %g to %g a second; expected numbers of 0 to %g", i + 1, s->from, s->to,
            max_rate);
    if (s->duration_ns != TFL_PACER_ENDLESS)
        return 0;
    if (i + 1 < n || s->from < s->to || s->from > s->to)
        return tfl_fail(
            err, TFL_E_USAGE, "stage %zu: without an end only the last may be, at one rate", i + 1);
    if (s->from <= 0)
        return tfl_fail(err, TFL_E_USAGE, "stage %zu: a rate of 0 without an end", i + 1);
    return 0;
}

/* 50 a second for 30 s are 1,500, also when the sum is a rounding error off. */
static double snap(double sum)
{
    double whole = nearbyint(sum);
    return fabs(sum - whole) < 1e-6 ? whole : sum;
}

static int fill(struct tfl_pacer *p, struct tfl_error *err)
{
    double sum = 0;
    int64_t start = 0;
    for (size_t i = 0; i < p->n; i++) {
        const struct tfl_stage *s = &p->stages[i];
        if (check_stage(s, i, p->n, err))
            return -1;
        p->before[i] = sum;
        p->start_ns[i] = start;
        if (s->duration_ns == TFL_PACER_ENDLESS) {
            p->total = UINT64_MAX;
            p->end_ns = TFL_PACER_ENDLESS;
            return 0;
        }
        if (s->duration_ns > (INT64_C(1) << 60) - start)
            return tfl_fail(err, TFL_E_USAGE, "stage %zu: the stages last more than 36 years", i + 1);
        sum = snap(sum + (s->from + s->to) / 2 * ((double)s->duration_ns / 1e9));
        start += s->duration_ns;
    }
    if (sum > max_total)
        return tfl_fail(
            err, TFL_E_USAGE, "the stages make %g arrivals, at most %g are possible", sum, max_total);
    p->total = (uint64_t)ceil(sum);
    p->end_ns = start;
    if (!p->total)
        return tfl_fail(err, TFL_E_USAGE, "the stages make no arrival at all: raise a rate or a duration");
    return 0;
}

int tfl_pacer_init(struct tfl_pacer *p, const struct tfl_stage *stages, size_t n, struct tfl_error *err)
{
    memset(p, 0, sizeof *p);
    if (n == 0 || n > TFL_PACER_STAGES)
        return tfl_fail(err, TFL_E_USAGE, "%zu stages; expected 1 to %d", n, TFL_PACER_STAGES);
    p->n = n;
    p->stages = tfl_alloc(n * sizeof *p->stages);
    memcpy(p->stages, stages, n * sizeof *stages);
    p->before = tfl_alloc(n * sizeof *p->before);
    p->start_ns = tfl_alloc(n * sizeof *p->start_ns);
    if (fill(p, err)) {
        tfl_pacer_done(p);
        return -1;
    }
    return 0;
}

void tfl_pacer_done(struct tfl_pacer *p)
{
    free(p->stages);
    free(p->before);
    free(p->start_ns);
    memset(p, 0, sizeof *p);
}

/* Seconds into the stage after which its integral is c. Solves slope/2 t² + from t = c in the form that does not lose
 * digits when the slope is small. */
static double seconds_into(const struct tfl_stage *s, double c)
{
    double slope =
        s->duration_ns == TFL_PACER_ENDLESS ? 0 : (s->to - s->from) / ((double)s->duration_ns / 1e9);
    double root = s->from * s->from + 2 * slope * c;
    double below = s->from + sqrt(root > 0 ? root : 0);
    return below > 0 ? 2 * c / below : 0;
}

int64_t tfl_pacer_at(const struct tfl_pacer *p, uint64_t i)
{
    size_t low = 0, high = p->n; /* the last stage that begins at or before arrival i */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (p->before[middle] <= (double)i)
            low = middle;
        else
            high = middle;
    }
    const struct tfl_stage *s = &p->stages[low];
    double into = seconds_into(s, (double)i - p->before[low]) * 1e9;
    if (s->duration_ns != TFL_PACER_ENDLESS && into > (double)s->duration_ns)
        into = (double)s->duration_ns;
    if (into >= 9e18)
        return INT64_MAX;
    return p->start_ns[low] + llround(into);
}

uint64_t tfl_pacer_due(const struct tfl_pacer *p, int64_t t_ns)
{
    if (t_ns < 0)
        return 0;
    uint64_t low = 0, high = p->total < (UINT64_C(1) << 52) ? p->total : UINT64_C(1) << 52;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (tfl_pacer_at(p, middle) <= t_ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
