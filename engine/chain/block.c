#include "chain/block.h"

#include <stdlib.h>
#include <string.h>

/* version, parent, slot, root, voucher_cm, entropy, proof, leader: what the id is the hash of */
#define HEADER_BYTES (1 + 32 + 8 + 32 + 32 + 32 + TFL_PROOF_SIZE + TFL_PUBLIC_KEY_SIZE)

void tfl_block_done(struct tfl_block *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < b->n_txs; i++)
        tfl_tx_done(&b->txs[i]);
    free(b->txs);
    *b = (struct tfl_block){0};
}

static void header_bytes(struct tfl_buf *out, const struct tfl_header *h)
{
    tfl_buf_add_le(out, TFL_BLOCK_VERSION, 1);
    tfl_buf_add(out, h->parent.b, sizeof h->parent.b);
    tfl_buf_add_le(out, h->slot, 8);
    tfl_buf_add(out, h->root.b, sizeof h->root.b);
    tfl_buf_add(out, h->voucher_cm.b, sizeof h->voucher_cm.b);
    tfl_buf_add(out, h->entropy.b, sizeof h->entropy.b);
    tfl_buf_add(out, h->proof, sizeof h->proof);
    tfl_buf_add(out, h->leader, sizeof h->leader);
}

struct tfl_hash tfl_header_id(const struct tfl_header *h)
{
    TFL_BUF bytes = {0};
    header_bytes(&bytes, h);
    TFL_ASSERT(bytes.len == HEADER_BYTES);
    return tfl_hash_of("BLOCK_ID_V1", &(struct tfl_span){bytes.data, bytes.len}, 1);
}

struct tfl_hash tfl_merkle_root(const struct tfl_hash *leaves, uint32_t n)
{
    uint32_t width = 1;
    if (n == 0)
        return (struct tfl_hash){0};
    TFL_ASSERT(n <= TFL_BLOCK_TXS_MAX);
    while (width < n)
        width *= 2;
    TFL_FREE struct tfl_hash *level = tfl_alloc(width * sizeof *level); /* the padding is zeros */
    memcpy(level, leaves, n * sizeof *level);
    for (; width > 1; width /= 2) {
        for (uint32_t i = 0; i < width / 2; i++)
            level[i] = tfl_hash_of("", &(struct tfl_span){&level[2 * i], 2 * sizeof *level}, 1);
    }
    return level[0];
}

struct tfl_hash tfl_txs_root(const struct tfl_tx *txs, uint32_t n)
{
    TFL_FREE struct tfl_hash *leaves = tfl_alloc(n * sizeof *leaves);
    for (uint32_t i = 0; i < n; i++)
        leaves[i] = tfl_tx_hash(&txs[i]);
    return tfl_merkle_root(leaves, n);
}

void tfl_block_seal(struct tfl_block *b, const struct tfl_keypair *leader)
{
    b->header.root = tfl_txs_root(b->txs, b->n_txs);
    b->id = tfl_header_id(&b->header);
    tfl_sign(b->sig, leader, b->id.b, sizeof b->id.b);
}

void tfl_block_encode(struct tfl_buf *out, const struct tfl_block *b)
{
    TFL_ASSERT(b->n_txs <= TFL_BLOCK_TXS_MAX);
    header_bytes(out, &b->header);
    tfl_buf_add(out, b->sig, sizeof b->sig);
    tfl_buf_add_le(out, b->n_txs, 2);
    for (uint32_t i = 0; i < b->n_txs; i++)
        tfl_tx_encode(out, &b->txs[i]);
}

static int header_decode(struct tfl_header *h, struct tfl_reader *r, struct tfl_error *err)
{
    if (r->left < HEADER_BYTES + TFL_SIGNATURE_SIZE + 2)
        return tfl_fail(err, TFL_E_INVALID, "a block of %zu bytes: expected at least %d", r->left,
            HEADER_BYTES + TFL_SIGNATURE_SIZE + 2);
    unsigned version = (unsigned)tfl_read_le(r, 1);
    if (version != TFL_BLOCK_VERSION)
        return tfl_fail(err, TFL_E_INVALID, "block version %u: expected %d", version, TFL_BLOCK_VERSION);
    tfl_read_into(r, h->parent.b, sizeof h->parent.b);
    h->slot = tfl_read_le(r, 8);
    tfl_read_into(r, h->root.b, sizeof h->root.b);
    tfl_read_into(r, h->voucher_cm.b, sizeof h->voucher_cm.b);
    tfl_read_into(r, h->entropy.b, sizeof h->entropy.b);
    tfl_read_into(r, h->proof, sizeof h->proof);
    tfl_read_into(r, h->leader, sizeof h->leader);
    return 0;
}

static int txs_decode(struct tfl_block *b, struct tfl_reader *r, struct tfl_error *err)
{
    uint32_t n = (uint32_t)tfl_read_le(r, 2);
    if (n > TFL_BLOCK_TXS_MAX)
        return tfl_fail(
            err, TFL_E_INVALID, "a block of %u transactions: at most %d may be", n, TFL_BLOCK_TXS_MAX);
    if (r->left < n)
        return tfl_fail(err, TFL_E_INVALID, "a block ends before its %u transactions do", n);
    b->txs = tfl_alloc(n * sizeof *b->txs);
    for (; b->n_txs < n; b->n_txs++) {
        if (tfl_tx_decode(&b->txs[b->n_txs], r, err))
            return tfl_wrap(err, "transaction %u of %u", b->n_txs, n);
    }
    if (r->left)
        return tfl_fail(err, TFL_E_INVALID, "%zu bytes after the end of a block", r->left);
    return 0;
}

static int decode(struct tfl_block *b, struct tfl_reader *r, struct tfl_error *err)
{
    if (header_decode(&b->header, r, err))
        return -1;
    tfl_read_into(r, b->sig, sizeof b->sig);
    if (txs_decode(b, r, err))
        return -1;
    struct tfl_hash root = tfl_txs_root(b->txs, b->n_txs);
    if (!tfl_hash_eq(&root, &b->header.root)) {
        char want[TFL_HASH_HEX], seen[TFL_HASH_HEX];
        return tfl_fail(err, TFL_E_INVALID, "block_root %s is not that of the transactions, %s",
            tfl_hash_hex(seen, &b->header.root), tfl_hash_hex(want, &root));
    }
    return 0;
}

int tfl_block_decode(struct tfl_block *b, const void *data, size_t len, struct tfl_error *err)
{
    struct tfl_reader r = {.p = data, .left = len};
    *b = (struct tfl_block){0};
    if (len > TFL_BLOCK_MAX)
        return tfl_fail(err, TFL_E_TOO_LARGE, "a block of %zu bytes: at most %u may be", len, TFL_BLOCK_MAX);
    if (decode(b, &r, err)) {
        tfl_block_done(b);
        return -1;
    }
    TFL_ASSERT(!r.failed && r.left == 0);
    b->id = tfl_header_id(&b->header);
    return 0;
}

bool tfl_block_peek_id(struct tfl_hash *id, const void *data, size_t len)
{
    if (len < HEADER_BYTES)
        return false;
    *id = tfl_hash_of("BLOCK_ID_V1", &(struct tfl_span){data, HEADER_BYTES}, 1);
    return true;
}
