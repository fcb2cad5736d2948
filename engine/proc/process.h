#ifndef TFL_PROC_PROCESS_H
#define TFL_PROC_PROCESS_H

#include "loop/op.h"
#include "proc/capture.h"

/* A supervised program: its own process group, output captured, end noticed, whole group gone when it ends. */
struct tfl_process;

struct tfl_process_config {
    const char *name;        /* for messages; copied */
    const char *const *argv; /* as in tfl_spawn; only read during the call */
    const char *const *env;
    const char *cwd;
    const char *log_path;     /* NULL: only the tail is kept */
    size_t log_segment_bytes; /* 0: 32 MiB */
    /* The process has ended and is reaped, its output is complete; may free the process. status as of waitpid(2). */
    void (*on_exit)(struct tfl_process *process, int status, void *arg);
    /* The log cannot be written any more; told once. May be NULL. */
    void (*on_log_error)(struct tfl_process *process, const struct tfl_error *err, void *arg);
    void *arg;
};

/* NULL and err (TFL_E_SPAWN, TFL_E_IO, …) when it cannot be started; nothing is left then. */
struct tfl_process *tfl_process_start(
    struct tfl_loop *loop, const struct tfl_process_config *config, struct tfl_error *err);
/* Kills (SIGKILL, the whole group) and reaps what still runs, without calling on_exit; stop ops pending on it are
 * cancelled. NULL-safe. */
void tfl_process_free(struct tfl_process *process);

pid_t tfl_process_pid(const struct tfl_process *process);           /* also after the end */
uint64_t tfl_process_start_time(const struct tfl_process *process); /* as tfl_procfs_start_time; 0: unknown */
bool tfl_process_running(const struct tfl_process *process);
bool tfl_process_killed(const struct tfl_process *process); /* was it sent SIGKILL by a stop? */
/* The end of the output, as tfl_capture_tail. */
void tfl_process_tail(const struct tfl_process *process, struct tfl_buf *b, size_t max);

/* Sends a signal to the whole group. TFL_E_STATE when it has ended. */
int tfl_process_signal(struct tfl_process *process, int signum, struct tfl_error *err);

/* Stops it: signum to the group (and SIGCONT, for a paused one), SIGKILL after timeout_ms; done when it has ended. A
 * second stop only shortens the patience of the first. An op given up does not call the stop off. TFL_E_TIMEOUT when
 * the kernel does not end it within 5 s of SIGKILL. Succeeds at once for a process that has ended. */
struct tfl_op *tfl_process_stop(struct tfl_process *process, int signum, int timeout_ms);

/* "exit code 1", "killed by SIGSEGV (core dumped)" into out; returns out. */
enum { TFL_STATUS_TEXT = 64 };
char *tfl_status_text(int status, char out[TFL_STATUS_TEXT]);
/* "SIGTERM" or "signal 77"; static, valid until the next call. */
const char *tfl_signal_name(int signum);
/* The number of "SIGTERM" or "TERM"; 0: no such signal. */
int tfl_signal_number(const char *name);

#endif
