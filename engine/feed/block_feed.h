#ifndef TFL_FEED_BLOCK_FEED_H
#define TFL_FEED_BLOCK_FEED_H

#include "client/client.h"
#include "feed/block_graph.h"

/* Follows the chain of every node that is added, into one graph. Each node by itself: its view first, then its history if
 * that is not known yet, then its stream of blocks, or polls where it has none; what its stream leaves out is asked for by
 * id. A node that dies or is not there yet is tried again (50 ms, doubling to 1 s) until it is stopped. One whose stream
 * cannot be read is told of once, and polled. */
struct tfl_feed;

struct tfl_feed_params {
    struct tfl_graph_params graph;
    int64_t check_ms;   /* cross-check of a stream by a look at the node's view; default 3,000 */
    int64_t timeout_ms; /* of one question; default 5,000 */
};

struct tfl_feed *tfl_feed_new(struct tfl_loop *loop, const struct tfl_feed_params *params);
struct tfl_feed *tfl_feed_ref(struct tfl_feed *feed);
void tfl_feed_unref(struct tfl_feed *feed); /* NULL-safe; the last one closes and frees */
/* Follows nobody any more; pending waits end. What is known stays there to be asked. */
void tfl_feed_close(struct tfl_feed *feed);
bool tfl_feed_closed(const struct tfl_feed *feed);

/* Follows a node from now; one that was stopped is followed again. Holds the client. TFL_E_STATE when it is followed
 * already or the feed is closed, TFL_E_TOO_LARGE for one node too many. */
int tfl_feed_add(struct tfl_feed *feed, const char *name, struct tfl_client *client, struct tfl_error *err);
/* A node that somebody else follows, and tells the graph of, from now. TFL_E_STATE, TFL_E_TOO_LARGE as above. */
int tfl_feed_enter(struct tfl_feed *feed, const char *name, struct tfl_error *err);
/* The node is stopped on purpose: its view is stale from now. TFL_E_NOT_FOUND when it is not followed. */
int tfl_feed_stop_node(struct tfl_feed *feed, const char *name, struct tfl_error *err);

struct tfl_graph *tfl_feed_graph(struct tfl_feed *feed);
struct tfl_when tfl_feed_now(const struct tfl_feed *feed);

/* A reader of the log. Each gets every event once, in order, from the number it starts with. */
struct tfl_feed_cursor {
    uint64_t next; /* 0: from genesis (of what is retained); tfl_graph_end(): from now */
};
/* The next event, or NULL when there is none yet. *lost: how many fell out of the retained window before they were read
 * (then NULL is given once, and the cursor goes on with the oldest there is). */
const struct tfl_feed_event *tfl_feed_read(
    struct tfl_feed *feed, struct tfl_feed_cursor *cursor, uint64_t *lost);
/* An op that succeeds when there is an event for the cursor, or the feed is closed. It does not hold the cursor. */
struct tfl_op *tfl_feed_wait(struct tfl_feed *feed, const struct tfl_feed_cursor *cursor);

#endif
