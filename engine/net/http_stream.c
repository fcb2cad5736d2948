/* Answers that are streams; see http_server.h. */
#include "base/bytes.h"
#include "net/http_impl.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { BLOCK = 4096, DEFAULT_ROWS = 256, MAX_BYTES = 8 * 1024 * 1024 };

static void open_stream(struct tfl_http_stream *stream, struct tfl_http_request *req, unsigned status,
    const char *type, MHD_ContentReaderCallback read, MHD_ContentReaderFreeCallback end)
{
    stream->req = req;
    req->stream = stream;
    tfl_http_answer(
        req, status, type, MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, read, stream, end));
}

static void close_stream(struct tfl_http_stream *stream)
{
    if (stream->req)
        stream->req->stream = NULL;
}

struct parts {
    struct tfl_http_stream stream;
    bool (*next)(void *arg, struct tfl_buf *part);
    void (*done)(void *arg);
    void *arg;
    struct tfl_buf part;
    size_t sent;
    bool last;
};

static ssize_t read_parts(void *arg, uint64_t pos, char *out, size_t max)
{
    struct parts *p = arg;
    (void)pos;
    if (p->stream.req && p->stream.req->hung_up)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    while (p->sent == p->part.len) {
        if (p->last)
            return MHD_CONTENT_READER_END_OF_STREAM;
        tfl_buf_clear(&p->part);
        p->sent = 0;
        p->last = !p->next(p->arg, &p->part);
    }
    size_t n = p->part.len - p->sent < max ? p->part.len - p->sent : max;
    memcpy(out, p->part.data + p->sent, n);
    p->sent += n;
    return (ssize_t)n;
}

static void free_parts(void *arg)
{
    struct parts *p = arg;
    close_stream(&p->stream);
    if (p->done)
        p->done(p->arg);
    tfl_buf_done(&p->part);
    free(p);
}

/* What is missing cannot be made up in a moment: the client sees that the stream broke off. */
static void break_parts(struct tfl_http_stream *stream)
{
    stream->req->hung_up = true;
}

void tfl_http_reply_parts(struct tfl_http_request *req, unsigned status, const char *type,
    bool (*next)(void *arg, struct tfl_buf *part), void (*done)(void *arg), void *arg)
{
    struct parts *p = tfl_alloc(sizeof *p);
    *p = (struct parts){.stream.end = break_parts, .next = next, .done = done, .arg = arg};
    open_stream(&p->stream, req, status, type, read_parts, free_parts);
}

struct tfl_http_reader {
    struct tfl_http_stream stream;
    struct tfl_http_reader *prev, *next;
    struct tfl_http_topic *topic; /* NULL: ends when its rows are sent */
    struct tfl_bytes **rows;      /* a ring of max places */
    size_t max, first, count;
    size_t bytes; /* of all rows in it */
    size_t sent;  /* bytes of the first row that the client has */
};

static struct tfl_bytes *take_first(struct tfl_http_reader *r)
{
    struct tfl_bytes *row = r->rows[r->first];
    r->first = (r->first + 1) % r->max;
    r->count--;
    r->bytes -= row->len;
    return row;
}

static ssize_t read_rows(void *arg, uint64_t pos, char *out, size_t max)
{
    struct tfl_http_reader *r = arg;
    struct tfl_http_request *req = r->stream.req;
    size_t n = 0;
    (void)pos;
    if (req && req->hung_up)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    while (r->count && n < max) {
        struct tfl_bytes *row = r->rows[r->first];
        size_t k = row->len - r->sent < max - n ? row->len - r->sent : max - n;
        memcpy(out + n, row->data + r->sent, k);
        n += k;
        r->sent += k;
        if (r->sent == row->len) {
            tfl_bytes_unref(take_first(r));
            r->sent = 0;
        }
    }
    if (n)
        return (ssize_t)n;
    if (!r->topic || !req)
        return MHD_CONTENT_READER_END_OF_STREAM;
    tfl_http_suspend(req); /* else the daemon would ask again at once, for ever */
    return 0;
}

static void leave(struct tfl_http_reader *r)
{
    if (!r->topic)
        return;
    DL_DELETE(r->topic->readers, r);
    r->topic->n_readers--;
    r->topic = NULL;
}

static void end_reader(struct tfl_http_stream *stream)
{
    leave(TFL_CONTAINER(stream, struct tfl_http_reader, stream));
}

static void free_reader(void *arg)
{
    struct tfl_http_reader *r = arg;
    close_stream(&r->stream);
    leave(r);
    while (r->count)
        tfl_bytes_unref(take_first(r));
    free(r->rows);
    free(r);
}

void tfl_http_topic_join(struct tfl_http_topic *t, struct tfl_http_request *req, const char *type)
{
    struct tfl_http_reader *r = tfl_alloc(sizeof *r);
    *r = (struct tfl_http_reader){
        .stream.end = end_reader, .topic = t, .max = t->max_rows > 1 ? t->max_rows : DEFAULT_ROWS};
    r->rows = tfl_alloc(r->max * sizeof(struct tfl_bytes *));
    DL_APPEND(t->readers, r);
    t->n_readers++;
    open_stream(&r->stream, req, 200, type, read_rows, free_reader);
}

/* Makes room for one row: the oldest goes, but never one the client has the beginning of. */
static void lose_oldest(struct tfl_http_reader *r)
{
    struct tfl_bytes *begun = r->sent ? take_first(r) : NULL;
    if (r->count) {
        tfl_bytes_unref(take_first(r));
        r->topic->dropped++;
    }
    if (begun) {
        r->first = (r->first + r->max - 1) % r->max;
        r->rows[r->first] = begun;
        r->count++;
        r->bytes += begun->len;
    }
}

void tfl_http_topic_push(struct tfl_http_topic *t, const void *data, size_t n)
{
    struct tfl_http_reader *r, *next;
    if (!t->readers || !n)
        return;
    struct tfl_bytes *row = tfl_bytes_new(data, n);
    DL_FOREACH_SAFE(t->readers, r, next)
    {
        while (r->count == r->max || (r->count > 1 && r->bytes + n > MAX_BYTES))
            lose_oldest(r);
        r->rows[(r->first + r->count++) % r->max] = tfl_bytes_ref(row);
        r->bytes += n;
        if (r->stream.req)
            tfl_http_resume(r->stream.req);
    }
    tfl_bytes_unref(row);
}

void tfl_http_topic_done(struct tfl_http_topic *t)
{
    while (t->readers) {
        struct tfl_http_reader *r = t->readers;
        leave(r);
        if (r->stream.req)
            tfl_http_resume(r->stream.req);
    }
}
