#include "base/log.h"

#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct tfl_error err;

static void filters_by_level_and_module(void **state)
{
    (void)state;
    assert_int_equal(tfl_log_configure(NULL, &err), 0);
    assert_true(tfl_log_enabled(TFL_LOG_WARN, "feed"));
    assert_false(tfl_log_enabled(TFL_LOG_INFO, "feed"));
    assert_int_equal(tfl_log_configure("warn,feed=debug,net=error", &err), 0);
    assert_true(tfl_log_enabled(TFL_LOG_DEBUG, "feed"));
    assert_false(tfl_log_enabled(TFL_LOG_TRACE, "feed"));
    assert_false(tfl_log_enabled(TFL_LOG_WARN, "net"));
    assert_true(tfl_log_enabled(TFL_LOG_WARN, "proc"));
    assert_int_equal(tfl_log_configure("INFO", &err), 0);
    assert_true(tfl_log_enabled(TFL_LOG_INFO, "feed"));
    assert_int_equal(tfl_log_configure("", &err), 0);
    assert_false(tfl_log_enabled(TFL_LOG_INFO, "feed"));
}

static void bad_filters_are_named(void **state)
{
    (void)state;
    static const char *const bad[] = {"loud", "info,feed=", "feed=loud,info", "info,,warn", "=", "warnx"};
    for (size_t i = 0; i < TFL_LEN(bad); i++) {
        assert_int_equal(tfl_log_configure(bad[i], &err), -1);
        assert_int_equal(err.code, TFL_E_USAGE);
        assert_non_null(strstr(err.msg, bad[i]));
    }
    /* RUST_LOG may hold targets of other programs, and more than we keep */
    assert_int_equal(tfl_log_configure("logos_blockchain_services::cryptarchia::leadership=trace", &err), 0);
    assert_int_equal(
        tfl_log_configure("a=info,a=info,a=info,a=info,a=info,a=info,a=info,a=info,a=info,a=info,"
                          "a=info,a=info,a=info,a=info,a=info,a=info,a=info,a=info,debug",
            &err),
        0);
    assert_true(tfl_log_enabled(TFL_LOG_DEBUG, "feed"));
    assert_int_equal(tfl_log_configure(NULL, &err), 0);
}

/* What fn writes to stderr, as a string (at most size - 1 bytes, below the size of a pipe). */
static void captured(char *out, size_t size, void (*fn)(void))
{
    int fds[2], old = dup(STDERR_FILENO);
    assert_int_equal(pipe(fds), 0);
    assert_true(old >= 0 && dup2(fds[1], STDERR_FILENO) >= 0);
    fn();
    dup2(old, STDERR_FILENO);
    close(old);
    close(fds[1]);
    ssize_t n = read(fds[0], out, size - 1);
    close(fds[0]);
    assert_true(n >= 0);
    out[n] = '\0';
}

static void write_some(void)
{
    TFL_LOG(TFL_LOG_WARN, "feed", "node-%d is behind", 3);
    TFL_LOG(TFL_LOG_DEBUG, "feed", "never seen");
}

static void write_long(void)
{
    char big[5000];
    memset(big, 'y', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    tfl_log_write(TFL_LOG_ERROR, "feed", "%s", big);
}

static void writes_one_line_whatever_its_length(void **state)
{
    (void)state;
    char text[8192];
    captured(text, sizeof text, write_some);
    assert_non_null(strstr(text, " tfl warn  feed: node-3 is behind\n"));
    assert_null(strstr(text, "never"));
    captured(text, sizeof text, write_long);
    size_t n = strlen(text);
    assert_true(n > 1000 && n <= 2048);
    assert_int_equal(text[n - 1], '\n');
    assert_int_equal(text[n - 2], 'y');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_by_level_and_module),
        cmocka_unit_test(bad_filters_are_named),
        cmocka_unit_test(writes_one_line_whatever_its_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
