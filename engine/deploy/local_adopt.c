/* Nodes that somebody else starts and stops. */
#include "deploy/local_impl.h"

#include "proc/procfs.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct node *find(const struct tfl_local *local, const char *name, struct tfl_error *err)
{
    struct node *node = tfl_local_find(local, name);
    if (!node)
        tfl_fail(err, TFL_E_USAGE, "there is no node `%s`", name);
    return node;
}

static int fail_node(const struct node *node, struct tfl_error *err)
{
    if (err)
        snprintf(err->node, sizeof err->node, "%s", node->spec.name);
    return -1;
}

/* One that may be started now. */
static struct node *find_down(const struct tfl_local *local, const char *name, struct tfl_error *err)
{
    struct node *node = find(local, name, err);
    if (node && local->closing) {
        tfl_fail(err, TFL_E_STATE, "%s: cannot start it: the cluster is cleaned up", name);
        fail_node(node, err);
        return NULL;
    }
    if (node && (tfl_local_runs(node) || node->verbs)) {
        tfl_local_wrong_state(node, "start", err);
        return NULL;
    }
    return node;
}

int tfl_local_lay_out(struct tfl_local *local, const char *name, struct tfl_error *err)
{
    struct node *node = find_down(local, name, err);
    if (!node)
        return -1;
    if (tfl_node_spec_write(&node->spec, err))
        return fail_node(node, err);
    for (size_t i = 0; i < node->spec.n_ports; i++)
        tfl_ports_unbind(local->ports, node->spec.ports[i]);
    return 0;
}

static bool there(pid_t pid, uint64_t start_time)
{
    char state = tfl_procfs_state(pid);
    return state && state != 'Z' && state != 'X' && tfl_procfs_start_time(pid) == start_time;
}

int tfl_local_adopt(struct tfl_local *local, const char *name, pid_t pid, struct tfl_error *err)
{
    struct node *node = find_down(local, name, err);
    uint64_t start_time = pid > 1 ? tfl_procfs_start_time(pid) : 0;
    if (!node)
        return -1;
    if (pid && (!start_time || !there(pid, start_time))) {
        tfl_fail(err, TFL_E_NOT_FOUND, "%s: there is no process %d (any more)", name, (int)pid);
        return fail_node(node, err);
    }
    node->adopted = true;
    node->pid = pid;
    node->start_time = start_time;
    tfl_local_begun(node, pid, start_time, 0);
    return 0;
}

static void over(struct node *node, int status)
{
    TFL_BUF tail = {0};
    pid_t pid = node->pid;
    tfl_log_tail(node->spec.log, &tail, TFL_LOCAL_TAIL, NULL);
    node->adopted = false;
    node->pid = 0;
    tfl_local_over(node, pid, status, false, tail.data);
}

int tfl_local_mark(
    struct tfl_local *local, const char *name, enum tfl_node_state state, int status, struct tfl_error *err)
{
    static const char *const verbs[] = {[TFL_NODE_PAUSED] = "pause",
        [TFL_NODE_RUNNING] = "resume",
        [TFL_NODE_STOPPING] = "stop",
        [TFL_NODE_STOPPED] = "stop",
        [TFL_NODE_EXITED] = "give up"};
    struct node *node = find(local, name, err);
    if (!node)
        return -1;
    enum tfl_node_state now = node->state;
    bool up = now == TFL_NODE_RUNNING || now == TFL_NODE_PAUSED;
    bool allowed = state == TFL_NODE_PAUSED     ? now == TFL_NODE_RUNNING
                   : state == TFL_NODE_RUNNING  ? now == TFL_NODE_PAUSED
                   : state == TFL_NODE_STOPPING ? up || now == TFL_NODE_STOPPING
                   : state == TFL_NODE_STOPPED  ? now == TFL_NODE_STOPPING
                   : state == TFL_NODE_EXITED   ? up
                                                : false;
    bool ends = state == TFL_NODE_STOPPED || state == TFL_NODE_EXITED;
    if (!allowed || (ends && !node->adopted))
        return tfl_local_wrong_state(node, verbs[state] ? verbs[state] : "mark", err);
    if (ends) {
        over(node, status);
        return 0;
    }
    node->state = state;
    if (state != TFL_NODE_STOPPING)
        tfl_local_emit(local, state == TFL_NODE_PAUSED ? "node_paused" : "node_resumed", node, NULL);
    return 0;
}

bool tfl_local_here(const struct tfl_local *local, const char *name)
{
    const struct node *node = tfl_local_find(local, name);
    return node && node->adopted && node->pid && there(node->pid, node->start_time);
}

int tfl_local_signal(struct tfl_local *local, const char *name, int signum, struct tfl_error *err)
{
    struct node *node = find(local, name, err);
    if (!node)
        return -1;
    if (!node->pid) {
        tfl_fail(err, TFL_E_UNSUPPORTED, "%s: its pid is not known", name);
        return fail_node(node, err);
    }
    if (!there(node->pid, node->start_time))
        return 0; /* gone: its end is told by who looks */
    pid_t target = getpgid(node->pid) == node->pid ? -node->pid : node->pid;
    if (kill(target, signum                   ? signum
                     : node->spec.stop_signal ? node->spec.stop_signal
                                              : SIGTERM) &&
        errno != ESRCH) {
        tfl_fail_errno(err, TFL_E_IO, errno, "%s: cannot signal its process %d", name, (int)node->pid);
        return fail_node(node, err);
    }
    return 0;
}
