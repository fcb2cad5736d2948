/* tfl.core.record: the evidence of a run. While one is open it is the engine's event sink. */
#include "record/record.h"

#include "bindings/fields.h"
#include "bindings/task.h"
#include "record/event_line.h"

#include <stdlib.h>
#include <string.h>

static const char RECORD[] = "tfl.record";

enum { FLUSH_MS = 100 };

struct box {
    struct tfl_record *record; /* NULL: closed */
    struct tfl_engine *engine;
    struct tfl_timer timer;
    struct tfl_error err; /* of the record, when closed */
    char dir[4096];
};

static int64_t now_of(void *loop)
{
    return tfl_now(loop);
}

static int64_t wall_of(void *loop)
{
    return tfl_wall_now(loop);
}

static void flush(struct tfl_timer *timer)
{
    struct box *box = TFL_CONTAINER(timer, struct box, timer);
    if (tfl_record_pending(box->record))
        tfl_record_flush(box->record);
    tfl_timer_start(box->engine->loop, timer, tfl_now(box->engine->loop) + FLUSH_MS * TFL_MS, flush);
}

static struct box *check(lua_State *L)
{
    return luaL_checkudata(L, 1, RECORD);
}

static struct tfl_record *check_open(lua_State *L)
{
    struct box *box = check(L);
    if (!box->record)
        luaL_error(L, "the record %s is closed", box->dir);
    return box->record;
}

/* record.open{scenario = name, seed = integer, run_id = nil | text, out = nil | folder, keep = false, keep_runs = 20,
 * head = nil | table of more members of the first line of events.jsonl} → record. Raises usage (out holds other files),
 * wrong_state (out is in use), io, disk_full. */
static int l_open(lua_State *L)
{
    struct tfl_error err;
    struct tfl_engine *engine = tfl_engine(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    struct tfl_record_config config = {.scenario = tfl_field_string(L, 1, "record.open", "scenario", true),
        .seed = tfl_field_integer(L, 1, "record.open", "seed", 0),
        .run_id = tfl_field_string(L, 1, "record.open", "run_id", false),
        .out = tfl_field_string(L, 1, "record.open", "out", false),
        .keep = tfl_field_boolean(L, 1, "keep"),
        .keep_runs = (int)tfl_field_integer(L, 1, "record.open", "keep_runs", 0),
        .now = now_of,
        .wall = wall_of,
        .clock = engine->loop};
    struct box *box = lua_newuserdatauv(L, sizeof *box, 0);
    memset(box, 0, sizeof *box);
    box->engine = engine;
    luaL_setmetatable(L, RECORD);
    if (lua_getfield(L, 1, "head") == LUA_TTABLE)
        config.head = tfl_to_json(L, -1);
    lua_pop(L, 1);
    box->record = tfl_record_open(&config, &err);
    json_object_put(config.head);
    if (!box->record)
        return tfl_raise(L, &err);
    strncpy(box->dir, tfl_record_dir(box->record), sizeof box->dir - 1);
    engine->sink = tfl_record_sink(box->record);
    flush(&box->timer);
    return 1;
}

static void close_box(struct box *box)
{
    if (!box->record)
        return;
    tfl_timer_stop(box->engine->loop, &box->timer);
    if (box->engine->sink == tfl_record_sink(box->record))
        box->engine->sink = NULL;
    tfl_record_flush(box->record);
    if (tfl_record_error(box->record))
        box->err = *tfl_record_error(box->record);
    tfl_record_free(box->record);
    box->record = NULL;
}

/* record:close(): writes the rest and lets go of the folder; the engine has no sink then. Again: nothing. */
static int l_close(lua_State *L)
{
    close_box(check(L));
    return 0;
}

/* record:event(type[, table]): one line of events.jsonl; after close: nothing. record:flush(): before a dangerous moment. */
static int l_event(lua_State *L)
{
    struct box *box = check(L);
    const char *type = luaL_checkstring(L, 2);
    bool has_fields = !lua_isnoneornil(L, 3);
    if (has_fields)
        luaL_checktype(L, 3, LUA_TTABLE);
    if (!box->record)
        return 0;
    struct json_object *fields = has_fields ? tfl_to_json(L, 3) : NULL;
    if (fields && !json_object_is_type(fields, json_type_object)) {
        json_object_put(fields);
        return luaL_argerror(L, 3, "the members of an event have names");
    }
    tfl_emit(tfl_record_sink(box->record), type, fields);
    return 0;
}

static int l_flush(lua_State *L)
{
    tfl_record_flush(check_open(L));
    return 0;
}

/* record:write(name, text): a file of the run's folder; raises io, disk_full, and keeps that for record:error(). */
static int l_write(lua_State *L)
{
    size_t n;
    struct tfl_error err;
    struct tfl_record *record = check_open(L);
    const char *name = luaL_checkstring(L, 2), *text = luaL_checklstring(L, 3, &n);
    if (tfl_record_write(record, name, text, n, &err))
        return tfl_raise(L, &err);
    return 0;
}

/* record:dir() → the run's folder, absolute; record:run_id() → its id. */
static int l_dir(lua_State *L)
{
    lua_pushstring(L, check(L)->dir);
    return 1;
}

static int l_run_id(lua_State *L)
{
    lua_pushstring(L, tfl_record_run_id(check_open(L)));
    return 1;
}

/* record:set_genesis{genesis_time_ms = Unix time, slot_ms = number}: from now on events have their slot. */
static int l_set_genesis(lua_State *L)
{
    struct tfl_record *record = check_open(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_Integer genesis_ms = tfl_field_integer(L, 2, "set_genesis", "genesis_time_ms", -1);
    lua_getfield(L, 2, "slot_ms");
    double slot_ms = luaL_checknumber(L, -1);
    if (genesis_ms < 0 || !(slot_ms > 0))
        return luaL_error(L, "set_genesis{genesis_time_ms =, slot_ms =}: both must be positive numbers");
    tfl_record_set_genesis(record, genesis_ms * TFL_MS, (int64_t)(slot_ms * (double)TFL_MS));
    return 0;
}

/* record:error() → nil, or the first failure to write evidence {code, message} (also after close). */
static int l_error(lua_State *L)
{
    const struct box *box = check(L);
    const struct tfl_error *err = box->record     ? tfl_record_error(box->record)
                                  : box->err.code ? &box->err
                                                  : NULL;
    if (!err)
        return 0;
    tfl_push_error(L, err);
    return 1;
}

/* record:strip(): removes the data of the nodes, keeps their configuration and logs; raises io. */
static int l_strip(lua_State *L)
{
    struct tfl_error err;
    if (tfl_record_strip(check_open(L), &err))
        return tfl_raise(L, &err);
    return 0;
}

/* record.matrix{path = folder, keep = false} → its absolute path: the folder of many runs, this process's until it ends. Raises usage
 * (it holds other files), wrong_state (in use), io. */
static int l_matrix(lua_State *L)
{
    struct tfl_error err;
    struct tfl_run_folder folder;
    luaL_checktype(L, 1, LUA_TTABLE);
    if (tfl_matrix_folder_take(&folder, tfl_field_string(L, 1, "record.matrix", "path", true),
            tfl_field_boolean(L, 1, "keep"), &err))
        return tfl_raise(L, &err);
    lua_pushstring(L, folder.path);
    free(folder.path); /* the lock stays */
    return 1;
}

/* record.prune(folder, n): removes the oldest runs or matrices in the folder but n, and none that is in use or to be kept. */
static int l_prune(lua_State *L)
{
    tfl_run_folder_prune(luaL_checkstring(L, 1), (int)luaL_checkinteger(L, 2));
    return 0;
}

static void push_text(lua_State *L, const struct tfl_event_text *t)
{
    lua_pushlstring(L, t->data, t->len);
}

/* record.read_line(text, first, last): the bytes first to last of text, a line → type, t, node, slot, height, id, parent ("" when it is no block), transactions; nil for any line that is not
 * about a node's block in the form the record writes: that one is for json.decode. */
static int l_read_line(lua_State *L)
{
    size_t n;
    struct tfl_event_line e;
    const char *text = luaL_checklstring(L, 1, &n);
    lua_Integer first = luaL_checkinteger(L, 2), last = luaL_checkinteger(L, 3);
    luaL_argcheck(L, first >= 1 && last >= first - 1 && (uint64_t)last <= n, 3, "a part of the text");
    if (!tfl_event_line_read(text + first - 1, (size_t)(last - first + 1), &e))
        return 0;
    push_text(L, &e.type);
    lua_pushnumber(L, e.t);
    push_text(L, &e.node);
    lua_pushinteger(L, e.slot);
    lua_pushinteger(L, e.height);
    push_text(L, &e.id);
    push_text(L, &e.parent);
    lua_pushinteger(L, e.transactions);
    return 8;
}

int tfl_open_record(lua_State *L)
{
    static const luaL_Reg methods[] = {{"event", l_event}, {"flush", l_flush}, {"write", l_write},
        {"dir", l_dir}, {"run_id", l_run_id}, {"set_genesis", l_set_genesis}, {"error", l_error},
        {"strip", l_strip}, {"close", l_close}, {NULL, NULL}};
    static const luaL_Reg functions[] = {
        {"open", l_open}, {"matrix", l_matrix}, {"prune", l_prune}, {"read_line", l_read_line}, {NULL, NULL}};
    tfl_class(L, RECORD, methods, l_close);
    luaL_newlib(L, functions);
    return 1;
}
