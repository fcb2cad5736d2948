#ifndef TFL_LOAD_PACER_H
#define TFL_LOAD_PACER_H

#include "base/error.h"

#include <stdint.h>

/* When arrivals are due: a closed form of their number, so that no arrival's time depends on what happened to the ones
 * before it. Pure; times are nanoseconds after the start of the load. */

/* The rate goes in a straight line from `from` to `to`, arrivals a second, over duration_ns. */
struct tfl_stage {
    int64_t duration_ns; /* TFL_PACER_ENDLESS: for ever; the last stage only, with from = to */
    double from, to;
};
#define TFL_PACER_ENDLESS INT64_MAX
enum { TFL_PACER_STAGES = 1000 };

struct tfl_pacer {
    struct tfl_stage *stages; /* owned */
    double *before;           /* owned: arrivals, in fractions, before each stage */
    int64_t *start_ns;        /* owned: of each stage */
    size_t n;
    uint64_t total; /* arrivals in all; UINT64_MAX when endless */
    int64_t end_ns; /* of the last stage; TFL_PACER_ENDLESS */
};

/* Copies the stages. TFL_E_USAGE names the stage and what is wrong: no stage or too many, a duration that is not positive,
 * a rate that is negative, not a number or above 10^7, no arrival at all, more than 2^40. Free with done. */
int tfl_pacer_init(struct tfl_pacer *p, const struct tfl_stage *stages, size_t n, struct tfl_error *err);
void tfl_pacer_done(struct tfl_pacer *p);
/* When arrival i (from 0, below total) is due: the last moment at which the integral of the rate is still at most i, so
 * that no arrival falls into a stage of rate 0. Never decreases with i. */
int64_t tfl_pacer_at(const struct tfl_pacer *p, uint64_t i);
/* How many arrivals are due at or before t_ns: those with tfl_pacer_at(i) <= t_ns. */
uint64_t tfl_pacer_due(const struct tfl_pacer *p, int64_t t_ns);

#endif
