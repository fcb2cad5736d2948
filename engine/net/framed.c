/* Length-framed messages over a stream; see sock.h. */
#include "net/sock.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEADER = 4, READ_STEP = 16 * 1024, READ_BURST = 4, KEEP = 4 * 1024 };

static void on_ready(struct tfl_io *io, int events);

static void let_go(struct tfl_framed *f)
{
    tfl_io_stop(f->loop, &f->io);
    close(f->fd);
    f->fd = -1;
    tfl_buf_done(&f->in);
    tfl_buf_done(&f->out);
    f->out_sent = 0;
    f->writing = false;
    if (f->gone)
        *f->gone = true;
    f->gone = NULL;
}

static void tell_closed(struct tfl_defer *defer)
{
    struct tfl_framed *f = TFL_CONTAINER(defer, struct tfl_framed, ending);
    f->closed(f, &f->why);
}

/* The reason is in f->why. */
static void over(struct tfl_framed *f)
{
    let_go(f);
    tfl_defer_start(f->loop, &f->ending, tell_closed);
}

static void watch(struct tfl_framed *f, bool writing)
{
    f->writing = writing;
    if (tfl_io_start(f->loop, &f->io, f->fd, TFL_READ | (writing ? TFL_WRITE : 0), on_ready, NULL))
        TFL_ASSERT(!"the loop watched this descriptor before");
}

int tfl_framed_start(struct tfl_loop *loop, struct tfl_framed *f, int fd, size_t max_message,
    size_t max_queue, struct tfl_error *err)
{
    TFL_ASSERT(!tfl_framed_open(f));
    f->loop = loop;
    f->fd = fd;
    f->max_message = max_message;
    f->max_queue = max_queue;
    f->out_sent = 0;
    f->writing = false;
    f->gone = NULL;
    if (tfl_io_start(loop, &f->io, fd, TFL_READ, on_ready, err)) {
        close(fd);
        return -1;
    }
    return 0;
}

void tfl_framed_close(struct tfl_framed *f)
{
    if (!f->loop)
        return;
    if (tfl_framed_open(f))
        let_go(f);
    tfl_defer_stop(f->loop, &f->ending);
}

/* Hands out the whole messages of f->in; false when the stream is gone after it. */
static bool deliver(struct tfl_framed *f)
{
    bool gone = false;
    size_t at = 0;
    f->gone = &gone;
    while (f->in.len - at >= HEADER) {
        const uint8_t *p = (const uint8_t *)f->in.data + at;
        size_t n = tfl_get_le(p, HEADER);
        if (n > f->max_message) {
            tfl_fail(&f->why, TFL_E_TOO_LARGE, "the peer announced a message of %zu bytes; the bound is %zu",
                n, f->max_message);
            over(f);
            return false;
        }
        if (f->in.len - at - HEADER < n)
            break;
        at += HEADER + n;
        f->message(f, p + HEADER, n);
        if (gone)
            return false;
    }
    f->gone = NULL;
    tfl_buf_eat(&f->in, at);
    if (!f->in.len && f->in.cap > KEEP)
        tfl_buf_done(&f->in);
    return true;
}

static void on_readable(struct tfl_framed *f)
{
    for (int i = 0; i < READ_BURST; i++) {
        uint8_t chunk
            [READ_STEP]; /* not in f->in: most streams are idle most of the time and should hold nothing */
        ssize_t n = recv(f->fd, chunk, sizeof chunk, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0) {
            if (n == 0)
                tfl_fail(&f->why, TFL_E_CONNECT, "the peer closed the connection");
            else
                tfl_fail_errno(&f->why, TFL_E_CONNECT, errno, "the connection broke");
            over(f);
            return;
        }
        tfl_buf_add(&f->in, chunk, (size_t)n);
        if (f->heard)
            f->heard(f);
        if (!deliver(f) || n < READ_STEP)
            return;
    }
}

/* Sends from p; *sent tells how far it came. False on a broken connection. */
static bool push(struct tfl_framed *f, const char *p, size_t n, size_t *sent)
{
    *sent = 0;
    while (*sent < n) {
        ssize_t w = send(f->fd, p + *sent, n - *sent, MSG_NOSIGNAL);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            return errno == EAGAIN;
        *sent += (size_t)w;
    }
    return true;
}

static void on_writable(struct tfl_framed *f)
{
    size_t sent;
    if (!push(f, f->out.data + f->out_sent, f->out.len - f->out_sent, &sent)) {
        tfl_fail_errno(&f->why, TFL_E_CONNECT, errno, "the connection broke");
        over(f);
        return;
    }
    f->out_sent += sent;
    if (f->out_sent == f->out.len) {
        tfl_buf_done(&f->out);
        f->out_sent = 0;
        watch(f, false);
    } else if (f->out_sent > f->out.len / 2) {
        tfl_buf_eat(&f->out, f->out_sent);
        f->out_sent = 0;
    }
}

static void on_ready(struct tfl_io *io, int events)
{
    struct tfl_framed *f = TFL_CONTAINER(io, struct tfl_framed, io);
    if (events & TFL_WRITE && f->writing) {
        on_writable(f);
        if (!tfl_framed_open(f))
            return;
    }
    if (events & TFL_READ)
        on_readable(f);
}

void tfl_framed_send(struct tfl_framed *f, const void *data, size_t n)
{
    if (!f->loop || !tfl_framed_open(f))
        return;
    size_t waiting = f->out.len - f->out_sent, sent = 0;
    if (n > f->max_message || waiting + HEADER + n > f->max_queue) {
        tfl_fail(&f->why, TFL_E_TOO_LARGE, "the peer leaves %zu bytes unread; the bound is %zu",
            waiting + HEADER + n, f->max_queue);
        over(f);
        return;
    }
    /* Queued first even when it can go at once, so that header and message leave in one segment. */
    tfl_buf_add_le(&f->out, n, HEADER);
    tfl_buf_add(&f->out, data, n);
    if (waiting)
        return;
    if (!push(f, f->out.data, f->out.len, &sent)) {
        tfl_fail_errno(&f->why, TFL_E_CONNECT, errno, "the connection broke");
        over(f);
        return;
    }
    if (sent == f->out.len) {
        if (f->out.cap > KEEP)
            tfl_buf_done(&f->out);
        tfl_buf_clear(&f->out);
        return;
    }
    f->out_sent = sent;
    watch(f, true);
}
