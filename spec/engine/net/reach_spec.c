#include "net/reach.h"

#include "net/sock.h"
#include "support.h"

static void ended(struct tfl_op *op)
{
    *(bool *)op->owner = true;
}

static void refuse(struct tfl_listener *l, int fd, const struct tfl_addr *from)
{
    (void)l;
    (void)from;
    close(fd);
}

/* Waits for somebody to accept at addr; gives the op, which is over. */
static struct tfl_op *reach(struct tfl_loop *loop, const struct tfl_addr *addr, int64_t ms)
{
    bool over = false;
    struct tfl_op *op = tfl_reach(loop, addr, ms);
    op->owner = &over;
    op->done = ended;
    while (!over)
        tfl_loop_turn(loop, true);
    return op;
}

static void tells_whether_somebody_accepts(void **state)
{
    (void)state;
    struct tfl_loop *loop = tfl_loop_new(NULL);
    struct tfl_listener listener = {0};
    struct tfl_addr addr;
    assert_int_equal(tfl_addr_make(&addr, "127.0.0.1", 0, NULL), 0);
    assert_int_equal(tfl_listener_start(loop, &listener, &addr, refuse, NULL), 0);
    struct tfl_op *op = reach(loop, &listener.addr, 5000);
    assert_false(op->failed);
    tfl_op_free(op);
    addr = listener.addr;
    tfl_listener_stop(&listener);
    op = reach(loop, &addr, 120);
    assert_true(op->failed);
    assert_int_equal(op->err.code, TFL_E_TIMEOUT);
    assert_non_null(strstr(op->err.msg, "nobody accepts a connection on 127.0.0.1:"));
    assert_non_null(strstr(op->err.msg, "refused"));
    tfl_op_free(op);
    op = tfl_reach(loop, &addr, 10000); /* given up at once */
    tfl_op_free(op);
    tfl_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tells_whether_somebody_accepts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
