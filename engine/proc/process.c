#include "proc/process.h"

#include "proc/procfs.h"
#include "proc/spawn.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utlist.h>

enum { AFTER_KILL_MS = 5000 };

struct stop_op {
    struct tfl_op op;
    struct tfl_process *process; /* NULL: no longer waiting for one */
    struct stop_op *prev, *next;
};

struct tfl_process {
    struct tfl_loop *loop;
    char *name;
    pid_t pid;
    uint64_t start_time;
    bool running;
    bool killed; /* SIGKILL was sent by the stop below */
    struct tfl_child child;
    struct tfl_capture capture;
    struct tfl_timer patience;
    struct stop_op *stops;
    void (*on_exit)(struct tfl_process *, int, void *);
    void (*on_log_error)(struct tfl_process *, const struct tfl_error *, void *);
    void *arg;
};

static void log_failed(struct tfl_capture *capture)
{
    struct tfl_process *process = TFL_CONTAINER(capture, struct tfl_process, capture);
    if (process->on_log_error)
        process->on_log_error(process, &capture->err, process->arg);
}

static void end_stops(struct tfl_process *process, const struct tfl_error *err)
{
    while (process->stops) {
        struct stop_op *stop = process->stops;
        DL_DELETE(process->stops, stop);
        stop->process = NULL;
        if (err)
            tfl_op_fail(&stop->op, err);
        else
            tfl_op_succeed(&stop->op);
    }
}

static void ended(struct tfl_child *child, int status)
{
    struct tfl_process *process = TFL_CONTAINER(child, struct tfl_process, child);
    process->running = false;
    tfl_timer_stop(process->loop, &process->patience);
    tfl_capture_end(&process->capture);
    end_stops(process, NULL);
    process->on_exit(process, status, process->arg);
}

static int spawn(
    struct tfl_process *process, const struct tfl_process_config *config, int out, struct tfl_error *err)
{
    struct tfl_spawn s = {
        .argv = config->argv, .env = config->env, .cwd = config->cwd, .in = -1, .out = out, .error = out};
    if (tfl_spawn(&s, &process->pid, err))
        return -1;
    process->start_time = tfl_procfs_start_time(process->pid);
    if (tfl_child_start(process->loop, &process->child, process->pid, ended, err)) {
        kill(-process->pid, SIGKILL);
        waitpid(process->pid, NULL, 0);
        return -1;
    }
    process->child.group = true;
    process->running = true;
    return 0;
}

struct tfl_process *tfl_process_start(
    struct tfl_loop *loop, const struct tfl_process_config *config, struct tfl_error *err)
{
    struct tfl_process *process = tfl_alloc(sizeof *process);
    int out = -1;
    process->loop = loop;
    process->on_exit = config->on_exit;
    process->on_log_error = config->on_log_error;
    process->arg = config->arg;
    process->capture.on_error = log_failed;
    if (tfl_capture_start(&process->capture, loop, config->log_path, config->log_segment_bytes, &out, err)) {
        free(process);
        return NULL;
    }
    int failed = spawn(process, config, out, err);
    close(out);
    if (failed) {
        tfl_capture_done(&process->capture);
        free(process);
        return NULL;
    }
    process->name = tfl_strdup(config->name ? config->name : config->argv[0]);
    return process;
}

void tfl_process_free(struct tfl_process *process)
{
    if (!process)
        return;
    struct tfl_error err;
    if (process->running) {
        kill(-process->pid, SIGKILL);
        tfl_child_stop(process->loop, &process->child);
        while (waitpid(process->pid, NULL, 0) < 0 && errno == EINTR) /* SIGKILL: ends in a moment */
            continue;
    }
    tfl_timer_stop(process->loop, &process->patience);
    tfl_fail(&err, TFL_E_CANCELLED, "%s: given up", process->name);
    end_stops(process, &err);
    tfl_capture_done(&process->capture);
    free(process->name);
    free(process);
}

pid_t tfl_process_pid(const struct tfl_process *process)
{
    return process->pid;
}

uint64_t tfl_process_start_time(const struct tfl_process *process)
{
    return process->start_time;
}

bool tfl_process_running(const struct tfl_process *process)
{
    return process->running;
}

bool tfl_process_killed(const struct tfl_process *process)
{
    return process->killed;
}

void tfl_process_tail(const struct tfl_process *process, struct tfl_buf *b, size_t max)
{
    tfl_capture_tail(&process->capture, b, max);
}

int tfl_process_signal(struct tfl_process *process, int signum, struct tfl_error *err)
{
    /* not reaped yet, so the group id is still its own */
    if (!process->running)
        return tfl_fail(err, TFL_E_STATE, "%s: cannot send %s, the process has ended", process->name,
            tfl_signal_name(signum));
    if (kill(-process->pid, signum))
        return tfl_fail_errno(err, TFL_E_INTERNAL, errno, "%s: cannot send %s to process %d", process->name,
            tfl_signal_name(signum), (int)process->pid);
    return 0;
}

static void out_of_patience(struct tfl_timer *timer)
{
    struct tfl_process *process = TFL_CONTAINER(timer, struct tfl_process, patience);
    if (!process->killed) {
        process->killed = true;
        tfl_process_signal(process, SIGKILL, NULL);
        tfl_timer_start(
            process->loop, timer, tfl_now(process->loop) + AFTER_KILL_MS * TFL_MS, out_of_patience);
        return;
    }
    struct tfl_error err;
    tfl_fail(&err, TFL_E_TIMEOUT, "%s: process %d did not end within %d s of SIGKILL (state %c)",
        process->name, (int)process->pid, AFTER_KILL_MS / 1000, tfl_procfs_state(process->pid));
    end_stops(process, &err);
}

static void stop_cancel(struct tfl_op *op)
{
    struct stop_op *stop = TFL_CONTAINER(op, struct stop_op, op);
    if (stop->process)
        DL_DELETE(stop->process->stops, stop);
    stop->process = NULL;
}

static void stop_destroy(struct tfl_op *op)
{
    free(TFL_CONTAINER(op, struct stop_op, op));
}

struct tfl_op *tfl_process_stop(struct tfl_process *process, int signum, int timeout_ms)
{
    struct stop_op *stop = tfl_alloc(sizeof *stop);
    tfl_op_init(&stop->op, process->loop, stop_cancel, stop_destroy);
    if (!process->running) {
        tfl_op_succeed(&stop->op);
        return &stop->op;
    }
    stop->process = process;
    DL_APPEND(process->stops, stop);
    if (signum == SIGKILL)
        timeout_ms = 0;
    int64_t at = tfl_now(process->loop) + timeout_ms * TFL_MS;
    if (timeout_ms <= 0 && !process->killed) {
        out_of_patience(&process->patience);
    } else if (!process->killed) {
        tfl_process_signal(process, signum, NULL);
        tfl_process_signal(process, SIGCONT, NULL);
        if (!tfl_timer_started(&process->patience) || at < process->patience.at)
            tfl_timer_start(process->loop, &process->patience, at, out_of_patience);
    }
    return &stop->op;
}

static const struct {
    int signum;
    const char *name;
} signals[] = {{SIGHUP, "SIGHUP"}, {SIGINT, "SIGINT"}, {SIGQUIT, "SIGQUIT"}, {SIGILL, "SIGILL"},
    {SIGTRAP, "SIGTRAP"}, {SIGABRT, "SIGABRT"}, {SIGBUS, "SIGBUS"}, {SIGFPE, "SIGFPE"}, {SIGKILL, "SIGKILL"},
    {SIGUSR1, "SIGUSR1"}, {SIGSEGV, "SIGSEGV"}, {SIGUSR2, "SIGUSR2"}, {SIGPIPE, "SIGPIPE"},
    {SIGALRM, "SIGALRM"}, {SIGTERM, "SIGTERM"}, {SIGCHLD, "SIGCHLD"}, {SIGCONT, "SIGCONT"},
    {SIGSTOP, "SIGSTOP"}, {SIGXCPU, "SIGXCPU"}, {SIGXFSZ, "SIGXFSZ"}, {SIGSYS, "SIGSYS"}};

const char *tfl_signal_name(int signum)
{
    static char other[32];
    for (size_t i = 0; i < TFL_LEN(signals); i++)
        if (signals[i].signum == signum)
            return signals[i].name;
    snprintf(other, sizeof other, "signal %d", signum);
    return other;
}

int tfl_signal_number(const char *name)
{
    for (size_t i = 0; i < TFL_LEN(signals); i++)
        if (!strcmp(signals[i].name, name) || !strcmp(signals[i].name + 3, name))
            return signals[i].signum;
    return 0;
}

char *tfl_status_text(int status, char out[TFL_STATUS_TEXT])
{
    if (WIFEXITED(status))
        snprintf(out, TFL_STATUS_TEXT, "exit code %d", WEXITSTATUS(status));
    else if (WIFSIGNALED(status))
        snprintf(out, TFL_STATUS_TEXT, "killed by %s%s", tfl_signal_name(WTERMSIG(status)),
            WCOREDUMP(status) ? " (core dumped)" : "");
    else
        snprintf(out, TFL_STATUS_TEXT, "status %#x", (unsigned)status);
    return out;
}
