/* Whole nodes with real sockets on the loop of a spec, and a client that asks them. */
#ifndef SPEC_NODE_API_SUPPORT_H
#define SPEC_NODE_API_SUPPORT_H

#include "net/http_client.h"
#include "node/node.h"
#include "node/peers.h"

#include "process_support.h"

#include <json-c/json.h>
#include <signal.h>

enum { NODES = 3 };

struct member {
    struct tfl_node_config config;
    struct tfl_node_log *log;
    struct tfl_node node;
    bool up;
};

struct world {
    char dir[64];
    struct tfl_loop *loop;
    struct tfl_http *http;
    struct member members[NODES];
    uint64_t genesis_ms;
    int status; /* of the last answer */
    char type[64];
    struct tfl_buf body;
};

static inline void support_alarm(struct tfl_timer *timer)
{
    (void)timer;
}

static inline void pass(struct world *w, int ms)
{
    struct tfl_timer alarm = {0};
    int64_t end = tfl_now(w->loop) + ms * TFL_MS;
    while (tfl_now(w->loop) < end) {
        tfl_timer_start(w->loop, &alarm, end, support_alarm);
        tfl_loop_turn(w->loop, true);
    }
    tfl_timer_stop(w->loop, &alarm);
}

/* Turns until the condition holds, for at most 8 s. */
#define UNTIL(w, cond)                                                                                       \
    do {                                                                                                     \
        int64_t until_end = tfl_now((w)->loop) + 8 * TFL_S;                                                  \
        while (!(cond) && tfl_now((w)->loop) < until_end)                                                    \
            pass(w, 5);                                                                                      \
        assert_true(cond);                                                                                   \
    } while (0)

/* Starts node number i; it dials the running node `peer` (−1: nobody). */
static inline int start_node(struct world *w, int i, int peer, struct tfl_error *err)
{
    struct member *m = &w->members[i];
    if (!m->config.base_folder)
        make_config(&m->config, i, w->dir, w->genesis_ms);
    if (peer >= 0 && !m->config.peers) {
        m->config.peers = tfl_alloc(sizeof *m->config.peers);
        m->config.peers[0] = *tfl_peers_addr(w->members[peer].node.peers);
        m->config.n_peers = 1;
    }
    m->node = (struct tfl_node){0};
    m->log = tfl_node_log_open(w->loop, m->config.level, m->config.log_directory, m->config.log_prefix, NULL);
    m->up = true;
    return tfl_node_start(&m->node, w->loop, &m->config, m->log, err);
}

static inline void stop_node(struct world *w, int i)
{
    struct member *m = &w->members[i];
    if (m->up) {
        tfl_node_done(&m->node);
        tfl_node_log_close(m->log);
    }
    m->up = false;
}

static inline struct tfl_core_info info_of(struct world *w, int i)
{
    struct tfl_core_info info;
    tfl_core_info(w->members[i].node.core, &info);
    return info;
}

static inline int setup(void **state)
{
    struct world *w = tfl_alloc(sizeof *w);
    struct tfl_error err;
    temp_folder(w->dir);
    w->loop = tfl_loop_new(NULL);
    w->http = tfl_http_new(w->loop, NULL);
    w->genesis_ms = (uint64_t)(tfl_wall_now(w->loop) / TFL_MS) + 200;
    if (start_node(w, 0, -1, &err))
        fail_msg("%s", err.msg);
    *state = w;
    return 0;
}

static inline int teardown(void **state)
{
    struct world *w = *state;
    for (int i = NODES - 1; i >= 0; i--) {
        stop_node(w, i);
        tfl_node_config_done(&w->members[i].config);
    }
    tfl_http_free(w->http);
    tfl_loop_free(w->loop);
    tfl_buf_done(&w->body);
    int r = tfl_remove_tree(w->dir, NULL);
    free(w);
    return r;
}

static inline char *url_of(struct world *w, int i, const char *path)
{
    char addr[TFL_ADDR_TEXT];
    return tfl_sprintf(
        "http://%s%s", tfl_addr_text(tfl_http_server_addr(w->members[i].node.http), addr), path);
}

/* Asks and waits: w->status, w->type and w->body. A body makes it a POST. */
static inline void ask_as(
    struct world *w, int i, const char *method, const char *path, const char *body, const char *type)
{
    TFL_FREE char *url = url_of(w, i, path);
    struct tfl_http_call call = {.method = method,
        .url = url,
        .body = body,
        .body_len = body ? strlen(body) : 0,
        .content_type = type};
    struct tfl_http_op *op = tfl_http_start(w->http, &call);
    while (op->op.state != TFL_OP_DONE)
        tfl_loop_turn(w->loop, true);
    if (op->op.failed)
        fail_msg("%s: %s", path, op->op.err.msg);
    w->status = op->status;
    memcpy(w->type, op->content_type, sizeof w->type);
    tfl_buf_done(&w->body);
    w->body = op->body;
    op->body = (struct tfl_buf){0};
    tfl_buf_adds(&w->body, "");
    tfl_op_free(&op->op);
}

static inline void ask(struct world *w, int i, const char *path)
{
    ask_as(w, i, NULL, path, NULL, NULL);
}

/* Asks for JSON; the caller puts it. */
static inline struct json_object *ask_json(struct world *w, int i, const char *path)
{
    ask(w, i, path);
    if (w->status != 200)
        fail_msg("%s: %d %s", path, w->status, w->body.data);
    assert_string_equal(w->type, TFL_HTTP_JSON);
    struct json_object *json = json_tokener_parse(w->body.data);
    assert_non_null(json);
    return json;
}

/* The member of members: at(json, "header", "id", NULL). Asserts that all are there. */
static inline struct json_object *at(struct json_object *json, ...)
{
    va_list ap;
    const char *key;
    va_start(ap, json);
    while ((key = va_arg(ap, const char *))) {
        if (!json_object_object_get_ex(json, key, &json))
            fail_msg("there is no \"%s\" in %s", key, json_object_to_json_string(json));
    }
    va_end(ap);
    return json;
}

static inline const char *text_at(struct json_object *json, const char *a, const char *b)
{
    return json_object_get_string(at(json, a, b, NULL));
}

/* The body's lines as JSON; returns how many, each the caller's to put. */
static inline size_t rows_of(const char *text, struct json_object **rows, size_t max)
{
    size_t n = 0;
    for (const char *line = text; *line; n++) {
        const char *end = strchr(line, '\n');
        assert_non_null(end); /* no row is cut */
        assert_true(n < max);
        TFL_FREE char *copy = tfl_strndup(line, (size_t)(end - line));
        rows[n] = json_tokener_parse(copy);
        assert_non_null(rows[n]);
        line = end + 1;
    }
    return n;
}

#endif
