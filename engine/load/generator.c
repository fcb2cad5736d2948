#include "load/generator_impl.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { MAX_IN_FLIGHT = 4096, SEND_BURST = 32, LOOK_MS = 1000 };

static void pump(struct tfl_generator *g);

/* ---- making */

static void fill(struct tfl_generator *g, struct tfl_load_ticket *job)
{
    int64_t from = tfl_now(g->loop);
    tfl_buf_clear(&job->body);
    memset(&job->hash, 0, sizeof job->hash);
    job->gone = false;
    job->failed = g->p.source->make(g->p.source, job->i, &job->body, &job->hash, &job->err) != 0;
    if (job->failed)
        memset(&job->hash, 0, sizeof job->hash);
    g->make_ns += tfl_now(g->loop) - from;
    g->made_n++;
}

static struct tfl_load_ticket *make(struct tfl_generator *g)
{
    struct tfl_load_ticket *job = g->spare;
    if (job) {
        g->spare = job->next;
    } else {
        job = tfl_alloc(sizeof *job);
        job->g = g;
    }
    job->next = NULL;
    job->i = g->next_make++;
    job->tries = job->round = 0;
    job->doubtful = false;
    fill(g, job);
    return job;
}

static void put_aside(struct tfl_generator *g, struct tfl_load_ticket *job)
{
    job->next = g->spare;
    g->spare = job;
}

static bool want_ahead(const struct tfl_generator *g)
{
    return !g->stopped && g->next_make < g->last && g->next_make - g->next_send < g->p.ahead;
}

/* ---- sending */

static uint64_t plan(struct tfl_generator *g, const struct tfl_load_ticket *job)
{
    bool has_hash = !tfl_hash_is_zero(&job->hash);
    return tfl_tracker_plan(g->p.tracker, tfl_pacer_at(&g->pacer, job->i), has_hash ? &job->hash : NULL,
        job->failed ? &job->err : NULL);
}

static struct tfl_load_ticket *next_job(struct tfl_generator *g)
{
    struct tfl_load_ticket *job = g->made;
    if (!job)
        return make(g);
    g->made = job->next;
    if (!g->made)
        g->made_end = &g->made;
    job->next = NULL;
    if (job->gone) /* what it was built on is gone since: of other notes */
        fill(g, job);
    return job;
}

static void send_next(struct tfl_generator *g)
{
    struct tfl_load_ticket *job = next_job(g);
    int64_t intended = tfl_pacer_at(&g->pacer, job->i), lag;
    uint64_t i = plan(g, job);
    TFL_ASSERT(i == job->i);
    g->next_send++;
    g->n_open++;
    g->most_open = g->n_open > g->most_open ? g->n_open : g->most_open;
    if (!job->failed)
        lanes_send(g, job);
    lag = generator_now(g) - intended;
    tfl_histogram_add(&g->lag, lag);
    g->late += lag > g->p.late_ms * TFL_MS;
    if (job->failed)
        generator_job_over(g, job);
}

void generator_job_over(struct tfl_generator *g, struct tfl_load_ticket *job)
{
    put_aside(g, job);
    g->n_open--;
    if (!g->p.changed || !g->started)
        return;
    g->p.changed(g->p.arg);
}

static void more_due(struct tfl_defer *defer)
{
    struct tfl_generator *g = TFL_CONTAINER(defer, struct tfl_generator, more);
    pump(g);
}

void generator_pump_later(struct tfl_generator *g)
{
    tfl_defer_start(g->loop, &g->more, more_due);
}

static void arrival_due(struct tfl_timer *timer)
{
    pump(TFL_CONTAINER(timer, struct tfl_generator, arrival));
}

static void look_due(struct tfl_timer *timer)
{
    struct tfl_generator *g = TFL_CONTAINER(timer, struct tfl_generator, look);
    recover_look(g);
    tfl_timer_start(g->loop, &g->look, tfl_now(g->loop) + LOOK_MS * TFL_MS, look_due);
}

static void count_due(struct tfl_generator *g)
{
    int64_t now = generator_now(g);
    while (g->due < g->last && tfl_pacer_at(&g->pacer, g->due) <= now)
        g->due++;
}

/* Sends what is due, within the bound; a burst at a time, so that answers are read meanwhile. Then makes one ahead. */
static void pump(struct tfl_generator *g)
{
    int burst = SEND_BURST;
    if (!g->started)
        return;
    count_due(g);
    while (g->next_send < g->due && g->n_open < g->p.in_flight && burst-- > 0)
        send_next(g);
    bool full = g->n_open >= g->p.in_flight;
    if (full && g->due > g->held_until) { /* each arrival that waits is counted once */
        uint64_t from = g->held_until > g->next_send ? g->held_until : g->next_send;
        g->held += g->due - from;
        g->held_until = g->due;
    }
    if (g->next_send < g->due && !full) {
        generator_pump_later(g);
        return;
    }
    if (want_ahead(g)) {
        *g->made_end = make(g);
        g->made_end = &(*g->made_end)->next;
        generator_pump_later(g);
    }
    if (g->due < g->last)
        tfl_timer_start(g->loop, &g->arrival, g->begin_ns + tfl_pacer_at(&g->pacer, g->due), arrival_due);
}

/* ---- life */

static int check(const struct tfl_generator_params *p, struct tfl_error *err)
{
    if (p->n_targets == 0 || p->n_targets >= TFL_TX_NO_TARGET)
        return tfl_fail(err, TFL_E_USAGE, "load: %zu targets; expected at least one node", p->n_targets);
    if (p->in_flight > MAX_IN_FLIGHT)
        return tfl_fail(
            err, TFL_E_USAGE, "load: in_flight = %zu; at most %d are possible", p->in_flight, MAX_IN_FLIGHT);
    return 0;
}

struct tfl_generator *tfl_generator_new(
    struct tfl_loop *loop, const struct tfl_generator_params *params, struct tfl_error *err)
{
    struct tfl_generator *g = tfl_alloc(sizeof *g);
    g->loop = loop;
    g->p = *params;
    g->p.in_flight = params->in_flight ? params->in_flight : 256;
    g->p.ahead = params->ahead ? params->ahead : 64;
    g->p.tries = params->tries > 0 ? params->tries : 4;
    g->p.timeout_ms = params->timeout_ms > 0 ? params->timeout_ms : 10000;
    g->p.late_ms = params->late_ms > 0 ? params->late_ms : 10;
    g->p.recover_ms = params->recover_ms ? params->recover_ms : 20000;
    g->made_end = &g->made;
    g->newest_ns = -1;
    tfl_rng_init(&g->rng, params->seed, params->stream ? params->stream : "load");
    if (check(&g->p, err) || tfl_pacer_init(&g->pacer, params->stages, params->n_stages, err) ||
        lanes_init(g, err)) {
        tfl_generator_free(g);
        return NULL;
    }
    g->last = g->pacer.total < UINT32_MAX - 1 ? g->pacer.total : UINT32_MAX - 1;
    return g;
}

static void free_jobs(struct tfl_load_ticket *job)
{
    while (job) {
        struct tfl_load_ticket *next = job->next;
        tfl_buf_done(&job->body);
        free(job);
        job = next;
    }
}

void tfl_generator_free(struct tfl_generator *g)
{
    if (!g)
        return;
    g->p.changed = NULL;
    if (g->started)
        tfl_generator_abort(g);
    tfl_timer_stop(g->loop, &g->look);
    lanes_done(g);
    free_jobs(g->spare);
    tfl_pacer_done(&g->pacer);
    free(g);
}

void tfl_generator_start(struct tfl_generator *g, int64_t begin_ns)
{
    TFL_ASSERT(!g->started);
    g->started = true;
    g->begin_ns = begin_ns;
    generator_pump_later(g);
    if (g->p.recover_ms > 0 && g->p.source->dropped)
        tfl_timer_start(g->loop, &g->look, tfl_now(g->loop) + LOOK_MS * TFL_MS, look_due);
}

void tfl_generator_stop(struct tfl_generator *g)
{
    if (g->stopped)
        return;
    if (g->started)
        count_due(g);
    g->stopped = true;
    g->last = g->due;
    tfl_timer_stop(g->loop, &g->arrival);
    struct tfl_load_ticket **end = &g->made; /* what was made ahead and is not due goes back */
    while (*end && (*end)->i < g->last)
        end = &(*end)->next;
    struct tfl_load_ticket *job = *end;
    *end = NULL;
    g->made_end = end;
    while (job) {
        struct tfl_load_ticket *next = job->next;
        recover_drop(g, job->i, &job->hash);
        put_aside(g, job);
        job = next;
    }
}

void tfl_generator_abort(struct tfl_generator *g)
{
    tfl_generator_stop(g);
    while (g->next_send < g->due) { /* intents all the same */
        struct tfl_load_ticket *job = next_job(g);
        plan(g, job);
        recover_drop(g, job->i, &job->hash);
        g->next_send++;
        put_aside(g, job);
    }
    tfl_defer_stop(g->loop, &g->more);
    lanes_abort(g);
}

bool tfl_generator_over(const struct tfl_generator *g)
{
    return g->started && g->due == g->last && g->next_send == g->due && g->n_open == 0;
}

void tfl_generator_figures(const struct tfl_generator *g, struct tfl_generator_figures *out)
{
    int64_t now = g->started ? generator_now(g) : -1, before = now - g->p.late_ms * TFL_MS;
    uint64_t over = tfl_pacer_due(&g->pacer, before);
    over = over < g->due ? over : g->due;
    *out = (struct tfl_generator_figures){.planned = g->pacer.total,
        .due = g->due,
        .late = g->late + (over > g->next_send ? over - g->next_send : 0),
        .in_flight = g->n_open,
        .most_in_flight = g->most_open,
        .held = g->held,
        .lag = &g->lag,
        .make_ns = g->make_ns,
        .made = g->made_n};
}
