#ifndef TFL_LOOP_LOOP_H
#define TFL_LOOP_LOOP_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The one event loop of a process, and the only place that reads the time. Not thread-safe: one thread owns it.
 * Real: libev under it, timers on a timerfd (ev_timer is late by up to a millisecond). Virtual: time stands still while
 * anything is runnable, then jumps to the next deadline; it has timers and deferred calls only. */
struct tfl_loop;

/* NULL and err when the system gives no epoll or timerfd. An ignored SIGCHLD, which exec hands on, is set to its default:
 * else the kernel would reap children and lose their exit codes. */
struct tfl_loop *tfl_loop_new(struct tfl_error *err);
/* A virtual loop whose wall clock starts at wall_ns (nanoseconds since the Unix epoch) and monotonic clock at 0. */
struct tfl_loop *tfl_loop_new_virtual(int64_t wall_ns);
void tfl_loop_free(struct tfl_loop *loop); /* watchers still started are forgotten, not called; NULL-safe */
bool tfl_loop_is_virtual(const struct tfl_loop *loop);

#define TFL_MS INT64_C(1000000)
#define TFL_S INT64_C(1000000000)
#define TFL_NEVER INT64_MAX

int64_t tfl_now(const struct tfl_loop *loop);      /* monotonic, nanoseconds */
int64_t tfl_wall_now(const struct tfl_loop *loop); /* since the Unix epoch, nanoseconds */
int64_t tfl_cpu_now(void); /* what this thread has had of a processor, nanoseconds; also under virtual time */

/* One turn: deferred calls, due timers, then file descriptors. With may_block it sleeps until something happens,
 * else it only looks. False when nothing is armed that could ever happen (of use under virtual time). Never called from
 * inside a callback of the same loop. */
bool tfl_loop_turn(struct tfl_loop *loop, bool may_block);
/* Turns until *stop is true or nothing is left; for programs without a scheduler (tfl-node) and specs. */
void tfl_loop_run(struct tfl_loop *loop, const bool *stop);
/* The longest a turn was late for a due timer since the last call (nanoseconds), and resets it: the host's starvation. */
int64_t tfl_loop_take_lag(struct tfl_loop *loop);

/* Timers, deferred calls, descriptors, processes and signals: intrusive structs, zero-initialised before first use,
 * which the owner embeds and keeps alive while started. Their function gets the struct back (TFL_CONTAINER gives the
 * owner) and may start, stop or free anything, itself included. Stopping what is not started does nothing. */
struct tfl_timer {
    void (*fn)(struct tfl_timer *timer);
    int64_t at;  /* tfl_now time of the deadline, as it was given */
    int64_t due; /* the same, or the time of the start when that was later */
    uint64_t seq;
    size_t slot; /* place in the heap + 1; 0: not started */
};
/* Fires once at or after `at`, in a later turn when started by a timer; timers with one deadline fire in the order they
 * were started, and a deadline that is over counts as now: it comes after what is due. Restarts a started one. */
void tfl_timer_start(
    struct tfl_loop *loop, struct tfl_timer *timer, int64_t at, void (*fn)(struct tfl_timer *));
void tfl_timer_stop(struct tfl_loop *loop, struct tfl_timer *timer);
static inline bool tfl_timer_started(const struct tfl_timer *timer)
{
    return timer->slot != 0;
}

struct tfl_defer {
    void (*fn)(struct tfl_defer *defer);
    struct tfl_defer *prev, *next;
    bool started;
};
/* Calls fn once, in the next turn, never now. Starting a started one does nothing. */
void tfl_defer_start(struct tfl_loop *loop, struct tfl_defer *defer, void (*fn)(struct tfl_defer *));
void tfl_defer_stop(struct tfl_loop *loop, struct tfl_defer *defer);

enum { TFL_READ = 1, TFL_WRITE = 2 };
struct tfl_io {
    void (*fn)(struct tfl_io *io, int events);
    void *impl;
};
/* Calls fn whenever fd is readable or writable, as asked; restarts a started one. Stop before closing fd.
 * TFL_E_UNSUPPORTED under virtual time. */
int tfl_io_start(struct tfl_loop *loop, struct tfl_io *io, int fd, int events,
    void (*fn)(struct tfl_io *, int), struct tfl_error *err);
void tfl_io_stop(struct tfl_loop *loop, struct tfl_io *io);

struct tfl_child {
    void (*fn)(struct tfl_child *child, int status); /* status as of waitpid(2); the process is reaped */
    struct tfl_io io;
    struct tfl_loop *loop;
    pid_t pid;
    int pidfd; /* usable for signals while started: see tfl_child_signal */
    /* set after the start for a leader of a process group: what is left of it is killed at its end */
    bool group;
};
/* Watches a child process of this process until it ends (by pidfd: no SIGCHLD handler, no pid reuse). When somebody else
 * took its status, status says exit code 255. */
int tfl_child_start(struct tfl_loop *loop, struct tfl_child *child, pid_t pid,
    void (*fn)(struct tfl_child *, int), struct tfl_error *err);
void tfl_child_stop(struct tfl_loop *loop, struct tfl_child *child);
int tfl_child_signal(struct tfl_child *child, int signum); /* 0, or −1 with errno */

struct tfl_signal {
    void (*fn)(struct tfl_signal *signal);
    void *impl;
};
int tfl_signal_start(struct tfl_loop *loop, struct tfl_signal *signal, int signum,
    void (*fn)(struct tfl_signal *), struct tfl_error *err);
void tfl_signal_stop(struct tfl_loop *loop, struct tfl_signal *signal);

#endif
