/* tfl.core.wallet: accounts that sign. Nothing here waits; sending is client:post("/mempool/add/tx", tx.body). A
 * transaction is {hash = hex, body = the JSON to post, kind = "transfer" | "inscription"}; an inscription has channel, and
 * message, which the next of its channel names as parent. */
#include "bindings/wallet.h"

#include "bindings/client.h"
#include "bindings/fields.h"
#include "bindings/genesis.h"
#include "chain/tx_json.h"

#include <string.h>

static const char WALLET_META[] = "tfl.wallet", NOTES_META[] = "tfl.wallet.notes",
                  TX_META[] = "tfl.wallet.tx";

struct tfl_wallet *tfl_check_wallet(lua_State *L, int index)
{
    struct tfl_wallet *w = luaL_checkudata(L, index, WALLET_META);
    luaL_argcheck(L, w->notes, index, "a wallet that is there");
    return w;
}

/* Things that must be freed although the code between may raise: a transaction and its body. */
struct signed_tx {
    struct tfl_tx tx;
    struct tfl_hash hash;
    struct tfl_buf body;
};

static int l_tx_gc(lua_State *L)
{
    struct signed_tx *s = lua_touserdata(L, 1);
    tfl_tx_done(&s->tx);
    tfl_buf_done(&s->body);
    return 0;
}

static struct signed_tx *new_tx(lua_State *L)
{
    struct signed_tx *s = lua_newuserdatauv(L, sizeof *s, 0);
    memset(s, 0, sizeof *s);
    luaL_setmetatable(L, TX_META);
    return s;
}

static int push_tx(lua_State *L, struct signed_tx *s)
{
    const struct tfl_tx_op *op = &s->tx.ops[0];
    lua_createtable(L, 0, 5);
    tfl_set_hash(L, "hash", &s->hash);
    tfl_tx_body(&s->body, &s->tx);
    lua_pushlstring(L, s->body.data, s->body.len);
    lua_setfield(L, -2, "body");
    lua_pushstring(L, op->code == TFL_OP_TRANSFER ? "transfer" : "inscription");
    lua_setfield(L, -2, "kind");
    if (op->code == TFL_OP_INSCRIBE) {
        struct tfl_hash message = tfl_inscribe_id(op);
        tfl_set_hash(L, "channel", &op->inscribe.channel);
        tfl_set_hash(L, "message", &message);
    }
    return 1;
}

/* A key: 64 hex digits, or a wallet. */
static void check_key(lua_State *L, int index, const char *what, uint8_t pk[TFL_PUBLIC_KEY_SIZE])
{
    struct tfl_wallet *w = luaL_testudata(L, index, WALLET_META);
    struct tfl_hash hex;
    if (w) {
        memcpy(pk, w->key.pub, sizeof w->key.pub);
        return;
    }
    if (!tfl_get_hash(L, index, &hex))
        luaL_error(L, "%s: expected a wallet or a public key of 64 hex digits, not %s", what,
            luaL_tolstring(L, index, NULL));
    memcpy(pk, hex.b, sizeof hex.b);
}

/* wallet:transfer{to = key or wallet, amount = n} → transaction. */
static int l_transfer(lua_State *L)
{
    struct tfl_wallet *w = tfl_check_wallet(L, 1);
    struct tfl_error err = {0};
    uint8_t to[TFL_PUBLIC_KEY_SIZE];
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    lua_Integer amount = tfl_field_integer(L, 2, "wallet:transfer", "amount", 0);
    if (amount < 1)
        return luaL_error(L, "wallet:transfer: amount must be a whole number, 1 or more");
    lua_getfield(L, 2, "to");
    check_key(L, 3, "wallet:transfer: to", to);
    struct signed_tx *s = new_tx(L);
    if (tfl_wallet_transfer(w, to, (uint64_t)amount, &s->tx, &s->hash, &err))
        return tfl_raise(L, &err);
    return push_tx(L, s);
}

/* The field as an id: absent false; 64 hex digits; for channels any other text, of which the id is a hash. */
static bool opt_id(lua_State *L, int index, const char *name, bool text, struct tfl_hash *id)
{
    size_t len;
    int type = lua_getfield(L, index, name);
    if (type != LUA_TNIL && !tfl_get_hash(L, -1, id)) {
        if (type != LUA_TSTRING || !text)
            luaL_error(L, "inscription: %s must be 64 hex digits%s, not %s", name, text ? " or a name" : "",
                luaL_tolstring(L, -1, NULL));
        const char *words = lua_tolstring(L, -1, &len);
        *id = tfl_hash_of("TFL_CHANNEL_NAME_V1", &(struct tfl_span){words, len}, 1);
    }
    lua_pop(L, 1);
    return type != LUA_TNIL;
}

/* wallet:inscription{data = string, channel = id or name or nil, parent = message id or nil} → transaction. Without channel
 * a fresh one; without parent the first message of its channel. */
static int l_inscription(lua_State *L)
{
    struct tfl_wallet *w = tfl_check_wallet(L, 1);
    struct tfl_hash channel, parent;
    size_t len = 0;
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    bool has_channel = opt_id(L, 2, "channel", true, &channel);
    bool has_parent = opt_id(L, 2, "parent", false, &parent);
    if (has_parent && !has_channel)
        return luaL_error(L, "inscription: a parent needs the channel it is in");
    if (lua_getfield(L, 2, "data") != LUA_TSTRING && !lua_isnil(L, 3))
        return luaL_error(L, "inscription: data must be a string, not a %s", luaL_typename(L, 3));
    const char *data = lua_tolstring(L, 3, &len);
    if (len > TFL_INSCRIPTION_MAX)
        return luaL_error(
            L, "inscription: %I bytes of data; the most is %d", (LUAI_UACINT)len, TFL_INSCRIPTION_MAX);
    struct signed_tx *s = new_tx(L);
    tfl_wallet_inscribe(
        w, &s->tx, &s->hash, has_channel ? &channel : NULL, has_parent ? &parent : NULL, data, len);
    return push_tx(L, s);
}

/* wallet:sign(hash of a transaction) → signature, 128 hex digits. */
static int l_sign(lua_State *L)
{
    const struct tfl_wallet *w = tfl_check_wallet(L, 1);
    struct tfl_hash hash = tfl_check_hash(L, 2);
    uint8_t signature[TFL_SIGNATURE_SIZE];
    char hex[2 * TFL_SIGNATURE_SIZE + 1];
    tfl_sign(signature, &w->key, hash.b, sizeof hash.b);
    lua_pushstring(L, tfl_hex(hex, signature, sizeof signature));
    return 1;
}

/* ---- notes */

void tfl_check_note(lua_State *L, int index, const uint8_t pk[TFL_PUBLIC_KEY_SIZE], struct tfl_note *note)
{
    int is_integer = 0;
    index = lua_absindex(L, index);
    luaL_checktype(L, index, LUA_TTABLE);
    lua_getfield(L, index, "value");
    lua_Integer value = lua_tointegerx(L, -1, &is_integer);
    lua_getfield(L, index, "id");
    if (!is_integer || value < 1 || !tfl_get_hash(L, -1, &note->id))
        luaL_error(L, "a note must be {id = 64 hex digits, value = a whole number from 1}");
    lua_pop(L, 2);
    note->value = (uint64_t)value;
    memcpy(note->pk, pk, sizeof note->pk);
}

/* wallet:receive{id = hex, value = n}: a note of this wallet, seen on the chain. */
static int l_receive(lua_State *L)
{
    struct tfl_wallet *w = tfl_check_wallet(L, 1);
    struct tfl_note note;
    tfl_check_note(L, 2, w->key.pub, &note);
    tfl_wallet_receive(w, &note);
    return 0;
}

/* wallet:sync{{id =, value =}, …}: all its notes on the canonical chain (replay:notes(wallet.pk), or a node's answer). */
static int l_sync(lua_State *L)
{
    struct tfl_wallet *w = tfl_check_wallet(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_Integer n = luaL_len(L, 2);
    luaL_argcheck(L, n >= 0 && n <= 10000000, 2, "a list of notes");
    struct tfl_note *notes = lua_newuserdatauv(L, (size_t)n * sizeof *notes, 0);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_geti(L, 2, i);
        tfl_check_note(L, -1, w->key.pub, &notes[i - 1]);
        lua_pop(L, 1);
    }
    tfl_wallet_sync(w, notes, (size_t)n);
    return 0;
}

static int l_notes_gc(lua_State *L)
{
    tfl_buf_done(lua_touserdata(L, 1));
    return 0;
}

static void collect(void *ctx, const struct tfl_note *note)
{
    tfl_buf_add(ctx, note, sizeof *note);
}

/* wallet.fund(plan, {wallet, …}): gives the wallets their notes of genesis; plan as for topology.genesis_id. */
static int l_fund(lua_State *L)
{
    struct tfl_genesis g;
    struct tfl_block b;
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    struct tfl_buf *notes = lua_newuserdatauv(L, sizeof *notes, 0);
    memset(notes, 0, sizeof *notes);
    luaL_setmetatable(L, NOTES_META);
    tfl_check_genesis(L, 1, &g);
    tfl_genesis_block(&b, &g);
    tfl_tx_each_note(&b.txs[0], collect, notes);
    tfl_block_done(&b);
    lua_Integer n = luaL_len(L, 2);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_geti(L, 2, i);
        struct tfl_wallet *w = tfl_check_wallet(L, -1);
        tfl_wallet_sync(
            w, (const struct tfl_note *)(void *)notes->data, notes->len / sizeof(struct tfl_note));
        lua_pop(L, 1);
    }
    return 0;
}

/* wallet:settled(hash): the transfer is on the chain for good. */
static int l_settled(lua_State *L)
{
    struct tfl_wallet *w = tfl_check_wallet(L, 1);
    struct tfl_hash hash = tfl_check_hash(L, 2);
    tfl_wallet_settled(w, &hash);
    return 0;
}

static void collect_hash(void *ctx, const struct tfl_hash *hash)
{
    tfl_buf_add(ctx, hash, sizeof *hash);
}

/* wallet:dropped(hash) → hashes of all transfers that are dropped with it, itself first; none when it is not pending. */
static int l_dropped(lua_State *L)
{
    struct tfl_wallet *w = tfl_check_wallet(L, 1);
    struct tfl_hash hash = tfl_check_hash(L, 2);
    struct tfl_buf *hashes = lua_newuserdatauv(L, sizeof *hashes, 0);
    memset(hashes, 0, sizeof *hashes);
    luaL_setmetatable(L, NOTES_META);
    tfl_wallet_dropped(w, &hash, collect_hash, hashes);
    size_t n = hashes->len / sizeof hash;
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        memcpy(&hash, hashes->data + i * sizeof hash, sizeof hash);
        tfl_push_hash(L, &hash);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* wallet:balance() → what could be spent now, unconfirmed change included; from how many notes; pending transfers. */
static int l_balance(lua_State *L)
{
    struct tfl_wallet *w = tfl_check_wallet(L, 1);
    lua_pushinteger(L, (lua_Integer)tfl_wallet_balance(w));
    lua_pushinteger(L, (lua_Integer)tfl_wallet_n_notes(w));
    lua_pushinteger(L, (lua_Integer)tfl_wallet_n_pending(w));
    return 3;
}

/* ---- the class */

static int l_gc(lua_State *L)
{
    tfl_wallet_done(luaL_checkudata(L, 1, WALLET_META));
    return 0;
}

/* wallet.pk is a field, the rest are methods. */
static int l_index(lua_State *L)
{
    const struct tfl_wallet *w = tfl_check_wallet(L, 1);
    const char *key = luaL_checkstring(L, 2);
    if (!strcmp(key, "pk")) {
        struct tfl_hash pk;
        memcpy(pk.b, w->key.pub, sizeof pk.b);
        tfl_push_hash(L, &pk);
    } else {
        lua_getfield(L, lua_upvalueindex(1), key);
    }
    return 1;
}

/* wallet.new{seed = n, index = n}: the account `index` of the run with that seed. */
static int l_new(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_Integer seed = tfl_field_integer(L, 1, "wallet.new", "seed", 0);
    lua_Integer index = tfl_field_integer(L, 1, "wallet.new", "index", 0);
    luaL_argcheck(L, index >= 0, 1, "index: 0 or more");
    struct tfl_wallet *w = lua_newuserdatauv(L, sizeof *w, 0);
    memset(w, 0, sizeof *w);
    luaL_setmetatable(L, WALLET_META);
    tfl_wallet_init(w, (uint64_t)seed, (uint64_t)index);
    return 1;
}

/* wallet.check(body) → {hash, size, proven}: what a node that gets this body at /mempool/add/tx can say without its
 * ledger; or nil, fault, message. */
static int l_check(lua_State *L)
{
    size_t len;
    const char *body = luaL_checklstring(L, 1, &len);
    struct tfl_error err = {0};
    struct tfl_verdict v = {.checked = false};
    struct signed_tx *s = new_tx(L);
    enum tfl_tx_fault fault = TFL_TX_MALFORMED;
    if (tfl_tx_parse(&s->tx, body, len, &err) == 0)
        fault = tfl_tx_check(&v, &s->tx, &err);
    if (fault) {
        lua_pushnil(L);
        lua_pushstring(L, tfl_tx_fault_name(fault));
        lua_pushstring(L, err.msg);
        return 3;
    }
    lua_createtable(L, 0, 3);
    tfl_set_hash(L, "hash", &v.hash);
    tfl_set_integer(L, "size", v.size);
    lua_pushboolean(L, v.proven);
    lua_setfield(L, -2, "proven");
    return 1;
}

int tfl_open_wallet(lua_State *L)
{
    static const luaL_Reg methods[] = {{"transfer", l_transfer}, {"inscription", l_inscription},
        {"sign", l_sign}, {"receive", l_receive}, {"sync", l_sync}, {"settled", l_settled},
        {"dropped", l_dropped}, {"balance", l_balance}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"new", l_new}, {"fund", l_fund}, {"check", l_check}, {NULL, NULL}};
    static const luaL_Reg none[] = {{NULL, NULL}};
    tfl_chain_init();
    tfl_class(L, TX_META, none, l_tx_gc);
    tfl_class(L, NOTES_META, none, l_notes_gc);
    luaL_newmetatable(L, WALLET_META);
    lua_pushcfunction(L, l_gc);
    lua_setfield(L, -2, "__gc");
    luaL_newlib(L, methods);
    lua_pushcclosure(L, l_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    luaL_newlib(L, functions);
    return 1;
}
