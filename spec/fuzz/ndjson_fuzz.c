// room: client
/* Rows of a stream, cut anywhere: the same bytes give the same rows however they are cut, or the same kind of error. */
#include "client/block_rows.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct tally {
    uint64_t rows, slots, ids;
    bool known;
};

static bool known(void *arg, const struct tfl_hash *id)
{
    return ((struct tally *)arg)->known && (id->b[0] & 1);
}

static void on_row(void *arg, const struct tfl_block_row *row)
{
    struct tally *t = arg;
    t->rows++;
    t->slots += row->block.slot;
    t->ids = t->ids * 31 + row->block.id.b[0];
}

/* big: spaces before the first row make it one that is read, or skipped, as it comes. */
static int run(struct tally *t, const uint8_t *data, size_t size, size_t piece, bool big)
{
    static char spaces[TFL_ROW_SMALL - 256];
    struct tfl_block_rows rows = {.known = known, .on_row = on_row, .arg = t};
    struct tfl_error err;
    memset(spaces, ' ', sizeof spaces);
    int result = big ? tfl_block_rows_push(&rows, spaces, sizeof spaces, &err) : 0;
    for (size_t i = 0; i < size && result == 0; i += piece)
        result =
            tfl_block_rows_push(&rows, (const char *)data + i, size - i < piece ? size - i : piece, &err);
    if (result == 0)
        result = tfl_block_rows_end(&rows, &err);
    tfl_block_rows_done(&rows);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tally whole = {0}, cut = {0}, skipping = {.known = true};
    if (size < 2)
        return 0;
    bool big = data[0] & 0x80;
    size_t piece = 1 + (data[0] & 0x7f);
    int a = run(&whole, data + 1, size - 1, size, big), b = run(&cut, data + 1, size - 1, piece, big);
    if (a != b || whole.rows != cut.rows || whole.slots != cut.slots || whole.ids != cut.ids)
        abort();
    run(&skipping, data + 1, size - 1, piece, big);
    return 0;
}
