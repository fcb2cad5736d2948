#include "node/pod.h"

#include "base/buf.h"
#include "base/fs.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { QUIET_TURNS = 15, TURNS_MOST = 140 };
static const struct timespec turn = {.tv_nsec = 200 * 1000 * 1000};

static int in_pod(struct tfl_error *err)
{
    if (getenv("TFL_POD"))
        return 0;
    tfl_fail(err, TFL_E_USAGE, "TFL_POD is not set: this is for pods that tfl made");
    return -1;
}

static int number_of(const char *name)
{
    static const struct {
        const char *name;
        int number;
    } signals[] = {{"KILL", SIGKILL}, {"STOP", SIGSTOP}, {"CONT", SIGCONT}, {"TERM", SIGTERM},
        {"INT", SIGINT}, {"QUIT", SIGQUIT}, {"HUP", SIGHUP}, {"ABRT", SIGABRT}, {"USR1", SIGUSR1},
        {"USR2", SIGUSR2}};
    for (size_t i = 0; i < TFL_LEN(signals); i++)
        if (!strcmp(signals[i].name, name))
            return signals[i].number;
    return 0;
}

int tfl_pod_signal(const char *name, struct tfl_error *err)
{
    int number = number_of(name);
    if (in_pod(err))
        return -1;
    if (!number) {
        tfl_fail(err, TFL_E_USAGE, "there is no signal %.20s here", name);
        return -1;
    }
    if (kill(-1, number) && errno != ESRCH) { /* never pid 1, which holds the pod, nor this process */
        tfl_fail_errno(err, TFL_E_IO, errno, "SIG%s cannot be sent", name);
        return -1;
    }
    return 0;
}

int tfl_pod_sweep(const char *folder, struct tfl_error *err)
{
    struct stat st;
    sigset_t set;
    int failed = 0;
    if (in_pod(err))
        return -1;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    while (sigwaitinfo(&set, NULL) < 0 && errno == EINTR)
        ;
    for (int quiet = 0, turns = 0; quiet < QUIET_TURNS && turns < TURNS_MOST; turns++) {
        bool there = lstat(folder, &st) == 0;
        quiet = there ? 0 : quiet + 1;
        failed = there ? tfl_remove_tree(folder, err) : 0;
        sigtimedwait(&set, NULL, &turn);
    }
    return failed;
}
