#include "net/http_post.h"

#include "net/http_answer.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/uio.h>
#include <unistd.h>

static void ready(struct tfl_io *io, int events);

int tfl_http_post_init(struct tfl_http_post *post, struct tfl_loop *loop, const char *who, const char *url,
    struct tfl_error *err)
{
    char authority[TFL_ADDR_TEXT];
    if (tfl_loop_is_virtual(loop))
        return tfl_fail(err, TFL_E_UNSUPPORTED, "HTTP requests: unsupported under virtual time");
    size_t len = strncasecmp(url, "http://", 7) == 0 ? strcspn(url + 7, "/") : 0;
    const char *path = url + 7 + len;
    if (len == 0 || len >= sizeof authority - 4 || strpbrk(url, " \r\n"))
        return tfl_fail(err, TFL_E_USAGE,
            "%s: %.300s: not a URL tfl can post to; expected http://HOST:PORT/PATH", who, url);
    memcpy(authority, url + 7, len);
    authority[len] = '\0';
    bool has_port = strrchr(authority, ':') && !strchr(strrchr(authority, ':'), ']');
    if (!has_port)
        memcpy(authority + len, ":80", 4);
    if (tfl_addr_parse(&post->addr, authority, err))
        return tfl_wrap(err, "%s: %.300s", who, url);
    if (post->addr.kind == TFL_ADDR_NAME && strcmp(post->addr.host, "localhost") == 0 &&
        tfl_addr_make(&post->addr, "127.0.0.1", post->addr.port, err))
        return -1;
    if (post->addr.kind == TFL_ADDR_NAME)
        return tfl_fail(
            err, TFL_E_USAGE, "%s: %.300s: load goes to IP addresses or localhost only", who, url);
    post->loop = loop;
    post->fd = -1;
    post->who = tfl_strdup(who);
    post->where = tfl_strndup(url + 7, strnlen(url + 7, 300));
    post->head = tfl_sprintf("POST %s HTTP/1.1\r\nHost: %.*s\r\nUser-Agent: tfl/%s\r\nAccept: */*\r\n"
                             "Content-Type: application/json\r\nContent-Length: ",
        *path ? path : "/", (int)len, url + 7, TFL_VERSION);
    return 0;
}

static void hang_up(struct tfl_http_post *post)
{
    if (post->fd < 0)
        return;
    tfl_io_stop(post->loop, &post->io);
    close(post->fd);
    post->fd = -1;
    post->connected = post->writing = false;
}

void tfl_http_post_done(struct tfl_http_post *post)
{
    if (!post->loop)
        return;
    hang_up(post);
    tfl_timer_stop(post->loop, &post->deadline);
    tfl_defer_stop(post->loop, &post->ending);
    tfl_buf_done(&post->out_head);
    tfl_buf_done(&post->in);
    free(post->who);
    free(post->where);
    free(post->head);
    memset(post, 0, sizeof *post);
}

static void end(struct tfl_http_post *post)
{
    post->busy = false;
    tfl_timer_stop(post->loop, &post->deadline);
    post->answered(post);
}

static void ending_due(struct tfl_defer *defer)
{
    end(TFL_CONTAINER(defer, struct tfl_http_post, ending));
}

/* The request has failed. later: inside a call of the owner's. */
static void fail_now(struct tfl_http_post *post, bool later)
{
    post->failed = true;
    snprintf(post->err.node, sizeof post->err.node, "%.63s", post->who);
    hang_up(post);
    tfl_timer_stop(post->loop, &post->deadline);
    if (later)
        tfl_defer_start(post->loop, &post->ending, ending_due);
    else
        end(post);
}

static bool begin(struct tfl_http_post *post, bool later);

/* The connection is gone. One that was used before and gave no byte of this answer was closed by an idle server. */
static void lost(struct tfl_http_post *post, int errnum, bool later)
{
    size_t got = post->in.len;
    if (!post->busy) {
        hang_up(post);
        return;
    }
    if (post->reused && got == 0) {
        hang_up(post);
        begin(post, later);
        return;
    }
    if (got)
        tfl_fail(&post->err, TFL_E_CONNECT,
            "%s: the connection ended within the answer on %s (after %zu bytes)", post->who, post->where,
            got);
    else if (errnum)
        tfl_fail_errno(&post->err, TFL_E_CONNECT, errnum, "%s: no HTTP answer on %s", post->who, post->where);
    else
        tfl_fail(&post->err, TFL_E_CONNECT, "%s: no HTTP answer on %s: it hung up", post->who, post->where);
    fail_now(post, later);
}

static void watch(struct tfl_http_post *post, bool writing)
{
    struct tfl_error err;
    if (post->io.impl && writing == post->writing)
        return;
    post->writing = writing;
    if (tfl_io_start(post->loop, &post->io, post->fd, writing ? TFL_READ | TFL_WRITE : TFL_READ, ready, &err))
        TFL_ASSERT(!"a real loop watches every socket");
}

/* Writes what the socket takes. False: the connection is lost, and that is told. */
static bool write_more(struct tfl_http_post *post, bool later)
{
    size_t head = post->out_head.len;
    while (post->sent < head + post->body_len) {
        struct iovec parts[2];
        int n = 0;
        if (post->sent < head)
            parts[n++] = (struct iovec){post->out_head.data + post->sent, head - post->sent};
        size_t from = post->sent > head ? post->sent - head : 0;
        if (from < post->body_len)
            parts[n++] = (struct iovec){(char *)post->body + from, post->body_len - from};
        struct msghdr msg = {.msg_iov = parts, .msg_iovlen = (size_t)n};
        ssize_t written = sendmsg(post->fd, &msg, MSG_NOSIGNAL);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            watch(post, true);
            return true;
        }
        if (written < 0) {
            lost(post, errno, later);
            return false;
        }
        post->sent += (size_t)written;
    }
    watch(post, false);
    return true;
}

static void deadline_passed(struct tfl_timer *timer)
{
    struct tfl_http_post *post = TFL_CONTAINER(timer, struct tfl_http_post, deadline);
    const char *last = !post->connected ? "not connected"
                       : post->in.len   ? "an answer that is not complete"
                                        : "connected, no byte received";
    tfl_fail(&post->err, TFL_E_TIMEOUT, "%s: no HTTP answer on %s within %lldms (last: %s)", post->who,
        post->where, (long long)post->timeout_ms, last);
    fail_now(post, false);
}

/* Sends from the start, over the connection that is there or a new one. False: it has failed, and that is told. */
static bool begin(struct tfl_http_post *post, bool later)
{
    struct sockaddr_storage ss;
    socklen_t len = 0;
    int one = 1;
    post->sent = 0;
    tfl_buf_clear(&post->in);
    if (post->connected) {
        post->reused = true;
        return write_more(post, later);
    }
    post->reused = false;
    if (tfl_addr_to_sockaddr(&post->addr, &ss, &len, &post->err)) {
        fail_now(post, later);
        return false;
    }
    post->fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (post->fd < 0) {
        tfl_fail_errno(&post->err, TFL_E_CONNECT, errno, "%s: no HTTP answer on %s", post->who, post->where);
        fail_now(post, later);
        return false;
    }
    setsockopt(post->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(post->fd, (struct sockaddr *)&ss, len) && errno != EINPROGRESS) {
        lost(post, errno, later);
        return false;
    }
    watch(post, true);
    return true;
}

void tfl_http_post_send(struct tfl_http_post *post, const char *body, size_t len, int64_t timeout_ms)
{
    TFL_ASSERT(!post->busy);
    post->busy = true;
    post->failed = false;
    post->status = 0;
    post->text[0] = '\0';
    post->body = body;
    post->body_len = len;
    post->timeout_ms = timeout_ms;
    tfl_buf_clear(&post->out_head);
    tfl_buf_addf(&post->out_head, "%s%zu\r\n\r\n", post->head, len);
    tfl_timer_start(post->loop, &post->deadline, tfl_now(post->loop) + timeout_ms * TFL_MS, deadline_passed);
    begin(post, true);
}

/* The kernel can give the very port that is dialled on this host when nobody listens there. */
static bool dialled_itself(int fd)
{
    struct sockaddr_storage here = {0}, there = {0};
    socklen_t n_here = sizeof here, n_there = sizeof there;
    return getsockname(fd, (struct sockaddr *)&here, &n_here) == 0 &&
           getpeername(fd, (struct sockaddr *)&there, &n_there) == 0 && n_here == n_there &&
           memcmp(&here, &there, n_here) == 0;
}

static void connected(struct tfl_http_post *post)
{
    int errnum = 0;
    socklen_t len = sizeof errnum;
    getsockopt(post->fd, SOL_SOCKET, SO_ERROR, &errnum, &len);
    if (!errnum && dialled_itself(post->fd))
        errnum = ECONNREFUSED;
    if (errnum) {
        lost(post, errnum, false);
        return;
    }
    post->connected = true;
    write_more(post, false);
}

/* The bytes so far are an answer, or the beginning of one, or nonsense. closed: there will be no more. */
static void judge(struct tfl_http_post *post, bool closed)
{
    struct tfl_http_answer answer;
    int found = tfl_http_answer_read(&answer, post->in.data, post->in.len, closed);
    if (found < 0 || (found == 0 && post->in.len >= TFL_POST_ANSWER_MAX)) {
        if (found < 0)
            tfl_fail(&post->err, TFL_E_BAD_REPLY, "%s: the answer on %s is not HTTP (%s)", post->who,
                post->where, answer.why);
        else
            tfl_fail(&post->err, TFL_E_TOO_LARGE, "%s: the answer on %s has more than %d bytes", post->who,
                post->where, TFL_POST_ANSWER_MAX);
        fail_now(post, false);
        return;
    }
    if (found == 0) {
        if (closed)
            lost(post, 0, false);
        return;
    }
    post->status = answer.status;
    size_t n = answer.text_len < sizeof post->text - 1 ? answer.text_len : sizeof post->text - 1;
    for (size_t i = 0; i < n; i++)
        post->text[i] = (unsigned char)answer.text[i] < 32 ? ' ' : answer.text[i];
    post->text[n] = '\0';
    bool whole = post->sent == post->out_head.len + post->body_len;
    /* a server that answers before it has read all will not read the rest; and one that said more is not understood */
    if (closed || answer.close || !whole || answer.used != post->in.len)
        hang_up(post);
    end(post);
}

static void readable(struct tfl_http_post *post)
{
    char data[16 * 1024];
    ssize_t n = recv(post->fd, data, sizeof data, 0);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (!post->busy) { /* closed while idle, or words nobody asked for */
        hang_up(post);
        return;
    }
    if (n < 0) {
        lost(post, errno, false);
        return;
    }
    if (n == 0 && post->in.len == 0) {
        lost(post, 0, false);
        return;
    }
    tfl_buf_add(&post->in, data, (size_t)n);
    judge(post, n == 0);
}

static void ready(struct tfl_io *io, int events)
{
    struct tfl_http_post *post = TFL_CONTAINER(io, struct tfl_http_post, io);
    if (!post->connected)
        connected(post);
    else if (events & TFL_READ) /* first: an answer may end what is still being written */
        readable(post);
    else if (events & TFL_WRITE)
        write_more(post, false);
}
