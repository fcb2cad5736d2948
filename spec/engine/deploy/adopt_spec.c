#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "local_world.h"

#include "proc/spawn.h"

/* A program that nobody here supervises; its parent is this spec. */
static pid_t outsider(const char *script)
{
    const char *argv[] = {"sh", "-c", script, NULL};
    struct tfl_spawn spawn = {.argv = argv, .in = -1, .out = -1, .error = -1};
    struct tfl_error err;
    pid_t pid;
    if (tfl_spawn(&spawn, &pid, &err))
        fail_msg("%s", err.msg);
    return pid;
}

static void expect_error(int result, const struct tfl_error *err, enum tfl_code code, const char *text)
{
    assert_int_equal(result, -1);
    if (err->code != code || !strstr(err->msg, text))
        fail_msg("%s: %s", tfl_code_string(err->code), err->msg);
}

static void keeps_the_state_of_a_process_that_it_did_not_start(void **state)
{
    struct world *w = *state;
    struct stage *s = stage_new(w, NULL);
    struct tfl_error err;
    struct tfl_node_spec spec = stage_spec(s, "node-0", "exit 1");
    spec.files = calloc(1, sizeof *spec.files);
    spec.files[0] = (struct tfl_node_file){
        .path = tfl_strdup("conf"), .content = tfl_strdup("x"), .len = 1, .mode = 0600};
    spec.n_files = 1;
    stage_add_spec(s, spec);
    assert_int_equal(tfl_local_lay_out(s->local, "node-0", &err), 0);
    assert_int_equal(access(world_path(w, "nodes/node-0/conf"), F_OK), 0);
    pid_t pid = outsider("trap 'exit 0' TERM; while :; do sleep 0.01; done");
    assert_int_equal(tfl_local_adopt(s->local, "node-0", pid, &err), 0);
    assert_int_equal(tfl_local_state(s->local, "node-0"), TFL_NODE_RUNNING);
    assert_int_equal(tfl_local_pid(s->local, "node-0"), pid);
    assert_true(tfl_local_here(s->local, "node-0"));
    expect_error(tfl_local_adopt(s->local, "node-0", 0, &err), &err, TFL_E_STATE,
        "node-0: cannot start it: it is running");
    expect_failure(w, verb(s, "node-0", TFL_STOP), TFL_E_STATE, "node-0", "who started it");
    expect_error(tfl_local_mark(s->local, "node-0", TFL_NODE_STOPPED, TFL_LOCAL_GONE, &err), &err,
        TFL_E_STATE, "it is running");
    assert_int_equal(tfl_local_mark(s->local, "node-0", TFL_NODE_PAUSED, TFL_LOCAL_GONE, &err), 0);
    assert_int_equal(tfl_local_mark(s->local, "node-0", TFL_NODE_RUNNING, TFL_LOCAL_GONE, &err), 0);
    assert_int_equal(tfl_local_mark(s->local, "node-0", TFL_NODE_STOPPING, TFL_LOCAL_GONE, &err), 0);
    assert_int_equal(tfl_local_signal(s->local, "node-0", 0, &err), 0); /* the spec's: TERM */
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_false(tfl_local_here(s->local, "node-0"));
    struct tfl_next_exit *exit_op = tfl_local_next_exit(s->local);
    assert_int_equal(tfl_local_mark(s->local, "node-0", TFL_NODE_STOPPED, TFL_LOCAL_GONE, &err), 0);
    world_await(w, &exit_op->op, 1000);
    assert_true(exit_op->asked && exit_op->code == -1 && exit_op->signum == 0);
    assert_string_equal(exit_op->status, "gone");
    tfl_op_free(&exit_op->op);
    stage_expect_event(s, "node_started {\"pid\":");
    stage_expect_event(s, "node_exited {\"pid\":");
    stage_free(s);
}

static void tells_the_end_of_one_that_has_no_pid(void **state)
{
    struct world *w = *state;
    struct stage *s = stage_new(w, NULL);
    struct tfl_error err;
    stage_add(s, "node-0", "exit 1");
    assert_int_equal(tfl_local_lay_out(s->local, "node-0", &err), 0);
    FILE *log = fopen(world_path(w, "logs/node-0.log"), "w");
    fputs("the last words\n", log);
    fclose(log);
    assert_int_equal(tfl_local_adopt(s->local, "node-0", 0, &err), 0);
    assert_false(tfl_local_here(s->local, "node-0"));
    expect_error(
        tfl_local_signal(s->local, "node-0", 0, &err), &err, TFL_E_UNSUPPORTED, "its pid is not known");
    const char *names[] = {"node-0"};
    world_ok(w, tfl_local_wait_ready(s->local, names, NULL, 1, 1000),
        2000); /* it has no url: it is ready when it runs */
    assert_int_equal(tfl_local_mark(s->local, "node-0", TFL_NODE_EXITED, TFL_LOCAL_GONE, &err), 0);
    struct tfl_next_exit *exit_op = tfl_local_next_exit(s->local);
    world_await(w, &exit_op->op, 1000);
    assert_false(exit_op->asked);
    assert_string_equal(exit_op->log_tail, "the last words\n");
    tfl_op_free(&exit_op->op);
    stage_free(s);
}

static void refuses_what_is_not_there(void **state)
{
    struct world *w = *state;
    struct stage *s = stage_new(w, NULL);
    struct tfl_error err;
    pid_t pid = outsider("exit 0");
    while (tfl_procfs_state(pid) != 'Z')
        world_for(w, 5);
    stage_add(s, "node-0", "exit 1");
    expect_error(tfl_local_adopt(s->local, "node-0", pid, &err), &err, TFL_E_NOT_FOUND,
        "node-0: there is no process"); /* a zombie */
    waitpid(pid, NULL, 0);
    expect_error(
        tfl_local_adopt(s->local, "node-0", pid, &err), &err, TFL_E_NOT_FOUND, "node-0: there is no process");
    expect_error(tfl_local_adopt(s->local, "node-7", 0, &err), &err, TFL_E_USAGE, "node-7");
    expect_error(tfl_local_lay_out(s->local, "node-7", &err), &err, TFL_E_USAGE, "node-7");
    expect_error(tfl_local_mark(s->local, "node-0", TFL_NODE_EXITED, TFL_LOCAL_GONE, &err), &err, TFL_E_STATE,
        "not started");
    world_ok(w, tfl_local_cleanup(s->local, 0), 2000);
    expect_error(tfl_local_adopt(s->local, "node-0", 0, &err), &err, TFL_E_STATE, "cleaned up");
    stage_free(s);
}

static void one_that_is_left_is_killed_by_the_ledger(void **state)
{
    struct world *w = *state;
    struct tfl_error err;
    setenv("XDG_STATE_HOME", w->dir, 1);
    struct tfl_ledger *ledger = tfl_ledger_create("spec-run", &err);
    assert_non_null(ledger);
    struct stage *s = stage_new(w, &ledger);
    stage_add(s, "node-0", "exit 1");
    pid_t pid = outsider("while :; do sleep 1; done");
    assert_int_equal(tfl_local_adopt(s->local, "node-0", pid, &err), 0);
    int64_t id;
    struct json_object *what = tfl_ledger_before(ledger, INT64_MAX, &id), *found;
    assert_true(what && json_object_object_get_ex(what, "pid", &found));
    assert_int_equal(json_object_get_int64(found), pid);
    stage_free(s);
    assert_non_null(tfl_ledger_before(ledger, INT64_MAX, &id)); /* nobody said that it is gone */
    kill(-pid, SIGKILL);
    waitpid(pid, NULL, 0);
    tfl_ledger_free(ledger);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {T(keeps_the_state_of_a_process_that_it_did_not_start),
        T(tells_the_end_of_one_that_has_no_pid), T(refuses_what_is_not_there),
        T(one_that_is_left_is_killed_by_the_ledger)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
