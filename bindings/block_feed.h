#ifndef TFL_BINDINGS_BLOCK_FEED_H
#define TFL_BINDINGS_BLOCK_FEED_H

/* Shared by block_feed.c (the feed, subscriptions), block_feed_judge.c (questions about the graph) and block_feed_tell.c (what
 * Lua tells it). */
#include "bindings/client.h"
#include "feed/block_feed.h"

struct l_feed {
    struct tfl_feed *feed;
    struct tfl_event_sink sink; /* gives events on to the record of the running run */
    struct tfl_engine *engine;
};
struct tfl_feed *tfl_check_feed(lua_State *L, int index); /* raises */

/* Methods of a feed. */
int tfl_feed_canonical(lua_State *L);
int tfl_feed_tip(lua_State *L);
int tfl_feed_lib(lua_State *L);
int tfl_feed_block(lua_State *L);
int tfl_feed_transaction(lua_State *L);
int tfl_feed_stats(lua_State *L);
int tfl_feed_common_prefix(lua_State *L);
int tfl_feed_judge(lua_State *L);
int tfl_feed_enter_node(lua_State *L);
int tfl_feed_tell(lua_State *L);
int tfl_feed_view(lua_State *L);
int tfl_feed_propagation(lua_State *L);
void tfl_feed_open_judge(lua_State *L);

#endif
