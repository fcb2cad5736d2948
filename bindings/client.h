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

/* {timeout = seconds} at index, or nothing: milliseconds, 0 for the default. Raises. */
int64_t tfl_opt_answer_timeout(lua_State *L, int index);
int tfl_push_ids(lua_State *L, struct tfl_op *op); /* of a client op that has ids */

/* Methods of a client that are in client_tx.c. */
int tfl_client_l_submit(lua_State *L);
int tfl_client_l_mempool(lua_State *L);

#endif
