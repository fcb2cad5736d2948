/* The tfl program: makes the engine and one Lua state, runs tfl.cli in the root task, and turns the loop
 * until it ends. */
#include "base/log.h"
#include "bindings/task.h"
#include "net/http_client.h"
#include "proc/guardian.h"
#include "terminal/tty.h"

#include <fcntl.h>
#include <lualib.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct program {
    struct tfl_engine engine;
    struct tfl_signal signals[4];
};

static void interrupted(struct tfl_engine *engine, int signum)
{
    engine->signum = signum;
    if (++engine->interrupts > 1) {
        tfl_guardian_interrupted();
        tfl_tty_restore();
        dprintf(STDERR_FILENO, "\ntfl: asked twice to stop; leaving at once, the guardian cleans up\n");
        _exit(130);
    }
    tfl_task_interrupt(engine);
}

static const int signums[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

static void on_int(struct tfl_signal *s)
{
    interrupted(&TFL_CONTAINER(s, struct program, signals[0])->engine, SIGINT);
}

static void on_term(struct tfl_signal *s)
{
    interrupted(&TFL_CONTAINER(s, struct program, signals[1])->engine, SIGTERM);
}

static void on_hup(struct tfl_signal *s)
{
    interrupted(&TFL_CONTAINER(s, struct program, signals[2])->engine, SIGHUP);
}

static void on_quit(struct tfl_signal *s)
{
    interrupted(&TFL_CONTAINER(s, struct program, signals[3])->engine, SIGQUIT);
}

/* What would block the loop or skip the clean-up says what to use instead. */
static int l_forbidden(lua_State *L)
{
    return luaL_error(L, "%s is not there in tfl: %s", lua_tostring(L, lua_upvalueindex(1)),
        lua_tostring(L, lua_upvalueindex(2)));
}

static void forbid(lua_State *L, const char *table, const char *name, const char *instead)
{
    lua_getglobal(L, table);
    lua_pushfstring(L, "%s.%s", table, name);
    lua_pushstring(L, instead);
    lua_pushcclosure(L, l_forbidden, 2);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
}

/* lua/ lies at ../share/tfl/lua from the program, in the build tree and in an installed prefix alike. */
static void set_paths(lua_State *L)
{
    char exe[4096];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[n > 0 ? n : 0] = '\0';
    for (int i = 0; i < 2; i++) {
        char *slash = strrchr(exe, '/');
        if (slash)
            *slash = '\0';
    }
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "path");
    lua_pushfstring(
        L, "%s/share/tfl/lua/?.lua;%s/share/tfl/lua/?/init.lua;%s", exe, exe, lua_tostring(L, -1));
    lua_setfield(L, -3, "path");
    lua_pop(L, 2);
}

static void preload(lua_State *L)
{
    static const luaL_Reg modules[] = {{"error", tfl_open_error}, {"task", tfl_open_task},
        {"wait", tfl_open_wait}, {"json", tfl_open_json}, {"sys", tfl_open_sys}, {"client", tfl_open_client},
        {"block_feed", tfl_open_block_feed}, {"topology", tfl_open_topology}, {"yaml", tfl_open_yaml},
        {"local", tfl_open_local}, {"record", tfl_open_record}, {"proc", tfl_open_proc},
        {"load", tfl_open_load}, {"links", tfl_open_links}, {"pacer", tfl_open_pacer},
        {"wallet", tfl_open_wallet}, {"ledger", tfl_open_ledger}, {"keys", tfl_open_keys},
        {"http", tfl_open_http}, {"terminal", tfl_open_terminal}};
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    for (size_t i = 0; i < TFL_LEN(modules); i++) {
        lua_pushfstring(L, "tfl.core.%s", modules[i].name);
        lua_pushcfunction(L, modules[i].func);
        lua_settable(L, -3);
    }
    lua_pop(L, 1);
}

static int open_state(lua_State *L)
{
    luaL_openlibs(L);
    forbid(L, "os", "execute",
        "it would stop the event loop; use tfl.exec{\"program\", \"argument\", timeout = 10}");
    forbid(L, "io", "popen",
        "it would stop the event loop; use tfl.exec{\"program\", \"argument\", timeout = 10}");
    forbid(L, "os", "exit", "it would leave the cluster behind; use ctx:fail(message), or return");
    set_paths(L);
    preload(L);
    lua_getglobal(L, "require"); /* other bindings raise errors of its class */
    lua_pushliteral(L, "tfl.core.error");
    lua_call(L, 1, 0);
    return 0;
}

/* Loads tfl.cli and starts its main in the root task; returns that task. */
static int start(lua_State *L)
{
    char **argv = lua_touserdata(L, 1);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "tfl.core.task");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "spawn");
    lua_pushliteral(L, "root");
    lua_getglobal(L, "require");
    lua_pushliteral(L, "tfl.cli");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "main");
    lua_remove(L, -2);
    lua_newtable(L);
    for (int i = 1; argv[i]; i++) {
        lua_pushstring(L, argv[i]);
        lua_rawseti(L, -2, i);
    }
    lua_call(L, 3, 1);
    return 1;
}

/* The exit code of the root task: what main returned, or 3 with its error on stderr. */
static int result(lua_State *L)
{
    lua_getfield(L, 1, "result");
    lua_pushvalue(L, 1);
    lua_call(L, 1, 3);
    if (lua_isboolean(L, -3) && lua_toboolean(L, -3)) {
        lua_pop(L, 1);
        return 1; /* of true, code, nil: the code */
    }
    const char *traceback = lua_tostring(L, -1) ? lua_tostring(L, -1) : "";
    fprintf(stderr, "tfl: %s\n%s\nThis is a defect of tfl, please report it.\n", luaL_tolstring(L, -2, NULL),
        traceback);
    lua_pushinteger(L, 3);
    return 1;
}

static int run(struct program *p, lua_State *L, char **argv)
{
    lua_pushcfunction(L, open_state);
    if (lua_pcall(L, 0, 0, 0) == LUA_OK) {
        lua_pushcfunction(L, start);
        lua_pushlightuserdata(L, argv);
        if (lua_pcall(L, 1, 1, 0) == LUA_OK) {
            for (;;) {
                tfl_task_drain(L);
                lua_getfield(L, 1, "status");
                lua_pushvalue(L, 1);
                lua_call(L, 1, 1);
                bool over = strcmp(lua_tostring(L, -1), "running") != 0;
                lua_pop(L, 1);
                if (over)
                    break;
                tfl_loop_turn(p->engine.loop, tfl_ready_empty(&p->engine.ready));
            }
            lua_pushcfunction(L, result);
            lua_insert(L, 1);
            if (lua_pcall(L, 1, 1, 0) == LUA_OK)
                return (int)lua_tointeger(L, -1);
        }
    }
    fprintf(stderr, "tfl: %s\n", lua_tostring(L, -1) ? lua_tostring(L, -1) : "cannot start");
    return 3;
}

int main(int argc, char **argv)
{
    static struct program p;
    static void (*const handlers[])(struct tfl_signal *) = {on_int, on_term, on_hup, on_quit};
    struct tfl_error err;
    if (argc > 1 && !strcmp(argv[1], "--guardian"))
        return tfl_guardian_main(argc, argv);
    int spare;
    do /* a closed stdin, stdout or stderr would be given to a file of the run */
        spare = open("/dev/null", O_RDWR);
    while (spare >= 0 && spare <= STDERR_FILENO);
    close(spare);
    if (sodium_init() < 0 || !(p.engine.loop = tfl_loop_new(&err)) ||
        !(p.engine.http = tfl_http_new(p.engine.loop, &err))) {
        fprintf(stderr, "tfl: cannot start: %s\n", err.msg);
        return 3;
    }
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < TFL_LEN(signums); i++)
        if (tfl_signal_start(p.engine.loop, &p.signals[i], signums[i], handlers[i], &err)) {
            fprintf(stderr, "tfl: %s\n", err.msg);
            return 3;
        }
    lua_State *L = luaL_newstate();
    if (!L) {
        fputs("tfl: out of memory\n", stderr);
        return 3;
    }
    *(struct tfl_engine **)lua_getextraspace(L) = &p.engine;
    int code = run(&p, L, argv);
    lua_close(L);
    for (size_t i = 0; i < TFL_LEN(signums); i++)
        tfl_signal_stop(p.engine.loop, &p.signals[i]);
    tfl_http_free(p.engine.http);
    tfl_loop_free(p.engine.loop);
    return code;
}
