#include "record/record.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/redact.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum { FLUSH_AT = 64 * 1024, BUFFER_MAX = 4 * 1024 * 1024, EVENT_MAX = 1024 * 1024, KEEP_RUNS = 20 };
#define SECOND_NS 1000000000.0

struct tfl_record {
    struct tfl_event_sink sink;
    struct tfl_run_folder folder;
    char *run_id;
    int fd;
    struct tfl_buf buffer;
    size_t lost; /* events dropped since the buffer was full */
    struct tfl_error err;
    int64_t started, genesis, slot_ns; /* slot_ns 0: no genesis yet */
    int64_t (*now)(void *);
    int64_t (*wall)(void *);
    void *clock;
};

static void keep_error(struct tfl_record *record, const struct tfl_error *err)
{
    if (!record->err.code)
        record->err = *err;
}

/* Appends one line: fields' own t and slot (when the event happened) win over those of now. */
static void add_line(struct tfl_record *record, const char *type, struct json_object *fields)
{
    TFL_BUF line = {0};
    struct json_object *name = json_object_new_string(type);
    int64_t since = record->wall(record->clock) - record->genesis;
    tfl_buf_adds(&line, "{");
    if (!json_object_object_get_ex(fields, "t", NULL))
        tfl_buf_addf(
            &line, "\"t\":%.6f,", (double)(record->now(record->clock) - record->started) / SECOND_NS);
    if (record->slot_ns && since >= 0 && !json_object_object_get_ex(fields, "slot", NULL))
        tfl_buf_addf(&line, "\"slot\":%lld,", (long long)(since / record->slot_ns));
    tfl_buf_addf(&line, "\"type\":%s",
        json_object_to_json_string_ext(name, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(name);
    if (fields && json_object_object_length(fields) > 0) {
        const char *text =
            json_object_to_json_string_ext(fields, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
        tfl_buf_adds(&line, ",");
        tfl_buf_adds(&line, text + 1); /* without its '{' */
    } else {
        tfl_buf_adds(&line, "}");
    }
    tfl_buf_adds(&line, "\n");
    line.len = tfl_redact(line.data, line.len);
    if (line.len > EVENT_MAX) {
        struct json_object *instead = json_object_new_object();
        json_object_object_add(instead, "of", json_object_new_string_len(type, (int)strnlen(type, 100)));
        json_object_object_add(instead, "bytes", json_object_new_int64((int64_t)line.len));
        add_line(record, "event_too_large", instead);
        json_object_put(instead);
        return;
    }
    if (record->buffer.len + line.len > BUFFER_MAX)
        record->lost++;
    else
        tfl_buf_add(&record->buffer, line.data, line.len);
}

static void emit(struct tfl_event_sink *sink, const char *type, struct json_object *fields)
{
    struct tfl_record *record = TFL_CONTAINER(sink, struct tfl_record, sink);
    if (fields)
        json_object_object_del(fields, "type");
    add_line(record, type, fields);
    json_object_put(fields);
    if (record->buffer.len >= FLUSH_AT && !record->err.code)
        tfl_record_flush(record);
}

static void write_buffer(struct tfl_record *record)
{
    size_t done = 0;
    while (done < record->buffer.len) {
        ssize_t n = write(record->fd, record->buffer.data + done, record->buffer.len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            struct tfl_error err;
            tfl_fail_errno(&err, TFL_E_IO, errno, "cannot write %s/events.jsonl", record->folder.path);
            keep_error(record, &err);
            break;
        }
        done += (size_t)n;
    }
    tfl_buf_eat(&record->buffer, done); /* a line cut by a full disk goes on where it was cut */
}

void tfl_record_flush(struct tfl_record *record)
{
    write_buffer(record);
    if (!record->lost || record->buffer.len)
        return;
    struct json_object *fields = json_object_new_object();
    json_object_object_add(fields, "count", json_object_new_int64((int64_t)record->lost));
    record->lost = 0;
    add_line(record, "events_lost", fields);
    json_object_put(fields);
    write_buffer(record);
}

bool tfl_record_pending(const struct tfl_record *record)
{
    return record->buffer.len > 0 || record->lost > 0;
}

/* The first line is written at once: a disk that is full or read-only shows before a cluster is started. */
static int write_head(
    struct tfl_record *record, const struct tfl_record_config *config, struct tfl_error *err)
{
    struct json_object *head = json_object_new_object();
    int64_t wall = record->wall(record->clock);
    time_t seconds = (time_t)(wall / 1000000000);
    struct tm tm;
    char at[32];
    strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &tm));
    json_object_object_add(head, "version", json_object_new_int(1));
    json_object_object_add(head, "run_id", json_object_new_string(record->run_id));
    json_object_object_add(head, "scenario", json_object_new_string(config->scenario));
    json_object_object_add(head, "seed", json_object_new_int64(config->seed));
    json_object_object_add(head, "started_at", json_object_new_string(at));
    json_object_object_add(head, "started_unix_ms", json_object_new_int64(wall / 1000000));
    if (config->head) {
        json_object_object_foreach(config->head, key, value)
        {
            json_object_object_add(head, key, json_object_get(value));
        }
    }
    tfl_buf_addf(&record->buffer, "%s\n",
        json_object_to_json_string_ext(head, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(head);
    write_buffer(record);
    if (!record->err.code)
        return 0;
    if (err)
        *err = record->err;
    return -1;
}

static char *new_run_id(const char *dir)
{
    uint8_t random[4];
    char hex[2 * sizeof random + 1];
    const char *base = strrchr(dir, '/') ? strrchr(dir, '/') + 1 : dir;
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        memcpy(random, &(pid_t){getpid()}, sizeof random);
    TFL_FREE char *clean = tfl_strndup(base, 80);
    for (char *p = clean; *p; p++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", *p))
            *p = '-';
    return tfl_sprintf("%s-%s", clean, tfl_hex(hex, random, sizeof random));
}

static int open_folder(
    struct tfl_record *record, const struct tfl_record_config *config, struct tfl_error *err)
{
    if (config->out)
        return tfl_run_folder_take(&record->folder, config->out, err);
    TFL_FREE char *parent = tfl_runs_folder();
    TFL_FREE char *name = tfl_sprintf("%s-%lld", config->scenario, (long long)config->seed);
    if (tfl_run_folder_make(&record->folder, parent, name, config->keep, err))
        return -1;
    tfl_run_folder_prune(parent, config->keep_runs > 0 ? config->keep_runs : KEEP_RUNS);
    return 0;
}

static int open_events(
    struct tfl_record *record, const struct tfl_record_config *config, struct tfl_error *err)
{
    TFL_FREE char *path = tfl_sprintf("%s/events.jsonl", record->folder.path);
    record->run_id = config->run_id ? tfl_strdup(config->run_id) : new_run_id(record->folder.path);
    record->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
    if (record->fd < 0)
        return tfl_fail_errno(err, TFL_E_IO, errno, "cannot make %s", path);
    return write_head(record, config, err);
}

struct tfl_record *tfl_record_open(const struct tfl_record_config *config, struct tfl_error *err)
{
    struct tfl_record *record = tfl_alloc(sizeof *record);
    record->sink.emit = emit;
    record->fd = -1;
    record->folder.lock = -1;
    record->now = config->now;
    record->wall = config->wall;
    record->clock = config->clock;
    record->started = record->now(record->clock);
    if (open_folder(record, config, err) || open_events(record, config, err)) {
        tfl_record_free(record);
        return NULL;
    }
    return record;
}

void tfl_record_free(struct tfl_record *record)
{
    if (!record)
        return;
    if (record->fd >= 0) {
        tfl_record_flush(record);
        close(record->fd);
    }
    tfl_run_folder_done(&record->folder);
    tfl_buf_done(&record->buffer);
    free(record->run_id);
    free(record);
}

struct tfl_event_sink *tfl_record_sink(struct tfl_record *record)
{
    return &record->sink;
}

const char *tfl_record_dir(const struct tfl_record *record)
{
    return record->folder.path;
}

const char *tfl_record_run_id(const struct tfl_record *record)
{
    return record->run_id;
}

void tfl_record_set_genesis(struct tfl_record *record, int64_t genesis_wall_ns, int64_t slot_ns)
{
    record->genesis = genesis_wall_ns;
    record->slot_ns = slot_ns > 0 ? slot_ns : 0;
}

int tfl_record_write(
    struct tfl_record *record, const char *name, const void *data, size_t n, struct tfl_error *err)
{
    struct tfl_error own;
    if (!name[0] || name[0] == '.' || strchr(name, '/'))
        return tfl_fail(
            err, TFL_E_USAGE, "a file of the run's folder is named without folders, not `%s`", name);
    TFL_FREE char *path = tfl_sprintf("%s/%s", record->folder.path, name);
    TFL_BUF text = {0};
    tfl_buf_add(&text, data, n);
    if (!tfl_write_file(path, text.data, tfl_redact(text.data, text.len), 0644, &own))
        return 0;
    keep_error(record, &own);
    if (err)
        *err = own;
    return -1;
}

const struct tfl_error *tfl_record_error(const struct tfl_record *record)
{
    return record->err.code ? &record->err : NULL;
}

int tfl_record_strip(struct tfl_record *record, struct tfl_error *err)
{
    return tfl_run_folder_strip(record->folder.path, err);
}
