#ifndef TFL_SPEC_BLOCK_FEED_WORLD_H
#define TFL_SPEC_BLOCK_FEED_WORLD_H

/* Fake nodes and a feed that follows them: shared by the specs of the feed. */
#include "feed/block_feed.h"

#include "../../support/fake_api.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SHARED __attribute__((unused)) static

enum { MAX = 12 };

struct world {
    struct tfl_loop *loop;
    struct tfl_http *http;
    struct tfl_feed *feed;
    struct fake_node nodes[MAX];
    struct tfl_client *clients[MAX];
    struct tfl_feed_cursor cursor;
    int n;
};

SHARED struct world *w;

SHARED void add(int i)
{
    char name[16];
    struct tfl_error err;
    snprintf(name, sizeof name, "node-%d", i);
    if (!w->clients[i])
        w->clients[i] = tfl_client_new(w->http, w->loop, name, w->nodes[i].server->url, NULL, &err);
    assert_non_null(w->clients[i]);
    assert_int_equal(tfl_feed_add(w->feed, name, w->clients[i], &err), 0);
}

SHARED int setup(void **state)
{
    (void)state;
    w = tfl_alloc(sizeof *w);
    w->loop = tfl_loop_new(NULL);
    w->http = tfl_http_new(w->loop, NULL);
    memset(fake_blocks, 0, sizeof fake_blocks);
    return 0;
}

SHARED int teardown(void **state)
{
    (void)state;
    tfl_feed_unref(w->feed);
    for (int i = 0; i < MAX; i++) {
        tfl_client_unref(w->clients[i]);
        fake_node_stop(&w->nodes[i]);
    }
    assert_int_equal(tfl_http_active(w->http), 0);
    tfl_http_free(w->http);
    tfl_loop_free(w->loop);
    free(w);
    return 0;
}

SHARED void open_feed(int n)
{
    struct tfl_feed_params params = {.graph.genesis = fake_id(0), .check_ms = 200, .timeout_ms = 1000};
    w->feed = tfl_feed_new(w->loop, &params);
    w->n = n;
    for (int i = 0; i < n; i++)
        fake_node_start(&w->nodes[i], w->loop, 0);
}

SHARED void follow_all(void)
{
    for (int i = 0; i < w->n; i++)
        add(i);
}

SHARED const struct tfl_graph_node *node(int i)
{
    return tfl_graph_node(tfl_feed_graph(w->feed), (size_t)i);
}

SHARED uint64_t told(enum tfl_feed_code code)
{
    struct tfl_graph_counts c;
    tfl_graph_count(tfl_feed_graph(w->feed), &c);
    return c.by_code[code];
}

SHARED bool tip_is(int i, unsigned n)
{
    struct tfl_hash id = fake_id(n);
    return node(i)->tip && tfl_hash_eq(&node(i)->tip->id, &id);
}

#define EVENTUALLY(cond, ms)                                                                                 \
    do {                                                                                                     \
        bool met_ = false, never_ = false;                                                                   \
        for (int64_t end_ = tfl_now(w->loop) + (ms)*TFL_MS; !met_ && tfl_now(w->loop) < end_; met_ = (cond)) \
            fake_run(w->loop, &never_, 2);                                                                   \
        if (!met_)                                                                                           \
            fail_msg("not within %d ms: %s", (int)(ms), #cond);                                              \
    } while (0)

SHARED void let_pass(int64_t ms)
{
    bool never = false;
    fake_run(w->loop, &never, ms);
}

/* A chain of n blocks in slots 2, 4, …, from block `first` on parent. */
SHARED void define_chain(unsigned first, unsigned parent, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        fake_define(first + i, i ? first + i - 1 : parent, fake_blocks[parent].slot + 2 + 2 * i);
}

SHARED void own(struct fake_node *f, unsigned first, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        f->has[first + i] = true;
    f->tip = first + n - 1;
}

#endif
