/* A function that is left in the middle and gone on with. */
#include "terminal/fiber.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct story {
    struct tfl_fiber *fiber;
    int steps;
};

static void tell(void *arg)
{
    struct story *s = arg;
    char kept[4096];
    for (int i = 0; i < 3; i++) {
        memset(kept, 'a' + i, sizeof kept);
        s->steps++;
        tfl_fiber_yield(s->fiber);
        assert_int_equal(kept[sizeof kept - 1], 'a' + i);
    }
}

static void test_goes_on_where_it_was_left(void **state)
{
    struct tfl_error err;
    struct story s = {.steps = 0}, other = {.steps = 0};
    (void)state;
    assert_non_null(s.fiber = tfl_fiber_new(tell, &s, &err));
    assert_non_null(other.fiber = tfl_fiber_new(tell, &other, &err));
    assert_int_equal(s.steps, 0);
    for (int i = 1; i <= 3; i++) {
        tfl_fiber_resume(s.fiber);
        assert_int_equal(s.steps, i);
        tfl_fiber_resume(other.fiber);
        assert_false(tfl_fiber_over(s.fiber));
    }
    tfl_fiber_resume(s.fiber);
    assert_true(tfl_fiber_over(s.fiber));
    assert_false(tfl_fiber_over(other.fiber));
    tfl_fiber_resume(s.fiber);
    assert_int_equal(s.steps, 3);
    tfl_fiber_free(s.fiber);
    tfl_fiber_free(other.fiber); /* in the middle */
    tfl_fiber_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_goes_on_where_it_was_left)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
