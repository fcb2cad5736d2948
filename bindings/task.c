/* Tasks: Lua coroutines under the scheduler. The only lua_resume of tfl is here.
 *
 * A task that is cancelled is never resumed: its op is cancelled and its thread is reset, which runs
 * to-be-closed variables but no pcall handler, so that cancellation goes through pcall. A task that runs is
 * cancelled at its next wait, or by the count hook, which also stops scripts that do not give the loop back.
 */
#include "bindings/task.h"

#include "bindings/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

enum { HOOK_COUNT = 10000, HOOK_COUNT_INSIST = 1 };
#define HOG_NS (5 * TFL_S)
/* Of it at least this on a processor: a machine that stood still is no script's fault. */
#define HOG_CPU_NS (1 * TFL_S)

static const char TASK_META[] = "tfl.task", BOX_META[] = "tfl.op";

/* Holds the op a task waits for, on the stack of the task: if push raises, the collector still frees the op.
 */
struct box {
    struct tfl_op *op;
};

struct tfl_task {
    struct tfl_engine *engine;
    lua_State *co;
    int co_ref;   /* anchors the thread in the registry while it may run */
    int self_ref; /* anchors the userdata */
    enum { TASK_READY, TASK_RUNNING, TASK_WAITING, TASK_DONE } state;
    enum { RESULT_OK, RESULT_ERROR, RESULT_CANCELLED } result;
    bool cancelled, hogged;
    int describing; /* > 0: inside task.describe, where nothing may wait */
    int values_ref; /* table of results, or the error value */
    int traceback_ref;
    int n_args;
    struct tfl_ready_item item;
    struct box *box;
    int (*push)(lua_State *, struct tfl_op *);
    int64_t resumed_at, resumed_cpu;
    struct tfl_waiter *waiters;
    char name[48];
};

/* ---- running */

static void stop_here(struct tfl_task *task, lua_State *L)
{
    if (L == task->co && lua_isyieldable(L)) {
        lua_yield(L, 0);
        return;
    }
    lua_sethook(L, lua_gethook(L), LUA_MASKCOUNT, HOOK_COUNT_INSIST);
    luaL_error(L, task->hogged ? "the script does not give the loop back" : "cancelled");
}

static void count_hook(lua_State *L, lua_Debug *ar)
{
    struct tfl_engine *engine = tfl_engine(L);
    struct tfl_task *task = engine->current;
    (void)ar;
    if (!task)
        return;
    if (!task->cancelled && tfl_now(engine->loop) - task->resumed_at > HOG_NS &&
        tfl_cpu_now() - task->resumed_cpu > HOG_CPU_NS) {
        struct tfl_error err;
        task->cancelled = task->hogged = true;
        luaL_traceback(L, L, NULL, 0);
        tfl_fail(&err, TFL_E_HOG,
            "the script ran for %d seconds without waiting, so nothing else could run: add a ctx:sleep, or "
            "do less "
            "in one go\n%.800s",
            (int)(HOG_NS / TFL_S), lua_tostring(L, -1));
        tfl_push_error(L, &err);
        task->values_ref = luaL_ref(L, LUA_REGISTRYINDEX);
        lua_pop(L, 1);
    }
    if (task->cancelled)
        stop_here(task, L);
}

static void unref(lua_State *L, int *ref)
{
    luaL_unref(L, LUA_REGISTRYINDEX, *ref);
    *ref = LUA_NOREF;
}

static void finish(struct tfl_task *task, int result)
{
    lua_State *L = task->co;
    task->state = TASK_DONE;
    task->result = result;
    if (task->hogged)
        task->result = RESULT_ERROR;
    tfl_ready_drop(&task->engine->ready, &task->item);
    tfl_waiters_wake(&task->waiters);
    task->co = NULL;
    unref(L, &task->co_ref);
    unref(L, &task->self_ref); /* the userdata may go now, with the task in it */
}

static void drop_op(struct tfl_task *task)
{
    if (task->box) {
        tfl_op_free(task->box->op);
        task->box->op = NULL;
        task->box = NULL;
    }
}

/* false when the task did not give the loop back in time. */
static bool resume(struct tfl_ready_item *item, void *arg)
{
    struct tfl_task *task = TFL_CONTAINER(item, struct tfl_task, item);
    struct tfl_engine *engine = task->engine;
    lua_State *co = task->co, *from = arg;
    int n_results = 0;
    task->state = TASK_RUNNING;
    task->resumed_at = tfl_now(engine->loop);
    task->resumed_cpu = tfl_cpu_now();
    engine->current = task;
    int n_args = task->n_args;
    task->n_args = 0;
    int status = lua_resume(co, from, n_args, &n_results);
    if (status == LUA_YIELD && !task->cancelled) {
        engine->current = NULL;
        if (task->box) {
            task->state = TASK_WAITING;
            return true;
        }
        lua_settop(co, 0);
        lua_pushliteral(co,
            "coroutine.yield outside a coroutine of the script's own: to wait, use ctx:sleep or "
            "ctx:eventually");
        status = LUA_ERRRUN;
    }
    if (status == LUA_OK && !task->cancelled) {
        lua_createtable(co, n_results, 1);
        lua_insert(co, -n_results - 1);
        for (int i = n_results; i >= 1; i--)
            lua_rawseti(co, -i - 1, i);
        lua_pushinteger(co, n_results);
        lua_setfield(co, -2, "n");
        task->values_ref = luaL_ref(co, LUA_REGISTRYINDEX);
        engine->current = NULL;
        finish(task, RESULT_OK);
        return true;
    }
    if (status != LUA_YIELD && status != LUA_OK && !task->cancelled) {
        luaL_traceback(co, co, NULL, 0);
        task->traceback_ref = luaL_ref(co, LUA_REGISTRYINDEX);
        task->values_ref = luaL_ref(co, LUA_REGISTRYINDEX);
    }
    drop_op(task);
    lua_resetthread(co);
    engine->current = NULL;
    bool hogged = task->hogged;
    finish(task, task->cancelled ? RESULT_CANCELLED : RESULT_ERROR);
    return !hogged;
}

void tfl_task_drain(lua_State *L)
{
    tfl_ready_drain(&tfl_engine(L)->ready, resume, L);
}

static void op_done(struct tfl_op *op)
{
    struct tfl_task *task = op->owner;
    if (task->state == TASK_WAITING) {
        task->state = TASK_READY;
        tfl_ready_put(&task->engine->ready, &task->item);
    }
}

void tfl_task_check(lua_State *L, const char *what)
{
    struct tfl_task *task = tfl_engine(L)->current;
    if (!task || task->describing) {
        luaL_error(L,
            "%s waits, and file-level code of a scenario may not: it only describes; move it into a hook "
            "(start, evaluate, …)",
            what);
        return; /* never: Lua's header does not say that luaL_error does not return */
    }
    if (L != task->co)
        luaL_error(L,
            "%s waits, which a coroutine of the script's own cannot: use ctx:spawn instead of coroutine",
            what);
    if (!lua_isyieldable(L))
        luaL_error(L,
            "%s waits, which cannot be done inside a metamethod, a sort or gsub callback, or a module that "
            "is "
            "being loaded",
            what);
}

static int awaited(lua_State *L, int status, lua_KContext context)
{
    struct tfl_task *task = tfl_engine(L)->current;
    struct box *box = (struct box *)context;
    (void)status;
    task->box = NULL;
    if (box->op->failed)
        return tfl_raise(L, &box->op->err);
    int n = task->push ? task->push(L, box->op) : 0;
    tfl_op_free(box->op);
    box->op = NULL;
    return n;
}

int tfl_task_await(lua_State *L, struct tfl_op *op, int (*push)(lua_State *, struct tfl_op *))
{
    struct tfl_task *task = tfl_engine(L)->current;
    TFL_ASSERT(task && L == task->co && lua_isyieldable(L));
    luaL_checkstack(L, 4, NULL);
    struct box *box = lua_newuserdatauv(L, sizeof *box, 0);
    box->op = op;
    luaL_setmetatable(L, BOX_META);
    op->owner = task;
    op->done = op_done;
    task->box = box;
    task->push = push;
    return lua_yieldk(L, 0, (lua_KContext)box, awaited);
}

static int l_box_gc(lua_State *L)
{
    struct box *box = lua_touserdata(L, 1);
    tfl_op_free(box->op);
    box->op = NULL;
    return 0;
}

/* ---- Lua: core.task */

static struct tfl_task *check_task(lua_State *L)
{
    return luaL_checkudata(L, 1, TASK_META);
}

/* task.spawn(name, fn, …) → task; fn(…) runs in the next turn. */
static int l_spawn(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    struct tfl_engine *engine = tfl_engine(L);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    int n_args = lua_gettop(L) - 2;
    struct tfl_task *task = lua_newuserdatauv(L, sizeof *task, 0);
    *task = (struct tfl_task){.engine = engine,
        .values_ref = LUA_NOREF,
        .traceback_ref = LUA_NOREF,
        .n_args = n_args,
        .result = RESULT_CANCELLED};
    snprintf(task->name, sizeof task->name, "%s", name);
    luaL_setmetatable(L, TASK_META);
    lua_insert(L, 1);
    lua_remove(L, 2);
    task->co = lua_newthread(L);
    task->co_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_sethook(task->co, count_hook, LUA_MASKCOUNT, HOOK_COUNT);
    luaL_checkstack(task->co, n_args + 8, "too many arguments");
    lua_xmove(L, task->co, n_args + 1);
    lua_pushvalue(L, 1);
    task->self_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    tfl_ready_put(&engine->ready, &task->item);
    return 1;
}

/* task:cancel(): ends it, through pcall, unless it has ended; a task that cancels itself does not return. */
static int l_cancel(lua_State *L)
{
    struct tfl_task *task = check_task(L);
    if (task->state == TASK_DONE)
        return 0;
    task->cancelled = true;
    if (task->state == TASK_RUNNING) {
        if (task == task->engine->current)
            stop_here(task, L);
        return 0;
    }
    struct tfl_task *outer = task->engine->current;
    drop_op(task);
    task->engine->current = task;
    lua_resetthread(task->co);
    task->engine->current = outer;
    finish(task, RESULT_CANCELLED);
    return 0;
}

/* task:status() → "running" | "ok" | "error" | "cancelled" */
static int l_status(lua_State *L)
{
    static const char *const names[] = {"ok", "error", "cancelled"};
    struct tfl_task *task = check_task(L);
    lua_pushstring(L, task->state == TASK_DONE ? names[task->result] : "running");
    return 1;
}

/* task:result() → true, values… | false, error, traceback | nil (cancelled, or not over) */
static int l_result(lua_State *L)
{
    struct tfl_task *task = check_task(L);
    if (task->state != TASK_DONE || task->result == RESULT_CANCELLED) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushboolean(L, task->result == RESULT_OK);
    lua_rawgeti(L, LUA_REGISTRYINDEX, task->values_ref);
    if (task->result == RESULT_ERROR) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, task->traceback_ref);
        return 3;
    }
    lua_getfield(L, -1, "n");
    int n = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
    luaL_checkstack(L, n + 1, "too many results");
    int table = lua_gettop(L);
    for (int i = 1; i <= n; i++)
        lua_rawgeti(L, table, i);
    lua_remove(L, table);
    return n + 1;
}

/* task:wait([timeout_s]) → true when it has ended, false when the timeout came first; result() tells how it
 * ended. */
static int l_wait(lua_State *L)
{
    struct tfl_task *task = check_task(L);
    double timeout = tfl_opt_timeout(L, 2);
    if (task->state == TASK_DONE) {
        lua_pushboolean(L, 1);
        return 1;
    }
    tfl_task_check(L, "waiting for a task");
    return tfl_task_await(
        L, tfl_waiter_new(task->engine->loop, &task->waiters, timeout), tfl_push_not_timed_out);
}

static int l_task_gc(lua_State *L)
{
    struct tfl_task *task = lua_touserdata(L, 1);
    tfl_waiters_wake(&task->waiters);
    unref(L, &task->values_ref);
    unref(L, &task->traceback_ref);
    return 0;
}

/* task.now() → monotonic seconds; task.wall_ms() → milliseconds since the Unix epoch (integer). */
static int l_now(lua_State *L)
{
    lua_pushnumber(L, (double)tfl_now(tfl_engine(L)->loop) / 1e9);
    return 1;
}

static int l_wall_ms(lua_State *L)
{
    lua_pushinteger(L, tfl_wall_now(tfl_engine(L)->loop) / TFL_MS);
    return 1;
}

/* task.describe(fn, …) → what fn returns; anything in fn that would wait raises. Errors of fn go on upwards.
 */
static int l_describe(lua_State *L)
{
    struct tfl_task *task = tfl_engine(L)->current;
    luaL_checktype(L, 1, LUA_TFUNCTION);
    if (!task)
        return luaL_error(L, "task.describe outside a task");
    task->describing++;
    int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
    task->describing--;
    return status == LUA_OK ? lua_gettop(L) : lua_error(L);
}

static int l_current(lua_State *L)
{
    struct tfl_task *task = tfl_engine(L)->current;
    if (task)
        lua_rawgeti(L, LUA_REGISTRYINDEX, task->self_ref);
    else
        lua_pushnil(L);
    return 1;
}

int tfl_open_task(lua_State *L)
{
    static const luaL_Reg functions[] = {{"spawn", l_spawn}, {"now", l_now}, {"wall_ms", l_wall_ms},
        {"current", l_current}, {"describe", l_describe}, {NULL, NULL}};
    static const luaL_Reg task[] = {
        {"cancel", l_cancel}, {"status", l_status}, {"result", l_result}, {"wait", l_wait}, {NULL, NULL}};
    static const luaL_Reg none[] = {{NULL, NULL}};
    tfl_class(L, TASK_META, task, l_task_gc);
    tfl_class(L, BOX_META, none, l_box_gc);
    luaL_newlib(L, functions);
    return 1;
}
