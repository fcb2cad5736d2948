#ifndef TFL_TERMINAL_LINE_EDITOR_H
#define TFL_TERMINAL_LINE_EDITOR_H

#include "loop/loop.h"

/* Lines typed at a terminal, edited with libedit, while the loop goes on. Between its start and its end the terminal is its own:
 * nothing is echoed, keys make no signals. One at a time. */
struct tfl_editor;

enum tfl_editor_event {
    TFL_EDITOR_NOTHING,
    TFL_EDITOR_LINE,     /* text: a line, without its end; nothing is edited any more */
    TFL_EDITOR_CANCEL,   /* Ctrl-C; a line that was edited is given up, and nothing is edited any more */
    TFL_EDITOR_COMPLETE, /* text: the line up to the cursor; it goes on with tfl_editor_complete */
    TFL_EDITOR_END,      /* Ctrl-D in an empty line; nothing is edited any more */
    TFL_EDITOR_GONE,     /* the terminal is gone: nothing comes after this */
};

/* Takes the terminal behind fd; tfl's own log goes there, too, when stderr is a terminal. changed(arg) is called when there is something to take. NULL and err: io (no terminal). */
struct tfl_editor *tfl_editor_new(
    struct tfl_loop *loop, int fd, void (*changed)(void *arg), void *arg, struct tfl_error *err);
/* Gives the terminal back as it was. NULL-safe. */
void tfl_editor_free(struct tfl_editor *editor);

/* The next thing that happened, in order. *text is valid until the next call; NULL when there is none. */
enum tfl_editor_event tfl_editor_take(struct tfl_editor *editor, const char **text);
/* Begins to edit a line, which ends with TFL_EDITOR_LINE, _CANCEL or _END. Keys typed before are not lost. Nothing while one is
 * edited already. */
void tfl_editor_edit(struct tfl_editor *editor, const char *prompt);
/* Answers TFL_EDITOR_COMPLETE: text is put in at the cursor ("" for nothing). */
void tfl_editor_complete(struct tfl_editor *editor, const char *text);
/* Writes whole lines (UTF-8) above the line that is edited, or just writes when there is none. */
void tfl_editor_print(struct tfl_editor *editor, const char *text, size_t n);
/* The next line that Arrow-up gives. The last 1,000 are kept, one that is the same as the one before it once. */
void tfl_editor_remember(struct tfl_editor *editor, const char *line);
/* The same as tfl_tty_columns and _rows. */
void tfl_editor_size(const struct tfl_editor *editor, int *columns, int *rows);

#endif
