#include "net/sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

enum { BACKLOG = 256, ACCEPT_BURST = 32, ACCEPT_PAUSE_MS = 100 };

int tfl_listen(const struct tfl_addr *addr, int *fd, struct tfl_addr *bound, struct tfl_error *err)
{
    struct sockaddr_storage ss;
    socklen_t len = 0;
    char text[TFL_ADDR_TEXT];
    int one = 1;
    if (tfl_addr_to_sockaddr(addr, &ss, &len, err))
        return tfl_wrap(err, "cannot listen");
    int s = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s < 0)
        return tfl_fail_errno(err, TFL_E_CONNECT, errno, "cannot listen on %s", tfl_addr_text(addr, text));
    /* A node that is restarted takes its port again though old connections are in TIME_WAIT. */
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (ss.ss_family == AF_INET6)
        setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    socklen_t got = sizeof ss;
    if (bind(s, (struct sockaddr *)&ss, len) || listen(s, BACKLOG) ||
        getsockname(s, (struct sockaddr *)&ss, &got)) {
        int e = errno;
        close(s);
        return tfl_fail_errno(err, TFL_E_CONNECT, e, "cannot listen on %s", tfl_addr_text(addr, text));
    }
    if (bound)
        tfl_addr_from_sockaddr(bound, &ss);
    *fd = s;
    return 0;
}

static void no_delay(int fd)
{
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static void acceptable(struct tfl_io *io, int events);

static void accept_again(struct tfl_timer *timer)
{
    struct tfl_listener *l = TFL_CONTAINER(timer, struct tfl_listener, pause);
    if (tfl_io_start(l->loop, &l->io, l->fd, TFL_READ, acceptable, NULL))
        TFL_ASSERT(!"the loop watched this descriptor before");
}

static void acceptable(struct tfl_io *io, int events)
{
    struct tfl_listener *l = TFL_CONTAINER(io, struct tfl_listener, io);
    (void)events;
    for (int i = 0; i < ACCEPT_BURST; i++) {
        struct sockaddr_storage ss = {0};
        struct tfl_addr from;
        socklen_t len = sizeof ss;
        int fd = accept4(l->fd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            /* Without a descriptor to take it, the waiting connection would wake the loop for ever. */
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                tfl_io_stop(l->loop, &l->io);
                tfl_timer_start(
                    l->loop, &l->pause, tfl_now(l->loop) + ACCEPT_PAUSE_MS * TFL_MS, accept_again);
            }
            return;
        }
        no_delay(fd);
        tfl_addr_from_sockaddr(&from, &ss);
        l->fn(l, fd, &from);
        if (!l->io.impl)
            return;
    }
}

int tfl_listener_start(struct tfl_loop *loop, struct tfl_listener *l, const struct tfl_addr *addr,
    void (*fn)(struct tfl_listener *, int, const struct tfl_addr *), struct tfl_error *err)
{
    struct tfl_addr bound = {0};
    int fd = -1;
    if (tfl_listen(addr, &fd, &bound, err))
        return -1;
    l->loop = loop;
    l->fn = fn;
    l->fd = fd;
    l->addr = bound;
    if (tfl_io_start(loop, &l->io, l->fd, TFL_READ, acceptable, err)) {
        close(l->fd);
        return -1;
    }
    return 0;
}

void tfl_listener_stop(struct tfl_listener *l)
{
    if (!l->io.impl && !tfl_timer_started(&l->pause))
        return;
    tfl_io_stop(l->loop, &l->io);
    tfl_timer_stop(l->loop, &l->pause);
    close(l->fd);
    l->fd = -1;
}

static void try_now(struct tfl_timer *timer);

static void attempt_over(struct tfl_dialer *d)
{
    if (d->io.impl) {
        tfl_io_stop(d->loop, &d->io);
        close(d->fd);
    }
    tfl_resolve_stop(&d->resolve);
    tfl_timer_stop(d->loop, &d->timer);
}

/* Arms the next attempt, then tells. */
static void attempt_failed(struct tfl_dialer *d, const struct tfl_error *err)
{
    attempt_over(d);
    tfl_timer_start(d->loop, &d->timer, tfl_now(d->loop) + d->pause_ms * TFL_MS, try_now);
    d->pause_ms = d->pause_ms * 2 < TFL_DIAL_MOST_MS ? d->pause_ms * 2 : TFL_DIAL_MOST_MS;
    if (d->failed)
        d->failed(d, err);
}

static void attempt_failed_errno(struct tfl_dialer *d, int errnum)
{
    struct tfl_error err;
    char text[TFL_ADDR_TEXT];
    tfl_fail_errno(&err, TFL_E_CONNECT, errnum, "cannot connect to %s", tfl_addr_text(&d->addr, text));
    attempt_failed(d, &err);
}

static void attempt_late(struct tfl_timer *timer)
{
    struct tfl_dialer *d = TFL_CONTAINER(timer, struct tfl_dialer, timer);
    struct tfl_error err;
    char text[TFL_ADDR_TEXT];
    tfl_fail(&err, TFL_E_TIMEOUT, "cannot connect to %s: no answer within %d ms",
        tfl_addr_text(&d->addr, text), TFL_DIAL_TIMEOUT_MS);
    attempt_failed(d, &err);
}

/* A socket whose two ends are the same one: the kernel can pick the very port that is dialled on this host
 * when nobody listens there, and the dialler would then talk to itself and keep the port from its owner. */
static bool dialled_itself(int fd)
{
    struct sockaddr_storage a = {0}, b = {0};
    socklen_t na = sizeof a, nb = sizeof b;
    return !getsockname(fd, (struct sockaddr *)&a, &na) && !getpeername(fd, (struct sockaddr *)&b, &nb) &&
           na == nb && !memcmp(&a, &b, na);
}

static void connectable(struct tfl_io *io, int events)
{
    struct tfl_dialer *d = TFL_CONTAINER(io, struct tfl_dialer, io);
    int e = 0;
    socklen_t len = sizeof e;
    (void)events;
    if (getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &e, &len) || e) {
        attempt_failed_errno(d, e ? e : errno);
        return;
    }
    if (dialled_itself(d->fd)) {
        attempt_failed_errno(d, ECONNREFUSED);
        return;
    }
    int fd = d->fd;
    tfl_io_stop(d->loop, &d->io);
    tfl_timer_stop(d->loop, &d->timer);
    no_delay(fd);
    d->connected(d, fd);
}

static void connect_to(struct tfl_dialer *d, const struct sockaddr_storage *ss, socklen_t len)
{
    struct tfl_error err;
    d->fd = socket(ss->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (d->fd < 0) {
        attempt_failed_errno(d, errno);
        return;
    }
    int e = connect(d->fd, (const struct sockaddr *)ss, len) && errno != EINPROGRESS ? errno : 0;
    if (e) {
        close(d->fd);
        attempt_failed_errno(d, e);
        return;
    }
    if (tfl_io_start(d->loop, &d->io, d->fd, TFL_WRITE, connectable, &err)) {
        close(d->fd);
        attempt_failed(d, &err);
    }
}

static void resolved(
    struct tfl_resolve *r, const struct sockaddr_storage *ss, socklen_t len, const struct tfl_error *err)
{
    struct tfl_dialer *d = TFL_CONTAINER(r, struct tfl_dialer, resolve);
    if (err)
        attempt_failed(d, err);
    else
        connect_to(d, ss, len);
}

static void try_now(struct tfl_timer *timer)
{
    struct tfl_dialer *d = TFL_CONTAINER(timer, struct tfl_dialer, timer);
    struct sockaddr_storage ss;
    struct tfl_error err;
    socklen_t len;
    tfl_timer_start(d->loop, &d->timer, tfl_now(d->loop) + TFL_DIAL_TIMEOUT_MS * TFL_MS, attempt_late);
    if (d->addr.kind == TFL_ADDR_NAME) {
        if (tfl_resolve_start(d->loop, &d->resolve, &d->addr, resolved, &err))
            attempt_failed(d, &err);
    } else if (tfl_addr_to_sockaddr(&d->addr, &ss, &len, &err)) {
        attempt_failed(d, &err);
    } else {
        connect_to(d, &ss, len);
    }
}

bool tfl_dialer_started(const struct tfl_dialer *d)
{
    return tfl_timer_started(&d->timer);
}

void tfl_dialer_start(struct tfl_loop *loop, struct tfl_dialer *d)
{
    if (tfl_dialer_started(d))
        return;
    d->loop = loop;
    int64_t wait_ms = d->pause_ms;
    d->pause_ms = !d->pause_ms                         ? TFL_DIAL_FIRST_MS
                  : d->pause_ms * 2 < TFL_DIAL_MOST_MS ? d->pause_ms * 2
                                                       : TFL_DIAL_MOST_MS;
    tfl_timer_start(loop, &d->timer, tfl_now(loop) + wait_ms * TFL_MS, try_now);
}

void tfl_dialer_stop(struct tfl_dialer *d)
{
    if (d->loop)
        attempt_over(d);
}

void tfl_dialer_reset(struct tfl_dialer *d)
{
    d->pause_ms = 0;
}
