#include "support.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct tfl_loop *loop;
static struct tfl_error err;
static int pair[2];

static int setup(void **state)
{
    (void)state;
    journal[0] = '\0';
    loop = tfl_loop_new(&err);
    return loop ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) : -1;
}

static int teardown(void **state)
{
    (void)state;
    close(pair[0]);
    close(pair[1]);
    tfl_loop_free(loop);
    return 0;
}

static void time_is_up(struct tfl_timer *timer)
{
    (void)timer;
}

static void turns_until(const char *wanted)
{
    struct tfl_timer guard = {0};
    tfl_timer_start(loop, &guard, tfl_now(loop) + 10 * TFL_S, time_is_up);
    while (strcmp(journal, wanted) != 0 && tfl_timer_started(&guard))
        tfl_loop_turn(loop, true);
    tfl_timer_stop(loop, &guard);
    assert_string_equal(journal, wanted);
}

static void reads_one(struct tfl_io *io, int events)
{
    char c;
    (void)io;
    assert_int_equal(events, TFL_READ);
    assert_int_equal(read(pair[0], &c, 1), 1);
    note(c);
}

static void calls_while_readable(void **state)
{
    (void)state;
    struct tfl_io io = {0};
    assert_int_equal(tfl_io_start(loop, &io, pair[0], TFL_READ, reads_one, &err), 0);
    tfl_loop_turn(loop, false);
    assert_string_equal(journal, "");
    assert_int_equal(write(pair[1], "xyz", 3), 3);
    turns_until("xyz"); /* one byte a call: level-triggered */
    tfl_io_stop(loop, &io);
    tfl_io_stop(loop, &io);
    assert_int_equal(write(pair[1], "w", 1), 1);
    assert_false(tfl_loop_turn(loop, true)); /* nothing armed: it says so, and does not sleep */
    assert_string_equal(journal, "xyz");
}

static void counts_events(struct tfl_io *io, int events)
{
    note((char)('0' + events));
    tfl_io_stop(loop, io);
}

static void a_restart_changes_what_is_asked(void **state)
{
    (void)state;
    struct tfl_io io = {0};
    assert_int_equal(tfl_io_start(loop, &io, pair[0], TFL_READ, reads_one, &err), 0);
    assert_int_equal(tfl_io_start(loop, &io, pair[0], TFL_READ | TFL_WRITE, counts_events, &err), 0);
    turns_until("2");
    assert_int_equal(write(pair[1], "x", 1), 1);
    assert_int_equal(tfl_io_start(loop, &io, pair[0], TFL_READ | TFL_WRITE, counts_events, &err), 0);
    turns_until("23");
}

struct owned {
    struct tfl_io io;
};
static void frees_its_owner(struct tfl_io *io, int events)
{
    struct owned *o = TFL_CONTAINER(io, struct owned, io);
    (void)events;
    tfl_io_stop(loop, &o->io);
    free(o);
    note('f');
}

static void a_watcher_may_stop_and_free_itself(void **state)
{
    (void)state;
    struct owned *o = tfl_alloc(sizeof *o);
    assert_int_equal(tfl_io_start(loop, &o->io, pair[0], TFL_WRITE, frees_its_owner, &err), 0);
    turns_until("f");
}

static struct tfl_io both[2];
static void stops_the_other(struct tfl_io *io, int events)
{
    (void)events;
    tfl_io_stop(loop, &both[io == &both[0]]);
    tfl_io_stop(loop, io);
    note('s');
}

static void one_of_two_ready_ones_may_stop_the_other(void **state)
{
    (void)state;
    memset(both, 0, sizeof both);
    assert_int_equal(tfl_io_start(loop, &both[0], pair[0], TFL_WRITE, stops_the_other, &err), 0);
    assert_int_equal(tfl_io_start(loop, &both[1], pair[1], TFL_WRITE, stops_the_other, &err), 0);
    turns_until("s");
    assert_false(tfl_loop_turn(loop, true));
    assert_string_equal(journal, "s");
}

static int last_status;
static void child_is_over(struct tfl_child *child, int status)
{
    last_status = status;
    assert_null(child->io.impl);
    note('c');
}

static pid_t child_that(int code, int signum)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (signum)
            for (;;)
                pause();
        _exit(code);
    }
    return pid;
}

static void a_child_is_reaped_with_its_status(void **state)
{
    (void)state;
    struct tfl_child child = {0};
    pid_t pid = child_that(7, 0);
    assert_int_equal(tfl_child_start(loop, &child, pid, child_is_over, &err), 0);
    turns_until("c");
    assert_true(WIFEXITED(last_status) && WEXITSTATUS(last_status) == 7);
    assert_int_equal(kill(pid, 0), -1); /* reaped */
    assert_int_equal(tfl_child_signal(&child, SIGTERM), -1);
    assert_int_equal(errno, ESRCH);
}

static void a_child_can_be_signalled(void **state)
{
    (void)state;
    struct tfl_child child = {0};
    assert_int_equal(tfl_child_start(loop, &child, child_that(0, SIGKILL), child_is_over, &err), 0);
    assert_int_equal(tfl_child_signal(&child, SIGKILL), 0);
    turns_until("c");
    assert_true(WIFSIGNALED(last_status) && WTERMSIG(last_status) == SIGKILL);
}

static void a_stopped_watch_leaves_the_child_alone(void **state)
{
    (void)state;
    struct tfl_child child = {0};
    pid_t pid = child_that(0, SIGKILL);
    assert_int_equal(tfl_child_start(loop, &child, pid, child_is_over, &err), 0);
    tfl_child_stop(loop, &child);
    tfl_child_stop(loop, &child);
    assert_int_equal(tfl_child_signal(&child, SIGKILL), -1);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_string_equal(journal, "");
}

/* A leader that ends takes what is left of its process group with it, when that was asked for. */
static void a_group_ends_with_its_leader(void **state)
{
    (void)state;
    struct tfl_child child = {0};
    int alive[2];
    char c;
    assert_int_equal(pipe(alive), 0);
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        if (fork() == 0)
            for (;;)
                pause(); /* holds the pipe open */
        _exit(3);
    }
    close(alive[1]);
    assert_int_equal(tfl_child_start(loop, &child, pid, child_is_over, &err), 0);
    child.group = true;
    turns_until("c");
    assert_int_equal(WEXITSTATUS(last_status), 3);
    assert_int_equal(
        read(alive[0], &c, 1), 0); /* the last holder is gone (else this hangs until ctest's limit) */
    close(alive[0]);
}

/* Whoever starts tfl may have SIGCHLD ignored; exec hands that on, and the kernel would then reap our children and
 * lose their exit codes. */
static void exit_codes_survive_an_ignored_sigchld(void **state)
{
    struct tfl_child child = {0};
    teardown(state);
    signal(SIGCHLD, SIG_IGN);
    assert_int_equal(setup(state), 0);
    assert_int_equal(tfl_child_start(loop, &child, child_that(9, 0), child_is_over, &err), 0);
    turns_until("c");
    signal(SIGCHLD, SIG_DFL);
    assert_true(WIFEXITED(last_status) && WEXITSTATUS(last_status) == 9);
}

/* Somebody else's waitpid got the status: an unknown end must not look like success. */
static void an_unknown_end_is_no_success(void **state)
{
    (void)state;
    struct tfl_child child = {0};
    pid_t pid = child_that(0, 0);
    assert_int_equal(tfl_child_start(loop, &child, pid, child_is_over, &err), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    turns_until("c");
    assert_false(WIFEXITED(last_status) && WEXITSTATUS(last_status) == 0);
}

static void watching_nobody_is_an_error(void **state)
{
    (void)state;
    struct tfl_child child = {0};
    pid_t pid = child_that(0, 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(tfl_child_start(loop, &child, pid, child_is_over, &err), -1);
    assert_int_equal(err.code, TFL_E_INTERNAL);
    tfl_child_stop(loop, &child);
}

static void signal_marks(struct tfl_signal *sig)
{
    note('S');
    tfl_signal_stop(loop, sig);
}

static void signals_arrive_as_events(void **state)
{
    (void)state;
    struct tfl_signal sig = {0};
    assert_int_equal(tfl_signal_start(loop, &sig, SIGUSR1, signal_marks, &err), 0);
    assert_int_equal(raise(SIGUSR1), 0);
    assert_string_equal(journal, "");
    turns_until("S");
    tfl_signal_stop(loop, &sig);
}

static void virtual_time_has_no_world(void **state)
{
    (void)state;
    struct tfl_io io = {0};
    struct tfl_child child = {0};
    struct tfl_signal sig = {0};
    struct tfl_loop *v = tfl_loop_new_virtual(0);
    assert_int_equal(tfl_io_start(v, &io, pair[0], TFL_READ, reads_one, &err), -1);
    assert_int_equal(err.code, TFL_E_UNSUPPORTED);
    assert_int_equal(tfl_child_start(v, &child, getpid(), child_is_over, &err), -1);
    assert_int_equal(err.code, TFL_E_UNSUPPORTED);
    assert_int_equal(tfl_signal_start(v, &sig, SIGUSR1, signal_marks, &err), -1);
    assert_int_equal(err.code, TFL_E_UNSUPPORTED);
    tfl_io_stop(v, &io);
    tfl_child_stop(v, &child);
    tfl_signal_stop(v, &sig);
    tfl_loop_free(v);
    tfl_loop_free(NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(calls_while_readable),
        TEST(a_restart_changes_what_is_asked),
        TEST(a_watcher_may_stop_and_free_itself),
        TEST(one_of_two_ready_ones_may_stop_the_other),
        TEST(a_child_is_reaped_with_its_status),
        TEST(a_child_can_be_signalled),
        TEST(a_stopped_watch_leaves_the_child_alone),
        TEST(a_group_ends_with_its_leader),
        TEST(exit_codes_survive_an_ignored_sigchld),
        TEST(an_unknown_end_is_no_success),
        TEST(watching_nobody_is_an_error),
        TEST(signals_arrive_as_events),
        TEST(virtual_time_has_no_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
