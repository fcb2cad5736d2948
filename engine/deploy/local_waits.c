#include "deploy/local_impl.h"

#include "deploy/ready.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <utlist.h>

enum { CLEANUP_MS = 3000 };

/* ---- exits */

static void give_exit(struct tfl_next_exit *waiter, struct exit_seen *seen)
{
    memcpy(waiter->node, seen->node, sizeof waiter->node);
    memcpy(waiter->status, seen->status, sizeof waiter->status);
    waiter->code = seen->code;
    waiter->signum = seen->signum;
    waiter->asked = seen->asked;
    waiter->forced = seen->forced;
    waiter->log_tail = seen->log_tail;
    free(seen);
    tfl_op_succeed(&waiter->op);
}

void tfl_local_tell_exit(
    struct tfl_local *local, const struct node *node, int status, bool asked, bool forced, char *log_tail)
{
    struct exit_seen *seen = tfl_alloc(sizeof *seen);
    snprintf(seen->node, sizeof seen->node, "%s", node->spec.name);
    snprintf(seen->status, sizeof seen->status, "%s", node->status);
    seen->code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    seen->signum = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    seen->asked = asked;
    seen->forced = forced;
    seen->log_tail = log_tail;
    if (local->exit_waiter) {
        struct tfl_next_exit *waiter = local->exit_waiter;
        local->exit_waiter = NULL;
        give_exit(waiter, seen);
        return;
    }
    if (local->n_exits >= TFL_LOCAL_EXITS_MAX) { /* nobody listens: the oldest goes (the record has it) */
        struct exit_seen *oldest = local->exits;
        DL_DELETE(local->exits, oldest);
        free(oldest->log_tail);
        free(oldest);
        local->n_exits--;
    }
    DL_APPEND(local->exits, seen);
    local->n_exits++;
}

void tfl_local_end_exits(struct tfl_local *local)
{
    struct tfl_next_exit *waiter = local->exit_waiter;
    local->exit_waiter = NULL;
    if (waiter) {
        waiter->none = true;
        tfl_op_succeed(&waiter->op);
    }
    while (local->freed && local->exits) {
        struct exit_seen *seen = local->exits;
        DL_DELETE(local->exits, seen);
        free(seen->log_tail);
        free(seen);
    }
}

static void exit_cancel(struct tfl_op *op)
{
    struct tfl_next_exit *waiter = TFL_CONTAINER(op, struct tfl_next_exit, op);
    if (waiter->local->exit_waiter == waiter)
        waiter->local->exit_waiter = NULL;
}

static void exit_destroy(struct tfl_op *op)
{
    struct tfl_next_exit *waiter = TFL_CONTAINER(op, struct tfl_next_exit, op);
    tfl_local_unref(waiter->local);
    free(waiter->log_tail);
    free(waiter);
}

static bool any_running(const struct tfl_local *local)
{
    for (const struct node *node = local->nodes; node; node = node->hh.next)
        if (tfl_local_runs(node))
            return true;
    return false;
}

struct tfl_next_exit *tfl_local_next_exit(struct tfl_local *local)
{
    struct tfl_next_exit *waiter = tfl_alloc(sizeof *waiter);
    tfl_op_init(&waiter->op, local->config.loop, exit_cancel, exit_destroy);
    waiter->local = tfl_local_ref(local);
    if (local->exit_waiter) {
        struct tfl_error err;
        tfl_fail(&err, TFL_E_STATE, "somebody waits for the next exit of this cluster already");
        tfl_op_fail(&waiter->op, &err);
    } else if (local->exits) {
        struct exit_seen *seen = local->exits;
        DL_DELETE(local->exits, seen);
        local->n_exits--;
        give_exit(waiter, seen);
    } else if (local->closing && !any_running(local)) {
        waiter->none = true;
        tfl_op_succeed(&waiter->op);
    } else {
        local->exit_waiter = waiter;
    }
    return waiter;
}

/* ---- readiness */

static void add_tail(const struct node *node, struct tfl_buf *b)
{
    if (node->process)
        tfl_process_tail(node->process, b, TFL_LOCAL_TAIL);
    else if (node->adopted)
        tfl_log_tail(node->spec.log, b, TFL_LOCAL_TAIL, NULL);
    else if (node->tail)
        tfl_buf_adds(b, node->tail);
}

static bool gone(void *arg, const char *name, struct tfl_error *err)
{
    const struct node *node = tfl_local_find(arg, name);
    if (node && tfl_local_runs(node))
        return false;
    if (!node) {
        tfl_fail(err, TFL_E_USAGE, "cannot wait for `%s`: there is no such node", name);
        return true;
    }
    TFL_BUF tail = {0};
    add_tail(node, &tail);
    if (node->state == TFL_NODE_EXITED)
        tfl_fail(err, TFL_E_EXITED, "%s: ended before it was ready (%s); its log %s%s", name, node->status,
            tail.len ? "ends: " : "is empty", tail.len ? tail.data : "");
    else
        tfl_fail(
            err, TFL_E_EXITED, "%s: cannot become ready: it is %s", name, tfl_node_state_name(node->state));
    snprintf(err->node, sizeof err->node, "%s", name);
    return true;
}

static void tail_of(void *arg, const char *name, struct tfl_buf *b)
{
    const struct node *node = tfl_local_find(arg, name);
    if (node)
        add_tail(node, b);
}

static void node_ready(void *arg, const char *name, double seconds, int peers)
{
    const struct node *node = tfl_local_find(arg, name);
    struct json_object *fields = json_object_new_object();
    json_object_object_add(fields, "seconds", tfl_event_seconds(seconds));
    json_object_object_add(fields, "peers", json_object_new_int(peers));
    tfl_local_emit(arg, "node_ready", node, fields);
}

static void release(void *arg)
{
    tfl_local_unref(arg);
}

static int ready_node(
    struct tfl_local *local, const char *name, int peers, struct tfl_ready_node *out, struct tfl_error *err)
{
    if (gone(local, name, err))
        return -1;
    const struct tfl_node_spec *spec = &tfl_local_find(local, name)->spec;
    *out = (struct tfl_ready_node){.path = spec->ready_path, .peers = peers < 0 ? spec->ready_peers : peers};
    if (!spec->url)
        return 0;
    if (!local->config.http)
        return tfl_fail(err, TFL_E_UNSUPPORTED, "%s: there is no HTTP client to ask it with", name);
    out->client = tfl_client_new(local->config.http, local->config.loop, name, spec->url, spec->dialect, err);
    return out->client ? 0 : -1;
}

struct tfl_op *tfl_local_wait_ready(
    struct tfl_local *local, const char *const *names, const int *peers, size_t n, int64_t within_ms)
{
    TFL_FREE struct tfl_ready_node *nodes = tfl_alloc(n * sizeof *nodes);
    struct tfl_error err;
    size_t used = 0;
    int failed = 0;
    for (size_t i = 0; i < n && !failed; i++) {
        failed = ready_node(local, names[i], peers ? peers[i] : -1, &nodes[used], &err);
        if (nodes[used].client)
            used++;
    }
    struct tfl_ready_config config = {.nodes = nodes,
        .n = used,
        .refused = failed ? &err : NULL,
        .within_ms = within_ms,
        .gone = gone,
        .tail = tail_of,
        .ready = node_ready,
        .release = release,
        .arg = tfl_local_ref(local)};
    struct tfl_op *op = tfl_wait_ready(local->config.loop, &config);
    for (size_t i = 0; i < used; i++)
        tfl_client_unref(nodes[i].client);
    return op;
}

/* ---- clean-up */

struct cleanup {
    struct tfl_op op;
    struct tfl_local *local;
    struct tfl_op **stops;
    size_t n, n_done;
    struct tfl_buf failures;
};

static void all_stopped(struct cleanup *cleanup)
{
    struct tfl_local *local = cleanup->local;
    struct tfl_error err;
    tfl_local_end_exits(local);
    if (!local->freed) {
        tfl_ports_free(local->ports);
        local->ports = tfl_ports_new(); /* empty: it locks nothing until it is asked */
    }
    if (!cleanup->failures.len) {
        tfl_op_succeed(&cleanup->op);
        return;
    }
    tfl_fail(&err, TFL_E_TIMEOUT, "the clean-up could not end everything: %s", cleanup->failures.data);
    tfl_op_fail(&cleanup->op, &err);
}

static void one_stopped(struct tfl_op *op)
{
    struct cleanup *cleanup = op->owner;
    if (op->failed)
        tfl_buf_addf(&cleanup->failures, "%s%s", cleanup->failures.len ? "; " : "", op->err.msg);
    if (++cleanup->n_done == cleanup->n)
        all_stopped(cleanup);
}

/* The stopping itself goes on: it belongs to the processes. */
static void cleanup_cancel(struct tfl_op *op)
{
    struct cleanup *cleanup = TFL_CONTAINER(op, struct cleanup, op);
    for (size_t i = 0; i < cleanup->n; i++)
        tfl_op_free(cleanup->stops[i]);
    cleanup->n = 0;
}

static void cleanup_destroy(struct tfl_op *op)
{
    struct cleanup *cleanup = TFL_CONTAINER(op, struct cleanup, op);
    cleanup_cancel(op);
    tfl_local_unref(cleanup->local);
    tfl_buf_done(&cleanup->failures);
    free(cleanup->stops);
    free(cleanup);
}

struct tfl_op *tfl_local_cleanup(struct tfl_local *local, int timeout_ms)
{
    struct cleanup *cleanup = tfl_alloc(sizeof *cleanup);
    tfl_op_init(&cleanup->op, local->config.loop, cleanup_cancel, cleanup_destroy);
    cleanup->local = tfl_local_ref(local);
    cleanup->stops = tfl_alloc(HASH_COUNT(local->nodes) * sizeof(struct tfl_op *));
    local->closing = true;
    for (struct node *node = local->nodes; node; node = node->hh.next) {
        tfl_local_drop_verbs(node);
        if (!node->process)
            continue;
        int signum = node->spec.stop_signal ? node->spec.stop_signal : SIGTERM;
        node->state = TFL_NODE_STOPPING;
        node->to_kill = false;
        struct tfl_op *stop =
            tfl_process_stop(node->process, signum, timeout_ms > 0 ? timeout_ms : CLEANUP_MS);
        stop->owner = cleanup;
        stop->done = one_stopped;
        cleanup->stops[cleanup->n++] = stop;
    }
    if (!cleanup->n)
        all_stopped(cleanup);
    return &cleanup->op;
}
