/* tfl.core.topology: graphs and identities of a plan, the id of its genesis block, and seeded draws. */
#include "base/rng.h"
#include "bindings/genesis.h"
#include "topology/identity.h"
#include "topology/layout.h"

#include <string.h>

#define EDGES_MAX (TFL_LAYOUT_MAX_NODES * TFL_LAYOUT_MAX_NODES)

static const char LAYOUT[] = "tfl.topology.layout";

static int l_layout_gc(lua_State *L)
{
    tfl_layout_done(luaL_checkudata(L, 1, LAYOUT));
    return 0;
}

/* The field of the table at 1 as an integer of [least, most]; absent: fallback. */
static lua_Integer integer_field(
    lua_State *L, const char *name, lua_Integer least, lua_Integer most, lua_Integer fallback)
{
    int is_integer = 1;
    lua_Integer value = fallback;
    if (lua_getfield(L, 1, name) != LUA_TNIL) {
        value = lua_tointegerx(L, -1, &is_integer);
        if (!is_integer || lua_type(L, -1) != LUA_TNUMBER || value < least || value > most)
            luaL_error(L, "topology: %s must be a whole number from %I to %I, not %s", name,
                (LUAI_UACINT)least, (LUAI_UACINT)most, luaL_tolstring(L, -1, NULL));
    }
    lua_pop(L, 1);
    return value;
}

static uint32_t edge_end(lua_State *L, lua_Integer edge, lua_Integer end)
{
    int is_integer;
    lua_geti(L, -1, end);
    lua_Integer value = lua_tointegerx(L, -1, &is_integer);
    if (!is_integer || value < 0 || value > UINT32_MAX)
        luaL_error(L, "edge %I of the layout: expected {a, b} with node numbers from 0, its part %I is %s",
            (LUAI_UACINT)edge, (LUAI_UACINT)end, luaL_tolstring(L, -1, NULL));
    lua_pop(L, 1);
    return (uint32_t)value;
}

/* Reads the field `edges` of the table at 1; the array belongs to a userdata left on the stack. */
static void read_edges(lua_State *L, struct tfl_layout_request *request)
{
    if (lua_getfield(L, 1, "edges") != LUA_TTABLE)
        luaL_error(L, "topology: a custom shape needs edges = {{a, b}, ...}");
    lua_Integer n = luaL_len(L, -1);
    if (n < 0 || n > EDGES_MAX)
        luaL_error(L, "topology: %I edges; the most is %d", (LUAI_UACINT)n, EDGES_MAX);
    struct tfl_edge *edges = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof *edges, 0);
    for (lua_Integer i = 1; i <= n; i++) {
        if (lua_geti(L, -2, i) != LUA_TTABLE)
            luaL_error(
                L, "edge %I of the layout: expected {a, b}, not a %s", (LUAI_UACINT)i, luaL_typename(L, -1));
        edges[i - 1] = (struct tfl_edge){.dialer = edge_end(L, i, 1), .listener = edge_end(L, i, 2)};
        lua_pop(L, 1);
    }
    request->edges = edges;
    request->n_edges = (size_t)n;
}

static void set_hex(lua_State *L, const char *name, const uint8_t *bytes, size_t n)
{
    char hex[2 * 64 + 1];
    lua_pushlstring(L, tfl_hex(hex, bytes, n), 2 * n);
    lua_setfield(L, -2, name);
}

static void push_node(
    lua_State *L, const struct tfl_layout *g, uint32_t index, size_t *next_edge, uint64_t seed)
{
    struct tfl_identity id;
    tfl_identity_of(&id, seed, index);
    lua_createtable(L, 0, 9);
    lua_pushinteger(L, index);
    lua_setfield(L, -2, "index");
    lua_pushfstring(L, "node-%d", (int)index);
    lua_setfield(L, -2, "name");
    set_hex(L, "node_key", id.node_key, sizeof id.node_key);
    set_hex(L, "leader_key", id.leader_key, sizeof id.leader_key);
    set_hex(L, "leader_pub", id.leader_pub, sizeof id.leader_pub);
    lua_pushstring(L, id.peer_id);
    lua_setfield(L, -2, "peer_id");
    lua_pushinteger(L, TFL_STAKE_DEFAULT);
    lua_setfield(L, -2, "stake");
    lua_pushinteger(L, g->degree[index]);
    lua_setfield(L, -2, "degree");
    lua_newtable(L);
    for (lua_Integer n = 1; *next_edge < g->n_edges && g->edges[*next_edge].dialer == index;
         n++, ++*next_edge) {
        lua_pushinteger(L, g->edges[*next_edge].listener);
        lua_rawseti(L, -2, n);
    }
    lua_setfield(L, -2, "dials");
}

/* build{n=, shape=, k=, edges=, seed=} → {nodes = {{index, name, node_key, leader_key, leader_pub, peer_id, stake, dials,
 * degree}}, edges = {{dialer, listener}}, nonce, diameter, connected}; keys are hex, node numbers start at 0. */
static int l_build(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    struct tfl_layout_request request = {
        .n_nodes = (size_t)integer_field(L, "n", 0, INT32_MAX, 0),
        .k = (size_t)integer_field(L, "k", 0, INT32_MAX, 0),
        .seed = (uint64_t)integer_field(L, "seed", INT64_MIN, INT64_MAX, 0),
    };
    lua_getfield(L, 1, "shape");
    const char *shape = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
    if (!tfl_shape_parse(shape, &request.shape))
        return luaL_error(
            L, "topology: unknown shape \"%s\"; known are star, chain, ring, full, k_regular, custom", shape);
    if (request.shape == TFL_SHAPE_CUSTOM)
        read_edges(L, &request);

    struct tfl_error err = {0};
    struct tfl_layout *g = lua_newuserdatauv(L, sizeof *g, 0);
    memset(g, 0, sizeof *g);
    luaL_setmetatable(L, LAYOUT);
    if (tfl_layout_build(g, &request, &err) != 0)
        return tfl_raise(L, &err);

    lua_createtable(L, 0, 5);
    size_t next_edge = 0;
    lua_createtable(L, (int)g->n_nodes, 0);
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        push_node(L, g, i, &next_edge, request.seed);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "nodes");
    lua_createtable(L, (int)g->n_edges, 0);
    for (size_t i = 0; i < g->n_edges; i++) {
        lua_createtable(L, 2, 0);
        lua_pushinteger(L, g->edges[i].dialer);
        lua_rawseti(L, -2, 1);
        lua_pushinteger(L, g->edges[i].listener);
        lua_rawseti(L, -2, 2);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "edges");
    uint8_t nonce[32];
    tfl_nonce_of(nonce, request.seed);
    set_hex(L, "nonce", nonce, sizeof nonce);
    lua_pushinteger(L, (lua_Integer)g->diameter);
    lua_setfield(L, -2, "diameter");
    lua_pushboolean(L, g->connected);
    lua_setfield(L, -2, "connected");
    return 1;
}

/* genesis_id{…} → id of the genesis block, hex; the table is that of bindings/genesis.h. */
static int l_genesis_id(lua_State *L)
{
    struct tfl_genesis genesis;
    struct tfl_block block;
    char hex[TFL_HASH_HEX];
    tfl_check_genesis(L, 1, &genesis);
    tfl_genesis_block(&block, &genesis);
    tfl_hash_hex(hex, &block.id);
    tfl_block_done(&block);
    lua_pushstring(L, hex);
    return 1;
}

/* draw{seed=, name=, below=n} → the first whole number of [0, n) of the stream `name` of seed (base/rng.h). */
static int l_draw(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    uint64_t seed = (uint64_t)integer_field(L, "seed", INT64_MIN, INT64_MAX, 0);
    lua_Integer below = integer_field(L, "below", 1, INT64_MAX, 1);
    luaL_argcheck(L, lua_getfield(L, 1, "name") == LUA_TSTRING, 1, "name must be a string");
    struct tfl_rng rng;
    tfl_rng_init(&rng, seed, lua_tostring(L, -1));
    lua_pushinteger(L, (lua_Integer)tfl_rng_below(&rng, (uint64_t)below));
    return 1;
}

int tfl_open_topology(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"build", l_build}, {"genesis_id", l_genesis_id}, {"draw", l_draw}, {NULL, NULL}};
    tfl_chain_init();
    luaL_newmetatable(L, LAYOUT);
    lua_pushcfunction(L, l_layout_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    luaL_newlib(L, functions);
    return 1;
}
