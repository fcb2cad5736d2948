#include "chain/slots.h"

bool tfl_slots_at(const struct tfl_slots *s, int64_t wall_ns, uint64_t *slot)
{
    *slot = 0;
    uint64_t wall_ms = wall_ns < 0 ? 0 : (uint64_t)wall_ns / 1000000;
    if (wall_ns < 0 || wall_ms < s->genesis_time_unix_ms)
        return false;
    *slot = (wall_ms - s->genesis_time_unix_ms) / s->slot_duration_ms;
    return true;
}

int64_t tfl_slots_start_ns(const struct tfl_slots *s, uint64_t slot)
{
    uint64_t ms, ns;
    if (__builtin_mul_overflow(slot, s->slot_duration_ms, &ms) ||
        __builtin_add_overflow(ms, s->genesis_time_unix_ms, &ms) ||
        __builtin_mul_overflow(ms, 1000000, &ns) || ns > INT64_MAX)
        return INT64_MAX;
    return (int64_t)ns;
}
