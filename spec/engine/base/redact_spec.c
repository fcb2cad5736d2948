#include "base/redact.h"

#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void users_and_passwords_of_urls_go(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {"http://me:secret@host:9090/x", "http://*@host:9090/x"},
        {"at http://me@host, and https://a:b@c?d", "at http://*@host, and https://*@c?d"},
        {"http://me:p@ss@host/a@b", "http://*@host/a@b"},
        {"{\"url\":\"http:\\/\\/me:secret@host\\/x\"}", "{\"url\":\"http:\\/\\/*@host\\/x\"}"},
        {"http://host/a@b http://host:80 a@b c:d@e", "http://host/a@b http://host:80 a@b c:d@e"},
        {"http://@host", "http://@host"},
        {"://", "://"},
        {"http:/", "http:/"},
        {"http:\\/\\", "http:\\/\\"},
        {"", ""},
        {":", ":"},
        {"http://me:secret\"@host", "http://me:secret\"@host"},
        {"http://a:b@", "http://*@"},
    };
    for (size_t i = 0; i < TFL_LEN(cases); i++) {
        TFL_FREE char *text = tfl_strdup(cases[i].text);
        size_t n = tfl_redact(text, strlen(text));
        assert_int_equal(n, strlen(cases[i].wanted));
        assert_memory_equal(text, cases[i].wanted, n);
    }
}

static void once_is_enough(void **state)
{
    (void)state;
    char text[] = "http://me:secret@host";
    size_t n = tfl_redact(text, strlen(text));
    assert_int_equal(tfl_redact(text, n), n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(users_and_passwords_of_urls_go),
        cmocka_unit_test(once_is_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
