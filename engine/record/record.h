#ifndef TFL_RECORD_RECORD_H
#define TFL_RECORD_RECORD_H

#include "base/event_sink.h"
#include "record/run_folder.h"

#include <stddef.h>
#include <stdint.h>

/* The evidence of one run: its folder, and events.jsonl in it (see README.md for the lines). Single-threaded; writes are
 * buffered, so tfl_record_flush is to be called often (each 100 ms) and before dangerous moments. */
struct tfl_record;

struct tfl_record_config {
    const char *scenario; /* its name; the folder is SCENARIO-SEED */
    int64_t seed;
    const char *run_id;       /* NULL: made of the folder's name and four random bytes */
    const char *out;          /* a folder named by the user, or NULL: one under tfl_runs_folder() */
    bool keep;                /* never pruned */
    int keep_runs;            /* how many runs stay under tfl_runs_folder(); 0: 20 */
    struct json_object *head; /* more members of the first line, or NULL; borrowed */
    /* The clocks (record has none of its own): monotonic and since the Unix epoch, nanoseconds. */
    int64_t (*now)(void *clock);
    int64_t (*wall)(void *clock);
    void *clock;
};

/* NULL and err when the folder cannot be made or used (TFL_E_USAGE, TFL_E_STATE, TFL_E_IO, TFL_E_NO_SPACE). */
struct tfl_record *tfl_record_open(const struct tfl_record_config *config, struct tfl_error *err);
void tfl_record_free(struct tfl_record *record); /* flushes and lets go of the folder; NULL-safe */

struct tfl_event_sink *tfl_record_sink(struct tfl_record *record);
const char *tfl_record_dir(const struct tfl_record *record);
const char *tfl_record_run_id(const struct tfl_record *record);
/* From now on each event has its slot: floor((wall clock − genesis) ÷ slot); none before genesis. */
void tfl_record_set_genesis(struct tfl_record *record, int64_t genesis_wall_ns, int64_t slot_ns);

/* Writes the buffered lines to the file. What a full disk does not take stays buffered (4 MiB at most, then events are
 * counted and dropped) and is tried again at the next flush. */
void tfl_record_flush(struct tfl_record *record);
bool tfl_record_pending(const struct tfl_record *record); /* is there anything to flush? */
/* Writes a whole file DIR/name (no folders in name). The error is also kept for tfl_record_error. */
int tfl_record_write(
    struct tfl_record *record, const char *name, const void *data, size_t n, struct tfl_error *err);
/* The first failure to write anything, or NULL: the run goes on, but its evidence is incomplete. */
const struct tfl_error *tfl_record_error(const struct tfl_record *record);
/* Removes the data of the nodes, keeps their configuration and logs. */
int tfl_record_strip(struct tfl_record *record, struct tfl_error *err);

#endif
