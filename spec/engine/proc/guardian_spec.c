/* The guardian against a real tfl: this program plays tfl ("--play WHAT DIR") and the guardian ("--guardian …"). */
#include "proc/guardian.h"
#include "proc/process.h"
#include "proc/procfs.h"
#include "proc/spawn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../../support/c_world.h"

#include <sys/prctl.h>
#include <sys/wait.h>

static void put_number(const char *dir, const char *name, int n)
{
    char path[256], text[32];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int len = snprintf(text, sizeof text, "%d\n", n);
    if (tfl_write_file(path, text, (size_t)len, 0644, NULL))
        _exit(99);
}

/* One run as tfl makes it: guardian, three nodes (one that daemonises), then what `what` says. */
static int play(const char *what, const char *dir)
{
    struct tfl_error err;
    struct tfl_loop *loop = tfl_loop_new(&err);
    char run_dir[256], line[512], assignment[64];
    snprintf(assignment, sizeof assignment, "TFL_RUN_ID=%s", what); /* what to do is the run's id, too */
    snprintf(run_dir, sizeof run_dir, "%s/record", dir);
    struct tfl_guardian *guardian = tfl_guardian_start(loop, what, run_dir, &err);
    if (!guardian) {
        fprintf(stderr, "%s\n", err.msg);
        return 98;
    }
    put_number(dir, "guardian", tfl_guardian_pid(guardian));
    for (int turns = 0; turns < 2000 && tfl_procfs_state(tfl_guardian_pid(guardian)) != 'S'; turns++)
        usleep(1000); /* it waits for us now: what comes into the ledger from here on comes late */
    snprintf(line, sizeof line, "%s/made", dir);
    struct json_object *request = json_object_new_object();
    json_object_object_add(request, "undo", json_object_new_string("folder"));
    json_object_object_add(request, "path", json_object_new_string(line));
    if (tfl_ledger_add(tfl_guardian_ledger(guardian), request, NULL, &err) || tfl_mkdir_p(line, 0755, &err))
        return 96;
    const char *extra[] = {assignment, NULL};
    const char **env = tfl_env_merge(NULL, extra);
    snprintf(line, sizeof line,
        "setsid sh -c 'trap \"\" TERM; echo $$ > %s/daemon; sleep 60' & echo $$ > %s/node; sleep 60", dir,
        dir);
    const char *argv[] = {"sh", "-c", line, NULL};
    struct tfl_spawn s = {.argv = argv, .env = env, .in = -1, .out = -1, .error = -1};
    pid_t pid;
    if (tfl_spawn(&s, &pid, &err))
        return 97;
    free(env);
    bool stop = false;
    if (!strcmp(what, "bye")) {
        snprintf(line, sizeof line, "%s/daemon", dir);
        while (access(line, F_OK))
            tfl_loop_turn(loop, true);
        struct tfl_op *op = tfl_guardian_bye(guardian);
        while (op->state != TFL_OP_DONE)
            tfl_loop_turn(loop, true);
        int failed = op->failed;
        tfl_op_free(op);
        tfl_guardian_free(guardian);
        tfl_loop_free(loop);
        return failed;
    }
    if (!strcmp(what, "interrupt")) {
        snprintf(line, sizeof line, "%s/daemon", dir);
        while (access(line, F_OK))
            tfl_loop_turn(loop, true);
        tfl_guardian_interrupted();
        _exit(130);
    }
    while (!strcmp(what, "hog"))
        continue;
    if (!strcmp(what, "deaf"))
        for (signal(SIGUSR2, SIG_IGN);;)
            continue;
    tfl_loop_run(loop, &stop);
    return 0;
}

struct stage {
    const char *what;
    pid_t tfl, guardian, node, daemon;
};

static struct stage start(struct world *w, const char *what)
{
    struct tfl_error err;
    struct stage stage = {.what = what};
    assert_int_equal(tfl_mkdir_p(world_path(w, "record"), 0755, &err), 0);
    static const char head[] =
        "{\"version\":1,\"run_id\":\"played\",\"started_unix_ms\":1000}\n{\"t\":0.5,\"half";
    assert_int_equal(
        tfl_write_file(world_path(w, "record/events.jsonl"), head, sizeof head - 1, 0644, &err), 0);
    const char *argv[] = {"/proc/self/exe", "--play", what, w->dir, NULL};
    struct tfl_spawn s = {.argv = argv, .in = -1, .out = -1, .error = 2};
    if (tfl_spawn(&s, &stage.tfl, &err))
        fail_msg("%s", err.msg);
    stage.guardian = world_number(w, "guardian", 10000);
    stage.node = world_number(w, "node", 10000);
    stage.daemon = world_number(w, "daemon", 10000);
    return stage;
}

/* Everything of the run is gone within 2 s: nodes, daemons, guardian, what it made, ledger. */
static void expect_clean(struct world *w, struct stage stage)
{
    int64_t t0 = tfl_now(w->loop);
    assert_true(world_gone(w, stage.node, 2000));
    assert_true(world_gone(w, stage.daemon, 2000));
    assert_true(world_gone(w, stage.guardian, 2000));
    assert_true(tfl_now(w->loop) - t0 < 2 * TFL_S);
    TFL_FREE char *ledger = tfl_sprintf("%s/tfl/ledgers/%s.jsonl", getenv("XDG_STATE_HOME"), stage.what);
    assert_int_not_equal(access(ledger, F_OK), 0);
    assert_int_not_equal(access(world_path(w, "made"), F_OK), 0);
}

static int wait_for(struct world *w, pid_t pid, int timeout_ms)
{
    int status = 0;
    assert_true(world_gone(w, pid, timeout_ms));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void expect_summary(struct world *w, const char *verdict, const char *code, int exit_code)
{
    char *text = world_read(w, "record/summary.json");
    struct json_object *summary = json_tokener_parse(text), *value, *error;
    assert_true(json_object_object_get_ex(summary, "verdict", &value));
    assert_string_equal(json_object_get_string(value), verdict);
    assert_true(json_object_object_get_ex(summary, "exit_code", &value));
    assert_int_equal(json_object_get_int(value), exit_code);
    assert_true(json_object_object_get_ex(summary, "error", &error));
    assert_true(json_object_object_get_ex(error, "code", &value));
    assert_string_equal(json_object_get_string(value), code);
    assert_true(json_object_object_get_ex(summary, "run_id", &value));
    json_object_put(summary);
    free(text);
}

static void expect_event(struct world *w, const char *type)
{
    char *text = world_read(w, "record/events.jsonl");
    TFL_FREE char *want = tfl_sprintf("\"type\":\"%s\"", type);
    char *line = strstr(text, want);
    if (!line)
        fail_msg("no event %s in: %s", type, text);
    while (line > text && line[-1] != '\n')
        line--;
    line[strcspn(line, "\n")] = '\0';
    struct json_object *event = json_tokener_parse(line), *t;
    assert_true(
        json_object_object_get_ex(event, "t", &t)); /* a whole line of its own, though one before was cut */
    assert_true(json_object_get_double(t) > 1e9);
    json_object_put(event);
    free(text);
}

static void cleans_up_after_sigkill(void **state)
{
    struct world *w = *state;
    struct stage stage = start(w, "run");
    assert_int_equal(
        getpgid(stage.guardian), stage.guardian); /* a Ctrl-C on the terminal does not reach it */
    kill(stage.guardian, SIGTERM);
    kill(stage.guardian, SIGINT);
    kill(stage.guardian, SIGHUP);
    world_for(w, 100);
    assert_true(world_alive(stage.guardian));
    kill(stage.tfl, SIGKILL);
    wait_for(w, stage.tfl, 1000);
    expect_clean(w, stage);
    expect_event(w, "tfl_gone");
    expect_event(w, "guardian_undo");
    expect_summary(w, "infra", "tfl_killed", 3);
}

static void goodbye_leaves_nothing_and_says_nothing(void **state)
{
    struct world *w = *state;
    struct stage stage = start(w, "bye");
    assert_int_equal(wait_for(w, stage.tfl, 5000), 0);
    expect_clean(w, stage);
    assert_int_not_equal(access(world_path(w, "record/summary.json"), F_OK), 0);
}

static void interrupted_run_says_so(void **state)
{
    struct world *w = *state;
    struct stage stage = start(w, "interrupt");
    assert_int_equal(WEXITSTATUS(wait_for(w, stage.tfl, 5000)), 130);
    expect_clean(w, stage);
    expect_summary(w, "interrupted", "interrupted", 130);
}

/* Three stand-ins at once, since each takes the ten seconds: one that hogs, one that hogs and is deaf, one stopped. */
static void ends_those_who_hog_and_only_those(void **state)
{
    struct world *w = *state, others[2] = {*w, *w};
    int64_t t0 = tfl_now(w->loop);
    struct stage hog = start(w, "hog"), more[2];
    for (int i = 0; i < 2; i++) {
        snprintf(others[i].dir, sizeof others[i].dir, "%.50s/%d", w->dir, i % 2);
        assert_int_equal(mkdir(others[i].dir, 0755), 0);
        more[i] = start(&others[i], i ? "run" : "deaf");
    }
    kill(more[1].tfl, SIGSTOP);
    int status = wait_for(w, hog.tfl, 20000);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 2);
    assert_true(tfl_now(w->loop) - t0 > 8 * TFL_S);
    expect_clean(w, hog);
    expect_event(w, "heartbeat_lost");
    expect_summary(w, "usage", "script_hog", 2);
    status = wait_for(w, more[0].tfl, 20000);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    expect_clean(&others[0], more[0]);
    expect_summary(&others[0], "usage", "script_hog", 2);
    world_for(w, 1500);
    assert_true(world_alive(more[1].tfl) && tfl_procfs_state(more[1].tfl) == 'T');
    kill(more[1].tfl, SIGKILL);
    wait_for(w, more[1].tfl, 1000);
    expect_clean(&others[1], more[1]);
    expect_summary(&others[1], "infra", "tfl_killed", 3);
}

static void a_dead_guardian_is_replaced(void **state)
{
    struct world *w = *state;
    struct tfl_error err;
    struct tfl_guardian *guardian = tfl_guardian_start(w->loop, "mine", NULL, &err);
    if (!guardian)
        fail_msg("%s", err.msg);
    pid_t first = tfl_guardian_pid(guardian);
    kill(first, SIGKILL);
    for (int i = 0; i < 200 && tfl_guardian_pid(guardian) == first; i++)
        world_for(w, 10);
    pid_t second = tfl_guardian_pid(guardian);
    assert_true(second > 0 && second != first && world_alive(second));
    world_for(w, 1500); /* heartbeats to the new one, and it stays */
    assert_int_equal(tfl_guardian_pid(guardian), second);
    world_ok(w, tfl_guardian_bye(guardian), 3000);
    assert_false(world_alive(second));
    tfl_guardian_free(guardian);
    assert_int_not_equal(access(world_path(w, "tfl/ledgers/mine.jsonl"), F_OK), 0);
}

static void a_used_run_id_is_refused(void **state)
{
    struct world *w = *state;
    struct tfl_error err;
    struct tfl_guardian *guardian = tfl_guardian_start(w->loop, "twice", NULL, &err);
    assert_non_null(guardian);
    assert_null(tfl_guardian_start(w->loop, "twice", NULL, &err));
    assert_int_equal(err.code, TFL_E_STATE);
    world_ok(w, tfl_guardian_bye(guardian), 3000);
    tfl_guardian_free(guardian);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "--guardian"))
        return tfl_guardian_main(argc, argv);
    if (argc > 3 && !strcmp(argv[1], "--play"))
        return play(argv[2], argv[3]);
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {T(cleans_up_after_sigkill), T(goodbye_leaves_nothing_and_says_nothing),
        T(interrupted_run_says_so), T(ends_those_who_hog_and_only_those), T(a_dead_guardian_is_replaced),
        T(a_used_run_id_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
