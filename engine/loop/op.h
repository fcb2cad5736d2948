#ifndef TFL_LOOP_OP_H
#define TFL_LOOP_OP_H

#include "loop/loop.h"

/* One asynchronous thing. It completes exactly once, later (never inside the call that started it), with success, an
 * error or TFL_E_CANCELLED; it may be cancelled at any time. Results live in the struct that embeds it.
 *
 * Ownership: the starter of an op owns it and frees it with tfl_op_free, at any time; an op freed while pending is
 * cancelled and its done function is not called. */
struct tfl_op {
    struct tfl_loop *loop;
    enum { TFL_OP_PENDING, TFL_OP_FINISHING, TFL_OP_DONE } state;
    bool failed, cancelling;
    struct tfl_error err;            /* valid when failed */
    void (*done)(struct tfl_op *op); /* set by the starter after the start; may be NULL, may free the op */
    void *owner;                     /* the starter's */
    void (*on_cancel)(struct tfl_op *op);  /* the implementor's: lets go of all work at once, while pending */
    void (*on_destroy)(struct tfl_op *op); /* the implementor's: frees the struct that embeds the op */
    struct tfl_defer defer;
};

/* For implementors: an op that is pending from now on, and its end. Ending one that has ended does nothing. */
void tfl_op_init(struct tfl_op *op, struct tfl_loop *loop, void (*on_cancel)(struct tfl_op *),
    void (*on_destroy)(struct tfl_op *));
void tfl_op_succeed(struct tfl_op *op);
void tfl_op_fail(struct tfl_op *op, const struct tfl_error *err);

/* For starters. Cancelling what has ended, or is being cancelled, does nothing. */
void tfl_op_cancel(struct tfl_op *op);
void tfl_op_free(struct tfl_op *op); /* NULL-safe */
static inline bool tfl_op_pending(const struct tfl_op *op)
{
    return op->state == TFL_OP_PENDING;
}

/* An op that succeeds at the given tfl_now time. */
struct tfl_op *tfl_sleep_until(struct tfl_loop *loop, int64_t at);

#endif
