#ifndef TFL_BINDINGS_PACER_H
#define TFL_BINDINGS_PACER_H

#include "bindings/task.h"
#include "load/pacer.h"

/* The plan of arrivals of the option table at index: rate = a second (and seconds =, else without end), or stages =
 * {{seconds, rate[, from]}, …}, each a straight line from the rate before (at first `from` of the table, default 0) to its
 * own. Leaves a userdata with the *n stages on the stack. Raises. */
struct tfl_stage *tfl_check_stages(lua_State *L, int index, const char *what, size_t *n);

#endif
