#ifndef TFL_LOAD_FOLLOW_H
#define TFL_LOAD_FOLLOW_H

#include "feed/block_feed.h"
#include "load/tracker.h"

/* Tells a tracker what the block feed hears. The canonical chain, while it grows, is the highest one that any node has
 * adopted (of equals the first); a transaction is final when its block is final at some node. */
struct tfl_follow {
    struct tfl_feed *feed; /* held */
    struct tfl_tracker *tracker;
    struct tfl_feed_cursor cursor;
    const struct tfl_gblock *head, *final;
    int64_t begin_ns; /* tfl_now time of the load's begin: time 0 of the tracker */
    struct tfl_loop *loop;
    struct tfl_op *wait;
    void (*changed)(struct tfl_follow *follow); /* after news; may be NULL; may stop it */
    void *owner;
    const struct tfl_gblock **path; /* private: room for the way up */
    size_t cap_path;
};

/* follow is zero-initialised; changed and owner may be set. begin_ns: see above. tracker must outlive it. */
void tfl_follow_start(struct tfl_follow *follow, struct tfl_loop *loop, struct tfl_feed *feed,
    struct tfl_tracker *tracker, int64_t begin_ns);
/* Takes what the feed has now, without waiting for the next turn. */
void tfl_follow_read(struct tfl_follow *follow);
/* Intent i of the tracker has its hash only now: blocks that came before are looked through for it. */
void tfl_follow_named(struct tfl_follow *follow, uint64_t i, const struct tfl_hash *hash);
/* The canonical chain at the end: what all living nodes have in common. Blocks above count as not there (and not as
 * reorganised). False, and nothing changes, when a living node's tip is not known. It goes on from there. */
bool tfl_follow_settle(struct tfl_follow *follow);
void tfl_follow_stop(struct tfl_follow *follow); /* also on zeros */

#endif
