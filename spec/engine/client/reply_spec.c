#include "client/block_rows.h"
#include "client/reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

static struct tfl_error err;

/* Parses in pieces of the given size, as slices would come. */
static struct json_object *parse_in(const char *text, size_t piece)
{
    struct tfl_json_in in;
    struct json_object *json = NULL;
    size_t n = strlen(text);
    int result = 0;
    tfl_json_in_init(&in, TFL_JSON_VALUES);
    for (size_t i = 0; i < n && result == 0; i += piece)
        result = tfl_json_in_push(&in, text + i, n - i < piece ? n - i : piece, &err);
    if (result == 0)
        result = tfl_json_in_end(&in, &json, &err);
    tfl_json_in_done(&in);
    return result ? json_object_new_string("!") : json;
}

static bool failed(struct json_object *json)
{
    return json_object_is_type(json, json_type_string) && strcmp(json_object_get_string(json), "!") == 0;
}

static void json_comes_in_pieces(void **state)
{
    (void)state;
    const char *text = " {\"a\":[1,18446744073709551615,-3,1.5e3,\"x\\u00e9\",true,null],\"b\":{}} \n";
    for (size_t piece = 1; piece < 80; piece++) {
        struct json_object *json = parse_in(text, piece), *list;
        assert_true(json_object_object_get_ex(json, "a", &list));
        assert_int_equal(json_object_array_length(list), 7);
        assert_true(json_object_get_uint64(json_object_array_get_idx(list, 1)) == UINT64_MAX);
        json_object_put(json);
    }
    struct json_object *json = parse_in("42", 1);
    assert_int_equal(json_object_get_int(json), 42);
    json_object_put(json);
}

static void json_that_is_none_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "{", "{\"a\":1", "[1,]", "{} x", "nul", "<html>", "[1 2]", "{\"a\" 1}", "\"abc", "// x\n1"};
    for (size_t i = 0; i < TFL_LEN(bad); i++)
        for (size_t piece = 1; piece < 8; piece++) {
            struct json_object *json = parse_in(bad[i], piece);
            if (!failed(json))
                fail_msg("taken as JSON: %s", bad[i]);
            assert_int_equal(err.code, TFL_E_BAD_REPLY);
            json_object_put(json);
        }
}

static void json_has_bounds(void **state)
{
    (void)state;
    TFL_BUF deep = {0}, many = {0};
    for (int i = 0; i < 200; i++)
        tfl_buf_adds(&deep, "[");
    struct json_object *json = parse_in(deep.data, 50);
    assert_true(failed(json));
    json_object_put(json);
    tfl_buf_adds(&many, "[{}");
    for (int i = 0; i < TFL_JSON_VALUES; i++)
        tfl_buf_adds(&many, ",{}");
    json = parse_in(many.data, 16384);
    assert_true(failed(json));
    assert_int_equal(err.code, TFL_E_TOO_LARGE);
    json_object_put(json);
}

static int info_of(const char *text, struct tfl_node_info *info)
{
    struct json_object *json = parse_in(text, 1000);
    int result = tfl_reply_info(json, info, &err);
    json_object_put(json);
    return result;
}

static void info_is_read_in_every_shape(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool online, lib_slot, genesis;
    } shapes[] = {
        {"{\"cryptarchia_info\":{\"genesis_id\":\"" A "\",\"lib\":\"" A "\",\"lib_slot\":3,\"tip\":\"" B
         "\",\"slot\":137,\"height\":12,\"state\":\"Online\"},\"phase\":\"Following\"}",
            true, true, true},
        {"{\"cryptarchia_info\":{\"lib\":\"" A "\",\"lib_slot\":3,\"tip\":\"" B
         "\",\"slot\":137,\"height\":12},\"mode\":{\"Started\":\"Online\"}}",
            true, true, false},
        {"{\"cryptarchia_info\":{\"lib\":\"" A "\",\"lib_slot\":3,\"tip\":\"" B
         "\",\"slot\":137,\"height\":12},\"mode\":\"AwaitingStart\"}",
            false, true, false},
        {"{\"lib\":\"" A "\",\"tip\":\"" B "\",\"slot\":137,\"height\":12,\"mode\":\"Online\"}", true, false,
            false},
        {"{\"lib\":\"" A "\",\"tip\":\"" B "\",\"slot\":137,\"height\":12,\"mode\":\"Bootstrapping\"}", false,
            false, false},
    };
    for (size_t i = 0; i < TFL_LEN(shapes); i++) {
        struct tfl_node_info info;
        assert_int_equal(info_of(shapes[i].text, &info), 0);
        assert_int_equal(info.online, shapes[i].online);
        assert_int_equal(info.has_lib_slot, shapes[i].lib_slot);
        assert_int_equal(info.has_genesis, shapes[i].genesis);
        assert_int_equal(info.slot, 137);
        assert_int_equal(info.height, 12);
        assert_int_equal(info.tip.b[0], 0xbb);
        assert_int_equal(info.lib.b[31], 0xaa);
    }
}

static void wrong_fields_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"[]", "cryptarchia_info: expected an object"},
        {"{}", "field tip: expected 64 hex digits, saw nothing"},
        {"{\"tip\":\"abc\"}", "field tip: expected 64 hex digits, saw \"abc\""},
        {"{\"tip\":\"" A "\",\"lib\":5}", "field lib: expected 64 hex digits, saw 5"},
        {"{\"tip\":\"" A "\",\"lib\":\"" A "\",\"slot\":\"7\"}", "field slot: expected a whole number"},
        {"{\"tip\":\"" A "\",\"lib\":\"" A "\",\"slot\":7.0}", "field slot: expected a whole number"},
        {"{\"tip\":\"" A "\",\"lib\":\"" A "\",\"slot\":-7}", "field slot: expected a whole number"},
        {"{\"tip\":\"" A "\",\"lib\":\"" A "\",\"slot\":18446744073709551615}", "field slot: expected"},
        {"{\"tip\":\"" A "\",\"lib\":\"" A "\",\"slot\":99999999999999999999999999}", "field slot: expected"},
        {"{\"tip\":\"" A "\",\"lib\":\"" A "\",\"slot\":7,\"height\":null}", "field height: expected"},
        {"{\"tip\":\"" A "\",\"lib\":\"" A "\",\"slot\":7,\"height\":1}", "field state: expected"},
        {"{\"tip\":\"" A "\",\"lib\":\"" A "\",\"slot\":7,\"height\":1,\"mode\":1}", "field state: expected"},
        {"{\"tip\":\"" A "\",\"lib\":\"" A "\",\"slot\":7,\"height\":1,\"mode\":\"Online\",\"lib_slot\":[]}",
            "field lib_slot: expected"},
    };
    for (size_t i = 0; i < TFL_LEN(bad); i++) {
        struct tfl_node_info info;
        assert_int_equal(info_of(bad[i].text, &info), -1);
        assert_int_equal(err.code, TFL_E_BAD_REPLY);
        if (!strstr(err.msg, bad[i].message))
            fail_msg("%s, wanted %s", err.msg, bad[i].message);
    }
}

static void network_is_read(void **state)
{
    (void)state;
    struct tfl_network_info n;
    struct json_object *json =
        parse_in("{\"listen_addresses\":[\"/ip4/127.0.0.1/tcp/"
                 "1\"],\"peer_id\":\"12D3\",\"connected_peers\":[\"a\",\"b\"],\"n_peers\":2}",
            9);
    assert_int_equal(tfl_reply_network(json, &n, &err), 0);
    assert_int_equal(n.n_peers, 2);
    assert_string_equal(n.peer_id, "12D3");
    assert_string_equal(n.connected[1], "b");
    assert_string_equal(n.listen[0], "/ip4/127.0.0.1/tcp/1");
    tfl_network_info_done(&n);
    json_object_put(json);
    json = parse_in("{\"n_peers\":0}", 9);
    assert_int_equal(tfl_reply_network(json, &n, &err), 0);
    tfl_network_info_done(&n);
    json_object_put(json);
    json = parse_in("{\"n_peers\":1,\"connected_peers\":[\"a\",4]}", 9);
    assert_int_equal(tfl_reply_network(json, &n, &err), -1);
    assert_non_null(strstr(err.msg, "connected_peers"));
    json_object_put(json);
}

static void blocks_are_read(void **state)
{
    (void)state;
    struct tfl_block_head block;
    struct tfl_hash asked;
    memset(&asked, 0xaa, sizeof asked);
    struct json_object *json = parse_in(
        "{\"header\":{\"id\":\"" A "\",\"parent_block\":\"" B
        "\",\"slot\":9},\"transactions\":[{\"mantle_tx\":{\"ledger_tx\":{}}},{\"mantle_tx\":{\"hash\":\"" C
        "\"}}]}",
        99);
    assert_int_equal(tfl_reply_block(json, &asked, &block, &err), 0);
    assert_int_equal(block.n_txs, 2);
    assert_int_equal(block.slot, 9);
    assert_true(tfl_hash_is_zero(&block.txs[0])); /* the node does not tell */
    assert_int_equal(block.txs[1].b[31], 0xcc);
    tfl_block_head_done(&block);
    asked.b[0] = 1;
    assert_int_equal(tfl_reply_block(json, &asked, &block, &err), -1);
    assert_non_null(strstr(err.msg, "the id that was asked for"));
    json_object_put(json);
    json = parse_in("{\"header\":{\"parent_block\":\"" B "\",\"slot\":9},\"transactions\":[]}", 99);
    assert_int_equal(tfl_reply_block(json, &asked, &block, &err), 0); /* the older form has no id */
    assert_int_equal(block.id.b[0], 1);
    assert_null(block.txs);
    assert_int_equal(tfl_reply_block(json, NULL, &block, &err), -1);
    json_object_put(json);
}

static void transactions_are_checked(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"{\"mantle_tx\":{\"hash\":\"ab\"}}",
            "transactions[1].mantle_tx.hash: expected 64 hex digits, saw \"ab\""},
        {"{\"mantle_tx\":{\"ops\":[]}}",
            "transactions[1].mantle_tx.hash: expected 64 hex digits, saw nothing"},
        {"{\"ops\":[]}", "transactions[1]: expected an object with mantle_tx, saw {\"ops\":[]}"},
        {"1", "transactions[1]: expected an object with mantle_tx, saw 1"},
        {"null", "transactions[1]: expected an object with mantle_tx, saw nothing"},
        {"\"x\"", "transactions[1]: expected an object with mantle_tx, saw \"x\""},
        {"{\"mantle_tx\":[]}", "transactions[1]: expected an object with mantle_tx"},
    };
    for (size_t i = 0; i < TFL_LEN(bad); i++) {
        struct tfl_block_head block;
        char text[600];
        snprintf(text, sizeof text,
            "{\"header\":{\"id\":\"" A "\",\"parent_block\":\"" B
            "\",\"slot\":9},\"transactions\":[{\"mantle_tx\":{\"hash\":\"" C "\"}},%s]}",
            bad[i][0]);
        struct json_object *json = parse_in(text, 99);
        assert_int_equal(tfl_reply_block(json, NULL, &block, &err), -1);
        if (!strstr(err.msg, bad[i][1]))
            fail_msg("%s: %s", bad[i][0], err.msg);
        json_object_put(json);
    }
}

/* Rows. */
struct seen {
    int rows, skipped;
    uint64_t slot_sum;
    uint32_t txs;
    bool known;
    struct tfl_block_row last;
};

static bool known(void *arg, const struct tfl_hash *id)
{
    (void)id;
    return ((struct seen *)arg)->known;
}

static void on_row(void *arg, const struct tfl_block_row *row)
{
    struct seen *s = arg;
    s->rows++;
    s->skipped += row->skipped;
    s->slot_sum += row->block.slot;
    s->txs += row->block.n_txs;
    s->last = *row;
}

static int push_all(struct seen *s, const char *data, size_t n, size_t piece)
{
    struct tfl_block_rows rows = {.known = known, .on_row = on_row, .arg = s};
    int result = 0;
    for (size_t i = 0; i < n && result == 0; i += piece)
        result = tfl_block_rows_push(&rows, data + i, n - i < piece ? n - i : piece, &err);
    if (result == 0)
        result = tfl_block_rows_end(&rows, &err);
    tfl_block_rows_done(&rows);
    return result;
}

static void add_row(struct tfl_buf *b, int slot, int n_txs)
{
    tfl_buf_addf(b,
        "{\"block\":{\"header\":{\"id\":\"" A "\",\"parent_block\":\"" B "\",\"slot\":%d},\"transactions\":[",
        slot);
    for (int i = 0; i < n_txs; i++)
        tfl_buf_addf(b, "%s{\"tip\":\"x\",\"mantle_tx\":{\"hash\":\"" A "\",\"ops\":[{\"id\":\"\\\"]}{\"}]}}",
            i ? "," : "");
    tfl_buf_adds(b, "]},\"tip\":\"" A "\",\"tip_slot\":1,\"lib\":\"" C "\",\"lib_slot\":0}\n");
}

static void rows_come_in_pieces(void **state)
{
    (void)state;
    TFL_BUF b = {0};
    static const size_t pieces[] = {1, 2, 3, 7, 100, 1000, 16384, 1u << 20};
    add_row(&b, 1, 0);
    tfl_buf_adds(&b, "\n\r\n");
    add_row(&b, 2, 3);
    add_row(&b, 4, 400); /* big */
    add_row(&b, 8, 1);
    for (size_t i = 0; i < TFL_LEN(pieces); i++) {
        struct seen s = {0};
        assert_int_equal(push_all(&s, b.data, b.len, pieces[i]), 0);
        assert_int_equal(s.rows, 4);
        assert_int_equal(s.slot_sum, 15);
        assert_int_equal(s.txs, 404);
        assert_int_equal(s.skipped, 0);
        assert_true(s.last.has_view);
        s = (struct seen){.known = true};
        assert_int_equal(push_all(&s, b.data, b.len, pieces[i]), 0);
        assert_int_equal(s.rows, 4);
        assert_int_equal(s.skipped, 1); /* the big one, and no other */
        assert_int_equal(s.slot_sum, 11);
        assert_int_equal(s.last.lib.b[5], 0xcc);
    }
}

static void bare_blocks_are_rows_too(void **state)
{
    (void)state;
    struct seen s = {0};
    const char *text =
        "{\"header\":{\"id\":\"" A "\",\"parent_block\":\"" B "\",\"slot\":5},\"transactions\":[]}\n";
    assert_int_equal(push_all(&s, text, strlen(text), 10), 0);
    assert_int_equal(s.slot_sum, 5);
    assert_false(s.last.has_view);
}

static void broken_rows_end_the_reading(void **state)
{
    (void)state;
    static const char *const bad[] = {"garbage\n", "{}\n", "{\"block\":{}}\n",
        "{\"block\":3,\"tip\":\"" A "\"}\n", "{\"a\":1\n", "[]\n",
        "{\"header\":{\"id\":\"" A "\",\"parent_block\":\"" B "\",\"slot\":5}}\n", "\x01\n"};
    for (size_t i = 0; i < TFL_LEN(bad); i++) {
        struct seen s = {0};
        assert_int_equal(push_all(&s, bad[i], strlen(bad[i]), 5), -1);
        assert_int_equal(err.code, TFL_E_BAD_REPLY);
        assert_int_equal(s.rows, 0);
    }
}

static void an_endless_row_is_refused(void **state)
{
    (void)state;
    static char chunk[16384];
    struct seen s = {0};
    struct tfl_block_rows rows = {.on_row = on_row, .arg = &s};
    size_t given = 0;
    memset(chunk, 'x', sizeof chunk);
    memcpy(chunk, "{\"block\":\"", 10);
    int result = tfl_block_rows_push(&rows, chunk, sizeof chunk, &err);
    memset(chunk, 'x', sizeof chunk);
    while (result == 0 && given < 2u * TFL_ROW_MAX) {
        result = tfl_block_rows_push(&rows, chunk, sizeof chunk, &err);
        given += sizeof chunk;
    }
    assert_int_equal(result, -1);
    assert_int_equal(err.code, TFL_E_TOO_LARGE);
    tfl_block_rows_done(&rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_comes_in_pieces),
        cmocka_unit_test(json_that_is_none_is_refused),
        cmocka_unit_test(json_has_bounds),
        cmocka_unit_test(info_is_read_in_every_shape),
        cmocka_unit_test(wrong_fields_are_named),
        cmocka_unit_test(network_is_read),
        cmocka_unit_test(blocks_are_read),
        cmocka_unit_test(transactions_are_checked),
        cmocka_unit_test(rows_come_in_pieces),
        cmocka_unit_test(bare_blocks_are_rows_too),
        cmocka_unit_test(broken_rows_end_the_reading),
        cmocka_unit_test(an_endless_row_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
