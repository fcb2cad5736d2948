#include "load/follow.h"

#include <stdlib.h>
#include <string.h>

enum { MANY_BLOCKS = 16 }; /* more than hold one transaction */

static int64_t since_begin(const struct tfl_follow *f)
{
    return tfl_now(f->loop) - f->begin_ns;
}

/* The blocks above `from` (an ancestor) up to `to`, lowest first, into f->path. */
static size_t way_up(struct tfl_follow *f, const struct tfl_gblock *from, const struct tfl_gblock *to)
{
    size_t n = (size_t)(to->height - from->height), i = n;
    if (n > f->cap_path) {
        f->cap_path = 2 * n;
        f->path = tfl_realloc(f->path, f->cap_path * sizeof(const struct tfl_gblock *));
    }
    for (const struct tfl_gblock *b = to; b != from; b = b->parent)
        f->path[--i] = b;
    return n;
}

/* Where the way from an older view to `to` begins: genesis when there was no view yet. */
static const struct tfl_gblock *meet_of(
    const struct tfl_follow *f, const struct tfl_gblock *from, const struct tfl_gblock *to)
{
    return tfl_graph_meet(from ? from : tfl_graph_root(tfl_feed_graph(f->feed)), to);
}

/* The canonical chain ends in `to` from now. */
static void move_head(struct tfl_follow *f, const struct tfl_gblock *to)
{
    const struct tfl_gblock *meet = meet_of(f, f->head, to);
    if (!meet)
        return;
    for (const struct tfl_gblock *b = f->head; b && b != meet; b = b->parent)
        tfl_tracker_exclude(f->tracker, b, meet != to);
    size_t n = way_up(f, meet, to);
    for (size_t i = 0; i < n; i++)
        tfl_tracker_include(f->tracker, f->path[i], since_begin(f));
    f->head = to;
}

static void move_final(struct tfl_follow *f, const struct tfl_gblock *to)
{
    const struct tfl_gblock *meet = meet_of(f, f->final, to);
    if (!meet || meet == to)
        return;
    size_t n = way_up(f, meet, to);
    for (size_t i = 0; i < n; i++)
        tfl_tracker_final(f->tracker, f->path[i], since_begin(f));
    f->final = to;
}

/* Events fell out of the window before they were read: the graph still knows all. */
static void catch_up(struct tfl_follow *f)
{
    const struct tfl_graph *g = tfl_feed_graph(f->feed);
    const struct tfl_gblock *head = tfl_graph_head(g), *final = tfl_graph_last_final(g);
    if (head && (!f->head || head->height > f->head->height))
        move_head(f, head);
    if (final)
        move_final(f, final);
}

static void take(struct tfl_follow *f, const struct tfl_feed_event *e)
{
    if (e->type == TFL_FEED_BLOCK)
        tfl_tracker_seen(f->tracker, e->block);
    else if (e->type == TFL_FEED_ADOPT && (!f->head || e->block->height > f->head->height))
        move_head(f, e->block);
    else if (e->type == TFL_FEED_FINAL)
        move_final(f, e->block);
}

void tfl_follow_read(struct tfl_follow *f)
{
    const struct tfl_feed_event *e;
    uint64_t lost = 0;
    while ((e = tfl_feed_read(f->feed, &f->cursor, &lost)) || lost)
        if (e)
            take(f, e);
        else
            catch_up(f);
}

void tfl_follow_named(struct tfl_follow *f, uint64_t i, const struct tfl_hash *hash)
{
    const struct tfl_gblock *in[MANY_BLOCKS];
    tfl_follow_read(f); /* what is in the graph has been told, then, and is not told again */
    tfl_tracker_named(f->tracker, i, hash);
    size_t n = tfl_graph_find_tx(tfl_feed_graph(f->feed), hash, in, TFL_LEN(in));
    for (size_t k = 0; k < n && k < TFL_LEN(in); k++)
        tfl_tracker_found(f->tracker, i, in[k], f->head && tfl_graph_is_ancestor(in[k], f->head),
            f->final && tfl_graph_is_ancestor(in[k], f->final), since_begin(f));
}

static void wait_more(struct tfl_follow *f);

static void heard(struct tfl_op *op)
{
    struct tfl_follow *f = op->owner;
    tfl_op_free(op);
    f->wait = NULL;
    tfl_follow_read(f);
    if (!tfl_feed_closed(f->feed))
        wait_more(f);
    if (f->changed)
        f->changed(f);
}

static void wait_more(struct tfl_follow *f)
{
    f->wait = tfl_feed_wait(f->feed, &f->cursor);
    f->wait->owner = f;
    f->wait->done = heard;
}

void tfl_follow_start(struct tfl_follow *f, struct tfl_loop *loop, struct tfl_feed *feed,
    struct tfl_tracker *tracker, int64_t begin_ns)
{
    const struct tfl_graph *g = tfl_feed_graph(feed);
    f->loop = loop;
    f->feed = tfl_feed_ref(feed);
    f->tracker = tracker;
    f->begin_ns = begin_ns;
    f->cursor.next = tfl_graph_end(g);
    f->head = tfl_graph_head(g);
    f->final = tfl_graph_last_final(g);
    if (!tfl_feed_closed(feed))
        wait_more(f);
}

bool tfl_follow_settle(struct tfl_follow *f)
{
    size_t unknown = 0;
    tfl_follow_read(f);
    const struct tfl_gblock *common = tfl_graph_common(tfl_feed_graph(f->feed), NULL, &unknown);
    if (!common)
        return false;
    move_head(f, common);
    return true;
}

void tfl_follow_stop(struct tfl_follow *f)
{
    tfl_op_free(f->wait);
    f->wait = NULL;
    tfl_feed_unref(f->feed);
    f->feed = NULL;
    free(f->path);
    f->path = NULL;
    f->cap_path = 0;
}
