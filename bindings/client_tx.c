/* Transactions of a client: handed in, and waiting. */
#include "bindings/client.h"

#include <json-c/json.h>

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

/* client:submit_transaction(tx[, {timeout}]) → its hash, once the node has accepted it. Raises `rejected` when the node refuses
 * it, http_status when it cannot take it now. */
int tfl_client_l_submit(lua_State *L)
{
    struct tfl_client *client = tfl_check_client(L, 1);
    int64_t timeout_ms = tfl_opt_answer_timeout(L, 3);
    size_t len = 0;
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
