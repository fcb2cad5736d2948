#ifndef TFL_PROC_LOCKFILE_H
#define TFL_PROC_LOCKFILE_H

#include "base/error.h"

/* Files that exist only to be locked (flock), and are removed by whoever lets go of them. A lock is free as soon as its
 * process is dead, whether the file is still there or not. */

/* Takes the lock of path, making file and folder (mode 0700) if need be. The folder must belong to this user and be open
 * to nobody else. Returns a descriptor, −1 and TFL_E_STATE when somebody else has the lock, −1 and TFL_E_IO otherwise. */
int tfl_lockfile_take(const char *path, struct tfl_error *err);
/* Removes the file, closes fd, and removes the folder if that leaves it empty. */
void tfl_lockfile_release(const char *path, int fd);
/* Removes the files "*.lock" of a folder whose locks are free, then the folder if empty. */
void tfl_lockfile_sweep(const char *folder);

#endif
