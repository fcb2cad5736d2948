#ifndef TFL_RECORD_RUN_FOLDER_H
#define TFL_RECORD_RUN_FOLDER_H

#include "base/error.h"

#include <stdbool.h>

/* Folders of runs on disk. A run folder is one that holds the marker file ".tfl-run", locked (flock) while its run is
 * alive; nothing else is ever removed. */

/* $XDG_STATE_HOME/tfl/runs, default ~/.local/state/tfl/runs. Owned by the caller. */
char *tfl_runs_folder(void);

struct tfl_run_folder {
    char *path; /* absolute; owned */
    int lock;   /* descriptor of the locked marker */
};

/* Makes PARENT/NAME, or NAME-2, NAME-3 … when that is taken, with logs/ and nodes/ in it. Characters of name that do not
 * belong into a file name become '-'. keep: tfl_run_folder_prune spares it for ever. */
int tfl_run_folder_make(
    struct tfl_run_folder *folder, const char *parent, const char *name, bool keep, struct tfl_error *err);
/* The same for a folder that the user names: it must be missing, empty, or the folder of an earlier run, whose content is
 * replaced. TFL_E_USAGE when it holds anything else, TFL_E_STATE when its run is alive. */
int tfl_run_folder_take(struct tfl_run_folder *folder, const char *path, struct tfl_error *err);
/* The folder of many runs, each in a folder of its own within: it must be missing, empty, or of earlier such runs, which stay in
 * it. Its marker is ".tfl-matrix"; errors as above. keep: tfl_run_folder_prune spares it for ever. */
int tfl_matrix_folder_take(struct tfl_run_folder *folder, const char *path, bool keep, struct tfl_error *err);
void tfl_run_folder_done(struct tfl_run_folder *folder); /* lets go of the lock; the folder stays */

/* Removes the oldest run (or matrix) folders in parent but `keep` of them; spares those in use and those to be kept. Returns how many
 * were removed; what cannot be removed is left. */
int tfl_run_folder_prune(const char *parent, int keep);

/* Removes the data of the nodes: everything in nodes/NAME/ but its configuration (*.yaml, *.yml, *.json, *.toml). */
int tfl_run_folder_strip(const char *path, struct tfl_error *err);

#endif
