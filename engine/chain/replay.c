#include "chain/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void tfl_replay_init(struct tfl_replay *r)
{
    *r = (struct tfl_replay){.findings = tfl_alloc(TFL_FINDINGS_MAX * sizeof *r->findings)};
}

void tfl_replay_done(struct tfl_replay *r)
{
    if (!r)
        return;
    tfl_tx_ledger_free(r->ledger);
    tfl_block_done(&r->block);
    free(r->findings);
    *r = (struct tfl_replay){0};
}

static int follow(struct tfl_replay *r, const struct tfl_block *b, struct tfl_error *err)
{
    char id[TFL_HASH_HEX], want[TFL_HASH_HEX], seen[TFL_HASH_HEX];
    if (r->next < r->block.n_txs)
        return tfl_fail(err, TFL_E_STATE, "block %s comes while the one before is not judged to its end",
            tfl_hash_hex(id, &b->id));
    if (!r->ledger) {
        r->ledger = tfl_tx_ledger_new(b, err);
        return r->ledger ? 0 : tfl_wrap(err, "first block %s", tfl_hash_hex(id, &b->id));
    }
    if (!tfl_hash_eq(&b->header.parent, &r->tip))
        return tfl_fail(err, TFL_E_INVALID, "block %s: its parent is %s, but the block before it is %s",
            tfl_hash_hex(id, &b->id), tfl_hash_hex(seen, &b->header.parent), tfl_hash_hex(want, &r->tip));
    if (b->header.slot <= r->slot)
        return tfl_fail(err, TFL_E_INVALID, "block %s: its slot %llu is not above its parent's, %llu",
            tfl_hash_hex(id, &b->id), (unsigned long long)b->header.slot, (unsigned long long)r->slot);
    r->height++;
    return 0;
}

int tfl_replay_push(struct tfl_replay *r, struct tfl_block *b, struct tfl_error *err)
{
    bool genesis = !r->ledger;
    if (follow(r, b, err)) {
        tfl_block_done(b);
        return -1;
    }
    tfl_block_done(&r->block);
    r->block = *b;
    *b = (struct tfl_block){0};
    r->tip = r->block.id;
    r->slot = r->block.header.slot;
    r->next = genesis ? r->block.n_txs : 0; /* the ledger has the notes of genesis already */
    r->n_blocks++;
    return 0;
}

static void find_fault(
    struct tfl_replay *r, const struct tfl_tx *tx, enum tfl_tx_fault fault, const struct tfl_error *err)
{
    r->n_faults[fault]++;
    if (r->n_findings == TFL_FINDINGS_MAX)
        return;
    struct tfl_finding *f = &r->findings[r->n_findings++];
    *f = (struct tfl_finding){
        .fault = fault, .height = r->height, .slot = r->slot, .block = r->tip, .tx = tfl_tx_hash(tx)};
    snprintf(f->message, sizeof f->message, "%.*s", (int)sizeof f->message - 1, err->msg);
}

static void judge(struct tfl_replay *r, const struct tfl_tx *tx)
{
    struct tfl_error err = {0};
    enum tfl_tx_fault fault = tfl_tx_ledger_apply_tx(r->ledger, tx, NULL, NULL, &err);
    if (fault) {
        find_fault(r, tx, fault, &err);
        return;
    }
    r->n_txs++;
    for (size_t i = 0; i < tx->n_ops; i++) {
        r->n_transfers += tx->ops[i].code == TFL_OP_TRANSFER;
        r->n_inscribes += tx->ops[i].code == TFL_OP_INSCRIBE;
    }
}

bool tfl_replay_step(struct tfl_replay *r, uint32_t n)
{
    for (; n > 0 && r->next < r->block.n_txs; n--)
        judge(r, &r->block.txs[r->next++]);
    if (r->next < r->block.n_txs)
        return true;
    tfl_block_done(&r->block); /* its transactions are not needed any more */
    r->next = 0;
    return false;
}
