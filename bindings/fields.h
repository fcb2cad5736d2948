#ifndef TFL_BINDINGS_FIELDS_H
#define TFL_BINDINGS_FIELDS_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>

/* Members of an option table at `index`. All raise "WHAT: NAME must be …, not …". Strings belong to the table. */
const char *tfl_field_string(lua_State *L, int index, const char *what, const char *name, bool needed);
lua_Integer tfl_field_integer(
    lua_State *L, int index, const char *what, const char *name, lua_Integer fallback);
/* Seconds as a number; fallback when absent. */
double tfl_field_seconds(lua_State *L, int index, const char *what, const char *name, double fallback);
bool tfl_field_boolean(lua_State *L, int index, const char *name);

/* Seconds to milliseconds for C calls, at least 0, at most a day. */
int tfl_seconds_to_ms(double seconds);

#endif
