#ifndef TFL_SPEC_LOAD_WORLD_H
#define TFL_SPEC_LOAD_WORLD_H

/* A load under virtual time: a chain that the spec tells, and nodes that answer after a time the spec sets. */
#include "load/load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SHARED __attribute__((unused)) static
#define MS INT64_C(1000000)

enum { MAX_TXS = 4096 };

struct pending_answer {
    struct tfl_timer timer;
    struct tfl_load_ticket *ticket;
    uint64_t i;
    size_t target;
    struct pending_answer *next;
};

/* Makes transactions whose body is their number and whose hash follows from it. */
struct world {
    struct tfl_loop *loop;
    struct tfl_feed *feed;
    struct tfl_graph *graph;
    struct tfl_load *load;
    struct tfl_load_source source;
    struct tfl_load_wire wire;
    int64_t answer_ms; /* -1: never */
    /* what the node says to the try-th try of intent i; NULL: accepts all */
    enum tfl_submit_answer (*says)(uint64_t i, size_t target, int try, bool *maybe);
    int tries[MAX_TXS];
    int64_t posted_at[MAX_TXS]; /* of the first try */
    size_t targets[MAX_TXS];    /* of the last */
    struct pending_answer *answers;
    uint64_t fails; /* intents that are multiples of it cannot be made; 0: none */
    uint64_t settled, dropped, n_changed, in_flight, most;
    uint64_t chain;       /* dropping i drops i + chain, i + 2 chain… below made; 0: i alone */
    uint64_t made, makes; /* the highest intent so far and one; how often one was made */
};

SHARED struct world *w;

SHARED struct tfl_hash tx_hash(uint64_t i)
{
    struct tfl_hash h;
    memset(&h, 0x77, sizeof h);
    tfl_put_le(h.b, i * 0x9e3779b97f4a7c15u, 8);
    tfl_put_le(h.b + 8, i, 8);
    return h;
}

SHARED int make_tx(struct tfl_load_source *source, uint64_t i, struct tfl_buf *body, struct tfl_hash *hash,
    struct tfl_error *err)
{
    (void)source;
    w->makes++;
    w->made = i + 1 > w->made ? i + 1 : w->made;
    if (w->fails && i % w->fails == 0)
        return tfl_fail(err, TFL_E_NOT_FOUND, "no note left");
    tfl_buf_addf(body, "%llu", (unsigned long long)i);
    *hash = tx_hash(i);
    return 0;
}

SHARED void tx_settled(struct tfl_load_source *source, uint64_t i, const struct tfl_hash *hash)
{
    struct tfl_hash expected = tx_hash(i);
    (void)source;
    assert_true(tfl_hash_eq(hash, &expected));
    w->settled++;
}

SHARED void tx_dropped(struct tfl_load_source *source, uint64_t i, const struct tfl_hash *hash,
    void (*fn)(void *arg, const struct tfl_hash *hash), void *arg)
{
    (void)source;
    w->dropped++;
    fn(arg, hash);
    for (uint64_t next = i + w->chain; w->chain && next < w->made; next += w->chain) {
        struct tfl_hash h = tx_hash(next);
        fn(arg, &h);
    }
}

SHARED void answer_due(struct tfl_timer *timer)
{
    struct pending_answer *a = TFL_CONTAINER(timer, struct pending_answer, timer), **p = &w->answers;
    bool maybe = false;
    enum tfl_submit_answer says =
        w->says ? w->says(a->i, a->target, w->tries[a->i], &maybe) : TFL_SUBMIT_ACCEPTED;
    while (*p != a)
        p = &(*p)->next;
    *p = a->next;
    w->in_flight--;
    tfl_generator_answer(a->ticket, says, maybe, says == TFL_SUBMIT_ACCEPTED ? NULL : "because");
    free(a);
}

SHARED void post(
    struct tfl_load_wire *wire, size_t target, const char *body, size_t len, struct tfl_load_ticket *ticket)
{
    struct pending_answer *a = tfl_alloc(sizeof *a);
    (void)wire;
    (void)len;
    a->i = strtoull(body, NULL, 10);
    a->ticket = ticket;
    a->target = target;
    a->next = w->answers;
    w->answers = a;
    w->targets[a->i] = target;
    if (!w->tries[a->i]++)
        w->posted_at[a->i] = tfl_now(w->loop);
    w->in_flight++;
    w->most = w->in_flight > w->most ? w->in_flight : w->most;
    if (w->answer_ms >= 0)
        tfl_timer_start(w->loop, &a->timer, tfl_now(w->loop) + w->answer_ms * MS, answer_due);
}

SHARED void changed(void *arg)
{
    ((struct world *)arg)->n_changed++;
}

SHARED int setup(void **state)
{
    (void)state;
    w = tfl_alloc(sizeof *w);
    w->loop = tfl_loop_new_virtual(0);
    w->source = (struct tfl_load_source){.make = make_tx, .settled = tx_settled, .dropped = tx_dropped};
    w->wire.post = post;
    struct tfl_feed_params params = {.graph.genesis = {{0xff, 0}}};
    w->feed = tfl_feed_new(w->loop, &params);
    w->graph = tfl_feed_graph(w->feed);
    for (int i = 0; i < 3; i++) {
        char name[16];
        snprintf(name, sizeof name, "node-%d", i);
        tfl_graph_add_node(w->graph, name);
        tfl_graph_session(w->graph, i, tfl_feed_now(w->feed));
    }
    return 0;
}

SHARED int teardown(void **state)
{
    (void)state;
    tfl_load_free(w->load);
    while (w->answers) {
        struct pending_answer *next = w->answers->next;
        tfl_timer_stop(w->loop, &w->answers->timer);
        free(w->answers);
        w->answers = next;
    }
    tfl_feed_unref(w->feed);
    tfl_loop_free(w->loop);
    free(w);
    return 0;
}

/* A load with these parameters that begins now. */
SHARED void begin(struct tfl_generator_params params)
{
    struct tfl_error err = {0};
    params.source = &w->source;
    params.wire = &w->wire;
    if (!params.n_targets)
        params.n_targets = 3;
    w->load = tfl_load_new(w->loop, &params, w->feed, changed, w, &err);
    if (!w->load)
        fail_msg("%s", err.msg);
    tfl_load_start(w->load, tfl_now(w->loop));
}

SHARED void nothing(struct tfl_timer *timer)
{
    (void)timer;
}

SHARED void pass(int64_t ms)
{
    struct tfl_timer timer = {0};
    int64_t end = tfl_now(w->loop) + ms * MS;
    tfl_timer_start(w->loop, &timer, end, nothing);
    while (tfl_timer_started(&timer))
        tfl_loop_turn(w->loop, true);
    tfl_timer_stop(w->loop, &timer);
    for (int i = 0; i < 200; i++) /* what else belongs to this moment */
        tfl_loop_turn(w->loop, false);
}

SHARED struct tfl_hash block_id(unsigned n)
{
    return (struct tfl_hash){{0xff, (uint8_t)n}};
}

/* node says: block n with parent, holding the transactions from first on, is my tip. */
SHARED void tell(int node, unsigned n, unsigned parent, unsigned lib, uint64_t first, uint32_t n_txs)
{
    struct tfl_hash txs[64], tip = block_id(n), final = block_id(lib);
    struct tfl_block_head head = {
        .id = block_id(n), .parent = block_id(parent), .slot = n, .n_txs = n_txs, .txs = txs};
    for (uint32_t i = 0; i < n_txs; i++)
        txs[i] = tx_hash(first + i);
    tfl_graph_block(w->graph, node, &head, true, tfl_feed_now(w->feed));
    tfl_graph_view(w->graph, node, &tip, &final, tfl_feed_now(w->feed));
}

SHARED const struct tfl_tracker_counts *counts(void)
{
    return tfl_tracker_counts(w->load->tracker);
}

SHARED const struct tfl_tx_record *rec(uint64_t i)
{
    return tfl_tracker_at(w->load->tracker, i);
}

#define SPEC(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
