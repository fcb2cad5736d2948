#ifndef SPEC_LOOP_SUPPORT_H
#define SPEC_LOOP_SUPPORT_H

#include "loop/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A timer and a deferred call that write their letter into one journal. */
struct mark {
    struct tfl_timer timer;
    struct tfl_defer defer;
    char letter;
};
static char journal[64];

static inline void note(char letter)
{
    size_t n = strlen(journal);
    assert_true(n + 1 < sizeof journal);
    journal[n] = letter;
    journal[n + 1] = '\0';
}
static inline void timer_marks(struct tfl_timer *timer)
{
    note(TFL_CONTAINER(timer, struct mark, timer)->letter);
}
static inline void defer_marks(struct tfl_defer *defer)
{
    note(TFL_CONTAINER(defer, struct mark, defer)->letter);
}

#endif
