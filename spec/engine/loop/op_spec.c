#include "loop/op.h"
#include "support.h"

static struct tfl_loop *loop;
static const bool never = false;
static int cancels, destroys;

static int setup(void **state)
{
    (void)state;
    journal[0] = '\0';
    cancels = destroys = 0;
    loop = tfl_loop_new_virtual(0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tfl_loop_free(loop);
    return 0;
}

static void on_cancel(struct tfl_op *op)
{
    assert_true(tfl_op_pending(op));
    cancels++;
}

static void on_destroy(struct tfl_op *op)
{
    destroys++;
    free(op);
}

static struct tfl_op *new_op(void (*done)(struct tfl_op *))
{
    struct tfl_op *op = tfl_alloc(sizeof *op);
    tfl_op_init(op, loop, on_cancel, on_destroy);
    op->done = done;
    return op;
}

static void done_marks(struct tfl_op *op)
{
    assert_false(tfl_op_pending(op));
    note(op->failed ? 'F' : 'S');
}

static void done_frees(struct tfl_op *op)
{
    done_marks(op);
    tfl_op_free(op);
}

static void completes_later_and_once(void **state)
{
    (void)state;
    struct tfl_error err = {.code = TFL_E_CONNECT, .msg = "refused"};
    struct tfl_op *op = new_op(done_marks);
    assert_true(tfl_op_pending(op));
    tfl_op_succeed(op);
    assert_string_equal(journal, ""); /* never inside the call */
    tfl_op_fail(op, &err);
    tfl_op_cancel(op);
    tfl_loop_run(loop, &never);
    assert_string_equal(journal, "S");
    assert_false(op->failed);
    tfl_op_succeed(op);
    tfl_op_cancel(op);
    tfl_loop_run(loop, &never);
    assert_string_equal(journal, "S");
    assert_int_equal(cancels, 0);
    tfl_op_free(op);
    assert_int_equal(destroys, 1);
}

static void fails_with_its_error(void **state)
{
    (void)state;
    struct tfl_error err = {.code = TFL_E_CONNECT, .msg = "refused"};
    struct tfl_op *op = new_op(done_marks);
    tfl_op_fail(op, &err);
    strcpy(err.msg, "changed"); /* the op has its own copy */
    tfl_loop_run(loop, &never);
    assert_string_equal(journal, "F");
    assert_string_equal(op->err.msg, "refused");
    assert_int_equal(op->err.code, TFL_E_CONNECT);
    tfl_op_free(op);
}

static void cancelling_lets_go_at_once_and_completes_later(void **state)
{
    (void)state;
    struct tfl_op *op = new_op(done_frees);
    tfl_op_cancel(op);
    assert_int_equal(cancels, 1);
    assert_string_equal(journal, "");
    tfl_op_cancel(op);
    assert_int_equal(cancels, 1);
    assert_int_equal(op->err.code, TFL_E_CANCELLED);
    tfl_loop_run(loop, &never);
    assert_string_equal(journal, "F");
    assert_int_equal(destroys, 1);
}

static void a_freed_op_is_silent_in_every_state(void **state)
{
    (void)state;
    tfl_op_free(NULL);
    tfl_op_free(new_op(done_marks)); /* pending */
    assert_int_equal(cancels, 1);
    struct tfl_op *op = new_op(done_marks); /* finishing */
    tfl_op_succeed(op);
    tfl_op_free(op);
    assert_int_equal(cancels, 1);
    assert_int_equal(destroys, 2);
    tfl_loop_run(loop, &never);
    assert_string_equal(journal, "");
}

static void cancels_itself_again(struct tfl_op *op)
{
    cancels++;
    assert_true(cancels < 5);
    tfl_op_cancel(op);
}

/* An implementor that lets go of its work may so be told "cancelled" by that work, and pass it on. */
static void a_cancel_inside_a_cancel_does_nothing(void **state)
{
    (void)state;
    struct tfl_op *op = tfl_alloc(sizeof *op);
    tfl_op_init(op, loop, cancels_itself_again, on_destroy);
    op->done = done_frees;
    tfl_op_cancel(op);
    assert_int_equal(cancels, 1);
    tfl_loop_run(loop, &never);
    assert_string_equal(journal, "F");
}

static void sleeps_until(void **state)
{
    (void)state;
    struct tfl_op *a = tfl_sleep_until(loop, 2 * TFL_S), *b = tfl_sleep_until(loop, TFL_S);
    struct tfl_op *c = tfl_sleep_until(loop, 3 * TFL_S);
    a->done = b->done = done_marks;
    tfl_op_cancel(b);
    tfl_op_free(c);
    tfl_loop_run(loop, &never);
    assert_string_equal(journal, "FS");
    assert_true(tfl_now(loop) == 2 * TFL_S); /* nothing of b and c was left in the loop */
    tfl_op_free(a);
    tfl_op_free(b);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(completes_later_and_once),
        TEST(fails_with_its_error),
        TEST(cancelling_lets_go_at_once_and_completes_later),
        TEST(a_freed_op_is_silent_in_every_state),
        TEST(a_cancel_inside_a_cancel_does_nothing),
        TEST(sleeps_until),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
