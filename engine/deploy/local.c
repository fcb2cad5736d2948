#include "deploy/local_impl.h"

#include "base/log.h"
#include "proc/spawn.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const state_names[] = {[TFL_NODE_UNKNOWN] = "unknown",
    [TFL_NODE_ADDED] = "not started",
    [TFL_NODE_RUNNING] = "running",
    [TFL_NODE_PAUSED] = "paused",
    [TFL_NODE_STOPPING] = "stopping",
    [TFL_NODE_STOPPED] = "stopped",
    [TFL_NODE_EXITED] = "exited"};

const char *tfl_node_state_name(enum tfl_node_state state)
{
    return state_names[state];
}

struct tfl_local *tfl_local_new(const struct tfl_local_config *config)
{
    struct tfl_local *local = tfl_alloc(sizeof *local);
    local->config = *config;
    local->run_id = tfl_strdup(config->run_id);
    local->refs = 1;
    local->ports = tfl_ports_new();
    tfl_raise_fd_limit();
    return local;
}

struct tfl_local *tfl_local_ref(struct tfl_local *local)
{
    local->refs++;
    return local;
}

void tfl_local_unref(struct tfl_local *local)
{
    if (--local->refs)
        return;
    struct node *node = local->nodes;
    HASH_CLEAR(hh, local->nodes); /* the table goes, the chain of its members stays */
    while (node) {
        struct node *next = node->hh.next;
        tfl_node_spec_done(&node->spec);
        free(node->tail);
        free(node);
        node = next;
    }
    free(local->run_id);
    free(local);
}

static struct tfl_ledger *ledger_of(const struct tfl_local *local)
{
    return local->config.ledger ? *local->config.ledger : NULL;
}

static void ledger_done(struct node *node)
{
    struct tfl_error err;
    struct tfl_ledger *ledger = ledger_of(node->local);
    if (ledger && node->ledger_id && tfl_ledger_done(ledger, node->ledger_id, &err))
        TFL_LOG(TFL_LOG_WARN, "deploy", "%s", err.msg);
    node->ledger_id = 0;
}

void tfl_local_free(struct tfl_local *local)
{
    if (!local)
        return;
    local->closing = local->freed = true;
    tfl_defer_stop(local->config.loop, &local->pump);
    for (struct node *node = local->nodes; node; node = node->hh.next) {
        tfl_local_drop_verbs(node);
        if (!node->process)
            continue;
        tfl_process_free(node->process);
        node->process = NULL;
        node->state = TFL_NODE_STOPPED;
        ledger_done(node);
    }
    tfl_local_end_exits(local);
    tfl_ports_free(local->ports);
    local->ports = NULL;
    tfl_local_unref(local);
}

/* The lock files are in the ledger before they are made: one request for their whole folder. */
int tfl_local_reserve(struct tfl_local *local, size_t n, uint16_t *ports, struct tfl_error *err)
{
    if (local->closing)
        return tfl_fail(err, TFL_E_STATE, "the cluster is cleaned up: no more ports");
    if (ledger_of(local)) {
        struct json_object *request = json_object_new_object();
        TFL_FREE char *folder = tfl_ports_folder();
        json_object_object_add(request, "undo", json_object_new_string("locks"));
        json_object_object_add(request, "path", json_object_new_string(folder));
        if (tfl_ledger_add(ledger_of(local), request, NULL, err))
            return -1;
    }
    return tfl_ports_take(local->ports, n, ports, err);
}

void tfl_local_unbind(struct tfl_local *local, uint16_t port)
{
    tfl_ports_unbind(local->ports, port);
}

struct node *tfl_local_find(const struct tfl_local *local, const char *name)
{
    struct node *node;
    HASH_FIND_STR(local->nodes, name, node);
    return node;
}

int tfl_local_wrong_state(const struct node *node, const char *verb, struct tfl_error *err)
{
    tfl_fail(err, TFL_E_STATE, "%s: cannot %s it: it is %s%s%s%s", node->spec.name, verb,
        tfl_node_state_name(node->state), node->status[0] && !tfl_local_runs(node) ? " (" : "",
        tfl_local_runs(node) ? "" : node->status, node->status[0] && !tfl_local_runs(node) ? ")" : "");
    if (err)
        snprintf(err->node, sizeof err->node, "%s", node->spec.name);
    return -1;
}

int tfl_local_add(struct tfl_local *local, struct tfl_node_spec *spec, struct tfl_error *err)
{
    struct node *node = NULL;
    int failed = tfl_node_spec_check(spec, err);
    if (!failed) {
        node = tfl_local_find(local, spec->name);
        if (node && (tfl_local_runs(node) || node->verbs))
            failed = tfl_local_wrong_state(node, "change", err);
        else if (local->closing)
            failed = tfl_fail(err, TFL_E_STATE, "%s: cannot be added: the cluster is cleaned up", spec->name);
    }
    if (failed) {
        tfl_node_spec_done(spec);
        return -1;
    }
    if (node) { /* the name is the key of the table: it stays */
        char *name = node->spec.name;
        free(spec->name);
        node->spec.name = NULL;
        tfl_node_spec_done(&node->spec);
        node->spec = *spec;
        node->spec.name = name;
    } else {
        node = tfl_alloc(sizeof *node);
        node->local = local;
        node->spec = *spec;
        node->state = TFL_NODE_ADDED;
        HASH_ADD_KEYPTR(hh, local->nodes, node->spec.name, strlen(node->spec.name), node);
    }
    memset(spec, 0, sizeof *spec);
    return 0;
}

int tfl_local_write(const struct tfl_local *local, const char *name, struct tfl_error *err)
{
    const struct node *node = tfl_local_find(local, name);
    if (!node)
        return tfl_fail(err, TFL_E_USAGE, "there is no node `%s`", name);
    return tfl_node_spec_write(&node->spec, err);
}

enum tfl_node_state tfl_local_state(const struct tfl_local *local, const char *name)
{
    const struct node *node = tfl_local_find(local, name);
    return node ? node->state : TFL_NODE_UNKNOWN;
}

pid_t tfl_local_pid(const struct tfl_local *local, const char *name)
{
    const struct node *node = tfl_local_find(local, name);
    return !node ? 0 : node->process ? tfl_process_pid(node->process) : node->pid;
}

int tfl_local_logs(
    const struct tfl_local *local, const char *name, struct tfl_buf *b, size_t max, struct tfl_error *err)
{
    const struct node *node = tfl_local_find(local, name);
    if (!node)
        return tfl_fail(err, TFL_E_USAGE, "there is no node `%s`", name);
    return tfl_log_tail(node->spec.log, b, max, err);
}

/* Takes fields. */
void tfl_local_emit(
    struct tfl_local *local, const char *type, const struct node *node, struct json_object *fields)
{
    if (!fields)
        fields = json_object_new_object();
    json_object_object_add(fields, "node", json_object_new_string(node->spec.name));
    TFL_LOG(TFL_LOG_INFO, "deploy", "%s %s", type, json_object_to_json_string(fields));
    tfl_emit(local->config.sink ? *local->config.sink : NULL, type, fields);
}

static void log_failed(struct tfl_process *process, const struct tfl_error *err, void *arg)
{
    struct node *node = arg;
    struct json_object *fields = json_object_new_object();
    (void)process;
    json_object_object_add(fields, "message", json_object_new_string(err->msg));
    tfl_local_emit(node->local, "log_error", node, fields);
    TFL_LOG(TFL_LOG_ERROR, "deploy", "%s: %s", node->spec.name, err->msg);
}

void tfl_local_over(struct node *node, pid_t pid, int status, bool forced, const char *tail)
{
    bool asked = node->state == TFL_NODE_STOPPING;
    struct json_object *fields = json_object_new_object();
    free(node->tail);
    node->tail = tfl_strdup(tail ? tail : "");
    node->state = asked ? TFL_NODE_STOPPED : TFL_NODE_EXITED;
    if (status == TFL_LOCAL_GONE)
        snprintf(node->status, sizeof node->status, "gone");
    else
        tfl_status_text(status, node->status);
    if (pid)
        json_object_object_add(fields, "pid", json_object_new_int64(pid));
    json_object_object_add(fields, "status", json_object_new_string(node->status));
    json_object_object_add(fields, "asked", json_object_new_boolean(asked));
    if (WIFEXITED(status))
        json_object_object_add(fields, "code", json_object_new_int(WEXITSTATUS(status)));
    else if (WIFSIGNALED(status))
        json_object_object_add(fields, "signal", json_object_new_string(tfl_signal_name(WTERMSIG(status))));
    if (forced)
        json_object_object_add(fields, "forced", json_object_new_boolean(true));
    if (!asked)
        json_object_object_add(fields, "log_tail", json_object_new_string(node->tail));
    ledger_done(node);
    tfl_local_emit(node->local, "node_exited", node, fields);
    tfl_local_tell_exit(node->local, node, status, asked, forced, tfl_strdup(node->tail));
}

static void ended(struct tfl_process *process, int status, void *arg)
{
    struct node *node = arg;
    TFL_BUF tail = {0};
    pid_t pid = tfl_process_pid(process);
    bool forced = tfl_process_killed(process) && !node->to_kill;
    tfl_process_tail(process, &tail, TFL_LOCAL_TAIL);
    tfl_process_free(process);
    node->process = NULL;
    tfl_local_over(node, pid, status, forced, tail.data);
}

/* tfl's environment without what sets its own log: a node written in Rust would take RUST_LOG for its. Free the result only. */
static const char **nodes_environment(void)
{
    const char **env = tfl_env_merge(NULL, NULL);
    size_t n = 0;
    for (size_t i = 0; env[i]; i++)
        if (strncmp(env[i], "RUST_LOG=", 9) != 0)
            env[n++] = env[i];
    env[n] = NULL;
    return env;
}

static int start_process(struct node *node, struct tfl_error *err)
{
    struct tfl_local *local = node->local;
    const struct tfl_node_spec *spec = &node->spec;
    TFL_FREE char *run = tfl_sprintf("TFL_RUN_ID=%s", local->run_id);
    TFL_FREE char *name = tfl_sprintf("TFL_NODE=%s", spec->name);
    const char *own[] = {run, name, NULL};
    TFL_FREE const char **base = nodes_environment();
    TFL_FREE const char **env = tfl_env_merge((const char *const *)base, (const char *const *)spec->env);
    TFL_FREE const char **full = tfl_env_merge(env, own); /* these two win over anything */
    struct tfl_process_config config = {.name = spec->name,
        .argv = (const char *const *)spec->argv,
        .env = full,
        .cwd = spec->cwd,
        .log_path = spec->log,
        .log_segment_bytes = local->config.log_segment_bytes,
        .on_exit = ended,
        .on_log_error = log_failed,
        .arg = node};
    for (size_t i = 0; i < spec->n_ports; i++)
        tfl_ports_unbind(local->ports, spec->ports[i]);
    node->process = tfl_process_start(local->config.loop, &config, err);
    return node->process ? 0 : tfl_wrap(err, "%s", spec->name);
}

void tfl_local_begun(struct node *node, pid_t pid, uint64_t start_time, double seconds)
{
    /* The run's request "processes" was there before; this one finds it even when it hides its environment. */
    struct tfl_error err;
    struct tfl_ledger *ledger = ledger_of(node->local);
    if (ledger && pid && tfl_ledger_add_process(ledger, pid, start_time, &node->ledger_id, &err))
        TFL_LOG(TFL_LOG_WARN, "deploy", "%s", err.msg);
    node->state = TFL_NODE_RUNNING;
    node->status[0] = '\0';
    struct json_object *fields = json_object_new_object();
    if (pid)
        json_object_object_add(fields, "pid", json_object_new_int64(pid));
    json_object_object_add(fields, "seconds", tfl_event_seconds(seconds));
    tfl_local_emit(node->local, "node_started", node, fields);
}

int tfl_local_spawn(struct node *node, struct tfl_error *err)
{
    int64_t t0 = tfl_now(node->local->config.loop);
    if (tfl_node_spec_write(&node->spec, err) || start_process(node, err)) {
        if (err)
            snprintf(err->node, sizeof err->node, "%s", node->spec.name);
        return -1;
    }
    tfl_local_begun(node, tfl_process_pid(node->process), tfl_process_start_time(node->process),
        (double)(tfl_now(node->local->config.loop) - t0) / (double)TFL_S);
    return 0;
}
