/* proc.start: a program that runs beside tfl, to be waited for, stopped and asked how it ended. */
#include "proc/process.h"

#include "bindings/fields.h"
#include "bindings/proc.h"
#include "bindings/wait.h"
#include "proc/spawn.h"

#include <signal.h>
#include <stdlib.h>

static const char PROCESS[] = "tfl.process";

struct box {
    struct tfl_process *process; /* NULL: could not be started */
    struct tfl_loop *loop;
    struct tfl_waiter *waiters;
    int status; /* when it runs no more */
};

static void ended(struct tfl_process *process, int status, void *arg)
{
    struct box *box = arg;
    (void)process;
    box->status = status;
    tfl_waiters_wake(&box->waiters);
}

static struct box *check(lua_State *L)
{
    return luaL_checkudata(L, 1, PROCESS);
}

/* proc.start{program, argument…, env = {NAME = value}, log = nil | path} → process; its end comes with tfl's at the latest, SIGKILL of
 * tfl too. What it prints goes to the log. Raises spawn, io. */
static int l_start(lua_State *L)
{
    lua_Integer n = 0;
    struct tfl_error err;
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    const char **argv = tfl_proc_argv(L, &n);
    if (n == 0)
        return luaL_error(L, "proc.start: no program");
    const char **extra = tfl_proc_env(L);
    struct box *box = lua_newuserdatauv(L, sizeof *box, 0);
    *box = (struct box){.loop = tfl_engine(L)->loop};
    luaL_setmetatable(L, PROCESS);
    const char **env = tfl_env_merge(NULL, (const char *const *)extra);
    struct tfl_process_config config = {.name = argv[0],
        .argv = (const char *const *)argv,
        .env = (const char *const *)env,
        .log_path = tfl_field_string(L, 1, "proc.start", "log", false),
        .on_exit = ended,
        .arg = box};
    box->process = tfl_process_start(box->loop, &config, &err);
    free(env);
    return box->process ? 1 : tfl_raise(L, &err);
}

/* process:wait([timeout_s]) → true when it has ended, false when the timeout came first. */
static int l_wait(lua_State *L)
{
    struct box *box = check(L);
    double timeout = tfl_opt_timeout(L, 2);
    if (!tfl_process_running(box->process)) {
        lua_pushboolean(L, 1);
        return 1;
    }
    tfl_task_check(L, "waiting for a process");
    return tfl_task_await(L, tfl_waiter_new(box->loop, &box->waiters, timeout), tfl_push_not_timed_out);
}

/* process:result() → nil while it runs, then {ok =, code = exit code | signal = name, status = text, tail = the end of what it
 * printed to stdout and stderr}. */
static int l_result(lua_State *L)
{
    struct box *box = check(L);
    struct tfl_buf tail = {0};
    if (tfl_process_running(box->process))
        return 0;
    tfl_proc_push_status(L, box->status);
    tfl_process_tail(box->process, &tail, TFL_CAPTURE_TAIL);
    lua_pushlstring(L, tail.data ? tail.data : "", tail.len);
    tfl_buf_done(&tail);
    lua_setfield(L, -2, "tail");
    return 1;
}

/* process:stop(signal, seconds) waits: sends the signal ("INT"), and SIGKILL to its group when it has not ended in time. Raises timeout
 * when that does not help either. */
static int l_stop(lua_State *L)
{
    struct box *box = check(L);
    int signum = tfl_signal_number(luaL_checkstring(L, 2));
    int timeout_ms = tfl_seconds_to_ms(luaL_checknumber(L, 3));
    luaL_argcheck(L, signum, 2, "no such signal");
    tfl_task_check(L, "stopping a process");
    return tfl_task_await(L, tfl_process_stop(box->process, signum, timeout_ms), NULL);
}

static int l_pid(lua_State *L)
{
    lua_pushinteger(L, tfl_process_pid(check(L)->process));
    return 1;
}

static int l_gc(lua_State *L)
{
    struct box *box = check(L);
    tfl_waiters_wake(&box->waiters);
    tfl_process_free(box->process);
    box->process = NULL;
    return 0;
}

lua_CFunction tfl_process_open(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"wait", l_wait}, {"result", l_result}, {"stop", l_stop}, {"pid", l_pid}, {NULL, NULL}};
    tfl_class(L, PROCESS, methods, l_gc);
    return l_start;
}
