#ifndef SPEC_DEPLOY_LOCAL_WORLD_H
#define SPEC_DEPLOY_LOCAL_WORLD_H

/* A local deployer over sh scripts as nodes, and a sink that keeps events as text. Include after cmocka. */
#include "deploy/local.h"
#include "proc/procfs.h"

#include "../../support/c_world.h"

#include <sys/wait.h>

struct sink {
    struct tfl_event_sink sink;
    struct tfl_buf text;
};

static inline void sink_emit(struct tfl_event_sink *s, const char *type, struct json_object *fields)
{
    struct sink *sink = TFL_CONTAINER(s, struct sink, sink);
    tfl_buf_addf(&sink->text, "%s %s\n", type,
        json_object_to_json_string_ext(fields, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(fields);
}

struct stage {
    struct world *w;
    struct sink sink;
    struct tfl_event_sink *sink_of_now;
    struct tfl_http *http;
    struct tfl_local *local;
};

static inline struct stage *stage_new(struct world *w, struct tfl_ledger **ledger)
{
    struct tfl_error err;
    struct stage *s = calloc(1, sizeof *s);
    s->w = w;
    s->sink.sink.emit = sink_emit;
    s->sink_of_now = &s->sink.sink;
    s->http = tfl_http_new(w->loop, &err);
    assert_non_null(s->http);
    struct tfl_local_config config = {
        .loop = w->loop, .http = s->http, .run_id = "spec-run", .ledger = ledger, .sink = &s->sink_of_now};
    s->local = tfl_local_new(&config);
    return s;
}

static inline void stage_free(struct stage *s)
{
    tfl_local_free(s->local);
    world_for(s->w, 5); /* what curl still has to close */
    tfl_http_free(s->http);
    tfl_buf_done(&s->sink.text);
    free(s);
}

static inline void stage_expect_event(struct stage *s, const char *text)
{
    if (!s->sink.text.len || !strstr(s->sink.text.data, text))
        fail_msg("no event `%s` in:\n%s", text, s->sink.text.data ? s->sink.text.data : "(none)");
}

/* The spec of a node that is `sh -c script`; members may be changed before stage_add. */
static inline struct tfl_node_spec stage_spec(struct stage *s, const char *name, const char *script)
{
    struct tfl_node_spec spec = {.name = tfl_strdup(name)};
    spec.argv = calloc(4, sizeof(char *));
    spec.argv[0] = tfl_strdup("sh");
    spec.argv[1] = tfl_strdup("-c");
    spec.argv[2] = tfl_strdup(script);
    spec.cwd = tfl_sprintf("%s/nodes/%s", s->w->dir, name);
    spec.log = tfl_sprintf("%s/logs/%s.log", s->w->dir, name);
    return spec;
}

static inline void stage_add_spec(struct stage *s, struct tfl_node_spec spec)
{
    struct tfl_error err;
    if (tfl_local_add(s->local, &spec, &err))
        fail_msg("%s", err.msg);
}

static inline void stage_add(struct stage *s, const char *name, const char *script)
{
    stage_add_spec(s, stage_spec(s, name, script));
}

static inline struct tfl_op *verb(struct stage *s, const char *name, enum tfl_verb what)
{
    return tfl_local_verb(s->local, name, what, 0, 0);
}

static inline void stage_ok(struct stage *s, const char *name, enum tfl_verb what)
{
    world_ok(s->w, verb(s, name, what), 5000);
}

/* Waits for the op to fail with this code; the message has both texts (NULL: any). Frees it. */
static inline void expect_failure(
    struct world *w, struct tfl_op *op, enum tfl_code code, const char *one, const char *two)
{
    world_await(w, op, 8000);
    if (!op->failed)
        fail_msg("the op did not fail");
    if (op->err.code != code || (one && !strstr(op->err.msg, one)) || (two && !strstr(op->err.msg, two)))
        fail_msg("%s: %s", tfl_code_string(op->err.code), op->err.msg);
    tfl_op_free(op);
}

#endif
