#include "loop/op.h"

#include <stdlib.h>

static void complete(struct tfl_defer *defer)
{
    struct tfl_op *op = TFL_CONTAINER(defer, struct tfl_op, defer);
    op->state = TFL_OP_DONE;
    if (op->done)
        op->done(op);
}

void tfl_op_init(struct tfl_op *op, struct tfl_loop *loop, void (*on_cancel)(struct tfl_op *),
    void (*on_destroy)(struct tfl_op *))
{
    *op = (struct tfl_op){.loop = loop, .on_cancel = on_cancel, .on_destroy = on_destroy};
}

void tfl_op_succeed(struct tfl_op *op)
{
    if (op->state != TFL_OP_PENDING)
        return;
    op->state = TFL_OP_FINISHING;
    tfl_defer_start(op->loop, &op->defer, complete);
}

void tfl_op_fail(struct tfl_op *op, const struct tfl_error *err)
{
    if (op->state != TFL_OP_PENDING)
        return;
    op->failed = true;
    op->err = *err;
    tfl_op_succeed(op);
}

void tfl_op_cancel(struct tfl_op *op)
{
    if (op->state != TFL_OP_PENDING || op->cancelling)
        return;
    struct tfl_error err;
    op->cancelling = true; /* work that is let go of may tell us so in a circle */
    if (op->on_cancel)
        op->on_cancel(op);
    tfl_fail(&err, TFL_E_CANCELLED, "cancelled");
    tfl_op_fail(op, &err);
}

void tfl_op_free(struct tfl_op *op)
{
    if (!op)
        return;
    op->done = NULL;
    tfl_op_cancel(op);
    tfl_defer_stop(op->loop, &op->defer);
    op->on_destroy(op);
}

struct sleep_op {
    struct tfl_op op;
    struct tfl_timer timer;
};

static void sleep_over(struct tfl_timer *timer)
{
    tfl_op_succeed(&TFL_CONTAINER(timer, struct sleep_op, timer)->op);
}

static void sleep_cancel(struct tfl_op *op)
{
    struct sleep_op *s = TFL_CONTAINER(op, struct sleep_op, op);
    tfl_timer_stop(op->loop, &s->timer);
}

static void sleep_destroy(struct tfl_op *op)
{
    free(TFL_CONTAINER(op, struct sleep_op, op));
}

struct tfl_op *tfl_sleep_until(struct tfl_loop *loop, int64_t at)
{
    struct sleep_op *s = tfl_alloc(sizeof *s);
    tfl_op_init(&s->op, loop, sleep_cancel, sleep_destroy);
    tfl_timer_start(loop, &s->timer, at, sleep_over);
    return &s->op;
}
