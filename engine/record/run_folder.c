#include "record/run_folder.h"

#include "base/buf.h"
#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { NAME_LEN = 80, TRIES = 100000 };

static const char MARKER[] = ".tfl-run", MATRIX[] = ".tfl-matrix", KEEP[] = "keep\n";

char *tfl_runs_folder(void)
{
    return tfl_state_folder("runs");
}

/* The marker gets its name when it is locked already: nobody may take the folder for one of a dead run. */
static int put_marker(struct tfl_run_folder *folder, const char *name, bool keep, struct tfl_error *err)
{
    TFL_FREE char *marker = tfl_sprintf("%s/%s", folder->path, name);
    TFL_FREE char *hidden = tfl_sprintf("%s.new", marker);
    int fd = open(hidden, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    ssize_t want = keep ? (ssize_t)strlen(KEEP) : 0;
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) || (want && write(fd, KEEP, (size_t)want) != want) ||
        rename(hidden, marker)) {
        tfl_fail_errno(err, TFL_E_IO, errno, "cannot make the run folder %s", folder->path);
        if (fd >= 0)
            close(fd);
        unlink(hidden);
        return -1;
    }
    folder->lock = fd;
    return 0;
}

static int furnish(struct tfl_run_folder *folder, bool keep, struct tfl_error *err)
{
    static const char *const rooms[] = {"logs", "nodes"};
    if (put_marker(folder, MARKER, keep, err))
        return -1;
    for (size_t i = 0; i < TFL_LEN(rooms); i++) {
        TFL_FREE char *path = tfl_sprintf("%s/%s", folder->path, rooms[i]);
        if (tfl_mkdir_p(path, 0755, err))
            return -1;
    }
    return 0;
}

static int finish_make(struct tfl_run_folder *folder, bool keep, struct tfl_error *err)
{
    folder->lock = -1;
    if (!furnish(folder, keep, err))
        return 0;
    tfl_run_folder_done(folder);
    return -1;
}

int tfl_run_folder_make(
    struct tfl_run_folder *folder, const char *parent, const char *name, bool keep, struct tfl_error *err)
{
    static const char *const good = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    char clean[NAME_LEN + 1];
    size_t n = 0;
    for (; n < NAME_LEN && name[n]; n++)
        clean[n] = strchr(good, name[n]) && (n || name[n] != '.') ? name[n] : '-';
    clean[n] = '\0';
    if (tfl_mkdir_p(parent, 0755, err))
        return -1;
    for (int i = 1; i < TRIES; i++) {
        char *path = i == 1 ? tfl_sprintf("%s/%s", parent, clean) : tfl_sprintf("%s/%s-%d", parent, clean, i);
        if (!mkdir(path, 0755)) {
            folder->path = path;
            return finish_make(folder, keep, err);
        }
        int errnum = errno;
        if (errnum != EEXIST) {
            tfl_fail_errno(err, TFL_E_IO, errnum, "cannot make the run folder %s", path);
            free(path);
            return -1;
        }
        free(path);
    }
    return tfl_fail(
        err, TFL_E_IO, "cannot make a run folder %s/%s: there are %d already", parent, clean, TRIES);
}

static int open_marker(const char *folder, const char *name)
{
    TFL_FREE char *marker = tfl_sprintf("%s/%s", folder, name);
    return open(marker, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

static bool is_empty(const char *path)
{
    struct dirent **names = NULL;
    int n = scandir(path, &names, NULL, NULL);
    for (int i = 0; i < n; i++)
        free(names[i]);
    free(names);
    return n == 2;
}

/* Removes what is in the folder, not the folder itself: the user may have made it with rights of its own. */
static int empty(const char *path, struct tfl_error *err)
{
    struct dirent **names = NULL;
    int n = scandir(path, &names, NULL, NULL), failed = 0;
    for (int i = 0; i < n; i++) {
        if (!failed && strcmp(names[i]->d_name, ".") && strcmp(names[i]->d_name, "..")) {
            TFL_FREE char *child = tfl_sprintf("%s/%s", path, names[i]->d_name);
            failed = tfl_remove_tree(child, err);
        }
        free(names[i]);
    }
    free(names);
    return failed;
}

/* Makes the folder if need be and sets folder->path. The marker of an earlier one in *marker, locked until it is closed, or −1. */
static int enter(struct tfl_run_folder *folder, const char *path, const char *name, const char *what,
    int *marker, struct tfl_error *err)
{
    if (tfl_mkdir_p(path, 0755, err))
        return -1;
    *marker = open_marker(path, name);
    if (*marker < 0 && !is_empty(path))
        return tfl_fail(
            err, TFL_E_USAGE, "%s holds files that are not of a %s: name an empty or new folder", path, what);
    if (*marker >= 0 && flock(*marker, LOCK_EX | LOCK_NB))
        return tfl_fail(err, TFL_E_STATE, "%s is in use by another %s", path, what);
    folder->path = realpath(path, NULL);
    return folder->path ? 0 : tfl_fail_errno(err, TFL_E_IO, errno, "cannot use the folder %s", path);
}

int tfl_run_folder_take(struct tfl_run_folder *folder, const char *path, struct tfl_error *err)
{
    TFL_CLOSE int marker = -1;
    folder->lock = -1;
    folder->path = NULL;
    if (enter(folder, path, MARKER, "run", &marker, err) || (marker >= 0 && empty(path, err))) {
        tfl_run_folder_done(folder);
        return -1;
    }
    return finish_make(folder, true, err);
}

int tfl_matrix_folder_take(struct tfl_run_folder *folder, const char *path, bool keep, struct tfl_error *err)
{
    TFL_CLOSE int marker = -1;
    folder->lock = -1;
    folder->path = NULL;
    if (!enter(folder, path, MATRIX, "matrix", &marker, err) && !put_marker(folder, MATRIX, keep, err))
        return 0;
    tfl_run_folder_done(folder);
    return -1;
}

void tfl_run_folder_done(struct tfl_run_folder *folder)
{
    if (!folder->path)
        return;
    if (folder->lock >= 0)
        close(folder->lock);
    free(folder->path);
    *folder = (struct tfl_run_folder){.lock = -1};
}

struct old_run {
    char *path;
    int marker;
    struct timespec made;
};

static int newest_first(const void *pa, const void *pb)
{
    const struct old_run *a = pa, *b = pb;
    if (a->made.tv_sec != b->made.tv_sec)
        return a->made.tv_sec < b->made.tv_sec ? 1 : -1;
    if (a->made.tv_nsec != b->made.tv_nsec)
        return a->made.tv_nsec < b->made.tv_nsec ? 1 : -1;
    return strcmp(b->path, a->path);
}

/* One entry of the runs' folder into run: false when it is none of ours, or is to be kept. */
static bool old_run(struct old_run *run, const char *parent, const char *name)
{
    struct stat st;
    if (name[0] == '.')
        return false;
    run->path = tfl_sprintf("%s/%s", parent, name);
    bool folder = !lstat(run->path, &st) && S_ISDIR(st.st_mode);
    run->marker = folder ? open_marker(run->path, MARKER) : -1;
    if (folder && run->marker < 0)
        run->marker = open_marker(run->path, MATRIX);
    if (run->marker >= 0 && !fstat(run->marker, &st) && S_ISREG(st.st_mode) && st.st_size == 0) {
        run->made = st.st_mtim;
        return true;
    }
    if (run->marker >= 0)
        close(run->marker);
    free(run->path);
    return false;
}

int tfl_run_folder_prune(const char *parent, int keep)
{
    struct dirent **names = NULL;
    int n = scandir(parent, &names, NULL, NULL), n_runs = 0, removed = 0;
    if (n < 0)
        return 0;
    struct old_run *runs = tfl_alloc((size_t)n * sizeof *runs);
    for (int i = 0; i < n; i++) {
        if (old_run(&runs[n_runs], parent, names[i]->d_name))
            n_runs++;
        free(names[i]);
    }
    free(names);
    qsort(runs, (size_t)n_runs, sizeof *runs, newest_first);
    for (int i = 0; i < n_runs; i++) {
        if (i >= keep && !flock(runs[i].marker, LOCK_EX | LOCK_NB) && !tfl_remove_tree(runs[i].path, NULL))
            removed++;
        close(runs[i].marker);
        free(runs[i].path);
    }
    free(runs);
    return removed;
}

static bool is_config(const char *name)
{
    static const char *const kept[] = {".yaml", ".yml", ".json", ".toml"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < TFL_LEN(kept); i++)
        if (!strcmp(dot, kept[i]))
            return true;
    return false;
}

static int strip_node(const char *path, struct tfl_error *err)
{
    struct dirent **names = NULL;
    int n = scandir(path, &names, NULL, NULL), failed = 0;
    for (int i = 0; i < n; i++) {
        const char *name = names[i]->d_name;
        TFL_FREE char *child = tfl_sprintf("%s/%s", path, name);
        struct stat st;
        bool spare = !strcmp(name, ".") || !strcmp(name, "..") || lstat(child, &st) ||
                     (S_ISREG(st.st_mode) && is_config(name));
        if (!spare && tfl_remove_tree(child, err))
            failed = -1;
        free(names[i]);
    }
    free(names);
    return failed;
}

int tfl_run_folder_strip(const char *path, struct tfl_error *err)
{
    struct dirent **names = NULL;
    TFL_FREE char *nodes = tfl_sprintf("%s/nodes", path);
    int n = scandir(nodes, &names, NULL, NULL), failed = 0;
    for (int i = 0; i < n; i++) {
        TFL_FREE char *node = tfl_sprintf("%s/%s", nodes, names[i]->d_name);
        if (names[i]->d_name[0] != '.' && strip_node(node, err))
            failed = -1;
        free(names[i]);
    }
    free(names);
    return failed;
}
