#include "proc/lockfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TRIES = 20 };

/* In /tmp anybody may have made the folder before us: then it is of no use, and says so. */
static int own_folder(const char *folder, struct tfl_error *err)
{
    struct stat st;
    if (mkdir(folder, 0700) && errno != EEXIST)
        return tfl_fail_errno(err, TFL_E_IO, errno, "cannot make the folder %s", folder);
    if (lstat(folder, &st))
        return errno == ENOENT ? 0
                               : tfl_fail_errno(err, TFL_E_IO, errno, "cannot look at the folder %s", folder);
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077))
        return tfl_fail(err, TFL_E_IO,
            "%s must be a folder of this user with mode 700: remove it, or set XDG_RUNTIME_DIR", folder);
    return 0;
}

static bool same_file(int fd, const char *path)
{
    struct stat opened, named;
    return !fstat(fd, &opened) && !stat(path, &named) && opened.st_ino == named.st_ino &&
           opened.st_dev == named.st_dev;
}

int tfl_lockfile_take(const char *path, struct tfl_error *err)
{
    TFL_FREE char *copy = tfl_strdup(path);
    const char *folder = dirname(copy);
    for (int i = 0; i < TRIES; i++) { /* file or folder may be removed by its last owner in any instant */
        if (own_folder(folder, err))
            return -1;
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0 && errno == ENOENT)
            continue;
        if (fd < 0)
            return tfl_fail_errno(err, TFL_E_IO, errno, "cannot make the lock file %s", path);
        int errnum = flock(fd, LOCK_EX | LOCK_NB) ? errno : 0;
        if (!errnum && same_file(fd, path))
            return fd;
        close(fd);
        if (errnum == EWOULDBLOCK)
            return tfl_fail(err, TFL_E_STATE, "%s is locked by another process", path);
        if (errnum)
            return tfl_fail_errno(err, TFL_E_IO, errnum, "cannot lock %s", path);
    }
    return tfl_fail(err, TFL_E_IO, "cannot lock %s: it keeps being removed", path);
}

void tfl_lockfile_release(const char *path, int fd)
{
    TFL_FREE char *copy = tfl_strdup(path);
    unlink(path); /* while it is locked: nobody can have taken it in between */
    close(fd);
    rmdir(dirname(copy));
}

void tfl_lockfile_sweep(const char *folder)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return;
    for (struct dirent *entry; (entry = readdir(dir));) {
        size_t n = strlen(entry->d_name);
        if (n <= 5 || strcmp(entry->d_name + n - 5, ".lock"))
            continue;
        TFL_FREE char *path = tfl_sprintf("%s/%s", folder, entry->d_name);
        TFL_CLOSE int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        if (fd >= 0 && !flock(fd, LOCK_EX | LOCK_NB) && same_file(fd, path))
            unlink(path);
    }
    closedir(dir);
    rmdir(folder);
}
