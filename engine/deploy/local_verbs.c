#include "deploy/local_impl.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

/* A spawn takes about a millisecond: a few in one turn, then the others get theirs. */
enum { SPAWNS_PER_TURN = 4, STOP_MS = 10000 };

static const char *const verb_names[] = {"start", "stop", "kill", "restart", "pause", "resume"};

static void take_turn(struct node *node);

static void finish(struct verb *verb, const struct tfl_error *err)
{
    struct node *node = verb->node;
    DL_DELETE(node->verbs, verb);
    if (verb->op) {
        verb->op->verb = NULL;
        if (err)
            tfl_op_fail(&verb->op->op, err);
        else
            tfl_op_succeed(&verb->op->op);
    }
    free(verb);
    if (node->verbs)
        take_turn(node);
}

static void finish_with(struct verb *verb, int failed, const struct tfl_error *err)
{
    finish(verb, failed ? err : NULL);
}

static void stopped(struct tfl_op *op)
{
    struct verb *verb = op->owner;
    struct tfl_error err = op->err;
    bool failed = op->failed;
    verb->stop = NULL;
    tfl_op_free(op);
    snprintf(err.node, sizeof err.node, "%s", verb->node->spec.name);
    if (!failed && verb->what == TFL_RESTART) {
        verb->begun = false; /* its second half waits for its turn like any start */
        take_turn(verb->node);
        return;
    }
    finish_with(verb, failed, &err);
}

static void begin_stop(struct verb *verb)
{
    struct node *node = verb->node;
    int signum = verb->what == TFL_KILL ? SIGKILL : verb->signum ? verb->signum : node->spec.stop_signal;
    node->state = TFL_NODE_STOPPING;
    node->to_kill = signum == SIGKILL;
    verb->stop = tfl_process_stop(
        node->process, signum ? signum : SIGTERM, verb->timeout_ms ? verb->timeout_ms : STOP_MS);
    verb->stop->owner = verb;
    verb->stop->done = stopped;
}

static void pause_or_resume(struct verb *verb)
{
    struct node *node = verb->node;
    struct tfl_error err;
    bool pause = verb->what == TFL_PAUSE;
    int failed = tfl_process_signal(node->process, pause ? SIGSTOP : SIGCONT, &err);
    if (!failed) {
        node->state = pause ? TFL_NODE_PAUSED : TFL_NODE_RUNNING;
        tfl_local_emit(node->local, pause ? "node_paused" : "node_resumed", node, NULL);
    }
    finish_with(verb, failed, &err);
}

/* Does the state of the node allow the verb? */
static bool allowed(const struct verb *verb)
{
    enum tfl_node_state state = verb->node->state;
    bool runs = state == TFL_NODE_RUNNING || state == TFL_NODE_PAUSED;
    switch (verb->what) {
    case TFL_START:
        return state == TFL_NODE_ADDED || state == TFL_NODE_STOPPED || state == TFL_NODE_EXITED;
    case TFL_RESTART:
        return runs || state == TFL_NODE_STOPPED || state == TFL_NODE_EXITED;
    case TFL_STOP:
        return runs;
    case TFL_KILL:
        return runs || state == TFL_NODE_STOPPING;
    case TFL_PAUSE:
        return state == TFL_NODE_RUNNING;
    case TFL_RESUME:
        return state == TFL_NODE_PAUSED;
    }
    return false;
}

/* Begins the first verb of a node; true when it made a process. */
static bool begin(struct verb *verb)
{
    struct node *node = verb->node;
    struct tfl_error err;
    verb->begun = true;
    if (!allowed(verb)) {
        tfl_local_wrong_state(node, verb_names[verb->what], &err);
        finish(verb, &err);
        return false;
    }
    if (verb->what == TFL_PAUSE || verb->what == TFL_RESUME) {
        pause_or_resume(verb);
        return false;
    }
    if (node->process) {
        begin_stop(verb);
        return false;
    }
    finish_with(verb, tfl_local_spawn(node, &err), &err);
    return true;
}

static void pump(struct tfl_defer *defer)
{
    struct tfl_local *local = TFL_CONTAINER(defer, struct tfl_local, pump);
    for (int spawns = 0; local->turn && spawns < SPAWNS_PER_TURN;) {
        struct node *node = local->turn;
        DL_DELETE2(local->turn, node, turn_prev, turn_next);
        node->in_turn = false;
        if (node->verbs && !node->verbs->begun)
            spawns += begin(node->verbs);
    }
    if (local->turn)
        tfl_defer_start(local->config.loop, &local->pump, pump);
}

static void take_turn(struct node *node)
{
    struct tfl_local *local = node->local;
    if (!node->in_turn && !node->verbs->begun) {
        node->in_turn = true;
        DL_APPEND2(local->turn, node, turn_prev, turn_next);
    }
    tfl_defer_start(local->config.loop, &local->pump, pump);
}

void tfl_local_drop_verbs(struct node *node)
{
    if (node->in_turn)
        DL_DELETE2(node->local->turn, node, turn_prev, turn_next);
    node->in_turn = false;
    while (node->verbs) {
        struct verb *verb = node->verbs;
        DL_DELETE(node->verbs, verb);
        tfl_op_free(verb->stop);
        if (verb->op) {
            struct tfl_error err;
            tfl_fail(&err, TFL_E_CANCELLED, "%s: cannot %s it: the cluster is being cleaned up",
                node->spec.name, verb_names[verb->what]);
            snprintf(err.node, sizeof err.node, "%s", node->spec.name);
            verb->op->verb = NULL;
            tfl_op_fail(&verb->op->op, &err);
        }
        free(verb);
    }
}

/* The asker gives up: what has begun goes on, what has not is dropped. */
static void verb_cancel(struct tfl_op *op)
{
    struct verb_op *vo = TFL_CONTAINER(op, struct verb_op, op);
    struct verb *verb = vo->verb;
    vo->verb = NULL;
    if (!verb)
        return;
    verb->op = NULL;
    if (verb->begun)
        return;
    bool first = verb->node->verbs == verb;
    struct node *node = verb->node;
    DL_DELETE(node->verbs, verb);
    free(verb);
    if (first && node->verbs)
        take_turn(node);
}

static void verb_destroy(struct tfl_op *op)
{
    struct verb_op *vo = TFL_CONTAINER(op, struct verb_op, op);
    tfl_local_unref(vo->local);
    free(vo);
}

static int refuse(struct tfl_local *local, const char *name, enum tfl_verb what, struct tfl_error *err)
{
    struct node *node = tfl_local_find(local, name);
    struct verb *verb;
    int n = 0;
    if (!node)
        return tfl_fail(err, TFL_E_USAGE, "cannot %s `%s`: there is no such node", verb_names[what], name);
    DL_COUNT(node->verbs, verb, n);
    if (local->closing)
        tfl_fail(err, TFL_E_STATE, "%s: cannot %s it: the cluster is cleaned up", name, verb_names[what]);
    else if (node->adopted)
        tfl_fail(err, TFL_E_STATE, "%s: cannot %s it: that is for who started it", name, verb_names[what]);
    else if (n >= TFL_LOCAL_QUEUE_MAX)
        tfl_fail(err, TFL_E_STATE, "%s: cannot %s it: %d verbs are waiting for it already", name,
            verb_names[what], n);
    else
        return 0;
    snprintf(err->node, sizeof err->node, "%s", name);
    return -1;
}

struct tfl_op *tfl_local_verb(
    struct tfl_local *local, const char *name, enum tfl_verb what, int signum, int timeout_ms)
{
    struct verb_op *vo = tfl_alloc(sizeof *vo);
    struct tfl_error err;
    tfl_op_init(&vo->op, local->config.loop, verb_cancel, verb_destroy);
    vo->local = tfl_local_ref(local);
    if (refuse(local, name, what, &err)) {
        tfl_op_fail(&vo->op, &err);
        return &vo->op;
    }
    struct verb *verb = tfl_alloc(sizeof *verb);
    verb->node = tfl_local_find(local, name);
    verb->what = what;
    verb->signum = signum;
    verb->timeout_ms = timeout_ms;
    verb->op = vo;
    vo->verb = verb;
    DL_APPEND(verb->node->verbs, verb);
    if (verb->node->verbs == verb)
        take_turn(verb->node);
    return &vo->op;
}
