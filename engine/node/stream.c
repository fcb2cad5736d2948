/* The finite answers that can be long: /cryptarchia/blocks and /cryptarchia/blocks_range. They are made a part at a time
 * as the client reads, so that a long chain is never in memory at once. What they walk is fixed at the request: final
 * blocks by height, for they cannot change, and those above the LIB by id. */
#include "node/api.h"

#include "chain/block_json.h"

#include <stdlib.h>
#include <string.h>

enum { PART = 32 * 1024, DEFAULT_LIMIT = 100, MAX_BATCH = 1000 };

struct walk {
    struct tfl_node *node;
    struct tfl_core_view view;
    uint64_t low, high; /* heights, both included */
    uint64_t left;      /* blocks still to send */
    uint64_t lib_height;
    struct tfl_hash *recent; /* ids of the heights above lib_height, up to high; owned */
    bool descending, rows;   /* rows of the block stream, or the items of one array */
    bool begun;
};

static void free_walk(void *arg)
{
    struct walk *w = arg;
    free(w->recent);
    free(w);
}

/* The heights of the slots from..to on the canonical chain, at most to `top`. */
static struct walk *new_walk(struct tfl_node *node, uint64_t from, uint64_t to, bool final_only)
{
    struct tfl_core_info info;
    struct walk *w = tfl_alloc(sizeof *w);
    tfl_core_info(node->core, &info);
    uint64_t top = final_only ? info.lib_height : info.height;
    uint64_t end = to == UINT64_MAX ? info.height + 1 : tfl_core_height_at_slot(node->core, to + 1);
    *w = (struct walk){.node = node,
        .view = {.tip = info.tip, .lib = info.lib, .tip_slot = info.tip_slot, .lib_slot = info.lib_slot},
        .low = tfl_core_height_at_slot(node->core, from),
        .lib_height = info.lib_height};
    w->high = end - 1 < top ? end - 1 : top; /* end is 0 for no slot: genesis has slot 0 */
    w->left = w->low <= w->high ? w->high - w->low + 1 : 0;
    if (w->left && w->high > w->lib_height) {
        w->recent = tfl_alloc((w->high - w->lib_height) * sizeof *w->recent);
        for (uint64_t h = w->lib_height + 1; h <= w->high; h++) {
            struct tfl_core_header header;
            if (tfl_core_at_height(node->core, h, &header))
                w->recent[h - w->lib_height - 1] = header.id;
        }
    }
    return w;
}

static bool id_at(const struct walk *w, uint64_t height, struct tfl_hash *id)
{
    struct tfl_core_header header;
    if (height > w->lib_height) {
        *id = w->recent[height - w->lib_height - 1];
        return true;
    }
    if (!tfl_core_at_height(w->node->core, height, &header))
        return false;
    *id = header.id;
    return true;
}

static int add_block(const struct walk *w, struct tfl_buf *out, const struct tfl_buf *bytes)
{
    TFL_BLOCK block = {0};
    size_t n;
    if (w->rows)
        return tfl_node_block_row(out, bytes->data, bytes->len, &w->view);
    if (tfl_block_decode(&block, bytes->data, bytes->len, NULL))
        return -1;
    struct json_object *json = tfl_block_json(&block);
    const char *text = json_object_to_json_string_length(json, JSON_C_TO_STRING_PLAIN, &n);
    tfl_buf_add(out, text, n);
    json_object_put(json);
    return 0;
}

static bool next_part(void *arg, struct tfl_buf *out)
{
    struct walk *w = arg;
    while (w->left && out->len < PART) {
        TFL_BUF bytes = {0};
        struct tfl_hash id;
        struct tfl_error err = {.msg = "the height is gone"};
        uint64_t height = w->descending ? w->high-- : w->low++;
        if (!w->rows)
            tfl_buf_adds(out, w->begun ? "," : "[");
        w->begun = true;
        w->left--;
        if (!id_at(w, height, &id) || tfl_core_read(w->node->core, &id, &bytes, &err) ||
            add_block(w, out, &bytes)) {
            tfl_node_log(w->node->log, TFL_LOG_ERROR, "height %llu cannot be served: %s",
                (unsigned long long)height, err.msg);
            return false; /* the client sees an array, or a list of rows, that is cut short */
        }
        if (w->rows)
            tfl_buf_adds(out, "\n");
    }
    if (w->left)
        return true;
    if (!w->rows)
        tfl_buf_adds(out, w->begun ? "]" : "[]");
    return false;
}

void tfl_api_blocks(struct tfl_node *node, struct tfl_http_request *req)
{
    uint64_t from = 0, to = 0;
    if (!tfl_api_number(req, "slot_from", &from, true) || !tfl_api_number(req, "slot_to", &to, true))
        return;
    if (from > to) {
        tfl_http_replyf(req, 400, TFL_HTTP_TEXT, "slot_from is larger than slot_to");
        return;
    }
    tfl_http_reply_parts(req, 200, TFL_HTTP_JSON, next_part, free_walk, new_walk(node, from, to, true));
}

/* One of two words of the query; false after a 400. */
static bool choice(
    struct tfl_http_request *req, const char *name, const char *first, const char *second, bool *is_second)
{
    const char *text = tfl_http_query(req, name);
    *is_second = text && !strcmp(text, second);
    if (!text || *is_second || !strcmp(text, first))
        return true;
    tfl_http_replyf(req, 400, TFL_HTTP_TEXT, "Failed to deserialize query string: %s: expected `%s` or `%s`",
        name, first, second);
    return false;
}

void tfl_api_blocks_range(struct tfl_node *node, struct tfl_http_request *req)
{
    uint64_t from = 0, to = UINT64_MAX, batch = 100;
    bool ascending, final_only;
    if (!tfl_api_number(req, "slot_from", &from, false) || !tfl_api_number(req, "slot_to", &to, false) ||
        !tfl_api_number(req, "server_batch_size", &batch, false) ||
        !choice(req, "order", "descending", "ascending", &ascending) ||
        !choice(req, "block_filter", "mutable_and_immutable", "immutable_only", &final_only))
        return;
    bool both = tfl_http_query(req, "slot_from") && tfl_http_query(req, "slot_to");
    uint64_t limit = both ? UINT64_MAX : DEFAULT_LIMIT;
    if (!tfl_api_number(req, "blocks_limit", &limit, false))
        return;
    /* The batch is how much the real node reads at a time; here it is only judged, parts are made by their size. */
    if (from > to || !limit || !batch || batch > MAX_BATCH) {
        tfl_http_replyf(req, 400, TFL_HTTP_TEXT, "%s",
            from > to ? "slot_from is larger than slot_to"
            : !limit  ? "blocks_limit must be at least 1"
                      : "server_batch_size must be from 1 to 1000");
        return;
    }
    struct walk *w = new_walk(node, from, to, final_only);
    w->rows = true;
    w->descending = !ascending;
    w->left = limit < w->left ? limit : w->left;
    tfl_http_reply_parts(req, 200, TFL_HTTP_NDJSON, next_part, free_walk, w);
}
