// room: chain
#include "chain/tx_json.h"

#include "chain/block_json.h"
#include "chain/tx_check.h"

#include <string.h>

static void as_block(const uint8_t *data, size_t size)
{
    TFL_BLOCK b = {0};
    TFL_FREE char *text = tfl_strndup((const char *)data, size);
    struct tfl_error err;
    struct json_object *json = json_tokener_parse(text);
    if (tfl_block_from_json(&b, json, &err))
        TFL_ASSERT(b.n_txs == 0 && !b.txs);
    json_object_put(json);
}

/* Any body: refused with a code that has an HTTP status, or a transaction that is written as JSON and read back the same.
 * The same text as a block's JSON. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tfl_tx tx, again;
    struct tfl_error err;
    struct tfl_verdict v;
    as_block(data, size);
    if (tfl_tx_parse(&tx, (const char *)data, size, &err)) {
        TFL_ASSERT(err.code == TFL_E_BAD_REPLY || err.code == TFL_E_INVALID || err.code == TFL_E_TOO_LARGE ||
                   err.code == TFL_E_UNSUPPORTED);
        TFL_ASSERT(!tx.n_ops && !tx.ops);
        return 0;
    }
    struct json_object *json = tfl_tx_json(&tx);
    TFL_ASSERT(tfl_tx_from_json(&again, json, &err) == 0);
    TFL_BUF first = {0}, second = {0};
    tfl_tx_encode(&first, &tx);
    tfl_tx_encode(&second, &again);
    TFL_ASSERT(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
    enum tfl_tx_fault fault = tfl_tx_check(&v, &tx, &err);
    TFL_ASSERT(v.checked == !fault);
    json_object_put(json);
    tfl_tx_done(&tx);
    tfl_tx_done(&again);
    return 0;
}
