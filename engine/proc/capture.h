#ifndef TFL_PROC_CAPTURE_H
#define TFL_PROC_CAPTURE_H

#include "base/buf.h"
#include "loop/loop.h"

/* The output of a process: read from a pipe on the loop, appended to a log file that never grows beyond a bound, with
 * the end of it kept in memory for messages. */
enum { TFL_CAPTURE_TAIL = 4096 };

/* The first line of a log whose older lines were thrown away. */
#define TFL_CAPTURE_GONE "tfl: older lines are gone: two files of a log are kept\n"

struct tfl_capture {
    struct tfl_loop *loop;
    struct tfl_io io;
    int pipe; /* our end, or -1 */
    int file; /* or -1: no log wanted, or given up */
    char *path;
    size_t segment_bytes, file_bytes;
    bool line_ended;                               /* the last byte in the file was a newline */
    struct tfl_error err;                          /* the first failure to write the log; err.code 0: none */
    void (*on_error)(struct tfl_capture *capture); /* told once, when err is set; may be NULL */
    size_t tail_len, tail_at;                      /* bytes in the ring, and where the next one goes */
    char tail[TFL_CAPTURE_TAIL];
};

/* Opens the log (appending; path NULL: none) and gives the write end of the pipe in *out, to be closed by the caller
 * after the spawn. When a segment has segment_bytes (0: 32 MiB) and its line is over (or it has twice as much),
 * PATH is renamed to PATH.1 and begun anew: the newest one to two segments are kept. A file begun when an older one had to go
 * begins with TFL_CAPTURE_GONE. A log that cannot be written (disk full) is reported once in err and given up; reading
 * goes on, so that the program never blocks on its output. capture must be zeroed or done; then tfl_capture_done. */
int tfl_capture_start(struct tfl_capture *capture, struct tfl_loop *loop, const char *path,
    size_t segment_bytes, int *out, struct tfl_error *err);
/* Reads what is still in the pipe (bounded) and closes it: call when the process has ended. The tail stays. */
void tfl_capture_end(struct tfl_capture *capture);
void tfl_capture_done(struct tfl_capture *capture);

/* Appends the last complete lines, at most max bytes of them, without the line end; "" stays "". */
void tfl_capture_tail(const struct tfl_capture *capture, struct tfl_buf *b, size_t max);

/* Appends at most max bytes from the end of a log and its older segment. Missing files are empty. */
int tfl_log_tail(const char *path, struct tfl_buf *b, size_t max, struct tfl_error *err);

#endif
