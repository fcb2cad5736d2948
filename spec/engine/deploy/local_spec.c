#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "local_world.h"

#define SLEEPS "while :; do sleep 1; done"

static void starts_as_the_spec_says(void **state)
{
    struct world *w = *state;
    struct stage *s = stage_new(w, NULL);
    struct tfl_node_spec spec =
        stage_spec(s, "node-0", "echo $TFL_RUN_ID $TFL_NODE $COLOUR; cat a/conf; pwd; sleep 60");
    spec.env = calloc(3, sizeof(char *));
    spec.env[0] = tfl_strdup("COLOUR=blue");
    spec.env[1] = tfl_strdup("TFL_NODE=impostor");
    spec.files = calloc(1, sizeof *spec.files);
    spec.files[0] = (struct tfl_node_file){
        .path = tfl_strdup("a/conf"), .content = tfl_strdup("the conf\n"), .len = 9, .mode = 0600};
    spec.n_files = 1;
    stage_add_spec(s, spec);
    assert_int_equal(tfl_local_state(s->local, "node-0"), TFL_NODE_ADDED);
    assert_int_equal(tfl_local_pid(s->local, "node-0"), 0);
    stage_ok(s, "node-0", TFL_START);
    assert_int_equal(tfl_local_state(s->local, "node-0"), TFL_NODE_RUNNING);
    pid_t pid = tfl_local_pid(s->local, "node-0");
    assert_true(pid > 0 && world_alive(pid) && getpgid(pid) == pid);
    struct stat st;
    assert_int_equal(stat(world_path(w, "nodes/node-0/a/conf"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    world_for(w, 300);
    TFL_BUF log = {0};
    assert_int_equal(tfl_local_logs(s->local, "node-0", &log, 1000, NULL), 0);
    TFL_FREE char *want = tfl_sprintf("spec-run node-0 blue\nthe conf\n%s/nodes/node-0\n", w->dir);
    assert_string_equal(log.data, want);
    tfl_buf_clear(&log);
    assert_int_equal(tfl_local_logs(s->local, "node-0", &log, 8, NULL), 0);
    assert_string_equal(log.data, "/node-0\n");
    stage_expect_event(s, "node_started {\"pid\":");
    stage_free(s); /* kills */
    assert_false(world_alive(pid));
}

static void names_what_is_wrong_with_a_spec(void **state)
{
    struct world *w = *state;
    struct stage *s = stage_new(w, NULL);
    struct tfl_error err;
    struct tfl_node_spec spec = stage_spec(s, "../evil", SLEEPS);
    assert_int_equal(tfl_local_add(s->local, &spec, &err), -1);
    assert_int_equal(err.code, TFL_E_BAD_CONFIG);
    assert_null(spec.name); /* taken over, also on error */
    spec = stage_spec(s, "node-1", SLEEPS);
    spec.files = calloc(1, sizeof *spec.files);
    spec.files[0].path = tfl_strdup("a/../../b");
    spec.n_files = 1;
    assert_int_equal(tfl_local_add(s->local, &spec, &err), -1);
    assert_non_null(strstr(err.msg, "node-1"));
    assert_non_null(strstr(err.msg, "a/../../b"));

    spec = stage_spec(s, "node-2", SLEEPS);
    free(spec.argv[0]);
    spec.argv[0] = tfl_strdup("/no/such/program");
    stage_add_spec(s, spec);
    struct tfl_op *op = verb(s, "node-2", TFL_START);
    world_await(w, op, 2000);
    assert_string_equal(op->err.node, "node-2");
    expect_failure(w, op, TFL_E_SPAWN, "node-2", "/no/such/program");
    assert_int_equal(tfl_local_state(s->local, "node-2"), TFL_NODE_ADDED);
    expect_failure(w, verb(s, "node-9", TFL_START), TFL_E_USAGE, "node-9", "no such node");
    stage_free(s);
}

static struct tfl_next_exit *next_exit(struct stage *s)
{
    struct tfl_next_exit *seen = tfl_local_next_exit(s->local);
    world_await(s->w, &seen->op, 5000);
    assert_false(seen->op.failed);
    return seen;
}

static void tells_exits_that_nobody_asked_for(void **state)
{
    struct world *w = *state;
    struct stage *s = stage_new(w, NULL);
    stage_add(s, "node-0", "echo starting; echo 'panic: out of luck' >&2; exit 3");
    stage_add(s, "node-1", "kill -SEGV $$");
    stage_add(s, "node-2", SLEEPS);
    struct tfl_next_exit *early = tfl_local_next_exit(s->local), *second = tfl_local_next_exit(s->local);
    world_await(w, &second->op, 1000); /* one at a time */
    assert_int_equal(second->op.err.code, TFL_E_STATE);
    tfl_op_free(&second->op);
    stage_ok(s, "node-0", TFL_START);
    world_await(w, &early->op, 5000);
    assert_string_equal(early->node, "node-0");
    assert_string_equal(early->status, "exit code 3");
    assert_int_equal(early->code, 3);
    assert_false(early->asked);
    assert_string_equal(early->log_tail, "starting\npanic: out of luck");
    tfl_op_free(&early->op);
    assert_int_equal(tfl_local_state(s->local, "node-0"), TFL_NODE_EXITED);
    stage_ok(s, "node-1", TFL_START);
    world_for(w, 300); /* nobody waits: it is kept */
    struct tfl_next_exit *seen = next_exit(s);
    assert_string_equal(seen->node, "node-1");
    assert_non_null(strstr(seen->status, "killed by SIGSEGV"));
    assert_int_equal(seen->signum, SIGSEGV);
    tfl_op_free(&seen->op);
    stage_ok(s, "node-2", TFL_START);
    stage_ok(s, "node-2", TFL_STOP);
    seen = next_exit(s);
    assert_true(seen->asked);
    tfl_op_free(&seen->op);
    stage_expect_event(
        s, "\"status\":\"exit code 3\",\"asked\":false,\"code\":3,\"log_tail\":\"starting\\npanic");
    stage_expect_event(s, "\"asked\":true,\"signal\":\"SIGTERM\",\"node\":\"node-2\"");
    struct tfl_next_exit *last = tfl_local_next_exit(s->local);
    world_for(w, 50);
    assert_true(tfl_op_pending(&last->op));
    world_ok(w, tfl_local_cleanup(s->local, 0), 5000);
    world_await(w, &last->op, 1000);
    assert_true(last->none);
    tfl_op_free(&last->op);
    stage_free(s);
}

static struct tfl_op *order[6];
static int n_order;

static void note_order(struct tfl_op *op)
{
    order[n_order++] = op->owner;
}

static void verbs_on_one_node_queue(void **state)
{
    struct world *w = *state;
    struct stage *s = stage_new(w, NULL);
    stage_add(s, "node-0", "trap 'sleep 0.2; exit 0' TERM; " SLEEPS);
    struct tfl_op *ops[6] = {verb(s, "node-0", TFL_START), verb(s, "node-0", TFL_STOP),
        verb(s, "node-0", TFL_START), verb(s, "node-0", TFL_PAUSE), verb(s, "node-0", TFL_RESUME),
        verb(s, "node-0", TFL_KILL)};
    n_order = 0;
    for (int i = 0; i < 6; i++) {
        ops[i]->owner = ops[i];
        ops[i]->done = note_order;
    }
    for (int i = 0; i < 6; i++) {
        world_await(w, ops[i], 5000);
        if (ops[i]->failed)
            fail_msg("verb %d: %s", i, ops[i]->err.msg);
    }
    for (int i = 0; i < 6; i++) {
        assert_ptr_equal(order[i], ops[i]);
        tfl_op_free(ops[i]);
    }
    assert_int_equal(tfl_local_state(s->local, "node-0"), TFL_NODE_STOPPED);
    expect_failure(w, verb(s, "node-0", TFL_STOP), TFL_E_STATE, "node-0: cannot stop it", "stopped");
    expect_failure(w, verb(s, "node-0", TFL_RESUME), TFL_E_STATE, "resume", "killed by SIGKILL");
    stage_ok(s, "node-0", TFL_START);
    expect_failure(w, verb(s, "node-0", TFL_START), TFL_E_STATE, "cannot start", "running");
    expect_failure(w, verb(s, "node-0", TFL_RESUME), TFL_E_STATE, "resume", "running");
    struct tfl_node_spec spec = stage_spec(s, "node-0", "exit 0");
    struct tfl_error err;
    assert_int_equal(tfl_local_add(s->local, &spec, &err), -1);
    assert_int_equal(err.code, TFL_E_STATE);
    struct tfl_op *many[70];
    for (int i = 0; i < 70; i++)
        many[i] = verb(s, "node-0", i % 2 ? TFL_RESUME : TFL_PAUSE);
    world_await(w, many[69], 5000); /* the queue has a bound */
    assert_int_equal(many[69]->err.code, TFL_E_STATE);
    assert_non_null(strstr(many[69]->err.msg, "64 verbs"));
    for (int i = 0; i < 70; i++)
        tfl_op_free(many[i]);
    stage_free(s);
}

static void pauses_restarts_and_takes_new_specs(void **state)
{
    struct world *w = *state;
    struct stage *s = stage_new(w, NULL);
    stage_add(s, "node-0", SLEEPS);
    stage_ok(s, "node-0", TFL_START);
    pid_t pid = tfl_local_pid(s->local, "node-0");
    stage_ok(s, "node-0", TFL_PAUSE);
    world_for(w, 50);
    assert_int_equal(tfl_procfs_state(pid), 'T');
    assert_int_equal(tfl_local_state(s->local, "node-0"), TFL_NODE_PAUSED);
    stage_ok(s, "node-0", TFL_RESUME);
    world_for(w, 50);
    assert_int_not_equal(tfl_procfs_state(pid), 'T');
    stage_ok(s, "node-0", TFL_RESTART);
    pid_t after = tfl_local_pid(s->local, "node-0");
    assert_true(after != pid && world_alive(after) && !world_alive(pid));
    stage_ok(s, "node-0", TFL_STOP);
    stage_ok(s, "node-0", TFL_RESTART); /* of one that does not run: a start */
    stage_ok(s, "node-0", TFL_STOP);
    stage_add(s, "node-0", "echo second life; " SLEEPS);
    stage_ok(s, "node-0", TFL_START);
    world_for(w, 200);
    TFL_BUF log = {0};
    tfl_local_logs(s->local, "node-0", &log, 100, NULL);
    assert_non_null(strstr(log.data, "second life"));
    stage_free(s);
}

static void gives_up_what_has_not_begun(void **state)
{
    struct world *w = *state;
    struct stage *s = stage_new(w, NULL);
    stage_add(s, "node-0", "trap 'sleep 0.3; exit 0' TERM; " SLEEPS);
    stage_ok(s, "node-0", TFL_START);
    world_for(w, 100);
    struct tfl_op *stop = verb(s, "node-0", TFL_STOP), *start = verb(s, "node-0", TFL_START);
    struct tfl_op *kill_it = verb(s, "node-0", TFL_KILL);
    world_for(w, 50);
    assert_int_equal(tfl_local_state(s->local, "node-0"), TFL_NODE_STOPPING);
    tfl_op_free(stop);    /* has begun: goes on */
    tfl_op_free(kill_it); /* has not: never happens */
    world_ok(w, start, 5000);
    world_for(w, 100);
    assert_int_equal(tfl_local_state(s->local, "node-0"), TFL_NODE_RUNNING);
    stage_free(s);
}

static void cleanup_ends_everything(void **state)
{
    struct world *w = *state;
    struct stage *s = stage_new(w, NULL);
    char name[16];
    pid_t pids[40];
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "node-%d", i);
        stage_add(s, name, i == 7 ? "trap '' TERM; " SLEEPS : SLEEPS);
        stage_ok(s, name, TFL_START);
        pids[i] = tfl_local_pid(s->local, name);
    }
    stage_ok(s, "node-9", TFL_PAUSE);
    world_for(w, 100);
    struct tfl_op *waiting = verb(s, "node-3", TFL_PAUSE);
    int64_t t0 = tfl_now(w->loop);
    world_ok(w, tfl_local_cleanup(s->local, 700), 20000);
    int64_t took = tfl_now(w->loop) - t0;
    assert_true(
        took >= 690 * TFL_MS && took < 6000 * TFL_MS); /* all at once: only the stubborn one takes its time */
    for (int i = 0; i < 40; i++)
        assert_false(world_alive(pids[i]));
    expect_failure(w, waiting, TFL_E_CANCELLED, "node-3", "cleaned up");
    expect_failure(w, verb(s, "node-3", TFL_START), TFL_E_STATE, "cleaned up", NULL);
    world_ok(w, tfl_local_cleanup(s->local, 0), 1000); /* again */
    stage_free(s);
}

static void hundred_nodes_do_not_stall_the_loop(void **state)
{
    struct world *w = *state;
    struct stage *s = stage_new(w, NULL);
    struct tfl_op *starts[100];
    char name[16];
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "node-%d", i);
        struct tfl_node_spec spec = stage_spec(s, name, "");
        free(spec.argv[0]);
        spec.argv[0] = tfl_strdup("sleep");
        free(spec.argv[1]);
        spec.argv[1] = tfl_strdup("60");
        free(spec.argv[2]);
        spec.argv[2] = NULL;
        stage_add_spec(s, spec);
        starts[i] = verb(s, name, TFL_START);
    }
    tfl_loop_take_lag(w->loop);
    int64_t t0 = tfl_now(w->loop);
    world_ok(w, starts[99], 30000);
    int64_t started = tfl_now(w->loop) - t0;
    for (int i = 0; i < 99; i++)
        world_ok(w, starts[i], 1000);
    int64_t lag = tfl_loop_take_lag(w->loop);
    assert_true(lag < 150 * TFL_MS || lag < started / 2); /* not all in one turn */
    t0 = tfl_now(w->loop);
    world_ok(w, tfl_local_cleanup(s->local, 0), 20000);
    int64_t ended = tfl_now(w->loop) - t0;
    printf("100 nodes: started in %.3f s, ended in %.3f s\n", (double)started / 1e9, (double)ended / 1e9);
    assert_true(started < 20 * TFL_S &&
                ended < 10 * TFL_S); /* the benchmark has the real bounds; this one has ASan */
    stage_free(s);
}

/* Two clusters at once share nothing: ports, processes, clean-up. */
static void two_deployers_do_not_disturb_each_other(void **state)
{
    struct world *w = *state;
    struct stage *a = stage_new(w, NULL), *b = stage_new(w, NULL);
    uint16_t ports_a[40], ports_b[40];
    struct tfl_error err;
    assert_int_equal(tfl_local_reserve(a->local, 40, ports_a, &err), 0);
    assert_int_equal(tfl_local_reserve(b->local, 40, ports_b, &err), 0);
    for (int i = 0; i < 40; i++)
        for (int k = 0; k < 40; k++)
            assert_int_not_equal(ports_a[i], ports_b[k]);
    char name[16];
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "node-%d", i);
        stage_add(a, name, SLEEPS);
        stage_add(b, name, SLEEPS);
        stage_ok(a, name, TFL_START);
        stage_ok(b, name, TFL_START);
    }
    world_ok(w, tfl_local_cleanup(a->local, 0), 5000);
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "node-%d", i);
        assert_int_equal(tfl_local_pid(a->local, name), 0);
        assert_true(world_alive(tfl_local_pid(b->local, name)));
    }
    stage_free(a);
    stage_free(b);
    assert_int_not_equal(access(world_path(w, "run/tfl"), F_OK), 0); /* no lock of ports */
}

static void what_runs_is_in_the_ledger(void **state)
{
    struct world *w = *state;
    struct tfl_error err;
    struct tfl_ledger *ledger = tfl_ledger_create("spec-run", &err);
    assert_non_null(ledger);
    struct stage *s = stage_new(w, &ledger);
    uint16_t port;
    int64_t id;
    assert_int_equal(tfl_local_reserve(s->local, 1, &port, &err), 0);
    assert_int_equal(tfl_ledger_pending(ledger), 1); /* the locks */
    stage_add(s, "node-0", SLEEPS);
    stage_ok(s, "node-0", TFL_START);
    TFL_FREE char *want = tfl_sprintf("\"pid\":%d,", (int)tfl_local_pid(s->local, "node-0"));
    struct json_object *what = tfl_ledger_before(ledger, INT64_MAX, &id);
    if (!strstr(json_object_to_json_string_ext(what, JSON_C_TO_STRING_PLAIN), want))
        fail_msg("%s has no %s", json_object_to_json_string(what), want);
    stage_ok(s, "node-0", TFL_STOP);
    assert_int_equal(tfl_ledger_pending(ledger), 1);
    stage_ok(s, "node-0", TFL_START);
    struct tfl_ledger *gone = ledger;
    ledger = NULL; /* the run is over before the deployer is */
    stage_free(s);
    tfl_ledger_free(gone);
}

/* Freed in the middle of everything: nothing is left, and ops that are pending may be freed after it. */
static void may_be_freed_at_any_time(void **state)
{
    struct world *w = *state;
    struct stage *s = stage_new(w, NULL);
    stage_add(s, "node-0", "trap '' TERM; " SLEEPS);
    stage_add(s, "node-1", SLEEPS);
    stage_ok(s, "node-0", TFL_START);
    pid_t pid = tfl_local_pid(s->local, "node-0");
    struct tfl_op *ops[5] = {verb(s, "node-0", TFL_STOP), verb(s, "node-0", TFL_START),
        verb(s, "node-1", TFL_START), &tfl_local_next_exit(s->local)->op, NULL};
    world_for(w, 20);
    ops[4] = tfl_local_cleanup(s->local, 0);
    stage_free(s);
    assert_false(world_alive(pid));
    for (int i = 0; i < 5; i++)
        tfl_op_free(ops[i]);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {T(starts_as_the_spec_says), T(names_what_is_wrong_with_a_spec),
        T(tells_exits_that_nobody_asked_for), T(verbs_on_one_node_queue),
        T(pauses_restarts_and_takes_new_specs), T(gives_up_what_has_not_begun), T(cleanup_ends_everything),
        T(hundred_nodes_do_not_stall_the_loop), T(two_deployers_do_not_disturb_each_other),
        T(what_runs_is_in_the_ledger), T(may_be_freed_at_any_time)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
