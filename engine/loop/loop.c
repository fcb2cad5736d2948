#include "loop/loop_impl.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

static int64_t clock_ns(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return ts.tv_sec * TFL_S + ts.tv_nsec;
}

static void timerfd_fired(struct ev_loop *ev, ev_io *io, int revents)
{
    struct tfl_loop *loop = io->data;
    uint64_t count;
    (void)ev;
    (void)revents;
    if (read(loop->timerfd, &count, sizeof count) > 0)
        loop->armed = TFL_NEVER;
}

static void keep_exit_codes(void)
{
    struct sigaction action;
    if (!sigaction(SIGCHLD, NULL, &action) && !(action.sa_flags & SA_SIGINFO) && action.sa_handler == SIG_IGN)
        signal(SIGCHLD, SIG_DFL);
}

struct tfl_loop *tfl_loop_new(struct tfl_error *err)
{
    struct tfl_loop *loop = tfl_alloc(sizeof *loop);
    loop->armed = TFL_NEVER;
    loop->timerfd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (loop->timerfd >= 0)
        loop->ev = ev_loop_new(EVFLAG_NOENV);
    if (!loop->ev) {
        tfl_fail_errno(err, TFL_E_INTERNAL, errno, "cannot make an event loop");
        if (loop->timerfd >= 0)
            close(loop->timerfd);
        free(loop);
        return NULL;
    }
    ev_io_init(&loop->timer_io, timerfd_fired, loop->timerfd, EV_READ);
    loop->timer_io.data = loop;
    ev_io_start(loop->ev, &loop->timer_io);
    keep_exit_codes();
    return loop;
}

struct tfl_loop *tfl_loop_new_virtual(int64_t wall_ns)
{
    struct tfl_loop *loop = tfl_alloc(sizeof *loop);
    loop->timerfd = -1;
    loop->virtual_wall = wall_ns;
    return loop;
}

void tfl_loop_free(struct tfl_loop *loop)
{
    if (!loop)
        return;
    if (loop->ev)
        ev_loop_destroy(loop->ev);
    if (loop->timerfd >= 0)
        close(loop->timerfd);
    free(loop->heap);
    free(loop);
}

bool tfl_loop_is_virtual(const struct tfl_loop *loop)
{
    return !loop->ev;
}

int64_t tfl_now(const struct tfl_loop *loop)
{
    return loop->ev ? clock_ns(CLOCK_MONOTONIC) : loop->virtual_now;
}

int64_t tfl_cpu_now(void)
{
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

int64_t tfl_wall_now(const struct tfl_loop *loop)
{
    return loop->ev ? clock_ns(CLOCK_REALTIME) : loop->virtual_wall + loop->virtual_now;
}

static bool before(const struct tfl_timer *a, const struct tfl_timer *b)
{
    return a->due < b->due || (a->due == b->due && a->seq < b->seq);
}

static void place(struct tfl_loop *loop, struct tfl_timer *timer, size_t i)
{
    loop->heap[i] = timer;
    timer->slot = i + 1;
}

static void sift_up(struct tfl_loop *loop, struct tfl_timer *timer, size_t i)
{
    while (i > 0 && before(timer, loop->heap[(i - 1) / 2])) {
        place(loop, loop->heap[(i - 1) / 2], i);
        i = (i - 1) / 2;
    }
    place(loop, timer, i);
}

static void sift_down(struct tfl_loop *loop, struct tfl_timer *timer, size_t i)
{
    for (;;) {
        size_t child = 2 * i + 1;
        if (child + 1 < loop->n_timers && before(loop->heap[child + 1], loop->heap[child]))
            child++;
        if (child >= loop->n_timers || !before(loop->heap[child], timer))
            break;
        place(loop, loop->heap[child], i);
        i = child;
    }
    place(loop, timer, i);
}

void tfl_timer_start(
    struct tfl_loop *loop, struct tfl_timer *timer, int64_t at, void (*fn)(struct tfl_timer *))
{
    int64_t now = tfl_now(loop);
    tfl_timer_stop(loop, timer);
    timer->at = at;
    timer->due =
        at > now ? at : now; /* the past would go before what is due, and count as lateness of the host */
    timer->fn = fn;
    timer->seq = loop->next_seq++;
    if (loop->n_timers == loop->cap_timers) {
        loop->cap_timers = loop->cap_timers ? 2 * loop->cap_timers : 64;
        loop->heap = tfl_realloc(loop->heap, loop->cap_timers * sizeof(struct tfl_timer *));
    }
    sift_up(loop, timer, loop->n_timers++);
}

void tfl_timer_stop(struct tfl_loop *loop, struct tfl_timer *timer)
{
    if (!timer->slot)
        return;
    size_t i = timer->slot - 1;
    timer->slot = 0;
    struct tfl_timer *last = loop->heap[--loop->n_timers];
    if (last == timer)
        return;
    if (i > 0 && before(last, loop->heap[(i - 1) / 2]))
        sift_up(loop, last, i);
    else
        sift_down(loop, last, i);
}

void tfl_defer_start(struct tfl_loop *loop, struct tfl_defer *defer, void (*fn)(struct tfl_defer *))
{
    if (defer->started)
        return;
    defer->started = true;
    defer->fn = fn;
    DL_APPEND(loop->deferred, defer);
}

void tfl_defer_stop(struct tfl_loop *loop, struct tfl_defer *defer)
{
    if (!defer->started)
        return;
    defer->started = false;
    DL_DELETE(loop->deferred, defer);
}

/* Calls what was deferred before this turn: a sentinel marks the end, so that new ones wait for the next turn. True
 * when there was any. */
static bool run_deferred(struct tfl_loop *loop)
{
    struct tfl_defer end = {0};
    if (!loop->deferred)
        return false;
    DL_APPEND(loop->deferred, &end);
    for (struct tfl_defer *defer; (defer = loop->deferred) != &end;) {
        TFL_ASSERT(defer); /* the sentinel is in the list until the end */
        tfl_defer_stop(loop, defer);
        defer->fn(defer);
    }
    DL_DELETE(loop->deferred, &end);
    return true;
}

static bool run_timers(struct tfl_loop *loop)
{
    bool ran = false;
    int64_t now = tfl_now(loop);
    uint64_t newest = loop->next_seq; /* a timer started by a timer waits for the next turn */
    while (loop->n_timers && loop->heap[0]->due <= now && loop->heap[0]->seq < newest) {
        struct tfl_timer *timer = loop->heap[0];
        if (now - timer->due > loop->lag)
            loop->lag = now - timer->due;
        tfl_timer_stop(loop, timer);
        timer->fn(timer);
        ran = true;
    }
    return ran;
}

static void arm(struct tfl_loop *loop, int64_t at)
{
    if (at == loop->armed)
        return;
    struct itimerspec spec = {0};
    if (at != TFL_NEVER) {
        spec.it_value.tv_sec = at / TFL_S;
        spec.it_value.tv_nsec = at % TFL_S;
    }
    timerfd_settime(loop->timerfd, TFD_TIMER_ABSTIME, &spec, NULL);
    loop->armed = at;
}

static bool turn(struct tfl_loop *loop, bool may_block)
{
    /* What ran may have done what the caller waits for (or made a task ready): the turn then only looks. */
    bool ran = run_deferred(loop);
    ran |= run_timers(loop);
    int64_t next = loop->n_timers ? loop->heap[0]->due : TFL_NEVER;
    bool runnable = ran || loop->deferred || next <= tfl_now(loop);
    if (!loop->ev) {
        if (!runnable && may_block && next != TFL_NEVER)
            loop->virtual_now = next;
        return runnable || next != TFL_NEVER;
    }
    bool alive = runnable || next != TFL_NEVER || loop->n_watchers > 0;
    if (runnable || !may_block) {
        ev_run(loop->ev, EVRUN_NOWAIT);
    } else if (alive) {
        arm(loop, next);
        ev_run(loop->ev, EVRUN_ONCE);
    }
    return alive;
}

bool tfl_loop_turn(struct tfl_loop *loop, bool may_block)
{
    TFL_ASSERT(!loop->in_turn);
    loop->in_turn = true;
    bool alive = turn(loop, may_block);
    loop->in_turn = false;
    return alive;
}

void tfl_loop_run(struct tfl_loop *loop, const bool *stop)
{
    while (!*stop && tfl_loop_turn(loop, true))
        continue;
}

int64_t tfl_loop_take_lag(struct tfl_loop *loop)
{
    int64_t lag = loop->lag;
    loop->lag = 0;
    return lag;
}
