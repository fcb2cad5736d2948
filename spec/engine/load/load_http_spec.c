/* A load over real sockets: wallets, signatures, kept connections, nodes that die and misbehave. */
#include "load/load.h"

#include "chain/tx_json.h"
#include "load/wallet_source.h"

#include "../../support/fake_http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { NODES = 2, WALLETS = 3, MAX = 5000 };

struct node {
    struct fake_server *server;
    struct tfl_client *client;
    int n, status, port;
    const char *words; /* of a status */
    bool silent;
};

static struct world {
    struct tfl_loop *loop;
    struct tfl_http *http;
    struct node nodes[NODES];
    struct tfl_wallet wallets[WALLETS], *list[WALLETS];
    struct tfl_wallet_source source;
    struct tfl_load *load;
    struct tfl_hash seen[MAX];
    int n_seen;
} * w;

/* Takes only what is a good transaction, by the rules of the node itself. */
static void handler(struct fake_conn *c, const char *method, const char *path, const char *body)
{
    struct node *node = c->server->arg;
    struct tfl_verdict v = {0};
    struct tfl_tx tx = {0};
    struct tfl_error err = {0};
    assert_string_equal(method, "POST");
    assert_string_equal(path, "/mempool/add/tx");
    if (node->silent)
        return;
    if (node->status) {
        fake_reply(c, node->status, "text/plain", node->words ? node->words : "mempool is full");
        return;
    }
    if (tfl_tx_parse(&tx, body, strlen(body), &err) || tfl_tx_check(&v, &tx, &err) != TFL_TX_OK) {
        fake_reply(c, 422, "text/plain", err.msg);
    } else {
        assert_true(w->n_seen < MAX);
        w->seen[w->n_seen++] = v.hash;
        node->n++;
        fake_json(c, "null");
    }
    tfl_tx_done(&tx);
}

static int setup(void **state)
{
    (void)state;
    tfl_chain_init();
    w = tfl_alloc(sizeof *w);
    w->loop = tfl_loop_new(NULL);
    w->http = tfl_http_new(w->loop, NULL);
    for (int i = 0; i < NODES; i++) {
        char name[16];
        snprintf(name, sizeof name, "node-%d", i);
        w->nodes[i].server = fake_listen(w->loop, 0, handler, &w->nodes[i]);
        w->nodes[i].port = w->nodes[i].server->port;
        w->nodes[i].client = tfl_client_new(w->http, w->loop, name, w->nodes[i].server->url, NULL, NULL);
    }
    for (int i = 0; i < WALLETS; i++) {
        tfl_wallet_init(&w->wallets[i], 7, (uint64_t)i);
        w->list[i] = &w->wallets[i];
        struct tfl_note note = {.id = {{(uint8_t)(i + 1)}}, .value = 100000};
        memcpy(note.pk, w->wallets[i].key.pub, sizeof note.pk);
        tfl_wallet_receive(&w->wallets[i], &note);
    }
    w->source = (struct tfl_wallet_source){.wallets = w->list, .n = WALLETS, .amount = 1};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tfl_load_free(w->load);
    for (int i = 0; i < NODES; i++) {
        fake_free(w->nodes[i].server);
        tfl_client_unref(w->nodes[i].client);
    }
    for (int i = 0; i < WALLETS; i++)
        tfl_wallet_done(&w->wallets[i]);
    tfl_http_free(w->http);
    tfl_loop_free(w->loop);
    free(w);
    return 0;
}

static void begin(struct tfl_generator_params params, double rate, int64_t ms)
{
    struct tfl_client *targets[NODES] = {w->nodes[0].client, w->nodes[1].client};
    struct tfl_stage stage = {ms * TFL_MS, rate, rate};
    struct tfl_error err = {0};
    tfl_wallet_source_init(&w->source);
    params.stages = &stage;
    params.n_stages = 1;
    params.targets = targets;
    params.n_targets = NODES;
    params.source = &w->source.source;
    w->load = tfl_load_new(w->loop, &params, NULL, NULL, NULL, &err);
    if (!w->load)
        fail_msg("%s", err.msg);
    tfl_load_start(w->load, tfl_now(w->loop));
}

static void pass(int64_t ms)
{
    bool never = false;
    fake_run(w->loop, &never, ms);
}

static const struct tfl_tracker_counts *finish(void)
{
    for (int i = 0; i < 1000 && !tfl_load_reached(w->load, TFL_LOAD_SENT); i++)
        pass(20);
    assert_true(tfl_load_reached(w->load, TFL_LOAD_SENT));
    return tfl_tracker_counts(w->load->tracker);
}

static void transfers_arrive_signed_and_once(void **state)
{
    (void)state;
    begin((struct tfl_generator_params){.round_robin = true}, 300, 1000);
    const struct tfl_tracker_counts *c = finish();
    assert_int_equal(c->planned, 300);
    assert_int_equal(c->accepted, 300);
    assert_int_equal(w->n_seen, 300);
    assert_int_equal(w->nodes[0].n, 150);
    for (int i = 0; i < 300; i++)
        assert_true(tfl_tracker_find(w->load->tracker, &w->seen[i]) < 300);
    assert_int_equal(tfl_wallet_n_pending(&w->wallets[0]), 100);
    assert_in_range(w->nodes[0].server->n_accepted, 1, 20); /* connections are kept */
}

static void inscriptions_arrive_too(void **state)
{
    (void)state;
    w->source.kind = TFL_LOAD_INSCRIPTION;
    w->source.bytes = 2000;
    begin((struct tfl_generator_params){.seed = 1}, 300, 500);
    assert_int_equal(finish()->accepted, 150);
    assert_int_equal(w->n_seen, 150);
    assert_int_equal(tfl_wallet_n_pending(&w->wallets[0]), 0);
}

static void a_dead_node_loses_nothing(void **state)
{
    (void)state;
    begin((struct tfl_generator_params){.round_robin = true}, 200, 1500);
    pass(500);
    fake_free(w->nodes[1].server); /* killed, and back a second later */
    w->nodes[1].server = NULL;
    pass(600);
    w->nodes[1].server = fake_listen(w->loop, w->nodes[1].port, handler, &w->nodes[1]);
    int before = w->nodes[1].n;
    const struct tfl_tracker_counts *c = finish();
    assert_int_equal(c->accepted, 300);
    assert_true(w->nodes[1].n > before);
    assert_true(c->tries > 300);
}

static void a_silent_node_delays_only_its_own(void **state)
{
    (void)state;
    w->nodes[1].silent = true;
    begin((struct tfl_generator_params){.round_robin = true, .timeout_ms = 1500}, 100, 1000);
    const struct tfl_tracker_counts *c = finish();
    struct tfl_generator_figures f;
    tfl_generator_figures(w->load->generator, &f);
    assert_int_equal(c->accepted, 100);
    assert_int_equal(f.held, 0);
    for (uint64_t i = 0; i < 100; i++) {
        const struct tfl_tx_record *r = tfl_tracker_at(w->load->tracker, i);
        assert_int_equal(r->tries, i % 2 ? 2 : 1);
        assert_true(i % 2 == 0 || r->accepted_us >= 1500000);
    }
}

static void what_all_refuse_is_rejected_with_their_words(void **state)
{
    (void)state;
    w->nodes[0].status = w->nodes[1].status = 500;
    begin((struct tfl_generator_params){.tries = 2}, 100, 100);
    const struct tfl_tracker_counts *c = finish();
    assert_int_equal(c->rejected, 10);
    const char *reason = tfl_tracker_reason(w->load->tracker, 1, NULL);
    assert_non_null(strstr(reason, ": status 500: mempool is full"));
    assert_int_equal(tfl_wallet_n_pending(&w->wallets[0]), 0); /* their notes are free again */
    assert_int_equal(tfl_wallet_balance(&w->wallets[0]), 100000);
}

/* The way to the nodes is away for a while: nobody has refused anything. */
static void what_does_not_reach_a_node_is_not_refused_by_it(void **state)
{
    static const char *const words[] = {"dial tcp 10.0.0.1:6443: connect: connection refused\n",
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"code\":503,\"message\":\"dial tcp: no route\"}",
        "unexpected EOF\n"};
    (void)state;
    for (size_t i = 0; i < TFL_LEN(words); i++) {
        if (i)
            teardown(state), setup(state);
        w->nodes[0].status = w->nodes[1].status = 500;
        w->nodes[0].words = w->nodes[1].words = words[i];
        begin((struct tfl_generator_params){0}, 20, 500);
        const struct tfl_tracker_counts *c = finish();
        assert_int_equal(c->rejected, 0);
        assert_int_equal(c->unanswered, 10);
    }
}

static void an_empty_wallet_says_so(void **state)
{
    (void)state;
    w->source.amount = 60000;
    begin((struct tfl_generator_params){.seed = 1}, 100, 60);
    const struct tfl_tracker_counts *c = finish();
    assert_int_equal(c->accepted, 3);
    assert_int_equal(c->rejected, 3);
    assert_int_equal(c->sent, 3);
    assert_non_null(strstr(tfl_tracker_reason(w->load->tracker, 1, NULL), "wallet 0: "));
}

static void it_may_go_in_the_middle(void **state)
{
    (void)state;
    w->nodes[0].silent = w->nodes[1].silent = true;
    begin((struct tfl_generator_params){.seed = 1}, 1000, 10000);
    pass(200);
}

#define SPEC(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SPEC(transfers_arrive_signed_and_once),
        SPEC(inscriptions_arrive_too),
        SPEC(a_dead_node_loses_nothing),
        SPEC(a_silent_node_delays_only_its_own),
        SPEC(what_all_refuse_is_rejected_with_their_words),
        SPEC(what_does_not_reach_a_node_is_not_refused_by_it),
        SPEC(an_empty_wallet_says_so),
        SPEC(it_may_go_in_the_middle),
    };
    return cmocka_run_group_tests_name("load.load_http", tests, NULL, NULL);
}
