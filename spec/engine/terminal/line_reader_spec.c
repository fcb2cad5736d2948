/* Lines of a pipe, one when it is asked for. */
#include "terminal/line_reader.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
    struct tfl_loop *loop;
    struct tfl_line_reader reader;
    int fds[2], changes;
};

static void changed(struct tfl_line_reader *reader)
{
    TFL_CONTAINER(reader, struct world, reader)->changes++;
}

static int setup(void **state)
{
    struct tfl_error err;
    struct world *w = calloc(1, sizeof *w);
    if (!w || !(w->loop = tfl_loop_new(&err)) || pipe2(w->fds, O_CLOEXEC))
        return -1;
    tfl_line_reader_start(&w->reader, w->loop, w->fds[0], changed);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    tfl_line_reader_stop(&w->reader);
    close(w->fds[0]);
    if (w->fds[1] >= 0)
        close(w->fds[1]);
    tfl_loop_free(w->loop);
    free(w);
    return 0;
}

static void send(struct world *w, const char *text)
{
    assert_int_equal(write(w->fds[1], text, strlen(text)), strlen(text));
}

/* Asks for a line and waits for it. */
static const char *next(struct world *w)
{
    size_t n = 0;
    bool ended = false;
    const char *line;
    int before = w->changes;
    tfl_line_reader_want(&w->reader);
    assert_int_equal(w->changes, before);
    while (w->changes == before)
        tfl_loop_turn(w->loop, true);
    line = tfl_line_reader_take(&w->reader, &n, &ended);
    assert_int_equal(line == NULL, ended);
    assert_true(!line || strlen(line) == n);
    return line;
}

static void test_lines(void **state)
{
    struct world *w = *state;
    send(w, "one\n\ntwo\r\nth");
    assert_string_equal(next(w), "one");
    assert_string_equal(next(w), "");
    assert_string_equal(next(w), "two");
    tfl_line_reader_want(&w->reader);
    for (int i = 0; i < 3; i++)
        tfl_loop_turn(w->loop, false);
    size_t n;
    bool ended;
    assert_null(tfl_line_reader_take(&w->reader, &n, &ended));
    assert_false(ended);
    send(w, "ree\nlast");
    while (w->changes < 4)
        tfl_loop_turn(w->loop, true);
    assert_string_equal(tfl_line_reader_take(&w->reader, &n, &ended), "three");
    close(w->fds[1]);
    w->fds[1] = -1;
    assert_string_equal(next(w), "last");
    assert_null(next(w));
    assert_null(next(w));
}

static void test_a_line_that_is_too_long_is_the_end(void **state)
{
    struct world *w = *state;
    char block[4096];
    memset(block, 'x', sizeof block);
    tfl_line_reader_want(&w->reader);
    for (size_t sent = 0; sent <= TFL_LINE_MAX + sizeof block && !w->changes; sent += sizeof block) {
        assert_int_equal(write(w->fds[1], block, sizeof block), sizeof block);
        tfl_loop_turn(w->loop, true);
        tfl_loop_turn(w->loop, false);
    }
    assert_int_equal(w->changes, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_line_that_is_too_long_is_the_end, setup, teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
