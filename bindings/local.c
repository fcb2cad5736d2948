/* tfl.core.local: the deployer whose nodes are processes of this host. */
#include "deploy/local.h"

#include "bindings/fields.h"
#include "bindings/node_spec.h"
#include "bindings/proc.h"
#include "bindings/task.h"
#include "deploy/ports.h"
#include "proc/process.h"

#include <stdlib.h>
#include <string.h>

static const char LOCAL[] = "tfl.local";

enum {
    LOG_BYTES = 64 * 1024,
    LOG_BYTES_MAX = 16 * 1024 * 1024,
    LIST_MAX = 4096,
    PORTS_MAX = TFL_PORTS_END - TFL_PORTS_FIRST
};

struct box {
    struct tfl_local *local; /* NULL: closed */
};

static struct tfl_local *check(lua_State *L)
{
    struct box *box = luaL_checkudata(L, 1, LOCAL);
    if (!box->local)
        luaL_error(L, "this deployer is closed");
    return box->local;
}

/* local.new{run_id =, dir =} → deployer. dir is not used: each node_spec has its own folders. */
static int l_new(lua_State *L)
{
    struct tfl_engine *engine = tfl_engine(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    struct tfl_local_config config = {.loop = engine->loop,
        .http = engine->http,
        .run_id = tfl_field_string(L, 1, "local.new", "run_id", true),
        .ledger = tfl_proc_ledger(),
        .sink = &engine->sink};
    struct box *box = lua_newuserdatauv(L, sizeof *box, 0);
    box->local = NULL;
    luaL_setmetatable(L, LOCAL);
    box->local = tfl_local_new(&config);
    return 1;
}

static int l_gc(lua_State *L)
{
    struct box *box = luaL_checkudata(L, 1, LOCAL);
    tfl_local_free(box->local);
    box->local = NULL;
    return 0;
}

/* :capabilities() → {verb = true…}: what this backend can do. */
static int l_capabilities(lua_State *L)
{
    static const char *const can[] = {"start", "stop", "kill", "restart", "pause", "resume", "logs", "pid"};
    check(L);
    lua_createtable(L, 0, (int)TFL_LEN(can));
    for (size_t i = 0; i < TFL_LEN(can); i++) {
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, can[i]);
    }
    return 1;
}

/* :reserve(n) → {port…}: n free ports of this host. Raises no_ports, io. */
static int l_reserve(lua_State *L)
{
    struct tfl_error err;
    struct tfl_local *local = check(L);
    lua_Integer n = luaL_checkinteger(L, 2);
    luaL_argcheck(L, n >= 0 && n <= PORTS_MAX, 2, "not a number of ports");
    uint16_t *ports = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof *ports, 0);
    if (tfl_local_reserve(local, (size_t)n, ports, &err))
        return tfl_raise(L, &err);
    lua_createtable(L, (int)n, 0);
    for (lua_Integer i = 0; i < n; i++) {
        lua_pushinteger(L, ports[i]);
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

/* :unbind(port): a reserved port is let go for this program to listen on; it stays this run's. */
static int l_unbind(lua_State *L)
{
    lua_Integer port = luaL_checkinteger(L, 2);
    luaL_argcheck(L, port > 0 && port <= UINT16_MAX, 2, "not a port");
    tfl_local_unbind(check(L), (uint16_t)port);
    return 0;
}

/* :add{name =, argv = {…}, env = {KEY = value}, cwd = folder, files = {[path in cwd] = {content =, mode =}},
 * ports = {http =, p2p =…}, url = nil | address of the API (default: of ports.http, with a dialect), ready = {path =, peers =},
 * dialect = nil | "reference"…, stop_signal = "TERM", log = file}: makes a node known, or gives a stopped one a new spec.
 * Raises bad_config, wrong_state. */
static int l_add(lua_State *L)
{
    struct tfl_error err;
    struct tfl_local *local = check(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    if (tfl_local_add(local, tfl_read_node_spec(L, 2), &err))
        return tfl_raise(L, &err);
    return 0;
}

/* :write(name): its files, now, for somebody to look at them before it starts (a start writes them again). Raises io. */
static int l_write(lua_State *L)
{
    struct tfl_error err;
    struct tfl_local *local = check(L);
    return tfl_local_write(local, luaL_checkstring(L, 2), &err) ? tfl_raise(L, &err) : 0;
}

/* ---- verbs: all wait until done; on one node they queue. Raise wrong_state, usage (no such node), spawn, timeout. */

static int verb(lua_State *L, enum tfl_verb what, const char *name, int signum, double timeout)
{
    struct tfl_local *local = check(L);
    const char *node = luaL_checkstring(L, 2);
    tfl_task_check(L, name);
    return tfl_task_await(L, tfl_local_verb(local, node, what, signum, tfl_seconds_to_ms(timeout)), NULL);
}

/* :start(name): until the program runs. */
static int l_start(lua_State *L)
{
    return verb(L, TFL_START, "start", 0, 0);
}

/* :stop(name[, {how = "graceful" | "kill" | a signal's name, timeout = seconds (10)}]): SIGKILL after the timeout. */
static int l_stop(lua_State *L)
{
    const char *how = "graceful";
    double timeout = 0;
    if (!lua_isnoneornil(L, 3)) {
        luaL_checktype(L, 3, LUA_TTABLE);
        const char *given = tfl_field_string(L, 3, "stop", "how", false);
        how = given ? given : how;
        timeout = tfl_field_seconds(L, 3, "stop", "timeout", 0);
    }
    if (!strcmp(how, "kill"))
        return verb(L, TFL_KILL, "stop", 0, 0);
    int signum = strcmp(how, "graceful") ? tfl_signal_number(how) : 0;
    if (!signum && strcmp(how, "graceful"))
        return luaL_error(L, "stop: how = \"%s\": expected \"graceful\", \"kill\" or a signal's name", how);
    return verb(L, TFL_STOP, "stop", signum, timeout);
}

/* :kill(name): SIGKILL. :restart(name[, {timeout =}]): stop if it runs, then start. :pause(name), :resume(name). */
static int l_kill(lua_State *L)
{
    return verb(L, TFL_KILL, "kill", 0, 0);
}

static int l_restart(lua_State *L)
{
    double timeout = lua_istable(L, 3) ? tfl_field_seconds(L, 3, "restart", "timeout", 0) : 0;
    return verb(L, TFL_RESTART, "restart", 0, timeout);
}

static int l_pause(lua_State *L)
{
    return verb(L, TFL_PAUSE, "pause", 0, 0);
}

static int l_resume(lua_State *L)
{
    return verb(L, TFL_RESUME, "resume", 0, 0);
}

/* ---- waiting */

/* :wait_ready({name…}[, {within = seconds (60), peers = {[name] = degree}}]) waits until all are ready; the options may also
 * stand in the list itself. Raises not_ready (node = the first that is not), exited. */
static int l_wait_ready(lua_State *L)
{
    struct tfl_local *local = check(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    int options = lua_istable(L, 3) ? 3 : 2;
    double within = tfl_field_seconds(L, options, "wait_ready", "within", 60);
    lua_Integer n = luaL_len(L, 2);
    luaL_argcheck(L, n >= 0 && n <= LIST_MAX, 2, "a list of node names expected");
    lua_settop(L, options);
    bool has_peers = lua_getfield(L, options, "peers") == LUA_TTABLE;
    const char **names = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof *names, 0);
    int *peers = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof *peers, 0);
    for (lua_Integer i = 0; i < n; i++) {
        if (lua_geti(L, 2, i + 1) != LUA_TSTRING)
            return luaL_error(L, "wait_ready: name %I is a %s", (LUAI_UACINT)i + 1, luaL_typename(L, -1));
        names[i] = lua_tostring(L, -1); /* the list still holds it */
        peers[i] = -1;
        if (has_peers && lua_getfield(L, options + 1, names[i]) != LUA_TNIL)
            peers[i] = (int)luaL_checkinteger(L, -1);
        lua_settop(L, options + 3);
    }
    tfl_task_check(L, "wait_ready");
    return tfl_task_await(
        L, tfl_local_wait_ready(local, names, peers, (size_t)n, tfl_seconds_to_ms(within)), NULL);
}

static int push_exit(lua_State *L, struct tfl_op *op)
{
    const struct tfl_next_exit *seen = TFL_CONTAINER(op, struct tfl_next_exit, op);
    if (seen->none)
        return 0;
    lua_createtable(L, 0, 7);
    lua_pushstring(L, seen->node);
    lua_setfield(L, -2, "node");
    lua_pushstring(L, seen->status);
    lua_setfield(L, -2, "status");
    if (seen->code >= 0) {
        lua_pushinteger(L, seen->code);
        lua_setfield(L, -2, "code");
    }
    if (seen->signum) {
        lua_pushstring(L, tfl_signal_name(seen->signum));
        lua_setfield(L, -2, "signal");
    }
    lua_pushboolean(L, seen->asked);
    lua_setfield(L, -2, "asked");
    if (seen->forced) {
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, "forced");
    }
    lua_pushstring(L, seen->log_tail);
    lua_setfield(L, -2, "log_tail");
    return 1;
}

/* :next_exit() waits for the next end of a node → {node =, status = "exit code 1", code = | signal =, asked = was it stopped
 * by a verb?, forced = true when that came to a SIGKILL, log_tail =}; nil when the deployer was cleaned up and all were told.
 * One task at a time. */
static int l_next_exit(lua_State *L)
{
    struct tfl_local *local = check(L);
    tfl_task_check(L, "next_exit");
    return tfl_task_await(L, &tfl_local_next_exit(local)->op, push_exit);
}

/* :cleanup([{timeout = seconds (3)}]) waits: ends all nodes at once, lets go of the ports. Raises timeout, naming what could
 * not be ended. May be called again. */
static int l_cleanup(lua_State *L)
{
    struct tfl_local *local = check(L);
    double timeout = lua_istable(L, 2) ? tfl_field_seconds(L, 2, "cleanup", "timeout", 0) : 0;
    tfl_task_check(L, "cleanup");
    return tfl_task_await(L, tfl_local_cleanup(local, tfl_seconds_to_ms(timeout)), NULL);
}

/* ---- looking */

/* ---- nodes that somebody else starts and stops (deploy/local.h). They raise wrong_state, usage (no such node). */

static int done_or_raise(lua_State *L, int failed, const struct tfl_error *err)
{
    return failed ? tfl_raise(L, err) : 0;
}

/* :lay_out(name): writes its files and lets go of its ports, before somebody starts it. */
static int l_lay_out(lua_State *L)
{
    struct tfl_error err;
    struct tfl_local *local = check(L);
    return done_or_raise(L, tfl_local_lay_out(local, luaL_checkstring(L, 2), &err), &err);
}

/* :adopt(name[, pid]): it runs now. Raises not_found (no such process). */
static int l_adopt(lua_State *L)
{
    struct tfl_error err;
    struct tfl_local *local = check(L);
    lua_Integer pid = luaL_optinteger(L, 3, 0);
    luaL_argcheck(L, pid == 0 || (pid > 1 && pid <= INT32_MAX), 3, "not a pid");
    return done_or_raise(L, tfl_local_adopt(local, luaL_checkstring(L, 2), (pid_t)pid, &err), &err);
}

/* :mark(name, "paused" | "running" | "stopping" | "stopped" | "exited"[, code]): what its starter knows of it; code: of its end, 128 and
 * more is a signal. */
static int l_mark(lua_State *L)
{
    static const char *const names[] = {"paused", "running", "stopping", "stopped", "exited", NULL};
    static const enum tfl_node_state states[] = {
        TFL_NODE_PAUSED, TFL_NODE_RUNNING, TFL_NODE_STOPPING, TFL_NODE_STOPPED, TFL_NODE_EXITED};
    struct tfl_error err;
    struct tfl_local *local = check(L);
    const char *name = luaL_checkstring(L, 2);
    lua_Integer code = luaL_optinteger(L, 4, -1);
    int status = code < 0 || code > 255 ? TFL_LOCAL_GONE : code > 128 ? (int)code - 128 : (int)code << 8;
    enum tfl_node_state state = states[luaL_checkoption(L, 3, NULL, names)];
    return done_or_raise(L, tfl_local_mark(local, name, state, status, &err), &err);
}

/* :here(name) → is the process of an adopted node there? */
static int l_here(lua_State *L)
{
    lua_pushboolean(L, tfl_local_here(check(L), luaL_checkstring(L, 2)));
    return 1;
}

/* :signal(name[, signal's name]): to that process; default: the spec's signal. Raises unsupported (it has no pid), io. */
static int l_signal(lua_State *L)
{
    struct tfl_error err;
    struct tfl_local *local = check(L);
    const char *node = luaL_checkstring(L, 2), *name = luaL_optstring(L, 3, NULL);
    int signum = name ? tfl_signal_number(name) : 0;
    if (name && !signum)
        return luaL_error(L, "there is no signal \"%s\"", name);
    return done_or_raise(L, tfl_local_signal(local, node, signum, &err), &err);
}

/* :pid(name) → pid, or nil when it does not run. :alive(name) → does it run? */
static int l_pid(lua_State *L)
{
    pid_t pid = tfl_local_pid(check(L), luaL_checkstring(L, 2));
    if (!pid)
        return 0;
    lua_pushinteger(L, pid);
    return 1;
}

static int l_alive(lua_State *L)
{
    enum tfl_node_state state = tfl_local_state(check(L), luaL_checkstring(L, 2));
    lua_pushboolean(L, state == TFL_NODE_RUNNING || state == TFL_NODE_PAUSED || state == TFL_NODE_STOPPING);
    return 1;
}

/* :state(name) → "not started", "running", "paused", "stopping", "stopped", "exited", or "unknown". */
static int l_state(lua_State *L)
{
    lua_pushstring(L, tfl_node_state_name(tfl_local_state(check(L), luaL_checkstring(L, 2))));
    return 1;
}

/* :logs(name[, bytes = 65536]) → the end of its log. Raises usage (no such node), io. */
static int l_logs(lua_State *L)
{
    struct tfl_error err;
    struct tfl_buf text = {0};
    struct tfl_local *local = check(L);
    const char *name = luaL_checkstring(L, 2);
    lua_Integer bytes = luaL_optinteger(L, 3, LOG_BYTES);
    luaL_argcheck(L, bytes >= 0 && bytes <= LOG_BYTES_MAX, 3, "0 to 16777216 bytes expected");
    if (tfl_local_logs(local, name, &text, (size_t)bytes, &err)) {
        tfl_buf_done(&text);
        return tfl_raise(L, &err);
    }
    lua_pushlstring(L, text.data ? text.data : "", text.len);
    tfl_buf_done(&text);
    return 1;
}

/* local.ports_range(text) → is it a range that TFL_PORTS may have? */
static int l_ports_range(lua_State *L)
{
    int from, to;
    lua_pushboolean(L, tfl_ports_range(luaL_checkstring(L, 1), &from, &to));
    return 1;
}

int tfl_open_local(lua_State *L)
{
    static const luaL_Reg methods[] = {{"capabilities", l_capabilities}, {"reserve", l_reserve},
        {"unbind", l_unbind}, {"add", l_add}, {"write", l_write}, {"start", l_start}, {"stop", l_stop},
        {"kill", l_kill}, {"restart", l_restart}, {"pause", l_pause}, {"resume", l_resume},
        {"wait_ready", l_wait_ready}, {"next_exit", l_next_exit}, {"cleanup", l_cleanup}, {"pid", l_pid},
        {"alive", l_alive}, {"state", l_state}, {"logs", l_logs}, {"lay_out", l_lay_out}, {"adopt", l_adopt},
        {"mark", l_mark}, {"here", l_here}, {"signal", l_signal}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"new", l_new}, {"ports_range", l_ports_range}, {NULL, NULL}};
    tfl_class(L, LOCAL, methods, l_gc);
    luaL_newlib(L, functions);
    return 1;
}
