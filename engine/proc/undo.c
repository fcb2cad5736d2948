#include "proc/undo.h"

#include "base/fs.h"
#include "proc/exec.h"
#include "proc/lockfile.h"
#include "proc/procfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { AGAIN_MS = 10, RETRY_MS = 1000, KILL_MS = 5000, COMMAND_S = 60, COMMAND_MAX_S = 600, ARGS_MAX = 256 };

struct work {
    struct tfl_undo undo;
    struct tfl_ledger *ledger;
    struct tfl_timer timer;
    int64_t kill_deadline;
    int killed, quiet_rounds;
    int64_t before; /* the second pass has done all from this id on */
    struct tfl_exec *command;
    bool patient;
    int64_t first_try; /* of the command; 0: none was made */
};

static struct tfl_loop *loop_of(const struct work *work)
{
    return work->undo.op.loop;
}

static const char *text_of(struct json_object *what, const char *key)
{
    struct json_object *value;
    return json_object_object_get_ex(what, key, &value) ? json_object_get_string(value) : "";
}

static int64_t number_of(struct json_object *what, const char *key)
{
    struct json_object *value;
    return json_object_object_get_ex(what, key, &value) ? json_object_get_int64(value) : 0;
}

static bool is_kill(struct json_object *what)
{
    const char *undo = text_of(what, "undo");
    return !strcmp(undo, "process") || !strcmp(undo, "processes");
}

static void report(struct work *work, struct json_object *what, const char *key, struct json_object *value)
{
    struct json_object *line = json_object_new_object();
    json_object_object_foreach(what, name, member)
    {
        if (strcmp(name, "id"))
            json_object_object_add(line, name, json_object_get(member));
    }
    json_object_object_add(line, key, value);
    json_object_array_add(work->undo.report, line);
}

/* Ends one request: err NULL: carried out. */
static void settle(struct work *work, int64_t id, struct json_object *what, const struct tfl_error *err)
{
    struct tfl_error own;
    work->first_try = 0;
    if (err) {
        work->undo.failed++;
        report(work, what, "error", json_object_new_string(err->msg));
        return;
    }
    report(work, what, "removed", json_object_new_boolean(1));
    if (tfl_ledger_done(work->ledger, id, &own)) {
        work->undo.failed++;
        report(work, what, "error", json_object_new_string(own.msg));
    }
}

static void finish(struct work *work)
{
    struct tfl_error err;
    if (!work->undo.failed && tfl_ledger_remove(work->ledger, &err))
        tfl_op_fail(&work->undo.op, &err);
    if (work->undo.failed) {
        struct json_object *last = NULL;
        size_t n = json_object_array_length(work->undo.report);
        for (size_t i = 0; i < n; i++)
            if (*text_of(json_object_array_get_idx(work->undo.report, i), "error"))
                last = json_object_array_get_idx(work->undo.report, i);
        tfl_fail(&err, TFL_E_IO,
            "%zu things of run %s could not be undone, the last: %s (the ledger %s is kept, "
            "`tfl clean` tries again)",
            work->undo.failed, tfl_ledger_run_id(work->ledger), text_of(last, "error"),
            tfl_ledger_path(work->ledger));
        tfl_op_fail(&work->undo.op, &err);
    }
    tfl_op_succeed(&work->undo.op);
}

static void step(struct tfl_timer *timer);

static void again(struct work *work, int ms)
{
    tfl_timer_start(loop_of(work), &work->timer, tfl_now(loop_of(work)) + ms * TFL_MS, step);
}

/* Sends SIGKILL to what the request names; how many were there. */
static int kill_request(struct work *work, struct json_object *what)
{
    if (!strcmp(text_of(what, "undo"), "process"))
        return tfl_procfs_kill((pid_t)number_of(what, "pid"), (uint64_t)number_of(what, "start"));
    if (!*text_of(what, "run_id"))
        return 0;
    TFL_FREE char *assignment = tfl_sprintf("TFL_RUN_ID=%s", text_of(what, "run_id"));
    int n = tfl_procfs_kill_env(assignment);
    if (n > work->killed)
        work->killed = n;
    return n;
}

static void settle_kill(struct work *work, int64_t id, struct json_object *what, int left)
{
    struct tfl_error err;
    if (left) {
        tfl_fail(
            &err, TFL_E_TIMEOUT, "%d processes did not end within %d s of SIGKILL", left, KILL_MS / 1000);
        settle(work, id, what, &err);
        return;
    }
    if (!strcmp(text_of(what, "undo"), "processes"))
        report(work, what, "killed", json_object_new_int(work->killed));
    if (tfl_ledger_done(work->ledger, id, NULL))
        work->undo.failed++;
}

/* One round over all processes to kill; true when it was the last: none is left, or time is up. A process in the middle
 * of an exec has no environment for a moment, so none is left only when two rounds in a row saw none. */
static bool kill_round(struct work *work)
{
    bool late = tfl_now(loop_of(work)) >= work->kill_deadline;
    int64_t id;
    int there = 0;
    struct json_object *what;
    for (int64_t before = INT64_MAX; (what = tfl_ledger_before(work->ledger, before, &id)); before = id)
        if (is_kill(what))
            there += kill_request(work, what);
    work->quiet_rounds = there ? 0 : work->quiet_rounds + 1;
    if (work->quiet_rounds < 2 && !late)
        return false;
    for (int64_t before = INT64_MAX; (what = tfl_ledger_before(work->ledger, before, &id)); before = id)
        if (is_kill(what))
            settle_kill(work, id, what, there ? kill_request(work, what) : 0);
    return true;
}

static int remove_folder(const char *path, struct tfl_error *err)
{
    const char *home = getenv("HOME");
    const char *second = path[0] == '/' ? strchr(path + 1, '/') : NULL;
    if (!second || !second[1] || strstr(path, "/..") || (home && !strcmp(home, path)))
        return tfl_fail(
            err, TFL_E_INVALID, "refused to remove the folder `%s`: not a folder that a run makes", path);
    return tfl_remove_tree(path, err);
}

static void command_done(struct tfl_op *op)
{
    struct work *work = op->owner;
    int64_t id;
    struct json_object *what = tfl_ledger_before(work->ledger, work->before, &id);
    struct tfl_error err = op->err;
    bool failed = op->failed;
    int status = work->command->status;
    if (!failed && (!WIFEXITED(status) || WEXITSTATUS(status))) {
        struct tfl_buf *said = &work->command->error;
        failed = true;
        tfl_fail(&err, TFL_E_IO, "the undo command ended with status %d: %.300s",
            WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), said->len ? said->data : "");
    }
    work->command = NULL;
    tfl_op_free(op);
    int64_t patience =
        number_of(what, "patience") < COMMAND_MAX_S ? number_of(what, "patience") : COMMAND_MAX_S;
    if (failed && work->patient && tfl_now(loop_of(work)) < work->first_try + patience * TFL_S) {
        again(work, RETRY_MS);
        return;
    }
    settle(work, id, what, failed ? &err : NULL);
    work->before = id;
    again(work, 0);
}

static int run_command(struct work *work, struct json_object *what, struct tfl_error *err)
{
    struct json_object *list;
    const char *argv[ARGS_MAX + 1] = {NULL};
    size_t n = json_object_object_get_ex(what, "argv", &list) && json_object_is_type(list, json_type_array)
                   ? json_object_array_length(list)
                   : 0;
    if (n == 0 || n > ARGS_MAX)
        return tfl_fail(err, TFL_E_INVALID, "an undo command needs 1 to %d arguments, has %zu", ARGS_MAX, n);
    for (size_t i = 0; i < n; i++)
        argv[i] = json_object_get_string(json_object_array_get_idx(list, i));
    int64_t within = number_of(what, "within");
    if (within <= 0 || within > COMMAND_MAX_S)
        within = COMMAND_S;
    const char *cwd = text_of(what, "cwd");
    struct tfl_exec_config config = {
        .argv = argv, .cwd = *cwd ? cwd : NULL, .timeout_ms = (int)within * 1000};
    work->command = tfl_exec_start(loop_of(work), &config, err);
    if (!work->command)
        return -1;
    if (!work->first_try)
        work->first_try = tfl_now(loop_of(work));
    work->command->op.done = command_done;
    work->command->op.owner = work;
    return 0;
}

/* Carries out a request of the second pass: 1 when a command was started that will settle it, else 0 or −1. */
static int carry_out(struct work *work, struct json_object *what, struct tfl_error *err)
{
    const char *undo = text_of(what, "undo");
    if (!strcmp(undo, "argv"))
        return run_command(work, what, err) ? -1 : 1;
    if (!strcmp(undo, "folder"))
        return remove_folder(text_of(what, "path"), err);
    if (strcmp(undo, "locks"))
        return tfl_fail(err, TFL_E_UNSUPPORTED, "this tfl does not know how to undo `%s`", undo);
    tfl_lockfile_sweep(text_of(what, "path"));
    return 0;
}

static void step(struct tfl_timer *timer)
{
    struct work *work = TFL_CONTAINER(timer, struct work, timer);
    struct tfl_error err;
    int64_t id;
    if (work->before == INT64_MAX && !kill_round(work)) {
        again(work, AGAIN_MS);
        return;
    }
    struct json_object *what = tfl_ledger_before(work->ledger, work->before, &id);
    if (!what) {
        finish(work);
        return;
    }
    if (!is_kill(what)) { /* those left were reported by kill_round */
        int result = carry_out(work, what, &err);
        if (result > 0) {
            work->before = id + 1;
            return;
        }
        settle(work, id, what, result ? &err : NULL);
    }
    work->before = id;
    again(work, 0);
}

static void cancel(struct tfl_op *op)
{
    struct work *work = TFL_CONTAINER(op, struct work, undo.op);
    tfl_timer_stop(op->loop, &work->timer);
    if (work->command)
        tfl_op_free(&work->command->op);
    work->command = NULL;
}

static void destroy(struct tfl_op *op)
{
    struct work *work = TFL_CONTAINER(op, struct work, undo.op);
    json_object_put(work->undo.report);
    free(work);
}

struct tfl_undo *tfl_undo(struct tfl_loop *loop, struct tfl_ledger *ledger, bool patient)
{
    struct work *work = tfl_alloc(sizeof *work);
    tfl_op_init(&work->undo.op, loop, cancel, destroy);
    work->undo.report = json_object_new_array();
    work->ledger = ledger;
    work->patient = patient;
    work->before = INT64_MAX;
    work->kill_deadline = tfl_now(loop) + KILL_MS * TFL_MS;
    again(work, 0);
    return &work->undo;
}
