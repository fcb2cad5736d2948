#include "terminal/line_reader.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { READ_SIZE = 4096 };

static bool has_line(const struct tfl_line_reader *r)
{
    return r->ended || (r->in.len && memchr(r->in.data, '\n', r->in.len));
}

static void on_readable(struct tfl_io *io, int events)
{
    struct tfl_line_reader *r = TFL_CONTAINER(io, struct tfl_line_reader, io);
    char data[READ_SIZE];
    (void)events;
    ssize_t n = read(r->fd, data, sizeof data);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n > 0)
        tfl_buf_add(&r->in, data, (size_t)n);
    r->ended = n <= 0 || (r->in.len > TFL_LINE_MAX && !has_line(r));
    if (!has_line(r))
        return;
    tfl_io_stop(r->loop, &r->io);
    r->wanted = false;
    r->changed(r);
}

static void on_look(struct tfl_defer *look)
{
    struct tfl_line_reader *r = TFL_CONTAINER(look, struct tfl_line_reader, look);
    struct tfl_error err;
    bool failed = !has_line(r) && tfl_io_start(r->loop, &r->io, r->fd, TFL_READ, on_readable, &err);
    r->ended = r->ended || failed;
    if (!has_line(r))
        return;
    r->wanted = false;
    r->changed(r);
}

void tfl_line_reader_start(
    struct tfl_line_reader *r, struct tfl_loop *loop, int fd, void (*changed)(struct tfl_line_reader *reader))
{
    *r = (struct tfl_line_reader){.loop = loop, .fd = fd, .changed = changed};
}

void tfl_line_reader_stop(struct tfl_line_reader *r)
{
    tfl_io_stop(r->loop, &r->io);
    tfl_defer_stop(r->loop, &r->look);
    tfl_buf_done(&r->in);
    tfl_buf_done(&r->taken);
}

void tfl_line_reader_want(struct tfl_line_reader *r)
{
    if (r->wanted)
        return;
    r->wanted = true;
    tfl_defer_start(r->loop, &r->look, on_look);
}

const char *tfl_line_reader_take(struct tfl_line_reader *r, size_t *n, bool *ended)
{
    const char *end = r->in.len ? memchr(r->in.data, '\n', r->in.len) : NULL;
    *ended = r->ended && !r->in.len;
    if (!end && (!r->ended || !r->in.len))
        return NULL;
    size_t len = end ? (size_t)(end - r->in.data) : r->in.len;
    tfl_buf_clear(&r->taken);
    tfl_buf_reserve(&r->taken, len); /* an empty line is a line, too */
    tfl_buf_add(&r->taken, r->in.data, len);
    tfl_buf_eat(&r->in, end ? len + 1 : len);
    if (r->taken.len && r->taken.data[r->taken.len - 1] == '\r')
        r->taken.data[--r->taken.len] = '\0';
    *n = r->taken.len;
    return r->taken.data;
}
