/* A load of wishes: the node that can makes transactions of them, and tells their hashes. */
#include "load/load.h"
#include "load/wish_source.h"

#include "../../support/fake_http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { NODES = 2 };

static struct world {
    struct tfl_loop *loop;
    struct tfl_http *http;
    struct fake_server *servers[NODES];
    struct tfl_client *clients[NODES];
    struct tfl_wish_source source;
    struct tfl_feed *feed;
    struct tfl_load *load;
    int n[NODES], status, refuse_first;
    bool silent, early; /* early: the block with it is told before the answer is */
    const char *reply;
    unsigned height;
} * w;

static struct tfl_hash id(unsigned kind, unsigned n)
{
    return (struct tfl_hash){{(uint8_t)kind, (uint8_t)n, 1}};
}

/* node-0 says that block n, the next, holds a transaction. */
static void tell(const struct tfl_hash *tx, unsigned lib)
{
    struct tfl_graph *g = tfl_feed_graph(w->feed);
    struct tfl_hash txs[1] = {*tx}, tip = id(0xff, w->height + 1), final = id(0xff, lib);
    struct tfl_block_head head = {
        .id = tip, .parent = id(0xff, w->height), .slot = w->height + 1, .n_txs = 1, .txs = txs};
    w->height++;
    tfl_graph_block(g, 0, &head, true, tfl_feed_now(w->feed));
    tfl_graph_view(g, 0, &tip, &final, tfl_feed_now(w->feed));
}

static void handler(struct fake_conn *c, const char *method, const char *path, const char *body)
{
    int *n = c->server->arg, node = (int)(n - w->n);
    char hex[TFL_HASH_HEX];
    TFL_BUF reply = {0};
    struct tfl_hash hash = id((unsigned)node + 1, (unsigned)++*n);
    assert_string_equal(method, "POST");
    assert_string_equal(path, "/wallet/transactions/transfer-funds");
    assert_int_equal(body[0] - '0', node); /* it is this node's wish */
    if (w->silent)
        return;
    if (w->refuse_first-- > 0) {
        fake_reply(c, 500, "text/plain", "insufficient funds");
        return;
    }
    tfl_buf_addf(&reply, "{\"hash\":\"%s\"}", tfl_hash_hex(hex, &hash));
    if (w->early)
        tell(&hash, 0);
    fake_reply(c, w->status, "text/plain", w->reply ? w->reply : reply.data);
}

static int setup(void **state)
{
    struct tfl_feed_params params = {.graph.genesis = {{0xff, 0, 1}}};
    (void)state;
    w = tfl_alloc(sizeof *w);
    w->loop = tfl_loop_new(NULL);
    w->http = tfl_http_new(w->loop, NULL);
    w->status = 201;
    for (int i = 0; i < NODES; i++) {
        w->servers[i] = fake_listen(w->loop, 0, handler, &w->n[i]);
        w->clients[i] =
            tfl_client_new(w->http, w->loop, i ? "node-1" : "node-0", w->servers[i]->url, "logos", NULL);
    }
    w->feed = tfl_feed_new(w->loop, &params);
    tfl_graph_add_node(tfl_feed_graph(w->feed), "node-0");
    tfl_graph_session(tfl_feed_graph(w->feed), 0, tfl_feed_now(w->feed));
    tfl_wish_source_init(&w->source, 3);
    for (size_t i = 0; i < 3; i++) {
        w->source.wishes[i].target = i % NODES;
        w->source.wishes[i].body = tfl_strdup(i % NODES ? "1" : "0");
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tfl_load_free(w->load);
    tfl_feed_unref(w->feed);
    for (int i = 0; i < NODES; i++) {
        fake_free(w->servers[i]);
        tfl_client_unref(w->clients[i]);
    }
    tfl_wish_source_done(&w->source);
    tfl_http_free(w->http);
    tfl_loop_free(w->loop);
    free(w);
    return 0;
}

/* n wishes at once, until each has its last answer. */
static void run(int n, bool feed)
{
    struct tfl_stage stage = {TFL_S / 100, 100.0 * n, 100.0 * n};
    struct tfl_generator_params params = {.stages = &stage,
        .n_stages = 1,
        .targets = w->clients,
        .n_targets = NODES,
        .source = &w->source.source,
        .timeout_ms = 300};
    struct tfl_error err = {0};
    bool never = false;
    w->load = tfl_load_new(w->loop, &params, feed ? w->feed : NULL, NULL, NULL, &err);
    if (!w->load)
        fail_msg("%s", err.msg);
    tfl_load_start(w->load, tfl_now(w->loop));
    for (int i = 0; i < 1000 && !tfl_load_reached(w->load, TFL_LOAD_SENT); i++)
        fake_run(w->loop, &never, 10);
    assert_true(tfl_load_reached(w->load, TFL_LOAD_SENT));
}

static const struct tfl_tracker_counts *counts(void)
{
    return tfl_tracker_counts(w->load->tracker);
}

static void each_goes_to_the_node_that_can(void **state)
{
    (void)state;
    run(9, false);
    assert_int_equal(w->n[0], 6);
    assert_int_equal(w->n[1], 3);
    assert_int_equal(counts()->accepted, 9);
    for (uint64_t i = 0; i < 9; i++)
        assert_int_equal(tfl_tracker_find(w->load->tracker, &tfl_tracker_at(w->load->tracker, i)->hash), i);
}

static void is_found_on_the_chain_by_the_hash_of_the_answer(void **state)
{
    (void)state;
    run(2, true);
    assert_int_equal(counts()->open, 2);
    tell(&tfl_tracker_at(w->load->tracker, 0)->hash, 0);
    tell(&tfl_tracker_at(w->load->tracker, 1)->hash, 1);
    tfl_follow_read(&w->load->follow);
    assert_true(tfl_load_reached(w->load, TFL_LOAD_INCLUDED));
    assert_int_equal(counts()->final, 1);
}

static void is_found_in_a_block_that_came_before_the_answer(void **state)
{
    (void)state;
    w->early = true;
    run(3, true);
    assert_true(tfl_load_reached(w->load, TFL_LOAD_INCLUDED));
    assert_int_equal(counts()->included, 3);
    assert_int_equal(counts()->two_branches, 0);
    assert_int_equal(counts()->twice, 0);
    struct tfl_hash none = {{9}};
    tell(&none, w->height); /* all of them are final now */
    tfl_follow_read(&w->load->follow);
    assert_true(tfl_load_reached(w->load, TFL_LOAD_FINAL));
    assert_int_equal(counts()->final, 3);
}

static void a_refusal_is_tried_again_at_the_same_node(void **state)
{
    (void)state;
    w->refuse_first = 2;
    run(1, false);
    assert_int_equal(counts()->accepted, 1);
    assert_int_equal(w->n[0], 3);
    assert_int_equal(w->n[1], 0);
}

static void what_a_node_may_have_made_is_not_wished_again(void **state)
{
    (void)state;
    w->silent = true;
    run(1, false);
    assert_int_equal(counts()->unanswered, 1);
    assert_int_equal(w->n[0], 1); /* a second transfer would be another one */
}

static void an_answer_without_a_hash_is_named(void **state)
{
    (void)state;
    w->reply = "{\"hash\":\"12\"}";
    run(1, false);
    assert_int_equal(counts()->unanswered, 1);
    assert_int_equal(w->n[0], 1);
    assert_non_null(strstr(tfl_tracker_reason(w->load->tracker, 1, NULL),
        "node-0: field hash: expected 64 hex digits, saw \"12\""));
}

static void other_nodes_make_no_transfers(void **state)
{
    struct tfl_stage stage = {TFL_S, 1, 1};
    struct tfl_error err = {0};
    (void)state;
    struct tfl_client *reference =
        tfl_client_new(w->http, w->loop, "n", w->servers[0]->url, "reference", NULL);
    struct tfl_generator_params params = {
        .stages = &stage, .n_stages = 1, .targets = &reference, .n_targets = 1, .source = &w->source.source};
    assert_null(tfl_load_new(w->loop, &params, NULL, NULL, NULL, &err));
    assert_int_equal(err.code, TFL_E_UNSUPPORTED);
    assert_non_null(strstr(err.msg, "make no transfers"));
    tfl_client_unref(reference);
}

#define SPEC(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        SPEC(each_goes_to_the_node_that_can),
        SPEC(is_found_on_the_chain_by_the_hash_of_the_answer),
        SPEC(is_found_in_a_block_that_came_before_the_answer),
        SPEC(a_refusal_is_tried_again_at_the_same_node),
        SPEC(what_a_node_may_have_made_is_not_wished_again),
        SPEC(an_answer_without_a_hash_is_named),
        SPEC(other_nodes_make_no_transfers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
