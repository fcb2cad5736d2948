#ifndef TFL_CLIENT_BLOCK_ROWS_H
#define TFL_CLIENT_BLOCK_ROWS_H

#include "base/buf.h"
#include "client/json_in.h"
#include "client/reply.h"
#include "client/row_scan.h"

/* Block rows out of an NDJSON stream that comes in pieces. A row of up to TFL_ROW_SMALL bytes is parsed when it is
 * whole. A bigger one is parsed as its pieces come, or, when its beginning names a known block, only looked through. */
enum { TFL_ROW_SMALL = 16 * 1024, TFL_ROW_MAX = 16 * 1024 * 1024 };

struct tfl_block_rows {
    bool (*known)(void *arg, const struct tfl_hash *id); /* may be NULL: nothing is */
    void (*on_row)(void *arg,
        const struct tfl_block_row *row); /* must not free the reader; may set stopped; row is the reader's */
    void *arg;
    bool stopped;                                               /* set by the taker: the rest is dropped */
    enum { TFL_ROW_COLLECT, TFL_ROW_SKIP, TFL_ROW_PARSE } mode; /* private from here on */
    struct tfl_buf line;
    size_t row_bytes;
    struct tfl_row_scan scan;
    struct tfl_json_in json;
};

void tfl_block_rows_done(struct tfl_block_rows *rows);
/* Takes the next bytes (the caller keeps to slices of 16 kB). An error (TFL_E_BAD_REPLY, TFL_E_TOO_LARGE) ends the use of
 * the stream: what follows a broken row cannot be trusted. */
int tfl_block_rows_push(struct tfl_block_rows *rows, const char *data, size_t n, struct tfl_error *err);
/* The stream has ended: -1, TFL_E_CONNECT, when it did so inside a row. */
int tfl_block_rows_end(struct tfl_block_rows *rows, struct tfl_error *err);

#endif
