#ifndef TFL_BINDINGS_WALLET_H
#define TFL_BINDINGS_WALLET_H

#include "bindings/task.h"
#include "chain/wallet.h"

struct tfl_wallet *tfl_check_wallet(lua_State *L, int index); /* raises; the userdata keeps it */
/* The note {id = hex, value = n} at index, of the key pk. Raises. */
void tfl_check_note(lua_State *L, int index, const uint8_t pk[TFL_PUBLIC_KEY_SIZE], struct tfl_note *note);

#endif
