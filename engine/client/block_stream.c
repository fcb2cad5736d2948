#include "client/block_stream.h"

#include <stdlib.h>

static struct tfl_block_stream *stream_of(struct tfl_op *op)
{
    return TFL_CONTAINER(op, struct tfl_block_stream, op);
}

static void stream_cancel(struct tfl_op *op)
{
    struct tfl_block_stream *s = stream_of(op);
    s->rows.stopped = true;
    if (s->http)
        tfl_op_free(&s->http->op);
    s->http = NULL;
}

static void stream_destroy(struct tfl_op *op)
{
    struct tfl_block_stream *s = stream_of(op);
    stream_cancel(op);
    if (s->busy) {
        s->dead = true;
        return;
    }
    tfl_block_rows_done(&s->rows);
    tfl_client_unref(s->client);
    free(s->path);
    free(s);
}

static void stream_fail(struct tfl_block_stream *s, struct tfl_error *err)
{
    tfl_client_wrap(s->client, s->path, err);
    tfl_op_fail(&s->op, err);
    stream_cancel(&s->op);
}

static void opened(struct tfl_http_op *h)
{
    struct tfl_block_stream *s = h->arg;
    if (h->status == 200 && s->on_open)
        s->on_open(s);
}

/* The taker of a row may free the stream, in which the reader lives: that waits for the end of the call. */
static void arrived(struct tfl_http_op *h, const char *data, size_t n)
{
    struct tfl_block_stream *s = h->arg;
    struct tfl_error err;
    if (h->status != 200)
        return;
    s->busy = true;
    int result = tfl_block_rows_push(&s->rows, data, n, &err);
    s->busy = false;
    if (s->dead)
        stream_destroy(&s->op);
    else if (result)
        stream_fail(s, &err);
}

static void open_path(struct tfl_block_stream *s, int64_t timeout_ms);

static char *endless_path(const struct tfl_client *client)
{
    const struct tfl_dialect *d = client->dialect;
    const char *path = client->stream_old ? d->stream_old : d->stream;
    return path ? tfl_strdup(path) : NULL;
}

/* The other path of the endless stream, when this one is not there: asked once a stream; the next begins with what was found. */
static bool try_other_path(struct tfl_block_stream *s, int status)
{
    if ((status != 404 && status != 405) || !s->endless || s->tried_both || !s->client->dialect->stream_old)
        return false;
    s->tried_both = true;
    s->client->stream_old = !s->client->stream_old;
    tfl_op_free(&s->http->op);
    free(s->path);
    s->path = endless_path(s->client);
    open_path(s, -1);
    return true;
}

static void ended(struct tfl_op *op)
{
    struct tfl_http_op *h = TFL_CONTAINER(op, struct tfl_http_op, op);
    struct tfl_block_stream *s = op->owner;
    struct tfl_error err;
    if (!op->failed && try_other_path(s, h->status))
        return;
    if (op->failed) {
        err = op->err;
        tfl_op_fail(&s->op, &err);
    } else if (h->status == 404 || h->status == 405 || h->status == 501) {
        tfl_fail(&err, TFL_E_UNSUPPORTED, "status %d: the node has no such stream", h->status);
        stream_fail(s, &err);
    } else if (h->status != 200) {
        tfl_fail(&err, TFL_E_HTTP_STATUS, "status %d, expected 200", h->status);
        stream_fail(s, &err);
    } else if (tfl_block_rows_end(&s->rows, &err)) {
        stream_fail(s, &err);
    } else {
        tfl_op_succeed(&s->op);
    }
}

static bool known(void *arg, const struct tfl_hash *id)
{
    struct tfl_block_stream *s = arg;
    return s->known && s->known(s, id);
}

static void on_row(void *arg, const struct tfl_block_row *row)
{
    struct tfl_block_stream *s = arg;
    s->n_rows++;
    if (s->on_row)
        s->on_row(s, row);
}

static void open_path(struct tfl_block_stream *s, int64_t timeout_ms)
{
    TFL_FREE char *url = tfl_sprintf("%s%s", s->client->url, s->path);
    struct tfl_http_call call = {.who = s->client->name,
        .url = url,
        .timeout_ms = timeout_ms,
        .on_data = arrived,
        .on_headers = opened,
        .arg = s};
    s->http = tfl_http_start(s->client->http, &call);
    s->http->op.owner = s;
    s->http->op.done = ended;
}

/* path: owned by the stream from now on; NULL: the dialect has none. */
static struct tfl_block_stream *start(struct tfl_client *client, char *path, int64_t timeout_ms)
{
    struct tfl_block_stream *s = tfl_alloc(sizeof *s);
    struct tfl_error err;
    tfl_op_init(&s->op, client->loop, stream_cancel, stream_destroy);
    s->client = tfl_client_ref(client);
    s->path = path;
    s->rows = (struct tfl_block_rows){.known = known, .on_row = on_row, .arg = s};
    if (!path) {
        s->path = tfl_strdup("");
        tfl_fail(&err, TFL_E_UNSUPPORTED, "nodes of the dialect \"%s\" have no such stream",
            client->dialect->name);
        stream_fail(s, &err);
        return s;
    }
    s->endless = timeout_ms < 0;
    open_path(s, timeout_ms);
    return s;
}

struct tfl_block_stream *tfl_client_stream(struct tfl_client *client)
{
    return start(client, endless_path(client), -1);
}

struct tfl_block_stream *tfl_client_range(
    struct tfl_client *client, uint64_t slot_from, uint64_t slot_to, int64_t timeout_ms)
{
    const char *range = client->dialect->range;
    return start(client,
        range ? tfl_sprintf("%s?slot_from=%llu&slot_to=%llu&order=ascending", range,
                    (unsigned long long)slot_from, (unsigned long long)slot_to)
              : NULL,
        timeout_ms);
}
