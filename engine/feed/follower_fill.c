/* What a follower's stream does not tell: the history before it, and blocks that it left out. */
#include "base/log.h"
#include "feed/feed_impl.h"

enum {
    RANGE_MS = 120000,
    NEAR = 8,  /* blocks that are rather asked for by id than as a range */
    TRIES = 8, /* before a block that the node says it does not have is believed to be missing */
    TRY_MS = 250,
};

/* ---- blocks by id */

static void refill_due(struct tfl_timer *timer)
{
    follower_fill(TFL_CONTAINER(timer, struct follower, refill));
}

static void block_answered(struct tfl_op *op)
{
    struct follower *f = op->owner;
    struct tfl_client_op *o = f->block;
    bool certain = op->failed && (op->err.code == TFL_E_NOT_FOUND || op->err.code == TFL_E_BAD_REPLY);
    f->block = NULL;
    if (!op->failed) {
        follower_heard(f);
        tfl_graph_block(f->feed->graph, f->node, &o->block, false, tfl_feed_now(f->feed));
        follower_fill(f);
    } else if (certain && ++f->tries >= TRIES) {
        TFL_LOG(TFL_LOG_WARN, "feed", "%s", op->err.msg);
        f->tries = 0;
        follower_unreadable(f, &op->err);
        tfl_graph_refused(f->feed->graph, f->node, &o->asked, tfl_feed_now(f->feed));
        follower_fill(f);
    } else {
        follower_after(f, &f->refill, TRY_MS, refill_due);
    }
    tfl_op_free(op);
}

/* Asks for the next block that the node's view needs, one at a time, unless its history is on the way anyway. */
void follower_fill(struct follower *f)
{
    if (f->block || f->range || tfl_timer_started(&f->refill) || tfl_timer_started(&f->again))
        return;
    const struct tfl_hash *hole = tfl_graph_hole(f->feed->graph, f->node);
    if (!hole)
        return;
    if (!tfl_hash_eq(hole, &f->hole))
        f->tries = 0;
    f->hole = *hole;
    f->block = tfl_client_block(f->client, hole, f->feed->params.timeout_ms);
    f->block->op.owner = f;
    f->block->op.done = block_answered;
}

/* ---- history */

static void ask_range(struct follower *f);

static void range_row(struct tfl_block_stream *s, const struct tfl_block_row *row)
{
    struct follower *f = s->arg;
    follower_heard(f);
    if (row->skipped) {
        const struct tfl_gblock *b = tfl_graph_find(f->feed->graph, &row->block.id);
        tfl_graph_seen(f->feed->graph, f->node, &row->block.id, false, tfl_feed_now(f->feed));
        if (b && b->slot >= f->range_next)
            f->range_next = b->slot + 1;
        return;
    }
    tfl_graph_block(f->feed->graph, f->node, &row->block, false, tfl_feed_now(f->feed));
    if (row->block.slot >= f->range_next)
        f->range_next = row->block.slot + 1;
}

/* Nodes give a range in pages: on from the last slot, while there is more. What fails here is asked for by id. */
static void range_ended(struct tfl_op *op)
{
    struct follower *f = op->owner;
    struct tfl_block_stream *s = f->range;
    bool more = !op->failed && s->n_rows > 0 && f->range_next <= f->range_to;
    f->range = NULL;
    if (op->failed) {
        TFL_LOG(TFL_LOG_INFO, "feed", "%s", op->err.msg);
        f->no_range = f->no_range || op->err.code == TFL_E_UNSUPPORTED;
    }
    tfl_op_free(op);
    if (more)
        ask_range(f);
    else
        follower_fill(f);
}

bool follower_knows(struct tfl_block_stream *s, const struct tfl_hash *id)
{
    struct follower *f = s->arg;
    return tfl_graph_knows(f->feed->graph, id);
}

static void ask_range(struct follower *f)
{
    f->range = tfl_client_range(f->client, f->range_next, f->range_to, RANGE_MS);
    f->range->arg = f;
    f->range->on_row = range_row;
    f->range->known = follower_knows;
    f->range->op.owner = f;
    f->range->op.done = range_ended;
}

/* The node's tip is unknown and far above what is known: its blocks from the last final one on. */
void follower_ask_history(struct follower *f, const struct tfl_node_info *info)
{
    const struct tfl_gblock *final = tfl_graph_last_final(f->feed->graph);
    if (f->range || f->no_range || tfl_graph_knows(f->feed->graph, &info->tip) ||
        info->height <= tfl_graph_best_height(f->feed->graph) + NEAR)
        return;
    f->range_next = final ? final->slot + 1 : 0;
    f->range_to = info->slot;
    if (f->range_next <= f->range_to)
        ask_range(f);
}
