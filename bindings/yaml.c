/* tfl.core.yaml: YAML text to Lua values (and the module). The parser lives in userdata, so that a Lua error on the way
 * frees it. */
#include "bindings/yaml.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

static const char PARSER[] = "tfl.yaml.parser";
static char null_key; /* its address, as light userdata, is yaml.null */

static void push_null(lua_State *L)
{
    lua_pushlightuserdata(L, &null_key);
}

bool tfl_yaml_is_null(lua_State *L, int index)
{
    return lua_type(L, index) == LUA_TLIGHTUSERDATA && lua_touserdata(L, index) == &null_key;
}

static bool one_of(const char *s, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(s, *words) == 0)
            return true;
    return false;
}

enum tfl_yaml_plain tfl_yaml_resolve(const char *s)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const trues[] = {"true", "True", "TRUE", NULL};
    static const char *const falses[] = {"false", "False", "FALSE", NULL};
    static const char *const specials[] = {".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN", NULL};
    if (one_of(s, nulls))
        return TFL_YAML_NULL;
    if (one_of(s, trues))
        return TFL_YAML_TRUE;
    if (one_of(s, falses))
        return TFL_YAML_FALSE;
    const char *p = s + (*s == '-' || *s == '+');
    if (one_of(p, specials))
        return TFL_YAML_FLOAT;
    if (p == s && p[0] == '0' && (p[1] == 'x' || p[1] == 'o') && p[2])
        return strspn(p + 2, p[1] == 'x' ? "0123456789abcdefABCDEF" : "01234567") == strlen(p + 2)
                   ? TFL_YAML_INTEGER
                   : TFL_YAML_STRING;
    size_t whole = strspn(p, "0123456789"), fraction = 0;
    p += whole;
    if (!*p)
        return whole ? TFL_YAML_INTEGER : TFL_YAML_STRING;
    if (*p == '.')
        p += 1 + (fraction = strspn(p + 1, "0123456789"));
    if (!whole && !fraction)
        return TFL_YAML_STRING;
    if (*p == 'e' || *p == 'E') {
        p += 1 + (p[1] == '-' || p[1] == '+');
        size_t digits = strspn(p, "0123456789");
        if (!digits)
            return TFL_YAML_STRING;
        p += digits;
    }
    return *p ? TFL_YAML_STRING : TFL_YAML_FLOAT;
}

struct parser {
    yaml_parser_t yaml;
    yaml_event_t event;
    bool ready, has_event;
    int values;
};

static void drop_event(struct parser *p)
{
    if (p->has_event)
        yaml_event_delete(&p->event);
    p->has_event = false;
}

static int l_parser_gc(lua_State *L)
{
    struct parser *p = luaL_checkudata(L, 1, PARSER);
    drop_event(p);
    if (p->ready)
        yaml_parser_delete(&p->yaml);
    p->ready = false;
    return 0;
}

static yaml_event_type_t next_event(lua_State *L, struct parser *p)
{
    drop_event(p);
    if (!yaml_parser_parse(&p->yaml, &p->event))
        luaL_error(L, "yaml: line %d: %s%s%s", (int)p->yaml.problem_mark.line + 1,
            p->yaml.context ? p->yaml.context : "", p->yaml.context ? ", " : "",
            p->yaml.problem ? p->yaml.problem : "cannot read");
    p->has_event = true;
    return p->event.type;
}

static int line_of(const struct parser *p)
{
    return (int)p->event.start_mark.line + 1;
}

static void push_plain(lua_State *L, const struct parser *p, const char *text, size_t len)
{
    switch (tfl_yaml_resolve(text)) {
    case TFL_YAML_NULL:
        push_null(L);
        return;
    case TFL_YAML_TRUE:
    case TFL_YAML_FALSE:
        lua_pushboolean(L, text[0] == 't' || text[0] == 'T');
        return;
    case TFL_YAML_INTEGER: {
        bool prefixed = text[0] == '0' && (text[1] == 'x' || text[1] == 'o');
        errno = 0;
        long long value = strtoll(prefixed ? text + 2 : text, NULL, !prefixed ? 10 : text[1] == 'x' ? 16 : 8);
        if (errno == ERANGE)
            luaL_error(L, "yaml: line %d: the integer %s does not fit 64 bits", line_of(p), text);
        lua_pushinteger(L, value);
        return;
    }
    case TFL_YAML_FLOAT: {
        const char *digits = text + (*text == '-' || *text == '+');
        double sign = *text == '-' ? -1 : 1;
        if (strcasecmp(digits, ".inf") == 0)
            lua_pushnumber(L, sign * (double)INFINITY);
        else if (strcasecmp(digits, ".nan") == 0)
            lua_pushnumber(L, (double)NAN);
        else
            lua_pushnumber(L, strtod(text, NULL));
        return;
    }
    case TFL_YAML_STRING:
        lua_pushlstring(L, text, len);
        return;
    }
}

static void push_scalar(lua_State *L, const struct parser *p)
{
    const char *text = (const char *)p->event.data.scalar.value;
    size_t len = p->event.data.scalar.length;
    const char *tag = (const char *)p->event.data.scalar.tag;
    if (strlen(text) != len)
        luaL_error(L, "yaml: line %d: a scalar with a zero byte in it", line_of(p));
    bool string =
        p->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE || (tag && strcmp(tag, YAML_STR_TAG) == 0);
    if (string)
        lua_pushlstring(L, text, len);
    else
        push_plain(L, p, text, len);
}

static void push_event(lua_State *L, struct parser *p, int depth);

static void push_list(lua_State *L, struct parser *p, int depth)
{
    lua_newtable(L);
    for (lua_Integer i = 1; next_event(L, p) != YAML_SEQUENCE_END_EVENT; i++) {
        push_event(L, p, depth + 1);
        lua_rawseti(L, -2, i);
    }
}

/* Keys are strings as they are written. A null member is left out, as json does. */
static void push_map(lua_State *L, struct parser *p, int depth)
{
    lua_newtable(L);
    lua_newtable(L); /* line of each key, for doubles that are null too */
    while (next_event(L, p) != YAML_MAPPING_END_EVENT) {
        int line = line_of(p);
        if (p->event.type != YAML_SCALAR_EVENT)
            luaL_error(L, "yaml: line %d: a key must be a scalar", line);
        lua_pushlstring(L, (const char *)p->event.data.scalar.value, p->event.data.scalar.length);
        lua_pushvalue(L, -1);
        if (lua_rawget(L, -3) != LUA_TNIL)
            luaL_error(L, "yaml: line %d: the key \"%s\" is there twice (first in line %d)", line,
                lua_tostring(L, -2), (int)lua_tointeger(L, -1));
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        lua_pushinteger(L, line);
        lua_rawset(L, -4);
        next_event(L, p);
        push_event(L, p, depth + 1);
        if (tfl_yaml_is_null(L, -1)) {
            lua_pop(L, 2);
            continue;
        }
        lua_rawset(L, -4);
    }
    lua_pop(L, 1);
    if (luaL_getmetatable(L, "tfl.yaml.object") ==
        LUA_TTABLE) /* an empty map stays a map when it is written again */
        lua_setmetatable(L, -2);
}

/* A tag of the application's own, as !File; the standard ones (tag:yaml.org,2002:…) say nothing the schema does not. */
static const char *own_tag(const struct parser *p)
{
    const yaml_event_t *e = &p->event;
    const yaml_char_t *tag = e->type == YAML_SCALAR_EVENT           ? e->data.scalar.tag
                             : e->type == YAML_SEQUENCE_START_EVENT ? e->data.sequence_start.tag
                                                                    : e->data.mapping_start.tag;
    return tag && strncmp((const char *)tag, "tag:yaml.org,2002:", 18) != 0 &&
                   strcmp((const char *)tag, "!") != 0
               ? (const char *)tag
               : NULL;
}

/* Pushes the value that the current event begins. */
static void push_event(lua_State *L, struct parser *p, int depth)
{
    luaL_checkstack(L, 10, "yaml nested too deep");
    if (depth > TFL_YAML_MAX_DEPTH)
        luaL_error(L, "yaml: line %d: nested deeper than %d levels", line_of(p), TFL_YAML_MAX_DEPTH);
    if (++p->values > TFL_YAML_MAX_VALUES)
        luaL_error(L, "yaml: line %d: more than %d values", line_of(p), TFL_YAML_MAX_VALUES);
    if (p->event.type == YAML_ALIAS_EVENT)
        luaL_error(L, "yaml: line %d: aliases (*%s) are not read; write the value out", line_of(p),
            (const char *)p->event.data.alias.anchor);
    const char *tag = own_tag(p);
    if (tag) {
        lua_createtable(L, 0, 2);
        lua_pushstring(L, tag);
        lua_setfield(L, -2, "tag");
    }
    switch (p->event.type) {
    case YAML_SCALAR_EVENT:
        push_scalar(L, p);
        break;
    case YAML_SEQUENCE_START_EVENT:
        push_list(L, p, depth);
        break;
    case YAML_MAPPING_START_EVENT:
        push_map(L, p, depth);
        break;
    default:
        luaL_error(L, "yaml: line %d: expected a value", line_of(p));
    }
    if (tag) {
        lua_setfield(L, -2, "value");
        luaL_setmetatable(L, TFL_YAML_TAGGED);
    }
}

/* parse(text) → the value of its one document; null is yaml.null, in maps it is left out. Errors name the line. */
static int l_parse(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    lua_settop(L, 1);
    if (len > TFL_YAML_MAX_TEXT)
        return luaL_error(L, "yaml: a text of %I bytes; the most is %d", (LUAI_UACINT)len, TFL_YAML_MAX_TEXT);
    struct parser *p = lua_newuserdatauv(L, sizeof *p, 0);
    memset(p, 0, sizeof *p);
    luaL_setmetatable(L, PARSER);
    if (!yaml_parser_initialize(&p->yaml))
        return luaL_error(L, "yaml: out of memory");
    p->ready = true;
    yaml_parser_set_input_string(&p->yaml, (const unsigned char *)text, len);
    next_event(L, p); /* stream start */
    if (next_event(L, p) == YAML_STREAM_END_EVENT) {
        push_null(L);
        return 1;
    }
    next_event(L, p); /* what follows the document's start */
    push_event(L, p, 0);
    next_event(L, p); /* its end */
    if (next_event(L, p) != YAML_STREAM_END_EVENT)
        return luaL_error(L, "yaml: line %d: a second document; one is read", line_of(p));
    return 1;
}

/* tagged(tag, value) → {tag=, value=}, which emit writes as `!tag value` and parse gives for such text. */
static int l_tagged(lua_State *L)
{
    luaL_argcheck(L, luaL_checkstring(L, 1)[0] == '!', 1, "a tag starts with \"!\"");
    luaL_checkany(L, 2);
    lua_settop(L, 2);
    lua_createtable(L, 0, 2);
    lua_insert(L, 1);
    lua_setfield(L, 1, "value");
    lua_setfield(L, 1, "tag");
    luaL_setmetatable(L, TFL_YAML_TAGGED);
    return 1;
}

static void set_gc(lua_State *L, const char *name, lua_CFunction gc)
{
    luaL_newmetatable(L, name);
    lua_pushcfunction(L, gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
}

int tfl_open_yaml(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"emit", tfl_yaml_emit}, {"parse", l_parse}, {"tagged", l_tagged}, {NULL, NULL}};
    set_gc(L, PARSER, l_parser_gc);
    set_gc(L, TFL_YAML_EMITTER, tfl_yaml_emitter_gc);
    luaL_newmetatable(L, TFL_YAML_TAGGED);
    luaL_newmetatable(L, "tfl.yaml.object");
    lua_pushliteral(L, "object");
    lua_setfield(L, -2, "__jsontype");
    lua_settop(L, 0);
    luaL_newlib(L, functions);
    push_null(L);
    lua_setfield(L, -2, "null");
    return 1;
}
