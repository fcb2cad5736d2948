/* One node, followed: a session opens its stream and asks for its view, fills in what is missing, and ends when the
 * stream or the node is lost; then it begins again, with patience. Where a stream cannot be read, what follows a broken row
 * cannot be trusted, but the node's view and its blocks by id still can: it is polled from then on. Ops are freed when they end; the follower is never
 * freed inside a call of its own (the graph and its sink call nobody back). */
#include "base/log.h"
#include "feed/feed_impl.h"

#include <stdlib.h>

enum {
    BACKOFF_MIN_MS = 50,
    BACKOFF_MAX_MS = 1000,
    STEADY_MS = 2000,     /* a session that lasted so long is not one of a node that goes up and down */
    OPEN_MS = 10000,      /* for a stream to say that it is there */
    FIRST_LOOK_MS = 200,  /* the view is asked for when the stream has not opened by then */
    SECOND_LOOK_MS = 500, /* after a view that the stream had not told */
    POLL_MAX_MS = 1000,
};

static void begin(struct tfl_timer *timer);
static void look(struct tfl_timer *timer);

static uint64_t rows_heard(const struct follower *f)
{
    return tfl_graph_node(f->feed->graph, (size_t)f->node)->n_rows;
}

void follower_after(struct follower *f, struct tfl_timer *timer, int64_t ms, void (*fn)(struct tfl_timer *))
{
    tfl_timer_start(f->feed->loop, timer, tfl_now(f->feed->loop) + ms * TFL_MS, fn);
}

#define DROP(op_field)                                                                                       \
    do {                                                                                                     \
        if (op_field)                                                                                        \
            tfl_op_free(&(op_field)->op);                                                                    \
        (op_field) = NULL;                                                                                   \
    } while (0)

static void drop_all(struct follower *f)
{
    DROP(f->stream);
    DROP(f->range);
    DROP(f->info);
    DROP(f->block);
    tfl_timer_stop(f->feed->loop, &f->again);
    tfl_timer_stop(f->feed->loop, &f->look);
    tfl_timer_stop(f->feed->loop, &f->refill);
}

/* The session is over; the next one begins after a pause. A loss is told once, not at every try. */
static void lose(struct follower *f, const struct tfl_error *err)
{
    TFL_LOG(TFL_LOG_INFO, "feed", "%s", err->msg);
    if (!follower_unreadable(f, err) && f->healthy)
        tfl_graph_gap(f->feed->graph, f->node, TFL_GAP_LOST, err->msg, tfl_feed_now(f->feed));
    f->healthy = f->no_range = false; /* it may come back as another program */
    f->no_stream = f->bad_stream;
    drop_all(f);
    if (tfl_now(f->feed->loop) - f->began_ns > STEADY_MS * TFL_MS)
        f->backoff_ms = BACKOFF_MIN_MS;
    follower_after(f, &f->again, f->backoff_ms, begin);
    f->backoff_ms = f->backoff_ms * 2 < BACKOFF_MAX_MS ? f->backoff_ms * 2 : BACKOFF_MAX_MS;
}

void follower_heard(struct follower *f)
{
    f->healthy = true;
}

bool follower_unreadable(struct follower *f, const struct tfl_error *err)
{
    if (err->code != TFL_E_BAD_REPLY && err->code != TFL_E_TOO_LARGE)
        return false;
    if (!f->told_bad)
        tfl_graph_gap(f->feed->graph, f->node, TFL_GAP_BAD, err->msg, tfl_feed_now(f->feed));
    f->told_bad = true;
    return true;
}

/* ---- the view */

static void take_view(struct follower *f, const struct tfl_node_info *info)
{
    if (info->has_genesis)
        tfl_graph_genesis(f->feed->graph, f->node, &info->genesis, tfl_feed_now(f->feed));
    tfl_graph_view(f->feed->graph, f->node, &info->tip, &info->lib, tfl_feed_now(f->feed));
    follower_ask_history(f, info);
    follower_fill(f);
}

static bool view_is(const struct follower *f, const struct tfl_hash *tip)
{
    const struct tfl_graph_node *n = tfl_graph_node(f->feed->graph, (size_t)f->node);
    const struct tfl_gblock *at = n->want_tip ? n->want_tip : n->tip;
    return at && tfl_hash_eq(&at->id, tip);
}

/* The stream should have told this tip. It may be on its way; if a second look says so too, the stream is silent. */
static void cross_check(struct follower *f, const struct tfl_node_info *info)
{
    struct tfl_error err;
    if (view_is(f, &info->tip) || rows_heard(f) != f->rows_then) {
        f->doubtful = false;
    } else if (!f->doubtful) {
        f->doubtful = true;
        follower_after(f, &f->look, SECOND_LOOK_MS, look);
    } else {
        tfl_graph_gap(f->feed->graph, f->node, TFL_GAP_SILENT, NULL, tfl_feed_now(f->feed));
        take_view(f, info);
        tfl_fail(
            &err, TFL_E_CONNECT, "%s: its stream of blocks is silent; it is opened again", f->client->name);
        f->healthy = false; /* told already */
        lose(f, &err);
    }
}

static void poll_later(struct follower *f, bool moved)
{
    int64_t slot_ms = f->feed->params.graph.slot_ms, min = slot_ms > 0 ? slot_ms / 4 : 50;
    min = min < 20 ? 20 : min > 250 ? 250 : min;
    f->poll_ms = moved ? f->poll_ms / 2 : f->poll_ms + f->poll_ms / 2;
    f->poll_ms = f->poll_ms < min ? min : f->poll_ms > POLL_MAX_MS ? POLL_MAX_MS : f->poll_ms;
    follower_after(f, &f->look, f->poll_ms, look);
}

static void look_later(struct follower *f)
{
    int64_t check_ms = f->feed->params.check_ms; /* nodes take turns */
    follower_after(f, &f->look, check_ms + f->node * 37 % (check_ms / 4 + 1), look);
}

static void info_answered(struct tfl_op *op)
{
    struct follower *f = op->owner;
    struct tfl_client_op *o = f->info;
    struct tfl_error err = op->err;
    bool failed = op->failed;
    struct tfl_node_info info = o->info;
    f->info = NULL;
    tfl_op_free(op);
    if (failed && f->no_stream) {
        lose(f, &err);
        return;
    }
    if (!failed)
        follower_heard(f);
    if (f->no_stream) {
        bool moved = !view_is(f, &info.tip);
        tfl_graph_fresh(f->feed->graph, f->node); /* between two polls it may have started again */
        take_view(f, &info);
        poll_later(f, moved);
        return;
    }
    look_later(f);
    if (failed) {
        follower_unreadable(f, &err);
        TFL_LOG(TFL_LOG_INFO, "feed", "%s", err.msg); /* the stream decides whether the node is lost */
    } else if (f->synced) {
        cross_check(f, &info);
    } else {
        f->synced = f->open; /* what happens before the stream is open, it may not tell */
        if (rows_heard(f) == f->rows_then)
            take_view(f, &info);
        else
            follower_ask_history(f, &info);
    }
    if (f->look_again && !f->info && !tfl_timer_started(&f->again))
        follower_after(f, &f->look, 0, look);
    f->look_again = false;
}

static void ask_info(struct follower *f)
{
    if (f->info) {
        f->look_again = true;
        return;
    }
    f->rows_then = rows_heard(f);
    f->info = tfl_client_info(f->client, f->feed->params.timeout_ms);
    f->info->op.owner = f;
    f->info->op.done = info_answered;
}

static void look(struct tfl_timer *timer)
{
    struct follower *f = TFL_CONTAINER(timer, struct follower, look);
    struct tfl_error err;
    if (f->stream && !f->open && tfl_now(f->feed->loop) - f->began_ns > OPEN_MS * TFL_MS) {
        tfl_fail(&err, TFL_E_TIMEOUT, "%s: no answer on its stream of blocks within %ds", f->client->name,
            OPEN_MS / 1000);
        lose(f, &err);
        return;
    }
    ask_info(f);
}

/* ---- the stream */

static void stream_opened(struct tfl_block_stream *s)
{
    struct follower *f = s->arg;
    f->open = true;
    ask_info(f);
}

static void stream_row(struct tfl_block_stream *s, const struct tfl_block_row *row)
{
    struct follower *f = s->arg;
    follower_heard(f);
    if (row->skipped)
        tfl_graph_seen(f->feed->graph, f->node, &row->block.id, true, tfl_feed_now(f->feed));
    else
        tfl_graph_block(f->feed->graph, f->node, &row->block, true, tfl_feed_now(f->feed));
    if (row->has_view)
        tfl_graph_view(f->feed->graph, f->node, &row->tip, &row->lib, tfl_feed_now(f->feed));
    else
        f->synced = false, ask_info(f); /* the oldest streams do not tell the view */
    follower_fill(f);
}

static void stream_ended(struct tfl_op *op)
{
    struct follower *f = op->owner;
    struct tfl_error err = op->err;
    f->bad_stream = op->failed && follower_unreadable(f, &err);
    if (op->failed && (f->bad_stream || err.code == TFL_E_UNSUPPORTED)) {
        f->no_stream = true;
        DROP(f->stream);
        ask_info(f);
        return;
    }
    if (!op->failed)
        tfl_fail(&err, TFL_E_CONNECT, "%s: ended its stream of blocks", f->client->name);
    lose(f, &err);
}

static void begin(struct tfl_timer *timer)
{
    struct follower *f = TFL_CONTAINER(timer, struct follower, again);
    tfl_graph_session(f->feed->graph, f->node, tfl_feed_now(f->feed));
    f->open = f->synced = f->doubtful = f->look_again = false;
    f->began_ns = tfl_now(f->feed->loop);
    if (f->no_stream) {
        ask_info(f);
        return;
    }
    follower_after(f, &f->look, FIRST_LOOK_MS, look);
    f->stream = tfl_client_stream(f->client);
    f->stream->arg = f;
    f->stream->on_open = stream_opened;
    f->stream->on_row = stream_row;
    f->stream->known = follower_knows;
    f->stream->op.owner = f;
    f->stream->op.done = stream_ended;
}

struct follower *follower_new(struct tfl_feed *feed, int node, struct tfl_client *client)
{
    struct follower *f = tfl_alloc(sizeof *f);
    f->feed = feed;
    f->client = tfl_client_ref(client);
    f->node = node;
    f->backoff_ms = BACKOFF_MIN_MS;
    f->poll_ms = 100;
    begin(&f->again);
    return f;
}

void follower_free(struct follower *f)
{
    if (!f)
        return;
    drop_all(f);
    tfl_client_unref(f->client);
    free(f);
}
