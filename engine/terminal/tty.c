#include "terminal/tty.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum { OUT_MAX = 4 << 20, READ_SIZE = 4096 };

static const int fatal_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

/* The terminal that is open: what a signal handler can reach. */
static struct {
    volatile sig_atomic_t fd; /* -1: none */
    struct termios modes;
    struct sigaction before[TFL_LEN(fatal_signals)];
    bool at_exit;
} open_tty = {.fd = -1};

void tfl_tty_restore(void)
{
    int saved = errno;
    if (open_tty.fd >= 0)
        tcsetattr(open_tty.fd, TCSANOW, &open_tty.modes);
    errno = saved;
}

/* Puts the modes back and lets whoever was there before deal with the signal, which comes again when this returns. */
static void on_fatal(int signum)
{
    tfl_tty_restore();
    for (size_t i = 0; i < TFL_LEN(fatal_signals); i++)
        if (fatal_signals[i] == signum)
            sigaction(signum, &open_tty.before[i], NULL);
    raise(signum);
}

static void guard_modes(int fd)
{
    struct sigaction action = {.sa_handler = on_fatal};
    sigemptyset(&action.sa_mask);
    open_tty.fd = fd;
    if (!open_tty.at_exit)
        open_tty.at_exit = !atexit(tfl_tty_restore);
    for (size_t i = 0; i < TFL_LEN(fatal_signals); i++)
        sigaction(fatal_signals[i], &action, &open_tty.before[i]);
}

static void on_io(struct tfl_io *io, int events);

static void listen_to(struct tfl_tty *tty)
{
    struct tfl_error err;
    int events = TFL_READ | (tty->out.len ? TFL_WRITE : 0);
    if (!tty->gone)
        tty->gone = tfl_io_start(tty->loop, &tty->io, tty->fd, events, on_io, &err) != 0;
}

/* Gives the terminal what it takes now. */
static void flush(struct tfl_tty *tty)
{
    while (tty->out.len) {
        ssize_t n = write(tty->fd, tty->out.data, tty->out.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN)
            tfl_buf_clear(&tty->out); /* nobody can read it any more */
        if (n <= 0)
            break;
        tfl_buf_eat(&tty->out, (size_t)n);
    }
    if (tty->out.len == 0 && tty->dropped) {
        tfl_buf_addf(&tty->out, "\r\n… %zu bytes of output were dropped: the terminal did not take them\r\n",
            tty->dropped);
        tty->dropped = 0;
    }
}

static void on_io(struct tfl_io *io, int events)
{
    struct tfl_tty *tty = TFL_CONTAINER(io, struct tfl_tty, io);
    char data[READ_SIZE];
    if (events & TFL_WRITE) {
        flush(tty);
        listen_to(tty);
    }
    if (!(events & TFL_READ))
        return;
    ssize_t n = read(tty->fd, data, sizeof data);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) { /* hung up; in raw mode no key gives an end of file */
        tty->gone = true;
        tfl_io_stop(tty->loop, &tty->io);
        n = 0;
    }
    tty->on_input(tty, data, (size_t)n);
}

int tfl_tty_open(struct tfl_tty *tty, struct tfl_loop *loop, int fd,
    void (*on_input)(struct tfl_tty *tty, const char *data, size_t n), struct tfl_error *err)
{
    char path[64];
    TFL_ASSERT(open_tty.fd < 0);
    *tty = (struct tfl_tty){.loop = loop, .fd = -1, .on_input = on_input};
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd); /* in a container its name may lead nowhere */
    tty->fd = open(path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (tty->fd < 0) /* after su it is another user's */
        tty->fd = open("/dev/tty", O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (tty->fd < 0)
        return tfl_fail_errno(err, TFL_E_IO, errno, "the terminal cannot be opened");
    if (tcgetattr(tty->fd, &open_tty.modes)) {
        int code = tfl_fail_errno(err, TFL_E_IO, errno, "the modes of the terminal cannot be read");
        close(tty->fd);
        return code;
    }
    if (tfl_io_start(loop, &tty->io, tty->fd, TFL_READ, on_io, err)) {
        close(tty->fd);
        return -1;
    }
    guard_modes(tty->fd);
    return 0;
}

void tfl_tty_write(struct tfl_tty *tty, const char *data, size_t n)
{
    bool waiting = tty->out.len > 0;
    if (tty->gone)
        return;
    if (tty->out.len + n > OUT_MAX) {
        tty->dropped += n;
        return;
    }
    tfl_buf_add(&tty->out, data, n);
    flush(tty);
    if (waiting != (tty->out.len > 0))
        listen_to(tty);
}

static struct winsize size_of(const struct tfl_tty *tty)
{
    struct winsize size = {0};
    if (ioctl(tty->fd, TIOCGWINSZ, &size) || size.ws_col == 0 || size.ws_row == 0)
        size = (struct winsize){.ws_col = 80, .ws_row = 24};
    return size;
}

int tfl_tty_columns(const struct tfl_tty *tty)
{
    return size_of(tty).ws_col;
}

int tfl_tty_rows(const struct tfl_tty *tty)
{
    return size_of(tty).ws_row;
}

void tfl_tty_close(struct tfl_tty *tty)
{
    if (tty->fd < 0)
        return;
    flush(tty);
    tfl_io_stop(tty->loop, &tty->io);
    tfl_tty_restore();
    for (size_t i = 0; i < TFL_LEN(fatal_signals); i++)
        sigaction(fatal_signals[i], &open_tty.before[i], NULL);
    open_tty.fd = -1;
    close(tty->fd);
    tty->fd = -1;
    tfl_buf_done(&tty->out);
}
