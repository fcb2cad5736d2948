#include "record/event_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct tfl_event_line e;

static bool reads(const char *line)
{
    return tfl_event_line_read(line, strlen(line), &e);
}

static void expect_text(const struct tfl_event_text *t, const char *want)
{
    assert_int_equal(t->len, strlen(want));
    assert_memory_equal(t->data, want, t->len);
}

static void lines_as_the_record_writes_them(void **state)
{
    (void)state;
    assert_true(reads(
        "{\"t\":12.345678,\"type\":\"adopt\",\"node\":\"node-0\",\"slot\":3,\"height\":0,\"id\":\"ab12\"}"));
    expect_text(&e.type, "adopt");
    expect_text(&e.node, "node-0");
    expect_text(&e.id, "ab12");
    expect_text(&e.parent, "");
    assert_true(e.t == 12.345678);
    assert_true(e.slot == 3 && e.height == 0 && e.transactions == 0);
    assert_true(reads("{\"t\":0.000001,\"type\":\"block\",\"node\":\"n\",\"slot\":10,\"height\":9,\"id\":"
                      "\"b\",\"parent\":\"a\","
                      "\"transactions\":1024}"));
    expect_text(&e.parent, "a");
    assert_true(e.t == 0.000001);
    assert_int_equal(e.transactions, 1024);
    assert_true(reads(
        "{\"t\":1.5,\"type\":\"final\",\"node\":\"n\",\"slot\":10,\"height\":9,\"id\":\"b\",\"count\":3}"));
}

static void anything_else_is_for_the_parser(void **state)
{
    (void)state;
    static const char *const other[] = {"", "{}", "{\"t\":1.0}",
        "{\"t\":1.0,\"type\":\"adopt\",\"node\":\"n\",\"slot\":1,\"height\":1,\"id\":\"b\"",
        "{\"t\":1.0,\"type\":\"adopt\",\"node\":\"n\",\"slot\":1,\"height\":1,\"id\":\"b\"}}",
        "{\"t\":1.0,\"type\":\"adopt\",\"node\":\"n\",\"slot\":1,\"height\":1,\"id\":\"b\",\"count\":1}",
        "{\"t\":1.0,\"type\":\"reorg\",\"node\":\"n\",\"slot\":1,\"height\":1,\"id\":\"b\"}",
        "{\"t\":1.0,\"type\":\"adopt\",\"node\":\"n\\u0041\",\"slot\":1,\"height\":1,\"id\":\"b\"}",
        "{\"t\":1.0,\"type\":\"adopt\",\"node\":\"\xc3\xa4\",\"slot\":1,\"height\":1,\"id\":\"b\"}",
        "{\"t\":1.0,\"type\":\"adopt\",\"node\":\"n\",\"slot\":01,\"height\":1,\"id\":\"b\"}",
        "{\"t\":1.0,\"type\":\"adopt\",\"node\":\"n\",\"slot\":-1,\"height\":1,\"id\":\"b\"}",
        "{\"t\":1,\"type\":\"adopt\",\"node\":\"n\",\"slot\":1,\"height\":1,\"id\":\"b\"}",
        "{\"t\":1.,\"type\":\"adopt\",\"node\":\"n\",\"slot\":1,\"height\":1,\"id\":\"b\"}",
        "{\"t\":1.0,\"type\":\"adopt\",\"node\":\"n\",\"slot\":1,\"height\":1234567890123456,\"id\":\"b\"}",
        "{\"t\":123456789.123456789,\"type\":\"adopt\",\"node\":\"n\",\"slot\":1,\"height\":1,\"id\":\"b\"}"};
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        if (reads(other[i]))
            fail_msg("this was read: %s", other[i]);
}

static void no_byte_behind_the_line_is_looked_at(void **state)
{
    (void)state;
    static const char line[] = "{\"t\":12.5,\"type\":\"block\",\"node\":\"n\",\"slot\":10,\"height\":9,"
                               "\"id\":\"b\",\"parent\":\"a\",\"transactions\":7}";
    for (size_t n = 0; n < sizeof line - 1; n++)
        assert_false(tfl_event_line_read(line, n, &e));
    assert_true(tfl_event_line_read(line, sizeof line - 1, &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_as_the_record_writes_them),
        cmocka_unit_test(anything_else_is_for_the_parser),
        cmocka_unit_test(no_byte_behind_the_line_is_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
