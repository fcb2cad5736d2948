#include "terminal/line_editor.h"

#include "base/log.h"
#include "terminal/fiber.h"
#include "terminal/layout.h"
#include "terminal/tty.h"
#include "terminal/wide.h"

#include <histedit.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEYS_MAX = 1 << 16, HISTORY_MAX = 1000, PROMPT_MAX = 64, CTRL_C = 3 };

struct tfl_editor {
    struct tfl_loop *loop;
    struct tfl_tty tty;
    void (*changed)(void *arg);
    void *arg;
    FILE *out; /* what libedit writes goes to the tty, which does not block */
    EditLine *el;
    HistoryW *history;
    struct tfl_fiber *fiber;
    struct tfl_signal resized;
    wchar_t *keys; /* typed and not read yet: KEYS_MAX of them from `from` to n_keys */
    size_t from, n_keys;
    mbstate_t partial;
    wchar_t prompt[PROMPT_MAX];
    enum { IDLE, EDITING, COMPLETING } state;
    bool cancelled, answered, closing;
    /* what happened: at most one line or request, which nothing follows until it is taken */
    bool has_cancel, has_end;
    char *line, *request, *taken;
};

static void tell(struct tfl_editor *e)
{
    e->changed(e->arg);
}

static struct tfl_editor *editor_of(EditLine *el)
{
    void *e = NULL;
    el_get(el, EL_CLIENTDATA, &e);
    return e;
}

/* ---- on the fiber: what libedit calls */

static int get_key(EditLine *el, wchar_t *key)
{
    struct tfl_editor *e = editor_of(el);
    while (e->from == e->n_keys && !e->closing)
        tfl_fiber_yield(e->fiber);
    if (e->closing)
        return 0;
    *key = e->keys[e->from++];
    return 1;
}

static wchar_t *get_prompt(EditLine *el)
{
    return editor_of(el)->prompt;
}

/* Ctrl-C: the line stays to be seen, and the newline that ends it is the next key. */
static unsigned char cancel_line(EditLine *el, int key)
{
    struct tfl_editor *e = editor_of(el);
    const LineInfoW *line = el_wline(el);
    (void)key;
    el_cursor(el, (int)(line->lastchar - line->cursor));
    el_winsertstr(el, L"^C");
    e->cancelled = true;
    e->keys[--e->from] = L'\n'; /* in the place of the Ctrl-C */
    return CC_REFRESH;
}

static unsigned char complete_line(EditLine *el, int key)
{
    struct tfl_editor *e = editor_of(el);
    const LineInfoW *line = el_wline(el);
    const wchar_t *at = line->buffer;
    (void)key;
    while (at < line->cursor && (*at == L' ' || *at == L'\t'))
        at++;
    if (at == line->cursor) /* nothing to complete: code that is indented, maybe pasted */
        return el_winsertstr(el, L"  ") ? CC_ERROR : CC_REFRESH;
    free(e->request);
    e->request = tfl_wide_to_utf8(line->buffer, (size_t)(line->cursor - line->buffer));
    e->state = COMPLETING;
    e->answered = false;
    tell(e);
    while (!e->answered && !e->closing)
        tfl_fiber_yield(e->fiber);
    return CC_REFRESH;
}

static void edit_lines(void *arg)
{
    struct tfl_editor *e = arg;
    while (!e->closing) {
        if (e->state == IDLE) {
            tfl_fiber_yield(e->fiber);
            continue;
        }
        int n = 0;
        e->cancelled = false;
        const wchar_t *line = el_wgets(e->el, &n);
        e->state = IDLE;
        if (e->closing)
            return;
        if (e->cancelled) {
            e->has_cancel = true;
        } else if (!line || n <= 0) {
            tfl_tty_write(&e->tty, "\r\n", 2); /* libedit leaves the cursor in the line */
            e->has_end = true;
        } else {
            while (n > 0 && (line[n - 1] == L'\n' || line[n - 1] == L'\r'))
                n--;
            free(e->line);
            e->line = tfl_wide_to_utf8(line, (size_t)n);
        }
        tell(e);
    }
}

/* ---- keys */

static void add_key(struct tfl_editor *e, wchar_t key)
{
    if (e->state == IDLE && key == CTRL_C) {
        e->from = e->n_keys = 0;
        e->has_cancel = true;
        tell(e);
        return;
    }
    if (e->n_keys == KEYS_MAX && e->from > 0) {
        memmove(e->keys, e->keys + e->from, (e->n_keys - e->from) * sizeof *e->keys);
        e->n_keys -= e->from;
        e->from = 0;
    }
    if (e->n_keys < KEYS_MAX)
        e->keys[e->n_keys++] = key;
    else
        tfl_tty_write(&e->tty, "\a", 1); /* the key is lost */
}

static void on_input(struct tfl_tty *tty, const char *data, size_t n)
{
    struct tfl_editor *e = TFL_CONTAINER(tty, struct tfl_editor, tty);
    if (n == 0) {
        e->has_end = true;
        tell(e);
        return;
    }
    for (size_t i = 0; i < n;) {
        wchar_t key;
        size_t len = mbrtowc(&key, data + i, n - i, &e->partial);
        if (len == (size_t)-2)
            break; /* the rest of the character is still to come */
        if (len == (size_t)-1) {
            e->partial = (mbstate_t){0};
            key = L'\ufffd';
            len = 1;
        }
        add_key(e, key);
        i += len ? len : 1;
    }
    if (e->from == e->n_keys)
        e->from = e->n_keys = 0;
    if (e->state == EDITING)
        tfl_fiber_resume(e->fiber);
}

/* ---- what is seen */

static ssize_t out_write(void *cookie, const char *data, size_t n)
{
    tfl_tty_write(cookie, data, n);
    return (ssize_t)n;
}

/* Takes prompt and line off the screen; the cursor is where they began. */
static void erase(struct tfl_editor *e)
{
    const LineInfoW *line = el_wline(e->el);
    size_t prompt = wcslen(e->prompt), n = (size_t)(line->cursor - line->buffer);
    wchar_t *all = tfl_alloc((prompt + n + 1) * sizeof *all);
    wmemcpy(all, e->prompt, prompt);
    wmemcpy(all + prompt, line->buffer, n);
    int rows = tfl_layout_rows(all, prompt + n, tfl_tty_columns(&e->tty));
    free(all);
    char codes[32];
    int len = rows > 0 ? snprintf(codes, sizeof codes, "\r\033[%dA\033[J", rows)
                       : snprintf(codes, sizeof codes, "\r\033[J");
    tfl_tty_write(&e->tty, codes, (size_t)len);
}

void tfl_editor_print(struct tfl_editor *e, const char *text, size_t n)
{
    if (e->state != IDLE)
        erase(e);
    tfl_tty_write(&e->tty, text, n);
    if (e->state != IDLE)
        el_set(e->el, EL_REFRESH);
}

static void print_log(void *arg, const char *line, size_t n)
{
    tfl_editor_print(arg, line, n);
}

static void on_resized(struct tfl_signal *signal)
{
    struct tfl_editor *e = TFL_CONTAINER(signal, struct tfl_editor, resized);
    if (e->state != IDLE)
        erase(e);
    el_resize(e->el);
    if (e->state != IDLE)
        el_set(e->el, EL_REFRESH);
}

void tfl_editor_size(const struct tfl_editor *e, int *columns, int *rows)
{
    *columns = tfl_tty_columns(&e->tty);
    *rows = tfl_tty_rows(&e->tty);
}

/* ---- start and end */

static void bind_keys(EditLine *el)
{
    static const char *const keys[][2] = {{"^I", "tfl-complete"}, {"^C", "tfl-cancel"},
        {"^R", "em-inc-search-prev"}, {"^S", "em-inc-search-next"}, {"^W", "ed-delete-prev-word"},
        {"\\e[A", "ed-prev-history"}, {"\\e[B", "ed-next-history"}, {"\\e[C", "ed-next-char"},
        {"\\e[D", "ed-prev-char"}, {"\\e[H", "ed-move-to-beg"}, {"\\e[F", "ed-move-to-end"},
        {"\\e[1~", "ed-move-to-beg"}, {"\\e[4~", "ed-move-to-end"}, {"\\e[3~", "ed-delete-next-char"},
        {"\\e[1;5C", "em-next-word"}, {"\\e[1;5D", "ed-prev-word"}};
    /* el_set would leak these strings */
    el_wset(el, EL_ADDFN, L"tfl-complete", L"Complete the word before the cursor", complete_line);
    el_wset(el, EL_ADDFN, L"tfl-cancel", L"Give the line up", cancel_line);
    for (size_t i = 0; i < TFL_LEN(keys); i++)
        el_set(el, EL_BIND, keys[i][0], keys[i][1], NULL);
}

static void start_libedit(struct tfl_editor *e)
{
    const cookie_io_functions_t out = {.write = out_write};
    e->out = fopencookie(&e->tty, "w", out);
    TFL_ASSERT(e->out);
    e->el = el_init_fd("tfl", stdin, e->out, e->out, e->tty.fd, e->tty.fd, e->tty.fd);
    e->history = history_winit();
    TFL_ASSERT(e->el && e->history); /* out of memory */
    HistEventW event;
    history_w(e->history, &event, H_SETSIZE, HISTORY_MAX);
    history_w(e->history, &event, H_SETUNIQUE, 1);
    el_set(e->el, EL_CLIENTDATA, e);
    el_set(e->el, EL_SIGNAL, 0);
    el_wset(e->el, EL_PROMPT, get_prompt);
    el_wset(e->el, EL_GETCFN, get_key);
    el_wset(e->el, EL_HIST, history_w, e->history);
    el_set(e->el, EL_EDITOR, "emacs");
    bind_keys(e->el);
    /* -d: while a line is edited; -x: while none is. Keys make no signals and stop no output in either. */
    el_set(e->el, EL_SETTY, "-d", "-isig", "-ixon", NULL);
    el_set(e->el, EL_SETTY, "-x", "-isig", "-ixon", "-icanon", "-echo", "-iexten", NULL);
}

struct tfl_editor *tfl_editor_new(
    struct tfl_loop *loop, int fd, void (*changed)(void *arg), void *arg, struct tfl_error *err)
{
    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        setlocale(LC_CTYPE, "");
    struct tfl_editor *e = tfl_alloc(sizeof *e);
    e->loop = loop;
    e->changed = changed;
    e->arg = arg;
    e->keys = tfl_alloc(KEYS_MAX * sizeof *e->keys);
    if (tfl_tty_open(&e->tty, loop, fd, on_input, err)) {
        e->tty.fd = -1;
        tfl_editor_free(e);
        return NULL;
    }
    start_libedit(e);
    if (!(e->fiber = tfl_fiber_new(edit_lines, e, err)) ||
        tfl_signal_start(loop, &e->resized, SIGWINCH, on_resized, err)) {
        tfl_editor_free(e);
        return NULL;
    }
    if (isatty(STDERR_FILENO))
        tfl_log_to(print_log, e);
    return e;
}

void tfl_editor_free(struct tfl_editor *e)
{
    if (!e)
        return;
    tfl_log_to(NULL, NULL);
    tfl_signal_stop(e->loop, &e->resized);
    if (e->fiber && e->state != IDLE)
        tfl_tty_write(&e->tty, "\r\n", 2);
    e->closing = true;
    if (e->fiber)
        tfl_fiber_resume(e->fiber); /* libedit gets an end of file and returns */
    if (e->el)
        el_end(e->el);
    if (e->history)
        history_wend(e->history);
    if (e->out)
        fclose(e->out);
    tfl_fiber_free(e->fiber);
    tfl_tty_close(&e->tty);
    free(e->keys);
    free(e->line);
    free(e->request);
    free(e->taken);
    free(e);
}

/* ---- what is asked of it */

enum tfl_editor_event tfl_editor_take(struct tfl_editor *e, const char **text)
{
    *text = NULL;
    free(e->taken);
    e->taken = NULL;
    if (e->line || e->request) {
        bool line = e->line != NULL;
        *text = e->taken = line ? e->line : e->request;
        e->line = line ? NULL : e->line;
        e->request = line ? e->request : NULL;
        return line ? TFL_EDITOR_LINE : TFL_EDITOR_COMPLETE;
    }
    if (e->has_cancel) {
        e->has_cancel = false;
        return TFL_EDITOR_CANCEL;
    }
    if (e->has_end) {
        e->has_end = false;
        return e->tty.gone ? TFL_EDITOR_GONE : TFL_EDITOR_END;
    }
    return TFL_EDITOR_NOTHING;
}

void tfl_editor_edit(struct tfl_editor *e, const char *prompt)
{
    if (e->state != IDLE)
        return;
    wchar_t *wide = tfl_wide(prompt);
    wcsncpy(e->prompt, wide, PROMPT_MAX - 1);
    free(wide);
    e->state = EDITING;
    tfl_fiber_resume(e->fiber);
}

void tfl_editor_complete(struct tfl_editor *e, const char *text)
{
    if (e->state != COMPLETING)
        return;
    wchar_t *wide = tfl_wide(text);
    if (*wide)
        el_winsertstr(e->el, wide);
    free(wide);
    e->state = EDITING;
    e->answered = true;
    tfl_fiber_resume(e->fiber);
}

void tfl_editor_remember(struct tfl_editor *e, const char *line)
{
    HistEventW event;
    wchar_t *wide = tfl_wide(line);
    history_w(e->history, &event, H_ENTER, wide);
    free(wide);
}
