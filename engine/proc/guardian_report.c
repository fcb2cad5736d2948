#include "proc/guardian_report.h"

#include "base/buf.h"
#include "base/event_sink.h"
#include "base/fs.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The first line of events.jsonl (see engine/record/README.md), or NULL; owned by the caller. */
static struct json_object *head_of(const char *path)
{
    char line[4096];
    TFL_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof line - 1);
    if (n <= 0)
        return NULL;
    line[n] = '\0';
    line[strcspn(line, "\n")] = '\0';
    struct json_object *head = json_tokener_parse(line);
    if (json_object_is_type(head, json_type_object))
        return head;
    json_object_put(head);
    return NULL;
}

/* Takes fields. A tfl killed in mid-write leaves half a line: the new one starts on a line of its own. */
static void append(struct tfl_loop *loop, const char *run_dir, const char *type, struct json_object *fields)
{
    TFL_FREE char *path = tfl_sprintf("%s/events.jsonl", run_dir);
    struct json_object *head = head_of(path), *started, *line = json_object_new_object();
    TFL_CLOSE int fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
    TFL_BUF text = {0};
    struct stat st;
    char last = '\n';
    if (fd >= 0 && !fstat(fd, &st) && st.st_size > 0 && pread(fd, &last, 1, st.st_size - 1) == 1 &&
        last != '\n')
        tfl_buf_adds(&text, "\n");
    if (head && json_object_object_get_ex(head, "started_unix_ms", &started)) {
        int64_t ms = tfl_wall_now(loop) / TFL_MS - json_object_get_int64(started);
        json_object_object_add(line, "t", tfl_event_seconds((double)ms / 1000));
    }
    json_object_object_add(line, "type", json_object_new_string(type));
    json_object_object_foreach(fields, key, value)
    {
        json_object_object_add(line, key, json_object_get(value));
    }
    tfl_buf_addf(&text, "%s\n",
        json_object_to_json_string_ext(line, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    if (fd >= 0 && write(fd, text.data, text.len) < 0)
        fputs("tfl: the guardian cannot write events.jsonl\n", stderr);
    json_object_put(line);
    json_object_put(fields);
    json_object_put(head);
}

void tfl_guardian_report_silence(struct tfl_loop *loop, const char *run_dir, int silent_ms)
{
    struct json_object *fields = json_object_new_object();
    json_object_object_add(fields, "silent_s", tfl_event_seconds(silent_ms / 1000.0));
    append(loop, run_dir, "heartbeat_lost", fields);
}

static const struct {
    const char *verdict, *code, *message;
    int exit_code;
} ends[] = {
    [TFL_END_HOGGED] = {"usage", "script_hog",
        "the script did not give the loop back for 10s (a long C call such as string.find, or a busy loop): "
        "the "
        "guardian ended the run",
        2},
    [TFL_END_INTERRUPTED] = {"interrupted", "interrupted",
        "tfl was interrupted twice and left at once: the guardian cleaned up", 130},
    [TFL_END_KILLED] = {"infra", "tfl_killed",
        "tfl ended in mid-run without a goodbye (killed, crashed or out of memory): the guardian cleaned up",
        3},
};

void tfl_guardian_report_end(
    struct tfl_loop *loop, const char *run_dir, enum tfl_guardian_end end, pid_t tfl_pid)
{
    struct json_object *fields = json_object_new_object();
    json_object_object_add(fields, "code", json_object_new_string(ends[end].code));
    json_object_object_add(fields, "pid", json_object_new_int64(tfl_pid));
    append(loop, run_dir, "tfl_gone", fields);

    TFL_FREE char *path = tfl_sprintf("%s/summary.json", run_dir);
    TFL_FREE char *events = tfl_sprintf("%s/events.jsonl", run_dir);
    if (!access(path, F_OK))
        return;
    struct json_object *summary = head_of(events), *error = json_object_new_object();
    if (!summary)
        summary = json_object_new_object();
    json_object_object_add(summary, "version", json_object_new_int(1));
    json_object_object_add(summary, "verdict", json_object_new_string(ends[end].verdict));
    json_object_object_add(summary, "exit_code", json_object_new_int(ends[end].exit_code));
    json_object_object_add(error, "code", json_object_new_string(ends[end].code));
    json_object_object_add(error, "message", json_object_new_string(ends[end].message));
    json_object_object_add(summary, "error", error);
    const char *text = json_object_to_json_string_ext(summary, JSON_C_TO_STRING_PRETTY);
    tfl_write_file(path, text, strlen(text), 0644, NULL);
    json_object_put(summary);
}

void tfl_guardian_report_undone(
    struct tfl_loop *loop, const char *run_dir, struct json_object *report, const struct tfl_error *err)
{
    struct json_object *fields = json_object_new_object();
    json_object_object_add(fields, "undone", json_object_get(report));
    if (err)
        json_object_object_add(fields, "error", json_object_new_string(err->msg));
    append(loop, run_dir, "guardian_undo", fields);
}
