/* tfl.core.terminal: lines that a person types, or that come from a file or pipe. */
#include "terminal/line_editor.h"

#include "bindings/wait.h"
#include "terminal/line_reader.h"

#include <string.h>
#include <unistd.h>

static const char EDITOR_META[] = "tfl.editor", READER_META[] = "tfl.line_reader";

struct l_editor {
    struct tfl_editor *editor;
    struct tfl_waiter *waiters;
};

struct l_reader {
    struct tfl_line_reader reader;
    struct tfl_waiter *waiters;
};

/* ---- editor */

static struct l_editor *check_editor(lua_State *L)
{
    struct l_editor *e = luaL_checkudata(L, 1, EDITOR_META);
    luaL_argcheck(L, e->editor, 1, "an editor that is not closed");
    return e;
}

static void editor_changed(void *arg)
{
    tfl_waiters_wake(&((struct l_editor *)arg)->waiters);
}

/* Pushes kind and text of the next event, if there is one. */
static int push_event(lua_State *L, struct l_editor *e)
{
    static const char *const kinds[] = {NULL, "line", "cancel", "complete", "end", "gone"};
    const char *text;
    enum tfl_editor_event kind = e->editor ? tfl_editor_take(e->editor, &text) : TFL_EDITOR_GONE;
    if (kind == TFL_EDITOR_NOTHING)
        return 0;
    lua_pushstring(L, kinds[kind]);
    lua_pushstring(L, e->editor ? text : NULL);
    return 2;
}

static int editor_next(lua_State *L, struct l_editor *e);

static int editor_waited(lua_State *L, struct tfl_op *op)
{
    (void)op;
    return push_event(L, lua_touserdata(L, 1)); /* nothing when another task was quicker */
}

static int editor_next(lua_State *L, struct l_editor *e)
{
    tfl_task_check(L, "editor:next");
    return tfl_task_await(L, tfl_waiter_new(tfl_engine(L)->loop, &e->waiters, -1), editor_waited);
}

/* editor:next() → "line", text | "cancel" | "complete", text before the cursor | "end" (Ctrl-D) | "gone"; waits for it. Nothing when another task
 * took it. */
static int l_editor_next(lua_State *L)
{
    struct l_editor *e = check_editor(L);
    int n = push_event(L, e);
    return n ? n : editor_next(L, e);
}

/* editor:edit(prompt): a line begins. */
static int l_editor_edit(lua_State *L)
{
    struct l_editor *e = check_editor(L);
    tfl_editor_edit(e->editor, luaL_checkstring(L, 2));
    return 0;
}

/* editor:complete(text): the answer to "complete", put in at the cursor. */
static int l_editor_complete(lua_State *L)
{
    struct l_editor *e = check_editor(L);
    tfl_editor_complete(e->editor, luaL_checkstring(L, 2));
    return 0;
}

/* editor:print(text): above the line that is edited; whole lines. */
static int l_editor_print(lua_State *L)
{
    size_t n;
    struct l_editor *e = check_editor(L);
    const char *text = luaL_checklstring(L, 2, &n);
    tfl_editor_print(e->editor, text, n);
    return 0;
}

/* editor:remember(line): into the history of this session. */
static int l_editor_remember(lua_State *L)
{
    struct l_editor *e = check_editor(L);
    tfl_editor_remember(e->editor, luaL_checkstring(L, 2));
    return 0;
}

/* editor:size() → columns, rows */
static int l_editor_size(lua_State *L)
{
    int columns, rows;
    tfl_editor_size(check_editor(L)->editor, &columns, &rows);
    lua_pushinteger(L, columns);
    lua_pushinteger(L, rows);
    return 2;
}

/* editor:close(): the terminal is as it was before. Who waits gets "gone". */
static int l_editor_close(lua_State *L)
{
    struct l_editor *e = luaL_checkudata(L, 1, EDITOR_META);
    tfl_editor_free(e->editor);
    e->editor = NULL;
    tfl_waiters_wake(&e->waiters);
    return 0;
}

/* terminal.editor() → editor on the terminal of stdin; raises io. */
static int l_editor(lua_State *L)
{
    struct tfl_error err;
    struct l_editor *e = lua_newuserdatauv(L, sizeof *e, 0);
    *e = (struct l_editor){.editor = NULL};
    luaL_setmetatable(L, EDITOR_META);
    e->editor = tfl_editor_new(tfl_engine(L)->loop, STDIN_FILENO, editor_changed, e, &err);
    return e->editor ? 1 : tfl_raise(L, &err);
}

/* ---- reader */

static void reader_changed(struct tfl_line_reader *reader)
{
    tfl_waiters_wake(&TFL_CONTAINER(reader, struct l_reader, reader)->waiters);
}

static int reader_next(lua_State *L, struct l_reader *r);

static int reader_waited(lua_State *L, struct tfl_op *op)
{
    (void)op;
    return reader_next(L, lua_touserdata(L, 1));
}

static int reader_next(lua_State *L, struct l_reader *r)
{
    size_t n;
    bool ended;
    const char *line = tfl_line_reader_take(&r->reader, &n, &ended);
    if (line)
        lua_pushlstring(L, line, n);
    else if (ended)
        lua_pushnil(L);
    else {
        tfl_line_reader_want(&r->reader);
        return tfl_task_await(L, tfl_waiter_new(tfl_engine(L)->loop, &r->waiters, -1), reader_waited);
    }
    return 1;
}

/* reader:next() → the next line; waits for it; nil at the end. */
static int l_reader_next(lua_State *L)
{
    struct l_reader *r = luaL_checkudata(L, 1, READER_META);
    tfl_task_check(L, "reader:next");
    return reader_next(L, r);
}

static int l_reader_close(lua_State *L)
{
    struct l_reader *r = luaL_checkudata(L, 1, READER_META);
    tfl_line_reader_stop(&r->reader);
    r->reader.ended = true;
    tfl_waiters_wake(&r->waiters);
    return 0;
}

/* terminal.reader() → reader of the lines of stdin. */
static int l_reader(lua_State *L)
{
    struct l_reader *r = lua_newuserdatauv(L, sizeof *r, 0);
    memset(r, 0, sizeof *r);
    tfl_line_reader_start(&r->reader, tfl_engine(L)->loop, STDIN_FILENO, reader_changed);
    luaL_setmetatable(L, READER_META);
    return 1;
}

int tfl_open_terminal(lua_State *L)
{
    static const luaL_Reg editor[] = {{"next", l_editor_next}, {"edit", l_editor_edit},
        {"complete", l_editor_complete}, {"print", l_editor_print}, {"remember", l_editor_remember},
        {"size", l_editor_size}, {"close", l_editor_close}, {NULL, NULL}};
    static const luaL_Reg reader[] = {{"next", l_reader_next}, {"close", l_reader_close}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"editor", l_editor}, {"reader", l_reader}, {NULL, NULL}};
    tfl_class(L, EDITOR_META, editor, l_editor_close);
    tfl_class(L, READER_META, reader, l_reader_close);
    luaL_newlib(L, functions);
    return 1;
}
