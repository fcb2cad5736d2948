#ifndef TFL_CLIENT_BLOCK_STREAM_H
#define TFL_CLIENT_BLOCK_STREAM_H

#include "client/block_rows.h"
#include "client/client.h"

/* Rows of blocks from a node: endless, as they come, or those of a range of slots. One op, that ends with the stream:
 * success when the node ended it properly; TFL_E_UNSUPPORTED when the node (404, 405, 501) or its dialect has no such
 * stream; else as tfl_client_op. It may be freed inside its callbacks. */
struct tfl_block_stream {
    struct tfl_op op;
    struct tfl_client *client;
    void (*on_open)(struct tfl_block_stream *stream); /* the node has said 200; may be NULL */
    void (*on_row)(struct tfl_block_stream *stream, const struct tfl_block_row *row);
    bool (*known)(struct tfl_block_stream *stream, const struct tfl_hash *id); /* may be NULL */
    void *arg;
    uint64_t n_rows;
    struct tfl_http_op *http; /* private from here on */
    struct tfl_block_rows rows;
    bool busy, dead; /* inside the reader; freed meanwhile */
    bool endless, tried_both;
    char *path;
};

/* Callbacks and arg are set by the caller afterwards (nothing is called inside the call). */
struct tfl_block_stream *tfl_client_stream(struct tfl_client *client);
/* Blocks with slots in [slot_from, slot_to], ascending; total time bound timeout_ms. */
struct tfl_block_stream *tfl_client_range(
    struct tfl_client *client, uint64_t slot_from, uint64_t slot_to, int64_t timeout_ms);

#endif
