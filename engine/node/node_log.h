#ifndef TFL_NODE_NODE_LOG_H
#define TFL_NODE_NODE_LOG_H

#include "base/log.h"
#include "loop/loop.h"

/* The node's log: a line for each event, "2026-01-01T00:00:00.000Z INFO  text", written at once with one write(2). Nothing
 * here blocks: a line that a pipe has no room for is counted and lost, and the next line that fits says how many were. A
 * file stops growing at 64 MiB, and says so. */
struct tfl_node_log;

/* To directory/prefix (appended; the folder is made), or to standard output when directory is NULL. */
struct tfl_node_log *tfl_node_log_open(struct tfl_loop *loop, enum tfl_log_level level, const char *directory,
    const char *prefix, struct tfl_error *err);
void tfl_node_log_close(struct tfl_node_log *log); /* NULL-safe */
bool tfl_node_log_enabled(const struct tfl_node_log *log, enum tfl_log_level level);
void tfl_node_log(struct tfl_node_log *log, enum tfl_log_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
