/* The small things of the process and host that Lua needs: terminal, files, signals, host pressure. */
#include "base/fs.h"
#include "base/log.h"
#include "base/redact.h"
#include "bindings/task.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { MAX_FILE = 64 << 20, PART_OF_FILE = 1 << 20 };

/* Pushes the string at i without users and passwords in its URLs. */
static void push_redacted(lua_State *L, int i)
{
    size_t n;
    luaL_Buffer b;
    const char *text = lua_tolstring(L, i, &n);
    char *copy = luaL_buffinitsize(L, &b, n);
    memcpy(copy, text, n);
    luaL_pushresultsize(&b, tfl_redact(copy, n));
}

/* sys.write(fd, text): writes all of it, redacted; false when the reader is gone (a closed pipe must not end a run). */
static int l_write(lua_State *L)
{
    int fd = (int)luaL_checkinteger(L, 1);
    size_t n;
    luaL_checkstring(L, 2);
    lua_settop(L, 2);
    push_redacted(L, 2);
    const char *text = lua_tolstring(L, -1, &n);
    while (n) {
        ssize_t w = write(fd, text, n);
        if (w < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (w < 0)
            break;
        text += w;
        n -= (size_t)w;
    }
    lua_pushboolean(L, n == 0);
    return 1;
}

/* sys.redact(text) → the text without secrets. */
static int l_redact(lua_State *L)
{
    luaL_checkstring(L, 1);
    push_redacted(L, 1);
    return 1;
}

/* sys.isatty(fd) → boolean; sys.columns() → width and height of the terminal of stderr or stdout, 80 and 24
 * when there is none. */
static int l_isatty(lua_State *L)
{
    lua_pushboolean(L, isatty((int)luaL_checkinteger(L, 1)));
    return 1;
}

static int l_columns(lua_State *L)
{
    struct winsize ws;
    bool known =
        (!ioctl(STDERR_FILENO, TIOCGWINSZ, &ws) || !ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws)) && ws.ws_col > 0;
    lua_pushinteger(L, known ? ws.ws_col : 80);
    lua_pushinteger(L, known && ws.ws_row > 0 ? ws.ws_row : 24);
    return 2;
}

/* sys.exe() → path of the running tfl. */
static int l_exe(lua_State *L)
{
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    lua_pushlstring(L, path, n > 0 ? (size_t)n : 0);
    return 1;
}

static int l_pid(lua_State *L)
{
    lua_pushinteger(L, getpid());
    return 1;
}

/* sys.cwd() → the folder that tfl was started in, or "/". */
static int l_cwd(lua_State *L)
{
    char *folder = getcwd(NULL, 0);
    lua_pushstring(L, folder ? folder : "/");
    free(folder);
    return 1;
}

/* sys.random() → a seed of 31 bits from the system: short enough to type again. */
static int l_random(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)(randombytes_random() & 0x7fffffff));
    return 1;
}

/* sys.stat(path) → {type = "file" | "folder" | "other", size, executable, id (inode)} | nil */
static int l_stat(lua_State *L)
{
    struct stat st;
    const char *path = luaL_checkstring(L, 1);
    if (stat(path, &st)) {
        lua_pushnil(L);
        return 1;
    }
    lua_createtable(L, 0, 4);
    lua_pushinteger(L, (lua_Integer)st.st_ino);
    lua_setfield(L, -2, "id");
    lua_pushstring(L, S_ISREG(st.st_mode) ? "file" : S_ISDIR(st.st_mode) ? "folder" : "other");
    lua_setfield(L, -2, "type");
    lua_pushinteger(L, st.st_size);
    lua_setfield(L, -2, "size");
    lua_pushboolean(L, !access(path, X_OK));
    lua_setfield(L, -2, "executable");
    return 1;
}

/* sys.disk_free(path) → bytes that this user may still write there; a very large number when nobody can tell. */
static int l_disk_free(lua_State *L)
{
    struct statvfs st;
    lua_Integer free_bytes = LUA_MAXINTEGER;
    if (!statvfs(luaL_checkstring(L, 1), &st))
        free_bytes = (lua_Integer)st.f_bavail * (lua_Integer)st.f_frsize;
    lua_pushinteger(L, free_bytes);
    return 1;
}

/* sys.list(path) → array of names, sorted, without dot files | nil, message */
static int l_list(lua_State *L)
{
    struct dirent **names;
    const char *path = luaL_checkstring(L, 1);
    int n = scandir(path, &names, NULL, alphasort);
    if (n < 0)
        return luaL_fileresult(L, 0, path);
    lua_newtable(L);
    for (int i = 0, k = 0; i < n; i++) {
        if (names[i]->d_name[0] != '.') {
            lua_pushstring(L, names[i]->d_name);
            lua_rawseti(L, -2, ++k);
        }
        free(names[i]);
    }
    free(names);
    return 1;
}

/* sys.read_file(path) → text | nil, message (files of up to 64 MiB); sys.write_file(path, text): raises. */
static int l_read_file(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    struct tfl_buf b = {0};
    struct tfl_error err;
    if (tfl_read_file(path, &b, MAX_FILE, &err)) {
        tfl_buf_done(&b);
        lua_pushnil(L);
        lua_pushstring(L, err.msg);
        return 2;
    }
    lua_pushlstring(L, b.data, b.len);
    tfl_buf_done(&b);
    return 1;
}

/* sys.read_from(path, offset) → at most 1 MiB of text from there on ("" at the end), the offset after it; a file that is shorter
 * than offset (it began anew) is read from its start. nil, message when it cannot be read. */
static int l_read_from(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    lua_Integer offset = luaL_checkinteger(L, 2);
    FILE *file = fopen(path, "rbe");
    struct stat st;
    if (!file || fstat(fileno(file), &st)) {
        int fails = luaL_fileresult(L, 0, path);
        if (file)
            fclose(file);
        return fails;
    }
    if (offset < 0 || offset > st.st_size)
        offset = 0;
    luaL_Buffer b;
    char *text = luaL_buffinitsize(L, &b, PART_OF_FILE);
    size_t n = fseeko(file, offset, SEEK_SET) ? 0 : fread(text, 1, PART_OF_FILE, file);
    fclose(file);
    luaL_pushresultsize(&b, n);
    lua_pushinteger(L, offset + (lua_Integer)n);
    return 2;
}

/* sys.write_file(path, text, as_it_is): the whole file, redacted; as it is, with its secrets, it is its owner's alone. */
static int l_write_file(lua_State *L)
{
    size_t n;
    const char *path = luaL_checkstring(L, 1);
    bool as_it_is = lua_toboolean(L, 3);
    luaL_checkstring(L, 2);
    if (!as_it_is)
        push_redacted(L, 2);
    const char *text = lua_tolstring(L, as_it_is ? 2 : -1, &n);
    struct tfl_error err;
    if (tfl_write_file(path, text, n, as_it_is ? 0600 : 0644, &err))
        return tfl_raise(L, &err);
    return 0;
}

/* sys.loop_lag_ms() → the latest the loop was for a timer since the last call. */
static int l_loop_lag_ms(lua_State *L)
{
    lua_pushnumber(L, (double)tfl_loop_take_lag(tfl_engine(L)->loop) / 1e6);
    return 1;
}

/* sys.psi_full() → microseconds in which all tasks of the host stalled, cpu + io + memory since boot | nil
 * without PSI. (Linux Documentation/accounting/psi.rst; the cpu row has "full" since 5.13.) */
static int l_psi_full(lua_State *L)
{
    static const char *const files[] = {"/proc/pressure/cpu", "/proc/pressure/io", "/proc/pressure/memory"};
    lua_Integer sum = 0;
    bool any = false;
    for (size_t i = 0; i < TFL_LEN(files); i++) {
        struct tfl_buf b = {0};
        const char *full, *total;
        if (!tfl_read_file(files[i], &b, 4096, NULL) && (full = strstr(b.data, "full ")) &&
            (total = strstr(full, "total="))) {
            sum += strtoll(total + 6, NULL, 10);
            any = true;
        }
        tfl_buf_done(&b);
    }
    if (any)
        lua_pushinteger(L, sum);
    else
        lua_pushnil(L);
    return 1;
}

/* sys.log_configure(filter, format) → true | false, message: reads what TFL_LOG and TFL_LOG_FORMAT say. */
static int l_log_configure(lua_State *L)
{
    struct tfl_error err;
    if (!tfl_log_configure(luaL_optstring(L, 1, NULL), &err) &&
        !tfl_log_format(luaL_optstring(L, 2, NULL), &err)) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushboolean(L, 0);
    lua_pushstring(L, err.msg);
    return 2;
}

int tfl_open_sys(lua_State *L)
{
    static const luaL_Reg functions[] = {{"write", l_write}, {"redact", l_redact}, {"isatty", l_isatty},
        {"columns", l_columns}, {"exe", l_exe}, {"cwd", l_cwd}, {"pid", l_pid}, {"random", l_random},
        {"stat", l_stat}, {"disk_free", l_disk_free}, {"list", l_list}, {"read_file", l_read_file},
        {"read_from", l_read_from}, {"write_file", l_write_file}, {"loop_lag_ms", l_loop_lag_ms},
        {"psi_full", l_psi_full}, {"log_configure", l_log_configure}, {NULL, NULL}};
    luaL_newlib(L, functions);
    lua_pushliteral(L, TFL_VERSION);
    lua_setfield(L, -2, "version");
    return 1;
}
