#ifndef TFL_BINDINGS_WAIT_H
#define TFL_BINDINGS_WAIT_H

#include "bindings/task.h"

/* A list of tasks that wait for one thing; its address must stay, and the list be woken before it goes. */
struct tfl_waiter;
struct tfl_op *tfl_waiter_new(
    struct tfl_loop *loop, struct tfl_waiter **list, double timeout_s); /* < 0: for ever */
void tfl_waiters_wake(struct tfl_waiter **list);
int tfl_push_not_timed_out(lua_State *L, struct tfl_op *op); /* true, or false when the timeout came first */
double tfl_opt_timeout(lua_State *L, int index);             /* seconds, or -1 when absent; raises */

#endif
