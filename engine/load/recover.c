/* When transactions are gone: their wallets must know, or all that is built on their change is lost with them. */
#include "load/generator_impl.h"

struct drop {
    struct tfl_generator *g;
    bool taken; /* a node had said yes to the one that is gone */
};

/* Of the one that is lost, and of all that were built on it. */
static void give_up(void *arg, const struct tfl_hash *hash)
{
    const struct drop *d = arg;
    struct tfl_tracker *tracker = d->g->p.tracker;
    uint64_t i = tfl_tracker_find(tracker, hash);
    if (i != UINT64_MAX && !(tfl_tracker_at(tracker, i)->flags & TFL_TX_DROPPED))
        tfl_tracker_flag(
            tracker, i, TFL_TX_DROPPED | TFL_TX_AFTER_LOST | TFL_TX_SETTLED | (d->taken ? 0 : TFL_TX_ORPHAN));
    /* one that was made ahead is not sent as it is */
    for (struct tfl_load_ticket *job = d->g->made; job; job = job->next)
        job->gone = job->gone || tfl_hash_eq(&job->hash, hash);
}

void recover_drop(struct tfl_generator *g, uint64_t i, const struct tfl_hash *hash)
{
    if (tfl_hash_is_zero(hash))
        return;
    struct drop d = {.g = g};
    if (i < tfl_tracker_n(g->p.tracker)) {
        tfl_tracker_flag(g->p.tracker, i, TFL_TX_DROPPED | TFL_TX_SETTLED);
        d.taken = tfl_tracker_at(g->p.tracker, i)->answer == TFL_TX_ACCEPTED;
    }
    if (g->p.source->dropped)
        g->p.source->dropped(g->p.source, i, hash, give_up, &d);
}

void tfl_generator_forget(struct tfl_generator *g)
{
    for (uint64_t i = 0; i < tfl_tracker_n(g->p.tracker); i++) {
        const struct tfl_tx_record *r = tfl_tracker_at(g->p.tracker, i);
        if (r->answer == TFL_TX_UNANSWERED && !r->block && !(r->flags & TFL_TX_DROPPED))
            recover_drop(g, i, &r->hash);
    }
}

/* When a node had it, or may have had it; -1: never. */
static int64_t handed_in(const struct tfl_tx_record *r)
{
    uint32_t us = r->answer == TFL_TX_ACCEPTED     ? r->accepted_us
                  : r->answer == TFL_TX_UNANSWERED ? r->sent_us
                                                   : TFL_TX_NEVER;
    return us == TFL_TX_NEVER ? -1 : r->intended_ns + (int64_t)us * 1000;
}

/* Blocks are built in the order of arrival: what was accepted long before others that are on the chain is gone (or was
 * with a node that nobody hears). */
void recover_look(struct tfl_generator *g)
{
    struct tfl_tracker *t = g->p.tracker;
    uint64_t n = tfl_tracker_n(t);
    int64_t newest = -1;
    for (uint64_t i = g->low; i < n; i++) {
        const struct tfl_tx_record *r = tfl_tracker_at(t, i);
        if (r->block && handed_in(r) > newest)
            newest = handed_in(r);
    }
    g->newest_ns = newest > g->newest_ns ? newest : g->newest_ns;
    bool lowest = true;
    for (uint64_t i = g->low; i < n; i++) {
        const struct tfl_tx_record *r = tfl_tracker_at(t, i);
        int64_t at = handed_in(r);
        if (at >= 0 && !r->block && !(r->flags & TFL_TX_SETTLED) &&
            at + g->p.recover_ms * TFL_MS < g->newest_ns)
            recover_drop(g, i, &r->hash);
        lowest = lowest && (r->flags & TFL_TX_SETTLED);
        if (lowest)
            g->low = i + 1;
    }
}
