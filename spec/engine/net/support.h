#ifndef SPEC_NET_SUPPORT_H
#define SPEC_NET_SUPPORT_H

#include "loop/loop.h"
#include "net/addr.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static inline void support_alarm(struct tfl_timer *timer)
{
    (void)timer;
}

/* Turns the loop until *flag or ms have passed; tells which. */
static inline bool until(struct tfl_loop *loop, const bool *flag, int ms)
{
    struct tfl_timer alarm = {0};
    int64_t end = tfl_now(loop) + ms * TFL_MS;
    while (!*flag && tfl_now(loop) < end) {
        tfl_timer_start(loop, &alarm, end, support_alarm);
        tfl_loop_turn(loop, true);
    }
    tfl_timer_stop(loop, &alarm);
    return *flag;
}

static inline void pass(struct tfl_loop *loop, int ms)
{
    bool never = false;
    until(loop, &never, ms);
}

static inline int open_fds(void)
{
    int n = 0;
    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* A blocking connection to a port of this host. */
static inline int connect_plain(const struct tfl_addr *addr)
{
    struct sockaddr_storage ss;
    socklen_t len;
    assert_int_equal(tfl_addr_to_sockaddr(addr, &ss, &len, NULL), 0);
    int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&ss, len), 0);
    return fd;
}

static inline struct tfl_addr any_port(void)
{
    struct tfl_addr addr;
    assert_int_equal(tfl_addr_parse(&addr, "127.0.0.1:0", NULL), 0);
    return addr;
}

#endif
