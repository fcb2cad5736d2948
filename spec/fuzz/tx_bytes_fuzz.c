// room: chain
#include "chain/ledger.h"

#include "chain/block_json.h"
#include "chain/genesis.h"
#include "chain/tx_json.h"

#include <string.h>

static bool any_note(void *ctx, const struct tfl_hash *id, struct tfl_note *out)
{
    *out = (struct tfl_note){.id = *id, .value = id->b[0]};
    memcpy(out->pk, ctx, sizeof out->pk);
    return id->b[1] != 0;
}

/* A ledger with one note, of the key that the first 32 bytes of the input name. */
static struct tfl_tx_ledger *ledger(const uint8_t *pk)
{
    struct tfl_output notes[2] = {{.value = UINT64_MAX - 7}, {.value = 7}};
    struct tfl_stake stake = {.stake = 1};
    struct tfl_genesis g = {.chain_id = "x", .stakes = &stake, .n_stakes = 1, .notes = notes, .n_notes = 2};
    TFL_BLOCK b = {0};
    memcpy(notes[0].pk, pk, sizeof notes[0].pk);
    memcpy(notes[1].pk, pk, sizeof notes[1].pk);
    tfl_genesis_block(&b, &g);
    return tfl_tx_ledger_new(&b, NULL);
}

/* Any bytes: refused, or what the encoder makes of the result; what JSON makes of it comes back the same; checks give a
 * fault or none, and a ledger that took it (trusting or not) is whole again once that is undone. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tfl_tx tx, again;
    struct tfl_reader r = {.p = data, .left = size};
    struct tfl_error err;
    struct tfl_verdict v;
    TFL_BUF bytes = {0};
    if (tfl_tx_decode(&tx, &r, &err)) {
        TFL_ASSERT(err.code == TFL_E_INVALID && !tx.n_ops && !tx.ops);
        return 0;
    }
    tfl_tx_encode(&bytes, &tx);
    TFL_ASSERT(bytes.len == size - r.left && memcmp(bytes.data, data, bytes.len) == 0);
    TFL_ASSERT(tfl_tx_size(&tx) == bytes.len);
    struct json_object *json = tfl_tx_json(&tx);
    TFL_ASSERT(tfl_tx_from_json(&again, json, &err) == 0 || err.code == TFL_E_TOO_LARGE);
    tfl_tx_done(&again);
    json_object_put(json);

    enum tfl_tx_fault fault = tfl_tx_check(&v, &tx, &err);
    TFL_ASSERT(fault <= TFL_TX_BAD_SIGNATURE && v.checked == !fault);
    uint8_t pk[32] = {0};
    memcpy(pk, data, size < sizeof pk ? size : sizeof pk);
    if (!fault) {
        fault = tfl_tx_prove(&v, &tx, any_note, pk, &err);
        TFL_ASSERT(v.proven == !fault);
    }
    struct tfl_tx_ledger *l = ledger(pk);
    struct tfl_undo undo = {0};
    struct tfl_tx_ledger_info before = tfl_tx_ledger_info(l);
    v = (struct tfl_verdict){0};
    fault = tfl_tx_ledger_apply_tx(l, &tx, &v, &undo, &err);
    struct tfl_tx_ledger_info after = tfl_tx_ledger_info(l);
    TFL_ASSERT(after.value == before.value);
    TFL_ASSERT(!fault || undo.n == 0);
    tfl_tx_ledger_undo(l, &undo);
    after = tfl_tx_ledger_info(l);
    TFL_ASSERT(memcmp(&before, &after, sizeof before) == 0);
    tfl_undo_done(&undo);
    tfl_tx_ledger_free(l);
    tfl_tx_done(&tx);
    return 0;
}
