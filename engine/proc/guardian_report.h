#ifndef TFL_PROC_GUARDIAN_REPORT_H
#define TFL_PROC_GUARDIAN_REPORT_H

#include "loop/loop.h"

#include <json-c/json.h>
#include <sys/types.h>

/* What a guardian leaves in the run's folder when tfl cannot: lines at the end of events.jsonl, and summary.json when
 * there is none. Failures are ignored: nobody is left to tell. */
enum tfl_guardian_end { TFL_END_HOGGED, TFL_END_INTERRUPTED, TFL_END_KILLED };

void tfl_guardian_report_silence(struct tfl_loop *loop, const char *run_dir, int silent_ms);
void tfl_guardian_report_end(
    struct tfl_loop *loop, const char *run_dir, enum tfl_guardian_end end, pid_t tfl_pid);
void tfl_guardian_report_undone(
    struct tfl_loop *loop, const char *run_dir, struct json_object *report, const struct tfl_error *err);

#endif
