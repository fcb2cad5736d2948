#ifndef TFL_PROC_LEDGER_H
#define TFL_PROC_LEDGER_H

#include "base/error.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What a run has made and somebody must undo: one file of JSON lines for each run, locked (flock) while tfl or its
 * guardian lives. Each undo request is written before its thing is made, so that a tfl that dies at any instant leaves
 * nothing unknown behind. proc/undo.h carries the requests out.
 *
 *     {"id":1,"undo":"processes","run_id":"…"}            all processes with TFL_RUN_ID=… in their environment
 *     {"id":2,"undo":"process","pid":7,"start":81234}     this one (start: tfl_procfs_start_time)
 *     {"id":3,"undo":"folder","path":"/…"}                this folder and all in it
 *     {"id":4,"undo":"argv","argv":["docker",…],"within":10}   a command to run, the seconds it may take;
 *                                                       also "cwd": its folder
 *     {"id":5,"undo":"locks","path":"/…"}                 the lock files of a folder that nobody holds (proc/lockfile.h)
 *     {"done":3}                                          request 3 is carried out, or its thing never was made
 */
struct tfl_ledger;

/* The folder of the ledgers: $XDG_STATE_HOME/tfl/ledgers, default ~/.local/state/tfl/ledgers. Owned by the caller. */
char *tfl_ledger_folder(void);
/* Makes and locks the ledger of a run. run_id: 1 to 100 letters, digits, '.', '_', '-', not beginning with '.'. */
struct tfl_ledger *tfl_ledger_create(const char *run_id, struct tfl_error *err);
/* Opens one that is there. fd ≥ 0: an open descriptor that holds the lock already, taken over. fd −1: takes the lock;
 * TFL_E_STATE when its run is alive, TFL_E_NOT_FOUND when it has gone. Lines that make no sense are counted. */
struct tfl_ledger *tfl_ledger_open(const char *path, int fd, struct tfl_error *err);
/* Closes; the file stays (tfl_ledger_remove removes it). The lock is free when all who hold it have closed. */
void tfl_ledger_free(struct tfl_ledger *ledger);

int tfl_ledger_fd(const struct tfl_ledger *ledger); /* for a guardian to inherit */
const char *tfl_ledger_path(const struct tfl_ledger *ledger);
const char *tfl_ledger_run_id(const struct tfl_ledger *ledger);
size_t tfl_ledger_bad_lines(const struct tfl_ledger *ledger);

/* Writes an undo request (takes ownership of it; its "id" is set here). When it returns 0 the kernel has it. */
int tfl_ledger_add(
    struct tfl_ledger *ledger, struct json_object *request, int64_t *id, struct tfl_error *err);
int tfl_ledger_add_processes(struct tfl_ledger *ledger, struct tfl_error *err); /* all of this run's */
int tfl_ledger_add_process(
    struct tfl_ledger *ledger, pid_t pid, uint64_t start_time, int64_t *id, struct tfl_error *err);
int tfl_ledger_done(struct tfl_ledger *ledger, int64_t id, struct tfl_error *err);
/* The newest request with an id below `before` that is not done; borrowed. NULL: none. */
struct json_object *tfl_ledger_before(const struct tfl_ledger *ledger, int64_t before, int64_t *id);
size_t tfl_ledger_pending(const struct tfl_ledger *ledger);
/* Removes the file of a ledger with nothing pending; TFL_E_STATE otherwise. */
int tfl_ledger_remove(struct tfl_ledger *ledger, struct tfl_error *err);

#endif
