#include "proc/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One read for each turn: a program that prints without end gets 64 kB a turn, and everybody else their turn too. */
enum { CHUNK = 64 * 1024, DRAIN_CHUNKS = 32, DEFAULT_SEGMENT = 32 * 1024 * 1024 };

static char chunk[CHUNK]; /* one loop, one thread; used only within one call */

static void give_up(struct tfl_capture *capture, const char *what, int errnum)
{
    tfl_fail_errno(&capture->err, TFL_E_IO, errnum, "cannot %s the log %s (output is no longer kept)", what,
        capture->path);
    close(capture->file);
    capture->file = -1;
    if (capture->on_error)
        capture->on_error(capture);
}

static int open_log(struct tfl_capture *capture, int flags)
{
    return open(capture->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
}

static bool rotate(struct tfl_capture *capture)
{
    TFL_FREE char *older = tfl_sprintf("%s.1", capture->path);
    bool gone = access(older, F_OK) == 0;
    int fd = -1;
    if (rename(capture->path, older) || (fd = open_log(capture, O_TRUNC)) < 0) {
        give_up(capture, "rotate", errno);
        return false;
    }
    close(capture->file);
    capture->file = fd;
    capture->file_bytes = 0;
    if (gone && write(fd, TFL_CAPTURE_GONE, strlen(TFL_CAPTURE_GONE)) < 0) {
        give_up(capture, "write", errno);
        return false;
    }
    return true;
}

/* How much of the text goes to the file that is being written: up to its bound and the end of the line it is reached in. A line
 * that is as long as the bound is cut. */
static size_t room_for(const struct tfl_capture *capture, const char *p, size_t n)
{
    size_t bound = capture->segment_bytes, bytes = capture->file_bytes, most = 2 * bound - bytes;
    size_t left = bytes < bound ? bound - bytes : 0;
    if (n <= left)
        return n;
    const char *newline = memchr(p + (left ? left - 1 : 0), '\n', n - (left ? left - 1 : 0));
    size_t take = newline ? (size_t)(newline + 1 - p) : n;
    return take < most ? take : most;
}

static void write_log(struct tfl_capture *capture, const char *p, size_t n)
{
    while (n && capture->file >= 0) {
        bool full = capture->file_bytes >= capture->segment_bytes && capture->line_ended;
        if ((full || capture->file_bytes >= 2 * capture->segment_bytes) && !rotate(capture))
            return;
        ssize_t w = write(capture->file, p, room_for(capture, p, n));
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0) {
            give_up(capture, "write", errno);
            return;
        }
        p += w;
        n -= (size_t)w;
        capture->file_bytes += (size_t)w;
        capture->line_ended = w ? p[-1] == '\n' : capture->line_ended;
    }
}

static void keep_tail(struct tfl_capture *capture, const char *p, size_t n)
{
    if (n > TFL_CAPTURE_TAIL) {
        p += n - TFL_CAPTURE_TAIL;
        n = TFL_CAPTURE_TAIL;
    }
    size_t first = TFL_CAPTURE_TAIL - capture->tail_at;
    if (first > n)
        first = n;
    memcpy(capture->tail + capture->tail_at, p, first);
    memcpy(capture->tail, p + first, n - first);
    capture->tail_at = (capture->tail_at + n) % TFL_CAPTURE_TAIL;
    capture->tail_len = capture->tail_len + n > TFL_CAPTURE_TAIL ? TFL_CAPTURE_TAIL : capture->tail_len + n;
}

/* One chunk from the pipe: false when nothing is there now, or ever again. */
static bool read_chunk(struct tfl_capture *capture)
{
    ssize_t n;
    do {
        n = read(capture->pipe, chunk, sizeof chunk);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return false;
    if (n <= 0) {
        tfl_io_stop(capture->loop, &capture->io);
        return false;
    }
    write_log(capture, chunk, (size_t)n);
    keep_tail(capture, chunk, (size_t)n);
    return true;
}

static void readable(struct tfl_io *io, int events)
{
    (void)events;
    read_chunk(TFL_CONTAINER(io, struct tfl_capture, io));
}

int tfl_capture_start(struct tfl_capture *capture, struct tfl_loop *loop, const char *path,
    size_t segment_bytes, int *out, struct tfl_error *err)
{
    void (*on_error)(struct tfl_capture *) = capture->on_error;
    memset(capture, 0, sizeof *capture);
    capture->on_error = on_error;
    capture->loop = loop;
    capture->pipe = capture->file = -1;
    capture->segment_bytes = segment_bytes ? segment_bytes : DEFAULT_SEGMENT;
    if (path) {
        struct stat st;
        capture->path = tfl_strdup(path);
        capture->file = open_log(capture, 0);
        if (capture->file < 0 || fstat(capture->file, &st)) {
            tfl_fail_errno(err, TFL_E_IO, errno, "cannot open the log %s", path);
            goto failed;
        }
        capture->file_bytes = st.st_size > 0 ? (size_t)st.st_size : 0;
    }
    int ends[2];
    if (pipe2(ends, O_CLOEXEC)) {
        tfl_fail_errno(err, TFL_E_SPAWN, errno, "cannot make a pipe for the output of a program");
        goto failed;
    }
    capture->pipe = ends[0];
    if (fcntl(ends[0], F_SETFL, O_NONBLOCK) ||
        tfl_io_start(loop, &capture->io, ends[0], TFL_READ, readable, err)) {
        close(ends[1]);
        goto failed;
    }
    *out = ends[1];
    return 0;
failed:
    tfl_capture_done(capture);
    return -1;
}

void tfl_capture_end(struct tfl_capture *capture)
{
    if (capture->pipe < 0)
        return;
    for (int i = 0; i < DRAIN_CHUNKS && capture->io.impl && read_chunk(capture); i++)
        continue;
    tfl_io_stop(capture->loop, &capture->io);
    close(capture->pipe);
    capture->pipe = -1;
}

void tfl_capture_done(struct tfl_capture *capture)
{
    if (!capture->loop)
        return;
    tfl_io_stop(capture->loop, &capture->io);
    if (capture->pipe >= 0)
        close(capture->pipe);
    if (capture->file >= 0)
        close(capture->file);
    free(capture->path);
    capture->path = NULL;
    capture->pipe = capture->file = -1;
}

void tfl_capture_tail(const struct tfl_capture *capture, struct tfl_buf *b, size_t max)
{
    TFL_BUF all = {0};
    size_t start = (capture->tail_at + TFL_CAPTURE_TAIL - capture->tail_len) % TFL_CAPTURE_TAIL;
    size_t first = TFL_CAPTURE_TAIL - start;
    if (first > capture->tail_len)
        first = capture->tail_len;
    tfl_buf_add(&all, capture->tail + start, first);
    tfl_buf_add(&all, capture->tail, capture->tail_len - first);
    while (all.len && (all.data[all.len - 1] == '\n' || all.data[all.len - 1] == '\r'))
        all.len--;
    size_t from = 0;
    if (all.len > max || capture->tail_len == TFL_CAPTURE_TAIL) {
        from = all.len > max ? all.len - max : 0;
        char *newline = memchr(all.data + from, '\n', all.len - from);
        if (newline) /* a line cut at its front says less than the whole lines after it */
            from = (size_t)(newline + 1 - all.data);
    }
    tfl_buf_add(b, all.data ? all.data + from : "", all.len - from);
}

static int add_end(const char *path, struct tfl_buf *b, size_t max, struct tfl_error *err)
{
    TFL_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0 || fstat(fd, &st))
        return tfl_fail_errno(err, TFL_E_IO, errno, "cannot read the log %s", path);
    size_t size = (size_t)st.st_size;
    if (size > max)
        size = max;
    off_t at = st.st_size - (off_t)size;
    tfl_buf_reserve(b, size);
    while (size) {
        ssize_t n = pread(fd, b->data + b->len, size, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return tfl_fail_errno(err, TFL_E_IO, errno, "cannot read the log %s", path);
        if (n == 0)
            break;
        b->len += (size_t)n;
        at += n;
        size -= (size_t)n;
    }
    b->data[b->len] = '\0';
    return 0;
}

int tfl_log_tail(const char *path, struct tfl_buf *b, size_t max, struct tfl_error *err)
{
    struct stat st;
    size_t newest = stat(path, &st) ? 0 : (size_t)st.st_size;
    if (newest < max) {
        TFL_FREE char *older = tfl_sprintf("%s.1", path);
        if (add_end(older, b, max - newest, err))
            return -1;
    }
    return add_end(path, b, max, err);
}
