#include "base/log.h"
#include "base/redact.h"
#include "net/http_client_impl.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct sock {
    struct tfl_io io;
    struct tfl_http *http;
    curl_socket_t fd;
};

static void transfer_free(struct transfer *t)
{
    struct tfl_http *http = t->http;
    curl_slist_free_all(t->headers);
    free(t->body);
    tfl_buf_done(&t->window);
    if (t->easy && http->n_pool < POOL) {
        curl_easy_reset(t->easy);
        http->pool[http->n_pool++] = t->easy;
    } else if (t->easy) {
        curl_easy_cleanup(t->easy);
    }
    free(t);
}

/* Takes t out of everything; it is freed now, or by the delivery that runs it. */
static void transfer_detach(struct transfer *t)
{
    struct tfl_http *http = t->http;
    if (t->op)
        t->op->transfer = NULL;
    t->op = NULL;
    tfl_timer_stop(http->loop, &t->deadline);
    if (t->queued)
        DL_DELETE2(http->waiting, t, wait_prev, wait_next);
    t->queued = false;
    if (t->easy)
        curl_multi_remove_handle(http->multi, t->easy);
    DL_DELETE(http->all, t);
    http->n_active--;
    if (!t->busy)
        transfer_free(t);
}

static void transfer_fail(struct transfer *t, const struct tfl_error *err)
{
    struct tfl_http_op *op = t->op;
    struct tfl_error named = *err;
    memcpy(named.node, op->who, sizeof named.node);
    transfer_detach(t);
    tfl_op_fail(&op->op, &named);
}

static void transfer_complete(struct transfer *t)
{
    if (t->result != CURLE_OK) {
        struct tfl_error err;
        tfl_transfer_error(t, &err);
        transfer_fail(t, &err);
        return;
    }
    struct tfl_http_op *op = t->op;
    transfer_detach(t);
    tfl_op_succeed(&op->op);
}

static void check_done(struct tfl_http *http)
{
    CURLMsg *msg;
    int left;
    while ((msg = curl_multi_info_read(http->multi, &left))) {
        struct transfer *t = NULL;
        if (msg->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&t);
        t->finished = true;
        t->result = msg->data.result;
        if (t->headers_due || t->window.len)
            tfl_transfer_want_delivery(t);
        else
            transfer_complete(t);
    }
}

static void socket_ready(struct tfl_io *io, int events)
{
    struct sock *s = TFL_CONTAINER(io, struct sock, io);
    struct tfl_http *http = s->http;
    int running;
    int what = (events & TFL_READ ? CURL_CSELECT_IN : 0) | (events & TFL_WRITE ? CURL_CSELECT_OUT : 0);
    curl_multi_socket_action(http->multi, s->fd, what, &running); /* may free s */
    check_done(http);
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    struct tfl_http *http = arg;
    struct sock *s = socket_arg;
    struct tfl_error err;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (s)
            tfl_io_stop(http->loop, &s->io);
        free(s);
        return 0;
    }
    if (!s) {
        s = tfl_alloc(sizeof *s);
        s->http = http;
        s->fd = fd;
        curl_multi_assign(http->multi, fd, s);
    }
    int events = (what & CURL_POLL_IN ? TFL_READ : 0) | (what & CURL_POLL_OUT ? TFL_WRITE : 0);
    return tfl_io_start(http->loop, &s->io, fd, events, socket_ready, &err);
}

static void timer_due(struct tfl_timer *timer)
{
    struct tfl_http *http = TFL_CONTAINER(timer, struct tfl_http, timer);
    int running;
    curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    check_done(http);
}

static int set_timer(CURLM *multi, long timeout_ms, void *arg)
{
    struct tfl_http *http = arg;
    (void)multi;
    if (timeout_ms < 0)
        tfl_timer_stop(http->loop, &http->timer);
    else
        tfl_timer_start(http->loop, &http->timer, tfl_now(http->loop) + timeout_ms * TFL_MS, timer_due);
    return 0;
}

struct tfl_http *tfl_http_new(struct tfl_loop *loop, struct tfl_error *err)
{
    if (tfl_loop_is_virtual(loop)) {
        tfl_fail(err, TFL_E_UNSUPPORTED, "HTTP requests: unsupported under virtual time");
        return NULL;
    }
    CURLM *multi = curl_global_init(CURL_GLOBAL_DEFAULT) == 0 ? curl_multi_init() : NULL;
    if (!multi) {
        tfl_fail(err, TFL_E_INTERNAL, "cannot initialise libcurl");
        return NULL;
    }
    struct tfl_http *http = tfl_alloc(sizeof *http);
    http->loop = loop;
    http->multi = multi;
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, http);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, http);
    curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)MAX_CONNECTIONS);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)MAX_CONNECTIONS);
    return http;
}

void tfl_http_free(struct tfl_http *http)
{
    if (!http)
        return;
    while (http->all)
        tfl_op_cancel(&http->all->op->op);
    tfl_defer_stop(http->loop, &http->deliver);
    curl_multi_cleanup(http->multi);
    tfl_timer_stop(http->loop, &http->timer);
    while (http->n_pool)
        curl_easy_cleanup(http->pool[--http->n_pool]);
    free(http);
    curl_global_cleanup();
}

size_t tfl_http_active(const struct tfl_http *http)
{
    return http->n_active;
}

/* Calls the taker with what is due; returns the bytes given. t may be gone afterwards, unless it is queued again. */
static size_t deliver_one(struct transfer *t)
{
    size_t n = 0;
    t->busy = true;
    if (t->headers_due) {
        t->headers_due = false;
        if (t->on_headers)
            t->on_headers(t->op);
    }
    if (t->op && !t->held && t->window.len) {
        n = t->window.len < TFL_HTTP_SLICE ? t->window.len : TFL_HTTP_SLICE;
        t->on_data(t->op, t->window.data, n);
        tfl_buf_eat(&t->window, n);
    }
    t->busy = false;
    if (!t->op) {
        transfer_free(t);
        return n;
    }
    if (t->curl_paused && !t->finished && t->window.len <= TFL_HTTP_WINDOW - TFL_HTTP_SLICE) {
        t->curl_paused = false;
        CURLcode code = curl_easy_pause(t->easy, CURLPAUSE_CONT); /* may call the write function */
        if (code != CURLE_OK) {
            t->finished = true;
            t->result = code;
        }
    }
    if (!t->window.len && t->window.cap > TFL_HTTP_SLICE)
        tfl_buf_done(&t->window);
    if (t->finished && !t->window.len)
        transfer_complete(t);
    else if (t->window.len && !t->held)
        tfl_transfer_want_delivery(t);
    return n;
}

/* Round and round the waiting streams until they have nothing or the turn's bytes are used up. */
static void deliver(struct tfl_defer *defer)
{
    struct tfl_http *http = TFL_CONTAINER(defer, struct tfl_http, deliver);
    struct transfer *t;
    size_t given = 0;
    int n = 0;
    DL_COUNT2(http->waiting, t, n, wait_next);
    while (n-- > 0 && given < TURN_BYTES && (t = http->waiting)) {
        DL_DELETE2(http->waiting, t, wait_prev, wait_next);
        t->queued = false;
        given += deliver_one(t);
    }
    if (http->waiting)
        tfl_defer_start(http->loop, &http->deliver, deliver);
}

void tfl_transfer_want_delivery(struct transfer *t)
{
    if (t->queued)
        return;
    t->queued = true;
    DL_APPEND2(t->http->waiting, t, wait_prev, wait_next);
    tfl_defer_start(t->http->loop, &t->http->deliver, deliver);
}

static void deadline_passed(struct tfl_timer *timer)
{
    struct transfer *t = TFL_CONTAINER(timer, struct transfer, deadline);
    struct tfl_error err;
    tfl_transfer_timeout_error(t, &err);
    transfer_fail(t, &err);
}

static void op_cancel(struct tfl_op *op)
{
    struct tfl_http_op *h = TFL_CONTAINER(op, struct tfl_http_op, op);
    if (h->transfer)
        transfer_detach(h->transfer);
}

static void op_destroy(struct tfl_op *op)
{
    struct tfl_http_op *h = TFL_CONTAINER(op, struct tfl_http_op, op);
    tfl_buf_done(&h->body);
    free(h->where);
    free(h);
}

static char *where(const struct tfl_http_call *call)
{
    TFL_FREE char *shown = tfl_strdup(call->url);
    shown[tfl_redact(shown, strlen(shown))] = '\0'; /* before the scheme goes, by which secrets are found */
    const char *url = strncasecmp(shown, "http://", 7) == 0 ? shown + 7 : shown;
    if (!call->unix_path)
        return tfl_sprintf("%.300s", url);
    const char *path = strchr(url, '/');
    return tfl_sprintf("%.200s%.300s", call->unix_path, path ? path : "/");
}

struct tfl_http_op *tfl_http_start(struct tfl_http *http, const struct tfl_http_call *call)
{
    struct tfl_http_op *op = tfl_alloc(sizeof *op);
    struct transfer *t = tfl_alloc(sizeof *t);
    struct tfl_error err;
    tfl_op_init(&op->op, http->loop, op_cancel, op_destroy);
    op->arg = call->arg;
    op->where = where(call);
    if (call->who)
        snprintf(op->who, sizeof op->who, "%s", call->who);
    TFL_LOG(TFL_LOG_DEBUG, "net", "%s: %s %s", op->who, call->method ? call->method : "GET", call->url);
    op->transfer = t;
    t->op = op;
    t->http = http;
    DL_APPEND(http->all, t);
    http->n_active++;
    CURL *easy = http->n_pool ? http->pool[--http->n_pool] : curl_easy_init();
    TFL_ASSERT(easy);
    t->easy = easy;
    if (tfl_transfer_prepare(t, call, &err) || curl_multi_add_handle(http->multi, easy) != CURLM_OK) {
        transfer_fail(t, &err);
        return op;
    }
    if (t->timeout_ms > 0)
        tfl_timer_start(
            http->loop, &t->deadline, tfl_now(http->loop) + t->timeout_ms * TFL_MS, deadline_passed);
    return op;
}

void tfl_http_hold(struct tfl_http_op *op)
{
    if (op->transfer)
        op->transfer->held = true;
}

void tfl_http_unhold(struct tfl_http_op *op)
{
    struct transfer *t = op->transfer;
    if (!t || !t->held)
        return;
    t->held = false;
    if (t->window.len && !t->busy)
        tfl_transfer_want_delivery(t);
}
