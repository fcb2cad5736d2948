/* tfl.core.block_feed: the block feed of a cluster. Nothing waits but a subscription that has no event yet. */
#include "bindings/block_feed.h"

#include <string.h>

static const char FEED_META[] = "tfl.block_feed", SUB_META[] = "tfl.subscription";

struct subscription {
    struct tfl_feed *feed;
    struct tfl_feed_cursor cursor;
};

struct tfl_feed *tfl_check_feed(lua_State *L, int index)
{
    struct l_feed *f = luaL_checkudata(L, index, FEED_META);
    luaL_argcheck(L, f->feed, index, "a block feed that is there");
    return f->feed;
}

/* ---- events */

static void set_string(lua_State *L, const char *key, const char *value)
{
    lua_pushstring(L, value);
    lua_setfield(L, -2, key);
}

/* Into the event on top: what belongs to its type. */
static void push_details(lua_State *L, const struct tfl_graph *graph, const struct tfl_feed_event *e)
{
    const struct tfl_conflict *conflicts;
    if (e->type == TFL_FEED_BLOCK && e->block) {
        if (e->block->parent)
            tfl_set_hash(L, "parent", &e->block->parent->id);
        tfl_set_integer(L, "n_transactions", e->block->n_txs);
    } else if (e->type == TFL_FEED_REORG) {
        tfl_set_integer(L, "depth", e->n);
        tfl_set_hash(L, "from", &e->other->id);
    } else if (e->type == TFL_FEED_FINAL) {
        tfl_set_integer(L, "count", e->n);
    } else if (e->type == TFL_FEED_CONFLICT || e->type == TFL_FEED_GAP) {
        set_string(L, "code", tfl_feed_code_string(e->code));
        bool kept = e->type == TFL_FEED_CONFLICT && e->n < tfl_graph_conflicts(graph, &conflicts);
        set_string(L, "message", kept ? conflicts[e->n].message : tfl_feed_code_text(e->code));
        if (e->other)
            tfl_set_hash(L, "other", &e->other->id);
    }
}

static void push_event(
    lua_State *L, const struct tfl_graph *graph, const struct tfl_feed_event *e, uint64_t number)
{
    lua_createtable(L, 0, 10);
    set_string(L, "type", tfl_feed_type_string(e->type));
    tfl_set_integer(L, "seq", number);
    lua_pushnumber(L, (double)e->t_ns / 1e9);
    lua_setfield(L, -2, "t");
    if (e->node != TFL_NO_NODE)
        set_string(L, "node", tfl_graph_node(graph, e->node)->name);
    if (e->block) {
        tfl_set_hash(L, "id", &e->block->id);
        if (e->block->state != TFL_GBLOCK_HOLE)
            tfl_set_integer(L, "slot", e->block->slot);
        if (e->block->state == TFL_GBLOCK_LINKED)
            tfl_set_integer(L, "height", e->block->height);
    }
    push_details(L, graph, e);
}

/* ---- subscriptions */

/* Pushes the next event and gives true; an event {type = "lost", count = n} when n fell out of the retained log. */
static bool push_next(lua_State *L, struct subscription *s)
{
    struct tfl_graph *graph = tfl_feed_graph(s->feed);
    uint64_t lost;
    const struct tfl_feed_event *e = tfl_feed_read(s->feed, &s->cursor, &lost);
    if (e) {
        push_event(L, graph, e, s->cursor.next - 1);
    } else if (lost) {
        lua_createtable(L, 0, 3);
        set_string(L, "type", "lost");
        tfl_set_integer(L, "count", lost);
        lua_pushnumber(L, (double)tfl_feed_now(s->feed).t_ns / 1e9);
        lua_setfield(L, -2, "t");
    }
    return e || lost;
}

static int wait_next(lua_State *L, struct subscription *s);

/* The subscription is the first argument of the call that waits, and still there. */
static int waited(lua_State *L, struct tfl_op *op)
{
    struct subscription *s = lua_touserdata(L, 1);
    (void)op;
    return push_next(L, s) ? 1 : wait_next(L, s); /* another task may have taken it */
}

static int wait_next(lua_State *L, struct subscription *s)
{
    if (tfl_feed_closed(s->feed)) {
        lua_pushnil(L);
        return 1;
    }
    return tfl_task_await(L, tfl_feed_wait(s->feed, &s->cursor), waited);
}

/* subscription() → the next event; waits for one. nil when the feed is closed and all is read. */
static int l_sub_call(lua_State *L)
{
    struct subscription *s = luaL_checkudata(L, 1, SUB_META);
    if (push_next(L, s))
        return 1;
    if (!tfl_feed_closed(s->feed))
        tfl_task_check(L, "a subscription of the block feed");
    return wait_next(L, s);
}

/* subscription:poll() → the next event if there is one, else nil; never waits. */
static int l_sub_poll(lua_State *L)
{
    struct subscription *s = luaL_checkudata(L, 1, SUB_META);
    if (!push_next(L, s))
        lua_pushnil(L);
    return 1;
}

static int l_sub_gc(lua_State *L)
{
    struct subscription *s = luaL_checkudata(L, 1, SUB_META);
    tfl_feed_unref(s->feed);
    s->feed = NULL;
    return 0;
}

/* feed:subscribe{from = "now" | "genesis"} → subscription, to be called or used in a for loop. */
static int l_subscribe(lua_State *L)
{
    static const char *const from[] = {"now", "genesis", NULL};
    struct tfl_feed *feed = tfl_check_feed(L, 1);
    int start = 0;
    if (!lua_isnoneornil(L, 2)) {
        luaL_checktype(L, 2, LUA_TTABLE);
        lua_getfield(L, 2, "from");
        lua_replace(L, 2);
        start = luaL_checkoption(L, 2, "now", from);
    }
    struct subscription *s = lua_newuserdatauv(L, sizeof *s, 1);
    *s = (struct subscription){.feed = NULL};
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1); /* the feed's userdata lives as long as its subscriptions */
    s->feed = tfl_feed_ref(feed);
    s->cursor.next = start == 0 ? tfl_graph_end(tfl_feed_graph(feed)) : 0;
    luaL_setmetatable(L, SUB_META);
    return 1;
}

/* ---- the feed */

static int l_add(lua_State *L)
{
    struct tfl_feed *feed = tfl_check_feed(L, 1);
    const char *name = luaL_checkstring(L, 2);
    struct tfl_client *client = tfl_check_client(L, 3);
    struct tfl_error err;
    return tfl_feed_add(feed, name, client, &err) ? tfl_raise(L, &err) : 0;
}

/* feed:stop_node(name) → whether it was followed. */
static int l_stop_node(lua_State *L)
{
    struct tfl_feed *feed = tfl_check_feed(L, 1);
    const char *name = luaL_checkstring(L, 2);
    lua_pushboolean(L, tfl_feed_stop_node(feed, name, NULL) == 0);
    return 1;
}

static int l_close(lua_State *L)
{
    tfl_feed_close(tfl_check_feed(L, 1));
    return 0;
}

static int l_now(lua_State *L)
{
    lua_pushnumber(L, (double)tfl_feed_now(tfl_check_feed(L, 1)).t_ns / 1e9);
    return 1;
}

static int l_feed_gc(lua_State *L)
{
    struct l_feed *f = luaL_checkudata(L, 1, FEED_META);
    if (f->feed)
        tfl_feed_close(f->feed);
    tfl_feed_unref(f->feed);
    f->feed = NULL;
    return 0;
}

/* The run's record may begin after the feed and end before it. */
static void forward(struct tfl_event_sink *sink, const char *type, struct json_object *fields)
{
    tfl_emit(TFL_CONTAINER(sink, struct l_feed, sink)->engine->sink, type, fields);
}

static int64_t opt_number(lua_State *L, const char *name, lua_Number max)
{
    lua_Number value = 0;
    if (lua_getfield(L, 1, name) != LUA_TNIL) {
        if (lua_type(L, -1) != LUA_TNUMBER || !(lua_tonumber(L, -1) >= 0 && lua_tonumber(L, -1) <= max))
            luaL_error(
                L, "bad argument: %s: expected a number from 0, saw %s", name, luaL_tolstring(L, -1, NULL));
        value = lua_tonumber(L, -1);
    }
    lua_pop(L, 1);
    return (int64_t)value;
}

/* block_feed.new{genesis_id =, genesis_time_ms =, slot_ms =, security_param =, window = 65536, check_ms = 3000} */
static int l_new(lua_State *L)
{
    struct tfl_engine *engine = tfl_engine(L);
    struct tfl_feed_params params = {.check_ms = 0};
    if (lua_isnoneornil(L, 1)) {
        lua_settop(L, 0);
        lua_newtable(L);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    if (lua_getfield(L, 1, "genesis_id") != LUA_TNIL && !tfl_get_hash(L, -1, &params.graph.genesis))
        return luaL_error(L, "bad argument: genesis_id: expected an id, a string of 64 hex digits");
    params.graph.genesis_time_ms = opt_number(L, "genesis_time_ms", 1e15);
    params.graph.slot_ms = opt_number(L, "slot_ms", 1e9);
    params.graph.security_param = (uint64_t)opt_number(L, "security_param", 1e9);
    params.graph.window = (size_t)opt_number(L, "window", 1e7);
    params.check_ms = opt_number(L, "check_ms", 1e9);
    struct l_feed *f = lua_newuserdatauv(L, sizeof *f, 0);
    *f = (struct l_feed){.sink = {forward}, .engine = engine};
    luaL_setmetatable(L, FEED_META);
    params.graph.sink = &f->sink;
    f->feed = tfl_feed_new(engine->loop, &params);
    return 1;
}

int tfl_open_block_feed(lua_State *L)
{
    static const luaL_Reg methods[] = {{"add", l_add}, {"stop_node", l_stop_node}, {"subscribe", l_subscribe},
        {"close", l_close}, {"now", l_now}, {"canonical", tfl_feed_canonical}, {"tip", tfl_feed_tip},
        {"lib", tfl_feed_lib}, {"block", tfl_feed_block}, {"transaction", tfl_feed_transaction},
        {"stats", tfl_feed_stats}, {"common_prefix", tfl_feed_common_prefix}, {"judge", tfl_feed_judge},
        {"propagation", tfl_feed_propagation}, {"enter", tfl_feed_enter_node}, {"tell", tfl_feed_tell},
        {"view", tfl_feed_view}, {NULL, NULL}};
    static const luaL_Reg sub_methods[] = {{"poll", l_sub_poll}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"new", l_new}, {NULL, NULL}};
    tfl_class(L, FEED_META, methods, l_feed_gc);
    tfl_class(L, SUB_META, sub_methods, l_sub_gc);
    luaL_getmetatable(L, SUB_META);
    lua_pushcfunction(L, l_sub_call);
    lua_setfield(L, -2, "__call");
    lua_pop(L, 1);
    tfl_feed_open_judge(L);
    luaL_newlib(L, functions);
    return 1;
}
