/* JSON values and Lua values, through json-c: integers stay integers, beyond 2^53 too. */
#include "base/buf.h"
#include "bindings/task.h"

#include <json-c/json.h>
#include <math.h>

enum { MAX_DEPTH = 64, MAX_TEXT = 256 << 20 };

void tfl_push_json(lua_State *L, struct json_object *value)
{
    luaL_checkstack(L, 6, "JSON nested too deep");
    switch (json_object_get_type(value)) {
    case json_type_null:
        lua_pushnil(L);
        break;
    case json_type_boolean:
        lua_pushboolean(L, json_object_get_boolean(value));
        break;
    case json_type_double:
        lua_pushnumber(L, json_object_get_double(value));
        break;
    case json_type_int: /* u64 above 2^63 wraps, as Lua's own integers do; print with %u-like care */
        lua_pushinteger(L, json_object_get_int64(value) == INT64_MAX
                               ? (lua_Integer)json_object_get_uint64(value)
                               : json_object_get_int64(value));
        break;
    case json_type_string:
        lua_pushlstring(L, json_object_get_string(value), (size_t)json_object_get_string_len(value));
        break;
    case json_type_array: {
        size_t n = json_object_array_length(value);
        lua_createtable(L, (int)n, 0);
        for (size_t i = 0; i < n; i++) {
            tfl_push_json(L, json_object_array_get_idx(value, i));
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
        break;
    }
    case json_type_object:
        lua_createtable(L, 0, json_object_object_length(value));
        {
            json_object_object_foreach(value, key, member)
            {
                tfl_push_json(L, member);
                lua_setfield(L, -2, key);
            }
        }
        break;
    }
}

/* Bytes of the UTF-8 character at s, of which n are there; 0: none begins here. */
static size_t character(const unsigned char *s, size_t n)
{
    size_t len = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : 4;
    if (len > n || s[0] > 0xf4 || (s[0] >= 0x80 && s[0] < 0xc2))
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool surrogate = s[0] == 0xed && s[1] >= 0xa0, beyond = s[0] == 0xf4 && s[1] >= 0x90;
    return overlong || surrogate || beyond ? 0 : len;
}

/* Appends the text; bytes that are no UTF-8 become U+FFFD: JSON that holds them is none, and no reader would take it. */
static void add_text(struct tfl_buf *b, const char *s, size_t n)
{
    size_t from = 0, i = 0;
    while (i < n) {
        size_t len = character((const unsigned char *)s + i, n - i);
        if (!len) {
            tfl_buf_add(b, s + from, i - from);
            tfl_buf_adds(b, "\xef\xbf\xbd");
            from = i + 1;
        }
        i += len ? len : 1;
    }
    tfl_buf_add(b, s + from, n - from);
}

static struct json_object *convert(lua_State *L, int index, int depth, const char **problem);

/* An array when the keys are 1..n (an empty table too, unless its metatable says __jsontype = "object"). */
static struct json_object *convert_table(lua_State *L, int index, int depth, const char **problem)
{
    size_t n = lua_rawlen(L, index);
    int top = lua_gettop(L);
    bool object = n == 0;
    if (object) {
        lua_pushnil(L);
        object = lua_next(L, index) || luaL_getmetafield(L, index, "__jsontype") == LUA_TSTRING;
        lua_settop(L, top);
    }
    struct json_object *out = object ? json_object_new_object() : json_object_new_array();
    struct tfl_buf name = {0};
    for (size_t i = 1; !object && i <= n && !*problem; i++) {
        lua_rawgeti(L, index, (lua_Integer)i);
        json_object_array_add(out, convert(L, lua_gettop(L), depth + 1, problem));
        lua_pop(L, 1);
    }
    if (object)
        lua_pushnil(L);
    while (object && lua_next(L, index)) {
        if (lua_type(L, -2) != LUA_TSTRING) {
            *problem = "a table with keys other than 1..n that are not strings";
        } else if (!*problem) {
            name.len = 0;
            add_text(&name, lua_tostring(L, -2), lua_rawlen(L, -2));
            json_object_object_add(out, name.data, convert(L, lua_gettop(L), depth + 1, problem));
        }
        lua_pop(L, 1);
    }
    tfl_buf_done(&name);
    return out;
}

static struct json_object *convert(lua_State *L, int index, int depth, const char **problem)
{
    size_t n;
    if (depth > MAX_DEPTH || !lua_checkstack(L, 6)) {
        *problem = "a table nested too deep, or within itself";
        return NULL;
    }
    switch (lua_type(L, index)) {
    case LUA_TNIL:
    case LUA_TLIGHTUSERDATA: /* json.null */
        return NULL;
    case LUA_TBOOLEAN:
        return json_object_new_boolean(lua_toboolean(L, index));
    case LUA_TNUMBER:
        if (lua_isinteger(L, index))
            return json_object_new_int64(lua_tointeger(L, index));
        if (!isfinite(lua_tonumber(L, index)))
            return NULL;
        return json_object_new_double(lua_tonumber(L, index));
    case LUA_TSTRING: {
        const char *s = lua_tolstring(L, index, &n);
        struct tfl_buf b = {0};
        add_text(&b, s, n);
        struct json_object *text = json_object_new_string_len(b.data, (int)b.len);
        tfl_buf_done(&b);
        return text;
    }
    case LUA_TTABLE:
        return convert_table(L, index, depth, problem);
    default:
        *problem = lua_typename(L, lua_type(L, index));
        return NULL;
    }
}

struct json_object *tfl_to_json(lua_State *L, int index)
{
    const char *problem = NULL;
    int top = lua_gettop(L);
    struct json_object *out = convert(L, lua_absindex(L, index), 0, &problem);
    if (problem) {
        json_object_put(out);
        lua_settop(L, top);
        luaL_error(L, "this value has no JSON form: %s", problem);
    }
    return out;
}

/* json.encode(value[, pretty]) → text */
static int l_encode(lua_State *L)
{
    int flags =
        lua_toboolean(L, 2) ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED : JSON_C_TO_STRING_PLAIN;
    size_t n;
    luaL_checkany(L, 1);
    struct json_object *value = tfl_to_json(L, 1);
    const char *text = json_object_to_json_string_length(value, flags | JSON_C_TO_STRING_NOSLASHESCAPE, &n);
    lua_pushlstring(L, text, n);
    json_object_put(value);
    return 1;
}

/* json.decode(text) → value | nil, message */
static int l_decode(lua_State *L)
{
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n);
    luaL_argcheck(L, n <= MAX_TEXT, 1, "text too long");
    struct json_tokener *tok = json_tokener_new_ex(MAX_DEPTH);
    json_tokener_set_flags(tok, JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *value = json_tokener_parse_ex(tok, text, (int)n);
    enum json_tokener_error error = json_tokener_get_error(tok);
    if (error == json_tokener_continue) { /* a bare number ends only with the text */
        value = json_tokener_parse_ex(tok, "", 1);
        error = json_tokener_get_error(tok);
    }
    size_t end = json_tokener_get_parse_end(tok);
    json_tokener_free(tok);
    while (end < n && (text[end] == ' ' || text[end] == '\n' || text[end] == '\r' || text[end] == '\t'))
        end++;
    if (error != json_tokener_success || end < n) {
        json_object_put(value);
        lua_pushnil(L);
        lua_pushfstring(L, "not JSON: %s at byte %d",
            error == json_tokener_success ? "more after the value" : json_tokener_error_desc(error),
            (int)end + 1);
        return 2;
    }
    tfl_push_json(L, value);
    json_object_put(value);
    return 1;
}

int tfl_open_json(lua_State *L)
{
    static const luaL_Reg functions[] = {{"encode", l_encode}, {"decode", l_decode}, {NULL, NULL}};
    json_c_set_serialization_double_format("%.15g", JSON_C_OPTION_GLOBAL); /* 0.1 stays 0.1 */
    luaL_newlib(L, functions);
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "null");
    return 1;
}
