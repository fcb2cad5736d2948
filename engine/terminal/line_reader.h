#ifndef TFL_TERMINAL_LINE_READER_H
#define TFL_TERMINAL_LINE_READER_H

#include "base/buf.h"
#include "loop/loop.h"

/* Lines of a file or pipe, read when they are asked for: nothing of it is lost to whoever reads on. Zeroed before its start. */
struct tfl_line_reader {
    struct tfl_loop *loop;
    int fd;
    void (*changed)(struct tfl_line_reader *reader); /* a line, or the end, can be taken */
    struct tfl_io io;
    struct tfl_defer look;
    struct tfl_buf in, taken;
    bool ended, wanted;
};

enum { TFL_LINE_MAX = 1 << 20 }; /* a longer line is the end, too: what follows it cannot be trusted */

void tfl_line_reader_start(struct tfl_line_reader *reader, struct tfl_loop *loop, int fd,
    void (*changed)(struct tfl_line_reader *reader));
void tfl_line_reader_stop(struct tfl_line_reader *reader);
/* Asks for a line: changed is called once it can be taken, never now. */
void tfl_line_reader_want(struct tfl_line_reader *reader);
/* The next line without its end, valid until the next call; NULL when there is none yet, or (*ended) none will come. */
const char *tfl_line_reader_take(struct tfl_line_reader *reader, size_t *n, bool *ended);

#endif
