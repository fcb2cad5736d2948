#ifndef TFL_BASE_EVENT_SINK_H
#define TFL_BASE_EVENT_SINK_H

#include <json-c/json.h>
#include <stdio.h>

/* How lower rooms tell what happened without knowing who writes it down: record implements a sink, nobody includes
 * record. A NULL sink drops events. */
struct tfl_event_sink {
    /* Takes ownership of fields (a JSON object with the event's own members, or NULL). Must not call back into the
     * caller, block or fail: an implementation keeps its own error. */
    void (*emit)(struct tfl_event_sink *sink, const char *type, struct json_object *fields);
};

static inline void tfl_emit(struct tfl_event_sink *sink, const char *type, struct json_object *fields)
{
    if (sink)
        sink->emit(sink, type, fields);
    else
        json_object_put(fields);
}

/* Seconds as events have them: to the microsecond, and not 0.0078146180000000006. */
static inline struct json_object *tfl_event_seconds(double seconds)
{
    char text[64];
    snprintf(text, sizeof text, "%.6f", seconds);
    return json_object_new_double_s(seconds, text);
}

#endif
