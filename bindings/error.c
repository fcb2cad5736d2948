/* Errors as Lua values, classes, and the engine behind a state. */
#include "bindings/task.h"

#include <string.h>

static const char ERROR_META[] = "tfl.error";

struct tfl_engine *tfl_engine(lua_State *L)
{
    return *(struct tfl_engine **)lua_getextraspace(L);
}

void tfl_push_error(lua_State *L, const struct tfl_error *err)
{
    lua_createtable(L, 0, 4);
    lua_pushstring(L, tfl_code_string(err->code));
    lua_setfield(L, -2, "code");
    lua_pushstring(L, err->msg);
    lua_setfield(L, -2, "message");
    if (err->node[0]) {
        lua_pushstring(L, err->node);
        lua_setfield(L, -2, "node");
    }
    luaL_setmetatable(L, ERROR_META);
}

/* "file:line: " of the script's line that is running, nil when none is: a line of tfl's own says nothing to its user. */
static void push_where(lua_State *L)
{
    enum { DEPTH = 30 };
    lua_Debug at;
    for (int level = 1; level <= DEPTH && lua_getstack(L, level, &at); level++) {
        lua_getinfo(L, "Sl", &at);
        if (at.source[0] == '@' && at.currentline > 0 && !strstr(at.source, "/share/tfl/lua/")) {
            lua_pushfstring(L, "%s:%d: ", at.short_src, at.currentline);
            return;
        }
    }
    lua_pushnil(L);
}

int tfl_raise(lua_State *L, const struct tfl_error *err)
{
    tfl_push_error(L, err);
    push_where(L);
    lua_setfield(L, -2, "where");
    return lua_error(L);
}

static int l_error_tostring(lua_State *L)
{
    lua_getfield(L, 1, "message");
    luaL_tolstring(L, -1, NULL);
    return 1;
}

/* task.error{code=, message=, node=} → the same table as an error value; raise it with error(). */
static int l_error(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    luaL_setmetatable(L, ERROR_META);
    return 1;
}

void tfl_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction gc)
{
    luaL_newmetatable(L, name);
    if (gc) {
        lua_pushcfunction(L, gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

int tfl_open_error(lua_State *L)
{
    luaL_newmetatable(L, ERROR_META);
    lua_pushcfunction(L, l_error_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pop(L, 1);
    lua_pushcfunction(L, l_error);
    return 1;
}
