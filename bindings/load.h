#ifndef TFL_BINDINGS_LOAD_H
#define TFL_BINDINGS_LOAD_H

/* Shared by load.c (a load's life) and load_report.c (its figures). */
#include "bindings/client.h"
#include "load/load.h"
#include "load/wallet_source.h"
#include "load/wish_source.h"

struct tfl_waiter;

struct l_load {
    struct tfl_load *load; /* NULL once collected */
    struct tfl_wallet_source source;
    struct tfl_wish_source wishes; /* instead of source when there are any */
    char label[40];
    struct tfl_waiter *waiters[3]; /* by enum tfl_load_stage */
};
struct l_load *tfl_check_load(lua_State *L, int index); /* raises */

/* Methods of a load. */
int tfl_load_l_counts(lua_State *L);
int tfl_load_l_report(lua_State *L);
int tfl_load_l_transaction(lua_State *L);
int tfl_load_l_times(lua_State *L);

#endif
