#include "node/api.h"

#include "chain/block_json.h"
#include "node/peers.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

bool tfl_api_id(const char *text, struct tfl_hash *id)
{
    if (!strncmp(text, "0x", 2))
        text += 2;
    return tfl_unhex(id->b, sizeof id->b, text, strlen(text));
}

bool tfl_api_number(struct tfl_http_request *req, const char *name, uint64_t *v, bool required)
{
    const char *text = tfl_http_query(req, name);
    if (!text && !required)
        return true;
    if (!text) {
        tfl_http_replyf(
            req, 400, TFL_HTTP_TEXT, "Failed to deserialize query string: missing field `%s`", name);
        return false;
    }
    errno = 0;
    size_t digits = strspn(text, "0123456789");
    unsigned long long n = strtoull(text, NULL, 10);
    if (!digits || text[digits] || errno) {
        tfl_http_replyf(
            req, 400, TFL_HTTP_TEXT, "Failed to deserialize query string: %s: expected a number", name);
        return false;
    }
    *v = n;
    return true;
}

/* An optional id of the query: true and *id NULL when it is not there; false after a 400. */
static bool query_id(
    struct tfl_http_request *req, const char *name, struct tfl_hash *place, const struct tfl_hash **id)
{
    const char *text = tfl_http_query(req, name);
    *id = NULL;
    if (!text)
        return true;
    if (!tfl_api_id(text, place)) {
        tfl_http_replyf(
            req, 400, TFL_HTTP_TEXT, "Failed to deserialize query string: %s: expected 64 hex digits", name);
        return false;
    }
    *id = place;
    return true;
}

static void get_info(struct tfl_node *node, struct tfl_http_request *req)
{
    struct tfl_core_info i;
    char genesis[TFL_HASH_HEX], lib[TFL_HASH_HEX], tip[TFL_HASH_HEX];
    tfl_core_info(node->core, &i);
    tfl_http_replyf(req, 200, TFL_HTTP_JSON,
        "{\"cryptarchia_info\":{\"genesis_id\":\"%s\",\"lib\":\"%s\",\"lib_slot\":%llu,\"tip\":\"%s\","
        "\"slot\":%llu,"
        "\"height\":%llu},\"mode\":%s}",
        tfl_hash_hex(genesis, &i.genesis), tfl_hash_hex(lib, &i.lib), (unsigned long long)i.lib_slot,
        tfl_hash_hex(tip, &i.tip), (unsigned long long)i.tip_slot, (unsigned long long)i.height,
        i.phase == TFL_CORE_AWAITING_GENESIS ? "\"AwaitingStart\""
        : i.phase == TFL_CORE_FOLLOWING      ? "{\"Started\":\"Online\"}"
                                             : "{\"Started\":\"Bootstrapping\"}");
}

static void get_headers(struct tfl_node *node, struct tfl_http_request *req)
{
    struct tfl_hash a, b, ids[TFL_CORE_HEADERS_MAX];
    const struct tfl_hash *from, *to;
    struct tfl_error err;
    char hex[TFL_HASH_HEX];
    size_t n = 0;
    if (!query_id(req, "from", &a, &from) || !query_id(req, "to", &b, &to))
        return;
    if (tfl_core_headers(node->core, from, to, ids, &n, &err)) {
        tfl_http_replyf(req, 500, TFL_HTTP_TEXT, "%s", err.msg);
        return;
    }
    struct tfl_buf out = {0};
    tfl_buf_adds(&out, "[");
    for (size_t i = 0; i < n; i++)
        tfl_buf_addf(&out, "%s\"%s\"", i ? "," : "", tfl_hash_hex(hex, &ids[i]));
    tfl_buf_adds(&out, "]");
    tfl_http_reply_buf(req, 200, TFL_HTTP_JSON, &out);
}

/* Answers with the block as `form` shows it; unknown gives the status and body that are given. */
static void reply_block(struct tfl_node *node, struct tfl_http_request *req, const struct tfl_hash *id,
    struct json_object *(*form)(const struct tfl_block *), unsigned unknown, const char *unknown_body)
{
    TFL_BUF bytes = {0};
    TFL_BLOCK block = {0};
    struct tfl_error err;
    if (tfl_core_read(node->core, id, &bytes, &err)) {
        if (err.code == TFL_E_NOT_FOUND)
            tfl_http_replyf(req, unknown, *unknown_body ? TFL_HTTP_JSON : NULL, "%s", unknown_body);
        else
            tfl_http_replyf(req, 500, TFL_HTTP_TEXT, "%s", err.msg);
        return;
    }
    if (tfl_block_decode(&block, bytes.data, bytes.len, &err)) {
        tfl_http_replyf(req, 500, TFL_HTTP_TEXT, "the stored block is damaged: %s", err.msg);
        return;
    }
    struct json_object *json = form(&block);
    size_t n;
    const char *text = json_object_to_json_string_length(json, JSON_C_TO_STRING_PLAIN, &n);
    tfl_http_reply(req, 200, TFL_HTTP_JSON, text, n);
    json_object_put(json);
}

static void get_block(struct tfl_node *node, struct tfl_http_request *req)
{
    struct tfl_hash id;
    if (!tfl_api_id(strrchr(tfl_http_path(req), '/') + 1, &id))
        tfl_http_replyf(req, 400, TFL_HTTP_TEXT, "Invalid URL: expected 64 hex digits");
    else
        reply_block(node, req, &id, tfl_block_json, 404, "");
}

bool tfl_api_json_text(struct tfl_http_request *req, const char **text, size_t *n)
{
    const char *type = tfl_http_header(req, "content-type");
    *text = tfl_http_body(req, n);
    if (type && !strncmp(type, TFL_HTTP_JSON, strlen(TFL_HTTP_JSON)))
        return true;
    tfl_http_replyf(req, 415, TFL_HTTP_TEXT, "Expected request with `Content-Type: application/json`");
    return false;
}

struct json_object *tfl_api_json(struct tfl_http_request *req)
{
    const char *text;
    size_t n;
    if (!tfl_api_json_text(req, &text, &n))
        return NULL;
    struct json_tokener *tokener = json_tokener_new();
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    /* With its NUL, so that a number at the very end is known to be over. */
    struct json_object *json = json_tokener_parse_ex(tokener, text, (int)n + 1);
    bool whole =
        json_tokener_get_error(tokener) == json_tokener_success && json_tokener_get_parse_end(tokener) >= n;
    if (!whole || !json) {
        bool is_null = whole && !json;
        tfl_http_replyf(req, is_null ? 422 : 400, TFL_HTTP_TEXT,
            "Failed to parse the request body as JSON: %s",
            is_null ? "null is not what is expected"
                    : json_tokener_error_desc(json_tokener_get_error(tokener)));
        json_object_put(json);
        json = NULL;
    }
    json_tokener_free(tokener);
    return json;
}

static void post_storage_block(struct tfl_node *node, struct tfl_http_request *req)
{
    struct json_object *json = tfl_api_json(req);
    struct tfl_hash id;
    if (!json)
        return;
    if (!json_object_is_type(json, json_type_string) || !tfl_api_id(json_object_get_string(json), &id))
        tfl_http_replyf(req, 422, TFL_HTTP_TEXT, "expected a block id, a string of 64 hex digits");
    else
        reply_block(node, req, &id, tfl_block_raw_json, 200, "null");
    json_object_put(json);
}

static void get_network(struct tfl_node *node, struct tfl_http_request *req)
{
    struct tfl_core_peer list[TFL_CORE_PEERS_MAX];
    struct tfl_core_info info;
    char text[TFL_ADDR_TEXT];
    struct tfl_buf out = {0};
    unsigned shown = 0;
    size_t n = tfl_core_peers(node->core, list, TFL_LEN(list));
    tfl_core_info(node->core, &info);
    tfl_buf_addf(&out, "{\"listen_addresses\":[\"%s\"],\"peer_id\":\"%s\",\"connected_peers\":[",
        tfl_addr_multi(tfl_peers_addr(node->peers), text), node->peer_id);
    for (size_t i = 0; i < n && i < TFL_LEN(list); i++) {
        bool told = !list[i].hello; /* two connections to one peer are one peer */
        for (size_t j = 0; j < i && !told; j++)
            told = list[j].hello && !memcmp(list[j].node, list[i].node, sizeof list[i].node);
        if (!told)
            tfl_buf_addf(&out, "%s\"%s\"", shown++ ? "," : "", tfl_peer_id(text, list[i].node));
    }
    tfl_buf_addf(&out, "],\"n_peers\":%u,\"n_connections\":%u,\"n_pending_connections\":%u}", info.n_peers,
        info.n_connections, tfl_peers_pending(node->peers));
    tfl_http_reply_buf(req, 200, TFL_HTTP_JSON, &out);
}

static void post_dial(struct tfl_node *node, struct tfl_http_request *req)
{
    struct json_object *json = tfl_api_json(req), *text = NULL;
    struct tfl_addr addr;
    struct tfl_error err;
    if (!json)
        return;
    if (!json_object_is_type(json, json_type_object) || !json_object_object_get_ex(json, "addr", &text) ||
        !json_object_is_type(text, json_type_string))
        tfl_http_replyf(req, 422, TFL_HTTP_TEXT, "expected {\"addr\":\"/ip4/ADDRESS/tcp/PORT\"}");
    else if (tfl_addr_parse_multi(&addr, json_object_get_string(text), &err))
        tfl_http_replyf(req, 422, TFL_HTTP_TEXT, "%s", err.msg);
    else
        tfl_peers_dial(node->peers, &addr, req);
    json_object_put(json);
}

static void get_time(struct tfl_node *node, struct tfl_http_request *req)
{
    uint64_t slot;
    tfl_slots_at(&node->slots, tfl_wall_now(node->loop), &slot);
    tfl_http_replyf(req, 200, TFL_HTTP_JSON,
        "{\"slot_duration_ms\":%llu,\"genesis_time_unix_ms\":%llu,\"current_slot\":%llu,\"current_epoch\":0}",
        (unsigned long long)node->slots.slot_duration_ms,
        (unsigned long long)node->slots.genesis_time_unix_ms, (unsigned long long)slot);
}

static void get_version(struct tfl_node *node, struct tfl_http_request *req)
{
    (void)node;
    tfl_http_replyf(req, 200, TFL_HTTP_JSON, "\"%s (tfl-node)\"", TFL_VERSION);
}

static void join_blocks(struct tfl_node *node, struct tfl_http_request *req)
{
    tfl_http_topic_join(&node->blocks, req, TFL_HTTP_NDJSON);
}

static void join_finals(struct tfl_node *node, struct tfl_http_request *req)
{
    tfl_http_topic_join(&node->finals, req, TFL_HTTP_NDJSON);
}

static const struct route {
    const char *path; /* one that ends in '/' takes one more part, and * stands for one */
    const char *method;
    void (*handle)(struct tfl_node *node, struct tfl_http_request *req);
} routes[] = {
    {"/cryptarchia/info", "GET", get_info},
    {"/cryptarchia/headers", "GET", get_headers},
    {"/cryptarchia/blocks", "GET", tfl_api_blocks},
    {"/cryptarchia/blocks/", "GET", get_block},
    {"/cryptarchia/blocks_range", "GET", tfl_api_blocks_range},
    {"/cryptarchia/events/blocks/stream", "GET", join_blocks},
    {"/cryptarchia/lib-stream", "GET", join_finals},
    {"/cryptarchia/transaction/", "GET", tfl_api_tx},
    {"/mempool/add/tx", "POST", tfl_api_add_tx},
    {"/mempool/view", "GET", tfl_api_mempool},
    {"/mantle/metrics", "GET", tfl_api_pool_metrics},
    {"/mantle/status", "POST", tfl_api_tx_status},
    {"/wallet/*/balance", "GET", tfl_api_balance},
    {"/storage/block", "POST", post_storage_block},
    {"/network/info", "GET", get_network},
    {"/network/dial_peer", "POST", post_dial},
    {"/time/info", "GET", get_time},
    {"/time/late_slots", "GET", tfl_api_late_slots},
    {"/version", "GET", get_version},
    {"/metrics", "GET", tfl_api_metrics},
};

static bool matches(const char *route, const char *path)
{
    const char *star = strchr(route, '*');
    size_t n = strlen(route);
    if (star) {
        size_t before = (size_t)(star - route), part;
        if (strncmp(route, path, before))
            return false;
        part = strcspn(path + before, "/");
        return part && !strcmp(star + 1, path + before + part);
    }
    if (route[n - 1] != '/')
        return !strcmp(route, path);
    return !strncmp(route, path, n) && path[n] && !strchr(path + n, '/');
}

void tfl_api_handle(struct tfl_http_request *req, void *arg)
{
    const char *method = tfl_http_method(req);
    if (!strcmp(method, "HEAD"))
        method = "GET"; /* the server leaves the body away */
    for (size_t i = 0; i < TFL_LEN(routes); i++) {
        if (!matches(routes[i].path, tfl_http_path(req)))
            continue;
        if (strcmp(routes[i].method, method))
            tfl_http_reply(req, 405, NULL, "", 0);
        else
            routes[i].handle(arg, req);
        return;
    }
    tfl_http_reply(req, 404, NULL, "", 0);
}
