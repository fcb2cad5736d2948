/* Connections and tries. */
#include "load/generator_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { WAIT_FIRST_MS = 100, WAIT_MOST_MS = 2000 };

static void answered(struct tfl_http_post *post);

int lanes_init(struct tfl_generator *g, struct tfl_error *err)
{
    struct tfl_http_post post = {0};
    struct tfl_client *const *clients = g->p.targets;
    g->targets = tfl_alloc(g->p.n_targets * sizeof *g->targets);
    g->p.targets = NULL; /* the caller's, only for now */
    for (size_t i = 0; !g->p.wire && i < g->p.n_targets; i++) {
        struct tfl_client *client = clients[i];
        const char *path = g->p.source->owner ? client->dialect->transfer : client->dialect->submit;
        if (!path)
            return tfl_fail(err, TFL_E_UNSUPPORTED, "%s: nodes of the dialect \"%s\" %s", client->name,
                client->dialect->name, g->p.source->owner ? "make no transfers" : "take no transactions");
        g->targets[i].client = tfl_client_ref(client);
        g->targets[i].url = tfl_sprintf("%s%s", client->url, path);
        /* the address is good, or nothing is begun */
        int result = tfl_http_post_init(&post, g->loop, client->name, g->targets[i].url, err);
        tfl_http_post_done(&post);
        if (result)
            return -1;
    }
    return 0;
}

static void lane_free(struct tfl_generator *g, struct lane *lane)
{
    tfl_http_post_done(&lane->post);
    free(lane);
    g->n_lanes--;
}

void lanes_done(struct tfl_generator *g)
{
    for (size_t i = 0; g->targets && i < g->p.n_targets; i++) {
        while (g->targets[i].idle) {
            struct lane *lane = g->targets[i].idle;
            DL_DELETE(g->targets[i].idle, lane);
            lane_free(g, lane);
        }
        tfl_client_unref(g->targets[i].client);
        free(g->targets[i].url);
    }
    free(g->targets);
    g->targets = NULL;
}

/* Connections in all are bounded like what is under way: an idle one to another node makes room. */
static void make_room(struct tfl_generator *g)
{
    for (size_t i = 0; g->n_lanes >= g->p.in_flight && i < g->p.n_targets; i++) {
        struct lane *lane = g->targets[i].idle;
        if (lane) {
            DL_DELETE(g->targets[i].idle, lane);
            lane_free(g, lane);
        }
    }
}

static struct lane *take_lane(struct tfl_generator *g, size_t target)
{
    struct lane *lane = g->targets[target].idle;
    if (lane) {
        DL_DELETE(g->targets[target].idle, lane);
    } else {
        make_room(g);
        lane = tfl_alloc(sizeof *lane);
        g->n_lanes++;
        if (tfl_http_post_init(
                &lane->post, g->loop, g->targets[target].client->name, g->targets[target].url, NULL))
            TFL_ASSERT(!"this address was good before");
        lane->post.answered = answered;
        lane->post.owner = g;
    }
    lane->target = target;
    DL_APPEND(g->busy, lane);
    return lane;
}

static void send_on(struct tfl_generator *g, struct tfl_load_ticket *job)
{
    job->tries++;
    job->round++;
    tfl_tracker_sent(g->p.tracker, job->i, (uint16_t)job->target, generator_now(g));
    if (g->p.wire) {
        LL_PREPEND(g->waiting, job);
        g->p.wire->post(g->p.wire, job->target, job->body.data, job->body.len, job);
        return;
    }
    struct lane *lane = take_lane(g, job->target);
    lane->job = job;
    tfl_http_post_send(&lane->post, job->body.data, job->body.len, g->p.timeout_ms);
}

void lanes_send(struct tfl_generator *g, struct tfl_load_ticket *job)
{
    if (g->p.source->owner)
        job->target = g->p.source->owner(g->p.source, job->i) % g->p.n_targets;
    else if (g->p.round_robin)
        job->target = g->turn++ % g->p.n_targets;
    else
        job->target = (size_t)tfl_rng_below(&g->rng, g->p.n_targets);
    send_on(g, job);
}

static void wait_over(struct tfl_timer *timer)
{
    struct tfl_load_ticket *job = TFL_CONTAINER(timer, struct tfl_load_ticket, again);
    LL_DELETE(job->g->waiting, job);
    job->next = NULL;
    job->round = 0;
    send_on(job->g, job);
}

static void wait_and_try(struct tfl_generator *g, struct tfl_load_ticket *job)
{
    int64_t ms = WAIT_FIRST_MS;
    for (int i = 1; i < job->tries && ms < WAIT_MOST_MS; i++)
        ms *= 2;
    LL_PREPEND(g->waiting, job);
    tfl_timer_start(g->loop, &job->again, tfl_now(g->loop) + ms * TFL_MS, wait_over);
}

static void job_ends(
    struct tfl_generator *g, struct tfl_load_ticket *job, enum tfl_tx_answer answer, const char *reason)
{
    tfl_tracker_answered(g->p.tracker, job->i, answer, reason, generator_now(g));
    if (answer == TFL_TX_REJECTED || (answer == TFL_TX_UNANSWERED && !job->doubtful))
        /* its inputs are free again; what may be somewhere keeps them */
        recover_drop(g, job->i, &job->hash);
    generator_job_over(g, job);
}

/* The node cannot take it now: the next one, and when all have been asked, later again. */
static void try_again(struct tfl_generator *g, struct tfl_load_ticket *job, bool refused, const char *reason)
{
    bool only_one = g->p.source->owner != NULL;
    if (job->tries >= g->p.tries || (only_one && job->doubtful)) {
        job_ends(g, job, refused && !job->doubtful ? TFL_TX_REJECTED : TFL_TX_UNANSWERED, reason);
        return;
    }
    if (!only_one)
        job->target = (job->target + 1) % g->p.n_targets;
    if (!only_one && (size_t)job->round < g->p.n_targets)
        send_on(g, job);
    else
        wait_and_try(g, job);
}

/* One try is over. maybe: no answer, but the node may have it; heard: it has said so. */
static void tried(
    struct tfl_load_ticket *job, enum tfl_submit_answer answer, bool maybe, bool heard, const char *reason)
{
    struct tfl_generator *g = job->g;
    job->doubtful = job->doubtful || maybe;
    if (answer == TFL_SUBMIT_ACCEPTED)
        job_ends(g, job, TFL_TX_ACCEPTED, NULL);
    else if (answer == TFL_SUBMIT_REJECTED)
        job_ends(g, job, TFL_TX_REJECTED, reason);
    else
        try_again(g, job, heard, reason);
    generator_pump_later(g);
}

void tfl_generator_answer(
    struct tfl_load_ticket *ticket, enum tfl_submit_answer answer, bool maybe, const char *reason)
{
    LL_DELETE(ticket->g->waiting, ticket);
    ticket->next = NULL;
    tried(ticket, answer, maybe, !maybe, reason);
}

/* The hash of what the node has made. */
static bool learn_hash(struct tfl_load_ticket *job, const char *text, struct tfl_error *err)
{
    struct tfl_generator *g = job->g;
    struct json_object *json = json_tokener_parse(text);
    int result = tfl_reply_made(json, &job->hash, err);
    json_object_put(json);
    if (result == 0)
        g->p.named(g->p.arg, job->i, &job->hash);
    return result == 0;
}

static void answered(struct tfl_http_post *post)
{
    struct lane *lane = TFL_CONTAINER(post, struct lane, post);
    struct tfl_generator *g = post->owner;
    struct tfl_load_ticket *job = lane->job;
    char reason[1100];
    bool failed = post->failed, maybe = failed && post->sent > 0;
    const char *words = g->p.source->owner ? "" : post->text; /* a wish is never there already */
    /* what did not reach the node is no word of it; unless nobody listened, it may have */
    bool cluster = !failed && post->status >= 400 && tfl_reply_of_cluster(post->text, strlen(post->text));
    maybe |= cluster && !strstr(post->text, "dial tcp");
    enum tfl_submit_answer answer = failed ? TFL_SUBMIT_LATER : tfl_submit_answer(post->status, words);
    if (failed)
        snprintf(reason, sizeof reason, "%s", post->err.msg);
    else if (answer != TFL_SUBMIT_ACCEPTED)
        snprintf(reason, sizeof reason, "%s: status %d: %.160s", post->who, post->status, post->text);
    else if (g->p.source->owner && !learn_hash(job, post->text, &post->err)) {
        answer = TFL_SUBMIT_LATER; /* somewhere it is, but nobody knows as what */
        maybe = true;
        snprintf(reason, sizeof reason, "%s: %s", post->who, post->err.msg);
    }
    lane->job = NULL;
    DL_DELETE(g->busy, lane);
    DL_PREPEND(
        g->targets[lane->target].idle, lane); /* it may be gone after this: others may need its place */
    tried(job, answer, maybe, !failed && !cluster, reason);
}

void lanes_abort(struct tfl_generator *g)
{
    struct lane *lane, *next_lane;
    DL_FOREACH_SAFE(g->busy, lane, next_lane)
    {
        struct tfl_load_ticket *job = lane->job;
        DL_DELETE(g->busy, lane);
        lane_free(g, lane);
        job->doubtful = true;
        job_ends(g, job, TFL_TX_UNANSWERED, "given up with the load");
    }
    while (g->waiting) {
        struct tfl_load_ticket *job = g->waiting;
        g->waiting = job->next;
        tfl_timer_stop(g->loop, &job->again);
        job_ends(g, job, TFL_TX_UNANSWERED, "given up with the load");
    }
}

const char *tfl_generator_target(const struct tfl_generator *g, size_t target)
{
    return target < g->p.n_targets && g->targets[target].client ? g->targets[target].client->name : "";
}
