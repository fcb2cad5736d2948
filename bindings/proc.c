/* tfl.core.proc: programs, the guardian and the ledger of the run, clean-up of dead runs. */
#include "bindings/proc.h"

#include "base/fs.h"
#include "bindings/fields.h"
#include "bindings/task.h"
#include "proc/exec.h"
#include "proc/guardian.h"
#include "proc/lockfile.h"
#include "proc/process.h"
#include "proc/procfs.h"
#include "proc/spawn.h"
#include "proc/undo.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { ARGS_MAX = 4096 };

/* One run at a time, one process: static, so that what outlives the Lua state in its last collection may still look. */
static struct {
    struct tfl_guardian *guardian; /* kept after its goodbye until the next start */
    struct tfl_ledger *ledger;     /* its ledger; NULL after the goodbye */
} run;

struct tfl_ledger **tfl_proc_ledger(void)
{
    return &run.ledger;
}

static void forget_guardian(void)
{
    run.ledger = NULL;
    tfl_guardian_free(run.guardian);
    run.guardian = NULL;
}

/* ---- exec */

const char **tfl_proc_argv(lua_State *L, lua_Integer *n)
{
    lua_pushvalue(L, 1);
    luaL_argcheck(L, lua_istable(L, -1), 1, "a table expected");
    *n = luaL_len(L, -1);
    luaL_argcheck(L, *n >= 0 && *n <= ARGS_MAX, 1, "too many arguments");
    const char **list = lua_newuserdatauv(L, ((size_t)*n + 1) * sizeof(char *), 0);
    for (lua_Integer i = 1; i <= *n; i++) {
        int type = lua_geti(L, -2, i);
        if (type ==
            LUA_TNUMBER) { /* {"sleep", 5}: the text takes the number's place in the table, to stay alive */
            lua_tostring(L, -1);
            lua_pushvalue(L, -1);
            lua_seti(L, -4, i);
        } else if (type != LUA_TSTRING) {
            luaL_error(
                L, "tfl.exec: argument %I is a %s, expected a string", (LUAI_UACINT)i, luaL_typename(L, -1));
        }
        list[i - 1] = lua_tostring(L, -1);
        lua_pop(L, 1);
    }
    list[*n] = NULL;
    return list;
}

const char **tfl_proc_env(lua_State *L)
{
    lua_Integer n = 0;
    lua_newtable(L);
    int strings = lua_gettop(L);
    if (lua_getfield(L, 1, "env") == LUA_TTABLE) {
        lua_pushnil(L);
        while (lua_next(L, -2)) {
            if (lua_type(L, -2) != LUA_TSTRING)
                luaL_error(L, "tfl.exec: env must be {NAME = value}");
            const char *value = luaL_tolstring(L, -1, NULL);
            lua_pushfstring(L, "%s=%s", lua_tostring(L, -3), value);
            lua_seti(L, strings, ++n);
            lua_pop(L, 2); /* the value and its text */
        }
    }
    if (run.ledger) {
        lua_pushfstring(L, "TFL_RUN_ID=%s", tfl_ledger_run_id(run.ledger));
        lua_seti(L, strings, ++n);
    }
    const char **env = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof(char *), 0);
    for (lua_Integer i = 0; i < n; i++) {
        lua_geti(L, strings, i + 1);
        env[i] = lua_tostring(L, -1);
        lua_pop(L, 1);
    }
    env[n] = NULL;
    return env;
}

void tfl_proc_push_status(lua_State *L, int status)
{
    char text[TFL_STATUS_TEXT];
    lua_createtable(L, 0, 5);
    lua_pushstring(L, tfl_status_text(status, text));
    lua_setfield(L, -2, "status");
    lua_pushboolean(L, status == 0);
    lua_setfield(L, -2, "ok");
    if (WIFEXITED(status)) {
        lua_pushinteger(L, WEXITSTATUS(status));
        lua_setfield(L, -2, "code");
    } else {
        lua_pushstring(L, tfl_signal_name(WTERMSIG(status)));
        lua_setfield(L, -2, "signal");
    }
}

static int push_exec(lua_State *L, struct tfl_op *op)
{
    struct tfl_exec *exec = TFL_CONTAINER(op, struct tfl_exec, op);
    tfl_proc_push_status(L, exec->status);
    lua_pushlstring(L, exec->out.data ? exec->out.data : "", exec->out.len);
    lua_setfield(L, -2, "stdout");
    lua_pushlstring(L, exec->error.data ? exec->error.data : "", exec->error.len);
    lua_setfield(L, -2, "stderr");
    return 1;
}

/* proc.exec{program, argument…, timeout = seconds (60), stdin = string, cwd = path, env = {NAME = value}} waits for its end
 * → {ok = did it end with 0?, code = exit code | signal = name, status = text, stdout =, stderr =}.
 * Raises spawn (cannot be started), timeout (it was killed), too_large (more than 8 MiB of output). */
static int l_exec(lua_State *L)
{
    lua_Integer n = 0;
    size_t input_len = 0;
    struct tfl_error err;
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    struct tfl_exec_config config = {.cwd = tfl_field_string(L, 1, "tfl.exec", "cwd", false),
        .timeout_ms = tfl_seconds_to_ms(tfl_field_seconds(L, 1, "tfl.exec", "timeout", 60))};
    config.argv = (const char *const *)tfl_proc_argv(L, &n);
    if (n == 0)
        return luaL_error(L, "tfl.exec: no program: tfl.exec{\"program\", \"argument\", timeout = 10}");
    const char *input = tfl_field_string(L, 1, "tfl.exec", "stdin", false);
    if (input) {
        lua_getfield(L, 1, "stdin");
        config.input = lua_tolstring(L, -1, &input_len);
        config.input_len = input_len;
    }
    const char **extra = tfl_proc_env(L);
    tfl_task_check(L, "tfl.exec");
    const char **env = tfl_env_merge(NULL, (const char *const *)extra);
    config.env = (const char *const *)env;
    struct tfl_exec *exec = tfl_exec_start(tfl_engine(L)->loop, &config, &err);
    free(env);
    if (!exec)
        return tfl_raise(L, &err);
    return tfl_task_await(L, &exec->op, push_exec);
}

/* ---- guardian and ledger */

/* proc.guardian_start{run_id =, dir = run folder}: from here on nothing of the run is left behind, whatever happens to tfl.
 * Raises wrong_state (the run id was used, or a run is guarded already), io, spawn. */
static int l_guardian_start(lua_State *L)
{
    struct tfl_error err;
    luaL_checktype(L, 1, LUA_TTABLE);
    const char *run_id = tfl_field_string(L, 1, "guardian_start", "run_id", true);
    const char *dir = tfl_field_string(L, 1, "guardian_start", "dir", false);
    if (run.ledger) {
        tfl_fail(&err, TFL_E_STATE, "the run %s is not over yet", tfl_ledger_run_id(run.ledger));
        return tfl_raise(L, &err);
    }
    forget_guardian();
    run.guardian = tfl_guardian_start(tfl_engine(L)->loop, run_id, dir, &err);
    if (!run.guardian)
        return tfl_raise(L, &err);
    run.ledger = tfl_guardian_ledger(run.guardian);
    return 0;
}

/* proc.guardian_bye() waits: undoes what the ledger still holds, lets the guardian go. Nothing without a guardian.
 * Raises io, timeout: something could not be undone; its ledger stays for `tfl clean`. */
static int l_guardian_bye(lua_State *L)
{
    if (!run.ledger)
        return 0;
    tfl_task_check(L, "guardian_bye");
    run.ledger = NULL;
    return tfl_task_await(L, tfl_guardian_bye(run.guardian), NULL);
}

/* proc.guardian_pid() → pid, or nil without a guardian. */
static int l_guardian_pid(lua_State *L)
{
    if (!run.ledger)
        return 0;
    lua_pushinteger(L, tfl_guardian_pid(run.guardian));
    return 1;
}

/* proc.ledger_add{undo = "folder" | "argv" | "process" | "locks", …} → id: call it before making the thing (proc/ledger.h lists
 * the members). proc.ledger_done(id): the thing is gone. Raise wrong_state without a run, io. */
static int l_ledger_add(lua_State *L)
{
    struct tfl_error err;
    int64_t id;
    luaL_checktype(L, 1, LUA_TTABLE);
    tfl_field_string(L, 1, "ledger_add", "undo", true);
    if (!run.ledger) {
        tfl_fail(&err, TFL_E_STATE, "ledger_add: no run is guarded now");
        return tfl_raise(L, &err);
    }
    if (tfl_ledger_add(run.ledger, tfl_to_json(L, 1), &id, &err))
        return tfl_raise(L, &err);
    lua_pushinteger(L, id);
    return 1;
}

static int l_ledger_done(lua_State *L)
{
    struct tfl_error err;
    lua_Integer id = luaL_checkinteger(L, 1);
    if (run.ledger && tfl_ledger_done(run.ledger, id, &err))
        return tfl_raise(L, &err);
    return 0;
}

/* ---- locks */

static const char LOCK[] = "tfl.lock";

struct lock {
    char *path; /* NULL: let go of */
    int fd;
};

static int l_lock_close(lua_State *L)
{
    struct lock *lock = luaL_checkudata(L, 1, LOCK);
    if (lock->path)
        tfl_lockfile_release(lock->path, lock->fd);
    free(lock->path);
    lock->path = NULL;
    return 0;
}

/* proc.lock(path) → a lock (proc/lockfile.h) that is held until lock:close(), its collection, or the end of this tfl, however
 * that comes; nil: somebody else has it. Raises io. */
static int l_lock(lua_State *L)
{
    struct tfl_error err;
    const char *path = luaL_checkstring(L, 1);
    struct lock *lock = lua_newuserdatauv(L, sizeof *lock, 0);
    *lock = (struct lock){0};
    luaL_setmetatable(L, LOCK);
    lock->fd = tfl_lockfile_take(path, &err);
    if (lock->fd < 0) {
        lua_pushnil(L);
        return err.code == TFL_E_STATE ? 1 : tfl_raise(L, &err);
    }
    lock->path = tfl_strdup(path);
    return 1;
}

/* ---- clean */

static const char *text_of(struct json_object *what, const char *key)
{
    struct json_object *value;
    return json_object_object_get_ex(what, key, &value) ? json_object_get_string(value) : NULL;
}

static void describe_undone(struct json_object *what, struct tfl_buf *b)
{
    const char *undo = text_of(what, "undo"), *error = text_of(what, "error"), *path = text_of(what, "path");
    tfl_buf_adds(b, b->len ? "; " : "");
    if (error)
        tfl_buf_addf(b, "%s: %s", undo ? undo : "?", error);
    else if (text_of(what, "killed"))
        tfl_buf_addf(b, "%s processes killed", text_of(what, "killed"));
    else if (path)
        tfl_buf_addf(b, "%s %s removed", undo, path);
    else if (text_of(what, "argv"))
        tfl_buf_addf(b, "ran %s", text_of(what, "argv"));
    else
        tfl_buf_addf(b, "%s undone", undo);
}

static char *describe_run(struct json_object *of_run)
{
    TFL_BUF what = {0};
    struct json_object *undone = NULL;
    json_object_object_get_ex(of_run, "undone", &undone);
    size_t n = json_object_is_type(undone, json_type_array) ? json_object_array_length(undone) : 0;
    for (size_t i = 0; i < n; i++)
        describe_undone(json_object_array_get_idx(undone, i), &what);
    if (!n && text_of(of_run, "error"))
        tfl_buf_adds(&what, text_of(of_run, "error"));
    return tfl_sprintf("%s: %s", text_of(of_run, "run_id"), what.len ? what.data : "nothing was left");
}

static int push_clean(lua_State *L, struct tfl_op *op)
{
    struct tfl_undo *undo = TFL_CONTAINER(op, struct tfl_undo, op);
    size_t n = json_object_array_length(undo->report);
    lua_createtable(L, 0, 3);
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        char *line = describe_run(json_object_array_get_idx(undo->report, i));
        lua_pushstring(L, line);
        free(line);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "lines");
    lua_pushinteger(L, (lua_Integer)undo->failed);
    lua_setfield(L, -2, "failed");
    tfl_push_json(L, undo->report);
    lua_setfield(L, -2, "runs");
    return 1;
}

/* proc.clean() waits: undoes what dead runs left → {lines = one text for each such run, failed = how many could not be
 * undone wholly, runs = {{run_id =, undone = {…}, error =}…}}. Runs that live are left alone. */
static int l_clean(lua_State *L)
{
    tfl_task_check(L, "clean");
    return tfl_task_await(L, &tfl_clean(tfl_engine(L)->loop)->op, push_clean);
}

/* proc.state_dir() → $XDG_STATE_HOME/tfl, the folder of runs and ledgers; made if need be (io). */
static int l_state_dir(lua_State *L)
{
    struct tfl_error err;
    char *folder = tfl_state_folder("");
    int failed = tfl_mkdir_p(folder, 0755, &err);
    lua_pushstring(L, folder);
    free(folder);
    return failed ? tfl_raise(L, &err) : 1;
}

/* proc.signal_number(name) → the number of a signal ("INT"), or nil: there is none of that name. */
static int l_signal_number(lua_State *L)
{
    int number = tfl_signal_number(luaL_checkstring(L, 1));
    if (number)
        lua_pushinteger(L, number);
    else
        lua_pushnil(L);
    return 1;
}

static int l_gc(lua_State *L)
{
    (void)L;
    forget_guardian();
    return 0;
}

/* proc.load(pid) → seconds it ran so far, seconds it was ready and did not run, is it ready now | nil when nobody can tell. */
static int l_load(lua_State *L)
{
    struct tfl_procfs_load load;
    if (!tfl_procfs_load((pid_t)luaL_checkinteger(L, 1), &load))
        return 0;
    lua_pushnumber(L, (double)load.ran_ns / 1e9);
    lua_pushnumber(L, (double)load.waited_ns / 1e9);
    lua_pushboolean(L, load.ready);
    return 3;
}

int tfl_open_proc(lua_State *L)
{
    static const luaL_Reg functions[] = {{"exec", l_exec}, {"guardian_start", l_guardian_start},
        {"guardian_bye", l_guardian_bye}, {"guardian_pid", l_guardian_pid}, {"ledger_add", l_ledger_add},
        {"ledger_done", l_ledger_done}, {"clean", l_clean}, {"state_dir", l_state_dir},
        {"signal_number", l_signal_number}, {"load", l_load}, {"lock", l_lock}, {NULL, NULL}};
    static const luaL_Reg none[] = {{NULL, NULL}}, lock[] = {{"close", l_lock_close}, {NULL, NULL}};
    tfl_class(L, "tfl.proc", none, l_gc);
    tfl_class(L, LOCK, lock, l_lock_close);
    luaL_newlib(L, functions);
    lua_pushcfunction(L, tfl_process_open(L));
    lua_setfield(L, -2, "start");
    lua_pushliteral(L, TFL_CAPTURE_GONE);
    lua_setfield(L, -2, "LOG_GONE");
    lua_newuserdatauv(L, 1, 0); /* its collection, with the state, is the end of the guardian object */
    luaL_setmetatable(L, "tfl.proc");
    lua_setfield(L, LUA_REGISTRYINDEX, "tfl.proc.end");
    return 1;
}
