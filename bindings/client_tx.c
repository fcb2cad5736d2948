/* Transactions of a client: handed in, and waiting. */
#include "bindings/client.h"

#include <json-c/json.h>
#include <string.h>

/* A transaction: what a wallet has signed ({body, hash}), the JSON of the contract as a table, or its text. Pushes the text. */
static const char *check_transaction(lua_State *L, int index, size_t *len)
{
    if (lua_istable(L, index) && lua_getfield(L, index, "body") != LUA_TSTRING) {
        struct json_object *json = tfl_to_json(L, index);
        lua_pushstring(L, json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN));
        json_object_put(json);
    } else if (!lua_istable(L, index)) {
        luaL_checkstring(L, index);
        lua_pushvalue(L, index);
    }
    return lua_tolstring(L, -1, len);
}

/* The hash of what was accepted, when the transaction says it. */
static int push_accepted(lua_State *L, struct tfl_op *op)
{
    (void)op;
    if (!lua_istable(L, 2))
        lua_pushnil(L);
    else if (lua_getfield(L, 2, "hash") == LUA_TNIL && lua_getfield(L, 2, "mantle_tx") == LUA_TTABLE)
        lua_getfield(L, -1, "hash");
    return 1;
}

static int push_made(lua_State *L, struct tfl_op *op)
{
    tfl_push_hash(L, &TFL_CONTAINER(op, struct tfl_client_op, op)->made);
    return 1;
}

static int handed_in(lua_State *L, int status, lua_KContext context)
{
    (void)L, (void)status, (void)context;
    return 1;
}

/* A transaction that is not handed in as it is: {hand_in = function(client, tx, options) → hash}, or one that only the node with
 * the key can make, {node = its name, body =}. True when that is under way; *result is then what to return. */
static bool hand_in_otherwise(lua_State *L, struct tfl_client *client, int64_t timeout_ms, int *result)
{
    size_t len = 0;
    if (!lua_istable(L, 2))
        return false;
    if (lua_getfield(L, 2, "hand_in") == LUA_TFUNCTION) {
        tfl_task_check(L, "client:submit_transaction");
        lua_pushvalue(L, 1);
        lua_pushvalue(L, 2);
        lua_pushvalue(L, 3);
        lua_callk(L, 3, 1, 0, handed_in);
        *result = 1;
        return true;
    }
    if (lua_getfield(L, 2, "node") != LUA_TSTRING)
        return false;
    const char *node = lua_tostring(L, -1);
    if (strcmp(node, client->name) != 0)
        luaL_error(L,
            "client:submit_transaction: only %s has the key of this transaction; hand it to its client",
            node);
    lua_getfield(L, 2, "body");
    const char *body = luaL_checklstring(L, -1, &len);
    tfl_task_check(L, "client:submit_transaction");
    *result = tfl_task_await(L, &tfl_client_transfer(client, body, len, timeout_ms)->op, push_made);
    return true;
}

/* client:submit_transaction(tx[, {timeout}]) → its hash, once the node has accepted it. Raises `rejected` when the node refuses
 * it, http_status when it cannot take it now. */
int tfl_client_l_submit(lua_State *L)
{
    struct tfl_client *client = tfl_check_client(L, 1);
    int64_t timeout_ms = tfl_opt_answer_timeout(L, 3);
    size_t len = 0;
    int result = 0;
    lua_settop(L, 3);
    if (hand_in_otherwise(L, client, timeout_ms, &result))
        return result;
    lua_settop(L, 3);
    const char *body = check_transaction(L, 2, &len);
    tfl_task_check(L, "client:submit_transaction");
    return tfl_task_await(L, &tfl_client_submit(client, body, len, timeout_ms)->op, push_accepted);
}

/* client:mempool() → hashes of the transactions that wait there. */
int tfl_client_l_mempool(lua_State *L)
{
    struct tfl_client *client = tfl_check_client(L, 1);
    int64_t timeout_ms = tfl_opt_answer_timeout(L, 2);
    tfl_task_check(L, "client:mempool");
    return tfl_task_await(L, &tfl_client_mempool(client, timeout_ms)->op, tfl_push_ids);
}
