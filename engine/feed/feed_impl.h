#ifndef TFL_FEED_FEED_IMPL_H
#define TFL_FEED_FEED_IMPL_H

/* Shared by block_feed.c (the feed, cursors), follower.c (one node) and follower_fill.c; nobody else includes it. */
#include "client/block_stream.h"
#include "feed/block_feed.h"

struct tfl_feed {
    struct tfl_loop *loop;
    struct tfl_graph *graph;
    struct tfl_feed_params params;
    struct follower **followers; /* by node index; NULL: not followed */
    size_t n_followers;
    struct wait_op *waits;
    int64_t start_ns;
    int refs;
    bool closed;
};

struct follower {
    struct tfl_feed *feed;
    struct tfl_client *client;
    int node;
    struct tfl_block_stream *stream, *range;
    struct tfl_client_op *info, *block;
    struct tfl_timer again, look, refill; /* next session; next question for the view; next try for a block */
    int64_t backoff_ms, poll_ms, began_ns;
    bool no_stream, no_range; /* learned: the node has none */
    bool bad_stream;          /* it cannot be read, so the node is polled for as long as it is followed */
    bool told_bad;
    bool open;     /* the stream has said 200 */
    bool synced;   /* this session has applied a view */
    bool healthy;  /* something was heard since the last loss was told */
    bool doubtful; /* the last look saw what the stream had not told */
    bool look_again;
    uint64_t rows_then;            /* rows heard when the view was asked for */
    uint64_t range_next, range_to; /* slots */
    int tries;
    struct tfl_hash hole; /* that is asked for */
};

/* follower.c */
struct follower *follower_new(struct tfl_feed *feed, int node, struct tfl_client *client);
void follower_free(struct follower *f);  /* NULL-safe */
void follower_heard(struct follower *f); /* the node has answered well */
/* What the node sends cannot be read: told once, the first time. False: err says something else. */
bool follower_unreadable(struct follower *f, const struct tfl_error *err);
void follower_after(struct follower *f, struct tfl_timer *timer, int64_t ms, void (*fn)(struct tfl_timer *));

/* follower_fill.c */
bool follower_knows(struct tfl_block_stream *s, const struct tfl_hash *id);
/* Asks for the next block that the node's view needs, one at a time, unless its history is on the way anyway. */
void follower_fill(struct follower *f);
/* When the node's tip is unknown and far above what is known: its blocks from the last final one on. */
void follower_ask_history(struct follower *f, const struct tfl_node_info *info);

#endif
