/* How long blocks took from node to node, for the record. */
#include "bindings/block_feed.h"
#include "bindings/fields.h"

/* {node, from, n, p50_ms, max_ms}: the last four are lists, an entry for each node that told it first of some block. */
static void push_pairs(
    lua_State *L, const struct tfl_graph *g, size_t node, const struct tfl_graph_pair *pairs)
{
    static const char *const keys[] = {"from", "n", "p50_ms", "max_ms"};
    lua_createtable(L, 0, 5);
    lua_pushstring(L, tfl_graph_node(g, node)->name);
    lua_setfield(L, -2, "node");
    for (size_t i = 0; i < TFL_LEN(keys); i++)
        lua_newtable(L);
    lua_Integer used = 0;
    for (size_t i = 0; i < tfl_graph_nodes(g); i++) {
        if (!pairs[i].n)
            continue;
        used++;
        lua_pushstring(L, tfl_graph_node(g, i)->name);
        lua_rawseti(L, -5, used);
        lua_pushinteger(L, pairs[i].n);
        lua_rawseti(L, -4, used);
        lua_pushnumber(L, pairs[i].p50_ms);
        lua_rawseti(L, -3, used);
        lua_pushnumber(L, pairs[i].max_ms);
        lua_rawseti(L, -2, used);
    }
    for (size_t i = TFL_LEN(keys); i > 0; i--)
        lua_setfield(L, -(int)i - 1, keys[i - 1]);
}

/* feed:propagation{from_slot =, to_slot =} → for each node the delays of the window's blocks, by who told first. */
int tfl_feed_propagation(lua_State *L)
{
    const struct tfl_graph *g = tfl_feed_graph(tfl_check_feed(L, 1));
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_Integer from = tfl_field_integer(L, 2, "feed:propagation", "from_slot", 0);
    lua_Integer to = tfl_field_integer(L, 2, "feed:propagation", "to_slot", LUA_MAXINTEGER);
    luaL_argcheck(L, from >= 0 && to >= 0, 2, "slots from 0");
    size_t n = tfl_graph_nodes(g);
    struct tfl_graph_pair *pairs = lua_newuserdatauv(L, n * sizeof *pairs + 1, 0);
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        tfl_graph_propagation(g, (uint64_t)from, (uint64_t)to, i, pairs);
        push_pairs(L, g, i, pairs);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}
