#include "api_support.h"

enum { MAX_ROWS = 400 };

static void put_rows(struct json_object **rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        json_object_put(rows[i]);
}

static void info_tells_the_phase_and_the_chain(void **state)
{
    struct world *w = *state;
    char hex[TFL_HASH_HEX];
    struct json_object *json = ask_json(w, 0, "/cryptarchia/info");
    assert_string_equal(json_object_get_string(at(json, "mode", NULL)), "AwaitingStart");
    assert_int_equal(json_object_get_int64(at(json, "cryptarchia_info", "height", NULL)), 0);
    json_object_put(json);
    UNTIL(w, info_of(w, 0).lib_height >= 3);
    struct tfl_core_info i;
    for (json = NULL;; json_object_put(json)) { /* a block may come between the two looks */
        i = info_of(w, 0);
        json = ask_json(w, 0, "/cryptarchia/info");
        if (i.height == info_of(w, 0).height && i.lib_height == info_of(w, 0).lib_height)
            break;
    }
    struct json_object *chain = at(json, "cryptarchia_info", NULL);
    assert_string_equal(json_object_get_string(at(json, "mode", "Started", NULL)), "Online");
    assert_string_equal(json_object_get_string(at(chain, "tip", NULL)), tfl_hash_hex(hex, &i.tip));
    assert_string_equal(json_object_get_string(at(chain, "lib", NULL)), tfl_hash_hex(hex, &i.lib));
    assert_string_equal(json_object_get_string(at(chain, "genesis_id", NULL)), tfl_hash_hex(hex, &i.genesis));
    assert_int_equal(json_object_get_int64(at(chain, "height", NULL)), i.height);
    assert_int_equal(json_object_get_int64(at(chain, "slot", NULL)), i.tip_slot);
    assert_int_equal(json_object_get_int64(at(chain, "lib_slot", NULL)), i.lib_slot);
    assert_int_equal(i.height - i.lib_height, 5);
    json_object_put(json);
    json = ask_json(w, 0, "/time/info");
    assert_int_equal(json_object_get_int64(at(json, "slot_duration_ms", NULL)), 50);
    assert_int_equal(json_object_get_int64(at(json, "genesis_time_unix_ms", NULL)), w->genesis_ms);
    assert_true((uint64_t)json_object_get_int64(at(json, "current_slot", NULL)) >= i.tip_slot);
    assert_int_equal(json_object_get_int64(at(json, "current_epoch", NULL)), 0);
    json_object_put(json);
    ask(w, 0, "/version");
    assert_string_equal(w->body.data, "\"" TFL_VERSION " (tfl-node)\"");
}

static void blocks_are_given_by_id_and_by_walks(void **state)
{
    struct world *w = *state;
    UNTIL(w, info_of(w, 0).lib_height >= 3);
    struct json_object *ids = ask_json(w, 0, "/cryptarchia/headers");
    assert_int_equal(json_object_array_length(ids), 6); /* tip to LIB, both included */
    for (size_t i = 0; i < 6; i++) {
        const char *id = json_object_get_string(json_object_array_get_idx(ids, i));
        TFL_FREE char *path = tfl_sprintf("/cryptarchia/blocks/%s%s", i % 2 ? "0x" : "", id);
        struct json_object *block = ask_json(w, 0, path);
        assert_string_equal(text_at(block, "header", "id"), id);
        if (i < 5)
            assert_string_equal(text_at(block, "header", "parent_block"),
                json_object_get_string(json_object_array_get_idx(ids, i + 1)));
        assert_int_equal(strlen(text_at(block, "header", "block_root")), 64);
        json_object_put(block);
        TFL_FREE char *body = tfl_sprintf("\"%s\"", id);
        ask_as(w, 0, NULL, "/storage/block", body, NULL);
        assert_int_equal(w->status, 200);
        block = json_tokener_parse(w->body.data);
        assert_int_equal(strlen(json_object_get_string(at(block, "signature", NULL))), 128);
        assert_non_null(text_at(block, "header", "version"));
        json_object_put(block);
    }
    struct tfl_core_info info = info_of(w, 0);
    char genesis[TFL_HASH_HEX], hex[TFL_HASH_HEX];
    TFL_FREE char *all = tfl_sprintf("/cryptarchia/headers?from=%s&to=%s", tfl_hash_hex(hex, &info.tip),
        tfl_hash_hex(genesis, &info.genesis));
    struct json_object *walk = ask_json(w, 0, all);
    assert_int_equal(json_object_array_length(walk), info.height + 1);
    json_object_put(walk);
    TFL_FREE char *away = tfl_sprintf("/cryptarchia/headers?from=%s&to=%s", genesis, hex);
    ask(w, 0, away);
    assert_int_equal(w->status, 500);
    json_object_put(ids);
    struct json_object *final = ask_json(w, 0, "/cryptarchia/blocks?slot_from=1&slot_to=100000");
    size_t n = json_object_array_length(final);
    struct json_object *last = json_object_array_get_idx(final, n - 1);
    assert_true(n > 0 && n <= info_of(w, 0).lib_height);
    assert_true((uint64_t)json_object_get_int64(at(last, "header", "slot", NULL)) <= info_of(w, 0).lib_slot);
    json_object_put(final);
    struct json_object *none = ask_json(w, 0, "/cryptarchia/blocks?slot_from=90000&slot_to=100000");
    assert_int_equal(json_object_array_length(none), 0);
    json_object_put(none);
}

static size_t range(struct world *w, const char *query, struct json_object **rows)
{
    TFL_FREE char *path = tfl_sprintf("/cryptarchia/blocks_range%s", query);
    ask(w, 0, path);
    if (w->status != 200)
        fail_msg("%s: %d %s", path, w->status, w->body.data);
    assert_string_equal(w->type, TFL_HTTP_NDJSON);
    return rows_of(w->body.data, rows, MAX_ROWS);
}

static uint64_t slot_of(struct json_object *row)
{
    return (uint64_t)json_object_get_int64(at(row, "block", "header", "slot", NULL));
}

static void ranges_are_rows_in_the_order_that_is_asked(void **state)
{
    struct world *w = *state;
    struct json_object *rows[MAX_ROWS];
    UNTIL(w, info_of(w, 0).lib_height >= 3);
    size_t n = range(w, "?order=ascending&slot_from=1&slot_to=1000", rows);
    assert_true(n >= 8);
    for (size_t i = 1; i < n; i++)
        assert_string_equal(json_object_get_string(at(rows[i], "block", "header", "parent_block", NULL)),
            json_object_get_string(at(rows[i - 1], "block", "header", "id", NULL)));
    assert_string_equal(json_object_get_string(at(rows[0], "tip", NULL)),
        json_object_get_string(at(rows[n - 1], "block", "header", "id", NULL)));
    assert_true(json_object_get_int64(at(rows[0], "tip_slot", NULL)) >
                json_object_get_int64(at(rows[0], "lib_slot", NULL)));
    uint64_t from = slot_of(rows[0]), to = slot_of(rows[1]); /* both final; a slot may have no block */
    put_rows(rows, n);
    n = range(w, "?blocks_limit=3", rows);
    assert_int_equal(n, 3);
    assert_true(slot_of(rows[0]) > slot_of(rows[1]) && slot_of(rows[1]) > slot_of(rows[2]));
    assert_true(slot_of(rows[0]) + 2 >= info_of(w, 0).tip_slot);
    put_rows(rows, n);
    TFL_FREE char *query = tfl_sprintf("?block_filter=immutable_only&slot_from=%" PRIu64 "&slot_to=%" PRIu64
                                       "&server_batch_size=1000",
        from, to);
    n = range(w, query, rows);
    assert_int_equal(n, 2);
    assert_int_equal(slot_of(rows[0]), to);
    put_rows(rows, n);
    assert_int_equal(range(w, "?slot_from=100000", rows), 0);
}

static void wrong_questions_get_the_status_they_deserve(void **state)
{
    static const struct {
        const char *method, *path, *body, *type;
        int status;
    } cases[] = {
        {NULL, "/", NULL, NULL, 404},
        {NULL, "/cryptarchia", NULL, NULL, 404},
        {NULL, "/cryptarchia/blocks/", NULL, NULL, 404},
        {NULL, "/cryptarchia/blocks/a/b", NULL, NULL, 404},
        {"PUT", "/cryptarchia/info", NULL, NULL, 405},
        {"GET", "/storage/block", NULL, NULL, 405},
        {NULL, "/cryptarchia/blocks/12", NULL, NULL, 400},
        {NULL, "/cryptarchia/blocks/0000000000000000000000000000000000000000000000000000000000000000", NULL,
            NULL, 404},
        {NULL, "/cryptarchia/blocks", NULL, NULL, 400},
        {NULL, "/cryptarchia/blocks?slot_from=1", NULL, NULL, 400},
        {NULL, "/cryptarchia/blocks?slot_from=-1&slot_to=3", NULL, NULL, 400},
        {NULL, "/cryptarchia/blocks?slot_from=4&slot_to=3", NULL, NULL, 400},
        {NULL, "/cryptarchia/blocks?slot_from=4&slot_to=99999999999999999999", NULL, NULL, 400},
        {NULL, "/cryptarchia/blocks_range?slot_from=4&slot_to=3", NULL, NULL, 400},
        {NULL, "/cryptarchia/blocks_range?order=sideways", NULL, NULL, 400},
        {NULL, "/cryptarchia/blocks_range?blocks_limit=0", NULL, NULL, 400},
        {NULL, "/cryptarchia/blocks_range?server_batch_size=1001", NULL, NULL, 400},
        {NULL, "/cryptarchia/blocks_range?block_filter=none", NULL, NULL, 400},
        {NULL, "/cryptarchia/headers?from=xyz", NULL, NULL, 400},
        {NULL, "/cryptarchia/headers?to=0000000000000000000000000000000000000000000000000000000000000000",
            NULL, NULL, 500},
        {NULL, "/storage/block", "\"00\"", "text/plain", 415},
        {NULL, "/storage/block", "\"00", NULL, 400},
        {NULL, "/storage/block", "\"00\" 1", NULL, 400},
        {NULL, "/storage/block", "\"00\"", NULL, 422},
        {NULL, "/storage/block", "null", NULL, 422},
        {NULL, "/storage/block", "{}", NULL, 422},
        {NULL, "/network/dial_peer", "{}", NULL, 422},
        {NULL, "/network/dial_peer", "{\"addr\":5}", NULL, 422},
        {NULL, "/network/dial_peer", "{\"addr\":\"/ip4/127.0.0.1/udp/1/quic-v1\"}", NULL, 422},
        {NULL, "/network/dial_peer", "{\"addr\":\"/ip4/127.0.0.1/tcp/1\"}", NULL, 500},
    };
    struct world *w = *state;
    for (size_t i = 0; i < TFL_LEN(cases); i++) {
        ask_as(w, 0, cases[i].method, cases[i].path, cases[i].body, cases[i].type);
        if (w->status != cases[i].status)
            fail_msg("%s: %d (%s), wanted %d", cases[i].path, w->status, w->body.data, cases[i].status);
    }
    ask_as(w, 0, NULL, "/storage/block",
        "\"0000000000000000000000000000000000000000000000000000000000000000\"", NULL);
    assert_int_equal(w->status, 200);
    assert_string_equal(w->body.data, "null");
}

struct reading {
    struct tfl_http_op *op;
    struct tfl_buf text;
};

static void on_data(struct tfl_http_op *op, const char *data, size_t n)
{
    tfl_buf_add(&((struct reading *)op->arg)->text, data, n);
}

static void read_stream(struct world *w, int node, const char *path, struct reading *r)
{
    TFL_FREE char *url = url_of(w, node, path);
    struct tfl_http_call call = {.url = url, .timeout_ms = -1, .on_data = on_data, .arg = r};
    *r = (struct reading){.op = tfl_http_start(w->http, &call)};
    UNTIL(w, r->op->status == 200);
}

static void streams_tell_every_block_and_end_with_the_node(void **state)
{
    struct world *w = *state;
    struct json_object *rows[MAX_ROWS];
    struct reading blocks, finals;
    struct tfl_error err;
    assert_int_equal(start_node(w, 1, 0, &err), 0);
    read_stream(w, 1, "/cryptarchia/events/blocks/stream", &blocks); /* of the node that only follows */
    read_stream(w, 1, "/cryptarchia/lib-stream", &finals);
    UNTIL(w, info_of(w, 1).lib_height >= 6);
    struct tfl_core_info info = info_of(w, 1);
    stop_node(w, 1);
    UNTIL(w, blocks.op->op.state == TFL_OP_DONE && finals.op->op.state == TFL_OP_DONE);
    assert_false(blocks.op->op.failed); /* a clean end, not a broken connection */
    assert_false(finals.op->op.failed);
    assert_string_equal(blocks.op->content_type, TFL_HTTP_NDJSON);
    size_t n = rows_of(blocks.text.data, rows, MAX_ROWS);
    assert_int_equal(n, info.height);
    for (size_t i = 0; i < n; i++) {
        const char *id = json_object_get_string(at(rows[i], "block", "header", "id", NULL));
        assert_string_equal(json_object_get_string(at(rows[i], "tip", NULL)), id);
        if (i)
            assert_string_equal(json_object_get_string(at(rows[i], "block", "header", "parent_block", NULL)),
                json_object_get_string(at(rows[i - 1], "block", "header", "id", NULL)));
    }
    put_rows(rows, n);
    n = rows_of(finals.text.data, rows, MAX_ROWS);
    assert_int_equal(n, info.lib_height);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(json_object_get_int64(at(rows[i], "height", NULL)), i + 1);
    char hex[TFL_HASH_HEX];
    assert_string_equal(
        json_object_get_string(at(rows[n - 1], "header_id", NULL)), tfl_hash_hex(hex, &info.lib));
    put_rows(rows, n);
    tfl_buf_done(&blocks.text);
    tfl_buf_done(&finals.text);
    tfl_op_free(&blocks.op->op);
    tfl_op_free(&finals.op->op);
}

static uint64_t metric(struct world *w, int node, const char *name)
{
    ask(w, node, "/metrics");
    assert_int_equal(w->status, 200);
    TFL_FREE char *line = tfl_sprintf("\ntfl_node_%s ", name);
    const char *found = strstr(w->body.data, line);
    if (!found)
        fail_msg("no metric %s in %s", name, w->body.data);
    return strtoull(found + strlen(line), NULL, 10);
}

static void metrics_count_what_happens(void **state)
{
    struct world *w = *state;
    struct tfl_error err;
    assert_int_equal(start_node(w, 1, 0, &err), 0);
    UNTIL(w, info_of(w, 1).lib_height >= 2);
    struct tfl_core_info i = info_of(w, 1);
    assert_true(metric(w, 1, "height") >= i.height);
    assert_true(metric(w, 1, "lib_height") >= i.lib_height);
    assert_true(metric(w, 1, "blocks_applied_total") >= i.height);
    assert_int_equal(metric(w, 1, "blocks_led_total"), 0);
    assert_true(metric(w, 0, "blocks_led_total") >= i.height);
    assert_int_equal(metric(w, 0, "peers"), 1);
    assert_int_equal(metric(w, 0, "online"), 1);
    assert_true(metric(w, 0, "http_requests_total") > 0);
    /* A process that sleeps through its slots says which. */
    usleep(230000);
    pass(w, 20);
    struct json_object *late = ask_json(w, 0, "/time/late_slots");
    size_t n = json_object_array_length(late);
    assert_true(n >= 3);
    for (size_t k = 1; k < n; k++)
        assert_true(json_object_get_int64(json_object_array_get_idx(late, k)) >
                    json_object_get_int64(json_object_array_get_idx(late, k - 1)));
    assert_true(metric(w, 0, "late_slots_total") >= n);
    json_object_put(late);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(info_tells_the_phase_and_the_chain, setup, teardown),
        cmocka_unit_test_setup_teardown(blocks_are_given_by_id_and_by_walks, setup, teardown),
        cmocka_unit_test_setup_teardown(ranges_are_rows_in_the_order_that_is_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_questions_get_the_status_they_deserve, setup, teardown),
        cmocka_unit_test_setup_teardown(streams_tell_every_block_and_end_with_the_node, setup, teardown),
        cmocka_unit_test_setup_teardown(metrics_count_what_happens, setup, teardown),
    };
    signal(SIGPIPE, SIG_IGN);
    tfl_chain_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
