#include "load/report.h"

#include <stdlib.h>
#include <string.h>

enum fate { INCLUDED, PENDING, EXPIRED, LOST, ORPHANED };

/* By itself, or by another intent that is the same transaction. */
static bool on_the_chain(const struct tfl_tracker *t, const struct tfl_tx_record *r)
{
    if (r->block)
        return true;
    uint64_t other = tfl_tracker_find(t, &r->hash);
    return other != UINT64_MAX && tfl_tracker_at(t, other)->block;
}

/* Of an accepted transaction. */
static enum fate fate_of(
    const struct tfl_tracker *t, const struct tfl_tx_record *r, const struct tfl_load_report_params *p)
{
    int64_t at = r->intended_ns + (int64_t)r->accepted_us * 1000;
    if (on_the_chain(t, r))
        return INCLUDED;
    if (r->flags & TFL_TX_ORPHAN)
        return ORPHANED;
    if (at > p->end_ns - p->allowance_ns)
        return PENDING;
    return p->ttl_ns > 0 && at + p->ttl_ns < p->end_ns ? EXPIRED : LOST;
}

static void add_accepted(const struct tfl_tracker *t, const struct tfl_tx_record *r,
    const struct tfl_load_report_params *p, struct tfl_load_report *out)
{
    enum fate fate = fate_of(t, r, p);
    out->accepted++;
    out->accepted_included += fate == INCLUDED;
    out->repeated += fate == INCLUDED && !r->block;
    out->pending += fate == PENDING;
    out->expired += fate == EXPIRED;
    out->lost += fate == LOST;
    out->orphaned += fate == ORPHANED;
    out->after_lost += fate == LOST && (r->flags & TFL_TX_AFTER_LOST);
}

static void add_sample(struct tfl_histogram *h, uint32_t us)
{
    if (us != TFL_TX_NEVER)
        tfl_histogram_add(h, (int64_t)us * 1000);
}

static void add(const struct tfl_tracker *t, const struct tfl_tx_record *r,
    const struct tfl_load_report_params *p, struct tfl_load_report *out)
{
    out->planned++;
    out->unsent += r->answer == TFL_TX_PLANNED;
    out->sent += r->sent_us != TFL_TX_NEVER;
    out->under_way += r->answer == TFL_TX_SENT;
    out->rejected += r->answer == TFL_TX_REJECTED;
    out->unanswered += r->answer == TFL_TX_UNANSWERED;
    if (r->answer == TFL_TX_ACCEPTED)
        add_accepted(t, r, p, out);
    out->included += r->block != NULL;
    out->final += r->final_us != TFL_TX_NEVER;
    out->reorged_out += (r->flags & TFL_TX_REORGED) && !r->block;
    out->two_branches += (r->flags & TFL_TX_TWO_BRANCHES) != 0;
    out->twice += (r->flags & TFL_TX_TWICE) != 0;
    out->retried += r->tries > 1;
    add_sample(&out->to_accepted, r->accepted_us);
    add_sample(&out->to_included, r->included_us);
    add_sample(&out->to_final, r->final_us);
}

static void list_lost(
    const struct tfl_tracker *t, const struct tfl_load_report_params *p, struct tfl_load_report *out)
{
    uint64_t n = tfl_tracker_n(t);
    size_t max = out->lost < p->max_list ? (size_t)out->lost : p->max_list;
    out->lost_list = tfl_alloc(max * sizeof *out->lost_list + 1);
    for (int after = 0; after <= 1; after++)
        for (uint64_t i = 0; i < n && out->n_lost_list < max; i++) {
            const struct tfl_tx_record *r = tfl_tracker_at(t, i);
            if (r->answer == TFL_TX_ACCEPTED && fate_of(t, r, p) == LOST &&
                !(r->flags & TFL_TX_AFTER_LOST) == !after)
                out->lost_list[out->n_lost_list++] = i;
        }
}

void tfl_load_report(
    const struct tfl_tracker *t, const struct tfl_load_report_params *params, struct tfl_load_report *out)
{
    uint64_t n = tfl_tracker_n(t);
    memset(out, 0, sizeof *out);
    for (uint64_t i = 0; i < n; i++)
        add(t, tfl_tracker_at(t, i), params, out);
    list_lost(t, params, out);
}

void tfl_load_report_done(struct tfl_load_report *report)
{
    free(report->lost_list);
    report->lost_list = NULL;
    report->n_lost_list = 0;
}
