#ifndef TFL_PROC_EXEC_H
#define TFL_PROC_EXEC_H

#include "base/buf.h"
#include "loop/op.h"

/* A program run to its end, with its output: what `tfl.exec{…}` is. */
struct tfl_exec_config {
    const char *const *argv; /* as in tfl_spawn; all only read during the call */
    const char *const *env;
    const char *cwd;
    const void *input; /* fed to its stdin, which is then closed; copied */
    size_t input_len;
    int timeout_ms;    /* 0: none; when it is over the group gets SIGKILL */
    size_t max_output; /* for stdout and stderr each; 0: 8 MiB; more is an error */
};

struct tfl_exec {
    struct tfl_op op; /* frees with tfl_op_free(&exec->op); cancelling kills the group */
    int status;       /* as of waitpid(2), valid when the op succeeded: also for exit codes other than 0 */
    struct tfl_buf out, error;
};

/* NULL and err when it cannot be started (TFL_E_SPAWN). The op fails with TFL_E_TIMEOUT or TFL_E_TOO_LARGE, each with
 * the end of what it printed; the output so far stays readable. Children it leaves in its group are killed. */
struct tfl_exec *tfl_exec_start(
    struct tfl_loop *loop, const struct tfl_exec_config *config, struct tfl_error *err);

#endif
