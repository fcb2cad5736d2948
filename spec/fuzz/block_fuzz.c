// room: chain
#include "chain/block_json.h"

#include <string.h>

/* Any bytes: the decoder refuses them, or they are exactly what the encoder makes of the result. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    TFL_BLOCK b = {0};
    TFL_BUF again = {0};
    struct tfl_error err;
    struct tfl_hash id;
    if (tfl_block_decode(&b, data, size, &err)) {
        TFL_ASSERT(err.code == TFL_E_INVALID || err.code == TFL_E_TOO_LARGE);
        TFL_ASSERT(b.n_txs == 0 && !b.txs);
        return 0;
    }
    tfl_block_encode(&again, &b);
    TFL_ASSERT(again.len == size && memcmp(again.data, data, size) == 0);
    TFL_ASSERT(tfl_block_peek_id(&id, data, size) && tfl_hash_eq(&id, &b.id));
    json_object_put(tfl_block_json(&b));
    json_object_put(tfl_block_raw_json(&b));
    return 0;
}
