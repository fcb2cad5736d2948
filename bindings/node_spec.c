/* node_specs: from the table a kind made into the struct a deployer takes. */
#include "bindings/node_spec.h"

#include "bindings/fields.h"
#include "bindings/task.h"
#include "proc/process.h"

#include <string.h>

static const char SPEC[] = "tfl.node_spec";

enum { ARGS_MAX = 4096, AT = 1 }; /* AT: where read() has the table */

static char *copy_field(lua_State *L, const char *name, bool needed)
{
    const char *text = tfl_field_string(L, AT, "node_spec", name, needed);
    return text ? tfl_strdup(text) : NULL;
}

static void read_argv(lua_State *L, struct tfl_node_spec *spec)
{
    if (lua_getfield(L, AT, "argv") != LUA_TTABLE)
        luaL_error(L, "node_spec %s: argv must be a list of strings", spec->name);
    lua_Integer n = luaL_len(L, -1);
    luaL_argcheck(L, n >= 1 && n <= ARGS_MAX, AT, "argv must name a program");
    spec->argv = tfl_alloc(((size_t)n + 1) * sizeof(char *));
    for (lua_Integer i = 0; i < n; i++) {
        lua_geti(L, -1, i + 1);
        if (!lua_isstring(L, -1))
            luaL_error(
                L, "node_spec %s: argv[%I] is a %s", spec->name, (LUAI_UACINT)i + 1, luaL_typename(L, -1));
        spec->argv[i] = tfl_strdup(lua_tostring(L, -1));
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

/* The number of members of the table on top whose keys must be strings; nil counts as empty. */
static size_t count_members(lua_State *L, const struct tfl_node_spec *spec, const char *what)
{
    size_t n = 0;
    if (lua_isnil(L, -1))
        return 0;
    if (!lua_istable(L, -1))
        luaL_error(L, "node_spec %s: %s must be a table", spec->name, what);
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            luaL_error(L, "node_spec %s: the keys of %s must be strings", spec->name, what);
        n++;
        lua_pop(L, 1);
    }
    return n;
}

static void read_env(lua_State *L, struct tfl_node_spec *spec)
{
    lua_getfield(L, AT, "env");
    size_t n = count_members(L, spec, "env"), i = 0;
    spec->env = tfl_alloc((n + 1) * sizeof(char *));
    if (n)
        lua_pushnil(L);
    while (n && lua_next(L, -2)) {
        if (!lua_isstring(L, -1))
            luaL_error(L, "node_spec %s: env.%s must be a string", spec->name, lua_tostring(L, -2));
        lua_pushvalue(L, -1); /* numbers become text in the copy */
        spec->env[i++] = tfl_sprintf("%s=%s", lua_tostring(L, -3), lua_tostring(L, -1));
        lua_pop(L, 2);
    }
    lua_pop(L, 1);
}

static void read_files(lua_State *L, struct tfl_node_spec *spec)
{
    lua_getfield(L, AT, "files");
    size_t n = count_members(L, spec, "files");
    spec->files = tfl_alloc((n + 1) * sizeof *spec->files);
    if (n)
        lua_pushnil(L);
    while (n && lua_next(L, -2)) {
        const char *path = lua_tostring(L, -2);
        size_t len;
        if (!lua_istable(L, -1) || lua_getfield(L, -1, "content") != LUA_TSTRING)
            luaL_error(
                L, "node_spec %s: files[\"%s\"] must be {content = text, mode = number}", spec->name, path);
        const char *content = lua_tolstring(L, -1, &len);
        lua_getfield(L, -2, "mode");
        struct tfl_node_file *file = &spec->files[spec->n_files++];
        file->path = tfl_strdup(path);
        file->content = tfl_alloc(len + 1);
        memcpy(file->content, content, len);
        file->len = len;
        file->mode = lua_isinteger(L, -1) ? (mode_t)lua_tointeger(L, -1) & 0777 : 0644;
        lua_pop(L, 3);
    }
    lua_pop(L, 1);
}

/* ports = {http = …, p2p = …}: all are freed just before the start; http is where the API is, when a dialect is spoken there. */
static void read_ports(lua_State *L, struct tfl_node_spec *spec)
{
    lua_getfield(L, AT, "ports");
    size_t n = count_members(L, spec, "ports");
    spec->ports = tfl_alloc((n + 1) * sizeof *spec->ports);
    if (n)
        lua_pushnil(L);
    while (n && lua_next(L, -2)) {
        lua_Integer port = lua_tointeger(L, -1);
        if (!lua_isinteger(L, -1) || port < 1 || port > 65535)
            luaL_error(L, "node_spec %s: ports.%s must be a port", spec->name, lua_tostring(L, -2));
        spec->ports[spec->n_ports++] = (uint16_t)port;
        if (!strcmp(lua_tostring(L, -2), "http") && !spec->url && spec->dialect)
            spec->url = tfl_sprintf("http://127.0.0.1:%d", (int)port);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

static void read_ready(lua_State *L, struct tfl_node_spec *spec)
{
    int type = lua_getfield(L, AT, "ready");
    if (type == LUA_TTABLE) {
        const char *path = tfl_field_string(L, lua_gettop(L), "node_spec: ready", "path", false);
        spec->ready_path = path ? tfl_strdup(path) : NULL;
        spec->ready_peers = (int)tfl_field_integer(L, lua_gettop(L), "node_spec: ready", "peers", 0);
    } else if (type != LUA_TNIL) {
        luaL_error(L, "node_spec %s: ready must be {path =, peers =}", spec->name);
    }
    lua_pop(L, 1);
}

static int l_gc(lua_State *L)
{
    tfl_node_spec_done(luaL_checkudata(L, 1, SPEC));
    return 0;
}

/* With the table at 1 → a userdata, which frees on its collection what was read, also when an error is raised half-way. */
static int read_spec(lua_State *L)
{
    static const luaL_Reg none[] = {{NULL, NULL}};
    tfl_class(L, SPEC, none, l_gc);
    struct tfl_node_spec *spec = lua_newuserdatauv(L, sizeof *spec, 0);
    memset(spec, 0, sizeof *spec);
    luaL_setmetatable(L, SPEC);
    spec->name = copy_field(L, "name", true);
    read_argv(L, spec);
    read_env(L, spec);
    spec->cwd = copy_field(L, "cwd", true);
    spec->log = copy_field(L, "log", true);
    read_files(L, spec);
    spec->url = copy_field(L, "url", false);
    spec->dialect = copy_field(L, "dialect", false);
    read_ports(L, spec);
    read_ready(L, spec);
    const char *signal = tfl_field_string(L, AT, "node_spec", "stop_signal", false);
    spec->stop_signal = signal ? tfl_signal_number(signal) : 0;
    if (signal && !spec->stop_signal)
        return luaL_error(L, "node_spec %s: stop_signal \"%s\": no such signal", spec->name, signal);
    return 1;
}

struct tfl_node_spec *tfl_read_node_spec(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    luaL_checktype(L, index, LUA_TTABLE);
    lua_pushcfunction(L, read_spec);
    lua_pushvalue(L, index);
    lua_call(L, 1, 1);
    return lua_touserdata(L, -1);
}
