#ifndef TFL_BASE_FS_H
#define TFL_BASE_FS_H

#include "base/buf.h"
#include "base/error.h"

#include <sys/types.h>

/* Files and folders. All paths are NUL-terminated; errors name the path. */
/* Makes the folder with this mode (less the umask) and what is missing above it with 0755; one that is there is fine. */
int tfl_mkdir_p(const char *path, mode_t mode, struct tfl_error *err);
/* Writes the whole file under a temporary name beside it, then renames it into place (pipes and devices are written to). */
int tfl_write_file(const char *path, const void *data, size_t n, mode_t mode, struct tfl_error *err);
/* Reads a file of at most max bytes into b (appends; nothing on failure); larger is TFL_E_TOO_LARGE. */
int tfl_read_file(const char *path, struct tfl_buf *b, size_t max, struct tfl_error *err);
/* Removes a file or a folder with all in it, following no symbolic link; what is not there is no error. */
int tfl_remove_tree(const char *path, struct tfl_error *err);

/* $XDG_STATE_HOME/tfl/NAME, default ~/.local/state/tfl/NAME; name "" is tfl's folder itself. Makes nothing. Owned by the caller. */
char *tfl_state_folder(const char *name);

#endif
