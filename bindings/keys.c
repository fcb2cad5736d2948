/* tfl.core.keys: hashes and keys of the real node's files for Lua. Bytes are raw strings; whoever writes them makes hex of them. */
#include "chain/keys.h"
#include "base/rng.h"
#include "bindings/task.h"
#include "chain/poseidon2.h"

#include <string.h>

static const uint8_t *check_32(lua_State *L, int index)
{
    size_t n;
    const char *bytes = luaL_checklstring(L, index, &n);
    luaL_argcheck(L, n == 32, index, "32 bytes were expected");
    return (const uint8_t *)bytes;
}

static struct tfl_fr check_fr(lua_State *L, int index)
{
    struct tfl_fr x;
    memcpy(x.b, check_32(L, index), sizeof x.b);
    luaL_argcheck(L, tfl_fr_valid(&x), index, "not a field element (it is not below the modulus)");
    return x;
}

static int push_32(lua_State *L, const uint8_t bytes[32])
{
    lua_pushlstring(L, (const char *)bytes, 32);
    return 1;
}

/* keys.hash(tag, bytes) → Blake2b-256 of both */
static int l_hash(lua_State *L)
{
    const char *tag = luaL_checkstring(L, 1);
    size_t n;
    const char *bytes = luaL_checklstring(L, 2, &n);
    struct tfl_hash h = tfl_hash_of(tag, &(struct tfl_span){bytes, n}, 1);
    return push_32(L, h.b);
}

/* keys.derive(seed, name) → 32 bytes bound to both */
static int l_derive(lua_State *L)
{
    uint8_t out[32];
    tfl_seed_bytes(out, (uint64_t)luaL_checkinteger(L, 1), luaL_checkstring(L, 2));
    return push_32(L, out);
}

/* keys.ed25519_public(seed) → public key; keys.peer_id(public key) → text */
static int l_ed25519_public(lua_State *L)
{
    struct tfl_keypair k;
    tfl_keypair_from_seed(&k, check_32(L, 1));
    return push_32(L, k.pub);
}

static int l_peer_id(lua_State *L)
{
    char id[TFL_PEER_ID_SIZE];
    lua_pushstring(L, tfl_peer_id(id, check_32(L, 1)));
    return 1;
}

/* keys.field(bytes) → the field element they are when reduced */
static int l_field(lua_State *L)
{
    return push_32(L, tfl_fr_reduce(check_32(L, 1)).b);
}

/* keys.zk_public(secret field element) → public key */
static int l_zk_public(lua_State *L)
{
    struct tfl_fr secret = check_fr(L, 1);
    return push_32(L, tfl_zk_public(&secret).b);
}

/* keys.zk_note_id(operation id, index of the output, value, public key) → note id */
static int l_zk_note_id(lua_State *L)
{
    struct tfl_hash op;
    lua_Integer index = luaL_checkinteger(L, 2), value = luaL_checkinteger(L, 3);
    struct tfl_fr pk = check_fr(L, 4);
    memcpy(op.b, check_32(L, 1), sizeof op.b);
    return push_32(L, tfl_zk_note_id(&op, (uint64_t)index, (uint64_t)value, &pk).b);
}

int tfl_open_keys(lua_State *L)
{
    static const luaL_Reg functions[] = {{"hash", l_hash}, {"derive", l_derive},
        {"ed25519_public", l_ed25519_public}, {"peer_id", l_peer_id}, {"field", l_field},
        {"zk_public", l_zk_public}, {"zk_note_id", l_zk_note_id}, {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
