#ifndef TFL_RECORD_EVENT_LINE_H
#define TFL_RECORD_EVENT_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A line of events.jsonl about a block of a node, in the very form that the record writes: most lines of a long run, which a reader
 * gets without a JSON parser in a tenth of the time. Texts point into the line. */
struct tfl_event_text {
    const char *data;
    size_t len;
};
struct tfl_event_line {
    struct tfl_event_text type, node, id, parent; /* parent: of a block, else empty */
    double t;
    int64_t slot, height, transactions; /* transactions: of a block, else 0 */
};

/* False: any other line, or one in another form; a JSON parser has the word on it. */
bool tfl_event_line_read(const char *line, size_t n, struct tfl_event_line *out);

#endif
