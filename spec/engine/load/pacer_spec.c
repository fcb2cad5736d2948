#include "load/pacer.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define S INT64_C(1000000000)

static struct tfl_pacer p;

static void make(const struct tfl_stage *stages, size_t n)
{
    struct tfl_error err = {0};
    if (tfl_pacer_init(&p, stages, n, &err))
        fail_msg("%s", err.msg);
}

static void a_constant_rate_has_even_times(void **state)
{
    (void)state;
    make(&(struct tfl_stage){30 * S, 50, 50}, 1);
    assert_int_equal(p.total, 1500);
    for (uint64_t i = 0; i < p.total; i++)
        assert_int_equal(tfl_pacer_at(&p, i), (int64_t)i * S / 50);
    tfl_pacer_done(&p);
    /* rates that no binary fraction holds: neither one more nor one less, nor any drift */
    make(&(struct tfl_stage){3600 * S, 333.3, 333.3}, 1);
    assert_int_equal(p.total, 1199880);
    assert_int_equal(tfl_pacer_at(&p, 1199879), llround(1199879 / 333.3 * 1e9));
    tfl_pacer_done(&p);
}

static void a_ramp_follows_its_integral(void **state)
{
    (void)state;
    const struct tfl_stage stages[] = {{10 * S, 0, 100}, {20 * S, 100, 100}, {10 * S, 100, 0}};
    make(stages, 3);
    assert_int_equal(p.total, 500 + 2000 + 500);
    assert_int_equal(tfl_pacer_at(&p, 0), 0);
    assert_int_equal(tfl_pacer_at(&p, 125), 5 * S); /* 100/10 t²/2 = 125 */
    assert_int_equal(tfl_pacer_at(&p, 500), 10 * S);
    assert_int_equal(tfl_pacer_at(&p, 1500), 20 * S);
    assert_int_equal(tfl_pacer_at(&p, 2500), 30 * S);
    assert_int_equal(tfl_pacer_at(&p, 2875), 35 * S); /* 3/4 of the last ramp lie in its first half */
    int64_t last = -1;
    for (uint64_t i = 0; i < p.total; i++) {
        int64_t at = tfl_pacer_at(&p, i);
        assert_true(at >= last && at <= 40 * S);
        last = at;
    }
    tfl_pacer_done(&p);
}

static void stages_of_nothing_stay_empty(void **state)
{
    (void)state;
    const struct tfl_stage stages[] = {{S, 0, 0}, {S, 0.1 * 500, 50}, {10 * S, 0, 0}, {S, 50, 50}, {S, 0, 0}};
    make(stages, 5);
    assert_int_equal(p.total, 100);
    assert_int_equal(tfl_pacer_at(&p, 0), S);
    assert_int_equal(tfl_pacer_at(&p, 49), S + 49 * S / 50);
    assert_int_equal(tfl_pacer_at(&p, 50), 12 * S);
    assert_int_equal(tfl_pacer_at(&p, 99), 12 * S + 49 * S / 50);
    tfl_pacer_done(&p);
}

static void due_is_the_inverse(void **state)
{
    (void)state;
    const struct tfl_stage stages[] = {{3 * S, 7, 90}, {2 * S, 90, 13}};
    make(stages, 2);
    assert_int_equal(tfl_pacer_due(&p, -1), 0);
    assert_int_equal(tfl_pacer_due(&p, 0), 1);
    for (uint64_t i = 1; i < p.total; i++) {
        assert_int_equal(tfl_pacer_due(&p, tfl_pacer_at(&p, i)), i + 1);
        assert_int_equal(tfl_pacer_due(&p, tfl_pacer_at(&p, i) - 1), i);
    }
    assert_int_equal(tfl_pacer_due(&p, 60 * S), p.total);
    tfl_pacer_done(&p);
}

static void an_endless_stage_goes_on(void **state)
{
    (void)state;
    const struct tfl_stage stages[] = {{S, 0, 10}, {TFL_PACER_ENDLESS, 10, 10}};
    make(stages, 2);
    assert_true(p.total == UINT64_MAX && p.end_ns == TFL_PACER_ENDLESS);
    assert_int_equal(tfl_pacer_at(&p, 5), S);
    assert_int_equal(tfl_pacer_at(&p, 1000000005), S + S / 10 * 1000000000);
    assert_int_equal(tfl_pacer_due(&p, 11 * S), 106);
    tfl_pacer_done(&p);
}

static void refuse(struct tfl_stage a, struct tfl_stage b, size_t n, const char *why)
{
    struct tfl_error err = {0};
    const struct tfl_stage stages[] = {a, b};
    assert_int_equal(tfl_pacer_init(&p, stages, n, &err), -1);
    assert_int_equal(err.code, TFL_E_USAGE);
    if (!strstr(err.msg, why))
        fail_msg("\"%s\" does not say \"%s\"", err.msg, why);
    assert_null(p.stages);
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    struct tfl_stage good = {S, 1, 1};
    refuse(good, good, 0, "0 stages");
    refuse((struct tfl_stage){0, 1, 1}, good, 1, "stage 1: its duration");
    refuse(good, (struct tfl_stage){S, -1, 1}, 2, "stage 2: a rate of -1");
    refuse(good, (struct tfl_stage){S, NAN, 1}, 2, "stage 2: a rate");
    refuse(good, (struct tfl_stage){S, 1, 2e7}, 2, "expected numbers of 0 to 1e+07");
    refuse((struct tfl_stage){TFL_PACER_ENDLESS, 1, 1}, good, 2, "only the last");
    refuse(good, (struct tfl_stage){TFL_PACER_ENDLESS, 1, 2}, 2, "at one rate");
    refuse(good, (struct tfl_stage){TFL_PACER_ENDLESS, 0, 0}, 2, "a rate of 0 without an end");
    refuse((struct tfl_stage){S, 0, 0}, good, 1, "no arrival at all");
    refuse((struct tfl_stage){200000 * S, 1e7, 1e7}, good, 1, "at most");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_constant_rate_has_even_times),
        cmocka_unit_test(a_ramp_follows_its_integral),
        cmocka_unit_test(stages_of_nothing_stay_empty),
        cmocka_unit_test(due_is_the_inverse),
        cmocka_unit_test(an_endless_stage_goes_on),
        cmocka_unit_test(what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests_name("load.pacer", tests, NULL, NULL);
}
