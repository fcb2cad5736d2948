#include "proc/ledger.h"
#include "proc/lockfile.h"
#include "proc/procfs.h"
#include "proc/spawn.h"
#include "proc/undo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../../support/c_world.h"

#include <sys/wait.h>

static pid_t spawn_sleep(const char *run_id, bool detached)
{
    struct tfl_error err;
    pid_t pid;
    TFL_FREE char *assignment = tfl_sprintf("TFL_RUN_ID=%s", run_id);
    const char *argv[] = {"sleep", "60", NULL}, *extra[] = {assignment, NULL};
    TFL_FREE const char **env = tfl_env_merge(NULL, extra);
    struct tfl_spawn s = {.argv = argv, .env = env, .in = -1, .out = -1, .error = -1, .detached = detached};
    if (tfl_spawn(&s, &pid, &err))
        fail_msg("%s", err.msg);
    return pid;
}

static struct json_object *request(const char *undo, const char *key, const char *value)
{
    struct json_object *what = json_object_new_object();
    json_object_object_add(what, "undo", json_object_new_string(undo));
    json_object_object_add(what, key, json_object_new_string(value));
    return what;
}

static struct tfl_ledger *create(const char *run_id)
{
    struct tfl_error err;
    struct tfl_ledger *ledger = tfl_ledger_create(run_id, &err);
    if (!ledger)
        fail_msg("%s", err.msg);
    return ledger;
}

static void is_locked_while_it_lives(void **state)
{
    struct tfl_error err;
    (void)state;
    struct tfl_ledger *ledger = create("run-1");
    TFL_FREE char *path = tfl_strdup(tfl_ledger_path(ledger));
    assert_null(tfl_ledger_open(path, -1, &err));
    assert_int_equal(err.code, TFL_E_STATE);
    assert_null(tfl_ledger_create("run-1", &err));
    assert_int_equal(err.code, TFL_E_STATE);
    int other = dup(tfl_ledger_fd(ledger)); /* as a guardian has it */
    tfl_ledger_free(ledger);
    assert_null(tfl_ledger_open(path, -1, &err));
    close(other);
    ledger = tfl_ledger_open(path, -1, &err);
    assert_non_null(ledger);
    assert_string_equal(tfl_ledger_run_id(ledger), "run-1");
    tfl_ledger_free(ledger);
    assert_null(tfl_ledger_create("../etc", &err));
    assert_int_equal(err.code, TFL_E_USAGE);
    assert_null(tfl_ledger_create("", &err));
}

static void remembers_what_is_not_done(void **state)
{
    struct world *w = *state;
    struct tfl_error err;
    int64_t one, two, three, id;
    struct tfl_ledger *ledger = create("run-2");
    assert_int_equal(tfl_ledger_add(ledger, request("folder", "path", "/a/b"), &one, &err), 0);
    assert_int_equal(tfl_ledger_add(ledger, request("folder", "path", "/c/d"), &two, &err), 0);
    assert_int_equal(tfl_ledger_add(ledger, request("folder", "path", "/e/f"), &three, &err), 0);
    assert_int_equal(tfl_ledger_done(ledger, two, &err), 0);
    assert_int_equal(tfl_ledger_done(ledger, two, &err), -1);
    assert_int_equal(tfl_ledger_remove(ledger, &err), -1);
    tfl_ledger_free(ledger);
    /* half a line, as a death in mid-write leaves it, and rubbish */
    const char *path = world_path(w, "tfl/ledgers/run-2.jsonl");
    int fd = open(path, O_WRONLY | O_APPEND);
    assert_int_equal(write(fd, "rubbish\n{\"id\":9,\"und", 21), 21);
    close(fd);
    ledger = tfl_ledger_open(path, -1, &err);
    assert_non_null(ledger);
    assert_int_equal(tfl_ledger_pending(ledger), 2);
    assert_int_equal(tfl_ledger_bad_lines(ledger), 1);
    assert_non_null(tfl_ledger_before(ledger, INT64_MAX, &id));
    assert_int_equal(id, three);
    assert_non_null(tfl_ledger_before(ledger, id, &id));
    assert_int_equal(id, one);
    assert_null(tfl_ledger_before(ledger, one, &id));
    assert_int_equal(tfl_ledger_add(ledger, request("folder", "path", "/g/h"), &id, &err), 0);
    assert_true(id > three);
    tfl_ledger_free(ledger);
    ledger = tfl_ledger_open(path, -1, &err); /* the new line did not join the half one */
    assert_int_equal(tfl_ledger_pending(ledger), 3);
    tfl_ledger_free(ledger);
}

/* A ledger that names a pid which now belongs to another process (another start time) leaves that one alone. */
static void respects_pid_reuse(void **state)
{
    struct world *w = *state;
    struct tfl_error err;
    pid_t mine = spawn_sleep("some-other-run", false), victim = spawn_sleep("some-other-run", false);
    struct tfl_ledger *ledger = create("run-3");
    assert_true(tfl_procfs_start_time(mine) > 0);
    assert_int_equal(tfl_ledger_add_process(ledger, mine, tfl_procfs_start_time(mine) - 1, NULL, &err), 0);
    assert_int_equal(tfl_ledger_add_process(ledger, mine, 0, NULL, &err), 0);
    assert_int_equal(tfl_ledger_add_process(ledger, 1, tfl_procfs_start_time(1), NULL, &err), 0);
    assert_int_equal(tfl_ledger_add_process(ledger, victim, tfl_procfs_start_time(victim), NULL, &err), 0);
    world_ok(w, &tfl_undo(w->loop, ledger, false)->op, 5000);
    assert_true(world_alive(mine));
    assert_false(world_alive(victim));
    tfl_ledger_free(ledger);
    kill(mine, SIGKILL);
    waitpid(mine, NULL, 0);
    waitpid(victim, NULL, 0);
}

static void undoes_everything(void **state)
{
    struct world *w = *state;
    struct tfl_error err;
    struct tfl_ledger *ledger = create("run-4");
    TFL_FREE char *ledger_path = tfl_strdup(tfl_ledger_path(ledger));
    assert_int_equal(tfl_ledger_add_processes(ledger, &err), 0);
    const char *folder = world_path(w, "made/by/run");
    assert_int_equal(tfl_mkdir_p(folder, 0755, &err), 0);
    assert_int_equal(tfl_ledger_add(ledger, request("folder", "path", world_path(w, "made")), NULL, &err), 0);
    TFL_FREE char *marker = tfl_strdup(world_path(w, "touched"));
    struct json_object *command = json_object_new_object(), *argv = json_object_new_array();
    json_object_object_add(command, "undo", json_object_new_string("argv"));
    json_object_array_add(argv, json_object_new_string("touch"));
    json_object_array_add(argv, json_object_new_string("touched")); /* relative: to its folder */
    json_object_object_add(command, "argv", argv);
    json_object_object_add(command, "cwd", json_object_new_string(w->dir));
    assert_int_equal(tfl_ledger_add(ledger, command, NULL, &err), 0);
    assert_int_equal(mkdir(world_path(w, "locks"), 0700), 0);
    int held = tfl_lockfile_take(world_path(w, "locks/held.lock"), &err);
    int dead = tfl_lockfile_take(world_path(w, "locks/dead.lock"), &err);
    assert_true(held >= 0 && dead >= 0);
    close(dead);
    assert_int_equal(tfl_ledger_add(ledger, request("locks", "path", world_path(w, "locks")), NULL, &err), 0);
    pid_t pids[5], other = spawn_sleep("run-44", false);
    for (int i = 0; i < 5; i++)
        pids[i] = spawn_sleep("run-4", i % 2);
    int64_t t0 = tfl_now(w->loop);
    struct tfl_undo *undo = tfl_undo(w->loop, ledger, false);
    world_await(w, &undo->op, 20000);
    if (undo->op.failed)
        fail_msg("%s", undo->op.err.msg);
    assert_true(tfl_now(w->loop) - t0 < 2 * TFL_S);
    assert_int_equal(json_object_array_length(undo->report), 4);
    for (int i = 0; i < 5; i++) {
        assert_false(world_alive(pids[i]));
        waitpid(pids[i], NULL, 0);
    }
    assert_true(world_alive(other)); /* run-44 is not run-4 */
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
    assert_int_equal(access(marker, F_OK), 0);
    assert_int_not_equal(access(world_path(w, "made"), F_OK), 0);
    assert_int_equal(access(world_path(w, "locks/held.lock"), F_OK), 0);
    assert_int_not_equal(access(world_path(w, "locks/dead.lock"), F_OK), 0);
    assert_int_not_equal(access(ledger_path, F_OK), 0);
    tfl_lockfile_release(world_path(w, "locks/held.lock"), held);
    tfl_op_free(&undo->op);
    tfl_ledger_free(ledger);
}

/* What fails is reported and kept, and does not keep the rest from being undone. */
static void keeps_what_it_cannot_undo(void **state)
{
    struct world *w = *state;
    struct tfl_error err;
    struct tfl_ledger *ledger = create("run-5");
    const char *refused[] = {"/", "/tmp", "relative/path", w->dir, "/tmp/x/../../etc"};
    assert_int_equal(mkdir(world_path(w, "made"), 0755), 0);
    assert_int_equal(tfl_ledger_add(ledger, request("folder", "path", world_path(w, "made")), NULL, &err), 0);
    for (size_t i = 0; i < TFL_LEN(refused); i++)
        assert_int_equal(tfl_ledger_add(ledger, request("folder", "path", refused[i]), NULL, &err), 0);
    assert_int_equal(tfl_ledger_add(ledger, request("wormhole", "to", "mars"), NULL, &err), 0);
    assert_int_equal(tfl_ledger_add(ledger, request("argv", "argv", "not a list"), NULL, &err), 0);
    struct tfl_undo *undo = tfl_undo(w->loop, ledger, false);
    world_await(w, &undo->op, 5000);
    assert_true(undo->op.failed);
    assert_non_null(strstr(undo->op.err.msg, "7 things"));
    assert_int_equal(access(w->dir, F_OK), 0);
    assert_int_not_equal(access(world_path(w, "made"), F_OK), 0);
    assert_int_equal(access(tfl_ledger_path(ledger), F_OK), 0);
    assert_int_equal(tfl_ledger_pending(ledger), 7);
    tfl_op_free(&undo->op);
    tfl_ledger_free(ledger);
}

static void tries_again_while_it_has_patience(void **state)
{
    struct world *w = *state;
    struct tfl_error err;
    for (int patient = 1; patient >= 0; patient--) {
        struct tfl_ledger *ledger = create(patient ? "run-6" : "run-7");
        struct json_object *command = request("argv", "argv", ""), *argv = json_object_new_array();
        const char *words[] = {
            "sh", "-c", "echo >>tries; [ $(wc -l <tries) -ge 2 ] || { echo away >&2; exit 3; }"};
        for (size_t i = 0; i < TFL_LEN(words); i++)
            json_object_array_add(argv, json_object_new_string(words[i]));
        json_object_object_add(command, "argv", argv);
        json_object_object_add(command, "cwd", json_object_new_string(w->dir));
        json_object_object_add(command, "patience", json_object_new_int(60));
        assert_int_equal(tfl_ledger_add(ledger, command, NULL, &err), 0);
        struct tfl_undo *undo = tfl_undo(w->loop, ledger, patient);
        world_await(w, &undo->op, 30000);
        assert_int_equal(undo->op.failed, !patient);
        if (!patient)
            assert_non_null(strstr(undo->op.err.msg, "status 3: away"));
        assert_int_equal(unlink(world_path(w, "tries")), 0);
        tfl_op_free(&undo->op);
        tfl_ledger_free(ledger);
    }
}

static void clean_spares_the_living(void **state)
{
    struct world *w = *state;
    struct tfl_error err;
    struct tfl_ledger *live = create("live"), *dead = create("dead");
    assert_int_equal(tfl_ledger_add_processes(live, &err), 0);
    assert_int_equal(tfl_ledger_add_processes(dead, &err), 0);
    pid_t of_live = spawn_sleep("live", true), of_dead = spawn_sleep("dead", true);
    tfl_ledger_free(dead);
    struct tfl_undo *clean = tfl_clean(w->loop);
    world_await(w, &clean->op, 5000);
    assert_false(clean->op.failed);
    assert_int_equal(json_object_array_length(clean->report), 1);
    const char *text = json_object_to_json_string(clean->report);
    assert_non_null(strstr(text, "\"run_id\": \"dead\""));
    if (!strstr(text, "\"killed\": 1"))
        fail_msg("%s", text);
    assert_true(world_alive(of_live));
    assert_false(world_alive(of_dead));
    assert_int_equal(access(tfl_ledger_path(live), F_OK), 0);
    assert_int_not_equal(access(world_path(w, "tfl/ledgers/dead.jsonl"), F_OK), 0);
    tfl_op_free(&clean->op);
    tfl_ledger_free(live);
    kill(of_live, SIGKILL);
    waitpid(of_live, NULL, 0);
    waitpid(of_dead, NULL, 0);
}

static void lock_files_are_exclusive(void **state)
{
    struct world *w = *state;
    struct tfl_error err;
    const char *path = world_path(w, "l/a.lock");
    int fd = tfl_lockfile_take(path, &err);
    assert_true(fd >= 0);
    assert_int_equal(tfl_lockfile_take(path, &err), -1);
    assert_int_equal(err.code, TFL_E_STATE);
    tfl_lockfile_release(path, fd);
    assert_int_not_equal(access(world_path(w, "l"), F_OK), 0);
    fd = tfl_lockfile_take(path, &err);
    assert_true(fd >= 0);
    tfl_lockfile_release(path, fd);
    assert_int_equal(
        mkdir(world_path(w, "l"), 0777), 0); /* a folder that others can write to is not trusted */
    chmod(world_path(w, "l"), 0777);
    assert_int_equal(tfl_lockfile_take(path, &err), -1);
    assert_int_equal(err.code, TFL_E_IO);
    assert_non_null(strstr(err.msg, "mode 700"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {T(is_locked_while_it_lives), T(remembers_what_is_not_done),
        T(respects_pid_reuse), T(undoes_everything), T(keeps_what_it_cannot_undo),
        T(tries_again_while_it_has_patience), T(clean_spares_the_living), T(lock_files_are_exclusive)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
