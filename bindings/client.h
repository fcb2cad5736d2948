#ifndef TFL_BINDINGS_CLIENT_H
#define TFL_BINDINGS_CLIENT_H

/* Clients and ids for the bindings that take or give them. */
#include "bindings/task.h"
#include "client/client.h"

struct tfl_client *tfl_check_client(lua_State *L, int index); /* raises; the userdata keeps it */

void tfl_push_hash(lua_State *L, const struct tfl_hash *hash);
void tfl_set_hash(lua_State *L, const char *key, const struct tfl_hash *hash); /* into the table on top */
void tfl_set_integer(lua_State *L, const char *key, uint64_t value);
/* 64 hex digits, 0x before them or not. */
bool tfl_get_hash(lua_State *L, int index, struct tfl_hash *hash);
struct tfl_hash tfl_check_hash(lua_State *L, int index); /* raises */

#endif
