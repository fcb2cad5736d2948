#ifndef TFL_PROC_SPAWN_H
#define TFL_PROC_SPAWN_H

#include "base/error.h"

#include <stdbool.h>
#include <sys/types.h>

/* Starting a program. The only place that makes processes. */
struct tfl_spawn {
    const char *const *argv; /* the program: with a slash, relative to tfl's own folder, else from PATH */
    const char *const *env;  /* "KEY=value" …, NULL-terminated; NULL: tfl's own */
    const char *cwd;         /* NULL: tfl's own */
    int in, out, error;      /* descriptors that become 0, 1, 2; -1: /dev/null */
    const int *keep;         /* n_keep further ones that become 3, 4, …; all others are closed */
    size_t n_keep;           /* at most TFL_SPAWN_KEEP_MAX */
    /* false: a process group of its own, and SIGKILL when tfl dies. true: a session of its own that outlives tfl and is
     * born deaf to SIGINT, SIGTERM, SIGHUP and SIGQUIT. */
    bool detached;
};
enum { TFL_SPAWN_KEEP_MAX = 4 };

/* Starts the program with no signal blocked, and (unless detached) none ignored; pid is a child to be reaped by the caller. Returns when the
 * program runs: what exec says (missing, not executable, wrong format, no such folder) is an error TFL_E_SPAWN that
 * names program and reason, and leaves no child behind. Takes about a millisecond, whatever the size of tfl. */
int tfl_spawn(const struct tfl_spawn *spawn, pid_t *pid, struct tfl_error *err);

/* base (NULL: tfl's own environment) with the "KEY=value" strings of extra (may be NULL) over it. One block: free(). */
const char **tfl_env_merge(const char *const *base, const char *const *extra);

/* Lifts the soft limit of open files as far as the hard one allows, at most to 65536: a node needs about six. */
void tfl_raise_fd_limit(void);

#endif
