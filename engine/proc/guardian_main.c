#include "proc/guardian.h"

#include "proc/guardian_report.h"
#include "proc/procfs.h"
#include "proc/undo.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { TICK_MS = 250, SILENCE_MS = 10000, LAST_WORDS_MS = 1000, CLOSING_MS = 200 };

struct guard {
    struct tfl_loop *loop;
    int fd;
    const char *ledger_path;
    int ledger_fd;             /* holds the lock of the ledger */
    struct tfl_ledger *ledger; /* read when tfl is dead: until then it grows */
    const char *run_dir;
    pid_t tfl_pid;
    uint64_t tfl_start;
    struct tfl_io io;
    struct tfl_timer tick;
    int64_t last_tick;
    int silent_ms; /* time without a pulse in which both tfl and the guardian could run */
    bool hogged, interrupted, over;
    struct tfl_undo *undo;
    int waits; /* milliseconds that tfl has taken to end */
};

static void undone(struct tfl_op *op)
{
    struct guard *guard = op->owner;
    if (*guard->run_dir)
        tfl_guardian_report_undone(
            guard->loop, guard->run_dir, guard->undo->report, op->failed ? &op->err : NULL);
    tfl_op_free(op);
    guard->over = true;
}

/* The kernel closes the files of a dead process one after the other, the pipe to us before the locks of its ports: what it held is free
 * for certain only when it has ended. */
static void undo_when_closed(struct tfl_timer *timer)
{
    struct guard *guard = TFL_CONTAINER(timer, struct guard, tick);
    char state = tfl_procfs_state(guard->tfl_pid);
    if (state && state != 'Z' && state != 'X' && tfl_procfs_start_time(guard->tfl_pid) == guard->tfl_start &&
        guard->waits++ < CLOSING_MS) {
        tfl_timer_start(guard->loop, timer, tfl_now(guard->loop) + TFL_MS, undo_when_closed);
        return;
    }
    struct tfl_error err;
    guard->ledger = tfl_ledger_open(guard->ledger_path, guard->ledger_fd, &err);
    if (!guard->ledger) { /* `tfl clean` will find it */
        if (*guard->run_dir)
            tfl_guardian_report_undone(guard->loop, guard->run_dir, NULL, &err);
        guard->over = true;
        return;
    }
    guard->undo = tfl_undo(guard->loop, guard->ledger, true);
    guard->undo->op.owner = guard;
    guard->undo->op.done = undone;
}

/* tfl is dead, or hogs its loop and did not leave when asked. */
static void tfl_is_gone(struct guard *guard)
{
    tfl_io_stop(guard->loop, &guard->io);
    tfl_timer_stop(guard->loop, &guard->tick);
    if (guard->hogged)
        tfl_procfs_kill(guard->tfl_pid, guard->tfl_start);
    enum tfl_guardian_end end = guard->hogged        ? TFL_END_HOGGED
                                : guard->interrupted ? TFL_END_INTERRUPTED
                                                     : TFL_END_KILLED;
    if (*guard->run_dir)
        tfl_guardian_report_end(guard->loop, guard->run_dir, end, guard->tfl_pid);
    guard->waits = 0;
    undo_when_closed(&guard->tick);
}

static void heard(struct tfl_io *io, int events)
{
    struct guard *guard = TFL_CONTAINER(io, struct guard, io);
    char bytes[64];
    (void)events;
    ssize_t n = read(guard->fd, bytes, sizeof bytes);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        tfl_is_gone(guard);
        return;
    }
    guard->silent_ms = 0;
    if (memchr(bytes, TFL_GUARDIAN_INTERRUPTED, (size_t)n))
        guard->interrupted = true;
    if (memchr(bytes, TFL_GUARDIAN_BYE, (size_t)n))
        guard->over = true;
}

static void tick(struct tfl_timer *timer)
{
    struct guard *guard = TFL_CONTAINER(timer, struct guard, tick);
    int64_t now = tfl_now(guard->loop), passed_ms = (now - guard->last_tick) / TFL_MS;
    guard->last_tick = now;
    char state = tfl_procfs_state(guard->tfl_pid);
    if (state == 'T' || state == 't')
        guard->silent_ms = 0;
    else /* a longer gap is time in which this process did not run either */
        guard->silent_ms += (int)(passed_ms < 2 * TICK_MS ? passed_ms : 2 * TICK_MS);
    if (!guard->hogged && guard->silent_ms >= SILENCE_MS) {
        guard->hogged = true;
        if (*guard->run_dir)
            tfl_guardian_report_silence(guard->loop, guard->run_dir, guard->silent_ms);
        if (tfl_procfs_start_time(guard->tfl_pid) == guard->tfl_start)
            kill(guard->tfl_pid, SIGUSR2);
    } else if (guard->hogged && guard->silent_ms >= SILENCE_MS + LAST_WORDS_MS) {
        tfl_is_gone(guard);
        return;
    }
    tfl_timer_start(guard->loop, timer, now + TICK_MS * TFL_MS, tick);
}

/* Whatever the terminal or an init sends to all: the guardian leaves when its work is done, and only then. */
static void ignore_signals(void)
{
    static const int ignored[] = {SIGINT, SIGHUP, SIGTERM, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2, SIGTSTP};
    for (size_t i = 0; i < TFL_LEN(ignored); i++)
        signal(ignored[i], SIG_IGN);
}

int tfl_guardian_main(int argc, char **argv)
{
    struct tfl_error err;
    if (argc != 7) {
        fputs("tfl: --guardian is for tfl's own use\n", stderr);
        return 2;
    }
    ignore_signals();
    prctl(PR_SET_NAME, "tfl-guardian");
    struct guard guard = {.fd = atoi(argv[2]),
        .ledger_fd = atoi(argv[3]),
        .ledger_path = argv[4],
        .run_dir = argv[5],
        .tfl_pid = atoi(argv[6])};
    guard.tfl_start =
        tfl_procfs_start_time(guard.tfl_pid); /* 0 when it is dead already: then nobody is signalled */
    guard.loop = tfl_loop_new(&err);
    if (!guard.loop || fcntl(guard.fd, F_SETFL, O_NONBLOCK) ||
        tfl_io_start(guard.loop, &guard.io, guard.fd, TFL_READ, heard, &err)) {
        tfl_loop_free(guard.loop);
        return 3;
    }
    fcntl(guard.fd, F_SETFD, FD_CLOEXEC);
    fcntl(guard.ledger_fd, F_SETFD, FD_CLOEXEC);
    guard.last_tick = tfl_now(guard.loop);
    tick(&guard.tick);
    tfl_loop_run(guard.loop, &guard.over);
    tfl_io_stop(guard.loop, &guard.io);
    tfl_timer_stop(guard.loop, &guard.tick);
    tfl_ledger_free(guard.ledger);
    tfl_loop_free(guard.loop);
    return 0;
}
