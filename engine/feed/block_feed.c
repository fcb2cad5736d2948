#include "feed/block_feed.h"

#include "feed/feed_impl.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct wait_op {
    struct tfl_op op;
    struct tfl_feed *feed;
    uint64_t next_event;
    bool listed;
    struct wait_op *prev, *next;
};

static void unlist(struct wait_op *w)
{
    if (w->listed)
        DL_DELETE(w->feed->waits, w);
    w->listed = false;
}

static void wait_cancel(struct tfl_op *op)
{
    unlist(TFL_CONTAINER(op, struct wait_op, op));
}

static void wait_destroy(struct tfl_op *op)
{
    struct wait_op *w = TFL_CONTAINER(op, struct wait_op, op);
    unlist(w);
    tfl_feed_unref(w->feed);
    free(w);
}

/* Ends the waits that have what they wait for; ops tell their owners later, in the next turn. */
static void wake(void *arg)
{
    struct tfl_feed *feed = arg;
    struct wait_op *w, *next;
    uint64_t end = tfl_graph_end(feed->graph);
    DL_FOREACH_SAFE(feed->waits, w, next)
    if (w->next_event < end || feed->closed) {
        unlist(w);
        tfl_op_succeed(&w->op);
    }
}

struct tfl_op *tfl_feed_wait(struct tfl_feed *feed, const struct tfl_feed_cursor *cursor)
{
    struct wait_op *w = tfl_alloc(sizeof *w);
    tfl_op_init(&w->op, feed->loop, wait_cancel, wait_destroy);
    w->feed = tfl_feed_ref(feed);
    w->next_event = cursor->next;
    w->listed = true;
    DL_APPEND(feed->waits, w);
    wake(feed);
    return &w->op;
}

const struct tfl_feed_event *tfl_feed_read(
    struct tfl_feed *feed, struct tfl_feed_cursor *cursor, uint64_t *lost)
{
    uint64_t first = tfl_graph_first(feed->graph);
    *lost = 0;
    if (cursor->next < first) {
        *lost = first - cursor->next;
        cursor->next = first;
        return NULL;
    }
    if (cursor->next >= tfl_graph_end(feed->graph))
        return NULL;
    return tfl_graph_event(feed->graph, cursor->next++);
}

struct tfl_feed *tfl_feed_new(struct tfl_loop *loop, const struct tfl_feed_params *params)
{
    struct tfl_feed *feed = tfl_alloc(sizeof *feed);
    feed->loop = loop;
    feed->params = *params;
    if (params->check_ms <= 0)
        feed->params.check_ms = 3000;
    if (params->timeout_ms <= 0)
        feed->params.timeout_ms = 5000;
    feed->start_ns = tfl_now(loop);
    feed->refs = 1;
    feed->graph = tfl_graph_new(&params->graph);
    tfl_graph_on_events(feed->graph, wake, feed);
    tfl_graph_genesis(feed->graph, TFL_NO_NODE, &params->graph.genesis, tfl_feed_now(feed));
    return feed;
}

struct tfl_feed *tfl_feed_ref(struct tfl_feed *feed)
{
    feed->refs++;
    return feed;
}

void tfl_feed_unref(struct tfl_feed *feed)
{
    if (!feed || --feed->refs)
        return;
    tfl_feed_close(feed);
    tfl_graph_free(feed->graph);
    free(feed->followers);
    free(feed);
}

void tfl_feed_close(struct tfl_feed *feed)
{
    if (feed->closed)
        return;
    feed->closed = true;
    for (size_t i = 0; i < feed->n_followers; i++) {
        follower_free(feed->followers[i]);
        feed->followers[i] = NULL;
    }
    wake(feed);
}

bool tfl_feed_closed(const struct tfl_feed *feed)
{
    return feed->closed;
}

struct tfl_graph *tfl_feed_graph(struct tfl_feed *feed)
{
    return feed->graph;
}

struct tfl_when tfl_feed_now(const struct tfl_feed *feed)
{
    return (struct tfl_when){tfl_now(feed->loop) - feed->start_ns, tfl_wall_now(feed->loop) / TFL_MS};
}

static int feed_node(struct tfl_feed *feed, const char *name, struct tfl_error *err)
{
    if (feed->closed)
        return tfl_fail(err, TFL_E_STATE, "%.63s: cannot be followed: the block feed is closed", name);
    int node = tfl_graph_add_node(feed->graph, name);
    if (node < 0)
        tfl_fail(err, TFL_E_TOO_LARGE, "%.63s: cannot be followed: a block feed follows at most %d nodes",
            name, TFL_GRAPH_NODES);
    return node;
}

int tfl_feed_add(struct tfl_feed *feed, const char *name, struct tfl_client *client, struct tfl_error *err)
{
    int node = feed_node(feed, name, err);
    if (node < 0)
        return -1;
    if ((size_t)node >= feed->n_followers) {
        feed->followers = tfl_realloc(feed->followers, (size_t)(node + 1) * sizeof(struct follower *));
        memset(feed->followers + feed->n_followers, 0,
            ((size_t)node + 1 - feed->n_followers) * sizeof(struct follower *));
        feed->n_followers = (size_t)node + 1;
    }
    if (feed->followers[node])
        return tfl_fail(err, TFL_E_STATE, "%.63s: is followed already; stop_node comes first", name);
    feed->followers[node] = follower_new(feed, node, client);
    return 0;
}

int tfl_feed_enter(struct tfl_feed *feed, const char *name, struct tfl_error *err)
{
    int node = feed_node(feed, name, err);
    if (node < 0)
        return -1;
    tfl_graph_session(feed->graph, node, tfl_feed_now(feed));
    tfl_graph_in_order(feed->graph, node);
    return 0;
}

int tfl_feed_stop_node(struct tfl_feed *feed, const char *name, struct tfl_error *err)
{
    int node = tfl_graph_find_node(feed->graph, name);
    if (node < 0 || tfl_graph_node(feed->graph, (size_t)node)->stale)
        return tfl_fail(err, TFL_E_NOT_FOUND, "%.63s: is not followed by the block feed", name);
    if ((size_t)node < feed->n_followers) {
        follower_free(feed->followers[node]);
        feed->followers[node] = NULL;
    }
    tfl_graph_stale(feed->graph, node, tfl_feed_now(feed));
    return 0;
}
