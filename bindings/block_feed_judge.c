/* Questions about the graph of a block feed, and the figures of a window for the verdict. */
#include "bindings/block_feed.h"

#include <string.h>

static const char FIGURES_META[] = "tfl.figures";

static struct tfl_graph *check_graph(lua_State *L)
{
    return tfl_feed_graph(tfl_check_feed(L, 1));
}

/* {id, parent, slot, height, n_transactions, final, first_seen, first_node} or nil. */
static void push_block(lua_State *L, const struct tfl_graph *g, const struct tfl_gblock *b)
{
    if (!b || b->state == TFL_GBLOCK_HOLE) {
        lua_pushnil(L);
        return;
    }
    lua_createtable(L, 0, 8);
    tfl_set_hash(L, "id", &b->id);
    if (b->parent)
        tfl_set_hash(L, "parent", &b->parent->id);
    tfl_set_integer(L, "slot", b->slot);
    if (b->state == TFL_GBLOCK_LINKED)
        tfl_set_integer(L, "height", b->height);
    tfl_set_integer(L, "n_transactions", b->n_txs);
    lua_pushboolean(L, b->final);
    lua_setfield(L, -2, "final");
    lua_pushnumber(L, (double)b->first_seen_ns / 1e9);
    lua_setfield(L, -2, "first_seen");
    if (b->first_node != TFL_NO_NODE) {
        lua_pushstring(L, tfl_graph_node(g, b->first_node)->name);
        lua_setfield(L, -2, "first_node");
    }
}

/* The list of names at index as a set of node indices, in a userdata that it leaves on the stack; NULL (and nil) when
 * there is no list: all nodes that are not stale. A name the feed has not met counts as a node that never answered. */
static bool *check_nodes(lua_State *L, int index, struct tfl_graph *g)
{
    if (lua_isnoneornil(L, index)) {
        lua_pushnil(L);
        return NULL;
    }
    luaL_checktype(L, index, LUA_TTABLE);
    bool *set = lua_newuserdatauv(L, TFL_GRAPH_NODES * sizeof *set, 0);
    memset(set, 0, TFL_GRAPH_NODES * sizeof *set);
    lua_Integer n = luaL_len(L, index);
    for (lua_Integer i = 1; i <= n; i++) {
        if (lua_geti(L, index, i) != LUA_TSTRING)
            luaL_error(L, "bad argument: nodes: expected a list of names, saw %s", luaL_typename(L, -1));
        int node = tfl_graph_add_node(g, lua_tostring(L, -1));
        if (node < 0)
            luaL_error(L, "bad argument: nodes: more than %d names", TFL_GRAPH_NODES);
        set[node] = true;
        lua_pop(L, 1);
    }
    return set;
}

static int push_view(lua_State *L, bool lib)
{
    struct tfl_graph *g = check_graph(L);
    int node = tfl_graph_find_node(g, luaL_checkstring(L, 2));
    if (node < 0) {
        lua_pushnil(L);
        return 1;
    }
    const struct tfl_graph_node *n = tfl_graph_node(g, (size_t)node);
    push_block(L, g, lib ? n->lib : n->tip);
    if (lua_istable(L, -1)) {
        lua_pushboolean(L, n->stale);
        lua_setfield(L, -2, "stale");
    }
    return 1;
}

/* feed:tip(node), feed:lib(node) → block with .stale; nil while it is not known. */
int tfl_feed_tip(lua_State *L)
{
    return push_view(L, false);
}

int tfl_feed_lib(lua_State *L)
{
    return push_view(L, true);
}

/* feed:block(id) → block with .transactions, the hashes in it, or nil. */
int tfl_feed_block(lua_State *L)
{
    struct tfl_graph *g = check_graph(L);
    struct tfl_hash id = tfl_check_hash(L, 2);
    const struct tfl_gblock *b = tfl_graph_find(g, &id);
    push_block(L, g, b);
    if (!lua_istable(L, -1))
        return 1;
    uint32_t n = b->txs ? b->n_txs : 0;
    lua_createtable(L, (int)n, 0);
    for (uint32_t i = 0; i < n; i++) {
        tfl_push_hash(L, &b->txs[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "transactions");
    return 1;
}

/* feed:transaction(hash) → nil when no block has it, else {blocks = {block, …}, block = the one of them on the highest living
 * node's chain or nil, final = whether one of them is final}. Looks at all hashes: not for thousands. */
int tfl_feed_transaction(lua_State *L)
{
    struct tfl_graph *g = check_graph(L);
    struct tfl_hash hash = tfl_check_hash(L, 2);
    const struct tfl_gblock *found[16], *head = tfl_graph_head(g);
    size_t n = tfl_graph_find_tx(g, &hash, found, TFL_LEN(found));
    bool final = false;
    if (n == 0) {
        lua_pushnil(L);
        return 1;
    }
    n = n < TFL_LEN(found) ? n : TFL_LEN(found);
    lua_createtable(L, 0, 3);
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        push_block(L, g, found[i]);
        final = final || found[i]->final;
        if (head && tfl_graph_is_ancestor(found[i], head)) {
            lua_pushvalue(L, -1);
            lua_setfield(L, -4, "block");
        }
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "blocks");
    lua_pushboolean(L, final);
    lua_setfield(L, -2, "final");
    return 1;
}

/* feed:common_prefix([names]) → block or nil, and how many nodes have no known tip. */
int tfl_feed_common_prefix(lua_State *L)
{
    struct tfl_graph *g = check_graph(L);
    size_t unknown;
    lua_settop(L, 2);
    const bool *nodes = check_nodes(L, 2, g);
    push_block(L, g, tfl_graph_common(g, nodes, &unknown));
    lua_pushinteger(L, (lua_Integer)unknown);
    return 2;
}

static uint64_t slot_at(lua_State *L, int type, uint64_t otherwise, const char *name)
{
    lua_Number value = lua_tonumber(L, -1);
    if (type != LUA_TNIL && (type != LUA_TNUMBER || !(value >= 0 && value < 4e18)))
        luaL_error(L, "bad argument: %s: expected a slot, a whole number from 0", name);
    lua_pop(L, 1);
    return type == LUA_TNIL ? otherwise : (uint64_t)value;
}

/* feed:canonical{window = {s0, s1}, nodes = {…}} → blocks of the slots [s0, s1) on the prefix common to all live nodes. */
int tfl_feed_canonical(lua_State *L)
{
    struct tfl_graph *g = check_graph(L);
    uint64_t from = 0, to = TFL_SLOT_LIMIT;
    lua_settop(L, 2);
    if (lua_istable(L, 2)) {
        if (lua_getfield(L, 2, "window") == LUA_TTABLE) {
            from = slot_at(L, lua_geti(L, 3, 1), 0, "window");
            to = slot_at(L, lua_geti(L, 3, 2), TFL_SLOT_LIMIT, "window");
        }
        lua_settop(L, 2);
        lua_getfield(L, 2, "nodes");
    }
    lua_settop(L, 3);
    const bool *nodes = check_nodes(L, 3, g);
    const struct tfl_gblock *top = tfl_graph_common(g, nodes, NULL);
    while (top && top->parent && top->slot >= to)
        top = top->parent;
    lua_Integer n = 0;
    for (const struct tfl_gblock *b = top; b && b->parent && b->slot >= from; b = b->parent)
        n++;
    lua_createtable(L, (int)n, 0);
    for (; n > 0; n--, top = top->parent) {
        push_block(L, g, top);
        lua_rawseti(L, -2, n);
    }
    return 1;
}

/* ---- figures */

/* A list of findings {code, message, node, slot, height, id, other, t}, into the table on top. */
static void set_findings(lua_State *L, const struct tfl_graph *g, const char *key)
{
    const struct tfl_conflict *list;
    size_t n = tfl_graph_conflicts(g, &list);
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        const struct tfl_conflict *c = &list[i];
        lua_createtable(L, 0, 8);
        lua_pushstring(L, tfl_feed_code_string(c->code));
        lua_setfield(L, -2, "code");
        lua_pushstring(L, c->message);
        lua_setfield(L, -2, "message");
        lua_pushnumber(L, (double)c->t_ns / 1e9);
        lua_setfield(L, -2, "t");
        if (c->node < tfl_graph_nodes(g)) {
            lua_pushstring(L, tfl_graph_node(g, c->node)->name);
            lua_setfield(L, -2, "node");
        }
        tfl_set_hash(L, "id", &c->block->id);
        tfl_set_integer(L, "slot", c->block->slot);
        if (c->block->state == TFL_GBLOCK_LINKED)
            tfl_set_integer(L, "height", c->block->height);
        if (c->other)
            tfl_set_hash(L, "other", &c->other->id);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, key);
}

/* {name, stale, known, height, tip, tip_slot, lib, lib_height, reorgs, max_reorg_depth, gaps, rows, heard, unreadable}: heights
 * are 0 and tip "" while nothing is known of the node; unreadable: what it sent that could not be read. */
static void push_node(lua_State *L, const struct tfl_graph_node *n, bool stale)
{
    lua_createtable(L, 0, 14);
    lua_pushstring(L, n->name);
    lua_setfield(L, -2, "name");
    lua_pushboolean(L, stale);
    lua_setfield(L, -2, "stale");
    lua_pushboolean(L, n->tip != NULL);
    lua_setfield(L, -2, "known");
    tfl_set_integer(L, "height", n->tip ? n->tip->height : 0);
    tfl_set_integer(L, "tip_slot", n->tip ? n->tip->slot : 0);
    tfl_set_integer(L, "lib_height", n->lib ? n->lib->height : 0);
    lua_pushliteral(L, "");
    lua_setfield(L, -2, "tip");
    if (n->tip)
        tfl_set_hash(L, "tip", &n->tip->id);
    if (n->lib)
        tfl_set_hash(L, "lib", &n->lib->id);
    tfl_set_integer(L, "reorgs", n->n_reorgs);
    tfl_set_integer(L, "max_reorg_depth", n->max_reorg);
    tfl_set_integer(L, "gaps", n->n_gaps);
    tfl_set_integer(L, "rows", n->n_rows);
    lua_pushnumber(L, n->last_heard_ns < 0 ? -1.0 : (double)n->last_heard_ns / 1e9);
    lua_setfield(L, -2, "heard");
    lua_pushstring(L, n->unreadable); /* NULL is nil */
    lua_setfield(L, -2, "unreadable");
}

static void set_nodes(lua_State *L, const struct tfl_graph *g, const bool *nodes)
{
    size_t n = tfl_graph_nodes(g);
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        push_node(L, tfl_graph_node(g, i), nodes ? !nodes[i] : tfl_graph_node(g, i)->stale);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "nodes");
}

static void set_counts(lua_State *L, const struct tfl_graph *g)
{
    struct tfl_graph_counts c;
    const struct tfl_gblock *final = tfl_graph_last_final(g);
    tfl_graph_count(g, &c);
    tfl_set_integer(L, "blocks", c.blocks);
    tfl_set_integer(L, "pending", c.pending);
    tfl_set_integer(L, "final", c.final);
    tfl_set_integer(L, "final_height", final ? final->height : 0);
    tfl_set_integer(L, "reorgs", c.reorgs);
    tfl_set_integer(L, "max_reorg_depth", c.max_reorg);
    lua_createtable(L, 0, 4);
    for (int code = TFL_FEED_NONE + 1; code < TFL_FEED_CODES; code++)
        if (c.by_code[code])
            tfl_set_integer(L, tfl_feed_code_string((enum tfl_feed_code)code), c.by_code[code]);
    lua_setfield(L, -2, "by_code");
}

/* feed:stats() → counts, findings, and all nodes. */
int tfl_feed_stats(lua_State *L)
{
    struct tfl_graph *g = check_graph(L);
    lua_createtable(L, 0, 12);
    set_counts(L, g);
    tfl_set_integer(L, "best_height", tfl_graph_best_height(g));
    tfl_set_integer(L, "events", tfl_graph_end(g));
    set_findings(L, g, "findings");
    set_nodes(L, g, NULL);
    return 1;
}

static void set_slots(lua_State *L, const char *key, const uint64_t *slots, size_t n)
{
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        lua_pushinteger(L, (lua_Integer)slots[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, key);
}

static void set_propagation(lua_State *L, const struct tfl_graph_figures *f)
{
    lua_createtable(L, 0, 4);
    tfl_set_integer(L, "samples", f->n_samples);
    if (f->n_samples) {
        lua_pushnumber(L, f->p50_ms);
        lua_setfield(L, -2, "p50");
        lua_pushnumber(L, f->p99_ms);
        lua_setfield(L, -2, "p99");
        lua_pushnumber(L, f->max_ms);
        lua_setfield(L, -2, "max");
    }
    lua_setfield(L, -2, "propagation_ms");
}

static int figures_gc(lua_State *L)
{
    tfl_graph_figures_done(luaL_checkudata(L, 1, FIGURES_META));
    return 0;
}

/* feed:judge{from_slot = s0, to_slot = s1, nodes = {live names}} → the figures of the window [s0, s1); see the fields. */
int tfl_feed_judge(lua_State *L)
{
    struct tfl_graph *g = check_graph(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    uint64_t from = slot_at(L, lua_getfield(L, 2, "from_slot"), 0, "from_slot");
    uint64_t to = slot_at(L, lua_getfield(L, 2, "to_slot"), TFL_SLOT_LIMIT, "to_slot");
    lua_getfield(L, 2, "nodes");
    const bool *nodes = check_nodes(L, 3, g);
    struct tfl_graph_figures *f =
        lua_newuserdatauv(L, sizeof *f, 0); /* frees what it owns whatever is raised here */
    memset(f, 0, sizeof *f);
    luaL_setmetatable(L, FIGURES_META);
    tfl_graph_judge(g, from, to < from ? from : to, nodes, f);
    lua_createtable(L, 0, 32);
    set_counts(L, g);
    tfl_set_integer(L, "canonical", f->n_canonical);
    set_slots(L, "canonical_slots", f->canonical, f->n_canonical);
    set_slots(L, "best_slots", f->best_slots, f->n_best);
    tfl_set_integer(L, "observed", f->observed);
    tfl_set_integer(L, "forks", f->forks);
    tfl_set_integer(L, "fork_blocks", f->fork_blocks);
    tfl_set_integer(L, "gap_slots", f->gap_slots);
    tfl_set_integer(L, "gap_from", f->gap_from);
    tfl_set_integer(L, "last_growth_slot", f->last_growth);
    tfl_set_integer(L, "unknown_tips", f->unknown_tips);
    lua_pushinteger(L, f->common ? (lua_Integer)f->common->slot : -1);
    lua_setfield(L, -2, "common_slot");
    if (f->common) {
        tfl_set_integer(L, "common_height", f->common->height);
        tfl_set_hash(L, "common", &f->common->id);
    }
    if (f->best) {
        tfl_set_integer(L, "best_height", f->best->height);
        tfl_set_hash(L, "best", &f->best->id);
    }
    set_propagation(L, f);
    set_findings(L, g, "findings");
    set_nodes(L, g, nodes);
    return 1;
}

void tfl_feed_open_judge(lua_State *L)
{
    static const luaL_Reg none[] = {{NULL, NULL}};
    tfl_class(L, FIGURES_META, none, figures_gc);
}
