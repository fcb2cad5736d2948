/* The program itself: bin/tfl-node of the build tree this spec lies in. */
#include "process_support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#define SEED "0101010101010101010101010101010101010101010101010101010101010101"

struct world {
    char dir[64], binary[300], user[96], deployment[96];
    pid_t pid; /* of the node that runs; 0: none */
    int out;   /* its stdout and stderr */
    struct tfl_buf text;
};

static void write_configs(struct world *w, const char *logger)
{
    struct tfl_keypair leader;
    uint8_t seed[32];
    char pub[65];
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    memset(seed, 1, sizeof seed);
    tfl_keypair_from_seed(&leader, seed);
    TFL_FREE char *user =
        tfl_sprintf("network: {backend: {swarm: {host: 127.0.0.1, port: 0, node_key: " SEED "}}}\n"
                    "cryptarchia: {leader: {key: " SEED "}}\n"
                    "api: {backend: {listen_address: 127.0.0.1:0}}\nstate: {base_folder: "
                    "%s/state}\ntracing:\n  logger: %s\n",
            w->dir, logger);
    TFL_FREE char *deployment =
        tfl_sprintf("chain_id: spec\ncryptarchia:\n  security_param: 5\n"
                    "  slot_activation_coeff: {numerator: 1, denominator: 1}\n  nonce: '" SEED "'\n"
                    "  genesis_time_unix_ms: %lld\n  stakes: [{key: %s, stake: 1}]\ntime: {slot_duration: "
                    "'0.050000000'}\n",
            (long long)now.tv_sec * 1000, tfl_hex(pub, leader.pub, sizeof leader.pub));
    assert_int_equal(tfl_write_file(w->user, user, strlen(user), 0644, NULL), 0);
    assert_int_equal(tfl_write_file(w->deployment, deployment, strlen(deployment), 0644, NULL), 0);
}

static int setup(void **state)
{
    struct world *w = tfl_alloc(sizeof *w);
    char self[256];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(n > 0);
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    snprintf(w->binary, sizeof w->binary, "%s/../bin/tfl-node", self);
    temp_folder(w->dir);
    snprintf(w->user, sizeof w->user, "%s/user.yaml", w->dir);
    snprintf(w->deployment, sizeof w->deployment, "%s/deployment.yaml", w->dir);
    write_configs(w, "!Stdout");
    w->out = -1;
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    if (w->pid) {
        kill(w->pid, SIGKILL);
        waitpid(w->pid, NULL, 0);
    }
    if (w->out >= 0)
        close(w->out);
    tfl_buf_done(&w->text);
    int r = tfl_remove_tree(w->dir, NULL);
    free(w);
    return r;
}

/* Starts it with the two configs and up to two more arguments, or with one argument alone when `bare`. */
static void launch(struct world *w, bool bare, const char *a, const char *b)
{
    int fds[2];
    if (w->out >= 0)
        close(w->out);
    tfl_buf_clear(&w->text);
    assert_int_equal(pipe(fds), 0);
    w->pid = fork();
    if (w->pid == 0) {
        dup2(fds[1], STDOUT_FILENO);
        dup2(fds[1], STDERR_FILENO);
        if (bare)
            execl(w->binary, "tfl-node", a, (char *)NULL);
        else
            execl(w->binary, "tfl-node", w->user, "--deployment", w->deployment, a, b, (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    w->out = fds[0];
}

/* Reads what it says until the word comes or it ends, for at most 10 s; tells whether the word came. */
static bool says(struct world *w, const char *word)
{
    char chunk[4096];
    for (int i = 0; i < 100; i++) {
        struct pollfd p = {.fd = w->out, .events = POLLIN};
        if (w->text.data && strstr(w->text.data, word))
            return true;
        if (poll(&p, 1, 100) == 0)
            continue;
        ssize_t n = read(w->out, chunk, sizeof chunk);
        if (n <= 0)
            break;
        tfl_buf_add(&w->text, chunk, (size_t)n);
    }
    return w->text.data && strstr(w->text.data, word);
}

static int ends(struct world *w)
{
    int status;
    says(w, "\n\n never said");
    assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
    w->pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void configs_are_checked(void **state)
{
    struct world *w = *state;
    launch(w, false, "--check-config", NULL);
    assert_int_equal(ends(w), 0);
    assert_string_equal(w->text.data, "Configs are valid!\n");
    TFL_FREE char *folder = tfl_sprintf("%s/state", w->dir);
    assert_int_equal(access(folder, F_OK), -1); /* and nothing is made */
    assert_int_equal(tfl_write_file(w->user, "netwrk: 1\n", 10, 0644, NULL), 0);
    launch(w, false, "--check-config", NULL);
    assert_int_equal(ends(w), 1);
    assert_non_null(strstr(w->text.data, "user.yaml:1: unknown key \"netwrk\""));
    assert_ptr_equal(strchr(w->text.data, '\n'), w->text.data + w->text.len - 1); /* one line */
}

static void the_command_line_is_judged(void **state)
{
    struct world *w = *state;
    launch(w, true, "--version", NULL);
    assert_int_equal(ends(w), 0);
    assert_string_equal(w->text.data, "tfl-node " TFL_VERSION "\n");
    launch(w, true, "--help", NULL);
    assert_int_equal(ends(w), 0);
    assert_non_null(strstr(w->text.data, "for specs"));
    assert_non_null(strstr(w->text.data, "crash_at_slot=SLOT"));
    launch(w, true, "user.yaml", NULL);
    assert_int_equal(ends(w), 2);
    assert_non_null(strstr(w->text.data, "usage: tfl-node"));
    launch(w, false, "--nonsense", NULL);
    assert_int_equal(ends(w), 2);
    launch(w, false, "--test", "nonsense=1");
    assert_int_equal(ends(w), 1);
    assert_non_null(strstr(w->text.data, "no such key"));
}

static void signals_end_it_in_order(void **state)
{
    static const int signals[] = {SIGTERM, SIGINT};
    struct world *w = *state;
    for (size_t i = 0; i < TFL_LEN(signals); i++) {
        launch(w, false, NULL, NULL);
        assert_true(says(w, "listens for peers on /ip4/127.0.0.1/tcp/"));
        kill(w->pid, signals[i]);
        assert_int_equal(ends(w), 0);
        assert_non_null(strstr(w->text.data, "INFO  stops: asked to\n"));
        assert_int_equal(w->text.data[10], 'T'); /* 2026-01-01T… */
    }
}

static void a_kill_costs_nothing_that_was_told(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 4; i++) {
        launch(w, false, NULL, NULL);
        if (i > 0 && !says(w, "blocks restored"))
            fail_msg("%s", w->text.data);
        assert_true(says(w, "listens"));
        usleep(150000);
        kill(w->pid, SIGKILL);
        assert_int_equal(ends(w), 128 + SIGKILL);
        assert_null(strstr(w->text.data, "ignored"));
    }
}

static void it_crashes_when_asked_to(void **state)
{
    struct world *w = *state;
    launch(w, false, "--test", "crash_at_slot=30");
    assert_int_equal(ends(w), 101);
    assert_non_null(strstr(w->text.data, "ERROR slot"));
    assert_non_null(strstr(w->text.data, "crash_at_slot=30"));
}

static void a_log_file_is_appended_to(void **state)
{
    struct world *w = *state;
    TFL_BUF log = {0};
    TFL_FREE char *logger = tfl_sprintf("!File {directory: %s/logs/deep, prefix: n.log}", w->dir);
    TFL_FREE char *path = tfl_sprintf("%s/logs/deep/n.log", w->dir);
    write_configs(w, logger);
    for (int i = 0; i < 2; i++) {
        launch(w, false, NULL, NULL);
        for (int ms = 0; ms < 8000; ms += 20) {
            tfl_buf_clear(&log);
            if (!tfl_read_file(path, &log, 1 << 20, NULL) && strstr(log.data, i ? "restored" : "online"))
                break;
            usleep(20000);
        }
        usleep(150000); /* some blocks */
        kill(w->pid, SIGTERM);
        assert_int_equal(ends(w), 0);
        assert_int_equal(w->text.len, 0);
    }
    tfl_buf_clear(&log);
    assert_int_equal(tfl_read_file(path, &log, 1 << 20, NULL), 0);
    const char *first = strstr(log.data, "listens for peers");
    assert_non_null(first);
    assert_non_null(strstr(first + 1, "listens for peers"));
    assert_non_null(strstr(first, "blocks restored"));
}

/* Another way into the pipe that the node writes to, filled to the brim. The node's own descriptor stays blocking. */
static void fill_pipe(struct world *w)
{
    char path[64], junk[1024];
    memset(junk, '\n', sizeof junk);
    snprintf(path, sizeof path, "/proc/self/fd/%d", w->out);
    int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(fd >= 0);
    for (size_t n = sizeof junk; n > 0; n /= 2)
        while (write(fd, junk, n) > 0)
            continue;
    close(fd);
}

static void a_full_pipe_does_not_hold_it_up(void **state)
{
    struct world *w = *state;
    write_configs(w, "!Stdout\n  level: TRACE");
    launch(w, false, NULL, NULL);
    assert_true(says(w, "listens"));
    fill_pipe(w);
    usleep(500000);
    assert_true(says(w, "lines of this log were lost")); /* once there is room again */
    fill_pipe(w);
    usleep(200000);
    kill(w->pid, SIGTERM);
    int status = 0, ms = 0;
    while (waitpid(w->pid, &status, WNOHANG) == 0 && ms++ < 3000)
        usleep(1000);
    assert_true(ms < 3000);
    w->pid = 0;
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(configs_are_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(the_command_line_is_judged, setup, teardown),
        cmocka_unit_test_setup_teardown(signals_end_it_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(a_kill_costs_nothing_that_was_told, setup, teardown),
        cmocka_unit_test_setup_teardown(it_crashes_when_asked_to, setup, teardown),
        cmocka_unit_test_setup_teardown(a_log_file_is_appended_to, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_pipe_does_not_hold_it_up, setup, teardown),
    };
    tfl_chain_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
