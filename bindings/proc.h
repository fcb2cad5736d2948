#ifndef TFL_BINDINGS_PROC_H
#define TFL_BINDINGS_PROC_H

#include "proc/ledger.h"

#include <lua.h>

/* What other bindings need of the run that is guarded now. */
struct tfl_ledger **tfl_proc_ledger(
    void); /* where its ledger stands; NULL in it between runs; valid for ever */

/* {program, argument…, env = {NAME = value}} at index 1 as lists of C strings, which stay on the stack and whose strings
 * belong to the table; env: "NAME=value", TFL_RUN_ID of the run with them, for tfl_env_merge. */
const char **tfl_proc_argv(lua_State *L, lua_Integer *n);
const char **tfl_proc_env(lua_State *L);
/* Pushes {status = text, ok =, code = | signal =} of a status as of waitpid(2). */
void tfl_proc_push_status(lua_State *L, int status);

/* process.c: makes the class of processes; proc.start is the function it gives. */
lua_CFunction tfl_process_open(lua_State *L);

#endif
