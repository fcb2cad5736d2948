#ifndef TFL_TERMINAL_LAYOUT_H
#define TFL_TERMINAL_LAYOUT_H

#include <stddef.h>
#include <wchar.h>

/* Rows that lie between the first cell of a text and the cursor behind it, when libedit has drawn it on a terminal of so many
 * columns, from the first column: it breaks lines itself, and shows control characters as ^X. */
int tfl_layout_rows(const wchar_t *text, size_t n, int columns);

#endif
