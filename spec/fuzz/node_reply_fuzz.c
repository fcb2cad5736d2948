// room: client
/* A node may answer anything: whatever the bytes, the readers of replies give a result or a named error. */
#include "client/json_in.h"
#include "client/reply.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tfl_json_in in;
    struct json_object *json = NULL;
    struct tfl_error err;
    size_t piece = size ? 1 + data[0] : 1;
    int result = 0;
    char *words = tfl_reply_words((const char *)data, size);
    if (strlen(words) > 200)
        abort();
    free(words);
    tfl_json_in_init(&in, TFL_JSON_VALUES);
    for (size_t i = 1; i < size && result == 0; i += piece)
        result = tfl_json_in_push(&in, (const char *)data + i, size - i < piece ? size - i : piece, &err);
    if (result == 0)
        result = tfl_json_in_end(&in, &json, &err);
    if (result == 0) {
        struct tfl_node_info info;
        struct tfl_network_info network = {0};
        struct tfl_block_head block, *blocks = NULL;
        struct tfl_block_row row;
        struct tfl_hash *ids = NULL, asked = {{0}};
        uint64_t *slots = NULL;
        size_t n;
        tfl_reply_info(json, &info, &err);
        tfl_reply_made(json, &asked, &err);
        if (tfl_reply_network(json, &network, &err) == 0)
            tfl_network_info_done(&network);
        if (tfl_reply_ids(json, &ids, &n, &err) == 0)
            free(ids);
        if (tfl_reply_slots(json, &slots, &n, &err) == 0)
            free(slots);
        if (tfl_reply_block(json, &asked, &block, &err) == 0) {
            if (block.slot >= TFL_SLOT_LIMIT)
                abort();
            tfl_block_head_done(&block);
        }
        if (tfl_reply_blocks(json, &blocks, &n, &err) == 0)
            tfl_reply_blocks_free(blocks, n);
        if (tfl_reply_row(json, &row, &err) == 0)
            tfl_block_head_done(&row.block);
    }
    json_object_put(json);
    tfl_json_in_done(&in);
    return 0;
}
