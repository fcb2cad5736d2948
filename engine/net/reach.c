#include "net/reach.h"

#include "net/sock.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct reach {
    struct tfl_op op;
    struct tfl_dialer dialer;
    struct tfl_timer deadline;
    char last[256];
};

static void let_go(struct tfl_op *op)
{
    struct reach *r = TFL_CONTAINER(op, struct reach, op);
    tfl_dialer_stop(&r->dialer);
    tfl_timer_stop(op->loop, &r->deadline);
}

static void destroy(struct tfl_op *op)
{
    let_go(op);
    free(TFL_CONTAINER(op, struct reach, op));
}

static void connected(struct tfl_dialer *d, int fd)
{
    struct reach *r = TFL_CONTAINER(d, struct reach, dialer);
    close(fd);
    let_go(&r->op);
    tfl_op_succeed(&r->op);
}

static void failed(struct tfl_dialer *d, const struct tfl_error *err)
{
    struct reach *r = TFL_CONTAINER(d, struct reach, dialer);
    snprintf(r->last, sizeof r->last, "%.255s", err->msg);
}

static void too_late(struct tfl_timer *timer)
{
    struct reach *r = TFL_CONTAINER(timer, struct reach, deadline);
    char text[TFL_ADDR_TEXT];
    struct tfl_error err;
    tfl_fail(&err, TFL_E_TIMEOUT, "nobody accepts a connection on %s (last: %s)",
        tfl_addr_text(&r->dialer.addr, text), r->last[0] ? r->last : "no answer");
    let_go(&r->op);
    tfl_op_fail(&r->op, &err);
}

struct tfl_op *tfl_reach(struct tfl_loop *loop, const struct tfl_addr *addr, int64_t timeout_ms)
{
    struct reach *r = tfl_alloc(sizeof *r);
    tfl_op_init(&r->op, loop, let_go, destroy);
    r->dialer.addr = *addr;
    r->dialer.connected = connected;
    r->dialer.failed = failed;
    tfl_timer_start(loop, &r->deadline, tfl_now(loop) + timeout_ms * TFL_MS, too_late);
    tfl_dialer_start(loop, &r->dialer);
    return &r->op;
}
