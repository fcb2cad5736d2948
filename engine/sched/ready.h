#ifndef TFL_SCHED_READY_H
#define TFL_SCHED_READY_H

#include <stdbool.h>
#include <stddef.h>

/* The queue of things to run: callbacks only put items in, one place takes them out. A drain takes a snapshot, so that
 * items made ready while it runs wait for the next turn and no set of tasks can starve the loop. */
struct tfl_ready_item {
    struct tfl_ready_item *prev, *next;
    bool queued;
};
struct tfl_ready {
    struct tfl_ready_item *items;
    size_t n;
    bool draining;
};

/* Once: a queued item stays where it is. */
void tfl_ready_put(struct tfl_ready *ready, struct tfl_ready_item *item);
void tfl_ready_drop(struct tfl_ready *ready, struct tfl_ready_item *item);
bool tfl_ready_empty(const struct tfl_ready *ready);
/* Runs all items queued at the call, in order, for as long as run gives true: what took too long lets the loop have its turn
 * before the next one. run may put and drop any item, but not drain. */
void tfl_ready_drain(struct tfl_ready *ready, bool (*run)(struct tfl_ready_item *item, void *arg), void *arg);

#endif
