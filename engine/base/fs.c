#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int tfl_mkdir_p(const char *path, mode_t mode, struct tfl_error *err)
{
    TFL_FREE char *copy = tfl_strdup(path);
    size_t len = strlen(copy);
    if (len == 0)
        return tfl_fail(err, TFL_E_IO, "cannot make a folder: its path is empty");
    while (len > 1 && copy[len - 1] == '/')
        copy[--len] = '\0'; /* else the folder itself would count as a parent, and not get its mode */
    for (char *p = copy + 1; p[-1]; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char c = *p;
        *p = '\0';
        struct stat st;
        if (mkdir(copy, c ? 0755 : mode) && errno != EEXIST)
            return tfl_fail_errno(err, TFL_E_IO, errno, "cannot make the folder %s", copy);
        if (!c && (stat(copy, &st) || !S_ISDIR(st.st_mode)))
            return tfl_fail(err, TFL_E_IO, "%s is in the way: it is not a folder", copy);
        *p = c;
        if (!c)
            break;
    }
    return 0;
}

static int write_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t w = write(fd, p, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            return -1;
        p += w;
        n -= (size_t)w;
    }
    return 0;
}

/* A pipe or device is written to, not replaced. */
static int write_special(const char *path, const void *data, size_t n, struct tfl_error *err)
{
    TFL_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write_all(fd, data, n))
        return tfl_fail_errno(err, TFL_E_IO, errno, "cannot write %s", path);
    return 0;
}

int tfl_write_file(const char *path, const void *data, size_t n, mode_t mode, struct tfl_error *err)
{
    struct stat st;
    if (!stat(path, &st) && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        return write_special(path, data, n, err);
    TFL_FREE char *tmp = tfl_sprintf("%s.tmp%d", path, (int)getpid());
    int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return tfl_fail_errno(err, TFL_E_IO, errno, "cannot write %s", path);
    int failed = write_all(fd, data, n) ? errno : 0;
    if (close(fd) && !failed)
        failed = errno;
    if (!failed && rename(tmp, path))
        failed = errno;
    if (failed) {
        unlink(tmp);
        return tfl_fail_errno(err, TFL_E_IO, failed, "cannot write %s", path);
    }
    return 0;
}

static int read_all(int fd, const char *path, struct tfl_buf *b, size_t max, struct tfl_error *err)
{
    size_t start = b->len;
    for (;;) {
        tfl_buf_reserve(b, 16384);
        ssize_t r = read(fd, b->data + b->len, 16384);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return tfl_fail_errno(err, TFL_E_IO, errno, "cannot read %s", path);
        b->len += (size_t)r;
        b->data[b->len] = '\0';
        if (b->len - start > max)
            return tfl_fail(err, TFL_E_TOO_LARGE, "%s is larger than %zu bytes", path, max);
        if (r == 0)
            return 0;
    }
}

int tfl_read_file(const char *path, struct tfl_buf *b, size_t max, struct tfl_error *err)
{
    TFL_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return tfl_fail_errno(
            err, errno == ENOENT ? TFL_E_NOT_FOUND : TFL_E_IO, errno, "cannot read %s", path);
    size_t start = b->len;
    if (!read_all(fd, path, b, max, err))
        return 0;
    if (b->data) { /* what was read of it is no use to anybody */
        b->len = start;
        b->data[start] = '\0';
    }
    return -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path) && errno != ENOENT ? -1 : 0;
}

int tfl_remove_tree(const char *path, struct tfl_error *err)
{
    if (nftw(path, remove_one, 32, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) && errno != ENOENT)
        return tfl_fail_errno(err, TFL_E_IO, errno, "cannot remove %s", path);
    return 0;
}

char *tfl_state_folder(const char *name)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME"), *slash = *name ? "/" : "";
    if (state && state[0] == '/') /* the XDG rule: relative ones are ignored */
        return tfl_sprintf("%s/tfl%s%s", state, slash, name);
    if (!home || home[0] != '/') {
        char buffer[4096];
        struct passwd pw, *found = NULL;
        if (getpwuid_r(geteuid(), &pw, buffer, sizeof buffer, &found) || !found || pw.pw_dir[0] != '/')
            return tfl_sprintf("/.local/state/tfl%s%s", slash, name);
        return tfl_sprintf("%s/.local/state/tfl%s%s", pw.pw_dir, slash, name);
    }
    return tfl_sprintf("%s/.local/state/tfl%s%s", home, slash, name);
}
