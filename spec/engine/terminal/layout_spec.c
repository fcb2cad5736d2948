/* Where the cursor is in what libedit has drawn. */
#include "terminal/layout.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int rows(const wchar_t *text, int columns)
{
    return tfl_layout_rows(text, wcslen(text), columns);
}

static void test_a_row_that_is_full_begins_the_next(void **state)
{
    (void)state;
    assert_int_equal(rows(L"", 10), 0);
    assert_int_equal(rows(L"123456789", 10), 0);
    assert_int_equal(rows(L"1234567890", 10), 1);
    assert_int_equal(rows(L"12345678901234567890123", 10), 2);
}

static void test_wide_characters_do_not_straddle(void **state)
{
    (void)state;
    assert_int_equal(rows(L"ä123456789", 10), 1);
    assert_int_equal(rows(L"日本語日", 10), 0);
    assert_int_equal(rows(L"日本語日本", 10), 1);
    assert_int_equal(rows(L"1日本語日本", 10), 1);
    assert_int_equal(rows(L"1日本語日本語日本日", 10), 2);  /* 9 and no room, then 10 */
    assert_int_equal(rows(L"e\u0301e\u0301e\u0301", 4), 0); /* combining marks take no cell */
}

static void test_control_characters(void **state)
{
    (void)state;
    assert_int_equal(rows(L"\001\001\001\001", 10), 0); /* ^A^A^A^A */
    assert_int_equal(rows(L"\001\001\001\001\001", 10), 1);
    assert_int_equal(rows(L"\t", 10), 0);
    assert_int_equal(rows(L"\t\t", 16), 1);
    assert_int_equal(rows(L"a\nb\nc", 10), 2);
    assert_int_equal(rows(L"12345678901\n1", 10), 2);
}

static void test_a_terminal_of_no_width(void **state)
{
    (void)state;
    assert_int_equal(rows(L"1234", 0), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_row_that_is_full_begins_the_next),
        cmocka_unit_test(test_wide_characters_do_not_straddle), cmocka_unit_test(test_control_characters),
        cmocka_unit_test(test_a_terminal_of_no_width)};
    setlocale(LC_CTYPE, "C.UTF-8");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
