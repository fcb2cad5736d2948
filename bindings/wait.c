/* What tasks wait for besides ops of other rooms: time, each other, signals between them, signals of the
 * system. */
#include "bindings/wait.h"

#include "net/reach.h"

#include <stdlib.h>
#include <utlist.h>

static const char SIGNAL_META[] = "tfl.signal";

/* Who waits for a task to end or a signal to be given. */
struct tfl_waiter {
    struct tfl_op op;
    struct tfl_waiter *prev, *next;
    struct tfl_waiter **list;
    struct tfl_timer timeout;
    bool timed_out;
};

static void waiter_cancel(struct tfl_op *op)
{
    struct tfl_waiter *w = TFL_CONTAINER(op, struct tfl_waiter, op);
    tfl_timer_stop(op->loop, &w->timeout);
    if (w->list)
        DL_DELETE(*w->list, w);
    w->list = NULL;
}

static void waiter_destroy(struct tfl_op *op)
{
    free(TFL_CONTAINER(op, struct tfl_waiter, op));
}

static void waiter_timeout(struct tfl_timer *timer)
{
    struct tfl_waiter *w = TFL_CONTAINER(timer, struct tfl_waiter, timeout);
    w->timed_out = true;
    waiter_cancel(&w->op);
    tfl_op_succeed(&w->op);
}

struct tfl_op *tfl_waiter_new(struct tfl_loop *loop, struct tfl_waiter **list, double timeout_s)
{
    struct tfl_waiter *w = tfl_alloc(sizeof *w);
    tfl_op_init(&w->op, loop, waiter_cancel, waiter_destroy);
    w->list = list;
    DL_APPEND(*list, w);
    if (timeout_s >= 0)
        tfl_timer_start(loop, &w->timeout, tfl_now(loop) + (int64_t)(timeout_s * 1e9), waiter_timeout);
    return &w->op;
}

void tfl_waiters_wake(struct tfl_waiter **list)
{
    while (*list) {
        struct tfl_waiter *w = *list;
        waiter_cancel(&w->op);
        tfl_op_succeed(&w->op);
    }
}

int tfl_push_not_timed_out(lua_State *L, struct tfl_op *op)
{
    lua_pushboolean(L, !TFL_CONTAINER(op, struct tfl_waiter, op)->timed_out);
    return 1;
}

double tfl_opt_timeout(lua_State *L, int index)
{
    double s = luaL_optnumber(L, index, -1);
    luaL_argcheck(L, s == s && s < 1e9, index, "a timeout in seconds was expected");
    return lua_isnoneornil(L, index) ? -1 : s < 0 ? 0 : s;
}

void tfl_task_interrupt(struct tfl_engine *engine)
{
    tfl_waiters_wake(&engine->interrupt_waiters);
}

/* task.sleep(seconds): the calling task waits. */
static int l_sleep(lua_State *L)
{
    struct tfl_engine *engine = tfl_engine(L);
    double s = luaL_checknumber(L, 1);
    luaL_argcheck(L, s >= 0 && s < 1e9, 1, "a number of seconds was expected");
    tfl_task_check(L, "sleep");
    return tfl_task_await(L, tfl_sleep_until(engine->loop, tfl_now(engine->loop) + (int64_t)(s * 1e9)), NULL);
}

/* task.wait_interrupt() → the number of the signal (SIGINT, SIGTERM, SIGHUP) that asked for the end, once one
 * did. */
static int push_signum(lua_State *L, struct tfl_op *op)
{
    (void)op;
    lua_pushinteger(L, tfl_engine(L)->signum);
    return 1;
}

static int l_wait_interrupt(lua_State *L)
{
    struct tfl_engine *engine = tfl_engine(L);
    if (engine->interrupts) {
        lua_pushinteger(L, engine->signum);
        return 1;
    }
    tfl_task_check(L, "waiting for a signal");
    return tfl_task_await(L, tfl_waiter_new(engine->loop, &engine->interrupt_waiters, -1), push_signum);
}

/* wait.reach(host, port, timeout_s): until somebody accepts TCP connections there. Raises timeout, naming the address. */
static int l_reach(lua_State *L)
{
    struct tfl_addr addr;
    struct tfl_error err;
    lua_Integer port = luaL_checkinteger(L, 2);
    luaL_argcheck(L, port > 0 && port <= UINT16_MAX, 2, "not a port");
    double timeout = luaL_checknumber(L, 3);
    luaL_argcheck(L, timeout >= 0 && timeout < 1e6, 3, "a timeout in seconds was expected");
    if (tfl_addr_make(&addr, luaL_checkstring(L, 1), (uint16_t)port, &err))
        return tfl_raise(L, &err);
    tfl_task_check(L, "reach");
    return tfl_task_await(L, tfl_reach(tfl_engine(L)->loop, &addr, (int64_t)(timeout * 1000)), NULL);
}

/* task.signal() → signal; signal:wait([timeout_s]) → true | false (timeout); signal:notify() wakes all who
 * wait. */
static int l_signal(lua_State *L)
{
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): the userdata holds the pointer */
    struct tfl_waiter **list = lua_newuserdatauv(L, sizeof *list, 0);
    *list = NULL;
    luaL_setmetatable(L, SIGNAL_META);
    return 1;
}

static int l_signal_wait(lua_State *L)
{
    struct tfl_waiter **list = luaL_checkudata(L, 1, SIGNAL_META);
    double timeout = tfl_opt_timeout(L, 2);
    tfl_task_check(L, "wait");
    return tfl_task_await(L, tfl_waiter_new(tfl_engine(L)->loop, list, timeout), tfl_push_not_timed_out);
}

static int l_signal_notify(lua_State *L)
{
    tfl_waiters_wake(luaL_checkudata(L, 1, SIGNAL_META));
    return 0;
}

int tfl_open_wait(lua_State *L)
{
    static const luaL_Reg functions[] = {{"sleep", l_sleep}, {"reach", l_reach}, {"signal", l_signal},
        {"wait_interrupt", l_wait_interrupt}, {NULL, NULL}};
    static const luaL_Reg sig[] = {{"wait", l_signal_wait}, {"notify", l_signal_notify}, {NULL, NULL}};
    tfl_class(L, SIGNAL_META, sig, l_signal_notify);
    luaL_newlib(L, functions);
    return 1;
}
