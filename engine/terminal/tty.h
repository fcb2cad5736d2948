#ifndef TFL_TERMINAL_TTY_H
#define TFL_TERMINAL_TTY_H

#include "base/buf.h"
#include "loop/loop.h"

/* The terminal of this process. Whoever opens it may change its modes: they are as they were before when it is closed, when the
 * process exits, and when a fatal signal ends it. One at a time. */
struct tfl_tty {
    struct tfl_loop *loop;
    int fd; /* a description of its own, not blocking, so that nothing changes for others that have the terminal open */
    struct tfl_io io;
    void (*on_input)(struct tfl_tty *tty, const char *data, size_t n); /* n = 0: the terminal is gone */
    struct tfl_buf out;                                                /* what it did not take yet */
    size_t dropped;                                                    /* bytes that found no room there */
    bool gone;
};

/* Takes the terminal behind fd and reads it. err: io. */
int tfl_tty_open(struct tfl_tty *tty, struct tfl_loop *loop, int fd,
    void (*on_input)(struct tfl_tty *tty, const char *data, size_t n), struct tfl_error *err);
/* Writes without blocking: what the terminal does not take at once is kept, up to 4 MiB, and goes out when it does. */
void tfl_tty_write(struct tfl_tty *tty, const char *data, size_t n);
int tfl_tty_columns(const struct tfl_tty *tty);
int tfl_tty_rows(const struct tfl_tty *tty);
void tfl_tty_close(struct tfl_tty *tty);

/* Puts the modes back now, if a terminal is open. Safe in signal handlers and before _exit. */
void tfl_tty_restore(void);

#endif
