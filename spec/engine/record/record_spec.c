#include "record/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/fs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

static char dir[64];
static int64_t mono = 5000000000, wall = 1700000000000000000;

static int64_t now_of(void *clock)
{
    return *(int64_t *)clock == 7 ? mono : -1;
}
static int64_t wall_of(void *clock)
{
    return *(int64_t *)clock == 7 ? wall : -1;
}
static int64_t clock_id = 7;

static int setup(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/spec-record-XXXXXX");
    assert_non_null(mkdtemp(dir));
    setenv("XDG_STATE_HOME", dir, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return tfl_remove_tree(dir, NULL);
}

static struct tfl_record_config config(const char *scenario)
{
    return (struct tfl_record_config){
        .scenario = scenario, .seed = 42, .now = now_of, .wall = wall_of, .clock = &clock_id};
}

static struct tfl_record *open_record(struct tfl_record_config c)
{
    struct tfl_error err;
    struct tfl_record *record = tfl_record_open(&c, &err);
    if (!record)
        fail_msg("%s", err.msg);
    return record;
}

static char *slurp(const char *folder, const char *name)
{
    struct tfl_buf b = {0};
    struct tfl_error err;
    TFL_FREE char *path = tfl_sprintf("%s/%s", folder, name);
    if (tfl_read_file(path, &b, 32 << 20, &err))
        fail_msg("%s", err.msg);
    return b.data ? b.data : tfl_strdup("");
}

static bool there(const char *folder, const char *name)
{
    TFL_FREE char *path = tfl_sprintf("%s/%s", folder, name);
    return !access(path, F_OK);
}

static void put(const char *folder, const char *name)
{
    struct tfl_error err;
    TFL_FREE char *path = tfl_sprintf("%s/%s", folder, name);
    TFL_FREE char *parent = tfl_strdup(path);
    *strrchr(parent, '/') = '\0';
    assert_int_equal(tfl_mkdir_p(parent, 0755, &err), 0);
    assert_int_equal(tfl_write_file(path, "x", 1, 0644, &err), 0);
}

static struct json_object *one(const char *key, int value)
{
    struct json_object *fields = json_object_new_object();
    json_object_object_add(fields, key, json_object_new_int(value));
    return fields;
}

static void writes_lines(void **state)
{
    (void)state;
    struct tfl_record *record = open_record(config("live ness/../x"));
    const char *base = strrchr(tfl_record_dir(record), '/') + 1;
    assert_string_equal(base, "live-ness-..-x-42");
    assert_true(there(tfl_record_dir(record), "logs") && there(tfl_record_dir(record), "nodes"));
    mono += 1500000000;
    tfl_emit(tfl_record_sink(record), "phase", one("n", 1));
    tfl_record_set_genesis(record, wall + 1000000000, 200000000);
    tfl_emit(tfl_record_sink(record), "early", NULL);
    wall += 1700000000;
    tfl_emit(tfl_record_sink(record), "we\"ird", one("type", 3));
    tfl_emit(tfl_record_sink(record), "block", one("slot", 99));
    assert_true(tfl_record_pending(record));
    tfl_record_flush(record);
    assert_false(tfl_record_pending(record));
    char *text = slurp(tfl_record_dir(record), "events.jsonl");
    char *lines = strchr(text, '\n');
    assert_non_null(lines);
    assert_string_equal(lines + 1, "{\"t\":1.500000,\"type\":\"phase\",\"n\":1}\n"
                                   "{\"t\":1.500000,\"type\":\"early\"}\n"
                                   "{\"t\":1.500000,\"slot\":3,\"type\":\"we\\\"ird\"}\n"
                                   "{\"t\":1.500000,\"type\":\"block\",\"slot\":99}\n");
    *lines = '\0';
    assert_memory_equal(text, "{\"version\":1,\"run_id\":\"live-ness----x-42-", 40);
    assert_non_null(
        strstr(text, "\"started_at\":\"2023-11-14T22:13:20Z\",\"started_unix_ms\":1700000000000"));
    free(text);
    tfl_record_free(record);
}

/* events.jsonl swapped for /dev/full below the record, and back: a real ENOSPC from the kernel. */
static int find_events_fd(const struct tfl_record *record)
{
    TFL_FREE char *path = tfl_sprintf("%s/events.jsonl", tfl_record_dir(record));
    struct stat want, st;
    assert_int_equal(stat(path, &want), 0);
    for (int fd = 3; fd < 64; fd++)
        if (!fstat(fd, &st) && st.st_ino == want.st_ino && st.st_dev == want.st_dev)
            return fd;
    fail_msg("events.jsonl is not open");
    return -1;
}

static void survives_a_full_disk(void **state)
{
    (void)state;
    struct tfl_record *record = open_record(config("full"));
    int fd = find_events_fd(record), spare = dup(fd), full = open("/dev/full", O_WRONLY);
    assert_true(full >= 0);
    assert_null(tfl_record_error(record));
    dup2(full, fd);
    tfl_emit(tfl_record_sink(record), "kept", NULL);
    tfl_record_flush(record);
    assert_non_null(tfl_record_error(record));
    assert_int_equal(tfl_record_error(record)->code, TFL_E_NO_SPACE);
    assert_non_null(strstr(tfl_record_error(record)->msg, "events.jsonl"));
    TFL_FREE char *big = malloc(1000001);
    memset(big, 'a', 1000000);
    big[1000000] = '\0';
    for (int i = 0; i < 6; i++) { /* more than the buffer holds */
        struct json_object *fields = json_object_new_object();
        json_object_object_add(fields, "text", json_object_new_string(big));
        tfl_emit(tfl_record_sink(record), "big", fields);
    }
    dup2(spare, fd); /* room again */
    tfl_record_flush(record);
    assert_false(tfl_record_pending(record));
    char *text = slurp(tfl_record_dir(record), "events.jsonl");
    assert_non_null(strstr(text, "\"kept\""));
    assert_non_null(strstr(text, "\"type\":\"events_lost\",\"count\":2}"));
    assert_int_equal(tfl_record_error(record)->code, TFL_E_NO_SPACE); /* not forgotten */
    free(text);
    close(spare);
    close(full);
    tfl_record_free(record);
}

static void refuses_huge_events(void **state)
{
    (void)state;
    struct tfl_record *record = open_record(config("huge"));
    struct json_object *fields = json_object_new_object();
    TFL_FREE char *big = malloc(1100001);
    memset(big, 'a', 1100000);
    big[1100000] = '\0';
    json_object_object_add(fields, "text", json_object_new_string(big));
    tfl_emit(tfl_record_sink(record), "monster", fields);
    tfl_record_flush(record);
    char *text = slurp(tfl_record_dir(record), "events.jsonl");
    assert_true(strlen(text) < 1000);
    assert_non_null(strstr(text, "\"type\":\"event_too_large\",\"of\":\"monster\",\"bytes\":11000"));
    free(text);
    tfl_record_free(record);
}

static void writes_files(void **state)
{
    (void)state;
    struct tfl_error err;
    struct tfl_record *record = open_record(config("files"));
    assert_int_equal(tfl_record_write(record, "plan.json", "{}", 2, &err), 0);
    assert_int_equal(tfl_record_write(record, "plan.json", "[]", 2, &err), 0);
    char *text = slurp(tfl_record_dir(record), "plan.json");
    assert_string_equal(text, "[]");
    free(text);
    assert_int_equal(tfl_record_write(record, "../plan.json", "{}", 2, &err), -1);
    assert_int_equal(err.code, TFL_E_USAGE);
    assert_null(tfl_record_error(record));
    assert_int_equal(tfl_record_write(record, "logs", "{}", 2, &err), -1); /* a folder is in the way */
    assert_non_null(tfl_record_error(record));
    tfl_record_free(record);
}

static void same_name_gets_a_number(void **state)
{
    (void)state;
    struct tfl_record *a = open_record(config("same")), *b = open_record(config("same"));
    const char *first = tfl_record_dir(a), *second = tfl_record_dir(b);
    assert_int_equal(strncmp(first, second, strlen(first)), 0);
    assert_string_equal(second + strlen(first), "-2");
    assert_string_not_equal(tfl_record_run_id(a), tfl_record_run_id(b));
    tfl_record_free(a);
    tfl_record_free(b);
}

static void age(const char *folder, int seconds)
{
    TFL_FREE char *marker = tfl_sprintf("%s/.tfl-run", folder);
    struct timespec times[2] = {{.tv_sec = 1000000000 - seconds}, {.tv_sec = 1000000000 - seconds}};
    assert_int_equal(utimensat(AT_FDCWD, marker, times, 0), 0);
}

static void keeps_the_last_runs(void **state)
{
    (void)state;
    TFL_FREE char *runs = tfl_runs_folder();
    struct tfl_record_config c = config("many");
    struct tfl_record *in_use = open_record(c);
    age(tfl_record_dir(in_use), 1000);
    c.keep = true;
    struct tfl_record *kept = open_record(c);
    age(tfl_record_dir(kept), 900);
    tfl_record_free(kept);
    c.keep = false;
    put(runs, "somebody-elses/file");
    char *made[6];
    for (int i = 0; i < 6; i++) { /* the first is the oldest */
        struct tfl_record *record = open_record(c);
        made[i] = tfl_strdup(tfl_record_dir(record));
        put(made[i], "nodes/node-0/state/data");
        age(made[i], 100 - i);
        tfl_record_free(record);
    }
    assert_int_equal(tfl_run_folder_prune(runs, 3), 3);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(there(made[i], ""), i >= 3);
        free(made[i]);
    }
    assert_true(there(tfl_record_dir(in_use), "events.jsonl"));
    assert_true(there(runs, "many-42-2/events.jsonl"));
    assert_true(there(runs, "somebody-elses/file"));
    tfl_record_free(in_use);
    c.keep_runs = 1;
    struct tfl_record *last = open_record(c); /* opening prunes */
    assert_false(there(runs, "many-42"));
    assert_true(there(tfl_record_dir(last), "events.jsonl"));
    tfl_record_free(last);
}

static void out_folder_is_guarded(void **state)
{
    (void)state;
    struct tfl_error err;
    struct tfl_record_config c = config("out");
    TFL_FREE char *out = tfl_sprintf("%s/evidence", dir);
    c.out = out;
    struct tfl_record *record = open_record(c);
    put(out, "nodes/old");
    assert_null(tfl_record_open(&c, &err)); /* in use */
    assert_int_equal(err.code, TFL_E_STATE);
    tfl_record_free(record);
    record = open_record(c); /* an earlier run's: replaced */
    assert_false(there(out, "nodes/old"));
    assert_true(there(out, "events.jsonl"));
    tfl_record_free(record);
    TFL_FREE char *home = tfl_sprintf("%s/home", dir);
    put(home, "thesis.txt");
    c.out = home;
    assert_null(tfl_record_open(&c, &err));
    assert_int_equal(err.code, TFL_E_USAGE);
    assert_true(there(home, "thesis.txt"));
    c.out = "/proc/nowhere";
    assert_null(tfl_record_open(&c, &err));
    assert_non_null(strstr(err.msg, "/proc/nowhere"));
}

static void folder_of_many_runs(void **state)
{
    (void)state;
    struct tfl_error err;
    struct tfl_run_folder first, second;
    TFL_FREE char *many = tfl_sprintf("%s/matrix/many", dir), *parent = tfl_sprintf("%s/matrix", dir);
    assert_int_equal(tfl_matrix_folder_take(&first, many, false, &err), 0);
    put(first.path, "cell/summary.json");
    assert_int_equal(tfl_matrix_folder_take(&second, many, false, &err), -1);
    assert_int_equal(err.code, TFL_E_STATE);
    assert_int_equal(tfl_run_folder_take(&second, many, &err), -1); /* a run would empty it */
    assert_int_equal(err.code, TFL_E_USAGE);
    assert_int_equal(tfl_run_folder_prune(parent, 0), 0);
    tfl_run_folder_done(&first);
    assert_int_equal(tfl_matrix_folder_take(&second, many, true, &err), 0);
    assert_true(there(many, "cell/summary.json"));
    tfl_run_folder_done(&second);
    assert_int_equal(tfl_run_folder_prune(parent, 0), 0); /* to be kept */
    assert_int_equal(tfl_matrix_folder_take(&first, many, false, &err), 0);
    tfl_run_folder_done(&first);
    assert_int_equal(tfl_run_folder_prune(parent, 0), 1);
    put(many, "something");
    assert_int_equal(tfl_matrix_folder_take(&first, many, false, &err), -1);
    assert_int_equal(err.code, TFL_E_USAGE);
}

static void strip_keeps_configuration(void **state)
{
    (void)state;
    struct tfl_error err;
    struct tfl_record *record = open_record(config("strip"));
    const char *d = tfl_record_dir(record);
    put(d, "nodes/node-0/user.yaml");
    put(d, "nodes/node-0/state/chain.sqlite");
    put(d, "nodes/node-0/state/inner.yaml");
    put(d, "nodes/node-0/core");
    put(d, "logs/a.log");
    assert_int_equal(tfl_record_strip(record, &err), 0);
    assert_true(there(d, "nodes/node-0/user.yaml") && there(d, "logs/a.log") && there(d, "events.jsonl"));
    assert_false(there(d, "nodes/node-0/state") || there(d, "nodes/node-0/core"));
    tfl_record_free(record);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {T(writes_lines), T(survives_a_full_disk), T(refuses_huge_events),
        T(writes_files), T(same_name_gets_a_number), T(keeps_the_last_runs), T(out_folder_is_guarded),
        T(folder_of_many_runs), T(strip_keeps_configuration)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
