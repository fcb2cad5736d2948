/* tfl.core.ledger: replay of a chain from genesis, to find what must not be in it (chain/replay.h). */
#include "bindings/client.h"
#include "bindings/genesis.h"
#include "chain/replay.h"
#include "chain/tx_json.h"

#include <string.h>

static const char REPLAY_META[] = "tfl.replay", JSON_META[] = "tfl.replay.json";

static struct tfl_replay *check_replay(lua_State *L)
{
    struct tfl_replay *r = luaL_checkudata(L, 1, REPLAY_META);
    luaL_argcheck(L, r->findings, 1, "a replay that is there");
    return r;
}

/* Pushes b (taken) and returns how many transactions step has to judge. */
static int push_next(lua_State *L, struct tfl_replay *r, struct tfl_block *b)
{
    struct tfl_error err = {0};
    lua_Integer n = b->n_txs;
    if (tfl_replay_push(r, b, &err))
        return tfl_raise(L, &err);
    lua_pushinteger(L, n);
    return 1;
}

static int push_json(lua_State *L, struct tfl_replay *r, struct json_object *json)
{
    struct tfl_error err = {0};
    struct tfl_block b;
    if (tfl_block_from_json(&b, json, &err))
        return tfl_raise(L, &err);
    return push_next(L, r, &b);
}

static int push_read(lua_State *L, struct tfl_op *op)
{
    return push_json(L, check_replay(L), TFL_CONTAINER(op, struct tfl_client_op, op)->json);
}

/* replay:read(client, id[, {timeout =}]) asks a node for the next block → its number of transactions. Waits. */
static int l_read(lua_State *L)
{
    check_replay(L);
    struct tfl_client *client = tfl_check_client(L, 2);
    struct tfl_hash id = tfl_check_hash(L, 3);
    lua_Number timeout = 0;
    if (!lua_isnoneornil(L, 4)) {
        luaL_checktype(L, 4, LUA_TTABLE);
        lua_getfield(L, 4, "timeout");
        timeout = luaL_optnumber(L, -1, 0);
        luaL_argcheck(L, timeout >= 0 && timeout < 1e6, 4, "timeout: a number of seconds");
    }
    tfl_task_check(L, "replay:read");
    return tfl_task_await(L, &tfl_client_block(client, &id, (int64_t)(timeout * 1000))->op, push_read);
}

/* Freed also when reading it raises. */
struct held {
    struct json_object *json;
};

static int l_json_gc(lua_State *L)
{
    struct held *held = lua_touserdata(L, 1);
    json_object_put(held->json);
    held->json = NULL;
    return 0;
}

/* replay:add(json): the next block as text in the JSON of the API. */
static int l_add(lua_State *L)
{
    struct tfl_replay *r = check_replay(L);
    const char *text = luaL_checkstring(L, 2);
    struct held *held = lua_newuserdatauv(L, sizeof *held, 0);
    held->json = NULL;
    luaL_setmetatable(L, JSON_META);
    held->json = json_tokener_parse(text);
    return push_json(L, r, held->json);
}

/* replay:add_bytes(bytes): the next block in its encoded form. */
static int l_add_bytes(lua_State *L)
{
    struct tfl_replay *r = check_replay(L);
    struct tfl_error err = {0};
    struct tfl_block b;
    size_t len;
    const char *bytes = luaL_checklstring(L, 2, &len);
    if (tfl_block_decode(&b, bytes, len, &err))
        return tfl_raise(L, &err);
    return push_next(L, r, &b);
}

/* replay:add_genesis(plan): the first block, made of what the plan says (as for topology.genesis_id). */
static int l_add_genesis(lua_State *L)
{
    struct tfl_replay *r = check_replay(L);
    struct tfl_genesis g;
    struct tfl_block b;
    lua_settop(L, 2);
    tfl_check_genesis(L, 2, &g);
    tfl_genesis_block(&b, &g);
    return push_next(L, r, &b);
}

/* replay:step([n]) judges n (64) transactions of the block → whether there are more: give the loop its turn between. */
static int l_step(lua_State *L)
{
    struct tfl_replay *r = check_replay(L);
    lua_Integer n = luaL_optinteger(L, 2, 64);
    luaL_argcheck(L, n > 0 && n <= TFL_BLOCK_TXS_MAX, 2, "1 to 1024 transactions");
    lua_pushboolean(L, tfl_replay_step(r, (uint32_t)n));
    return 1;
}

/* ---- results */

/* The kinds of findings as scripts see them: what JUDGING calls a double spend is an input that is spent. */
static const char *kind_name(enum tfl_tx_fault fault)
{
    return fault == TFL_TX_SPENT_INPUT ? "double_spend" : tfl_tx_fault_name(fault);
}

static void push_finding(lua_State *L, const struct tfl_finding *f)
{
    lua_createtable(L, 0, 6);
    lua_pushstring(L, kind_name(f->fault));
    lua_setfield(L, -2, "kind");
    tfl_set_integer(L, "height", f->height);
    tfl_set_integer(L, "slot", f->slot);
    tfl_set_hash(L, "block", &f->block);
    tfl_set_hash(L, "transaction", &f->tx);
    lua_pushstring(L, f->message);
    lua_setfield(L, -2, "message");
}

static void set_faults(lua_State *L, const struct tfl_replay *r)
{
    uint64_t total = 0;
    lua_newtable(L);
    for (int i = TFL_TX_MALFORMED; i <= TFL_TX_SPENT_INPUT; i++) {
        tfl_set_integer(L, kind_name((enum tfl_tx_fault)i), r->n_faults[i]);
        total += r->n_faults[i];
    }
    lua_setfield(L, -2, "counts");
    tfl_set_integer(L, "n_findings", total);
    lua_createtable(L, (int)r->n_findings, 0);
    for (size_t i = 0; i < r->n_findings; i++) {
        push_finding(L, &r->findings[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "findings");
}

/* replay:report() → {blocks, height, slot, tip, transactions, transfers, inscriptions, notes, channels, value, genesis_value,
 * findings = {{kind, height, slot, block, transaction, message}, …} (the first 100), n_findings, counts = {kind = n}}. kind:
 * "double_spend", "unknown_input", "not_conserved", "bad_signature", "bad_owner", "malformed". Totals are of good ones;
 * value is the sum of all unspent notes. */
static int l_report(lua_State *L)
{
    const struct tfl_replay *r = check_replay(L);
    struct tfl_tx_ledger_info info = {0};
    if (r->ledger)
        info = tfl_tx_ledger_info(r->ledger);
    lua_createtable(L, 0, 14);
    tfl_set_integer(L, "blocks", r->n_blocks);
    tfl_set_integer(L, "height", r->height);
    tfl_set_integer(L, "slot", r->slot);
    tfl_set_hash(L, "tip", &r->tip);
    tfl_set_integer(L, "transactions", r->n_txs);
    tfl_set_integer(L, "transfers", r->n_transfers);
    tfl_set_integer(L, "inscriptions", r->n_inscribes);
    tfl_set_integer(L, "notes", info.n_notes);
    tfl_set_integer(L, "channels", info.n_channels);
    tfl_set_integer(L, "value", info.value);
    tfl_set_integer(L, "genesis_value", info.genesis_value);
    set_faults(L, r);
    return 1;
}

struct notes_ctx {
    lua_State *L;
    lua_Integer n;
};

static void push_note(void *ctx, const struct tfl_note *note)
{
    struct notes_ctx *c = ctx;
    lua_createtable(c->L, 0, 2);
    tfl_set_hash(c->L, "id", &note->id);
    tfl_set_integer(c->L, "value", note->value);
    lua_rawseti(c->L, -2, ++c->n);
}

/* replay:notes(pk) → {{id =, value =}, …}: the unspent notes of a key, for wallet:sync. */
static int l_notes(lua_State *L)
{
    struct tfl_replay *r = check_replay(L);
    struct tfl_hash pk = tfl_check_hash(L, 2);
    luaL_checkstack(L, 4, NULL);
    lua_newtable(L);
    if (r->ledger)
        tfl_tx_ledger_each(r->ledger, pk.b, push_note, &(struct notes_ctx){.L = L});
    return 1;
}

static int l_gc(lua_State *L)
{
    tfl_replay_done(luaL_checkudata(L, 1, REPLAY_META));
    return 0;
}

/* ledger.replay() → an empty replay; its first block is genesis. */
static int l_replay(lua_State *L)
{
    struct tfl_replay *r = lua_newuserdatauv(L, sizeof *r, 0);
    memset(r, 0, sizeof *r);
    luaL_setmetatable(L, REPLAY_META);
    tfl_replay_init(r);
    return 1;
}

int tfl_open_ledger(lua_State *L)
{
    static const luaL_Reg methods[] = {{"read", l_read}, {"add", l_add}, {"add_bytes", l_add_bytes},
        {"add_genesis", l_add_genesis}, {"step", l_step}, {"report", l_report}, {"notes", l_notes},
        {NULL, NULL}};
    static const luaL_Reg functions[] = {{"replay", l_replay}, {NULL, NULL}}, none[] = {{NULL, NULL}};
    tfl_chain_init();
    tfl_class(L, REPLAY_META, methods, l_gc);
    tfl_class(L, JSON_META, none, l_json_gc);
    luaL_newlib(L, functions);
    return 1;
}
