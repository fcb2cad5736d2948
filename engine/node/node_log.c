#include "node/node_log.h"

#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_FILE = 64 * 1024 * 1024, MAX_LINE = 2048 };
_Static_assert(MAX_LINE <= PIPE_BUF, "a pipe that polls writable takes a whole line");

struct tfl_node_log {
    struct tfl_loop *loop;
    enum tfl_log_level level;
    int fd;
    bool owned, full;
    size_t written;
    unsigned long lost;
};

struct tfl_node_log *tfl_node_log_open(struct tfl_loop *loop, enum tfl_log_level level, const char *directory,
    const char *prefix, struct tfl_error *err)
{
    int fd = STDOUT_FILENO;
    if (directory) {
        if (tfl_mkdir_p(directory, 0755, err))
            return NULL;
        TFL_FREE char *path = tfl_sprintf("%s/%s", directory, prefix);
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (fd < 0) {
            tfl_fail_errno(err, TFL_E_IO, errno, "cannot write the log %s", path);
            return NULL;
        }
    }
    struct tfl_node_log *log = tfl_alloc(sizeof *log);
    *log = (struct tfl_node_log){.loop = loop, .level = level, .fd = fd, .owned = directory != NULL};
    return log;
}

void tfl_node_log_close(struct tfl_node_log *log)
{
    if (!log)
        return;
    if (log->owned)
        close(log->fd);
    free(log);
}

bool tfl_node_log_enabled(const struct tfl_node_log *log, enum tfl_log_level level)
{
    return level <= log->level;
}

static size_t stamp(struct tfl_node_log *log, enum tfl_log_level level, char *line)
{
    static const char *const names[] = {"ERROR", "WARN ", "INFO ", "DEBUG", "TRACE"};
    int64_t now = tfl_wall_now(log->loop);
    time_t s = (time_t)(now / TFL_S);
    struct tm tm;
    gmtime_r(&s, &tm);
    size_t n = strftime(line, MAX_LINE, "%Y-%m-%dT%H:%M:%S", &tm);
    return n +
           (size_t)snprintf(line + n, MAX_LINE - n, ".%03dZ %s ", (int)(now % TFL_S / TFL_MS), names[level]);
}

static bool write_line(struct tfl_node_log *log, const char *line, size_t n)
{
    struct pollfd p = {.fd = log->fd, .events = POLLOUT};
    if (!log->owned && (poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT)))
        return false;
    ssize_t w = write(log->fd, line, n);
    log->written += w > 0 ? (size_t)w : 0;
    return w == (ssize_t)n;
}

static size_t clip(int n, size_t room)
{
    return n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

void tfl_node_log(struct tfl_node_log *log, enum tfl_log_level level, const char *fmt, ...)
{
    char line[MAX_LINE];
    if (level > log->level || log->full)
        return;
    size_t n = stamp(log, level, line);
    if (log->owned && log->written > MAX_FILE) {
        log->full = true;
        fmt = "the log has reached its bound; nothing more is written";
    }
    if (log->lost) {
        size_t m = n + clip(snprintf(line + n, MAX_LINE - n, "%lu lines of this log were lost\n", log->lost),
                           MAX_LINE - n);
        if (!write_line(log, line, m)) {
            log->lost++;
            return;
        }
        log->lost = 0;
    }
    va_list ap;
    va_start(ap, fmt);
    n += clip(vsnprintf(line + n, MAX_LINE - n - 1, fmt, ap), MAX_LINE - n - 1);
    va_end(ap);
    line[n++] = '\n';
    if (!write_line(log, line, n))
        log->lost++;
}
