#include "client/block_rows.h"

#include <ctype.h>
#include <string.h>

void tfl_block_rows_done(struct tfl_block_rows *rows)
{
    tfl_buf_done(&rows->line);
    tfl_json_in_done(&rows->json);
}

static int parse_end(struct tfl_block_rows *rows, struct tfl_error *err)
{
    struct json_object *json = NULL;
    struct tfl_block_row row;
    int result = tfl_json_in_end(&rows->json, &json, err);
    if (result == 0)
        result = tfl_reply_row(json, &row, err);
    json_object_put(json);
    tfl_json_in_done(&rows->json);
    if (result)
        return -1;
    rows->on_row(rows->arg, &row);
    tfl_block_head_done(&row.block);
    return 0;
}

static bool blank(const struct tfl_buf *line)
{
    for (size_t i = 0; i < line->len; i++)
        if (!isspace((unsigned char)line->data[i]))
            return false;
    return true;
}

static int row_ended(struct tfl_block_rows *rows, struct tfl_error *err)
{
    int result = 0;
    if (rows->mode == TFL_ROW_SKIP) {
        struct tfl_block_row row = {
            .skipped = true, .has_view = true, .tip = rows->scan.tip, .lib = rows->scan.lib};
        row.block.id = rows->scan.id;
        if (!tfl_row_scan_ok(&rows->scan))
            return tfl_fail(
                err, TFL_E_BAD_REPLY, "a row of %zu bytes without a valid id, tip and lib", rows->row_bytes);
        rows->on_row(rows->arg, &row);
    } else if (rows->mode == TFL_ROW_PARSE) {
        result = parse_end(rows, err);
    } else if (!blank(&rows->line)) {
        tfl_json_in_init(&rows->json, TFL_JSON_VALUES);
        result = tfl_json_in_push(&rows->json, rows->line.data, rows->line.len, err);
        if (result == 0)
            result = parse_end(rows, err);
    }
    tfl_buf_clear(&rows->line);
    rows->mode = TFL_ROW_COLLECT;
    rows->row_bytes = 0;
    return result;
}

/* The row is big: what its first bytes say decides how to go on. */
static int choose(struct tfl_block_rows *rows, struct tfl_error *err)
{
    int result = 0;
    memset(&rows->scan, 0, sizeof rows->scan);
    tfl_row_scan_push(&rows->scan, rows->line.data, rows->line.len);
    if (!rows->scan.bad && rows->scan.has_id && rows->known && rows->known(rows->arg, &rows->scan.id)) {
        rows->mode = TFL_ROW_SKIP;
    } else {
        rows->mode = TFL_ROW_PARSE;
        tfl_json_in_init(&rows->json, TFL_JSON_VALUES);
        result = tfl_json_in_push(&rows->json, rows->line.data, rows->line.len, err);
    }
    tfl_buf_done(&rows->line);
    return result;
}

/* Takes bytes of one row. */
static int take(struct tfl_block_rows *rows, const char *data, size_t n, struct tfl_error *err)
{
    rows->row_bytes += n;
    if (rows->row_bytes > TFL_ROW_MAX)
        return tfl_fail(err, TFL_E_TOO_LARGE, "a row of more than %d bytes", TFL_ROW_MAX);
    if (rows->mode == TFL_ROW_COLLECT) {
        size_t room = TFL_ROW_SMALL - rows->line.len, part = n < room ? n : room;
        tfl_buf_add(&rows->line, data, part);
        data += part;
        n -= part;
        if (!n)
            return 0;
        if (choose(rows, err))
            return -1;
    }
    if (rows->mode == TFL_ROW_PARSE)
        return tfl_json_in_push(&rows->json, data, n, err);
    tfl_row_scan_push(&rows->scan, data, n);
    return 0;
}

int tfl_block_rows_push(struct tfl_block_rows *rows, const char *data, size_t n, struct tfl_error *err)
{
    while (n && !rows->stopped) {
        const char *newline = memchr(data, '\n', n);
        size_t part = newline ? (size_t)(newline - data) : n;
        if (take(rows, data, part, err) || (newline && row_ended(rows, err)))
            return -1;
        part += newline != NULL;
        data += part;
        n -= part;
    }
    return 0;
}

int tfl_block_rows_end(struct tfl_block_rows *rows, struct tfl_error *err)
{
    if (rows->stopped || (rows->mode == TFL_ROW_COLLECT && blank(&rows->line)))
        return 0;
    return tfl_fail(/* whoever cuts a connection does not wait for the end of a row */
        err, TFL_E_CONNECT, "the stream ended inside a row, after %zu bytes of it", rows->row_bytes);
}
