#ifndef TFL_PROC_UNDO_H
#define TFL_PROC_UNDO_H

#include "loop/op.h"
#include "proc/ledger.h"

/* Carries out the undo requests of a ledger: first all processes at once (so that the host is clean within two seconds
 * whatever the rest takes), then everything else, the newest first. */
struct tfl_undo {
    struct tfl_op op;           /* fails, naming what is left, when something could not be undone */
    struct json_object *report; /* array of {undo, …, killed | removed | error}; owned by the op */
    size_t failed;              /* how many could not be undone */
};

/* The ledger is borrowed until the op ends; requests carried out are marked done in it. When all are done, its file is
 * removed. Processes that do not go within 5 s of SIGKILL, and commands beyond their time, are errors in the report. A command that
 * fails is tried again every second as long as its request has `patience` (seconds), when patient. */
struct tfl_undo *tfl_undo(struct tfl_loop *loop, struct tfl_ledger *ledger, bool patient);

/* Undoes every ledger in the ledgers' folder whose run is dead. report: array of {"run_id":…, "undone":[…], "error":…};
 * runs that live are left alone. It always succeeds: failed counts the runs that could not be undone wholly. */
struct tfl_undo *tfl_clean(struct tfl_loop *loop);

#endif
