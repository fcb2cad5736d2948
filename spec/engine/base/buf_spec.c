#include "base/buf.h"

#include "base/bytes.h"
#include "base/error.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void grows_and_stays_terminated(void **state)
{
    (void)state;
    TFL_BUF b = {0};
    tfl_buf_clear(&b);
    tfl_buf_eat(&b, 0);
    assert_int_equal(b.len, 0);
    for (int i = 0; i < 1000; i++)
        tfl_buf_addf(&b, "%03d,", i);
    assert_int_equal(b.len, 4000);
    assert_int_equal(strlen(b.data), 4000);
    assert_memory_equal(b.data, "000,001,", 8);
    tfl_buf_eat(&b, 3996);
    assert_string_equal(b.data, "999,");
    tfl_buf_add(&b, "\0x", 2);
    assert_int_equal(b.len, 6);
    assert_int_equal(b.data[6], '\0');
    tfl_buf_clear(&b);
    assert_string_equal(b.data, "");
    tfl_buf_done(&b);
    assert_null(b.data);
    tfl_buf_done(NULL);
}

static void empty_adds_give_an_empty_string(void **state)
{
    (void)state;
    TFL_BUF b = {0};
    tfl_buf_add(&b, NULL, 0);
    assert_string_equal(b.data, "");
    assert_int_equal(b.len, 0);
}

/* A size nobody has memory for must end the program, not loop for ever on a capacity that wrapped to zero. */
static void absurd_sizes_abort(void **state)
{
    (void)state;
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 100, SIZE_MAX / 2 + 10};
    for (size_t i = 0; i < TFL_LEN(sizes); i++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            struct tfl_buf b = {0};
            signal(SIGABRT, SIG_DFL);
            close(STDERR_FILENO);
            alarm(5);
            tfl_buf_adds(&b, "x");
            tfl_buf_reserve(&b, sizes[i]);
            _exit(0);
        }
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
        assert_false(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM);
    }
}

static void hex_goes_both_ways(void **state)
{
    (void)state;
    uint8_t bytes[4] = {0x00, 0x9f, 0xa0, 0xff}, back[4] = {0};
    char text[9];
    assert_string_equal(tfl_hex(text, bytes, 4), "009fa0ff");
    assert_true(tfl_unhex(back, 4, "009FA0fF", 8));
    assert_memory_equal(back, bytes, 4);
    assert_string_equal(tfl_hex(text, bytes, 0), "");
}

static void unhex_refuses_all_else(void **state)
{
    (void)state;
    uint8_t out[2];
    static const char *const bad[] = {
        "009", "00 9", "0x9f", "009g", "00:9", "00-1", "00/1", "00@a", "00`a", "00G0"};
    for (size_t i = 0; i < TFL_LEN(bad); i++)
        assert_false(tfl_unhex(out, 2, bad[i], strlen(bad[i])));
    assert_false(tfl_unhex(out, 2, "009f00", 6));
    assert_false(tfl_unhex(out, 2, "", 0));
    assert_true(tfl_unhex(out, 0, "", 0));
}

static void reads_what_was_put(void **state)
{
    (void)state;
    TFL_BUF b = {0};
    tfl_buf_add_le(&b, 0x0123456789abcdefULL, 8);
    tfl_buf_add_le(&b, 0xfffe, 2);
    tfl_buf_add(&b, "abc", 3);
    assert_int_equal((uint8_t)b.data[0], 0xef);
    struct tfl_reader r = {.p = (const uint8_t *)b.data, .left = b.len};
    assert_true(tfl_read_le(&r, 8) == 0x0123456789abcdefULL);
    assert_int_equal(tfl_read_le(&r, 2), 0xfffe);
    assert_memory_equal(tfl_read_bytes(&r, 3), "abc", 3);
    assert_int_equal(r.left, 0);
    assert_false(r.failed);
    assert_non_null(tfl_read_bytes(&r, 0));
}

static void every_read_after_a_short_one_fails(void **state)
{
    (void)state;
    uint8_t bytes[3] = {1, 2, 3}, out[2] = {9, 9};
    struct tfl_reader r = {.p = bytes, .left = sizeof bytes};
    assert_int_equal(tfl_read_le(&r, 4), 0);
    assert_true(r.failed);
    assert_null(tfl_read_bytes(&r, 1));
    tfl_read_into(&r, out, 2);
    assert_int_equal(out[0] | out[1], 0);
    assert_int_equal(tfl_read_le(&r, 1), 0);
}

static void bytes_are_counted(void **state)
{
    (void)state;
    struct tfl_bytes *b = tfl_bytes_new("hello", 5);
    assert_string_equal((const char *)b->data, "hello");
    assert_ptr_equal(tfl_bytes_ref(b), b);
    tfl_bytes_unref(b);
    assert_int_equal(b->len, 5);
    tfl_bytes_unref(b);
    tfl_bytes_unref(NULL);
    b = tfl_bytes_new(NULL, 0);
    assert_int_equal(b->len, 0);
    tfl_bytes_unref(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_and_stays_terminated),
        cmocka_unit_test(empty_adds_give_an_empty_string),
        cmocka_unit_test(absurd_sizes_abort),
        cmocka_unit_test(hex_goes_both_ways),
        cmocka_unit_test(unhex_refuses_all_else),
        cmocka_unit_test(reads_what_was_put),
        cmocka_unit_test(every_read_after_a_short_one_fails),
        cmocka_unit_test(bytes_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
