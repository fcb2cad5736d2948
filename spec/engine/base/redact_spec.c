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
    static const char *const cases[] = {"http://me:secret@host", "://node_key:/&me@host", "token=*"};
    for (size_t i = 0; i < TFL_LEN(cases); i++) {
        TFL_FREE char *text = tfl_strdup(cases[i]);
        size_t n = tfl_redact(text, strlen(text));
        assert_int_equal(tfl_redact(text, n), n);
    }
}

static void what_the_name_of_a_secret_has_goes(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {"password=hunter2 next", "password=* next"},
        {"Authorization: Bearer abc.def, and more", "Authorization: Bearer *, and more"},
        {"authorization: Basic bWU6c2VjcmV0", "authorization: Basic *"},
        {"authorization: s3cr3t", "authorization: *"}, {"with Bearer abc.def-ghi", "with Bearer *"},
        {"the bearer of news", "the bearer of news"}, {"GET /x?token=abc&n=2", "GET /x?token=*&n=2"},
        {"ACCESS_TOKEN=abc accessToken=abc api-key: abc", "ACCESS_TOKEN=* accessToken=* api-key: *"},
        {"{\"token\":\"a b\\\"c\",\"n\":1}", "{\"token\":\"*\",\"n\":1}"},
        {"{\"said\":\"{\\\"token\\\":\\\"a b\\\"}\"}", "{\"said\":\"{\\\"token\\\":\\\"*\\\"}\"}"},
        {"{\"said\":\"password=ab\\nc\"}", "{\"said\":\"password=*\\nc\"}"},
        {"{\"token\":5,\"secret\":null,\"said\":\"token:\",\"x\":1}",
            "{\"token\":5,\"secret\":null,\"said\":\"token:\",\"x\":1}"},
        {"password=\"a b\" secret: 'a b'", "password=\"*\" secret: '*'"},
        {"node_key: Key(abc), (secret_key: Key(\"abc\"))", "node_key: *), (secret_key: *\"))"},
        {"tokens=5, token: , mytoken=5, password=", "tokens=5, token: , mytoken=5, password="},
        {"http://me:token=x@host token=y", "http://*@host token=*"},
        {"://node_key:/&me@host", "://*@host"}, /* the byte that goes first ended the URL's user */
    };
    for (size_t i = 0; i < TFL_LEN(cases); i++) {
        TFL_FREE char *text = tfl_strdup(cases[i].text);
        text[tfl_redact(text, strlen(text))] = '\0';
        assert_string_equal(text, cases[i].wanted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(users_and_passwords_of_urls_go),
        cmocka_unit_test(what_the_name_of_a_secret_has_goes),
        cmocka_unit_test(once_is_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
