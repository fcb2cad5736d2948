#ifndef TFL_LOAD_REPORT_H
#define TFL_LOAD_REPORT_H

#include "load/histogram.h"
#include "load/tracker.h"

/* The account of a load: each intent is in exactly one of the groups of one line. */
struct tfl_load_report {
    uint64_t planned;
    uint64_t unsent, sent;                              /* of planned */
    uint64_t under_way, accepted, rejected, unanswered; /* of sent, and of what could not be made: rejected */
    /* of accepted; pending: so young that nothing can be said; orphaned: built on one that no node has said yes to */
    uint64_t accepted_included, pending, lost, expired, orphaned;
    uint64_t included, final; /* on the canonical chain, whoever accepted it */
    uint64_t reorged_out;     /* was on it, is not: among pending, lost or expired */
    uint64_t
        repeated; /* of accepted_included: the same transaction as another intent, which is counted as included */
    uint64_t after_lost; /* of lost: built on the change of a lost one */
    uint64_t two_branches, twice, retried;
    struct tfl_histogram to_accepted, to_included, to_final; /* from the intended time */
    uint64_t *lost_list; /* owned: records, roots before those after them; at most max_list */
    size_t n_lost_list;
};

struct tfl_load_report_params {
    int64_t end_ns; /* of the load's time: what was accepted later than end - allowance is pending */
    int64_t allowance_ns;
    int64_t ttl_ns; /* accepted, not included, and older than this at end: expired. 0: nothing expires */
    size_t max_list;
};

/* report is the caller's, big: allocate it. Free with done. */
void tfl_load_report(
    const struct tfl_tracker *t, const struct tfl_load_report_params *params, struct tfl_load_report *report);
void tfl_load_report_done(struct tfl_load_report *report);

#endif
