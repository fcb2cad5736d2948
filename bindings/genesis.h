#ifndef TFL_BINDINGS_GENESIS_H
#define TFL_BINDINGS_GENESIS_H

#include "bindings/task.h"
#include "chain/genesis.h"

/* Reads {chain_id=, genesis_time_ms=, nonce=hex, stakes={{key=hex, stake=n}, …}, notes={{value=n, pk=hex}, …} or nil} at
 * index (a plan has all of them) and checks its bounds. What g points to belongs to the table and to userdata left on the
 * stack. Raises. */
void tfl_check_genesis(lua_State *L, int index, struct tfl_genesis *g);

#endif
