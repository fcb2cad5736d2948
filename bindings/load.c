/* tfl.core.load: load on nodes. Lua says what and when; nothing of it runs for a single transaction. */
#include "bindings/load.h"

#include "bindings/block_feed.h"
#include "bindings/fields.h"
#include "bindings/pacer.h"
#include "bindings/wait.h"
#include "bindings/wallet.h"

#include <stdio.h>
#include <string.h>

static const char LOAD_META[] = "tfl.load", WHAT[] = "load";
static const char *const stage_names[] = {"sent", "included", "final", NULL};

struct l_load *tfl_check_load(lua_State *L, int index)
{
    struct l_load *l = luaL_checkudata(L, index, LOAD_META);
    luaL_argcheck(L, l->load, index, "a load that is there");
    return l;
}

/* Something has happened to a transaction: who waits for it goes on. */
static void changed(void *arg)
{
    struct l_load *l = arg;
    for (int stage = 0; stage < 3; stage++)
        if (l->waiters[stage] && tfl_load_reached(l->load, (enum tfl_load_stage)stage))
            tfl_waiters_wake(&l->waiters[stage]);
}

/* load:start([seconds]): the first arrivals come after that time, default now. */
static int l_start(lua_State *L)
{
    struct tfl_loop *loop = tfl_engine(L)->loop;
    struct l_load *l = tfl_check_load(L, 1);
    double after = luaL_optnumber(L, 2, 0);
    luaL_argcheck(L, after >= 0 && after < 1e6, 2, "a number of seconds");
    luaL_argcheck(L, !l->load->started, 1, "a load that has not begun");
    tfl_load_start(l->load, tfl_now(loop) + (int64_t)(after * 1e9));
    return 0;
}

static int l_stop(lua_State *L)
{
    struct l_load *l = tfl_check_load(L, 1);
    tfl_generator_stop(l->load->generator);
    changed(l);
    return 0;
}

/* load:forget(): at the end, before the account: what no node has answered for and is not on the chain is given up, with all that was
 * built on it. */
static int l_forget(lua_State *L)
{
    tfl_generator_forget(tfl_check_load(L, 1)->load->generator);
    return 0;
}

static int l_abort(lua_State *L)
{
    struct l_load *l = tfl_check_load(L, 1);
    if (l->load->started)
        tfl_generator_abort(l->load->generator);
    changed(l);
    return 0;
}

/* load:wait("sent" | "included" | "final"[, timeout_s]) → true once it is so, false when the time is over. */
static int l_wait(lua_State *L)
{
    struct l_load *l = tfl_check_load(L, 1);
    int stage = luaL_checkoption(L, 2, NULL, stage_names);
    double timeout = tfl_opt_timeout(L, 3);
    if (tfl_load_reached(l->load, (enum tfl_load_stage)stage)) {
        lua_pushboolean(L, 1);
        return 1;
    }
    tfl_task_check(L, "load:wait");
    return tfl_task_await(
        L, tfl_waiter_new(tfl_engine(L)->loop, &l->waiters[stage], timeout), tfl_push_not_timed_out);
}

/* load:settle() → whether the canonical chain could be taken back to what all living nodes have in common. */
static int l_settle(lua_State *L)
{
    struct l_load *l = tfl_check_load(L, 1);
    bool ok = l->load->started && l->load->follow.tracker && tfl_follow_settle(&l->load->follow);
    lua_pushboolean(L, ok);
    return 1;
}

static int l_now(lua_State *L)
{
    lua_pushnumber(L, (double)tfl_load_now(tfl_check_load(L, 1)->load) / 1e9);
    return 1;
}

static int l_gc(lua_State *L)
{
    struct l_load *l = luaL_checkudata(L, 1, LOAD_META);
    for (int i = 0; i < 3; i++)
        tfl_waiters_wake(&l->waiters[i]);
    tfl_load_free(l->load);
    l->load = NULL;
    tfl_wish_source_done(&l->wishes);
    return 0;
}

/* The list `name` of the options as an array of pointers in a userdata, which it leaves on the stack. */
static void **check_list(
    lua_State *L, const char *name, const char *of_what, void *(*check)(lua_State *L, int index), size_t *n)
{
    if (lua_getfield(L, 1, name) != LUA_TTABLE || luaL_len(L, -1) < 1)
        luaL_error(L, "%s: %s must be a list of %s, with at least one", WHAT, name, of_what);
    lua_Integer len = luaL_len(L, -1);
    luaL_argcheck(L, len <= 100000, 1, name);
    void **list = lua_newuserdatauv(L, (size_t)len * sizeof *list, 0);
    for (lua_Integer i = 1; i <= len; i++) {
        lua_geti(L, -2, i);
        list[i - 1] = check(L, lua_gettop(L));
        lua_pop(L, 1);
    }
    *n = (size_t)len;
    lua_remove(L, -2);
    return list;
}

static void *check_wallet(lua_State *L, int index)
{
    return tfl_check_wallet(L, index);
}

static void *check_client(lua_State *L, int index)
{
    return tfl_check_client(L, index);
}

static int check_option(
    lua_State *L, const char *name, const char *const options[], const char *fallback, const char *expected)
{
    const char *value = tfl_field_string(L, 1, WHAT, name, false);
    value = value ? value : fallback;
    for (int i = 0; options[i]; i++)
        if (strcmp(options[i], value) == 0)
            return i;
    return luaL_error(L, "%s: %s must be %s, not \"%s\"", WHAT, name, expected, value);
}

static lua_Integer check_range(
    lua_State *L, const char *name, lua_Integer fallback, lua_Integer least, lua_Integer most)
{
    lua_Integer value = tfl_field_integer(L, 1, WHAT, name, fallback);
    if (value < least || value > most)
        return luaL_error(L, "%s: %s must be %I to %I, not %I", WHAT, name, (LUAI_UACINT)least,
            (LUAI_UACINT)most, (LUAI_UACINT)value);
    return value;
}

/* Makes the wallets live as long as the load, whatever becomes of the caller's list; their array is on top. */
static void keep_wallets(lua_State *L, size_t n)
{
    lua_setiuservalue(L, 2, 2);
    lua_getfield(L, 1, "wallets");
    lua_createtable(L, (int)n, 0);
    for (size_t i = 1; i <= n; i++) {
        lua_geti(L, -2, (lua_Integer)i);
        lua_rawseti(L, -2, (lua_Integer)i);
    }
    lua_setiuservalue(L, 2, 1);
    lua_pop(L, 1);
}

/* Into l->wishes; true when there are any. */
static bool check_wishes(lua_State *L, struct l_load *l)
{
    bool any = lua_getfield(L, 1, "wishes") == LUA_TTABLE && lua_rawlen(L, -1) > 0;
    if (any)
        tfl_wish_source_init(&l->wishes, lua_rawlen(L, -1));
    for (size_t i = 0; any && i < l->wishes.n; i++) {
        lua_geti(L, -1, (lua_Integer)i + 1);
        luaL_checktype(L, -1, LUA_TTABLE);
        lua_getfield(L, -1, "body");
        l->wishes.wishes[i].body = tfl_strdup(luaL_checkstring(L, -1));
        lua_getfield(L, -2, "target");
        l->wishes.wishes[i].target = (size_t)luaL_checkinteger(L, -1) - 1;
        lua_pop(L, 3);
    }
    lua_pop(L, 1);
    return any;
}

/* Into l->source: who signs what. */
static void check_source(lua_State *L, struct l_load *l)
{
    static const char *const kinds[] = {"transfer", "inscription", NULL};
    int kind = check_option(L, "kind", kinds, "transfer", "\"transfer\" or \"inscription\"");
    l->source.kind = kind == 0 ? TFL_LOAD_TRANSFER : TFL_LOAD_INSCRIPTION;
    l->source.amount = (uint64_t)check_range(L, "amount", 1, 1, LUA_MAXINTEGER);
    l->source.bytes = (size_t)check_range(L, "bytes", 0, 0, TFL_LOAD_BYTES_MAX);
    const char *label = tfl_field_string(L, 1, WHAT, "label", false);
    snprintf(l->label, sizeof l->label, "%s", label ? label : "tfl");
    l->source.label = l->label;
    l->source.wallets =
        (struct tfl_wallet *const *)check_list(L, "wallets", "wallets", check_wallet, &l->source.n);
    keep_wallets(L, l->source.n);
    tfl_wallet_source_init(&l->source);
}

/* What is plain number or word. */
static void check_params(lua_State *L, struct tfl_generator_params *p)
{
    static const char *const picks[] = {"random", "round_robin", NULL};
    p->round_robin = check_option(L, "pick", picks, "random", "\"random\" or \"round_robin\"") == 1;
    p->seed = (uint64_t)tfl_field_integer(L, 1, WHAT, "seed", 0);
    p->stream = tfl_field_string(L, 1, WHAT, "stream", false);
    p->in_flight = (size_t)check_range(L, "in_flight", 256, 1, 4096);
    p->ahead = (size_t)check_range(L, "ahead", 64, 1, 1 << 24);
    p->tries = (int)check_range(L, "tries", 4, 1, 100);
    p->timeout_ms = tfl_seconds_to_ms(tfl_field_seconds(L, 1, WHAT, "timeout", 10));
    p->late_ms = tfl_seconds_to_ms(tfl_field_seconds(L, 1, WHAT, "late", 0.01));
    p->recover_ms = tfl_seconds_to_ms(tfl_field_seconds(L, 1, WHAT, "recover", 20));
    p->recover_ms = p->recover_ms ? p->recover_ms : -1;
}

/* load.new{wallets = {…}, targets = {clients}, feed =, kind = "transfer" | "inscription", rate =, seconds = or stages =
 * {{seconds, rate}, …}, pick = "random" | "round_robin", seed =, stream = name, in_flight = 256, ahead = 64, tries = 4,
 * timeout = 10, late = 0.01, recover = 20 (0: never), amount = 1, bytes = 0, label = "tfl"} → load. Times in seconds.
 * wishes = {{body = text, target = index of the client that can}, …} instead of wallets: transfers that nodes make. */
static int l_new(lua_State *L)
{
    struct tfl_engine *engine = tfl_engine(L);
    struct tfl_generator_params params = {.n_stages = 0};
    struct tfl_error err;
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    struct l_load *l = lua_newuserdatauv(L, sizeof *l, 2);
    memset(l, 0, sizeof *l);
    luaL_setmetatable(L, LOAD_META);
    check_params(L, &params);
    bool wishes = check_wishes(L, l);
    if (!wishes)
        check_source(L, l);
    params.stages = tfl_check_stages(L, 1, WHAT, &params.n_stages);
    params.targets =
        (struct tfl_client *const *)check_list(L, "targets", "clients", check_client, &params.n_targets);
    params.source = wishes ? &l->wishes.source : &l->source.source;
    struct tfl_feed *feed = lua_getfield(L, 1, "feed") == LUA_TNIL ? NULL : tfl_check_feed(L, lua_gettop(L));
    l->load = tfl_load_new(engine->loop, &params, feed, changed, l, &err);
    if (!l->load)
        return tfl_raise(L, &err);
    lua_settop(L, 2);
    return 1;
}

int tfl_open_load(lua_State *L)
{
    static const luaL_Reg methods[] = {{"start", l_start}, {"stop", l_stop}, {"abort", l_abort},
        {"forget", l_forget}, {"wait", l_wait}, {"settle", l_settle}, {"now", l_now},
        {"counts", tfl_load_l_counts}, {"report", tfl_load_l_report}, {"transaction", tfl_load_l_transaction},
        {"times", tfl_load_l_times}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"new", l_new}, {NULL, NULL}};
    tfl_class(L, LOAD_META, methods, l_gc);
    luaL_newlib(L, functions);
    return 1;
}
