#include "proc/exec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../../support/c_world.h"

#include <sys/wait.h>

static struct tfl_exec *sh(struct world *w, const char *script, struct tfl_exec_config config)
{
    struct tfl_error err;
    const char *argv[] = {"sh", "-c", script, NULL};
    config.argv = argv;
    struct tfl_exec *exec = tfl_exec_start(w->loop, &config, &err);
    if (!exec)
        fail_msg("%s", err.msg);
    world_await(w, &exec->op, 10000);
    return exec;
}

static void gives_output_and_status(void **state)
{
    struct tfl_exec *exec = sh(*state, "echo hello; echo oops >&2; exit 3", (struct tfl_exec_config){0});
    assert_false(exec->op.failed);
    assert_int_equal(WEXITSTATUS(exec->status), 3);
    assert_string_equal(exec->out.data, "hello\n");
    assert_string_equal(exec->error.data, "oops\n");
    tfl_op_free(&exec->op);
}

static void feeds_input(void **state)
{
    size_t n = 3000000;
    char *input = malloc(n);
    memset(input, 'x', n);
    struct tfl_exec *exec = sh(*state, "cat", (struct tfl_exec_config){.input = input, .input_len = n});
    assert_false(exec->op.failed);
    assert_int_equal(exec->out.len, n);
    assert_memory_equal(exec->out.data, input, n);
    tfl_op_free(&exec->op);
    /* a program that does not read it, and one with none */
    exec = sh(*state, "exit 0", (struct tfl_exec_config){.input = input, .input_len = n});
    assert_false(exec->op.failed);
    tfl_op_free(&exec->op);
    exec = sh(*state, "cat; echo done", (struct tfl_exec_config){0});
    assert_string_equal(exec->out.data, "done\n");
    tfl_op_free(&exec->op);
    free(input);
}

static void stops_after_its_time(void **state)
{
    struct world *w = *state;
    TFL_FREE char *script = tfl_sprintf("echo $$ > %s/pid; echo working; (sleep 60); sleep 60", w->dir);
    int64_t t0 = tfl_now(w->loop);
    struct tfl_exec *exec = sh(w, script, (struct tfl_exec_config){.timeout_ms = 1500});
    assert_true(exec->op.failed);
    assert_int_equal(exec->op.err.code, TFL_E_TIMEOUT);
    assert_non_null(strstr(exec->op.err.msg, "1.5s"));
    assert_non_null(strstr(exec->op.err.msg, "working"));
    assert_true(tfl_now(w->loop) - t0 < 8 * TFL_S);
    assert_false(world_alive(world_number(w, "pid", 1000)));
    tfl_op_free(&exec->op);
}

static void bounds_output(void **state)
{
    struct tfl_exec *exec = sh(*state, "yes", (struct tfl_exec_config){.max_output = 100000});
    assert_true(exec->op.failed);
    assert_int_equal(exec->op.err.code, TFL_E_TOO_LARGE);
    assert_true(exec->out.len < 100000 + 65537);
    tfl_op_free(&exec->op);
    exec = sh(*state, "head -c 60000 /dev/zero; exit 0", (struct tfl_exec_config){.max_output = 50000});
    assert_true(exec->op.failed); /* also when the rest only shows at its end */
    tfl_op_free(&exec->op);
}

static void cancel_kills(void **state)
{
    struct world *w = *state;
    struct tfl_error err;
    TFL_FREE char *script = tfl_sprintf("echo $$ > %s/pid; sleep 60", w->dir);
    const char *argv[] = {"sh", "-c", script, NULL};
    struct tfl_exec *exec = tfl_exec_start(w->loop, &(struct tfl_exec_config){.argv = argv}, &err);
    assert_non_null(exec);
    pid_t pid = world_number(w, "pid", 5000);
    tfl_op_cancel(&exec->op);
    assert_false(world_alive(pid));
    world_await(w, &exec->op, 1000);
    assert_int_equal(exec->op.err.code, TFL_E_CANCELLED);
    tfl_op_free(&exec->op);

    const char *missing[] = {"/no/such/program", NULL};
    assert_null(tfl_exec_start(w->loop, &(struct tfl_exec_config){.argv = missing}, &err));
    assert_int_equal(err.code, TFL_E_SPAWN);
}

/* A daemon that holds stdout open must not hold up the end. */
static void daemons_do_not_hold_it_up(void **state)
{
    struct world *w = *state;
    int64_t t0 = tfl_now(w->loop);
    TFL_FREE char *script =
        tfl_sprintf("setsid sh -c 'echo $$ > %s/pid; exec sleep 60' & sleep 0.4; echo started", w->dir);
    struct tfl_exec *exec = sh(w, script, (struct tfl_exec_config){0});
    assert_string_equal(exec->out.data, "started\n");
    assert_true(tfl_now(w->loop) - t0 < 8 * TFL_S);
    tfl_op_free(&exec->op);
    kill(world_number(w, "pid", 2000), SIGKILL);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {T(gives_output_and_status), T(feeds_input), T(stops_after_its_time),
        T(bounds_output), T(cancel_kills), T(daemons_do_not_hold_it_up)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
