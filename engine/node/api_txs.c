/* Transactions over HTTP: into the mempool, and what became of them. */
#include "node/api.h"

#include "chain/block_json.h"
#include "chain/tx_json.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { MAX_ASKED = 10000 }; /* hashes in one POST /mantle/status */

/* A request whose transaction is in the open transaction of the store: it is answered when that is committed. */
struct tfl_answer {
    struct tfl_node *node;
    struct tfl_http_request *req;
    struct tfl_answer *prev, *next;
};

static void forget(struct tfl_answer *a)
{
    DL_DELETE(a->node->answers, a);
    free(a);
}

static void gone(struct tfl_http_request *req, void *arg)
{
    (void)req;
    forget(arg);
}

void tfl_api_committed(struct tfl_node *node, const struct tfl_error *err)
{
    while (node->answers) {
        // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): forget takes it off the list before it frees it
        struct tfl_http_request *req = node->answers->req;
        forget(node->answers);
        if (err)
            tfl_http_replyf(req, 500, TFL_HTTP_TEXT, "%s", err->msg);
        else
            tfl_http_reply(req, 200, TFL_HTTP_JSON, "null", 4);
    }
}

static void answer_later(struct tfl_node *node, struct tfl_http_request *req)
{
    struct tfl_answer *a = tfl_alloc(sizeof *a);
    *a = (struct tfl_answer){.node = node, .req = req};
    DL_APPEND(node->answers, a);
    tfl_http_wait(req, gone, a);
}

void tfl_api_add_tx(struct tfl_node *node, struct tfl_http_request *req)
{
    const char *text;
    size_t n;
    struct tfl_tx tx;
    struct tfl_error err;
    if (!tfl_api_json_text(req, &text, &n))
        return;
    if (tfl_tx_parse(&tx, text, n, &err)) {
        tfl_http_replyf(req, err.code == TFL_E_BAD_REPLY ? 400 : 422, TFL_HTTP_TEXT, "%s", err.msg);
        return;
    }
    enum tfl_core_submitted result = tfl_core_submit(node->core, tfl_wall_now(node->loop), &tx, &err);
    tfl_tx_done(&tx);
    tfl_node_pump(node);
    if (result == TFL_CORE_TX_REFUSED)
        tfl_http_replyf(req, 422, TFL_HTTP_TEXT, "%s", err.msg);
    else if (result == TFL_CORE_TX_FULL)
        tfl_http_replyf(req, 500, TFL_HTTP_TEXT, "%s", err.msg);
    else if (tfl_store_dirty(node->store))
        answer_later(node, req); /* also one that is known may be known only since this turn */
    else
        tfl_http_reply(req, 200, TFL_HTTP_JSON, "null", 4);
}

static void add_hash(void *ctx, const struct tfl_hash *hash)
{
    struct tfl_buf *out = ctx;
    char hex[TFL_HASH_HEX];
    tfl_buf_addf(out, "%s\"%s\"", out->len > 1 ? "," : "", tfl_hash_hex(hex, hash));
}

void tfl_api_mempool(struct tfl_node *node, struct tfl_http_request *req)
{
    struct tfl_buf out = {0};
    tfl_buf_adds(&out, "[");
    tfl_core_each_pending(node->core, add_hash, &out);
    tfl_buf_adds(&out, "]");
    tfl_http_reply_buf(req, 200, TFL_HTTP_JSON, &out);
}

void tfl_api_pool_metrics(struct tfl_node *node, struct tfl_http_request *req)
{
    struct tfl_core_info info;
    tfl_core_info(node->core, &info);
    tfl_http_replyf(req, 200, TFL_HTTP_JSON, "{\"pending_items\":%llu,\"last_item_timestamp\":%llu}",
        (unsigned long long)info.txs.pending, (unsigned long long)info.txs.last_ms);
}

static bool status_of(struct tfl_node *node, struct json_object *item, struct tfl_buf *out)
{
    struct tfl_hash hash;
    if (!json_object_is_type(item, json_type_string) || !tfl_api_id(json_object_get_string(item), &hash))
        return false;
    tfl_buf_addf(out, "%s\"%s\"", out->len > 1 ? "," : "",
        tfl_core_is_pending(node->core, &hash) ? "Pending" : "Unknown");
    return true;
}

void tfl_api_tx_status(struct tfl_node *node, struct tfl_http_request *req)
{
    struct json_object *json = tfl_api_json(req);
    struct tfl_buf out = {0};
    if (!json)
        return;
    size_t n = json_object_is_type(json, json_type_array) ? json_object_array_length(json) : 0;
    bool good = json_object_is_type(json, json_type_array) && n <= MAX_ASKED;
    tfl_buf_adds(&out, "[");
    for (size_t i = 0; i < n && good; i++)
        good = status_of(node, json_object_array_get_idx(json, i), &out);
    tfl_buf_adds(&out, "]");
    if (good)
        tfl_http_reply_buf(req, 200, TFL_HTTP_JSON, &out);
    else
        tfl_http_replyf(req, 422, TFL_HTTP_TEXT,
            "expected a list of at most %d transaction hashes, each a string of 64 hex digits", MAX_ASKED);
    tfl_buf_done(&out);
    json_object_put(json);
}

/* The transaction of a block with that hash; NULL: it is not in there. */
static const struct tfl_tx *find_in(const struct tfl_block *b, const struct tfl_hash *hash)
{
    for (uint32_t i = 0; i < b->n_txs; i++) {
        struct tfl_hash h = tfl_tx_hash(&b->txs[i]);
        if (tfl_hash_eq(&h, hash))
            return &b->txs[i];
    }
    return NULL;
}

void tfl_api_tx(struct tfl_node *node, struct tfl_http_request *req)
{
    TFL_BUF bytes = {0};
    TFL_BLOCK block = {0};
    struct tfl_hash hash;
    struct tfl_core_header header;
    struct tfl_error err;
    const struct tfl_tx *tx = NULL;
    if (!tfl_api_id(strrchr(tfl_http_path(req), '/') + 1, &hash)) {
        tfl_http_replyf(req, 400, TFL_HTTP_TEXT, "Invalid URL: expected 64 hex digits");
        return;
    }
    if (tfl_core_find_tx(node->core, &hash, &header)) {
        if (tfl_core_read(node->core, &header.id, &bytes, &err) ||
            tfl_block_decode(&block, bytes.data, bytes.len, &err)) {
            tfl_http_replyf(req, 500, TFL_HTTP_TEXT, "%s", err.msg);
            return;
        }
        tx = find_in(&block, &hash);
    }
    if (!tx) {
        tfl_http_reply(req, 404, NULL, "", 0);
        return;
    }
    struct json_object *json = tfl_tx_json(tx);
    size_t n;
    const char *text = json_object_to_json_string_length(json, JSON_C_TO_STRING_PLAIN, &n);
    tfl_http_reply(req, 200, TFL_HTTP_JSON, text, n);
    json_object_put(json);
}

struct balance {
    struct tfl_buf notes;
    uint64_t sum;
};

static void add_note(void *ctx, const struct tfl_note *note)
{
    struct balance *b = ctx;
    char hex[TFL_HASH_HEX];
    b->sum += note->value; /* cannot overflow: all notes together fit */
    tfl_buf_addf(&b->notes, "%s\"%s\":%llu", b->notes.len ? "," : "", tfl_hash_hex(hex, &note->id),
        (unsigned long long)note->value);
}

void tfl_api_balance(struct tfl_node *node, struct tfl_http_request *req)
{
    static const char before[] = "/wallet/";
    const char *path = tfl_http_path(req) + strlen(before), *asked = tfl_http_query(req, "tip");
    TFL_FREE char *text = tfl_strndup(path, strcspn(path, "/"));
    struct tfl_hash pk, tip;
    struct tfl_core_info info;
    struct balance b = {.sum = 0};
    char hex[TFL_HASH_HEX], tip_hex[TFL_HASH_HEX];
    tfl_core_info(node->core, &info);
    if (!tfl_api_id(text, &pk) || (asked && !tfl_api_id(asked, &tip))) {
        tfl_http_replyf(
            req, 400, TFL_HTTP_TEXT, "%s: expected 64 hex digits", asked ? "the key and tip" : "Invalid URL");
        return;
    }
    tfl_hash_hex(tip_hex, &info.tip);
    if (asked && !tfl_hash_eq(&tip, &info.tip)) {
        tfl_http_replyf(
            req, 404, TFL_HTTP_TEXT, "notes are known for the tip alone, which is %s now", tip_hex);
        return;
    }
    tfl_tx_ledger_each(tfl_core_ledger(node->core), pk.b, add_note, &b);
    tfl_http_replyf(req, 200, TFL_HTTP_TEXT,
        "{\"tip\":\"%s\",\"balance\":%llu,\"notes\":{%s},\"address\":\"%s\"}", tip_hex,
        (unsigned long long)b.sum, b.notes.data ? b.notes.data : "", tfl_hash_hex(hex, &pk));
    tfl_buf_done(&b.notes);
}
