// room: terminal
#include "terminal/line_reader.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

struct world {
    struct tfl_line_reader reader;
    bool changed;
};

static void changed(struct tfl_line_reader *reader)
{
    TFL_CONTAINER(reader, struct world, reader)->changed = true;
}

/* The next line as it stands in the input: what is left of data without it, and its length without its end. */
static size_t expected(const char *data, size_t size, size_t *line)
{
    const char *end = memchr(data, '\n', size);
    *line = end ? (size_t)(end - data) : size;
    size_t left = end ? size - *line - 1 : 0;
    if (*line && data[*line - 1] == '\r')
        --*line;
    return left;
}

/* Any bytes, written in pieces whose size the first byte says: the lines are those that stand there, in order, and then the end. */
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    struct tfl_error err;
    struct world w = {.changed = false};
    int fds[2];
    if (size < 1 || size > 4096)
        return 0;
    const char *data = (const char *)input + 1, *piece = data;
    size_t step = (size_t)input[0] + 1, left = size - 1, unsent = left;
    struct tfl_loop *loop = tfl_loop_new(&err);
    TFL_ASSERT(loop && !pipe2(fds, O_CLOEXEC));
    tfl_line_reader_start(&w.reader, loop, fds[0], changed);
    for (bool ended = false; !ended;) {
        size_t n = 0, line = 0;
        w.changed = false;
        tfl_line_reader_want(&w.reader);
        while (!w.changed) {
            if (unsent) {
                size_t now = unsent < step ? unsent : step;
                TFL_ASSERT(write(fds[1], piece, now) == (ssize_t)now);
                piece += now;
                unsent -= now;
            } else if (fds[1] >= 0) {
                close(fds[1]);
                fds[1] = -1;
            }
            tfl_loop_turn(loop, false);
        }
        const char *text = tfl_line_reader_take(&w.reader, &n, &ended);
        TFL_ASSERT(ended == (text == NULL) && ended == (left == 0));
        if (ended)
            break;
        size_t rest = expected(data, left, &line);
        TFL_ASSERT(n == line && memcmp(text, data, n) == 0 && text[n] == '\0');
        data += left - rest;
        left = rest;
    }
    tfl_line_reader_stop(&w.reader);
    close(fds[0]);
    if (fds[1] >= 0)
        close(fds[1]);
    tfl_loop_free(loop);
    return 0;
}
