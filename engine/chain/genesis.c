#include "chain/genesis.h"

#include <stdlib.h>
#include <string.h>

static int by_key(const void *a, const void *b)
{
    return memcmp(
        ((const struct tfl_stake *)a)->pub, ((const struct tfl_stake *)b)->pub, TFL_PUBLIC_KEY_SIZE);
}

static int check_stakes(const struct tfl_genesis *g, struct tfl_error *err)
{
    uint64_t total = 0;
    TFL_FREE struct tfl_stake *sorted = tfl_alloc(g->n_stakes * sizeof *sorted);
    memcpy(sorted, g->stakes, g->n_stakes * sizeof *sorted);
    qsort(sorted, g->n_stakes, sizeof *sorted, by_key);
    for (uint32_t i = 0; i < g->n_stakes; i++) {
        char hex[2 * TFL_PUBLIC_KEY_SIZE + 1];
        tfl_hex(hex, sorted[i].pub, TFL_PUBLIC_KEY_SIZE);
        if (i > 0 && by_key(&sorted[i - 1], &sorted[i]) == 0)
            return tfl_fail(err, TFL_E_BAD_CONFIG, "stakes: key %s is there twice", hex);
        if (sorted[i].stake > (uint64_t)INT64_MAX - total)
            return tfl_fail(
                err, TFL_E_BAD_CONFIG, "stakes: with that of %s the sum does not fit 63 bits", hex);
        total += sorted[i].stake;
    }
    if (total == 0)
        return tfl_fail(err, TFL_E_BAD_CONFIG, "stakes: the sum of %u is 0, nobody could lead", g->n_stakes);
    return 0;
}

static int check_notes(const struct tfl_genesis *g, struct tfl_error *err)
{
    uint64_t total = 0;
    if (g->n_notes > TFL_NOTES_MAX)
        return tfl_fail(err, TFL_E_BAD_CONFIG, "%u notes: at most %d may be", g->n_notes, TFL_NOTES_MAX);
    for (uint32_t i = 0; i < g->n_notes; i++) {
        if (g->notes[i].value == 0)
            return tfl_fail(err, TFL_E_BAD_CONFIG, "notes: note %u has a value of 0", i);
        if (g->notes[i].value > UINT64_MAX - total)
            return tfl_fail(err, TFL_E_BAD_CONFIG, "notes: with note %u the sum does not fit 64 bits", i);
        total += g->notes[i].value;
    }
    return 0;
}

int tfl_genesis_check(const struct tfl_genesis *g, struct tfl_error *err)
{
    size_t len = g->chain_id ? strlen(g->chain_id) : 0;
    if (len < 1 || len > TFL_CHAIN_ID_MAX)
        return tfl_fail(
            err, TFL_E_BAD_CONFIG, "chain id of %zu bytes: expected 1 to %d", len, TFL_CHAIN_ID_MAX);
    if (g->genesis_time_unix_ms > INT64_MAX / 1000000)
        return tfl_fail(err, TFL_E_BAD_CONFIG, "genesis time %llu ms is beyond the year 2262",
            (unsigned long long)g->genesis_time_unix_ms);
    if (g->n_stakes < 1 || g->n_stakes > TFL_STAKES_MAX)
        return tfl_fail(err, TFL_E_BAD_CONFIG, "%u stakes: expected 1 to %d", g->n_stakes, TFL_STAKES_MAX);
    return check_stakes(g, err) || check_notes(g, err) ? -1 : 0;
}

static struct tfl_hash commitment(const struct tfl_genesis *g)
{
    TFL_BUF bytes = {0};
    tfl_buf_add_le(&bytes, g->genesis_time_unix_ms, 8);
    tfl_buf_add_le(&bytes, g->n_stakes, 4);
    for (uint32_t i = 0; i < g->n_stakes; i++) {
        tfl_buf_add(&bytes, g->stakes[i].pub, sizeof g->stakes[i].pub);
        tfl_buf_add_le(&bytes, g->stakes[i].stake, 8);
    }
    struct tfl_hash h = tfl_hash_of("TFL_GENESIS_V1", &(struct tfl_span){bytes.data, bytes.len}, 1);
    h.b[31] &= 0x1f; /* the API shows it as a little-endian field element, which must stay below r */
    return h;
}

/* How many transfers the notes take: the first has 255 outputs, each further one less (genesis.h). */
static uint8_t n_transfers(uint32_t n_notes)
{
    uint8_t n = 0;
    for (uint32_t room = UINT8_MAX; n_notes > 0; room--, n++)
        n_notes -= n_notes < room ? n_notes : room;
    return n;
}

static void add_transfers(struct tfl_tx *tx, const struct tfl_genesis *g)
{
    const struct tfl_output *next = g->notes;
    uint32_t left = g->n_notes;
    for (uint32_t room = UINT8_MAX; left > 0; room--) {
        struct tfl_transfer *t = &tx->ops[tx->n_ops].transfer;
        uint32_t n = left < room ? left : room;
        tx->ops[tx->n_ops++].code = TFL_OP_TRANSFER;
        t->outputs = memcpy(tfl_alloc(n * sizeof *next), next, n * sizeof *next);
        t->n_outputs = (uint8_t)n;
        next += n;
        left -= n;
    }
}

void tfl_genesis_block(struct tfl_block *b, const struct tfl_genesis *g)
{
    TFL_BUF text = {0};
    size_t len = strlen(g->chain_id);
    tfl_buf_add_le(&text, len, 8);
    tfl_buf_add(&text, g->chain_id, len);
    tfl_buf_add_le(&text, g->genesis_time_unix_ms / 1000, 8);
    tfl_buf_add(&text, g->nonce, sizeof g->nonce);

    *b = (struct tfl_block){0};
    b->txs = tfl_alloc(sizeof *b->txs);
    b->n_txs = 1;
    b->txs[0].ops = tfl_alloc((n_transfers(g->n_notes) + 1u) * sizeof *b->txs[0].ops);
    add_transfers(&b->txs[0], g);
    struct tfl_tx_op *op = &b->txs[0].ops[b->txs[0].n_ops++];
    op->code = TFL_OP_INSCRIBE;
    op->inscribe.len = (uint32_t)text.len;
    op->inscribe.data = (uint8_t *)text.data;
    text = (struct tfl_buf){0}; /* the operation owns it now */
    b->header.entropy = commitment(g);
    b->header.root = tfl_txs_root(b->txs, b->n_txs);
    b->id = tfl_header_id(&b->header);
}
