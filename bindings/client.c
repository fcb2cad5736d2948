/* tfl.core.client: questions to one node. Every method but base_url and name waits, in a task. Ids are 64 hex digits,
 * slots and heights integers; an optional last argument {timeout = seconds} bounds the answer (default 10 s). */
#include "bindings/client.h"

#include <string.h>

static const char CLIENT_META[] = "tfl.client";

struct box {
    struct tfl_client *client; /* counted; NULL once collected */
};

struct tfl_client *tfl_check_client(lua_State *L, int index)
{
    struct box *box = luaL_checkudata(L, index, CLIENT_META);
    luaL_argcheck(L, box->client, index, "a client that is there");
    return box->client;
}

void tfl_push_hash(lua_State *L, const struct tfl_hash *hash)
{
    char hex[TFL_HASH_HEX];
    lua_pushlstring(L, tfl_hash_hex(hex, hash), TFL_HASH_HEX - 1);
}

void tfl_set_hash(lua_State *L, const char *key, const struct tfl_hash *hash)
{
    tfl_push_hash(L, hash);
    lua_setfield(L, -2, key);
}

void tfl_set_integer(lua_State *L, const char *key, uint64_t value)
{
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, key);
}

bool tfl_get_hash(lua_State *L, int index, struct tfl_hash *hash)
{
    size_t len = 0;
    const char *hex = lua_type(L, index) == LUA_TSTRING ? lua_tolstring(L, index, &len) : NULL;
    if (hex && len > 2 && hex[0] == '0' && (hex[1] == 'x' || hex[1] == 'X')) {
        hex += 2;
        len -= 2;
    }
    return hex && tfl_unhex(hash->b, sizeof hash->b, hex, len);
}

struct tfl_hash tfl_check_hash(lua_State *L, int index)
{
    struct tfl_hash hash;
    luaL_argcheck(L, tfl_get_hash(L, index, &hash), index, "an id: a string of 64 hex digits");
    return hash;
}

int64_t tfl_opt_answer_timeout(lua_State *L, int index)
{
    if (lua_isnoneornil(L, index))
        return 0;
    luaL_checktype(L, index, LUA_TTABLE);
    lua_Number seconds = 0;
    if (lua_getfield(L, index, "timeout") != LUA_TNIL) {
        luaL_argcheck(L, lua_isnumber(L, -1) && lua_tonumber(L, -1) > 0 && lua_tonumber(L, -1) < 1e6, index,
            "timeout: a number of seconds");
        seconds = lua_tonumber(L, -1);
    }
    lua_pop(L, 1);
    return (int64_t)(seconds * 1000);
}

/* An optional integer field of the table at index. */
static bool opt_slot(lua_State *L, int index, const char *name, uint64_t *out)
{
    int type = lua_getfield(L, index, name), whole = 0;
    lua_Integer value = lua_tointegerx(L, -1, &whole);
    lua_pop(L, 1);
    if (type == LUA_TNIL)
        return false;
    if (!whole || value < 0)
        luaL_error(L, "bad argument: %s: expected a slot, a whole number from 0", name);
    *out = (uint64_t)value;
    return true;
}

static struct tfl_client_op *op_of(struct tfl_op *op)
{
    return TFL_CONTAINER(op, struct tfl_client_op, op);
}

/* ---- results */

static int push_info(lua_State *L, struct tfl_op *op)
{
    const struct tfl_node_info *info = &op_of(op)->info;
    lua_createtable(L, 0, 8);
    tfl_set_hash(L, "tip", &info->tip);
    tfl_set_hash(L, "lib", &info->lib);
    tfl_set_integer(L, "slot", info->slot);
    tfl_set_integer(L, "height", info->height);
    if (info->has_lib_slot)
        tfl_set_integer(L, "lib_slot", info->lib_slot);
    if (info->has_genesis)
        tfl_set_hash(L, "genesis_id", &info->genesis);
    lua_pushstring(L, info->state);
    lua_setfield(L, -2, "state");
    lua_pushboolean(L, info->online);
    lua_setfield(L, -2, "online");
    return 1;
}

static void set_strings(lua_State *L, const char *key, char **list, size_t n)
{
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        lua_pushstring(L, list[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, key);
}

static int push_network(lua_State *L, struct tfl_op *op)
{
    const struct tfl_network_info *network = &op_of(op)->network;
    lua_createtable(L, 0, 4);
    tfl_set_integer(L, "n_peers", network->n_peers);
    lua_pushstring(L, network->peer_id); /* nil when the node does not say */
    lua_setfield(L, -2, "peer_id");
    set_strings(L, "listen_addresses", network->listen, network->n_listen);
    set_strings(L, "connected_peers", network->connected, network->n_connected);
    return 1;
}

int tfl_push_ids(lua_State *L, struct tfl_op *op)
{
    const struct tfl_client_op *o = op_of(op);
    lua_createtable(L, (int)o->n, 0);
    for (size_t i = 0; i < o->n; i++) {
        tfl_push_hash(L, &o->ids[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int push_slots(lua_State *L, struct tfl_op *op)
{
    const struct tfl_client_op *o = op_of(op);
    if (!o->slots) {
        lua_pushnil(L); /* the node has no such page */
        return 1;
    }
    lua_createtable(L, (int)o->n, 0);
    for (size_t i = 0; i < o->n; i++) {
        lua_pushinteger(L, (lua_Integer)o->slots[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* The block as the node gave it, and what was checked of it beside: id, parent, slot, n_transactions. */
static void push_one_block(lua_State *L, struct json_object *json, const struct tfl_block_head *head)
{
    tfl_push_json(L, json);
    tfl_set_hash(L, "id", &head->id);
    tfl_set_hash(L, "parent", &head->parent);
    tfl_set_integer(L, "slot", head->slot);
    tfl_set_integer(L, "n_transactions", head->n_txs);
}

static int push_block(lua_State *L, struct tfl_op *op)
{
    push_one_block(L, op_of(op)->json, &op_of(op)->block);
    return 1;
}

static int push_blocks(lua_State *L, struct tfl_op *op)
{
    const struct tfl_client_op *o = op_of(op);
    lua_createtable(L, (int)o->n, 0);
    for (size_t i = 0; i < o->n; i++) {
        push_one_block(L, json_object_array_get_idx(o->json, i), &o->blocks[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int push_raw(lua_State *L, struct tfl_op *op)
{
    const struct tfl_client_op *o = op_of(op);
    lua_createtable(L, 0, 3);
    tfl_set_integer(L, "status", (uint64_t)o->status);
    lua_pushlstring(L, o->body.data ? o->body.data : "", o->body.len);
    lua_setfield(L, -2, "body");
    lua_pushstring(L, o->content_type);
    lua_setfield(L, -2, "content_type");
    return 1;
}

/* ---- methods */

static int l_consensus_info(lua_State *L)
{
    struct tfl_client *client = tfl_check_client(L, 1);
    int64_t timeout_ms = tfl_opt_answer_timeout(L, 2);
    tfl_task_check(L, "client:consensus_info");
    return tfl_task_await(L, &tfl_client_info(client, timeout_ms)->op, push_info);
}

static int l_network_info(lua_State *L)
{
    struct tfl_client *client = tfl_check_client(L, 1);
    int64_t timeout_ms = tfl_opt_answer_timeout(L, 2);
    tfl_task_check(L, "client:network_info");
    return tfl_task_await(L, &tfl_client_network(client, timeout_ms)->op, push_network);
}

/* client:headers{from = id, to = id} → ids, newest first. */
static int l_headers(lua_State *L)
{
    struct tfl_client *client = tfl_check_client(L, 1);
    static const char *const names[] = {"from", "to"};
    struct tfl_hash ids[2];
    bool has[2] = {false, false};
    int64_t timeout_ms = tfl_opt_answer_timeout(L, 2);
    for (int i = 0; i < 2 && lua_istable(L, 2); i++) {
        has[i] = lua_getfield(L, 2, names[i]) != LUA_TNIL;
        if (has[i] && !tfl_get_hash(L, -1, &ids[i]))
            return luaL_error(L, "bad argument: %s: expected an id, a string of 64 hex digits", names[i]);
        lua_pop(L, 1);
    }
    tfl_task_check(L, "client:headers");
    struct tfl_client_op *op =
        tfl_client_headers(client, has[0] ? &ids[0] : NULL, has[1] ? &ids[1] : NULL, timeout_ms);
    return tfl_task_await(L, &op->op, tfl_push_ids);
}

static int l_block(lua_State *L)
{
    struct tfl_client *client = tfl_check_client(L, 1);
    struct tfl_hash id = tfl_check_hash(L, 2);
    int64_t timeout_ms = tfl_opt_answer_timeout(L, 3);
    tfl_task_check(L, "client:block");
    return tfl_task_await(L, &tfl_client_block(client, &id, timeout_ms)->op, push_block);
}

/* client:blocks{slot_from = n, slot_to = n} → final blocks of these slots, both included. */
static int l_blocks(lua_State *L)
{
    struct tfl_client *client = tfl_check_client(L, 1);
    uint64_t from = 0, to = 0;
    luaL_checktype(L, 2, LUA_TTABLE);
    int64_t timeout_ms = tfl_opt_answer_timeout(L, 2);
    opt_slot(L, 2, "slot_from", &from);
    if (!opt_slot(L, 2, "slot_to", &to))
        return luaL_error(L, "bad argument: client:blocks needs slot_to, the last slot of the range");
    tfl_task_check(L, "client:blocks");
    return tfl_task_await(L, &tfl_client_blocks(client, from, to, timeout_ms)->op, push_blocks);
}

static int l_late_slots(lua_State *L)
{
    struct tfl_client *client = tfl_check_client(L, 1);
    int64_t timeout_ms = tfl_opt_answer_timeout(L, 2);
    tfl_task_check(L, "client:late_slots");
    return tfl_task_await(L, &tfl_client_late_slots(client, timeout_ms)->op, push_slots);
}

static const char *check_path(lua_State *L, int index)
{
    const char *path = luaL_checkstring(L, index);
    luaL_argcheck(L, path[0] == '/' && !strpbrk(path, " \r\n") && strlen(path) < 4096, index,
        "a path of the node's API, such as \"/network/info\"");
    return path;
}

/* client:get(path) → {status, body, content_type}, whatever the status. */
static int l_get(lua_State *L)
{
    struct tfl_client *client = tfl_check_client(L, 1);
    const char *path = check_path(L, 2);
    int64_t timeout_ms = tfl_opt_answer_timeout(L, 3);
    tfl_task_check(L, "client:get");
    return tfl_task_await(
        L, &tfl_client_request(client, "GET", path, NULL, 0, NULL, timeout_ms)->op, push_raw);
}

/* client:post(path, body) → as get. A table is sent as JSON, a string as it is (as JSON too). */
static int l_post(lua_State *L)
{
    struct tfl_client *client = tfl_check_client(L, 1);
    const char *path = check_path(L, 2);
    int64_t timeout_ms = tfl_opt_answer_timeout(L, 4);
    size_t len = 0;
    if (lua_istable(L, 3)) {
        struct json_object *json = tfl_to_json(L, 3);
        lua_pushstring(L, json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN));
        json_object_put(json);
        lua_replace(L, 3);
    }
    const char *body = luaL_optlstring(L, 3, "", &len);
    tfl_task_check(L, "client:post");
    return tfl_task_await(
        L, &tfl_client_request(client, "POST", path, body, len, NULL, timeout_ms)->op, push_raw);
}

static int l_base_url(lua_State *L)
{
    lua_pushstring(L, tfl_check_client(L, 1)->url);
    return 1;
}

static int l_name(lua_State *L)
{
    lua_pushstring(L, tfl_check_client(L, 1)->name);
    return 1;
}

static int l_gc(lua_State *L)
{
    struct box *box = luaL_checkudata(L, 1, CLIENT_META);
    tfl_client_unref(box->client);
    box->client = NULL;
    return 0;
}

/* dialect = {base = "reference", info = "/path", stream = false…}: with the table at index; the strings stay in it. */
static int set_paths(lua_State *L, struct tfl_client *client, int index, struct tfl_error *err)
{
    lua_pushnil(L);
    while (lua_next(L, index)) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        bool none = lua_isboolean(L, -1) && !lua_toboolean(L, -1);
        if (!none && lua_type(L, -1) != LUA_TSTRING)
            return tfl_fail(err, TFL_E_USAGE, "dialect, %.60s: a path or false was expected, got a %s", name,
                luaL_typename(L, -1));
        if (strcmp(name, "base") != 0 &&
            tfl_client_set_path(client, name, none ? NULL : lua_tostring(L, -1), err))
            return -1;
        lua_pop(L, 1);
    }
    return 0;
}

/* client.new{name =, url =, dialect = "reference" | "logos" | "http" | {base = one of these, QUESTION = path | false}} */
static int l_new(lua_State *L)
{
    struct tfl_engine *engine = tfl_engine(L);
    struct tfl_error err;
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_getfield(L, 1, "name");
    lua_getfield(L, 1, "url");
    lua_getfield(L, 1, "dialect");
    bool own = lua_istable(L, 4);
    if (own)
        lua_getfield(L, 4, "base");
    const char *name = luaL_optstring(L, 2, ""), *dialect = luaL_optstring(L, own ? 5 : 4, "reference");
    if (lua_type(L, 3) != LUA_TSTRING)
        return luaL_error(L, "bad argument: client.new needs url, the address of the node's API");
    struct box *box = lua_newuserdatauv(L, sizeof *box, 0);
    box->client = NULL;
    luaL_setmetatable(L, CLIENT_META);
    box->client = tfl_client_new(engine->http, engine->loop, name, lua_tostring(L, 3), dialect, &err);
    if (!box->client || (own && set_paths(L, box->client, 4, &err)))
        return tfl_raise(L, &err);
    return 1;
}

int tfl_open_client(lua_State *L)
{
    static const luaL_Reg methods[] = {{"consensus_info", l_consensus_info}, {"network_info", l_network_info},
        {"headers", l_headers}, {"block", l_block}, {"blocks", l_blocks}, {"late_slots", l_late_slots},
        {"submit_transaction", tfl_client_l_submit}, {"mempool", tfl_client_l_mempool}, {"get", l_get},
        {"post", l_post}, {"base_url", l_base_url}, {"name", l_name}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"new", l_new}, {NULL, NULL}};
    tfl_class(L, CLIENT_META, methods, l_gc);
    luaL_newlib(L, functions);
    return 1;
}
