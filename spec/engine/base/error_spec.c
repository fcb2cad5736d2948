#include "base/error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void every_code_has_a_string_and_a_class(void **state)
{
    (void)state;
    static const enum tfl_code all[] = {
#define X(id, string, class) TFL_E_##id,
        TFL_CODES(X)
#undef X
    };
    for (size_t i = 0; i < TFL_LEN(all); i++) {
        assert_true(strlen(tfl_code_string(all[i])) > 0);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(tfl_code_string(all[i]), tfl_code_string(all[j]));
    }
    assert_string_equal(tfl_code_string(TFL_OK), "ok");
    assert_int_equal(tfl_code_class(TFL_E_HOG), TFL_USAGE);
    assert_int_equal(tfl_code_class(TFL_E_NO_SPACE), TFL_INFRA);
    assert_string_equal(tfl_code_string((enum tfl_code)9999), "internal");
}

static void failing_fills_and_wrapping_puts_context_before(void **state)
{
    (void)state;
    struct tfl_error err = {.node = "node-9"};
    assert_int_equal(tfl_fail(&err, TFL_E_CONNECT, "port %d", 7), -1);
    assert_int_equal(err.code, TFL_E_CONNECT);
    assert_string_equal(err.msg, "port 7");
    assert_string_equal(err.node, "");
    strcpy(err.node, "node-2");
    assert_int_equal(tfl_wrap(&err, "node-%d", 2), -1);
    assert_string_equal(err.msg, "node-2: port 7");
    assert_string_equal(err.node, "node-2");
    assert_int_equal(err.code, TFL_E_CONNECT);
    assert_int_equal(tfl_fail(NULL, TFL_E_IO, "x"), -1);
    assert_int_equal(tfl_wrap(NULL, "x"), -1);
}

static void a_full_disk_is_told_apart(void **state)
{
    (void)state;
    struct tfl_error err;
    tfl_fail_errno(&err, TFL_E_IO, EACCES, "cannot write %s", "/x");
    assert_int_equal(err.code, TFL_E_IO);
    assert_string_equal(err.msg, "cannot write /x: Permission denied");
    tfl_fail_errno(&err, TFL_E_IO, ENOSPC, "cannot write");
    assert_int_equal(err.code, TFL_E_NO_SPACE);
    tfl_fail_errno(&err, TFL_E_IO, EDQUOT, "cannot write");
    assert_int_equal(err.code, TFL_E_NO_SPACE);
}

static void long_messages_are_cut_not_overrun(void **state)
{
    (void)state;
    struct tfl_error err;
    char big[5000];
    memset(big, 'a', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    tfl_fail_errno(&err, TFL_E_IO, EIO, "%s", big);
    assert_int_equal(strlen(err.msg), sizeof err.msg - 1);
    tfl_wrap(&err, "%s", big);
    assert_int_equal(strlen(err.msg), sizeof err.msg - 1);
}

static void memory_is_zeroed_and_copied(void **state)
{
    (void)state;
    TFL_FREE char *none = tfl_alloc(0);
    assert_non_null(none);
    TFL_FREE char *zeros = tfl_alloc(16);
    for (int i = 0; i < 16; i++)
        assert_int_equal(zeros[i], 0);
    TFL_FREE char *part = tfl_strndup("hello", 3);
    assert_string_equal(part, "hel");
    TFL_FREE char *text = tfl_sprintf("%s-%d", part, 4);
    assert_string_equal(text, "hel-4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_a_string_and_a_class),
        cmocka_unit_test(failing_fills_and_wrapping_puts_context_before),
        cmocka_unit_test(a_full_disk_is_told_apart),
        cmocka_unit_test(long_messages_are_cut_not_overrun),
        cmocka_unit_test(memory_is_zeroed_and_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
