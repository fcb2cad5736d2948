#include "base/log.h"

#include "base/error.h"

#include <json-c/json.h>
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

static void write_secret(void)
{
    tfl_log_write(TFL_LOG_ERROR, "net", "asks \"http://me:secret@host/\"\n");
}

static void tells_no_secrets(void **state)
{
    (void)state;
    char text[8192];
    captured(text, sizeof text, write_secret);
    assert_non_null(strstr(text, "asks \"http://*@host/\""));
}

static void writes_json_when_asked_to(void **state)
{
    (void)state;
    char text[8192];
    assert_int_equal(tfl_log_format("xml", &err), -1);
    assert_non_null(strstr(err.msg, "xml"));
    assert_int_equal(tfl_log_format("json", &err), 0);
    captured(text, sizeof text, write_secret);
    struct json_object *line = json_tokener_parse(text), *value;
    assert_non_null(line);
    assert_true(json_object_object_get_ex(line, "message", &value));
    assert_string_equal(json_object_get_string(value), "asks \"http://*@host/\"\n");
    assert_true(json_object_object_get_ex(line, "level", &value));
    assert_string_equal(json_object_get_string(value), "error");
    assert_true(json_object_object_get_ex(line, "module", &value));
    assert_string_equal(json_object_get_string(value), "net");
    assert_true(json_object_object_get_ex(line, "time", &value));
    assert_int_equal(strlen(json_object_get_string(value)), strlen("2026-11-28T20:00:00.000Z"));
    json_object_put(line);
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    captured(text, sizeof text, write_long);
    line = json_tokener_parse(text);
    assert_non_null(line);
    json_object_put(line);
    assert_int_equal(tfl_log_format("text", &err), 0);
    assert_int_equal(tfl_log_format(NULL, &err), 0);
}

static void keep(void *arg, const char *line, size_t n)
{
    char *kept = arg;
    assert_true(n < 100);
    memcpy(kept, line, n);
    kept[n] = '\0';
}

static void write_elsewhere(void)
{
    char kept[100] = "";
    tfl_log_to(keep, kept);
    tfl_log_write(TFL_LOG_WARN, "feed", "kept");
    assert_non_null(strstr(kept, " tfl warn  feed: kept\n"));
    tfl_log_to(NULL, NULL);
    tfl_log_write(TFL_LOG_WARN, "feed", "to stderr");
    assert_null(strstr(kept, "stderr"));
}

static void goes_where_it_is_sent(void **state)
{
    (void)state;
    char text[8192];
    captured(text, sizeof text, write_elsewhere);
    assert_null(strstr(text, "kept"));
    assert_non_null(strstr(text, "to stderr\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_by_level_and_module),
        cmocka_unit_test(bad_filters_are_named),
        cmocka_unit_test(writes_one_line_whatever_its_length),
        cmocka_unit_test(tells_no_secrets),
        cmocka_unit_test(writes_json_when_asked_to),
        cmocka_unit_test(goes_where_it_is_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
