#include "sched/ready.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct job {
    struct tfl_ready_item item; /* first: an item is its job */
    char letter;
    void (*act)(struct job *job);
    bool long_one; /* the loop is to have its turn after it */
};

static struct tfl_ready ready;
static struct job a, b, c;
static char journal[32];

static int setup(void **state)
{
    (void)state;
    ready = (struct tfl_ready){0};
    a = (struct job){.letter = 'a'};
    b = (struct job){.letter = 'b'};
    c = (struct job){.letter = 'c'};
    journal[0] = '\0';
    return 0;
}

static bool run(struct tfl_ready_item *item, void *arg)
{
    struct job *job = (struct job *)item;
    size_t n = strlen(journal);
    assert_ptr_equal(arg, &ready);
    assert_false(item->queued);
    journal[n] = job->letter;
    journal[n + 1] = '\0';
    if (job->act)
        job->act(job);
    return !job->long_one;
}

static void drain(void)
{
    tfl_ready_drain(&ready, run, &ready);
}

static void runs_each_once_in_order(void **state)
{
    (void)state;
    drain();
    assert_true(tfl_ready_empty(&ready));
    tfl_ready_put(&ready, &b.item);
    tfl_ready_put(&ready, &a.item);
    tfl_ready_put(&ready, &b.item);
    assert_false(tfl_ready_empty(&ready));
    drain();
    assert_string_equal(journal, "ba");
    assert_true(tfl_ready_empty(&ready));
}

static void the_rest_waits_after_a_long_one(void **state)
{
    (void)state;
    a.long_one = true;
    tfl_ready_put(&ready, &a.item);
    tfl_ready_put(&ready, &b.item);
    drain();
    assert_string_equal(journal, "a");
    assert_false(tfl_ready_empty(&ready));
    drain();
    assert_string_equal(journal, "ab");
}

static void puts_itself(struct job *job)
{
    tfl_ready_put(&ready, &job->item);
    tfl_ready_put(&ready, &c.item);
}

static void what_is_put_meanwhile_waits(void **state)
{
    (void)state;
    a.act = puts_itself;
    tfl_ready_put(&ready, &a.item);
    tfl_ready_put(&ready, &b.item);
    drain();
    assert_string_equal(journal, "ab");
    a.act = NULL;
    drain();
    assert_string_equal(journal, "abac");
}

static void drops_b(struct job *job)
{
    (void)job;
    tfl_ready_drop(&ready, &b.item);
    tfl_ready_drop(&ready, &b.item);
}

static void what_is_dropped_does_not_run(void **state)
{
    (void)state;
    a.act = drops_b;
    tfl_ready_put(&ready, &a.item);
    tfl_ready_put(&ready, &b.item);
    tfl_ready_put(&ready, &c.item);
    drain();
    assert_string_equal(journal, "ac");
    assert_false(b.item.queued);
}

static void sees_empty(struct job *job)
{
    journal[strlen(journal)] = tfl_ready_empty(&ready) ? 'e' : 'n';
    (void)job;
}

/* Code that runs in a drain asks too: the drain's own bookkeeping is no work. */
static void empty_is_right_inside_a_drain(void **state)
{
    (void)state;
    memset(journal, 0, sizeof journal);
    a.act = b.act = sees_empty;
    tfl_ready_put(&ready, &a.item);
    tfl_ready_put(&ready, &b.item);
    drain();
    assert_string_equal(journal, "anbe");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(runs_each_once_in_order, setup),
        cmocka_unit_test_setup(the_rest_waits_after_a_long_one, setup),
        cmocka_unit_test_setup(what_is_put_meanwhile_waits, setup),
        cmocka_unit_test_setup(what_is_dropped_does_not_run, setup),
        cmocka_unit_test_setup(empty_is_right_inside_a_drain, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
