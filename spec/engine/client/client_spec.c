#include "client_world.h"

static void asks_each_question(void **state)
{
    struct world *w = *state;
    TFL_BUF b = {0};
    struct tfl_hash one = fake_id(1), two = fake_id(2);
    serve(w, NULL, answer);
    tfl_buf_addf(&b,
        "{\"tip\":\"%s\",\"lib\":\"%s\",\"slot\":9007199254740993,\"height\":12,\"mode\":\"Online\"}",
        fake_hex(1), fake_hex(2));
    w->reply = b.data;
    finish(w, tfl_client_info(w->client, 0));
    assert_false(w->op->op.failed);
    assert_true(w->op->info.slot == UINT64_C(9007199254740993)); /* 2^53 + 1 */
    assert_string_equal(w->path, "/cryptarchia/info");
    drop(w);
    w->reply = "{\"n_peers\":3,\"peer_id\":\"x\"}";
    finish(w, tfl_client_network(w->client, 0));
    assert_int_equal(w->op->network.n_peers, 3);
    drop(w);
    tfl_buf_clear(&b);
    tfl_buf_addf(&b, "[\"%s\",\"%s\"]", fake_hex(1), fake_hex(2));
    w->reply = b.data;
    finish(w, tfl_client_headers(w->client, &one, &two, 0));
    assert_int_equal(w->op->n, 2);
    assert_memory_equal(&w->op->ids[1], &two, sizeof two);
    tfl_buf_clear(&b);
    tfl_buf_addf(&b, "/cryptarchia/headers?from=%s&to=%s", fake_hex(1), fake_hex(2));
    assert_string_equal(w->path, b.data);
    drop(w);
    w->reply = "[4,5,9]";
    finish(w, tfl_client_late_slots(w->client, 0));
    assert_int_equal(w->op->n, 3);
    assert_int_equal(w->op->slots[2], 9);
    drop(w);
    w->status = 404;
    finish(w, tfl_client_late_slots(w->client, 0));
    assert_false(w->op->op.failed);
    assert_null(w->op->slots);
    drop(w);
    assert_int_equal(w->server->n_accepted, 1);
}

static void reads_blocks(void **state)
{
    struct world *w = *state;
    TFL_BUF b = {0};
    struct tfl_hash id = fake_id(5);
    serve(w, NULL, answer);
    fake_define(5, 4, 77);
    fake_blocks[5].pad = 2000000; /* parsed in many slices */
    fake_block_json(&b, 5);
    w->reply = b.data;
    finish(w, tfl_client_block(w->client, &id, 0));
    assert_false(w->op->op.failed);
    assert_int_equal(w->op->block.slot, 77);
    assert_int_equal(w->op->block.n_txs, 1);
    assert_non_null(w->op->json);
    drop(w);
    TFL_BUF list = {0};
    tfl_buf_addf(&list, "[%s,%s]", b.data, b.data);
    w->reply = list.data;
    finish(w, tfl_client_blocks(w->client, 3, 900, 0));
    assert_int_equal(w->op->n, 2);
    assert_string_equal(w->path, "/cryptarchia/blocks?slot_from=3&slot_to=900");
    fake_blocks[5].pad = 0;
}

static void names_what_is_wrong(void **state)
{
    struct world *w = *state;
    struct tfl_hash id = fake_id(5);
    serve(w, NULL, answer);
    w->reply = "<html>";
    fails(w, tfl_client_info(w->client, 0), TFL_E_BAD_REPLY, "/cryptarchia/info: not JSON: ");
    w->reply = "{}";
    fails(w, tfl_client_info(w->client, 0), TFL_E_BAD_REPLY,
        "/cryptarchia/info: field tip: expected 64 hex digits");
    fails(w, tfl_client_network(w->client, 0), TFL_E_BAD_REPLY, "/network/info: field n_peers");
    fails(w, tfl_client_block(w->client, &id, 0), TFL_E_BAD_REPLY,
        "field header: expected an object, saw nothing");
    w->status = 500;
    w->reply = "Item\nbroken";
    fails(w, tfl_client_info(w->client, 0), TFL_E_HTTP_STATUS, "status 500, expected 200: Item broken");
    w->reply = "{\"code\":500,\"message\":\"to is\\nnot an ancestor\"}"; /* newer nodes */
    fails(w, tfl_client_headers(w->client, &id, NULL, 0), TFL_E_HTTP_STATUS,
        "status 500, expected 200: to is not an ancestor");
    w->reply = "{\"code\":500}";
    fails(w, tfl_client_info(w->client, 0), TFL_E_HTTP_STATUS, "status 500, expected 200: {\"code\":500}");
    w->reply = "";
    fails(w, tfl_client_info(w->client, 0), TFL_E_HTTP_STATUS, "status 500, expected 200: (no text)");
    w->status = 404;
    fails(w, tfl_client_block(w->client, &id, 0), TFL_E_NOT_FOUND, "there is no such block");
    tfl_io_stop(w->loop, &w->server->io);
    close(w->server->fd);
    w->server->fd = -1;
    while (w->server->conns)
        fake_close(w->server->conns);
    fails(w, tfl_client_info(w->client, 0), TFL_E_CONNECT, "(last: connection refused)");
}

static void has_a_node_make_a_transfer(void **state)
{
    struct world *w = *state;
    TFL_BUF b = {0};
    struct tfl_hash id = fake_id(5);
    serve(w, "logos", answer);
    tfl_buf_addf(&b, "{\"hash\":\"%s\"}", fake_hex(5));
    w->reply = b.data;
    w->status = 201;
    finish(w, tfl_client_transfer(w->client, "{\"amount\":1}", 12, 0));
    assert_false(w->op->op.failed);
    assert_memory_equal(&w->op->made, &id, sizeof id);
    assert_string_equal(w->path, "/wallet/transactions/transfer-funds");
    assert_string_equal(w->body, "{\"amount\":1}");
    drop(w);
    w->reply = "{\"hash\":5}";
    fails(w, tfl_client_transfer(w->client, "", 0, 0), TFL_E_BAD_REPLY,
        "/wallet/transactions/transfer-funds: field hash: expected 64 hex digits, saw 5");
    w->reply = "{}";
    fails(w, tfl_client_transfer(w->client, "", 0, 0), TFL_E_BAD_REPLY, "saw nothing");
    w->status = 500;
    w->reply = "insufficient funds";
    fails(w, tfl_client_transfer(w->client, "", 0, 0), TFL_E_HTTP_STATUS,
        "status 500, expected 201: insufficient");
    w->reply = "Item already in mempool";
    fails(w, tfl_client_transfer(w->client, "", 0, 0), TFL_E_HTTP_STATUS,
        "status 500, expected 201: Item already in mempool");
    assert_int_equal(tfl_client_set_path(w->client, "transfer", "/pay", NULL), 0);
    w->status = 422;
    fails(w, tfl_client_transfer(w->client, "", 0, 0), TFL_E_REJECTED, "/pay: status 422");
    tfl_client_unref(w->client);
    w->client = tfl_client_new(w->http, w->loop, "node-7", w->server->url, "reference", NULL);
    fails(w, tfl_client_transfer(w->client, "", 0, 0), TFL_E_UNSUPPORTED, "cannot be asked this");
}

static void bounds_replies(void **state)
{
    struct world *w = *state;
    TFL_BUF b = {0};
    serve(w, NULL, answer);
    tfl_buf_adds(&b, "{\"x\":\"");
    for (int i = 0; i < 300000; i++)
        tfl_buf_adds(&b, "y");
    tfl_buf_adds(&b, "\"}");
    w->reply = b.data;
    fails(w, tfl_client_info(w->client, 0), TFL_E_TOO_LARGE, "a body of more than");
}

static void old(struct fake_conn *c, const char *method, const char *path, const char *body)
{
    struct world *w = c->server->arg;
    TFL_BUF b = {0};
    snprintf(w->path, sizeof w->path, "%s", path);
    if (strcmp(method, "POST") != 0 || strcmp(path, "/storage/block") != 0) {
        fake_reply(c, 404, "text/plain", "");
        return;
    }
    snprintf(w->body, sizeof w->body, "%s", body);
    tfl_buf_addf(&b, "{\"header\":{\"parent_block\":\"%s\",\"slot\":8},\"transactions\":[]}", fake_hex(4));
    fake_json(c, w->status == 200 ? b.data : "null");
}

static void newer(struct fake_conn *c, const char *method, const char *path, const char *body)
{
    struct world *w = c->server->arg;
    (void)path, (void)body;
    if (strcmp(method, "GET") != 0)
        fake_reply(c, 404, "text/plain", "");
    else
        fake_json(c, w->reply);
}

static void asks_old_nodes_the_old_way(void **state)
{
    struct world *w = *state;
    struct tfl_hash id = fake_id(5);
    serve(w, "logos", old);
    for (int i = 0; i < 2; i++) {
        int before = w->server->n_requests;
        finish(w, tfl_client_block(w->client, &id, 0));
        assert_false(w->op->op.failed);
        assert_memory_equal(&w->op->block.id, &id, sizeof id);
        assert_int_equal(w->body[0], '"');
        assert_memory_equal(w->body + 1, fake_hex(5), 64);
        assert_int_equal(w->server->n_requests - before, i == 0 ? 2 : 1); /* learned */
        drop(w);
    }
    w->status = 0;
    fails(w, tfl_client_block(w->client, &id, 0), TFL_E_NOT_FOUND, "no such block");
    TFL_BUF b = {0};
    tfl_buf_addf(&b, "{\"header\":{\"id\":\"%s\",\"parent_block\":\"%s\",\"slot\":9},\"transactions\":[]}",
        fake_hex(5), fake_hex(4));
    w->reply = b.data; /* it comes back as a newer one */
    w->server->handler = newer;
    finish(w, tfl_client_block(w->client, &id, 0));
    assert_false(w->op->op.failed);
    assert_int_equal(w->op->block.slot, 9);
    assert_false(w->client->block_by_post);
}

static void gives_raw_answers(void **state)
{
    struct world *w = *state;
    serve(w, NULL, answer);
    w->status = 418;
    w->reply = "short and stout";
    finish(w, tfl_client_request(w->client, "POST", "/pot?x=1", "tea", 3, "text/plain", 0));
    assert_false(w->op->op.failed);
    assert_int_equal(w->op->status, 418);
    assert_string_equal(w->op->body.data, "short and stout");
    assert_string_equal(w->op->content_type, "application/json");
    assert_string_equal(w->method, "POST");
    assert_string_equal(w->path, "/pot?x=1");
    assert_string_equal(w->body, "tea");
}

static void refuses_bad_addresses(void **state)
{
    struct world *w = *state;
    struct tfl_error err;
    assert_null(tfl_client_new(w->http, w->loop, "n", "https://x", NULL, &err));
    assert_int_equal(err.code, TFL_E_USAGE);
    assert_null(tfl_client_new(w->http, w->loop, "n", "http://", NULL, &err));
    assert_null(tfl_client_new(w->http, w->loop, "n", "http://x", "klingon", &err));
    assert_non_null(strstr(err.msg, "unknown dialect \"klingon\""));
    struct tfl_client *client = tfl_client_new(w->http, w->loop, "n", "http://127.0.0.1:1//", NULL, &err);
    assert_string_equal(client->url, "http://127.0.0.1:1");
    tfl_client_unref(client);
}

static void takes_other_paths(void **state)
{
    struct world *w = *state;
    struct tfl_error err;
    serve(w, NULL, answer);
    w->reply = "{\"n_peers\":3}";
    assert_int_equal(tfl_client_set_path(w->client, "network", "/peers", &err), 0);
    assert_int_equal(tfl_client_set_path(w->client, "mempool", NULL, &err), 0);
    finish(w, tfl_client_network(w->client, 0));
    assert_string_equal(w->path, "/peers");
    drop(w);
    finish(w, tfl_client_mempool(w->client, 0));
    assert_int_equal(w->op->op.err.code, TFL_E_UNSUPPORTED);
    drop(w);
    assert_int_equal(tfl_client_set_path(w->client, "netwrk", "/peers", &err), -1);
    assert_non_null(strstr(err.msg, "no question \"netwrk\"; there are info, network"));
    assert_int_equal(tfl_client_set_path(w->client, "info", "peers", &err), -1);
    assert_int_equal(tfl_client_set_path(w->client, "info", "/a b", &err), -1);
}

static void knows_a_cluster_that_cannot_reach_its_node(void **state)
{
    static const char said[] =
        "{\n \"kind\": \"Status\", \"apiVersion\": \"v1\", \"message\": \"address not allowed\", "
        "\"code\": 400}";
    struct world *w = *state;
    serve(w, NULL, answer);
    w->status = 400;
    w->reply = said;
    finish(w, tfl_client_submit(w->client, "{}", 2, 0));
    assert_int_equal(w->op->op.err.code, TFL_E_CONNECT);
    assert_non_null(strstr(w->op->op.err.msg, "the cluster cannot reach it: address not allowed"));
    drop(w);
    assert_int_equal(tfl_submit_answer(400, said), TFL_SUBMIT_LATER);
    assert_int_equal(
        tfl_submit_answer(400, "{\"kind\":\"Invalid\",\"apiVersion\":\"v1\"}"), TFL_SUBMIT_REJECTED);
    assert_int_equal(tfl_submit_answer(400, "{\"kind\":\"Status\""), TFL_SUBMIT_REJECTED);
    w->reply = "{\"kind\":\"Status\",\"apiVersion\":\"v2\"}";
    finish(w, tfl_client_submit(w->client, "{}", 2, 0));
    assert_int_equal(w->op->op.err.code, TFL_E_REJECTED);
    drop(w);
}

static void is_cancelled_at_any_time(void **state)
{
    struct world *w = *state;
    TFL_BUF b = {0};
    bool never = false;
    struct tfl_hash id = fake_id(5);
    serve(w, NULL, answer);
    fake_blocks[5].pad = 500000;
    fake_block_json(&b, 5);
    fake_blocks[5].pad = 0;
    w->reply = b.data;
    for (int i = 0; i < 40; i++) {
        struct tfl_client_op *op = tfl_client_block(w->client, &id, 0);
        for (int turns = 0; turns < i; turns++)
            tfl_loop_turn(w->loop, false);
        if (i % 2)
            tfl_op_cancel(&op->op);
        tfl_op_free(&op->op);
    }
    fake_run(w->loop, &never, 10);
}

#define SPEC(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        SPEC(asks_each_question),
        SPEC(reads_blocks),
        SPEC(names_what_is_wrong),
        SPEC(has_a_node_make_a_transfer),
        SPEC(bounds_replies),
        SPEC(asks_old_nodes_the_old_way),
        SPEC(gives_raw_answers),
        SPEC(refuses_bad_addresses),
        SPEC(takes_other_paths),
        SPEC(knows_a_cluster_that_cannot_reach_its_node),
        SPEC(is_cancelled_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
