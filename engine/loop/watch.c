#include "loop/loop_impl.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int no_virtual(const struct tfl_loop *loop, const char *what, struct tfl_error *err)
{
    return loop->ev ? 0 : tfl_fail(err, TFL_E_UNSUPPORTED, "%s: unsupported under virtual time", what);
}

static void io_ready(struct ev_loop *ev, ev_io *w, int revents)
{
    struct tfl_io *io = w->data;
    (void)ev;
    io->fn(io,
        (revents & (EV_READ | EV_ERROR) ? TFL_READ : 0) | (revents & (EV_WRITE | EV_ERROR) ? TFL_WRITE : 0));
}

int tfl_io_start(struct tfl_loop *loop, struct tfl_io *io, int fd, int events,
    void (*fn)(struct tfl_io *, int), struct tfl_error *err)
{
    if (no_virtual(loop, "watching a file descriptor", err))
        return -1;
    ev_io *w = io->impl;
    if (w) {
        ev_io_stop(loop->ev, w);
    } else {
        w = io->impl = tfl_alloc(sizeof *w);
        loop->n_watchers++;
    }
    ev_io_init(w, io_ready, fd, (events & TFL_READ ? EV_READ : 0) | (events & TFL_WRITE ? EV_WRITE : 0));
    w->data = io;
    io->fn = fn;
    ev_io_start(loop->ev, w);
    return 0;
}

void tfl_io_stop(struct tfl_loop *loop, struct tfl_io *io)
{
    if (!io->impl)
        return;
    ev_io_stop(loop->ev, io->impl);
    free(io->impl);
    io->impl = NULL;
    loop->n_watchers--;
}

static void child_ended(struct tfl_io *io, int events)
{
    struct tfl_child *child = TFL_CONTAINER(io, struct tfl_child, io);
    int status = W_EXITCODE(255, 0); /* for an end that somebody else was told of */
    siginfo_t info = {0};
    (void)events;
    bool ours = waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
    if (ours && info.si_pid == 0)
        return;
    if (ours && child->group) /* before the reap: until then nobody else can have the group's id */
        kill(-child->pid, SIGKILL);
    waitpid(child->pid, &status, 0);
    tfl_child_stop(child->loop, child);
    child->fn(child, status);
}

int tfl_child_start(struct tfl_loop *loop, struct tfl_child *child, pid_t pid,
    void (*fn)(struct tfl_child *, int), struct tfl_error *err)
{
    if (no_virtual(loop, "watching a process", err))
        return -1;
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0)
        return tfl_fail_errno(err, TFL_E_INTERNAL, errno, "cannot watch process %d (pidfd_open)", (int)pid);
    *child = (struct tfl_child){.fn = fn, .loop = loop, .pid = pid, .pidfd = fd};
    return tfl_io_start(loop, &child->io, fd, TFL_READ, child_ended, err);
}

void tfl_child_stop(struct tfl_loop *loop, struct tfl_child *child)
{
    if (!child->io.impl)
        return;
    tfl_io_stop(loop, &child->io);
    close(child->pidfd);
    child->pidfd = -1;
}

int tfl_child_signal(struct tfl_child *child, int signum)
{
    if (!child->io.impl) {
        errno = ESRCH;
        return -1;
    }
    return (int)syscall(SYS_pidfd_send_signal, child->pidfd, signum, NULL, 0);
}

static void signal_arrived(struct ev_loop *ev, ev_signal *w, int revents)
{
    struct tfl_signal *signal = w->data;
    (void)ev;
    (void)revents;
    signal->fn(signal);
}

int tfl_signal_start(struct tfl_loop *loop, struct tfl_signal *signal, int signum,
    void (*fn)(struct tfl_signal *), struct tfl_error *err)
{
    if (no_virtual(loop, "watching a signal", err))
        return -1;
    TFL_ASSERT(!signal->impl);
    ev_signal *w = signal->impl = tfl_alloc(sizeof *w);
    ev_signal_init(w, signal_arrived, signum);
    w->data = signal;
    signal->fn = fn;
    ev_signal_start(loop->ev, w);
    loop->n_watchers++;
    return 0;
}

void tfl_signal_stop(struct tfl_loop *loop, struct tfl_signal *signal)
{
    if (!signal->impl)
        return;
    ev_signal_stop(loop->ev, signal->impl);
    free(signal->impl);
    signal->impl = NULL;
    loop->n_watchers--;
}
