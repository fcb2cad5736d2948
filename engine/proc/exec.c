#include "proc/exec.h"

#include "proc/process.h"
#include "proc/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHUNK = 64 * 1024, DEFAULT_MAX = 8 * 1024 * 1024, SHOWN = 400 };

struct stream {
    struct tfl_io io;
    int fd; /* −1: closed */
    struct tfl_buf *into;
    struct run *run;
};

struct run {
    struct tfl_exec exec;
    pid_t pid;
    bool running;
    char *program;
    int timeout_ms;
    size_t max_output;
    struct tfl_child child;
    struct tfl_timer timer;
    struct stream out, error, in;
    struct tfl_buf input;
};

static struct tfl_loop *loop_of(const struct run *run)
{
    return run->exec.op.loop;
}

static void close_stream(struct run *run, struct stream *s)
{
    tfl_io_stop(loop_of(run), &s->io);
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}

/* Ends whatever still runs; harmless when all is over. */
static void let_go(struct run *run)
{
    tfl_timer_stop(loop_of(run), &run->timer);
    close_stream(run, &run->out);
    close_stream(run, &run->error);
    close_stream(run, &run->in);
    if (!run->running)
        return;
    run->running = false;
    kill(-run->pid, SIGKILL);
    tfl_child_stop(loop_of(run), &run->child);
    while (waitpid(run->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}

static void fail(struct run *run, struct tfl_error *err)
{
    const struct tfl_buf *b = run->exec.error.len ? &run->exec.error : &run->exec.out;
    size_t n = b->len > SHOWN ? SHOWN : b->len;
    if (n) {
        TFL_FREE char *said = tfl_strdup(err->msg);
        tfl_fail(err, err->code, "%s; it said: %.*s", said, (int)n, b->data + b->len - n);
    }
    let_go(run);
    tfl_op_fail(&run->exec.op, err);
}

/* One chunk: false when nothing is there now, or the run is over. */
static bool read_chunk(struct stream *s)
{
    struct run *run = s->run;
    if (s->fd < 0)
        return false;
    tfl_buf_reserve(s->into, CHUNK);
    ssize_t n = read(s->fd, s->into->data + s->into->len, CHUNK);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return errno == EINTR;
    if (n <= 0) {
        close_stream(run, s);
        return false;
    }
    s->into->len += (size_t)n;
    s->into->data[s->into->len] = '\0';
    if (s->into->len <= run->max_output)
        return true;
    struct tfl_error err;
    tfl_fail(&err, TFL_E_TOO_LARGE, "`%s` printed more than %zu bytes: send its output to a file",
        run->program, run->max_output);
    fail(run, &err);
    return false;
}

static void readable(struct tfl_io *io, int events)
{
    (void)events;
    read_chunk(TFL_CONTAINER(io, struct stream, io));
}

static void writable(struct tfl_io *io, int events)
{
    struct stream *s = TFL_CONTAINER(io, struct stream, io);
    struct run *run = s->run;
    (void)events;
    size_t len = run->input.len < CHUNK ? run->input.len : CHUNK;
    ssize_t n = len ? send(s->fd, run->input.data, len, MSG_NOSIGNAL) : 0;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0)
        tfl_buf_eat(&run->input, (size_t)n);
    if (n < 0 || !run->input.len) /* a program that does not read its input to the end is no error */
        close_stream(run, s);
}

static void ended(struct tfl_child *child, int status)
{
    struct run *run = TFL_CONTAINER(child, struct run, child);
    run->running = false;
    run->exec.status = status;
    while (read_chunk(&run->out) || read_chunk(&run->error))
        continue;
    if (!tfl_op_pending(&run->exec.op)) /* too much was left in the pipes */
        return;
    let_go(run);
    tfl_op_succeed(&run->exec.op);
}

static void timed_out(struct tfl_timer *timer)
{
    struct run *run = TFL_CONTAINER(timer, struct run, timer);
    struct tfl_error err;
    tfl_fail(&err, TFL_E_TIMEOUT, "`%s` did not end within %.3gs and was killed", run->program,
        run->timeout_ms / 1000.0);
    fail(run, &err);
}

static void cancel(struct tfl_op *op)
{
    let_go(TFL_CONTAINER(op, struct run, exec.op));
}

static void destroy(struct tfl_op *op)
{
    struct run *run = TFL_CONTAINER(op, struct run, exec.op);
    let_go(run);
    tfl_buf_done(&run->exec.out);
    tfl_buf_done(&run->exec.error);
    tfl_buf_done(&run->input);
    free(run->program);
    free(run);
}

/* stdin is a socket, as only those can be written to without the risk of SIGPIPE; a shell cannot tell the difference. */
static int open_streams(struct run *run, bool input, int theirs[3], struct tfl_error *err)
{
    int ends[2];
    for (int i = input ? 0 : 1; i < 3; i++) {
        struct stream *s = i == 0 ? &run->in : i == 1 ? &run->out : &run->error;
        if (i == 0 ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) : pipe2(ends, O_CLOEXEC))
            return tfl_fail_errno(err, TFL_E_SPAWN, errno, "cannot make the pipes of `%s`", run->program);
        s->fd = ends[0];
        theirs[i] = ends[1];
        if (fcntl(s->fd, F_SETFL, O_NONBLOCK) ||
            tfl_io_start(loop_of(run), &s->io, s->fd, i ? TFL_READ : TFL_WRITE, i ? readable : writable, err))
            return -1;
    }
    return 0;
}

static int start(struct run *run, const struct tfl_exec_config *config, struct tfl_error *err)
{
    int theirs[3] = {-1, -1, -1};
    int failed = open_streams(run, config->input_len > 0, theirs, err);
    if (!failed) {
        struct tfl_spawn s = {.argv = config->argv,
            .env = config->env,
            .cwd = config->cwd,
            .in = theirs[0],
            .out = theirs[1],
            .error = theirs[2]};
        failed = tfl_spawn(&s, &run->pid, err);
    }
    for (int i = 0; i < 3; i++)
        if (theirs[i] >= 0)
            close(theirs[i]);
    if (failed)
        return -1;
    run->running = true;
    if (tfl_child_start(loop_of(run), &run->child, run->pid, ended, err))
        return -1;
    run->child.group = true;
    return 0;
}

struct tfl_exec *tfl_exec_start(
    struct tfl_loop *loop, const struct tfl_exec_config *config, struct tfl_error *err)
{
    struct run *run = tfl_alloc(sizeof *run);
    tfl_op_init(&run->exec.op, loop, cancel, destroy);
    run->out = (struct stream){.fd = -1, .into = &run->exec.out, .run = run};
    run->error = (struct stream){.fd = -1, .into = &run->exec.error, .run = run};
    run->in = (struct stream){.fd = -1, .run = run};
    run->max_output = config->max_output ? config->max_output : DEFAULT_MAX;
    run->timeout_ms = config->timeout_ms;
    run->program = tfl_strdup(config->argv && config->argv[0] ? config->argv[0] : "");
    tfl_buf_add(&run->input, config->input, config->input_len);
    if (start(run, config, err)) {
        destroy(&run->exec.op);
        return NULL;
    }
    if (config->timeout_ms > 0)
        tfl_timer_start(loop, &run->timer, tfl_now(loop) + config->timeout_ms * TFL_MS, timed_out);
    return &run->exec;
}
