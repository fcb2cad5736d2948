#ifndef TFL_PROC_GUARDIAN_H
#define TFL_PROC_GUARDIAN_H

#include "loop/op.h"
#include "proc/ledger.h"

/* The second process of a run. It is tfl itself in another mode, in a session of its own, at the other end of a socket:
 * when tfl dies without a goodbye it undoes the run's ledger (host: within 2 s) and writes down what happened; when
 * tfl's heartbeat, a byte each second from a loop timer, stays away for 10 s, it ends tfl first: a script hogs the loop
 * where no hook fires. A tfl that is stopped (Ctrl-Z, a debugger) has no pulse and is left alone; so is time in which the
 * guardian itself did not run. */
struct tfl_guardian;

/* Makes the ledger of the run, whose first request are its processes, starts the guardian, begins the heartbeat and
 * installs the SIGUSR2 handler, with which a hogging tfl says why and leaves with status 2. run_dir: the run's folder
 * (events.jsonl, summary.json), absolute, or NULL. A guardian that dies is replaced. NULL and err on failure. */
struct tfl_guardian *tfl_guardian_start(
    struct tfl_loop *loop, const char *run_id, const char *run_dir, struct tfl_error *err);
struct tfl_ledger *tfl_guardian_ledger(struct tfl_guardian *guardian);
pid_t tfl_guardian_pid(const struct tfl_guardian *guardian);
/* The end of a run: undoes what the ledger still holds, removes it, says goodbye and waits until the guardian is gone.
 * Fails when something could not be undone: the ledger stays then for `tfl clean`. One at a time. */
struct tfl_op *tfl_guardian_bye(struct tfl_guardian *guardian);
/* Closes without a goodbye if there was none: the guardian then undoes the ledger. NULL-safe. */
void tfl_guardian_free(struct tfl_guardian *guardian);
/* Tells the guardian that tfl leaves at once because the user insists (second Ctrl-C): its summary then says so. Safe in
 * a signal handler; without a guardian it does nothing. */
void tfl_guardian_interrupted(void);

/* The guardian's program: what main calls, first of all, when argv[1] is "--guardian"; returns the exit status. */
int tfl_guardian_main(int argc, char **argv);

/* What the bytes on the socket mean. */
enum { TFL_GUARDIAN_BEAT = '.', TFL_GUARDIAN_BYE = 'b', TFL_GUARDIAN_INTERRUPTED = 'i' };

#endif
