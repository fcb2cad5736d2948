/* Lua values to block-style YAML, through libyaml. The emitter lives in userdata, so that a Lua error on the way frees it. */
#include "base/buf.h"
#include "bindings/yaml.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

/* A string that some reader (YAML 1.1 ones too: yes, on, 1_000, 12:30, dates) would take for something else. */
static bool needs_quotes(const char *s)
{
    static const char *const words[] = {"y", "n", "yes", "no", "on", "off", "=", "<<", "---", "...", NULL};
    if (tfl_yaml_resolve(s) != TFL_YAML_STRING)
        return true;
    for (const char *const *w = words; *w; w++)
        if (strcasecmp(s, *w) == 0)
            return true;
    if (strcasecmp(s, "null") == 0 || strcasecmp(s, "true") == 0 || strcasecmp(s, "false") == 0)
        return true;
    const char *p = s + (*s == '-' || *s == '+');
    if (!isdigit((unsigned char)*p) && *p != '.')
        return false;
    size_t dots = 0; /* 127.0.0.1:80 is no number to anyone */
    for (const char *c = p; *c; c++)
        dots += *c == '.';
    return dots < 2 && strspn(p, "0123456789abcdefABCDEFxXoOtTzZ_.:+- ") == strlen(p);
}

struct emitter {
    yaml_emitter_t yaml;
    bool ready;
    struct tfl_buf out;
    int values;
};

int tfl_yaml_emitter_gc(lua_State *L)
{
    struct emitter *e = luaL_checkudata(L, 1, TFL_YAML_EMITTER);
    if (e->ready)
        yaml_emitter_delete(&e->yaml);
    e->ready = false;
    tfl_buf_done(&e->out);
    return 0;
}

static int write_out(void *data, unsigned char *bytes, size_t size)
{
    struct tfl_buf *out = data;
    if (out->len + size > TFL_YAML_MAX_TEXT)
        return 0;
    tfl_buf_add(out, bytes, size);
    return 1;
}

/* Gives an event away; `made` is the result of its initialisation. */
static void send(lua_State *L, struct emitter *e, yaml_event_t *event, int made)
{
    if (!made)
        luaL_error(L, "yaml: out of memory");
    if (!yaml_emitter_emit(&e->yaml, event)) {
        if (e->yaml.error == YAML_WRITER_ERROR)
            luaL_error(L, "yaml: the text is longer than %d bytes", TFL_YAML_MAX_TEXT);
        luaL_error(L, "yaml: %s", e->yaml.problem ? e->yaml.problem : "cannot write");
    }
}

static void send_scalar(
    lua_State *L, struct emitter *e, const char *tag, const char *text, size_t len, bool string)
{
    yaml_event_t event;
    yaml_scalar_style_t style = YAML_PLAIN_SCALAR_STYLE;
    if (string && memchr(text, '\n', len))
        style = YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    else if (string && needs_quotes(text))
        style = YAML_SINGLE_QUOTED_SCALAR_STYLE;
    int made = yaml_scalar_event_initialize(&event, NULL, (const yaml_char_t *)tag, (const yaml_char_t *)text,
        (int)len, !tag, !tag && string, style);
    if (!made)
        luaL_error(L, "yaml: a string is not UTF-8");
    send(L, e, &event, made);
}

static void emit_value(lua_State *L, struct emitter *e, int index, const char *tag, int depth);

static void emit_list(lua_State *L, struct emitter *e, int index, const char *tag, int depth, lua_Integer n)
{
    yaml_event_t event;
    yaml_sequence_style_t style = n ? YAML_BLOCK_SEQUENCE_STYLE : YAML_FLOW_SEQUENCE_STYLE;
    send(L, e, &event,
        yaml_sequence_start_event_initialize(&event, NULL, (const yaml_char_t *)tag, !tag, style));
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, index, i);
        emit_value(L, e, lua_gettop(L), NULL, depth + 1);
        lua_pop(L, 1);
    }
    send(L, e, &event, yaml_sequence_end_event_initialize(&event));
}

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Leaves a list of the keys of the map at index, in their order: those its metatable's __order names (and that are there),
 * then the others by bytes. Returns their number. */
static lua_Integer push_keys(lua_State *L, int index)
{
    lua_newtable(L);
    int keys = lua_gettop(L);
    lua_newtable(L); /* those that __order has placed */
    int placed = keys + 1;
    lua_Integer n = 0;
    if (luaL_getmetafield(L, index, "__order") == LUA_TTABLE) {
        lua_Integer len = (lua_Integer)lua_rawlen(L, -1);
        for (lua_Integer i = 1; i <= len; i++) {
            lua_rawgeti(L, -1, i);
            lua_pushvalue(L, -1);
            bool there = lua_type(L, -1) == LUA_TSTRING && lua_rawget(L, index) != LUA_TNIL;
            lua_pop(L, 1);
            if (there) {
                lua_pushvalue(L, -1);
                lua_rawseti(L, keys, ++n);
                lua_pushboolean(L, 1);
                lua_rawset(L, placed);
            } else {
                lua_pop(L, 1);
            }
        }
    }
    lua_settop(L, placed);
    size_t rest = 0;
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            luaL_error(L, "yaml: a map has a key that is a %s; keys must be strings", luaL_typename(L, -2));
        if (strlen(lua_tostring(L, -2)) != lua_rawlen(L, -2))
            luaL_error(L, "yaml: a key with a zero byte in it");
        rest++;
    }
    const char **names = lua_newuserdatauv(L, (rest + 1) * sizeof *names, 0);
    size_t m = 0;
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        lua_pushvalue(L, -2);
        if (lua_rawget(L, placed) == LUA_TNIL)
            names[m++] = lua_tostring(L, -3);
        lua_pop(L, 1);
    }
    if (m)
        qsort(names, m, sizeof *names, compare_strings);
    for (size_t i = 0; i < m; i++) {
        lua_pushstring(L, names[i]);
        lua_rawseti(L, keys, ++n);
    }
    lua_settop(L, keys);
    return n;
}

static void emit_map(lua_State *L, struct emitter *e, int index, const char *tag, int depth)
{
    yaml_event_t event;
    lua_Integer n = push_keys(L, index);
    int keys = lua_gettop(L);
    yaml_mapping_style_t style = n ? YAML_BLOCK_MAPPING_STYLE : YAML_FLOW_MAPPING_STYLE;
    send(L, e, &event,
        yaml_mapping_start_event_initialize(&event, NULL, (const yaml_char_t *)tag, !tag, style));
    for (lua_Integer i = 1; i <= n; i++) {
        size_t len;
        lua_rawgeti(L, keys, i);
        const char *name = lua_tolstring(L, -1, &len);
        send_scalar(L, e, NULL, name, len, true);
        lua_rawget(L, index);
        emit_value(L, e, lua_gettop(L), NULL, depth + 1);
        lua_pop(L, 1);
    }
    send(L, e, &event, yaml_mapping_end_event_initialize(&event));
    lua_pop(L, 1);
}

/* The tag of a table made by yaml.tagged, and its value on the stack; NULL and nothing for any other table. */
static const char *push_tagged(lua_State *L, int index)
{
    if (!lua_getmetatable(L, index))
        return NULL;
    luaL_getmetatable(L, TFL_YAML_TAGGED);
    bool tagged = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    if (!tagged)
        return NULL;
    lua_getfield(L, index, "tag"); /* stays reachable through the table */
    const char *tag = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
    lua_pop(L, 1);
    if (!tag)
        luaL_error(L, "yaml: a tagged value whose tag is no string");
    lua_getfield(L, index, "value");
    return tag;
}

/* A list when it has the keys 1..n and no other, or is empty (unless its metatable says __jsontype = "object"). */
static void emit_table(lua_State *L, struct emitter *e, int index, const char *tag, int depth)
{
    const char *own_tag = push_tagged(L, index);
    if (own_tag) {
        if (tag)
            luaL_error(L, "yaml: a value with two tags, %s and %s", tag, own_tag);
        emit_value(L, e, lua_gettop(L), own_tag, depth + 1);
        lua_pop(L, 1);
        return;
    }
    lua_Integer n = (lua_Integer)lua_rawlen(L, index), pairs = 0;
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1))
        pairs++;
    bool object = luaL_getmetafield(L, index, "__jsontype") == LUA_TSTRING &&
                  strcmp(lua_tostring(L, -1), "object") == 0;
    lua_settop(L, index);
    if (n == 0 && (pairs > 0 || object))
        emit_map(L, e, index, tag, depth);
    else if (pairs == n)
        emit_list(L, e, index, tag, depth, n);
    else
        luaL_error(L, "yaml: a table has both list entries and named ones (or holes)");
}

static void emit_number(lua_State *L, struct emitter *e, int index, const char *tag)
{
    char text[64];
    lua_Number x = lua_tonumber(L, index);
    if (lua_isinteger(L, index))
        snprintf(text, sizeof text, LUA_INTEGER_FMT, lua_tointeger(L, index));
    else if (isnan(x))
        snprintf(text, sizeof text, ".nan");
    else if (isinf(x))
        snprintf(text, sizeof text, "%s", x < 0 ? "-.inf" : ".inf");
    else
        for (int digits = 15; digits <= 17; digits++) {
            snprintf(text, sizeof text, "%.*g", digits, x);
            if (strtod(text, NULL) == x)
                break;
        }
    if (tfl_yaml_resolve(text) == TFL_YAML_INTEGER && !lua_isinteger(L, index))
        snprintf(text, sizeof text, "%.1f", x);
    send_scalar(L, e, tag, text, strlen(text), false);
}

static void emit_value(lua_State *L, struct emitter *e, int index, const char *tag, int depth)
{
    luaL_checkstack(L, 12, "yaml nested too deep");
    if (depth > TFL_YAML_MAX_DEPTH)
        luaL_error(L, "yaml: nested deeper than %d levels (a table that holds itself?)", TFL_YAML_MAX_DEPTH);
    if (++e->values > TFL_YAML_MAX_VALUES)
        luaL_error(L, "yaml: more than %d values", TFL_YAML_MAX_VALUES);
    size_t len;
    const char *text;
    switch (lua_type(L, index)) {
    case LUA_TBOOLEAN:
        text = lua_toboolean(L, index) ? "true" : "false";
        send_scalar(L, e, tag, text, strlen(text), false);
        return;
    case LUA_TNUMBER:
        emit_number(L, e, index, tag);
        return;
    case LUA_TSTRING:
        text = lua_tolstring(L, index, &len);
        send_scalar(L, e, tag, text, len, true);
        return;
    case LUA_TTABLE:
        emit_table(L, e, index, tag, depth);
        return;
    case LUA_TLIGHTUSERDATA:
        if (tfl_yaml_is_null(L, index)) {
            send_scalar(L, e, tag, tag ? "" : "null", tag ? 0 : 4, false);
            return;
        }
        break;
    default:
        break;
    }
    luaL_error(L, "yaml: a %s has no YAML form", luaL_typename(L, index));
}

/* The text is the same for equal values: keys are sorted unless their map orders them. */
int tfl_yaml_emit(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_settop(L, 1);
    struct emitter *e = lua_newuserdatauv(L, sizeof *e, 0);
    memset(e, 0, sizeof *e);
    luaL_setmetatable(L, TFL_YAML_EMITTER);
    if (!yaml_emitter_initialize(&e->yaml))
        return luaL_error(L, "yaml: out of memory");
    e->ready = true;
    yaml_emitter_set_output(&e->yaml, write_out, &e->out);
    yaml_emitter_set_unicode(&e->yaml, 1);
    yaml_emitter_set_width(&e->yaml, -1);
    yaml_event_t event;
    send(L, e, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING));
    send(L, e, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1));
    lua_pushvalue(L, 1);
    emit_value(L, e, 3, NULL, 0);
    send(L, e, &event, yaml_document_end_event_initialize(&event, 1));
    send(L, e, &event, yaml_stream_end_event_initialize(&event));
    lua_pushlstring(L, e->out.data, e->out.len);
    return 1;
}
