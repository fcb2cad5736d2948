#include "proc/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STACK_SIZE = 256 * 1024, FIRST_SAFE_FD = 16 };

/* What the child tells through the status pipe when it cannot become the program. */
struct failure {
    enum { AT_SETUP = 1, AT_CWD, AT_EXEC } at;
    int errnum;
};

struct child_plan {
    const struct tfl_spawn *spawn;
    const char *program;
    pid_t parent;
    int status_fd, null_fd;
};

/* What runs in the child is on a stack that ASan does not know. */
#define IN_CHILD __attribute__((no_sanitize("address", "undefined")))

IN_CHILD static void child_fail(int fd, int at)
{
    struct failure failure = {.at = at, .errnum = errno};
    while (write(fd, &failure, sizeof failure) < 0 && errno == EINTR)
        continue;
    _exit(127);
}

/* A detached one is deaf from its first instruction on to what a terminal or an init sends to all. */
IN_CHILD static void child_signals(bool detached)
{
    static const int deaf_to[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t none;
    for (int signum = 1; signum < NSIG; signum++)
        sigaction(signum, &action, NULL);
    action.sa_handler = SIG_IGN;
    for (size_t i = 0; detached && i < TFL_LEN(deaf_to); i++)
        sigaction(deaf_to[i], &action, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void close_from(int first)
{
#ifdef SYS_close_range
    if (!syscall(SYS_close_range, first, ~0U, 0))
        return;
#endif
    struct rlimit limit;
    int end = getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur > 65536 ? 65536 : (int)limit.rlim_cur;
    for (int fd = first; fd < end; fd++)
        close(fd);
}

/* Puts the descriptors in their places: first all out of the way of 0, 1, 2 …, then each to its number. */
IN_CHILD static int child_fds(const struct child_plan *plan, int *status_fd)
{
    const struct tfl_spawn *spawn = plan->spawn;
    int from[3 + TFL_SPAWN_KEEP_MAX + 1];
    int n = 0;
    from[n++] = spawn->in < 0 ? plan->null_fd : spawn->in;
    from[n++] = spawn->out < 0 ? plan->null_fd : spawn->out;
    from[n++] = spawn->error < 0 ? plan->null_fd : spawn->error;
    for (size_t i = 0; i < spawn->n_keep; i++)
        from[n++] = spawn->keep[i];
    from[n++] = plan->status_fd;
    for (int i = 0; i < n; i++)
        if ((from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, FIRST_SAFE_FD)) < 0)
            return -1;
    for (int i = 0; i < n; i++)
        if (dup3(from[i], i, i == n - 1 ? O_CLOEXEC : 0) < 0)
            return -1;
    *status_fd = n - 1;
    close_from(n);
    return 0;
}

/* Runs in the child, which shares tfl's memory while tfl stands still (as vfork does): system calls only. */
IN_CHILD static int child_main(void *arg)
{
    const struct child_plan *plan = arg;
    const struct tfl_spawn *spawn = plan->spawn;
    int status_fd = plan->status_fd;
    if (spawn->detached ? setsid() < 0 : setpgid(0, 0) < 0)
        child_fail(status_fd, AT_SETUP);
    if (!spawn->detached) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL))
            child_fail(status_fd, AT_SETUP);
        if (getppid() != plan->parent) /* tfl died before the line above: no signal will come */
            _exit(127);
    }
    child_signals(spawn->detached);
    if (child_fds(plan, &status_fd))
        child_fail(status_fd, AT_SETUP);
    if (spawn->cwd && chdir(spawn->cwd))
        child_fail(status_fd, AT_CWD);
    execve(plan->program, (char *const *)spawn->argv, (char *const *)spawn->env);
    child_fail(status_fd, AT_EXEC);
    return 127;
}

static bool runnable(const char *path)
{
    struct stat st;
    return !stat(path, &st) && S_ISREG(st.st_mode) && !access(path, X_OK);
}

/* The program's path from tfl's own folder and PATH, absolute because the child may change its folder. Owned. */
static char *find_program(const char *name, struct tfl_error *err)
{
    if (strchr(name, '/')) {
        if (name[0] == '/')
            return tfl_strdup(name);
        TFL_FREE char *here = getcwd(NULL, 0);
        return here ? tfl_sprintf("%s/%s", here, name) : tfl_strdup(name);
    }
    const char *dirs = getenv("PATH");
    if (!dirs)
        dirs = "/usr/local/bin:/usr/bin:/bin";
    for (const char *p = dirs; *name; p++) {
        size_t n = strcspn(p, ":");
        char *path = n ? tfl_sprintf("%.*s/%s", (int)n, p, name) : tfl_sprintf("./%s", name);
        if (runnable(path))
            return path;
        free(path);
        p += n;
        if (!*p)
            break;
    }
    tfl_fail(err, TFL_E_SPAWN, "cannot start `%s`: no such program in PATH (%s)", name, dirs);
    return NULL;
}

static int explain(
    const struct tfl_spawn *spawn, const char *program, struct failure failure, struct tfl_error *err)
{
    struct stat st;
    if (failure.at == AT_CWD)
        return tfl_fail_errno(err, TFL_E_SPAWN, failure.errnum,
            "cannot start `%s`: cannot enter its folder %s", program, spawn->cwd);
    if (failure.at == AT_SETUP)
        return tfl_fail_errno(
            err, TFL_E_SPAWN, failure.errnum, "cannot start `%s`: cannot set up its process", program);
    bool there = !stat(program, &st);
    const char *why = strerror(failure.errnum);
    if (failure.errnum == ENOENT)
        why = there ? "the interpreter or loader that the file names does not exist" : "no such file";
    else if (failure.errnum == EACCES && there && S_ISDIR(st.st_mode))
        why = "it is a folder";
    else if (failure.errnum == EACCES && there && S_ISREG(st.st_mode))
        why = "not executable (chmod +x it, or is its file system mounted noexec?)";
    else if (failure.errnum == ENOEXEC)
        why = "wrong format: neither a program for this machine nor a script that starts with #!";
    return tfl_fail(err, TFL_E_SPAWN, "cannot start `%s`: %s", program, why);
}

static int clone_child(struct child_plan *plan, pid_t *pid)
{
    sigset_t all, old;
    char *stack =
        mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED)
        return -1;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &old); /* no handler of tfl may run in the child on tfl's memory */
    *pid = clone(child_main, stack + STACK_SIZE, CLONE_VM | CLONE_VFORK | SIGCHLD, plan);
    int errnum = errno;
    sigprocmask(SIG_SETMASK, &old, NULL);
    munmap(stack, STACK_SIZE);
    errno = errnum;
    return *pid < 0 ? -1 : 0;
}

int tfl_spawn(const struct tfl_spawn *spawn, pid_t *pid, struct tfl_error *err)
{
    TFL_ASSERT(spawn->n_keep <= TFL_SPAWN_KEEP_MAX);
    if (!spawn->argv || !spawn->argv[0] || !spawn->argv[0][0])
        return tfl_fail(err, TFL_E_USAGE, "cannot start a program: its argv is empty");
    TFL_FREE char *program = find_program(spawn->argv[0], err);
    if (!program)
        return -1;
    struct tfl_spawn s = *spawn;
    if (!s.env)
        s.env = (const char *const *)environ;
    int status[2];
    TFL_CLOSE int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null_fd < 0 || pipe2(status, O_CLOEXEC))
        return tfl_fail_errno(err, TFL_E_SPAWN, errno, "cannot start `%s`", program);
    struct child_plan plan = {
        .spawn = &s, .program = program, .parent = getpid(), .status_fd = status[1], .null_fd = null_fd};
    int failed = clone_child(&plan, pid) ? errno : 0;
    close(status[1]);
    TFL_CLOSE int status_in = status[0];
    if (failed)
        return tfl_fail_errno(err, TFL_E_SPAWN, failed, "cannot start `%s`", program);
    struct failure failure;
    ssize_t n;
    do { /* never waits: clone returned because the child became the program or ended */
        n = read(status_in, &failure, sizeof failure);
    } while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof failure)
        return 0;
    while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    return explain(&s, program, failure, err);
}

static size_t count(const char *const *list)
{
    size_t n = 0;
    while (list && list[n])
        n++;
    return n;
}

static bool same_key(const char *a, const char *b)
{
    size_t n = strcspn(a, "=");
    return !strncmp(a, b, n) && b[n] == '=';
}

const char **tfl_env_merge(const char *const *base, const char *const *extra)
{
    if (!base)
        base = (const char *const *)environ;
    const char **env = tfl_alloc((count(base) + count(extra) + 1) * sizeof(char *));
    size_t n = 0;
    for (size_t i = 0; base[i]; i++)
        env[n++] = base[i];
    for (size_t i = 0; extra && extra[i]; i++) {
        size_t k = 0;
        while (k < n && !same_key(extra[i], env[k]))
            k++;
        env[k] = extra[i];
        if (k == n)
            n++;
    }
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++)
        bytes += strlen(env[i]) + 1;
    char **block = tfl_alloc((n + 1) * sizeof(char *) + bytes);
    char *text = (char *)(block + n + 1);
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(env[i]) + 1;
        block[i] = memcpy(text, env[i], len);
        text += len;
    }
    free(env);
    return (const char **)block;
}

void tfl_raise_fd_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= 65536)
        return;
    rlim_t want = limit.rlim_max == RLIM_INFINITY || limit.rlim_max > 65536 ? 65536 : limit.rlim_max;
    if (want > limit.rlim_cur) {
        limit.rlim_cur = want;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}
