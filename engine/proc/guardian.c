#include "proc/guardian.h"

#include "base/log.h"
#include "proc/spawn.h"
#include "proc/undo.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BEAT_MS = 1000, BYE_MS = 2000, REPLACEMENTS_MAX = 3 };

struct bye_op {
    struct tfl_op op;
    struct tfl_guardian *guardian; /* NULL: over */
    struct tfl_undo *undo;
    struct tfl_timer timer;
    struct tfl_error err; /* of the undoing; code 0: fine */
};

struct tfl_guardian {
    struct tfl_loop *loop;
    struct tfl_ledger *ledger;
    char *run_dir;
    pid_t pid;
    int fd; /* our end of the socket; −1: said goodbye */
    int replacements;
    struct tfl_child child;
    struct tfl_timer beat;
    struct bye_op *bye;
};

static volatile sig_atomic_t socket_fd = -1; /* for signal handlers */

static void hogged(int signum)
{
    static const char message[] =
        "tfl: the script did not give the loop back for 10s (script_hog): a long C call such as "
        "string.find or string.rep, or a busy loop; the run was ended\n";
    (void)signum;
    if (write(STDERR_FILENO, message, sizeof message - 1) < 0)
        _exit(2);
    _exit(2);
}

void tfl_guardian_interrupted(void)
{
    static const char byte = TFL_GUARDIAN_INTERRUPTED;
    int fd = socket_fd, errnum = errno;
    if (fd >= 0)
        send(fd, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    errno = errnum;
}

static void beat(struct tfl_timer *timer)
{
    struct tfl_guardian *guardian = TFL_CONTAINER(timer, struct tfl_guardian, beat);
    static const char byte = TFL_GUARDIAN_BEAT;
    if (guardian->fd >= 0) /* a full socket is pulse enough; a dead guardian is seen by its end */
        send(guardian->fd, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    tfl_timer_start(guardian->loop, timer, tfl_now(guardian->loop) + BEAT_MS * TFL_MS, beat);
}

static int launch(struct tfl_guardian *guardian, struct tfl_error *err);

static void close_socket(struct tfl_guardian *guardian)
{
    socket_fd = -1;
    if (guardian->fd >= 0)
        close(guardian->fd);
    guardian->fd = -1;
}

static void bye_over(struct bye_op *bye)
{
    bye->guardian->bye = NULL;
    bye->guardian = NULL;
    tfl_timer_stop(bye->op.loop, &bye->timer);
    if (bye->err.code)
        tfl_op_fail(&bye->op, &bye->err);
    else
        tfl_op_succeed(&bye->op);
}

static void guardian_ended(struct tfl_child *child, int status)
{
    struct tfl_guardian *guardian = TFL_CONTAINER(child, struct tfl_guardian, child);
    struct tfl_error err;
    (void)status;
    bool expected = guardian->fd < 0;
    close_socket(guardian);
    guardian->pid = 0;
    if (guardian->bye && !guardian->bye->undo) {
        bye_over(guardian->bye);
    } else if (!expected) {
        TFL_LOG(TFL_LOG_WARN, "proc", "the guardian of run %s died; starting another",
            tfl_ledger_run_id(guardian->ledger));
        if (guardian->replacements++ >= REPLACEMENTS_MAX)
            TFL_LOG(
                TFL_LOG_ERROR, "proc", "guardians keep dying: if tfl is killed now, `tfl clean` is needed");
        else if (launch(guardian, &err))
            TFL_LOG(TFL_LOG_ERROR, "proc", "no guardian: %s", err.msg);
    }
}

/* Its environment must not have the TFL_RUN_ID of a run in which this tfl is itself a child: that run's undoing would
 * kill this guardian together with this tfl, and leave this tfl's nodes to nobody. */
static const char **guardian_env(void)
{
    size_t n = 0;
    while (environ[n])
        n++;
    const char **env = tfl_alloc((n + 1) * sizeof(char *));
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        if (strncmp(environ[i], "TFL_RUN_ID=", 11))
            env[k++] = environ[i];
    return env;
}

static int launch(struct tfl_guardian *guardian, struct tfl_error *err)
{
    int ends[2];
    char pid[16];
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
        return tfl_fail_errno(err, TFL_E_SPAWN, errno, "cannot make the guardian's socket");
    const char *argv[] = {"/proc/self/exe", "--guardian", "3", "4", tfl_ledger_path(guardian->ledger),
        guardian->run_dir ? guardian->run_dir : "", pid, NULL};
    TFL_FREE const char **env = guardian_env();
    struct tfl_spawn s = {.argv = argv,
        .env = env,
        .cwd = "/",
        .in = -1,
        .out = -1,
        .error = -1,
        .keep = (int[]){ends[1], tfl_ledger_fd(guardian->ledger)},
        .n_keep = 2,
        .detached = true};
    int failed = tfl_spawn(&s, &guardian->pid, err);
    close(ends[1]);
    if (!failed)
        failed = tfl_child_start(guardian->loop, &guardian->child, guardian->pid, guardian_ended, err);
    if (failed) {
        close(ends[0]);
        return tfl_wrap(err, "cannot start the guardian of the run");
    }
    guardian->fd = ends[0];
    socket_fd = ends[0];
    return 0;
}

struct tfl_guardian *tfl_guardian_start(
    struct tfl_loop *loop, const char *run_id, const char *run_dir, struct tfl_error *err)
{
    struct tfl_ledger *ledger = tfl_ledger_create(run_id, err);
    if (!ledger)
        return NULL;
    struct tfl_guardian *guardian = tfl_alloc(sizeof *guardian);
    guardian->loop = loop;
    guardian->ledger = ledger;
    guardian->fd = -1;
    guardian->run_dir = run_dir ? tfl_strdup(run_dir) : NULL;
    struct sigaction action = {.sa_handler = hogged};
    sigaction(SIGUSR2, &action, NULL);
    if (tfl_ledger_add_processes(ledger, err) || launch(guardian, err)) {
        unlink(tfl_ledger_path(ledger)); /* nothing was made yet */
        tfl_guardian_free(guardian);
        return NULL;
    }
    beat(&guardian->beat);
    return guardian;
}

struct tfl_ledger *tfl_guardian_ledger(struct tfl_guardian *guardian)
{
    return guardian->ledger;
}

pid_t tfl_guardian_pid(const struct tfl_guardian *guardian)
{
    return guardian->pid;
}

static void too_long(struct tfl_timer *timer)
{
    struct bye_op *bye = TFL_CONTAINER(timer, struct bye_op, timer);
    tfl_child_signal(&bye->guardian->child, SIGKILL); /* nothing is left to guard; its end completes the op */
}

static void undone(struct tfl_op *op)
{
    static const char byte = TFL_GUARDIAN_BYE;
    struct bye_op *bye = op->owner;
    struct tfl_guardian *guardian = bye->guardian;
    if (op->failed)
        bye->err = op->err;
    tfl_op_free(op);
    bye->undo = NULL;
    if (guardian->fd >= 0)
        send(guardian->fd, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    close_socket(guardian);
    if (guardian->pid)
        tfl_timer_start(bye->op.loop, &bye->timer, tfl_now(bye->op.loop) + BYE_MS * TFL_MS, too_long);
    else
        bye_over(bye);
}

static void bye_cancel(struct tfl_op *op)
{
    struct bye_op *bye = TFL_CONTAINER(op, struct bye_op, op);
    if (bye->undo)
        tfl_op_free(&bye->undo->op);
    bye->undo = NULL;
    tfl_timer_stop(op->loop, &bye->timer);
    if (bye->guardian)
        bye->guardian->bye = NULL;
    bye->guardian = NULL;
}

static void bye_destroy(struct tfl_op *op)
{
    free(TFL_CONTAINER(op, struct bye_op, op));
}

struct tfl_op *tfl_guardian_bye(struct tfl_guardian *guardian)
{
    struct bye_op *bye = tfl_alloc(sizeof *bye);
    tfl_op_init(&bye->op, guardian->loop, bye_cancel, bye_destroy);
    TFL_ASSERT(!guardian->bye);
    bye->guardian = guardian;
    guardian->bye = bye;
    bye->undo = tfl_undo(guardian->loop, guardian->ledger, true);
    bye->undo->op.owner = bye;
    bye->undo->op.done = undone;
    return &bye->op;
}

void tfl_guardian_free(struct tfl_guardian *guardian)
{
    if (!guardian)
        return;
    if (guardian->bye)
        tfl_op_cancel(&guardian->bye->op);
    tfl_timer_stop(guardian->loop, &guardian->beat);
    close_socket(guardian);
    tfl_child_stop(guardian->loop, &guardian->child);
    tfl_ledger_free(guardian->ledger);
    free(guardian->run_dir);
    free(guardian);
}
