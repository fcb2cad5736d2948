/* tfl.core.http: plain HTTP, for whom it is no node that is asked (the Docker engine on its socket). What waits, waits in a
 * task. */
#include "bindings/fields.h"
#include "bindings/wait.h"
#include "net/http_client.h"

#include <string.h>

static const char STREAM_META[] = "tfl.http_stream";

enum { STREAM_HOLDS = 256 * 1024 };

struct stream {
    struct tfl_http_op *http; /* NULL: closed */
    struct tfl_waiter *waiters;
    struct tfl_buf data; /* not yet read */
    bool held;
};

/* What to ask, from the table at 1; its strings stay the table's. Leaves one more value on the stack. */
static struct tfl_http_call read_call(lua_State *L, const char *what, double timeout)
{
    struct tfl_http_call call = {0};
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    call.who = tfl_field_string(L, 1, what, "who", false);
    call.url = tfl_field_string(L, 1, what, "url", true);
    call.unix_path = tfl_field_string(L, 1, what, "socket", false);
    call.method = tfl_field_string(L, 1, what, "method", false);
    double seconds = tfl_field_seconds(L, 1, what, "timeout", timeout);
    call.timeout_ms = seconds < 0 ? -1 : tfl_seconds_to_ms(seconds);
    if (tfl_field_string(L, 1, what, "body", false)) {
        lua_getfield(L, 1, "body");
        call.body = lua_tolstring(L, -1, &call.body_len);
    }
    return call;
}

static int push_answer(lua_State *L, struct tfl_op *op)
{
    const struct tfl_http_op *http = TFL_CONTAINER(op, struct tfl_http_op, op);
    lua_createtable(L, 0, 2);
    lua_pushinteger(L, http->status);
    lua_setfield(L, -2, "status");
    lua_pushlstring(L, http->body.data ? http->body.data : "", http->body.len);
    lua_setfield(L, -2, "body");
    return 1;
}

/* http.request{url =, socket = path of a unix socket to ask instead of the URL's host, method = "GET", body = text (JSON),
 * timeout = seconds (30), who = whom messages name} → {status =, body =}, whatever the status. Raises connect, timeout,
 * too_large, bad_reply, usage. */
static int l_request(lua_State *L)
{
    struct tfl_http_call call = read_call(L, "http.request", 30);
    tfl_task_check(L, "http.request");
    return tfl_task_await(L, &tfl_http_start(tfl_engine(L)->http, &call)->op, push_answer);
}

/* ---- streams */

static void on_data(struct tfl_http_op *http, const char *data, size_t n)
{
    struct stream *s = http->arg;
    tfl_buf_add(&s->data, data, n);
    if (s->data.len >= STREAM_HOLDS && !s->held) {
        s->held = true;
        tfl_http_hold(http);
    }
    tfl_waiters_wake(&s->waiters);
}

static void on_headers(struct tfl_http_op *http)
{
    tfl_waiters_wake(&((struct stream *)http->arg)->waiters);
}

static void on_end(struct tfl_op *op)
{
    tfl_waiters_wake(&((struct stream *)op->owner)->waiters);
}

/* http.stream{…} as of request, without a timeout unless one is given → stream; does not wait. */
static int l_stream(lua_State *L)
{
    struct tfl_http_call call = read_call(L, "http.stream", -1);
    struct stream *s = lua_newuserdatauv(L, sizeof *s, 0);
    memset(s, 0, sizeof *s);
    luaL_setmetatable(L, STREAM_META);
    call.on_data = on_data;
    call.on_headers = on_headers;
    call.arg = s;
    s->http = tfl_http_start(tfl_engine(L)->http, &call);
    s->http->op.owner = s;
    s->http->op.done = on_end;
    return 1;
}

static bool over(const struct stream *s)
{
    return !s->http || !tfl_op_pending(&s->http->op);
}

static int raise_failure(lua_State *L, const struct stream *s)
{
    return s->http && over(s) && s->http->op.failed ? tfl_raise(L, &s->http->op.err) : 0;
}

static int wait_status(lua_State *L, struct stream *s);

/* The stream is the first argument of the call that waits, and still there. */
static int status_waited(lua_State *L, struct tfl_op *op)
{
    (void)op;
    return wait_status(L, lua_touserdata(L, 1));
}

static int wait_status(lua_State *L, struct stream *s)
{
    if (s->http && s->http->status) {
        lua_pushinteger(L, s->http->status);
        return 1;
    }
    if (over(s))
        return raise_failure(L, s);
    return tfl_task_await(L, tfl_waiter_new(tfl_engine(L)->loop, &s->waiters, -1), status_waited);
}

/* stream:status() waits for the headers → status; nil when it was closed. Raises as request does. */
static int l_status(lua_State *L)
{
    struct stream *s = luaL_checkudata(L, 1, STREAM_META);
    tfl_task_check(L, "stream:status");
    return wait_status(L, s);
}

static int wait_read(lua_State *L, struct stream *s);

static int read_waited(lua_State *L, struct tfl_op *op)
{
    (void)op;
    return wait_read(L, lua_touserdata(L, 1));
}

static int wait_read(lua_State *L, struct stream *s)
{
    if (s->data.len) {
        lua_pushlstring(L, s->data.data, s->data.len);
        tfl_buf_clear(&s->data);
        if (s->held && !over(s))
            tfl_http_unhold(s->http);
        s->held = false;
        return 1;
    }
    if (over(s))
        return raise_failure(L, s);
    return tfl_task_await(L, tfl_waiter_new(tfl_engine(L)->loop, &s->waiters, -1), read_waited);
}

/* stream:read() waits for bytes of the body → all that are there; nil at its end, or when it was closed. Raises as request
 * does, when all before was read. */
static int l_read(lua_State *L)
{
    struct stream *s = luaL_checkudata(L, 1, STREAM_META);
    tfl_task_check(L, "stream:read");
    return wait_read(L, s);
}

/* stream:close(): who waits for it gets nil. Closing a closed one does nothing. */
static int l_close(lua_State *L)
{
    struct stream *s = luaL_checkudata(L, 1, STREAM_META);
    if (s->http)
        tfl_op_free(&s->http->op);
    s->http = NULL;
    tfl_buf_done(&s->data);
    tfl_waiters_wake(&s->waiters);
    return 0;
}

int tfl_open_http(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"status", l_status}, {"read", l_read}, {"close", l_close}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"request", l_request}, {"stream", l_stream}, {NULL, NULL}};
    tfl_class(L, STREAM_META, methods, l_close);
    luaL_newlib(L, functions);
    return 1;
}
