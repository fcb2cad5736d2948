#include "client/dialect.h"

#include "base/buf.h"

#include <stddef.h>
#include <stdlib.h>
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
    {.name = "http"},
};

const struct tfl_dialect *tfl_dialect_named(const char *name, struct tfl_error *err)
{
    for (size_t i = 0; i < TFL_LEN(dialects); i++)
        if (strcmp(dialects[i].name, name) == 0)
            return &dialects[i];
    tfl_fail(
        err, TFL_E_USAGE, "unknown dialect \"%.64s\"; there are \"reference\", \"logos\" and \"http\"", name);
    return NULL;
}

static const struct {
    const char *name;
    size_t at;
} questions[] = {
#define QUESTION(name)                                                                                       \
    {                                                                                                        \
#name, offsetof(struct tfl_dialect, name)                                                            \
    }
    QUESTION(info),
    QUESTION(network),
    QUESTION(headers),
    QUESTION(block),
    QUESTION(block_post),
    QUESTION(blocks),
    QUESTION(range),
    QUESTION(stream),
    QUESTION(stream_old),
    QUESTION(late_slots),
    QUESTION(submit),
    QUESTION(transfer),
    QUESTION(mempool),
#undef QUESTION
};

static const char **path_of(struct tfl_dialect *dialect, size_t i)
{
    return (const char **)((char *)dialect + questions[i].at);
}

struct tfl_dialect *tfl_dialect_copy(const struct tfl_dialect *dialect)
{
    struct tfl_dialect *copy = tfl_alloc(sizeof *copy);
    *copy = *dialect;
    for (size_t i = 0; i < TFL_LEN(questions); i++)
        if (*path_of(copy, i))
            *path_of(copy, i) = tfl_strdup(*path_of(copy, i));
    return copy;
}

void tfl_dialect_free(struct tfl_dialect *copy)
{
    if (!copy)
        return;
    for (size_t i = 0; i < TFL_LEN(questions); i++)
        free((char *)*path_of(copy, i)); /* owned by a copy */
    free(copy);
}

int tfl_dialect_set(struct tfl_dialect *copy, const char *question, const char *path, struct tfl_error *err)
{
    TFL_BUF names = {0};
    if (path && (path[0] != '/' || strpbrk(path, " \r\n") || strlen(path) > 1000))
        return tfl_fail(err, TFL_E_USAGE, "dialect, %s: \"%.100s\" is no path of an API, such as \"/status\"",
            question, path);
    for (size_t i = 0; i < TFL_LEN(questions); i++) {
        if (!strcmp(questions[i].name, question)) {
            free((char *)*path_of(copy, i));
            *path_of(copy, i) = path ? tfl_strdup(path) : NULL;
            return 0;
        }
        tfl_buf_addf(&names, "%s%s", names.len ? ", " : "", questions[i].name);
    }
    return tfl_fail(
        err, TFL_E_USAGE, "dialect: there is no question \"%.60s\"; there are %s", question, names.data);
}
