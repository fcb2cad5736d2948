#include "proc/procfs.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ENVIRON_MAX = 4 * 1024 * 1024, STAT_MAX = 1024, FIELD_START_TIME = 22 };

/* What follows the program's name, which may hold anything, also ") Z 1": the last ')' ends it. NULL: none such. */
static const char *after_name(pid_t pid, char text[STAT_MAX])
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    TFL_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, STAT_MAX - 1);
    if (n <= 0)
        return NULL;
    text[n] = '\0';
    const char *p = strrchr(text, ')');
    return p && p[1] == ' ' && p[2] ? p + 2 : NULL;
}

static int stat_fields(pid_t pid, char *state, uint64_t *start_time)
{
    char text[STAT_MAX];
    const char *p = after_name(pid, text);
    if (!p)
        return -1;
    *state = *p;
    for (int field = 3; field < FIELD_START_TIME; field++) {
        p = strchr(p, ' ');
        if (!p)
            return -1;
        p++;
    }
    *start_time = strtoull(p, NULL, 10);
    return 0;
}

uint64_t tfl_procfs_start_time(pid_t pid)
{
    char state;
    uint64_t start_time;
    return stat_fields(pid, &state, &start_time) ? 0 : start_time;
}

char tfl_procfs_state(pid_t pid)
{
    char state;
    uint64_t start_time;
    return stat_fields(pid, &state, &start_time) ? 0 : state;
}

bool tfl_procfs_kin(pid_t pid, struct tfl_procfs_kin *kin)
{
    char text[STAT_MAX];
    int parent, group;
    const char *p = after_name(pid, text);
    if (!p || sscanf(p, "%*c %d %d", &parent, &group) != 2)
        return false;
    *kin = (struct tfl_procfs_kin){.pid = pid, .parent = parent, .group = group};
    return true;
}

static bool read_small(const char *path, char text[STAT_MAX])
{
    TFL_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, STAT_MAX - 1);
    text[n > 0 ? n : 0] = '\0';
    return n >= 0;
}

enum { THREADS_MAX = 256 };

static bool add_load(pid_t pid, struct tfl_procfs_load *load, int *left);

static bool add_thread(pid_t pid, long thread, struct tfl_procfs_load *load, int *left)
{
    char path[64], text[STAT_MAX];
    unsigned long long ran, waited;
    snprintf(path, sizeof path, "/proc/%d/task/%ld/schedstat", (int)pid, thread);
    if (!read_small(path, text) || sscanf(text, "%llu %llu", &ran, &waited) != 2)
        return false;
    load->ran_ns += ran;
    load->waited_ns += waited;
    char state = tfl_procfs_state((pid_t)thread);
    load->ready |= state == 'R' || state == 'D';
    snprintf(path, sizeof path, "/proc/%d/task/%ld/children", (int)pid, thread);
    if (read_small(path, text))
        for (char *p = text, *end; (void)(thread = strtol(p, &end, 10)), end != p; p = end)
            add_load((pid_t)thread, load, left);
    return true;
}

static bool add_load(pid_t pid, struct tfl_procfs_load *load, int *left)
{
    char path[64];
    bool told = false;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *dir = opendir(path);
    if (!dir)
        return false;
    for (struct dirent *entry; *left > 0 && (entry = readdir(dir));) {
        char *end;
        long thread = strtol(entry->d_name, &end, 10);
        if (*end || thread <= 0)
            continue;
        --*left;
        told |= add_thread(pid, thread, load, left);
    }
    closedir(dir);
    return told;
}

bool tfl_procfs_load(pid_t pid, struct tfl_procfs_load *load)
{
    int left = THREADS_MAX;
    *load = (struct tfl_procfs_load){0};
    return add_load(pid, load, &left);
}

/* A handle that never means another process. What /proc says of pid after this call is about the process of the handle,
 * or that one has ended and the handle reaches nobody. */
static int pid_handle(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

static void kill_handle(int fd)
{
    syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
}

bool tfl_procfs_kill(pid_t pid, uint64_t start_time)
{
    char state;
    uint64_t seen;
    if (pid <= 1 || !start_time)
        return false;
    TFL_CLOSE int fd = pid_handle(pid);
    if (fd < 0 || stat_fields(pid, &state, &seen) || seen != start_time || state == 'Z' || state == 'X')
        return false;
    kill_handle(fd);
    return true;
}

static bool has_env(pid_t pid, const char *assignment)
{
    char path[64];
    TFL_BUF env = {0};
    snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    if (tfl_read_file(path, &env, ENVIRON_MAX, NULL) && !env.len)
        return false;
    size_t want = strlen(assignment) + 1;
    for (const char *p = env.data, *end = p + env.len; p && p < end;) {
        size_t n = strnlen(p, (size_t)(end - p)) + 1;
        if (n == want && !memcmp(p, assignment, want - 1))
            return true;
        p += n;
    }
    return false;
}

int tfl_procfs_kill_env(const char *assignment)
{
    DIR *dir = opendir("/proc");
    uid_t uid = geteuid();
    int n = 0;
    if (!dir)
        return 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        char *end;
        long pid = strtol(entry->d_name, &end, 10);
        struct stat st;
        if (*end || pid <= 1 || pid == getpid() || fstatat(dirfd(dir), entry->d_name, &st, 0) ||
            st.st_uid != uid)
            continue;
        TFL_CLOSE int fd = pid_handle((pid_t)pid);
        if (fd < 0 || !has_env((pid_t)pid, assignment))
            continue;
        kill_handle(fd);
        n++;
    }
    closedir(dir);
    return n;
}
