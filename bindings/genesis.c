/* Reading what a deployment fixes before the first block out of a Lua table. */
#include "bindings/genesis.h"

#include "bindings/fields.h"

/* The field at the top of the stack (popped) as 32 bytes from 64 hex digits. */
static void take_hex32(lua_State *L, const char *what, uint8_t out[32])
{
    size_t len = 0;
    const char *hex = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &len) : "";
    if (!tfl_unhex(out, 32, hex, len))
        luaL_error(L, "genesis: %s must be 64 hex digits, not %s", what, luaL_tolstring(L, -1, NULL));
    lua_pop(L, 1);
}

/* Reads the field `stakes` of the table at index; the array belongs to a userdata left on the stack. */
static void read_stakes(lua_State *L, int index, struct tfl_genesis *genesis)
{
    if (lua_getfield(L, index, "stakes") != LUA_TTABLE)
        luaL_error(L, "genesis: needs stakes = {{key = hex, stake = n}, ...}");
    lua_Integer n = luaL_len(L, -1);
    if (n < 0 || n > TFL_STAKES_MAX)
        luaL_error(L, "genesis: %I stakes; the most is %d", (LUAI_UACINT)n, TFL_STAKES_MAX);
    struct tfl_stake *stakes = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof *stakes, 0);
    for (lua_Integer i = 1; i <= n; i++) {
        if (lua_geti(L, -2, i) != LUA_TTABLE)
            luaL_error(L, "genesis: stake %I must be {key = hex, stake = n}", (LUAI_UACINT)i);
        lua_getfield(L, -1, "key");
        take_hex32(L, "the key of a stake", stakes[i - 1].pub);
        int is_integer;
        lua_getfield(L, -1, "stake");
        lua_Integer stake = lua_tointegerx(L, -1, &is_integer);
        if (!is_integer || stake < 0)
            luaL_error(L, "genesis: stake %I must be a whole number, 0 or more", (LUAI_UACINT)i);
        stakes[i - 1].stake = (uint64_t)stake;
        lua_pop(L, 2);
    }
    genesis->stakes = stakes;
    genesis->n_stakes = (uint32_t)n;
}

/* Reads the field `notes` of the table at index, which may be absent; the array belongs to a userdata left on the stack. */
static void read_notes(lua_State *L, int index, struct tfl_genesis *genesis)
{
    int type = lua_getfield(L, index, "notes");
    if (type == LUA_TNIL)
        return;
    if (type != LUA_TTABLE)
        luaL_error(L, "genesis: notes must be a list of {value = n, pk = hex}");
    lua_Integer n = luaL_len(L, -1);
    if (n < 0 || n > TFL_NOTES_MAX)
        luaL_error(L, "genesis: %I notes; the most is %d", (LUAI_UACINT)n, TFL_NOTES_MAX);
    struct tfl_output *notes = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof *notes, 0);
    for (lua_Integer i = 1; i <= n; i++) {
        if (lua_geti(L, -2, i) != LUA_TTABLE)
            luaL_error(L, "genesis: note %I must be {value = n, pk = hex}", (LUAI_UACINT)i);
        lua_getfield(L, -1, "pk");
        take_hex32(L, "the pk of a note", notes[i - 1].pk);
        int is_integer;
        lua_getfield(L, -1, "value");
        lua_Integer value = lua_tointegerx(L, -1, &is_integer);
        if (!is_integer || value < 1)
            luaL_error(L, "genesis: the value of note %I must be a whole number, 1 or more", (LUAI_UACINT)i);
        notes[i - 1].value = (uint64_t)value;
        lua_pop(L, 2);
    }
    genesis->notes = notes;
    genesis->n_notes = (uint32_t)n;
}

void tfl_check_genesis(lua_State *L, int index, struct tfl_genesis *g)
{
    struct tfl_error err = {0};
    index = lua_absindex(L, index);
    luaL_checktype(L, index, LUA_TTABLE);
    luaL_checkstack(L, 8, NULL);
    lua_Integer time_ms = tfl_field_integer(L, index, "genesis", "genesis_time_ms", 0);
    *g = (struct tfl_genesis){.genesis_time_unix_ms = time_ms < 0 ? UINT64_MAX : (uint64_t)time_ms};
    lua_getfield(L, index, "nonce");
    take_hex32(L, "nonce", g->nonce);
    g->chain_id = tfl_field_string(L, index, "genesis", "chain_id", true);
    read_stakes(L, index, g);
    read_notes(L, index, g);
    if (tfl_genesis_check(g, &err) != 0)
        tfl_raise(L, &err);
}
