#ifndef TFL_NODE_WIRE_H
#define TFL_NODE_WIRE_H

#include "base/buf.h"
#include "base/bytes.h"
#include "base/error.h"
#include "chain/block.h"

/* Messages between reference nodes. On a socket each is preceded by its length as u32le (the process frames, the core
 * never sees a length). A message: u8 kind, then its fields, all integers little-endian, nothing after them. */
#define TFL_WIRE_PROTOCOL 2
#define TFL_WIRE_MAX (TFL_BLOCK_MAX + 4096) /* bytes of a message, without its length */
#define TFL_WIRE_LOCATOR_MAX 48             /* ids in one request */
#define TFL_WIRE_BATCH_BLOCKS 64            /* blocks in one answer … */
#define TFL_WIRE_BATCH_BYTES                                                                                 \
    (256u << 10) /* … which stops growing past this many bytes; one block always fits */
#define TFL_WIRE_BATCH_TXS                                                                                   \
    256 /* transactions in one message (to verify them takes some 20 ms); the same bound of bytes */

enum tfl_wire_kind {
    TFL_WIRE_HELLO = 1,  /* first from both sides, once */
    TFL_WIRE_PING,       /* every half second: I am here, and this is my tip */
    TFL_WIRE_BLOCK,      /* a new block, gossiped */
    TFL_WIRE_GET_BLOCKS, /* give me what leads from a block that I have to the target */
    TFL_WIRE_BLOCKS,     /* the answer, parents first */
    TFL_WIRE_TXS,        /* transactions: new ones, gossiped, or an answer */
    TFL_WIRE_GET_TXS,    /* give me what waits in your mempool */
};

struct tfl_wire_msg {
    enum tfl_wire_kind kind;
    uint16_t protocol;                             /* hello */
    struct tfl_hash genesis;                       /* hello */
    uint8_t node[TFL_PUBLIC_KEY_SIZE];             /* hello: who speaks */
    struct tfl_hash tip;                           /* hello, ping */
    uint64_t height;                               /* hello, ping: of tip */
    struct tfl_hash target;                        /* get_blocks, blocks */
    struct tfl_hash locator[TFL_WIRE_LOCATOR_MAX]; /* get_blocks: ids that the asker has, newest first */
    uint16_t n;      /* get_blocks: ids in locator; blocks, txs: items in the message */
    bool more;       /* blocks: the answer stopped at a bound before the target */
    uint64_t cursor; /* get_txs: give what comes after it (0: all); txs: go on with it (0: this is all) */
    struct tfl_reader body; /* block: its bytes; blocks, txs: read each with tfl_wire_next_item */
};

/* Reads a message; m->body points into data. TFL_E_INVALID names what is wrong with it. The blocks or transactions within
 * are not decoded, but their number and lengths are checked. */
int tfl_wire_decode(struct tfl_wire_msg *m, const void *data, size_t len, struct tfl_error *err);
/* The next block or transaction of a `blocks` or `txs` message: true and its bytes, which live as long as the message's. */
bool tfl_wire_next_item(struct tfl_wire_msg *m, const uint8_t **data, size_t *len);

/* Makers of messages; each result has one reference, the caller's. */
struct tfl_bytes *tfl_wire_hello(const struct tfl_hash *genesis, const uint8_t node[TFL_PUBLIC_KEY_SIZE],
    const struct tfl_hash *tip, uint64_t height);
struct tfl_bytes *tfl_wire_ping(const struct tfl_hash *tip, uint64_t height);
struct tfl_bytes *tfl_wire_block(const void *block, size_t len);
struct tfl_bytes *tfl_wire_get_blocks(
    const struct tfl_hash *target, const struct tfl_hash *locator, uint16_t n);
/* blocks, txs: n times u32le length and bytes, as tfl_wire_add_item makes them. */
struct tfl_bytes *tfl_wire_blocks(
    const struct tfl_hash *target, bool more, uint16_t n, const struct tfl_buf *blocks);
struct tfl_bytes *tfl_wire_txs(uint64_t cursor, uint16_t n, const struct tfl_buf *txs);
struct tfl_bytes *tfl_wire_get_txs(uint64_t cursor);
void tfl_wire_add_item(struct tfl_buf *items, const void *item, size_t len);

#endif
