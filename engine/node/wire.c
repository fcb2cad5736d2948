#include "node/wire.h"

#include <string.h>

static int bad_end(const struct tfl_reader *r, const char *what, struct tfl_error *err)
{
    if (r->failed)
        return tfl_fail(err, TFL_E_INVALID, "a `%s` message that ends too early", what);
    if (r->left)
        return tfl_fail(err, TFL_E_INVALID, "a `%s` message with %zu bytes after its end", what, r->left);
    return 0;
}

static int read_hello(struct tfl_wire_msg *m, struct tfl_reader *r, struct tfl_error *err)
{
    m->protocol = (uint16_t)tfl_read_le(r, 2);
    if (!r->failed && m->protocol != TFL_WIRE_PROTOCOL)
        return 0; /* what follows may differ: the receiver judges the version alone */
    tfl_read_into(r, m->genesis.b, sizeof m->genesis.b);
    tfl_read_into(r, m->node, sizeof m->node);
    tfl_read_into(r, m->tip.b, sizeof m->tip.b);
    m->height = tfl_read_le(r, 8);
    return bad_end(r, "hello", err);
}

static int read_get_blocks(struct tfl_wire_msg *m, struct tfl_reader *r, struct tfl_error *err)
{
    tfl_read_into(r, m->target.b, sizeof m->target.b);
    m->n = (uint16_t)tfl_read_le(r, 2);
    if (m->n > TFL_WIRE_LOCATOR_MAX)
        return tfl_fail(
            err, TFL_E_INVALID, "a request with %u ids: at most %d may be", m->n, TFL_WIRE_LOCATOR_MAX);
    for (size_t i = 0; i < m->n; i++)
        tfl_read_into(r, m->locator[i].b, sizeof m->locator[i].b);
    return bad_end(r, "get_blocks", err);
}

/* The items of a list, which ends the message. */
static int read_items(
    struct tfl_wire_msg *m, const struct tfl_reader *r, const char *what, struct tfl_error *err)
{
    const uint8_t *bytes;
    size_t len;
    m->body = *r;
    struct tfl_wire_msg walk = *m;
    while (tfl_wire_next_item(&walk, &bytes, &len))
        ;
    return bad_end(&walk.body, what, err);
}

static int read_blocks(struct tfl_wire_msg *m, struct tfl_reader *r, struct tfl_error *err)
{
    tfl_read_into(r, m->target.b, sizeof m->target.b);
    uint64_t more = tfl_read_le(r, 1);
    m->more = more != 0;
    m->n = (uint16_t)tfl_read_le(r, 2);
    if (more > 1 || m->n > TFL_WIRE_BATCH_BLOCKS)
        return tfl_fail(err, TFL_E_INVALID, "an answer of %u blocks and flag %u: at most %d and 1 may be",
            m->n, (unsigned)more, TFL_WIRE_BATCH_BLOCKS);
    return read_items(m, r, "blocks", err);
}

static int read_txs(struct tfl_wire_msg *m, struct tfl_reader *r, struct tfl_error *err)
{
    m->cursor = tfl_read_le(r, 8);
    m->n = (uint16_t)tfl_read_le(r, 2);
    if (m->n > TFL_WIRE_BATCH_TXS)
        return tfl_fail(
            err, TFL_E_INVALID, "a list of %u transactions: at most %d may be", m->n, TFL_WIRE_BATCH_TXS);
    return read_items(m, r, "txs", err);
}

int tfl_wire_decode(struct tfl_wire_msg *m, const void *data, size_t len, struct tfl_error *err)
{
    struct tfl_reader r = {.p = data, .left = len};
    *m = (struct tfl_wire_msg){0};
    if (len < 1 || len > TFL_WIRE_MAX)
        return tfl_fail(err, TFL_E_INVALID, "a message of %zu bytes: expected 1 to %u", len, TFL_WIRE_MAX);
    unsigned kind = (unsigned)tfl_read_le(&r, 1);
    m->kind = (enum tfl_wire_kind)kind;
    switch (kind) {
    case TFL_WIRE_HELLO:
        return read_hello(m, &r, err);
    case TFL_WIRE_PING:
        tfl_read_into(&r, m->tip.b, sizeof m->tip.b);
        m->height = tfl_read_le(&r, 8);
        return bad_end(&r, "ping", err);
    case TFL_WIRE_BLOCK:
        m->body = r; /* its decoder judges its length */
        return 0;
    case TFL_WIRE_GET_BLOCKS:
        return read_get_blocks(m, &r, err);
    case TFL_WIRE_BLOCKS:
        return read_blocks(m, &r, err);
    case TFL_WIRE_TXS:
        return read_txs(m, &r, err);
    case TFL_WIRE_GET_TXS:
        m->cursor = tfl_read_le(&r, 8);
        return bad_end(&r, "get_txs", err);
    default:
        return tfl_fail(err, TFL_E_INVALID, "a message of kind %u: expected 1 to %d", kind, TFL_WIRE_GET_TXS);
    }
}

bool tfl_wire_next_item(struct tfl_wire_msg *m, const uint8_t **data, size_t *len)
{
    if (m->n == 0)
        return false;
    *len = (size_t)tfl_read_le(&m->body, 4);
    *data = tfl_read_bytes(&m->body, *len);
    m->n--;
    return !m->body.failed;
}

static struct tfl_bytes *finish(struct tfl_buf *b)
{
    TFL_ASSERT(b->len <= TFL_WIRE_MAX);
    return tfl_bytes_new(b->data, b->len);
}

struct tfl_bytes *tfl_wire_hello(const struct tfl_hash *genesis, const uint8_t node[TFL_PUBLIC_KEY_SIZE],
    const struct tfl_hash *tip, uint64_t height)
{
    TFL_BUF b = {0};
    tfl_buf_add_le(&b, TFL_WIRE_HELLO, 1);
    tfl_buf_add_le(&b, TFL_WIRE_PROTOCOL, 2);
    tfl_buf_add(&b, genesis->b, sizeof genesis->b);
    tfl_buf_add(&b, node, TFL_PUBLIC_KEY_SIZE);
    tfl_buf_add(&b, tip->b, sizeof tip->b);
    tfl_buf_add_le(&b, height, 8);
    return finish(&b);
}

struct tfl_bytes *tfl_wire_ping(const struct tfl_hash *tip, uint64_t height)
{
    TFL_BUF b = {0};
    tfl_buf_add_le(&b, TFL_WIRE_PING, 1);
    tfl_buf_add(&b, tip->b, sizeof tip->b);
    tfl_buf_add_le(&b, height, 8);
    return finish(&b);
}

struct tfl_bytes *tfl_wire_block(const void *block, size_t len)
{
    TFL_BUF b = {0};
    tfl_buf_add_le(&b, TFL_WIRE_BLOCK, 1);
    tfl_buf_add(&b, block, len);
    return finish(&b);
}

struct tfl_bytes *tfl_wire_get_blocks(
    const struct tfl_hash *target, const struct tfl_hash *locator, uint16_t n)
{
    TFL_BUF b = {0};
    TFL_ASSERT(n <= TFL_WIRE_LOCATOR_MAX);
    tfl_buf_add_le(&b, TFL_WIRE_GET_BLOCKS, 1);
    tfl_buf_add(&b, target->b, sizeof target->b);
    tfl_buf_add_le(&b, n, 2);
    for (size_t i = 0; i < n; i++)
        tfl_buf_add(&b, locator[i].b, sizeof locator[i].b);
    return finish(&b);
}

struct tfl_bytes *tfl_wire_blocks(
    const struct tfl_hash *target, bool more, uint16_t n, const struct tfl_buf *blocks)
{
    TFL_BUF b = {0};
    TFL_ASSERT(n <= TFL_WIRE_BATCH_BLOCKS);
    tfl_buf_add_le(&b, TFL_WIRE_BLOCKS, 1);
    tfl_buf_add(&b, target->b, sizeof target->b);
    tfl_buf_add_le(&b, more, 1);
    tfl_buf_add_le(&b, n, 2);
    tfl_buf_add(&b, blocks->data, blocks->len);
    return finish(&b);
}

struct tfl_bytes *tfl_wire_txs(uint64_t cursor, uint16_t n, const struct tfl_buf *txs)
{
    TFL_BUF b = {0};
    TFL_ASSERT(n <= TFL_WIRE_BATCH_TXS);
    tfl_buf_add_le(&b, TFL_WIRE_TXS, 1);
    tfl_buf_add_le(&b, cursor, 8);
    tfl_buf_add_le(&b, n, 2);
    tfl_buf_add(&b, txs->data, txs->len);
    return finish(&b);
}

struct tfl_bytes *tfl_wire_get_txs(uint64_t cursor)
{
    TFL_BUF b = {0};
    tfl_buf_add_le(&b, TFL_WIRE_GET_TXS, 1);
    tfl_buf_add_le(&b, cursor, 8);
    return finish(&b);
}

void tfl_wire_add_item(struct tfl_buf *items, const void *item, size_t len)
{
    tfl_buf_add_le(items, len, 4);
    tfl_buf_add(items, item, len);
}
