/* tfl.core.links: the relays between the nodes of a cluster and the faults in force on them. Nothing here waits. */
#include "deploy/links.h"

#include "bindings/fields.h"
#include "bindings/task.h"

#include <limits.h>
#include <math.h>

static const char LINKS[] = "tfl.links";

struct box {
    struct tfl_links *links; /* NULL: closed */
};

static struct tfl_links *check(lua_State *L)
{
    struct box *box = luaL_checkudata(L, 1, LINKS);
    if (!box->links)
        luaL_error(L, "these links are closed");
    return box->links;
}

/* links.new{seed =, host = "127.0.0.1"} → links; host: the address of this host at which the relays of edges listen. */
static int l_new(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_Integer seed = tfl_field_integer(L, 1, "links.new", "seed", 0);
    const char *host = tfl_field_string(L, 1, "links.new", "host", false);
    struct box *box = lua_newuserdatauv(L, sizeof *box, 0);
    box->links = NULL;
    luaL_setmetatable(L, LINKS);
    box->links = tfl_links_new(tfl_engine(L)->loop, (uint64_t)seed, host);
    return 1;
}

/* links:close(): resets every connection. May be called again. */
static int l_close(lua_State *L)
{
    struct box *box = luaL_checkudata(L, 1, LINKS);
    tfl_links_free(box->links);
    box->links = NULL;
    return 0;
}

static uint16_t check_port(lua_State *L, const char *what, const char *name)
{
    lua_Integer port = tfl_field_integer(L, 2, what, name, 0);
    if (port < 1 || port > UINT16_MAX)
        luaL_error(L, "%s: %s must be a port", what, name);
    return (uint16_t)port;
}

/* links:edge{from =, to =, listen = port, target = port}: the relay for what `from` dials at `to`. Raises connect (the port
 * cannot be listened on), wrong_state (the link is there with other ports). */
static int l_edge(lua_State *L)
{
    struct tfl_error err;
    struct tfl_links *links = check(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    const char *from = tfl_field_string(L, 2, "links:edge", "from", true);
    const char *to = tfl_field_string(L, 2, "links:edge", "to", true);
    uint16_t listen = check_port(L, "links:edge", "listen"), target = check_port(L, "links:edge", "target");
    return tfl_links_edge(links, from, to, listen, NULL, target, &err) ? tfl_raise(L, &err) : 0;
}

/* links:inbound{to =, listen = port, target = port}: the relay of a node that all others dial at one port; each connection belongs to the
 * edge from the node whose process dialled it (links:process). Raises connect (the port cannot be listened on), unsupported (the
 * kernel does not tell whose a socket is), wrong_state (it is there with another port). */
static int l_inbound(lua_State *L)
{
    struct tfl_error err;
    struct tfl_links *links = check(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    const char *to = tfl_field_string(L, 2, "links:inbound", "to", true);
    uint16_t listen = check_port(L, "links:inbound", "listen"),
             target = check_port(L, "links:inbound", "target");
    return tfl_links_inbound(links, to, listen, target, &err) ? tfl_raise(L, &err) : 0;
}

/* links:process(name, pid | nil): the process of that node from now on, its group and descendants with it; to be told after each
 * start. nil: it has none. */
static int l_process(lua_State *L)
{
    struct tfl_links *links = check(L);
    const char *name = luaL_checkstring(L, 2);
    lua_Integer pid = luaL_optinteger(L, 3, 0);
    if (pid < 0 || pid == 1 || pid > INT_MAX)
        return luaL_error(
            L, "links:process: %s: the pid must be that of a process or nil, not %I", name, pid);
    tfl_links_process(links, name, (pid_t)pid);
    return 0;
}

/* Checks the set on top of the stack, {name…} or {except = {name…}}, and leaves its list of names there; how many there are. */
static size_t check_set(lua_State *L, bool *except)
{
    if (!lua_istable(L, -1))
        luaL_error(L, "links:fault: a set of nodes must be a list of names or {except = {…}}, not %s",
            luaL_typename(L, -1));
    *except = lua_getfield(L, -1, "except") == LUA_TTABLE;
    lua_remove(L, *except ? -2 : -1);
    lua_Integer n = luaL_len(L, -1);
    for (lua_Integer i = 1; i <= n; i++) {
        if (lua_geti(L, -1, i) != LUA_TSTRING)
            luaL_error(L, "links:fault: the name of a node must be a string, not %s", luaL_typename(L, -1));
        lua_pop(L, 1);
    }
    return (size_t)n;
}

/* The same set again, after check_set: cannot raise but for want of memory. */
static struct tfl_links_set take_set(lua_State *L)
{
    struct tfl_links_set set = {0};
    set.n = check_set(L, &set.except);
    set.names = tfl_alloc((set.n + 1) * sizeof *set.names);
    for (size_t i = 0; i < set.n; i++) {
        lua_geti(L, -1, (lua_Integer)i + 1);
        set.names[i] = tfl_strdup(lua_tostring(L, -1));
        lua_pop(L, 1);
    }
    return set;
}

static double field_number(lua_State *L, const char *name, double max)
{
    double value = 0;
    if (lua_getfield(L, 2, name) != LUA_TNIL) {
        value = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : NAN;
        if (!(value >= 0 && value <= max))
            luaL_error(L, "links:fault: %s must be a number from 0 to %f", name, max);
    }
    lua_pop(L, 1);
    return value;
}

/* links:fault{rules = {{from = set, to = set}…}, cut = true | latency = s, jitter = s, rate = bytes/s, loss = 0 to below 1} → id; a set
 * is a list of names or {except = {name…}}. In force when it returns. */
static int l_fault(lua_State *L)
{
    struct tfl_links *links = check(L);
    struct tfl_relay_policy policy = {0};
    static const char *const ends[] = {"from", "to"};
    luaL_checktype(L, 2, LUA_TTABLE);
    policy.cut = tfl_field_boolean(L, 2, "cut");
    policy.latency_ns = (int64_t)(1e9 * field_number(L, "latency", 3600));
    policy.jitter_ns = (int64_t)(1e9 * field_number(L, "jitter", 3600));
    policy.rate = (uint64_t)field_number(L, "rate", 1e12);
    policy.loss = field_number(L, "loss", 0.99);
    lua_settop(L, 2);
    if (lua_getfield(L, 2, "rules") != LUA_TTABLE)
        return luaL_error(L, "links:fault: rules must be a list of {from =, to =}");
    size_t n = (size_t)luaL_len(L, 3);
    struct tfl_links_rule *rules = NULL;
    for (int pass = 0; pass < 2; pass++) { /* first everything is checked, then nothing can raise */
        if (pass)
            rules = tfl_alloc((n + 1) * sizeof *rules);
        for (size_t i = 0; i < n; i++) {
            if (lua_geti(L, 3, (lua_Integer)i + 1) != LUA_TTABLE)
                return luaL_error(
                    L, "links:fault: a rule must be {from =, to =}, not %s", luaL_typename(L, -1));
            for (int end = 0; end < 2; end++) {
                bool except;
                lua_getfield(L, 4, ends[end]);
                if (!pass)
                    check_set(L, &except);
                else
                    *(end ? &rules[i].to : &rules[i].from) = take_set(L);
                lua_settop(L, 4);
            }
            lua_settop(L, 3);
        }
    }
    lua_pushinteger(L, tfl_links_fault(links, rules, n, &policy));
    return 1;
}

static int push_counts(lua_State *L, const struct tfl_relay_counts *counts)
{
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {{"bytes", counts->bytes}, {"delayed", counts->delayed}, {"withheld", counts->withheld},
        {"connections", counts->connections}, {"refused", counts->refused}};
    lua_createtable(L, 0, (int)TFL_LEN(rows));
    for (size_t i = 0; i < TFL_LEN(rows); i++) {
        lua_pushinteger(L, (lua_Integer)rows[i].value);
        lua_setfield(L, -2, rows[i].name);
    }
    return 1;
}

/* links:heal(id), links:counts(id) → {bytes =, delayed =, withheld =, connections =, refused =} of the bytes the fault is about, since
 * it is in force. Raise not_found. */
static int l_heal(lua_State *L)
{
    struct tfl_error err;
    struct tfl_relay_counts counts;
    if (tfl_links_heal(check(L), luaL_checkinteger(L, 2), &counts, &err))
        return tfl_raise(L, &err);
    return push_counts(L, &counts);
}

static int l_counts(lua_State *L)
{
    struct tfl_error err;
    struct tfl_relay_counts counts;
    if (tfl_links_counts(check(L), luaL_checkinteger(L, 2), &counts, &err))
        return tfl_raise(L, &err);
    return push_counts(L, &counts);
}

/* links:edges() → {{from =, to =, listen =, target =, open = connections now, forward = counts, back = counts}…} */
static int l_edges(lua_State *L)
{
    static const char *const ways[] = {"forward", "back"};
    struct tfl_links *links = check(L);
    lua_createtable(L, (int)tfl_links_n_edges(links), 0);
    for (size_t i = 0; i < tfl_links_n_edges(links); i++) {
        struct tfl_links_edge_view view;
        tfl_links_view(links, i, &view);
        lua_createtable(L, 0, 7);
        lua_pushstring(L, view.from);
        lua_setfield(L, -2, "from");
        lua_pushstring(L, view.to);
        lua_setfield(L, -2, "to");
        lua_pushinteger(L, view.listen);
        lua_setfield(L, -2, "listen");
        lua_pushinteger(L, view.target);
        lua_setfield(L, -2, "target");
        lua_pushinteger(L, (lua_Integer)view.open);
        lua_setfield(L, -2, "open");
        for (int way = 0; way < 2; way++) {
            push_counts(L, &view.counts[way]);
            lua_setfield(L, -2, ways[way]);
        }
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* links:inbounds() → {{to =, listen =, target =, unknown = connections that no node dialled, dropped = how many of these were reset,
 * waiting = connections whose dialler is still looked for, forward = counts, back = counts (of what no other node dialled)}…} */
static int l_inbounds(lua_State *L)
{
    struct tfl_links *links = check(L);
    lua_createtable(L, (int)tfl_links_n_inbounds(links), 0);
    for (size_t i = 0; i < tfl_links_n_inbounds(links); i++) {
        struct tfl_links_inbound_view view;
        tfl_links_inbound_view(links, i, &view);
        const struct {
            const char *name;
            uint64_t value;
        } rows[] = {{"listen", view.listen}, {"target", view.target}, {"unknown", view.unknown},
            {"dropped", view.dropped}, {"waiting", view.waiting}};
        lua_createtable(L, 0, 8);
        lua_pushstring(L, view.to);
        lua_setfield(L, -2, "to");
        for (size_t k = 0; k < TFL_LEN(rows); k++) {
            lua_pushinteger(L, (lua_Integer)rows[k].value);
            lua_setfield(L, -2, rows[k].name);
        }
        push_counts(L, &view.unshaped[TFL_RELAY_FORWARD]);
        lua_setfield(L, -2, "forward");
        push_counts(L, &view.unshaped[TFL_RELAY_BACK]);
        lua_setfield(L, -2, "back");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

int tfl_open_links(lua_State *L)
{
    static const luaL_Reg methods[] = {{"edge", l_edge}, {"inbound", l_inbound}, {"process", l_process},
        {"inbounds", l_inbounds}, {"fault", l_fault}, {"heal", l_heal}, {"counts", l_counts},
        {"edges", l_edges}, {"close", l_close}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"new", l_new}, {NULL, NULL}};
    tfl_class(L, LINKS, methods, l_close);
    luaL_newlib(L, functions);
    return 1;
}
