#include "sched/ready.h"

#include <stddef.h>
#include <utlist.h>

void tfl_ready_put(struct tfl_ready *ready, struct tfl_ready_item *item)
{
    if (item->queued)
        return;
    item->queued = true;
    DL_APPEND(ready->items, item);
}

void tfl_ready_drop(struct tfl_ready *ready, struct tfl_ready_item *item)
{
    if (!item->queued)
        return;
    item->queued = false;
    DL_DELETE(ready->items, item);
}

bool tfl_ready_empty(const struct tfl_ready *ready)
{
    return !ready->items;
}

void tfl_ready_drain(struct tfl_ready *ready, void (*run)(struct tfl_ready_item *, void *), void *arg)
{
    struct tfl_ready_item end = {0};
    DL_APPEND(ready->items, &end);
    while (ready->items != &end) {
        struct tfl_ready_item *item = ready->items;
        tfl_ready_drop(ready, item);
        run(item, arg);
    }
    DL_DELETE(ready->items, &end);
}
