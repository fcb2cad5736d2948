#ifndef TFL_BINDINGS_TASK_H
#define TFL_BINDINGS_TASK_H

/* What every binding uses: the engine behind a Lua state, waiting for ops, errors as Lua values.
 *
 * Lua runs in tasks (coroutines) which only the drain of the ready queue resumes. A binding that waits looks
 * so:
 *
 *     static int l_get(lua_State *L) {
 *         struct tfl_client *client = check_client(L, 1);          // arguments first: these may raise
 *         tfl_task_check(L, "client:get");                         // then: may this code wait at all?
 *         return tfl_task_await(L, tfl_client_get(client, …), push_reply);   // then arm, and give the op
 * away
 *     }
 */
#include "base/event_sink.h"
#include "loop/op.h"
#include "sched/ready.h"

#include <lauxlib.h>
#include <lua.h>

/* One for each Lua state; made by main.c, lives as long as the state. */
struct tfl_engine {
    struct tfl_loop *loop;
    struct tfl_http *http;       /* the shared curl-multi client (net/http_client.h) */
    struct tfl_event_sink *sink; /* the running record, or NULL between runs */
    struct tfl_ready ready;
    struct tfl_task *current; /* the task that runs Lua now, or NULL */
    struct tfl_waiter *interrupt_waiters;
    int interrupts; /* how many SIGINT, SIGTERM, SIGHUP or SIGQUIT came */
    int signum;     /* the last of them */
};
struct tfl_engine *tfl_engine(lua_State *L);

/* Resumes every task that is ready now; only main.c calls it, once a turn. */
void tfl_task_drain(lua_State *L);

/* Tells waiting Lua that a signal asks for the end (engine->interrupts has been counted up). */
void tfl_task_interrupt(struct tfl_engine *engine);

/* Raises a Lua error unless the running code may wait: not at file level, not inside a coroutine of the
 * script's own, a metamethod, a sort or gsub callback. `what` names the call in the message. */
void tfl_task_check(lua_State *L, const char *what);

/* Gives op to the running task and suspends it; `return` its value. When the op is done: failed, the error is
 * raised as {code, message, node}; else push(L, op) leaves the results on the stack and returns their number
 * (it may raise). The op is freed afterwards, or when the task is cancelled. push may be NULL: no results. */
int tfl_task_await(lua_State *L, struct tfl_op *op, int (*push)(lua_State *L, struct tfl_op *op));

/* Makes the metatable `name` with methods under __index and gc (may be NULL) as __gc. */
void tfl_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction gc);

/* Pushes {code=, message=, node=} (node nil when ""); tfl_raise raises it with where = "file:line: " of the
 * script's line that is running, if one is. Its metatable gives tostring. */
void tfl_push_error(lua_State *L, const struct tfl_error *err);
int tfl_raise(lua_State *L, const struct tfl_error *err);

/* JSON values and Lua values (json.c): objects and arrays become tables, integers stay integers, null is nil
 * inside objects. tfl_to_json gives a new reference; it raises on functions, cycles deeper than 64, mixed
 * tables. */
struct json_object;
void tfl_push_json(lua_State *L, struct json_object *value);
struct json_object *tfl_to_json(lua_State *L, int index);

/* One opener for each binding file: leaves the module's table on the stack. Lua reaches it as require
 * "tfl.core.NAME". */
int tfl_open_error(lua_State *L); /* the module is one function */
int tfl_open_task(lua_State *L);
int tfl_open_wait(lua_State *L);
int tfl_open_json(lua_State *L);
int tfl_open_client(lua_State *L);
int tfl_open_http(lua_State *L);
int tfl_open_block_feed(lua_State *L);
int tfl_open_topology(lua_State *L);
int tfl_open_yaml(lua_State *L);
int tfl_open_local(lua_State *L);
int tfl_open_record(lua_State *L);
int tfl_open_proc(lua_State *L);
int tfl_open_links(lua_State *L);
int tfl_open_load(lua_State *L);
int tfl_open_pacer(lua_State *L);
int tfl_open_sys(lua_State *L);
int tfl_open_keys(lua_State *L);
int tfl_open_wallet(lua_State *L);
int tfl_open_ledger(lua_State *L);
int tfl_open_terminal(lua_State *L);

#endif
