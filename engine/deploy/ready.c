#include "deploy/ready.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_PAUSE_MS = 5, LAST_PAUSE_MS = 100, REQUEST_MS = 2000, LAST_LEN = 300, OTHERS_SHOWN = 4 };

struct probe {
    struct ready *ready;
    struct tfl_client *client;
    char *path;
    int peers_wanted, peers;
    bool up;   /* its API answered as it should; peers are waited for */
    bool done; /* ready */
    int pause_ms;
    struct tfl_timer timer;
    struct tfl_client_op *asking;
    char last[LAST_LEN]; /* what was seen last instead of readiness */
    bool answers;        /* it did answer, with something else than what was asked for */
};

struct ready {
    struct tfl_op op;
    struct tfl_ready_config config; /* nodes: not to be used after the start */
    struct probe *probes;
    size_t n, n_done;
    int64_t started;
    struct tfl_timer deadline;
};

static struct tfl_loop *loop_of(const struct probe *probe)
{
    return probe->ready->op.loop;
}

static void let_go(struct ready *ready)
{
    tfl_timer_stop(ready->op.loop, &ready->deadline);
    for (size_t i = 0; i < ready->n; i++) {
        struct probe *probe = &ready->probes[i];
        tfl_timer_stop(ready->op.loop, &probe->timer);
        if (probe->asking)
            tfl_op_free(&probe->asking->op);
        probe->asking = NULL;
    }
}

static void fail(struct ready *ready, const char *node, const struct tfl_error *err)
{
    struct tfl_error named = *err;
    snprintf(named.node, sizeof named.node, "%s", node);
    let_go(ready);
    tfl_op_fail(&ready->op, &named);
}

static void ask(struct tfl_timer *timer);

/* Sooner at first, since most nodes are up in a few milliseconds. */
static void again(struct probe *probe)
{
    struct ready *ready = probe->ready;
    struct tfl_error err;
    const char *name = probe->client->name;
    if (ready->config.gone && ready->config.gone(ready->config.arg, name, &err)) {
        fail(ready, name, &err);
        return;
    }
    tfl_timer_start(loop_of(probe), &probe->timer, tfl_now(loop_of(probe)) + probe->pause_ms * TFL_MS, ask);
    probe->pause_ms += probe->pause_ms / 2;
    if (probe->pause_ms > LAST_PAUSE_MS)
        probe->pause_ms = LAST_PAUSE_MS;
}

static void is_ready(struct probe *probe)
{
    struct ready *ready = probe->ready;
    double seconds = (double)(tfl_now(loop_of(probe)) - ready->started) / (double)TFL_S;
    probe->done = true;
    ready->n_done++;
    if (ready->config.ready)
        ready->config.ready(ready->config.arg, probe->client->name, seconds, probe->peers);
    if (ready->n_done == ready->n) {
        let_go(ready);
        tfl_op_succeed(&ready->op);
    }
}

/* The client's messages begin with the node's name, as ours will. */
static void remember(struct probe *probe, const char *msg)
{
    size_t n = strlen(probe->client->name);
    if (!strncmp(msg, probe->client->name, n) && !strncmp(msg + n, ": ", 2))
        msg += n + 2;
    snprintf(probe->last, sizeof probe->last, "%.*s", LAST_LEN - 1, msg);
}

static void answered(struct tfl_op *op)
{
    struct probe *probe = op->owner;
    struct tfl_client_op *reply = probe->asking;
    probe->asking = NULL;
    if (op->failed) {
        remember(probe, op->err.msg);
        probe->answers = op->err.code == TFL_E_BAD_REPLY || op->err.code == TFL_E_HTTP_STATUS;
    } else if (!probe->up && probe->path && reply->status != 200) {
        snprintf(probe->last, sizeof probe->last, "status %d, expected 200", reply->status);
        probe->answers = true;
    } else if (!probe->up) {
        probe->up = true;
        probe->last[0] = '\0';
        if (probe->peers_wanted > 0 && probe->client->dialect->network) {
            probe->pause_ms = FIRST_PAUSE_MS;
            tfl_op_free(op);
            ask(&probe->timer);
            return;
        }
    } else {
        probe->peers = reply->network.n_peers < INT_MAX ? (int)reply->network.n_peers : INT_MAX;
        if (probe->peers < probe->peers_wanted)
            snprintf(probe->last, sizeof probe->last, "it has %d", probe->peers);
    }
    bool over =
        probe->up && !op->failed && (probe->peers >= probe->peers_wanted || !probe->client->dialect->network);
    tfl_op_free(op);
    if (over)
        is_ready(probe);
    else
        again(probe);
}

static void ask(struct tfl_timer *timer)
{
    struct probe *probe = TFL_CONTAINER(timer, struct probe, timer);
    if (probe->up)
        probe->asking = tfl_client_network(probe->client, REQUEST_MS);
    else if (probe->path)
        probe->asking = tfl_client_request(probe->client, "GET", probe->path, NULL, 0, NULL, REQUEST_MS);
    else
        probe->asking = tfl_client_info(probe->client, REQUEST_MS);
    probe->asking->op.owner = probe;
    probe->asking->op.done = answered;
}

static void describe(const struct probe *probe, struct tfl_buf *b)
{
    const struct tfl_client *client = probe->client;
    const struct ready *ready = probe->ready;
    const char *path = probe->up     ? client->dialect->network
                       : probe->path ? probe->path
                                     : client->dialect->info;
    tfl_buf_addf(b, "%s: ", client->name);
    if (probe->up)
        tfl_buf_addf(b, "fewer than %d peers", probe->peers_wanted);
    else
        tfl_buf_adds(b, probe->answers ? "no usable answer" : "no HTTP answer");
    tfl_buf_addf(b, " on %s%s within %.3gs (last: %s)", client->url + strlen("http://"), path ? path : "",
        (double)ready->config.within_ms / 1000, probe->last[0] ? probe->last : "none so far");
    TFL_BUF tail = {0};
    if (ready->config.tail)
        ready->config.tail(ready->config.arg, client->name, &tail);
    if (tail.len)
        tfl_buf_addf(b, "; its log ends: %s", tail.data);
    else if (ready->config.tail)
        tfl_buf_adds(b, "; its log is empty");
}

static void too_late(struct tfl_timer *timer)
{
    struct ready *ready = TFL_CONTAINER(timer, struct ready, deadline);
    const struct probe *first = NULL;
    size_t others = 0;
    TFL_BUF names = {0}, text = {0};
    for (size_t i = 0; i < ready->n; i++) {
        const struct probe *probe = &ready->probes[i];
        if (probe->done)
            continue;
        if (!first)
            first = probe;
        else if (others++ < OTHERS_SHOWN)
            tfl_buf_addf(&names, "%s%s", names.len ? ", " : "", probe->client->name);
    }
    TFL_ASSERT(first); /* when all are ready the deadline is off */
    struct tfl_error err;
    if (others)
        tfl_buf_addf(&text, "%zu of %zu nodes are not ready (also %s%s): ", others + 1, ready->n, names.data,
            others > OTHERS_SHOWN ? ", …" : "");
    describe(first, &text);
    tfl_fail(&err, TFL_E_NOT_READY, "%s", text.data);
    fail(ready, first->client->name, &err);
}

static void cancel(struct tfl_op *op)
{
    let_go(TFL_CONTAINER(op, struct ready, op));
}

static void destroy(struct tfl_op *op)
{
    struct ready *ready = TFL_CONTAINER(op, struct ready, op);
    let_go(ready);
    for (size_t i = 0; i < ready->n; i++) {
        tfl_client_unref(ready->probes[i].client);
        free(ready->probes[i].path);
    }
    if (ready->config.release)
        ready->config.release(ready->config.arg);
    free(ready->probes);
    free(ready);
}

struct tfl_op *tfl_wait_ready(struct tfl_loop *loop, const struct tfl_ready_config *config)
{
    struct ready *ready = tfl_alloc(sizeof *ready);
    tfl_op_init(&ready->op, loop, cancel, destroy);
    ready->config = *config;
    ready->n = config->refused ? 0 : config->n;
    ready->probes = tfl_alloc(config->n * sizeof *ready->probes);
    ready->started = tfl_now(loop);
    for (size_t i = 0; i < ready->n; i++) {
        const struct tfl_ready_node *node = &config->nodes[i];
        bool own_path =
            node->path && (!node->client->dialect->info || strcmp(node->path, node->client->dialect->info));
        ready->probes[i] = (struct probe){.ready = ready,
            .client = tfl_client_ref(node->client),
            .path = own_path ? tfl_strdup(node->path) : NULL,
            .peers_wanted = node->peers,
            .pause_ms = FIRST_PAUSE_MS};
        tfl_timer_start(loop, &ready->probes[i].timer, ready->started, ask);
    }
    if (config->refused)
        tfl_op_fail(&ready->op, config->refused);
    else if (!config->n)
        tfl_op_succeed(&ready->op);
    else
        tfl_timer_start(loop, &ready->deadline, ready->started + config->within_ms * TFL_MS, too_late);
    return &ready->op;
}
