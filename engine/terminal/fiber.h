#ifndef TFL_TERMINAL_FIBER_H
#define TFL_TERMINAL_FIBER_H

#include "base/error.h"

#include <stdbool.h>

/* A function on a stack of its own. It runs when it is resumed, until it yields or returns. */
struct tfl_fiber;

/* NULL and err when there is no memory for the stack. fn does not run yet. */
struct tfl_fiber *tfl_fiber_new(void (*fn)(void *arg), void *arg, struct tfl_error *err);
/* From outside: runs it until it yields or is over. Nothing when it is over. */
void tfl_fiber_resume(struct tfl_fiber *fiber);
/* From inside: back to who resumed it; returns at the next resume. */
void tfl_fiber_yield(struct tfl_fiber *fiber);
bool tfl_fiber_over(const struct tfl_fiber *fiber);
/* From outside; one that is not over is forgotten where it is. NULL-safe. */
void tfl_fiber_free(struct tfl_fiber *fiber);

#endif
