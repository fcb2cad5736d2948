#ifndef TFL_LOOP_IMPL_H
#define TFL_LOOP_IMPL_H

/* Shared by loop.c (clock, timers, turns) and watch.c (descriptors, processes, signals); nobody else includes it. */
#include "loop/loop.h"

#include <ev.h>

struct tfl_loop {
    struct ev_loop *ev; /* NULL: virtual */
    int timerfd;
    ev_io timer_io;
    int64_t armed; /* deadline the timerfd is set to, TFL_NEVER: none */
    int64_t virtual_now, virtual_wall;
    struct tfl_timer **heap;
    size_t n_timers, cap_timers;
    uint64_t next_seq;
    struct tfl_defer *deferred;
    int n_watchers; /* descriptors and signals */
    int64_t lag;
    bool in_turn;
};

#endif
