#include "net/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_THREADS = 32, STACK = 256 * 1024 };

struct question {
    int fd;
    char host[254], port[8];
};
struct answer { /* smaller than PIPE_BUF: written and read whole */
    int gai;
    int sys;
    socklen_t len;
    struct sockaddr_storage ss;
};

static atomic_int threads;

static void *ask(void *arg)
{
    struct question *q = arg;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *found = NULL;
    struct answer a;
    memset(&a, 0, sizeof a);
    a.gai = getaddrinfo(q->host, q->port, &hints, &found);
    a.sys = errno;
    if (!a.gai) {
        a.len = found->ai_addrlen;
        memcpy(&a.ss, found->ai_addr, found->ai_addrlen);
        freeaddrinfo(found);
    }
    /* Nobody may be there any more: the write then fails, and SIGPIPE is blocked in this thread. */
    if (write(q->fd, &a, sizeof a) < 0)
        a.gai = 0;
    close(q->fd);
    free(q);
    atomic_fetch_sub(&threads, 1);
    return NULL;
}

static void answered(struct tfl_io *io, int events)
{
    struct tfl_resolve *r = TFL_CONTAINER(io, struct tfl_resolve, io);
    struct answer a;
    struct tfl_error err;
    (void)events;
    ssize_t n = read(r->fd, &a, sizeof a);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    tfl_resolve_stop(r);
    if (n == (ssize_t)sizeof a && !a.gai) {
        r->fn(r, &a.ss, a.len, NULL);
        return;
    }
    memset(&a.ss, 0, sizeof a.ss);
    tfl_fail(&err, TFL_E_CONNECT, "cannot find the address of %s: %s", r->host,
        n != (ssize_t)sizeof a ? "the lookup broke off"
        : a.gai == EAI_SYSTEM  ? strerror(a.sys)
                               : gai_strerror(a.gai));
    r->fn(r, &a.ss, 0, &err);
}

static int start_thread(struct question *q)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(
        SIG_SETMASK, &all, &old); /* the thread inherits it: signals belong to the loop's thread */
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, STACK);
    int e = pthread_create(&thread, &attr, ask, q);
    pthread_attr_destroy(&attr);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return e;
}

int tfl_resolve_start(struct tfl_loop *loop, struct tfl_resolve *r, const struct tfl_addr *addr,
    void (*fn)(struct tfl_resolve *, const struct sockaddr_storage *, socklen_t, const struct tfl_error *),
    struct tfl_error *err)
{
    int fds[2];
    if (atomic_fetch_add(&threads, 1) >= MAX_THREADS) {
        atomic_fetch_sub(&threads, 1);
        return tfl_fail(err, TFL_E_TOO_LARGE,
            "cannot look up %s: %d lookups are already waiting for an answer", addr->host, MAX_THREADS);
    }
    if (pipe2(fds, O_CLOEXEC)) {
        atomic_fetch_sub(&threads, 1);
        return tfl_fail_errno(err, TFL_E_INTERNAL, errno, "cannot look up %s", addr->host);
    }
    struct question *q = tfl_alloc(sizeof *q);
    q->fd = fds[1];
    snprintf(q->host, sizeof q->host, "%s", addr->host);
    snprintf(q->port, sizeof q->port, "%u", (unsigned)addr->port);
    snprintf(r->host, sizeof r->host, "%s", addr->host);
    r->loop = loop;
    r->fn = fn;
    r->fd = fds[0];
    fcntl(r->fd, F_SETFL, O_NONBLOCK);
    int failed = tfl_io_start(loop, &r->io, r->fd, TFL_READ, answered, err);
    int e = failed ? 0 : start_thread(q);
    if (!failed && !e)
        return 0;
    tfl_resolve_stop(r);
    close(r->fd);
    close(q->fd);
    free(q);
    atomic_fetch_sub(&threads, 1);
    return failed ? -1 : tfl_fail_errno(err, TFL_E_INTERNAL, e, "cannot look up %s", addr->host);
}

void tfl_resolve_stop(struct tfl_resolve *r)
{
    if (!r->io.impl)
        return;
    tfl_io_stop(r->loop, &r->io);
    close(r->fd);
    r->fd = -1;
}
