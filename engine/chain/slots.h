#ifndef TFL_CHAIN_SLOTS_H
#define TFL_CHAIN_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#define TFL_SLOT_MS_MIN 50
#define TFL_SLOT_MS_MAX 3600000

/* The slot clock: slot n is [genesis + n * duration, genesis + (n + 1) * duration). Times are unix wall time. */
struct tfl_slots {
    uint64_t genesis_time_unix_ms;
    uint64_t slot_duration_ms; /* TFL_SLOT_MS_MIN to TFL_SLOT_MS_MAX */
};

/* False before genesis (and *slot is 0), else true and the slot of that time. */
bool tfl_slots_at(const struct tfl_slots *s, int64_t wall_ns, uint64_t *slot);
/* When a slot starts, unix ns; INT64_MAX when that is beyond what fits. */
int64_t tfl_slots_start_ns(const struct tfl_slots *s, uint64_t slot);

#endif
