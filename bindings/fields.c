/* Option tables: members with their types checked. */
#include "bindings/fields.h"

static int wrong(lua_State *L, const char *what, const char *name, const char *expected)
{
    return luaL_error(L, "%s: %s must be %s, not %s", what, name, expected, luaL_tolstring(L, -1, NULL));
}

const char *tfl_field_string(lua_State *L, int index, const char *what, const char *name, bool needed)
{
    const char *text = NULL;
    int type = lua_getfield(L, index, name);
    if (type == LUA_TSTRING)
        text = lua_tostring(L, -1);
    else if (type != LUA_TNIL || needed)
        wrong(L, what, name, "a string");
    lua_pop(L, 1); /* the table still holds it */
    return text;
}

lua_Integer tfl_field_integer(
    lua_State *L, int index, const char *what, const char *name, lua_Integer fallback)
{
    int is_integer = 1;
    lua_Integer value = fallback;
    if (lua_getfield(L, index, name) != LUA_TNIL) {
        value = lua_tointegerx(L, -1, &is_integer);
        if (!is_integer || lua_type(L, -1) != LUA_TNUMBER)
            wrong(L, what, name, "a whole number");
    }
    lua_pop(L, 1);
    return value;
}

double tfl_field_seconds(lua_State *L, int index, const char *what, const char *name, double fallback)
{
    double value = fallback;
    if (lua_getfield(L, index, name) != LUA_TNIL) {
        value = lua_tonumber(L, -1);
        if (lua_type(L, -1) != LUA_TNUMBER || !(value >= 0))
            wrong(L, what, name, "a number of seconds");
    }
    lua_pop(L, 1);
    return value;
}

bool tfl_field_boolean(lua_State *L, int index, const char *name)
{
    lua_getfield(L, index, name);
    bool value = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return value;
}

int tfl_seconds_to_ms(double seconds)
{
    const double day = 86400;
    double s = seconds < 0 ? 0 : seconds > day ? day : seconds;
    return (int)(s * 1000 + 0.5);
}
