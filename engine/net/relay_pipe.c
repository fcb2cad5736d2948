#include "net/relay_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static const int64_t LOST_NS = 200 * TFL_MS; /* the least retransmission timeout of Linux */
enum { LOST_AGAIN_MAX = 6 };

static const struct tfl_relay_policy *policy_of(const struct relay_pipe *pipe)
{
    return &pipe->conn->relay->policy[pipe->way];
}

static struct tfl_relay_counts *counts_of(struct relay_pipe *pipe)
{
    return &pipe->conn->relay->counts[pipe->way];
}

static int64_t now_of(const struct relay_pipe *pipe)
{
    return tfl_now(pipe->conn->relay->config.loop);
}

void relay_pipe_init(struct relay_pipe *pipe, struct relay_conn *conn, enum tfl_relay_way way)
{
    char name[128];
    pipe->conn = conn;
    pipe->way = way;
    snprintf(
        name, sizeof name, "%.90s/%llu/%d", conn->relay->name, (unsigned long long)conn->relay->serial, way);
    tfl_rng_init(&pipe->rng, conn->relay->config.seed, name);
}

void relay_pipe_done(struct relay_pipe *pipe)
{
    tfl_timer_stop(pipe->conn->relay->config.loop, &pipe->timer);
    tfl_buf_done(&pipe->data);
    free(pipe->chunks);
    pipe->chunks = NULL;
}

/* How much longer the segment waits because it was lost. */
static int64_t draw_lost(struct relay_pipe *pipe, double loss)
{
    int64_t wait = 0, timeout = LOST_NS;
    for (int i = 0; i < LOST_AGAIN_MAX && tfl_rng_unit(&pipe->rng) < loss; i++, timeout *= 2)
        wait += timeout;
    return wait;
}

/* How long the line is busy with n bytes. */
static int64_t line_ns(const struct tfl_relay_policy *p, size_t n)
{
    return p->rate ? (int64_t)((double)n * 1e9 / (double)p->rate) : 0;
}

/* When n bytes that were read now, or (0) the end that was read now, may be passed on. */
static struct relay_chunk chunk_of(struct relay_pipe *pipe, size_t n, int64_t now)
{
    const struct tfl_relay_policy *p = policy_of(pipe);
    int64_t due = now, lost = p->loss > 0 ? draw_lost(pipe, p->loss) : 0;
    if (p->rate) {
        int64_t from = pipe->line_free > now ? pipe->line_free : now;
        due = pipe->line_free = from + line_ns(p, n);
    }
    due += p->latency_ns;
    if (p->jitter_ns)
        due += (int64_t)((2 * tfl_rng_unit(&pipe->rng) - 1) * (double)p->jitter_ns);
    due += lost;
    if (due < pipe->last_due && pipe->n_chunks > pipe->first)
        due = pipe->last_due; /* nothing overtakes */
    if (due < now)
        due = now;
    pipe->last_due = due;
    return (struct relay_chunk){.len = n, .due = due, .lost = lost};
}

static void add_chunk(struct relay_pipe *pipe, const char *data, size_t n)
{
    int64_t now = now_of(pipe);
    struct relay_chunk chunk = chunk_of(pipe, n, now);
    if (pipe->n_chunks == pipe->cap_chunks) {
        pipe->cap_chunks = pipe->cap_chunks ? 2 * pipe->cap_chunks : 16;
        pipe->chunks = tfl_realloc(pipe->chunks, pipe->cap_chunks * sizeof *pipe->chunks);
    }
    pipe->chunks[pipe->n_chunks++] = chunk;
    tfl_buf_add(&pipe->data, data, n);
    if (chunk.due > now)
        counts_of(pipe)->delayed += n;
}

bool relay_pipe_thirsty(const struct relay_pipe *pipe)
{
    return !pipe->eof && !pipe->gone && !policy_of(pipe)->cut &&
           pipe->data.len - pipe->sent < RELAY_QUEUE_MAX;
}

/* At a low rate in small bites, so that they come out evenly: what 10 ms let through. */
static size_t bite(const struct relay_pipe *pipe)
{
    uint64_t rate = policy_of(pipe)->rate, n = rate / 100;
    if (!rate || n > RELAY_READ_MAX)
        return RELAY_READ_MAX;
    return n < RELAY_SEGMENT ? RELAY_SEGMENT : (size_t)n;
}

static void timer_fired(struct tfl_timer *timer)
{
    struct relay_pipe *pipe = TFL_CONTAINER(timer, struct relay_pipe, timer);
    relay_conn_turn(pipe->conn, pipe);
}

static void ended(struct relay_pipe *pipe)
{
    pipe->eof = true;
    pipe->shut = false;
    pipe->end_due = chunk_of(pipe, 0, now_of(pipe)).due;
}

bool relay_pipe_read(struct relay_pipe *pipe)
{
    char data[RELAY_READ_MAX];
    if (!relay_pipe_thirsty(pipe))
        return true;
    ssize_t n = recv(pipe->conn->ends[pipe->way].fd, data, bite(pipe), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    pipe->reset |= n < 0;
    if (n <= 0)
        ended(pipe);
    size_t got = n > 0 ? (size_t)n : 0, step = policy_of(pipe)->loss > 0 ? RELAY_SEGMENT : RELAY_READ_MAX;
    for (size_t at = 0; at < got; at += step)
        add_chunk(pipe, data + at, got - at < step ? got - at : step);
    return relay_pipe_write(pipe);
}

/* Bytes at the front that are due. */
static size_t due_now(const struct relay_pipe *pipe)
{
    size_t n = 0;
    int64_t now = now_of(pipe);
    for (size_t i = pipe->first; i < pipe->n_chunks && pipe->chunks[i].due <= now; i++)
        n += pipe->chunks[i].len;
    return n;
}

static void passed(struct relay_pipe *pipe, size_t n)
{
    counts_of(pipe)->bytes += n;
    pipe->sent += n;
    while (n > 0) {
        struct relay_chunk *chunk = &pipe->chunks[pipe->first];
        size_t part = n < chunk->len ? n : chunk->len;
        chunk->len -= part;
        n -= part;
        if (chunk->len == 0)
            pipe->first++;
    }
    if (pipe->first == pipe->n_chunks)
        pipe->first = pipe->n_chunks = 0;
    if (pipe->first > 256 && pipe->first * 2 > pipe->n_chunks) {
        pipe->n_chunks -= pipe->first;
        memmove(pipe->chunks, pipe->chunks + pipe->first, pipe->n_chunks * sizeof *pipe->chunks);
        pipe->first = 0;
    }
    if (pipe->sent == pipe->data.len)
        tfl_buf_clear(&pipe->data);
    else if (pipe->sent * 2 > pipe->data.len && pipe->sent > RELAY_READ_MAX)
        tfl_buf_eat(&pipe->data, pipe->sent);
    else
        return;
    pipe->sent = 0;
}

/* The receiver's connection broke. Its sender learns that by the other way and its policy, not at once: if that way is cut, not
 * before the cut ends. */
static bool lost_receiver(struct relay_pipe *pipe)
{
    struct relay_pipe *back = &pipe->conn->pipes[1 - pipe->way];
    pipe->gone = true;
    tfl_timer_stop(pipe->conn->relay->config.loop, &pipe->timer);
    if (back->gone)
        return false;
    back->reset = true; /* once what it still has to say is read */
    if (back->eof)      /* it had said that it is done; now it is gone, too */
        ended(back);
    return relay_pipe_write(back);
}

/* All was passed on: the receiver is told of the end when it is time. */
static bool pass_end(struct relay_pipe *pipe, int to)
{
    if (!pipe->eof)
        return true;
    if (pipe->end_due > now_of(pipe)) {
        tfl_timer_start(pipe->conn->relay->config.loop, &pipe->timer, pipe->end_due, timer_fired);
        return true;
    }
    if (pipe->reset)
        return false;
    pipe->shut = true;
    shutdown(to, SHUT_WR);
    return true;
}

bool relay_pipe_write(struct relay_pipe *pipe)
{
    int to = pipe->conn->ends[1 - pipe->way].fd;
    size_t due;
    pipe->blocked = false;
    if (policy_of(pipe)->cut || pipe->shut || pipe->gone)
        return true;
    while ((due = due_now(pipe)) > 0) {
        ssize_t n = send(to, pipe->data.data + pipe->sent, due, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            pipe->blocked = true;
            return true;
        }
        if (n < 0)
            return lost_receiver(pipe);
        passed(pipe, (size_t)n);
    }
    if (pipe->first == pipe->n_chunks)
        return pass_end(pipe, to);
    tfl_timer_start(pipe->conn->relay->config.loop, &pipe->timer, pipe->chunks[pipe->first].due, timer_fired);
    return true;
}

static void at_most(int64_t *due, int64_t most)
{
    if (*due > most)
        *due = most;
}

/* As if all that waits had come now, where that is sooner. */
void relay_pipe_retime(struct relay_pipe *pipe)
{
    const struct tfl_relay_policy *p = policy_of(pipe);
    int64_t line = now_of(pipe), last = 0, wait = p->latency_ns + p->jitter_ns;
    tfl_timer_stop(pipe->conn->relay->config.loop, &pipe->timer);
    for (size_t i = pipe->first; i < pipe->n_chunks; i++) {
        struct relay_chunk *chunk = &pipe->chunks[i];
        line += line_ns(p, chunk->len);
        at_most(&chunk->due, line + wait + (p->loss > 0 ? chunk->lost : 0));
        if (chunk->due < last)
            chunk->due = last;
        last = chunk->due;
    }
    at_most(&pipe->line_free, line);
    at_most(&pipe->end_due, line + wait);
    at_most(&pipe->last_due, pipe->first < pipe->n_chunks ? last : line + wait);
}

size_t relay_pipe_waiting(const struct relay_pipe *pipe)
{
    int unread = 0;
    if (ioctl(pipe->conn->ends[pipe->way].fd, FIONREAD, &unread) || unread < 0)
        unread = 0;
    return pipe->data.len - pipe->sent + (size_t)unread;
}
