#include "proc/undo.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* tfl_clean: every ledger whose lock is free, one after the other. */
struct clean {
    struct tfl_undo undo;
    struct tfl_timer timer;
    char *folder;
    struct dirent **names;
    int n_names, next;
    struct tfl_ledger *ledger;
    struct tfl_undo *current;
};

static void step(struct tfl_timer *timer);

static void again(struct clean *clean)
{
    struct tfl_loop *loop = clean->undo.op.loop;
    tfl_timer_start(loop, &clean->timer, tfl_now(loop), step);
}

static void report(
    struct clean *clean, const char *run_id, struct json_object *undone, const struct tfl_error *err)
{
    struct json_object *line = json_object_new_object();
    json_object_object_add(line, "run_id", json_object_new_string(run_id));
    json_object_object_add(line, "undone", undone);
    if (err) {
        json_object_object_add(line, "error", json_object_new_string(err->msg));
        clean->undo.failed++;
    }
    json_object_array_add(clean->undo.report, line);
}

static void one_done(struct tfl_op *op)
{
    struct clean *clean = op->owner;
    report(clean, tfl_ledger_run_id(clean->ledger), json_object_get(clean->current->report),
        op->failed ? &op->err : NULL);
    tfl_op_free(op);
    tfl_ledger_free(clean->ledger);
    clean->current = NULL;
    clean->ledger = NULL;
    again(clean);
}

/* A ledger that died before it had its name (see tfl_ledger_create): it holds no request. */
static void remove_unnamed(const char *path)
{
    TFL_CLOSE int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0 && !flock(fd, LOCK_EX | LOCK_NB))
        unlink(path);
}

static void step(struct tfl_timer *timer)
{
    struct clean *clean = TFL_CONTAINER(timer, struct clean, timer);
    struct tfl_error err;
    if (clean->next >= clean->n_names) {
        tfl_op_succeed(&clean->undo.op);
        return;
    }
    const char *name = clean->names[clean->next++]->d_name;
    TFL_FREE char *path = tfl_sprintf("%s/%s", clean->folder, name);
    size_t n = strlen(name);
    if (name[0] == '.' && strcmp(name, ".") && strcmp(name, ".."))
        remove_unnamed(path);
    if (name[0] == '.' || n <= 6 || strcmp(name + n - 6, ".jsonl")) {
        again(clean);
        return;
    }
    clean->ledger = tfl_ledger_open(path, -1, &err);
    if (!clean->ledger) {
        if (err.code != TFL_E_STATE && err.code != TFL_E_NOT_FOUND)
            report(clean, name, json_object_new_array(), &err);
        again(clean);
        return;
    }
    clean->current = tfl_undo(clean->undo.op.loop, clean->ledger, false);
    clean->current->op.owner = clean;
    clean->current->op.done = one_done;
}

static void cancel(struct tfl_op *op)
{
    struct clean *clean = TFL_CONTAINER(op, struct clean, undo.op);
    tfl_timer_stop(op->loop, &clean->timer);
    if (clean->current)
        tfl_op_free(&clean->current->op);
    clean->current = NULL;
    tfl_ledger_free(clean->ledger);
    clean->ledger = NULL;
}

static void destroy(struct tfl_op *op)
{
    struct clean *clean = TFL_CONTAINER(op, struct clean, undo.op);
    for (int i = 0; i < clean->n_names; i++)
        free(clean->names[i]);
    free(clean->names);
    free(clean->folder);
    json_object_put(clean->undo.report);
    free(clean);
}

struct tfl_undo *tfl_clean(struct tfl_loop *loop)
{
    struct clean *clean = tfl_alloc(sizeof *clean);
    tfl_op_init(&clean->undo.op, loop, cancel, destroy);
    clean->undo.report = json_object_new_array();
    clean->folder = tfl_ledger_folder();
    clean->n_names = scandir(clean->folder, &clean->names, NULL, alphasort);
    if (clean->n_names < 0) /* no folder: nothing was ever run */
        clean->n_names = 0;
    again(clean);
    return &clean->undo;
}
