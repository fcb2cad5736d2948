#include "client/dialect.h"

#include <string.h>

static const struct tfl_dialect dialects[] = {
    {.name = "reference",
        .info = "/cryptarchia/info",
        .network = "/network/info",
        .headers = "/cryptarchia/headers",
        .block = "/cryptarchia/blocks/",
        .blocks = "/cryptarchia/blocks",
        .range = "/cryptarchia/blocks_range",
        .stream = "/cryptarchia/events/blocks/stream",
        .late_slots = "/time/late_slots",
        .submit = "/mempool/add/tx",
        .mempool = "/mempool/view"},
    {.name = "logos",
        .info = "/cryptarchia/info",
        .network = "/network/info",
        .headers = "/cryptarchia/headers",
        .block = "/cryptarchia/blocks/",
        .block_post = "/storage/block",
        .blocks = "/cryptarchia/blocks",
        .range = "/cryptarchia/blocks_range",
        .stream = "/cryptarchia/events/blocks/stream",
        .stream_old = "/cryptarchia/blocks/stream",
        .submit = "/mempool/add/tx",
        .transfer = "/wallet/transactions/transfer-funds",
        .mempool = "/mempool/view"},
};

const struct tfl_dialect *tfl_dialect_named(const char *name, struct tfl_error *err)
{
    for (size_t i = 0; i < TFL_LEN(dialects); i++)
        if (strcmp(dialects[i].name, name) == 0)
            return &dialects[i];
    tfl_fail(err, TFL_E_USAGE, "unknown dialect \"%.64s\"; there are \"reference\" and \"logos\"", name);
    return NULL;
}
