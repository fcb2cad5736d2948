#include "proc/holder.h"

#include "base/error.h"
#include "proc/procfs.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool holds(pid_t pid, uint64_t inode)
{
    char text[64], want[64];
    bool found = false;
    snprintf(text, sizeof text, "/proc/%d/fd", (int)pid);
    DIR *dir = opendir(text);
    if (!dir)
        return false;
    int len = snprintf(want, sizeof want, "socket:[%llu]", (unsigned long long)inode);
    for (struct dirent *entry; !found && (entry = readdir(dir));) {
        ssize_t n = readlinkat(dirfd(dir), entry->d_name, text, sizeof text);
        found = n == len && !memcmp(text, want, (size_t)n);
    }
    closedir(dir);
    return found;
}

static int by_pid(const void *a, const void *b)
{
    pid_t x = ((const struct tfl_procfs_kin *)a)->pid, y = ((const struct tfl_procfs_kin *)b)->pid;
    return (x > y) - (x < y);
}

/* Every process of this host. Owned by the caller. */
static struct tfl_procfs_kin *all_processes(size_t *n)
{
    struct tfl_procfs_kin *all = NULL;
    size_t cap = 0;
    DIR *dir = opendir("/proc");
    *n = 0;
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char *end;
        long pid = strtol(entry->d_name, &end, 10);
        if (*end || pid <= 1)
            continue;
        if (*n == cap) {
            cap = cap ? 2 * cap : 256;
            all = tfl_realloc(all, cap * sizeof *all);
        }
        *n += tfl_procfs_kin((pid_t)pid, &all[*n]);
    }
    if (dir)
        closedir(dir);
    if (*n)
        qsort(all, *n, sizeof *all, by_pid);
    return all;
}

/* The place of the process that this one is of the group of, or descends from; n: none. Pids may be reused while all were
 * read, so the way up is bounded. */
static size_t elder(const struct tfl_process_id *ids, size_t n, const struct tfl_procfs_kin *all,
    size_t n_all, const struct tfl_procfs_kin *kin)
{
    for (size_t up = 0; kin && up < n_all; up++) {
        for (size_t i = 0; i < n; i++)
            if (ids[i].pid && (kin->pid == ids[i].pid || kin->group == ids[i].pid))
                return i;
        struct tfl_procfs_kin parent = {.pid = kin->parent};
        kin = bsearch(&parent, all, n_all, sizeof *all, by_pid);
    }
    return n;
}

size_t tfl_socket_holder(const struct tfl_process_id *ids, size_t n, uint64_t inode)
{
    struct tfl_process_id *alive = tfl_alloc((n + 1) * sizeof *alive);
    size_t found = n, n_all = 0;
    for (size_t i = 0; i < n; i++)
        if (ids[i].pid > 1 && ids[i].start_time && tfl_procfs_start_time(ids[i].pid) == ids[i].start_time)
            alive[i] = ids[i];
    for (size_t i = 0; i < n && found == n; i++)
        if (alive[i].pid && holds(alive[i].pid, inode))
            found = i;
    struct tfl_procfs_kin *all = found == n ? all_processes(&n_all) : NULL;
    for (size_t k = 0; k < n_all && found == n; k++) {
        size_t i = elder(alive, n, all, n_all, &all[k]);
        if (i < n && all[k].pid != alive[i].pid && holds(all[k].pid, inode))
            found = i;
    }
    free(all);
    free(alive);
    return found;
}
