/* tfl.core.pacer: arrivals at planned times for Lua, open loop: a late one does not move the next. */
#include "bindings/pacer.h"

#include "bindings/fields.h"

#include <math.h>

static const char PACER_META[] = "tfl.pacer";

struct l_pacer {
    struct tfl_pacer pacer;
    uint64_t next;
    int64_t begin_ns;
};

static double check_number(lua_State *L, int index, const char *what, const char *name)
{
    if (lua_type(L, index) != LUA_TNUMBER || !(lua_tonumber(L, index) >= 0))
        luaL_error(L, "%s: %s must be a number from 0, not %s", what, name, luaL_tolstring(L, index, NULL));
    return lua_tonumber(L, index);
}

static int64_t to_ns(lua_State *L, const char *what, double seconds)
{
    if (!(seconds <= 1e9))
        luaL_error(L, "%s: a duration of %f seconds is too long", what, seconds);
    return llround(seconds * 1e9);
}

/* {seconds, rate[, from]} on top of the stack. */
static struct tfl_stage check_stage(lua_State *L, const char *what, double before)
{
    struct tfl_stage stage = {.from = before};
    if (!lua_istable(L, -1))
        luaL_error(L, "%s: each stage must be {seconds, rate}, not %s", what, luaL_tolstring(L, -1, NULL));
    lua_geti(L, -1, 1);
    lua_geti(L, -2, 2);
    lua_geti(L, -3, 3);
    stage.duration_ns = to_ns(L, what, check_number(L, -3, what, "the seconds of a stage"));
    stage.to = check_number(L, -2, what, "the rate of a stage");
    if (!lua_isnil(L, -1))
        stage.from = check_number(L, -1, what, "the first rate of a stage");
    lua_pop(L, 3);
    return stage;
}

static double opt_number(lua_State *L, int index, const char *what, const char *name, double fallback)
{
    double value = lua_getfield(L, index, name) == LUA_TNIL ? fallback : check_number(L, -1, what, name);
    lua_pop(L, 1);
    return value;
}

struct tfl_stage *tfl_check_stages(lua_State *L, int index, const char *what, size_t *n)
{
    index = lua_absindex(L, index);
    double rate = opt_number(L, index, what, "rate", -1), from = opt_number(L, index, what, "from", 0);
    double seconds = opt_number(L, index, what, "seconds", -1);
    int type = lua_getfield(L, index, "stages");
    if ((type == LUA_TNIL) == (rate < 0))
        luaL_error(L, "%s: needs rate, or stages = {{seconds, rate}, …}, and not both", what);
    if (type == LUA_TNIL) {
        struct tfl_stage *one = lua_newuserdatauv(L, sizeof *one, 0);
        *one = (struct tfl_stage){seconds < 0 ? TFL_PACER_ENDLESS : to_ns(L, what, seconds), rate, rate};
        *n = 1;
        lua_remove(L, -2);
        return one;
    }
    lua_Integer len = type == LUA_TTABLE ? luaL_len(L, -1) : 0;
    if (len < 1 || len > TFL_PACER_STAGES)
        luaL_error(L, "%s: stages must be a list of 1 to %d stages {seconds, rate}", what, TFL_PACER_STAGES);
    struct tfl_stage *stages = lua_newuserdatauv(L, (size_t)len * sizeof *stages, 0);
    for (lua_Integer i = 1; i <= len; i++) {
        lua_geti(L, -2, i);
        stages[i - 1] = check_stage(L, what, i == 1 ? from : stages[i - 2].to);
        lua_pop(L, 1);
    }
    *n = (size_t)len;
    lua_remove(L, -2);
    return stages;
}

static struct l_pacer *check_pacer(lua_State *L)
{
    return luaL_checkudata(L, 1, PACER_META);
}

static int push_arrival(lua_State *L, struct tfl_op *op)
{
    struct l_pacer *p = lua_touserdata(L, 1); /* the first argument of the call that waits */
    int64_t at = p->begin_ns + tfl_pacer_at(&p->pacer, p->next), late = tfl_now(op->loop) - at;
    lua_pushinteger(L, (lua_Integer)++p->next);
    lua_pushnumber(L, late > 0 ? (double)late / 1e9 : 0);
    return 2;
}

/* pacer() → the number of the next arrival (from 1) once it is due, and how many seconds it is late; nil after the last. */
static int l_call(lua_State *L)
{
    struct tfl_loop *loop = tfl_engine(L)->loop;
    struct l_pacer *p = check_pacer(L);
    if (p->next >= p->pacer.total) {
        lua_pushnil(L);
        return 1;
    }
    tfl_task_check(L, "ctx:pace");
    return tfl_task_await(
        L, tfl_sleep_until(loop, p->begin_ns + tfl_pacer_at(&p->pacer, p->next)), push_arrival);
}

/* pacer:total() → arrivals in all, nil when there is no end. */
static int l_total(lua_State *L)
{
    struct l_pacer *p = check_pacer(L);
    if (p->pacer.total == UINT64_MAX)
        lua_pushnil(L);
    else
        lua_pushinteger(L, (lua_Integer)p->pacer.total);
    return 1;
}

static int l_gc(lua_State *L)
{
    tfl_pacer_done(&check_pacer(L)->pacer);
    return 0;
}

/* pacer.new{rate =, seconds =} or {stages = …} → pacer, that begins now; for i, late in pacer do … end */
static int l_new(lua_State *L)
{
    struct tfl_error err;
    size_t n;
    luaL_checktype(L, 1, LUA_TTABLE);
    struct tfl_stage *stages = tfl_check_stages(L, 1, "ctx:pace", &n);
    struct l_pacer *p = lua_newuserdatauv(L, sizeof *p, 0);
    *p = (struct l_pacer){.begin_ns = tfl_now(tfl_engine(L)->loop)};
    luaL_setmetatable(L, PACER_META);
    return tfl_pacer_init(&p->pacer, stages, n, &err) ? tfl_raise(L, &err) : 1;
}

int tfl_open_pacer(lua_State *L)
{
    static const luaL_Reg methods[] = {{"total", l_total}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"new", l_new}, {NULL, NULL}};
    tfl_class(L, PACER_META, methods, l_gc);
    luaL_getmetatable(L, PACER_META);
    lua_pushcfunction(L, l_call);
    lua_setfield(L, -2, "__call");
    lua_pop(L, 1);
    luaL_newlib(L, functions);
    return 1;
}
