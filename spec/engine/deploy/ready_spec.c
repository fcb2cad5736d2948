/* Readiness against HTTP servers of this spec, with sh scripts as the processes behind them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../../support/fake_http.h"
#include "local_world.h"

static const char INFO[] = "{\"cryptarchia_info\":{\"lib\":\""
                           "00000000000000000000000000000000"
                           "00000000000000000000000000000000\",\"lib_slot\":0,\"tip\":\""
                           "00000000000000000000000000000000"
                           "00000000000000000000000000000000"
                           "\",\"slot\":1,\"height\":1},\"mode\":{\"Started\":\"Online\"}}";

struct fake {
    struct fake_server *server;
    int peers, refuse; /* the first `refuse` answers are 503 */
    const char *info;  /* NULL: never answers */
    const char *path;  /* of readiness; NULL: the dialect's info */
    int reached;       /* how many peers it had when it was asked last */
    int grow;          /* one peer more with each question */
};

static void handle(struct fake_conn *conn, const char *method, const char *path, const char *body)
{
    struct fake *fake = conn->server->arg;
    (void)method;
    (void)body;
    if (fake->refuse-- > 0) {
        fake_reply(conn, 503, "text/plain", "warming up");
    } else if (!strcmp(path, "/network/info")) {
        char text[128];
        snprintf(text, sizeof text, "{\"peer_id\":\"x\",\"n_peers\":%d,\"n_connections\":0}", fake->peers);
        fake->peers += fake->grow;
        fake_json(conn, text);
    } else if (fake->path && !strcmp(path, fake->path)) {
        fake_reply(conn, 200, "text/plain", "fine");
    } else if (fake->path) {
        fake_reply(conn, 404, "text/plain", "nothing here");
    } else if (fake->info) {
        fake_json(conn, fake->info);
    }
}

static void listen_as(struct stage *s, const char *name, struct fake *fake, const char *script)
{
    struct tfl_node_spec spec = stage_spec(s, name, script);
    fake->server = fake_listen(s->w->loop, 0, handle, fake);
    spec.url = tfl_strdup(fake->server->url);
    spec.ready_path = fake->path ? tfl_strdup(fake->path) : NULL;
    stage_add_spec(s, spec);
    stage_ok(s, name, TFL_START);
}

static struct tfl_op *wait_ready(struct stage *s, const char *name, int peers, int within_ms)
{
    return tfl_local_wait_ready(s->local, &name, &peers, 1, within_ms);
}

static void waits_for_answers_and_peers_of_all(void **state)
{
    struct world *w = *state;
    struct stage *s = stage_new(w, NULL);
    struct fake a = {.info = INFO, .peers = 2}, b = {.info = INFO, .refuse = 3, .grow = 1},
                c = {.path = "/health"};
    listen_as(s, "node-0", &a, "sleep 60");
    listen_as(s, "node-1", &b, "sleep 60");
    listen_as(s, "node-2", &c, "sleep 60");
    stage_add(s, "node-3", "sleep 60"); /* no API: running is all there is */
    stage_ok(s, "node-3", TFL_START);
    const char *names[] = {"node-0", "node-1", "node-2", "node-3"};
    const int peers[] = {2, 3, 0, 0};
    world_ok(w, tfl_local_wait_ready(s->local, names, peers, 4, 5000), 6000);
    assert_int_equal(b.peers, 4); /* it was asked until it had three, and no more */
    stage_expect_event(s, "node_ready {\"seconds\":");
    stage_expect_event(s, "\"peers\":3,\"node\":\"node-1\"");
    fake_free(a.server);
    fake_free(b.server);
    fake_free(c.server);
    stage_free(s);
}

static void says_who_is_not_ready_and_why(void **state)
{
    struct world *w = *state;
    struct stage *s = stage_new(w, NULL);
    struct fake deaf = {0}, lonely = {.info = INFO, .peers = 1}, broken = {.info = INFO, .refuse = 1000000},
                garbage = {.info = "{\"cryptarchia_info\": [}"};
    listen_as(s, "node-0", &deaf, "echo line one; echo the last words; sleep 60");
    listen_as(s, "node-1", &lonely, "sleep 60");
    listen_as(s, "node-2", &broken, "sleep 60");
    listen_as(s, "node-3", &garbage, "sleep 60");
    world_for(w, 100);
    int64_t t0 = tfl_now(w->loop);
    struct tfl_op *op = wait_ready(s, "node-0", 0, 400);
    world_await(w, op, 10000);
    assert_string_equal(op->err.node, "node-0");
    expect_failure(w, op, TFL_E_NOT_READY,
        "node-0: no HTTP answer on 127.0.0.1:", "; its log ends: line one\nthe last words");
    assert_true(tfl_now(w->loop) - t0 < 5 * TFL_S);
    expect_failure(w, wait_ready(s, "node-1", 2, 300), TFL_E_NOT_READY, "node-1: fewer than 2 peers",
        "(last: it has 1)");
    expect_failure(w, wait_ready(s, "node-2", 0, 300), TFL_E_NOT_READY, "node-2: no usable answer", "503");
    expect_failure(
        w, wait_ready(s, "node-3", 0, 300), TFL_E_NOT_READY, "node-3: no usable answer", "/cryptarchia/info");
    fake_free(broken.server); /* nobody listens any more */
    expect_failure(w, wait_ready(s, "node-2", 0, 300), TFL_E_NOT_READY, "within 0.3s", "refused");
    const char *names[] = {"node-1", "node-0", "node-3"};
    expect_failure(w, tfl_local_wait_ready(s->local, names, NULL, 3, 300), TFL_E_NOT_READY,
        "2 of 3 nodes are not ready (also node-3): node-0", NULL);
    fake_free(deaf.server);
    fake_free(lonely.server);
    fake_free(garbage.server);
    stage_free(s);
}

static void ends_at_once_when_a_node_ends(void **state)
{
    struct world *w = *state;
    struct stage *s = stage_new(w, NULL);
    struct fake a = {.info = INFO}, b = {.info = INFO, .refuse = 1000000};
    listen_as(s, "node-0", &a, "sleep 60");
    listen_as(s, "node-1", &b, "sleep 0.3; echo bad luck; exit 7");
    const char *names[] = {"node-0", "node-1"};
    int64_t t0 = tfl_now(w->loop);
    struct tfl_op *op = tfl_local_wait_ready(s->local, names, NULL, 2, 20000);
    world_await(w, op, 15000);
    assert_string_equal(op->err.node, "node-1");
    expect_failure(w, op, TFL_E_EXITED, "ended before it was ready (exit code 7)", "bad luck");
    assert_true(tfl_now(w->loop) - t0 < 10 * TFL_S);
    expect_failure(w, wait_ready(s, "node-1", 0, 5000), TFL_E_EXITED, "exit code 7", NULL);
    expect_failure(w, wait_ready(s, "node-8", 0, 5000), TFL_E_USAGE, "node-8", NULL);
    stage_ok(s, "node-0", TFL_STOP);
    expect_failure(w, wait_ready(s, "node-0", 0, 5000), TFL_E_EXITED, "node-0", "stopped");
    fake_free(a.server);
    fake_free(b.server);
    stage_free(s);
}

static void may_be_given_up(void **state)
{
    struct world *w = *state;
    struct stage *s = stage_new(w, NULL);
    struct fake deaf = {0};
    listen_as(s, "node-0", &deaf, "sleep 60");
    struct tfl_op *op = wait_ready(s, "node-0", 0, 5000), *other = wait_ready(s, "node-0", 0, 5000);
    world_for(w, 100);
    tfl_op_free(op);
    assert_int_equal(tfl_http_active(s->http), 1); /* only the other's question is left */
    tfl_op_cancel(other);
    assert_int_equal(tfl_http_active(s->http), 0);
    world_for(w, 20);
    fake_free(deaf.server);
    stage_free(s);
    tfl_op_free(other); /* after the deployer */
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {T(waits_for_answers_and_peers_of_all),
        T(says_who_is_not_ready_and_why), T(ends_at_once_when_a_node_ends), T(may_be_given_up)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
