#include "proc/process.h"
#include "proc/spawn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../../support/c_world.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/wait.h>

struct exit_seen {
    bool seen, log_failed;
    int status;
    struct tfl_error log_error;
};

static void on_exit_seen(struct tfl_process *process, int status, void *arg)
{
    struct exit_seen *e = arg;
    (void)process;
    assert_false(e->seen);
    e->seen = true;
    e->status = status;
}

static void on_log_error(struct tfl_process *process, const struct tfl_error *err, void *arg)
{
    struct exit_seen *e = arg;
    (void)process;
    assert_false(e->log_failed);
    e->log_failed = true;
    e->log_error = *err;
}

static struct tfl_process *start(struct world *w, struct exit_seen *e, const char *const *argv,
    const char *log, size_t segment, struct tfl_error *err)
{
    struct tfl_process_config config = {.name = "node-0",
        .argv = argv,
        .log_path = log,
        .log_segment_bytes = segment,
        .on_exit = on_exit_seen,
        .on_log_error = on_log_error,
        .arg = e};
    return tfl_process_start(w->loop, &config, err);
}

static struct tfl_process *sh(struct world *w, struct exit_seen *e, const char *script, const char *log)
{
    struct tfl_error err;
    const char *argv[] = {"sh", "-c", script, NULL};
    struct tfl_process *p = start(w, e, argv, log, 0, &err);
    if (!p)
        fail_msg("%s", err.msg);
    return p;
}

static void expect_spawn_error(struct world *w, const char *program, const char *cwd, const char *reason)
{
    struct tfl_error err = {0};
    pid_t pid;
    const char *argv[] = {program, NULL};
    struct tfl_spawn s = {.argv = argv, .cwd = cwd, .in = -1, .out = -1, .error = -1};
    assert_int_equal(tfl_spawn(&s, &pid, &err), -1);
    assert_int_equal(err.code, TFL_E_SPAWN);
    if (!strstr(err.msg, program) || !strstr(err.msg, reason))
        fail_msg("`%s` names not both `%s` and `%s`", err.msg, program, reason);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child left */
    assert_int_equal(errno, ECHILD);
    (void)w;
}

static void names_what_cannot_be_started(void **state)
{
    struct world *w = *state;
    struct tfl_error err;
    expect_spawn_error(w, "no-such-program-anywhere", NULL, "PATH");
    expect_spawn_error(w, world_path(w, "missing"), NULL, "no such file");
    expect_spawn_error(w, w->dir, NULL, "folder");
    assert_int_equal(tfl_write_file(world_path(w, "plain"), "#!/bin/sh\n", 10, 0644, &err), 0);
    expect_spawn_error(w, world_path(w, "plain"), NULL, "not executable");
    assert_int_equal(tfl_write_file(world_path(w, "garbage"), "\001\002\003\004", 4, 0755, &err), 0);
    expect_spawn_error(w, world_path(w, "garbage"), NULL, "wrong format");
    assert_int_equal(tfl_write_file(world_path(w, "shebang"), "#!/no/such/shell\n", 17, 0755, &err), 0);
    expect_spawn_error(w, world_path(w, "shebang"), NULL, "interpreter");
    expect_spawn_error(w, "/bin/sh", world_path(w, "nowhere"), "nowhere");
}

static void captures_output_and_status(void **state)
{
    struct world *w = *state;
    struct exit_seen e = {0};
    TFL_BUF tail = {0};
    char text[TFL_STATUS_TEXT];
    struct tfl_process *p = sh(w, &e, "echo out; echo err >&2; exit 7", world_path(w, "log"));
    assert_false(e.seen); /* never inside the call */
    assert_true(world_until(w, &e.seen, 5000));
    assert_false(tfl_process_running(p));
    assert_string_equal(tfl_status_text(e.status, text), "exit code 7");
    char *log = world_read(w, "log");
    assert_string_equal(log, "out\nerr\n");
    free(log);
    tfl_process_tail(p, &tail, 100);
    assert_string_equal(tail.data, "out\nerr");
    tfl_process_free(p);

    e = (struct exit_seen){0};
    p = sh(w, &e, "kill -SEGV $$", NULL);
    assert_true(world_until(w, &e.seen, 5000));
    assert_non_null(strstr(tfl_status_text(e.status, text), "killed by SIGSEGV"));
    tfl_process_free(p);
}

/* The child's view: no descriptor but 0, 1, 2 (and the one of the listing), no signal blocked or ignored, its own group. */
static void child_inherits_nothing(void **state)
{
    struct world *w = *state;
    struct exit_seen e = {0};
    sigset_t set, old;
    int leaked = open("/dev/null", O_RDONLY); /* without CLOEXEC */
    assert_true(leaked >= 0);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, &old);
    void (*was)(int) = signal(SIGPIPE, SIG_IGN);
    struct tfl_process *p = sh(w, &e,
        "ls /proc/self/fd | wc -l; grep -E 'Sig(Blk|Ign)' /proc/self/status | tr -d '\\n'; echo; readlink "
        "/proc/self/fd/0; cut -d' ' -f5 /proc/$$/stat",
        world_path(w, "log"));
    sigprocmask(SIG_SETMASK, &old, NULL);
    signal(SIGPIPE, was);
    close(leaked);
    pid_t pid = tfl_process_pid(p);
    assert_true(world_until(w, &e.seen, 5000));
    char want[256];
    snprintf(want, sizeof want, "4\nSigBlk:\t0000000000000000SigIgn:\t0000000000000000\n/dev/null\n%d\n",
        (int)pid);
    char *log = world_read(w, "log");
    assert_string_equal(log, want);
    free(log);
    tfl_process_free(p);
}

static void stop_is_graceful_then_forced(void **state)
{
    struct world *w = *state;
    struct exit_seen e = {0};
    struct tfl_process *p =
        sh(w, &e, "trap 'exit 5' TERM; echo up; while :; do sleep 0.01; done", world_path(w, "log"));
    world_says(w, "log", "up\n");
    world_ok(w, tfl_process_stop(p, SIGTERM, 20000), 15000);
    assert_true(e.seen && WIFEXITED(e.status) && WEXITSTATUS(e.status) == 5);
    world_ok(w, tfl_process_stop(p, SIGTERM, 5000), 1000); /* ended already */
    tfl_process_free(p);

    e = (struct exit_seen){0};
    p = sh(w, &e, "trap '' TERM; (trap '' TERM; echo up; exec sleep 60) & wait; wait; sleep 60",
        world_path(w, "log2"));
    world_says(w, "log2", "up\n");
    int64_t t0 = tfl_now(w->loop);
    world_ok(w, tfl_process_stop(p, SIGTERM, 300), 15000);
    int64_t took = tfl_now(w->loop) - t0;
    assert_true(took >= 290 * TFL_MS && took < 6000 * TFL_MS);
    assert_true(WIFSIGNALED(e.status) && WTERMSIG(e.status) == SIGKILL);
    tfl_process_free(p);

    e = (struct exit_seen){0}; /* a paused one still hears the signal */
    p = sh(w, &e, "trap 'exit 6' TERM; echo up; while :; do sleep 0.01; done", world_path(w, "log3"));
    world_says(w, "log3", "up\n");
    assert_int_equal(tfl_process_signal(p, SIGSTOP, NULL), 0);
    world_for(w, 50);
    world_ok(w, tfl_process_stop(p, SIGTERM, 20000), 15000);
    assert_int_equal(WEXITSTATUS(e.status), 6);
    struct tfl_error err;
    assert_int_equal(tfl_process_signal(p, SIGSTOP, &err), -1);
    assert_int_equal(err.code, TFL_E_STATE);
    tfl_process_free(p);
}

static void group_dies_with_its_leader(void **state)
{
    struct world *w = *state;
    struct exit_seen e = {0};
    TFL_FREE char *script =
        tfl_sprintf("(echo $(exec sh -c 'echo $PPID') > %s/pid; exec sleep 60) & sleep 0.2; exit 0", w->dir);
    struct tfl_process *p = sh(w, &e, script, NULL);
    pid_t grandchild = world_number(w, "pid", 5000);
    assert_true(world_alive(grandchild));
    assert_true(world_until(w, &e.seen, 5000));
    assert_true(world_gone(w, grandchild, 1000));
    tfl_process_free(p);

    e = (struct exit_seen){0}; /* and freeing kills what runs */
    p = sh(w, &e, "sleep 60", NULL);
    pid_t pid = tfl_process_pid(p);
    tfl_process_free(p);
    assert_false(world_alive(pid));
    assert_false(e.seen);
}

static void endless_printer_is_bounded(void **state)
{
    struct world *w = *state;
    struct exit_seen e = {0};
    struct tfl_error err;
    const char *argv[] = {"yes", "0123456789 0123456789 0123456789 0123456789 0123456789", NULL};
    struct tfl_process *p = start(w, &e, argv, world_path(w, "log"), 1024 * 1024, &err);
    assert_non_null(p);
    tfl_loop_take_lag(w->loop);
    world_for(w, 1000);
    assert_true(tfl_loop_take_lag(w->loop) <
                700 * TFL_MS); /* others got their turns: without, it were all of the 1000 */
    struct stat st, older;
    assert_int_equal(stat(world_path(w, "log"), &st), 0);
    assert_int_equal(stat(world_path(w, "log.1"), &older), 0);
    enum { LINE = 55, FULL = 1024 * 1024, GONE = sizeof TFL_CAPTURE_GONE - 1 };
    assert_true(st.st_size <= FULL + LINE + GONE);
    assert_in_range(older.st_size, FULL, FULL + LINE + GONE);
    TFL_BUF first = {0}; /* lines are whole, and the first one says that others are gone */
    assert_int_equal(tfl_read_file(world_path(w, "log.1"), &first, 2 * FULL, &err), 0);
    assert_int_equal(strncmp(first.data, TFL_CAPTURE_GONE, GONE), 0);
    assert_int_equal(strncmp(first.data + GONE, argv[1], LINE - 1), 0);
    assert_int_equal(first.data[first.len - 1], '\n');
    assert_int_equal((first.len - GONE) % LINE, 0);
    world_ok(w, tfl_process_stop(p, SIGKILL, 0), 3000);
    TFL_BUF tail = {0};
    tfl_process_tail(p, &tail, 1000);
    assert_true(tail.len > 0 && tail.len <= 1000);
    TFL_BUF end = {0};
    assert_int_equal(tfl_log_tail(world_path(w, "log"), &end, FULL + 4096, &err), 0);
    assert_true(end.len >= FULL); /* from both segments */
    tfl_process_free(p);
}

static void full_disk_is_told_once(void **state)
{
    struct world *w = *state;
    struct exit_seen e = {0};
    struct rlimit old, small = {.rlim_cur = 64 * 1024};
    struct tfl_error err;
    if (access("/dev/full", W_OK))
        fail_msg("/dev/full is missing");
    const char *argv[] = {"sh", "-c", "for i in 1 2 3 4 5; do echo line $i; sleep 0.02; done", NULL};
    struct tfl_process *p = start(w, &e, argv, "/dev/full", 0, &err);
    assert_non_null(p);
    assert_true(world_until(w, &e.seen, 5000)); /* it is not held up by its log */
    assert_true(e.log_failed);
    assert_int_equal(e.log_error.code, TFL_E_NO_SPACE);
    assert_non_null(strstr(e.log_error.msg, "/dev/full"));
    TFL_BUF tail = {0};
    tfl_process_tail(p, &tail, 100);
    assert_non_null(strstr(tail.data, "line 5")); /* the end is still known */
    tfl_process_free(p);

    getrlimit(
        RLIMIT_FSIZE, &old); /* a write that fails half-way: EFBIG is not "disk full" but is told as well */
    small.rlim_max = old.rlim_max;
    void (*was)(int) = signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    e = (struct exit_seen){0};
    p = sh(w, &e, "head -c 200000 /dev/zero", world_path(w, "log"));
    assert_true(world_until(w, &e.seen, 5000));
    setrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, was);
    assert_true(e.log_failed);
    assert_int_equal(e.log_error.code, TFL_E_IO);
    tfl_process_free(p);
}

static void tail_keeps_whole_lines(void **state)
{
    struct world *w = *state;
    struct exit_seen e = {0};
    TFL_BUF tail = {0}, all = {0};
    struct tfl_process *p = sh(w, &e, "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); echo row $i; done", NULL);
    assert_true(world_until(w, &e.seen, 10000));
    tfl_process_tail(p, &tail, 30);
    assert_string_equal(tail.data, "row 1998\nrow 1999\nrow 2000");
    tfl_process_tail(p, &all, 100000);
    assert_true(all.len <= TFL_CAPTURE_TAIL && !strncmp(all.data, "row ", 4));
    tfl_process_free(p);
}

static void environment_is_merged(void **state)
{
    const char *base[] = {"A=1", "B=2", "PATH=/x", NULL}, *extra[] = {"B=3", "C=4", "AA=5", NULL};
    const char **env = tfl_env_merge(base, extra);
    const char *want[] = {"A=1", "B=3", "PATH=/x", "C=4", "AA=5"};
    (void)state;
    for (size_t i = 0; i < TFL_LEN(want); i++)
        assert_string_equal(env[i], want[i]);
    assert_null(env[5]);
    free(env);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {T(names_what_cannot_be_started), T(captures_output_and_status),
        T(child_inherits_nothing), T(stop_is_graceful_then_forced), T(group_dies_with_its_leader),
        T(endless_printer_is_bounded), T(full_disk_is_told_once), T(tail_keeps_whole_lines),
        T(environment_is_merged)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
