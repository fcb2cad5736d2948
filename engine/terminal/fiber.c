#include "terminal/fiber.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif

/* AddressSanitizer is told of each change of stacks; without it there is nothing to tell. */
#ifdef WITH_ASAN
#include <sanitizer/common_interface_defs.h>
#define leave_stack(save, bottom, size) __sanitizer_start_switch_fiber(save, bottom, size)
#define enter_stack(saved, bottom, size) __sanitizer_finish_switch_fiber(saved, bottom, size)
#else
#define leave_stack(save, bottom, size) ((void)(save), (void)(bottom), (void)(size))
#define enter_stack(saved, bottom, size) ((void)(saved), (void)(bottom), (void)(size))
#endif

enum { STACK_BYTES = 512 * 1024 };

struct tfl_fiber {
    ucontext_t inside, outside;
    void (*fn)(void *arg);
    void *arg;
    char *stack; /* with a page below it that nobody may touch */
    size_t guard;
    bool over;
    void *fake_inside, *fake_outside;
    const void *outer_bottom;
    size_t outer_size;
};

static struct tfl_fiber *entering; /* makecontext passes ints only */

static void enter(void)
{
    struct tfl_fiber *fiber = entering;
    enter_stack(NULL, &fiber->outer_bottom, &fiber->outer_size);
    fiber->fn(fiber->arg);
    fiber->over = true;
    leave_stack(NULL, fiber->outer_bottom, fiber->outer_size);
    setcontext(&fiber->outside);
}

struct tfl_fiber *tfl_fiber_new(void (*fn)(void *arg), void *arg, struct tfl_error *err)
{
    size_t guard = (size_t)sysconf(_SC_PAGESIZE);
    char *stack = mmap(
        NULL, guard + STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED || mprotect(stack, guard, PROT_NONE)) {
        tfl_fail(err, TFL_E_IO, "no stack of %d kB: %s", STACK_BYTES / 1024, strerror(errno));
        return NULL;
    }
    struct tfl_fiber *fiber = tfl_alloc(sizeof *fiber);
    fiber->fn = fn;
    fiber->arg = arg;
    fiber->stack = stack;
    fiber->guard = guard;
    getcontext(&fiber->inside);
    fiber->inside.uc_stack.ss_sp = stack + guard;
    fiber->inside.uc_stack.ss_size = STACK_BYTES;
    makecontext(&fiber->inside, enter, 0);
    return fiber;
}

/* swapcontext without its wrapper in AddressSanitizer, which would warn of what the annotations here take care of. */
static void change(ucontext_t *from, const ucontext_t *to)
{
    volatile bool back = false;
    getcontext(from);
    if (back)
        return;
    back = true;
    setcontext(to);
}

void tfl_fiber_resume(struct tfl_fiber *fiber)
{
    if (fiber->over)
        return;
    entering = fiber;
    leave_stack(&fiber->fake_outside, fiber->stack + fiber->guard, STACK_BYTES);
    change(&fiber->outside, &fiber->inside);
    enter_stack(fiber->fake_outside, NULL, NULL);
}

void tfl_fiber_yield(struct tfl_fiber *fiber)
{
    leave_stack(&fiber->fake_inside, fiber->outer_bottom, fiber->outer_size);
    change(&fiber->inside, &fiber->outside);
    enter_stack(fiber->fake_inside, &fiber->outer_bottom, &fiber->outer_size);
}

bool tfl_fiber_over(const struct tfl_fiber *fiber)
{
    return fiber->over;
}

void tfl_fiber_free(struct tfl_fiber *fiber)
{
    if (!fiber)
        return;
    munmap(fiber->stack, fiber->guard + STACK_BYTES);
    free(fiber);
}
