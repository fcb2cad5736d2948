#include "proc/ledger.h"

#include "base/buf.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utlist.h>

enum { FILE_MAX = 64 * 1024 * 1024, RUN_ID_MAX = 100 };

struct request {
    int64_t id;
    struct json_object *what;
    struct request *prev, *next;
};

struct tfl_ledger {
    char *path, *run_id;
    int fd;
    int64_t next_id;
    struct request *requests; /* pending ones, oldest first */
    size_t n_requests, bad_lines;
};

char *tfl_ledger_folder(void)
{
    return tfl_state_folder("ledgers");
}

static bool good_run_id(const char *id)
{
    static const char *const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t n = strlen(id);
    return n > 0 && n <= RUN_ID_MAX && id[0] != '.' && strspn(id, allowed) == n;
}

/* It appears under its name only when it is locked: a `tfl clean` must never see it unlocked while its run is alive. */
struct tfl_ledger *tfl_ledger_create(const char *run_id, struct tfl_error *err)
{
    if (!good_run_id(run_id)) {
        tfl_fail(err, TFL_E_USAGE, "run id `%s`: 1 to %d letters, digits, '.', '_', '-' expected", run_id,
            RUN_ID_MAX);
        return NULL;
    }
    TFL_FREE char *folder = tfl_ledger_folder();
    if (tfl_mkdir_p(folder, 0700, err))
        return NULL;
    TFL_FREE char *path = tfl_sprintf("%s/%s.jsonl", folder, run_id);
    TFL_FREE char *hidden = tfl_sprintf("%s/.%s.%d", folder, run_id, (int)getpid());
    int fd = open(hidden, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) || link(hidden, path)) {
        int errnum = errno;
        if (fd >= 0) {
            close(fd);
            unlink(hidden);
        }
        if (errnum == EEXIST)
            tfl_fail(err, TFL_E_STATE,
                "the ledger %s is there already: a run id is used once (`tfl clean` undoes old runs)", path);
        else
            tfl_fail_errno(err, TFL_E_IO, errnum, "cannot make the ledger %s", path);
        return NULL;
    }
    unlink(hidden);
    struct tfl_ledger *ledger = tfl_alloc(sizeof *ledger);
    ledger->path = tfl_strdup(path);
    ledger->run_id = tfl_strdup(run_id);
    ledger->fd = fd;
    ledger->next_id = 1;
    return ledger;
}

static struct request *find(const struct tfl_ledger *ledger, int64_t id)
{
    struct request *request;
    DL_SEARCH_SCALAR(ledger->requests, request, id, id);
    return request;
}

static void forget(struct tfl_ledger *ledger, struct request *request)
{
    DL_DELETE(ledger->requests, request);
    ledger->n_requests--;
    json_object_put(request->what);
    free(request);
}

static void remember(struct tfl_ledger *ledger, int64_t id, struct json_object *what)
{
    struct request *request = tfl_alloc(sizeof *request);
    request->id = id;
    request->what = what;
    DL_APPEND(ledger->requests, request);
    ledger->n_requests++;
    if (id >= ledger->next_id)
        ledger->next_id = id + 1;
}

static void take_line(struct tfl_ledger *ledger, const char *line)
{
    struct json_object *what = json_tokener_parse(line), *id = NULL, *undo = NULL;
    bool object = json_object_is_type(what, json_type_object);
    if (object && json_object_object_get_ex(what, "done", &id)) {
        struct request *request = find(ledger, json_object_get_int64(id));
        if (request)
            forget(ledger, request);
    } else if (object && json_object_object_get_ex(what, "id", &id) &&
               json_object_object_get_ex(what, "undo", &undo) && json_object_get_int64(id) > 0 &&
               !find(ledger, json_object_get_int64(id))) {
        remember(ledger, json_object_get_int64(id), json_object_get(what));
    } else {
        ledger->bad_lines++;
    }
    json_object_put(what);
}

/* What follows the last line end was cut off by a death in mid-write: the request was not yet acted upon. */
static int load(struct tfl_ledger *ledger, struct tfl_error *err)
{
    TFL_BUF text = {0};
    if (tfl_read_file(ledger->path, &text, FILE_MAX, err))
        return -1;
    char *p = text.data, *end = p + text.len, *newline;
    for (; p < end && (newline = memchr(p, '\n', (size_t)(end - p))); p = newline + 1) {
        *newline = '\0';
        if (*p)
            take_line(ledger, p);
    }
    if (p < end && write(ledger->fd, "\n", 1) != 1)
        return tfl_fail_errno(err, TFL_E_IO, errno, "cannot write the ledger %s", ledger->path);
    return 0;
}

static int lock_existing(const char *path, struct tfl_error *err)
{
    struct stat opened, named;
    int fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return tfl_fail_errno(
            err, errno == ENOENT ? TFL_E_NOT_FOUND : TFL_E_IO, errno, "cannot open the ledger %s", path);
    if (flock(fd, LOCK_EX | LOCK_NB)) {
        int errnum = errno;
        close(fd);
        if (errnum == EWOULDBLOCK)
            return tfl_fail(err, TFL_E_STATE, "the run of the ledger %s is alive", path);
        return tfl_fail_errno(err, TFL_E_IO, errnum, "cannot lock the ledger %s", path);
    }
    if (fstat(fd, &opened) || stat(path, &named) || opened.st_ino != named.st_ino ||
        opened.st_dev != named.st_dev) {
        close(fd); /* removed by its own run between open and lock */
        return tfl_fail(err, TFL_E_NOT_FOUND, "the ledger %s is gone", path);
    }
    return fd;
}

struct tfl_ledger *tfl_ledger_open(const char *path, int fd, struct tfl_error *err)
{
    if (fd < 0 && (fd = lock_existing(path, err)) < 0)
        return NULL;
    const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    size_t n = strlen(base);
    struct tfl_ledger *ledger = tfl_alloc(sizeof *ledger);
    ledger->path = tfl_strdup(path);
    ledger->run_id = tfl_strndup(base, n > 6 && !strcmp(base + n - 6, ".jsonl") ? n - 6 : n);
    ledger->fd = fd;
    ledger->next_id = 1;
    if (load(ledger, err)) {
        tfl_ledger_free(ledger);
        return NULL;
    }
    return ledger;
}

void tfl_ledger_free(struct tfl_ledger *ledger)
{
    if (!ledger)
        return;
    while (ledger->requests)
        forget(ledger, ledger->requests);
    close(ledger->fd);
    free(ledger->path);
    free(ledger->run_id);
    free(ledger);
}

int tfl_ledger_fd(const struct tfl_ledger *ledger)
{
    return ledger->fd;
}

const char *tfl_ledger_path(const struct tfl_ledger *ledger)
{
    return ledger->path;
}

const char *tfl_ledger_run_id(const struct tfl_ledger *ledger)
{
    return ledger->run_id;
}

size_t tfl_ledger_bad_lines(const struct tfl_ledger *ledger)
{
    return ledger->bad_lines;
}

/* One write for each line: with O_APPEND it is there whole, but for a full disk, when the rest is cut off again. */
static int write_line(struct tfl_ledger *ledger, struct json_object *what, struct tfl_error *err)
{
    TFL_BUF line = {0};
    struct stat st;
    tfl_buf_adds(
        &line, json_object_to_json_string_ext(what, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    tfl_buf_adds(&line, "\n");
    if (fstat(ledger->fd, &st))
        return tfl_fail_errno(err, TFL_E_IO, errno, "cannot write the ledger %s", ledger->path);
    ssize_t n = write(ledger->fd, line.data, line.len);
    if (n == (ssize_t)line.len)
        return 0;
    int errnum = n < 0 ? errno : ENOSPC;
    if (n > 0 && ftruncate(ledger->fd, st.st_size))
        errnum = errno;
    return tfl_fail_errno(err, TFL_E_IO, errnum, "cannot write the ledger %s", ledger->path);
}

int tfl_ledger_add(struct tfl_ledger *ledger, struct json_object *request, int64_t *id, struct tfl_error *err)
{
    json_object_object_add(request, "id", json_object_new_int64(ledger->next_id));
    if (write_line(ledger, request, err)) {
        json_object_put(request);
        return -1;
    }
    if (id)
        *id = ledger->next_id;
    remember(ledger, ledger->next_id, request);
    return 0;
}

int tfl_ledger_add_processes(struct tfl_ledger *ledger, struct tfl_error *err)
{
    struct json_object *request = json_object_new_object();
    json_object_object_add(request, "undo", json_object_new_string("processes"));
    json_object_object_add(request, "run_id", json_object_new_string(ledger->run_id));
    return tfl_ledger_add(ledger, request, NULL, err);
}

int tfl_ledger_add_process(
    struct tfl_ledger *ledger, pid_t pid, uint64_t start_time, int64_t *id, struct tfl_error *err)
{
    struct json_object *request = json_object_new_object();
    json_object_object_add(request, "undo", json_object_new_string("process"));
    json_object_object_add(request, "pid", json_object_new_int64(pid));
    json_object_object_add(request, "start", json_object_new_int64((int64_t)start_time));
    return tfl_ledger_add(ledger, request, id, err);
}

int tfl_ledger_done(struct tfl_ledger *ledger, int64_t id, struct tfl_error *err)
{
    struct request *request = find(ledger, id);
    if (!request)
        return tfl_fail(
            err, TFL_E_STATE, "the ledger %s has no open request %lld", ledger->path, (long long)id);
    struct json_object *what = json_object_new_object();
    json_object_object_add(what, "done", json_object_new_int64(id));
    int failed = write_line(ledger, what, err);
    json_object_put(what);
    if (!failed)
        forget(ledger, request);
    return failed;
}

struct json_object *tfl_ledger_before(const struct tfl_ledger *ledger, int64_t before, int64_t *id)
{
    struct json_object *what = NULL;
    struct request *request;
    DL_FOREACH(ledger->requests, request)
    {
        if (request->id >= before)
            break;
        what = request->what;
        *id = request->id;
    }
    return what;
}

size_t tfl_ledger_pending(const struct tfl_ledger *ledger)
{
    return ledger->n_requests;
}

int tfl_ledger_remove(struct tfl_ledger *ledger, struct tfl_error *err)
{
    if (ledger->requests)
        return tfl_fail(
            err, TFL_E_STATE, "the ledger %s still has %zu things to undo", ledger->path, ledger->n_requests);
    if (unlink(ledger->path) && errno != ENOENT)
        return tfl_fail_errno(err, TFL_E_IO, errno, "cannot remove the ledger %s", ledger->path);
    return 0;
}
