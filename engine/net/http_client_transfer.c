#include "net/http_client_impl.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

static size_t take_header(char *line, size_t size, size_t count, void *arg)
{
    static const char name[] = "content-type:";
    struct transfer *t = arg;
    size_t n = size * count;
    t->header_bytes += n;
    if (t->header_bytes > TFL_HTTP_MAX_HEADER) {
        t->too_large = "header";
        t->bound = TFL_HTTP_MAX_HEADER;
        return 0;
    }
    if (!t->op || t->op->status)
        return n; /* a trailer */
    if (n >= sizeof name - 1 && strncasecmp(line, name, sizeof name - 1) == 0) {
        const char *p = line + sizeof name - 1, *end = line + n;
        while (p < end && isspace((unsigned char)*p))
            p++;
        while (end > p && isspace((unsigned char)end[-1]))
            end--;
        snprintf(
            t->op->content_type, sizeof t->op->content_type, "%.*s", (int)(end - p > 63 ? 63 : end - p), p);
    }
    if (n <= 2 && (line[0] == '\r' || line[0] == '\n')) {
        long status = 0;
        curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
        if (status >= 200) {
            t->op->status = (int)status;
            t->headers_due = true;
            tfl_transfer_want_delivery(t);
        }
    }
    return n;
}

static size_t take_body(char *data, size_t size, size_t count, void *arg)
{
    struct transfer *t = arg;
    size_t n = size * count;
    if (!t->op)
        return 0;
    if (t->on_data && t->window.len + n > TFL_HTTP_WINDOW) {
        t->curl_paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    if (t->max_body && t->body_bytes + n > t->max_body) {
        t->too_large = "body";
        t->bound = t->max_body;
        return 0;
    }
    t->body_bytes += n;
    tfl_buf_add(t->on_data ? &t->window : &t->op->body, data, n);
    if (t->on_data && !t->held)
        tfl_transfer_want_delivery(t);
    return n;
}

/* Children of tfl must not inherit its connections: a node restarted later would keep them open. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)arg;
    (void)purpose;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static void set_headers(struct transfer *t, const struct tfl_http_call *call)
{
    if (call->body) {
        TFL_FREE char *line =
            tfl_sprintf("Content-Type: %s", call->content_type ? call->content_type : "application/json");
        t->headers = curl_slist_append(t->headers, line);
    }
    t->headers = curl_slist_append(t->headers, "Expect:"); /* no 100-continue: one round trip less */
    for (const char *const *h = call->headers; h && *h; h++)
        t->headers = curl_slist_append(t->headers, *h);
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
}

static void set_callbacks(struct transfer *t)
{
    CURL *easy = t->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->error);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
}

static void set_method(struct transfer *t, const struct tfl_http_call *call)
{
    CURL *easy = t->easy;
    const char *method = call->method ? call->method : call->body ? "POST" : "GET";
    if (call->body || strcmp(method, "POST") == 0) {
        t->body = tfl_alloc(call->body_len + 1);
        if (call->body && call->body_len)
            memcpy(t->body, call->body, call->body_len);
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, t->body);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(call->body ? call->body_len : 0));
    } else if (strcmp(method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    }
    if (strcmp(method, "GET") != 0 && strcmp(method, "POST") != 0 && strcmp(method, "HEAD") != 0)
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
}

int tfl_transfer_prepare(struct transfer *t, const struct tfl_http_call *call, struct tfl_error *err)
{
    CURL *easy = t->easy;
    t->on_data = call->on_data;
    t->on_headers = call->on_headers;
    t->timeout_ms = call->timeout_ms ? call->timeout_ms : 30000;
    t->connect_timeout_ms = call->connect_timeout_ms > 0 ? call->connect_timeout_ms : 5000;
    t->max_body = call->max_body ? call->max_body : call->on_data ? 0 : 16u << 20;
    tfl_fail(err, TFL_E_INTERNAL, "libcurl refused the request to %s", t->op->where);
    if (strncasecmp(call->url, "http://", 7) != 0)
        return tfl_fail(err, TFL_E_USAGE, "%s%s%.300s: not a URL tfl can ask; expected http://HOST:PORT/PATH",
            t->op->who, t->op->who[0] ? ": " : "", call->url);
    if (curl_easy_setopt(easy, CURLOPT_URL, call->url) != CURLE_OK)
        return -1;
    set_callbacks(t);
    set_headers(t, call);
    set_method(t, call);
    if (call->unix_path)
        curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, call->unix_path);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* nor one from the environment */
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "tfl/" TFL_VERSION);
    /* every node has a stream that stays open: what curl holds for it is most of what a further node costs */
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)(t->on_data ? STREAM_BUFFER : TFL_HTTP_SLICE));
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)t->connect_timeout_ms);
    if (t->max_body)
        curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)t->max_body);
    return 0;
}

static const char *duration(char *out, size_t size, int64_t ms)
{
    if (ms % 1000)
        snprintf(out, size, "%lldms", (long long)ms);
    else
        snprintf(out, size, "%llds", (long long)ms / 1000);
    return out;
}

/* The system's or curl's words for what went wrong, without a capital. */
static const char *reason(struct transfer *t, char *out, size_t size)
{
    long os_errno = 0;
    curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &os_errno);
    snprintf(out, size, "%s",
        os_errno      ? strerror((int)os_errno)
        : t->error[0] ? t->error
                      : curl_easy_strerror(t->result));
    out[0] = (char)tolower((unsigned char)out[0]);
    return out;
}

static void fail_named(struct transfer *t, struct tfl_error *err, enum tfl_code code, const char *what)
{
    const char *who = t->op->who;
    tfl_fail(err, code, "%s%s%s", who, who[0] ? ": " : "", what);
}

void tfl_transfer_timeout_error(struct transfer *t, struct tfl_error *err)
{
    char within[32], last[160], what[900];
    curl_off_t ready = 0;
    if (t->easy)
        curl_easy_getinfo(t->easy, CURLINFO_PRETRANSFER_TIME_T, &ready);
    if (t->header_bytes)
        snprintf(last, sizeof last, "an answer of %zu bytes that is not complete",
            t->header_bytes + t->body_bytes);
    else
        snprintf(last, sizeof last, "%s", ready > 0 ? "connected, no byte received" : "not connected");
    snprintf(what, sizeof what, "no HTTP answer on %s within %s (last: %s)", t->op->where,
        duration(within, sizeof within, t->timeout_ms), last);
    fail_named(t, err, TFL_E_TIMEOUT, what);
}

void tfl_transfer_error(struct transfer *t, struct tfl_error *err)
{
    char within[32], why[CURL_ERROR_SIZE], what[900];
    const char *at = t->op->where;
    enum tfl_code code = TFL_E_CONNECT;
    long os_errno = 0;
    reason(t, why, sizeof why);
    curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &os_errno);
    bool lost = t->result == CURLE_SEND_ERROR || (t->result == CURLE_RECV_ERROR && os_errno);
    bool not_http = (t->header_bytes && !lost) || t->result == CURLE_UNSUPPORTED_PROTOCOL ||
                    t->result == CURLE_WEIRD_SERVER_REPLY;
    if (t->result == CURLE_FILESIZE_EXCEEDED) {
        t->too_large = "body";
        t->bound = t->max_body;
    } else if (t->result == CURLE_OUT_OF_MEMORY) { /* how curl says that a header line never ends */
        t->too_large = "header";
        t->bound = TFL_HTTP_MAX_HEADER;
    }
    if (t->too_large) {
        code = TFL_E_TOO_LARGE;
        snprintf(what, sizeof what, "the answer on %s has a %s of more than %zu bytes", at, t->too_large,
            t->bound);
    } else if (t->result == CURLE_OPERATION_TIMEDOUT) {
        code = TFL_E_TIMEOUT;
        snprintf(what, sizeof what, "no HTTP answer on %s within %s (last: not connected)", at,
            duration(within, sizeof within, t->connect_timeout_ms));
    } else if (t->result == CURLE_URL_MALFORMAT) {
        code = TFL_E_USAGE;
        snprintf(what, sizeof what, "%s: not a URL (%s)", at, why);
    } else if (t->result == CURLE_PARTIAL_FILE) { /* nodes die in mid-answer */
        snprintf(what, sizeof what, "the connection ended within the answer on %s (after %zu bytes)", at,
            t->body_bytes);
    } else if (not_http) {
        code = TFL_E_BAD_REPLY;
        snprintf(what, sizeof what, "the answer on %s is not HTTP (%s)", at, why);
    } else {
        snprintf(what, sizeof what, "no HTTP answer on %s (last: %s)", at, why);
    }
    fail_named(t, err, code, what);
}
