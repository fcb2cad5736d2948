#include "sched/ready.h"

#include "base/error.h"

#include <utlist.h>

void tfl_ready_put(struct tfl_ready *ready, struct tfl_ready_item *item)
{
    if (item->queued)
        return;
    item->queued = true;
    ready->n++;
    DL_APPEND(ready->items, item);
}

void tfl_ready_drop(struct tfl_ready *ready, struct tfl_ready_item *item)
{
    if (!item->queued)
        return;
    item->queued = false;
    ready->n--;
    DL_DELETE(ready->items, item);
}

bool tfl_ready_empty(const struct tfl_ready *ready)
{
    return ready->n == 0;
}

void tfl_ready_drain(struct tfl_ready *ready, bool (*run)(struct tfl_ready_item *, void *), void *arg)
{
    struct tfl_ready_item end = {0}; /* what is put meanwhile goes behind it */
    TFL_ASSERT(!ready->draining);
    ready->draining = true;
    DL_APPEND(ready->items, &end);
    for (struct tfl_ready_item *item; (item = ready->items) != &end;) {
        TFL_ASSERT(item);
        tfl_ready_drop(ready, item);
        if (!run(item, arg))
            break;
    }
    DL_DELETE(ready->items, &end);
    ready->draining = false;
}
