/* Blocks and views that Lua tells a block feed of: nodes whose chain no dialect of tfl reads. */
#include "bindings/block_feed.h"

#include <stdlib.h>

enum { TXS_MAX = 1 << 20 };

static int check_node(lua_State *L, struct tfl_feed *feed)
{
    int node = tfl_graph_find_node(tfl_feed_graph(feed), luaL_checkstring(L, 2));
    luaL_argcheck(L, node >= 0, 2, "a node that has entered the feed");
    return node;
}

/* feed:enter(name): the node's blocks and views are told from now, by feed:tell and feed:view. Raises wrong_state, too_large. */
int tfl_feed_enter_node(lua_State *L)
{
    struct tfl_error err;
    return tfl_feed_enter(tfl_check_feed(L, 1), luaL_checkstring(L, 2), &err) ? tfl_raise(L, &err) : 0;
}

static struct tfl_hash check_id(lua_State *L, const char *name)
{
    struct tfl_hash id = {0};
    if (lua_getfield(L, 3, name) == LUA_TNIL || !tfl_get_hash(L, -1, &id))
        luaL_error(L, "bad argument: %s: expected an id, a string of 64 hex digits", name);
    lua_pop(L, 1);
    return id;
}

/* The block's place in time when its chain has no slots: one after its parent's. */
static uint64_t slot_of(lua_State *L, struct tfl_feed *feed, const struct tfl_block_head *head)
{
    int whole = 0;
    if (lua_getfield(L, 3, "slot") != LUA_TNIL) {
        lua_Integer slot = lua_tointegerx(L, -1, &whole);
        if (!whole || slot < 0 || (uint64_t)slot >= TFL_SLOT_LIMIT)
            luaL_error(L, "bad argument: slot: expected a whole number from 0");
        return (uint64_t)slot;
    }
    if (tfl_hash_is_zero(&head->parent))
        return 0;
    const struct tfl_gblock *parent = tfl_graph_find(tfl_feed_graph(feed), &head->parent);
    if (parent && parent->state == TFL_GBLOCK_LINKED)
        return parent->slot + 1;
    return (uint64_t)luaL_error(L,
        "bad argument: parent: the feed does not know it; tell of blocks in their order, "
        "ancestors first");
}

/* feed:tell(name, {id =, parent = nil for the first block, slot = nil, transactions = {hash…}, live = true}): the node has this
 * block; live: it has it since now. Ids are 64 hex digits. */
int tfl_feed_tell(lua_State *L)
{
    struct tfl_feed *feed = tfl_check_feed(L, 1);
    int node = check_node(L, feed);
    luaL_checktype(L, 3, LUA_TTABLE);
    lua_settop(L, 3);
    struct tfl_block_head head = {.id = check_id(L, "id")};
    if (lua_getfield(L, 3, "parent") != LUA_TNIL)
        head.parent = check_id(L, "parent");
    head.slot = slot_of(L, feed, &head);
    lua_getfield(L, 3, "live");
    bool live = lua_isnil(L, -1) || lua_toboolean(L, -1);
    lua_Integer n = lua_getfield(L, 3, "transactions") == LUA_TTABLE ? luaL_len(L, -1) : 0;
    if (n < 0 || n > TXS_MAX)
        return luaL_error(L, "bad argument: transactions: %I hashes", (LUAI_UACINT)n);
    head.txs = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof *head.txs, 0);
    for (; head.n_txs < n; head.n_txs++) {
        lua_geti(L, -2, (lua_Integer)head.n_txs + 1);
        if (!tfl_get_hash(L, -1, &head.txs[head.n_txs]))
            return luaL_error(L, "bad argument: transactions: expected hashes, strings of 64 hex digits");
        lua_pop(L, 1);
    }
    tfl_graph_block(tfl_feed_graph(feed), node, &head, live, tfl_feed_now(feed));
    return 0;
}

/* feed:view(name, tip, lib): what the node holds for its tip and its last final block now, two ids. */
int tfl_feed_view(lua_State *L)
{
    struct tfl_feed *feed = tfl_check_feed(L, 1);
    int node = check_node(L, feed);
    struct tfl_hash tip = tfl_check_hash(L, 3), lib = tfl_check_hash(L, 4);
    tfl_graph_view(tfl_feed_graph(feed), node, &tip, &lib, tfl_feed_now(feed));
    return 0;
}
