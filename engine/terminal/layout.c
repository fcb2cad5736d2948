#include "terminal/layout.h"

#include <wctype.h>

enum { TAB = 8, BMP = 0xffff };

struct cursor {
    int row, column, columns;
};

/* A cell of that width; one that does not fit goes to the next row, and a full row makes the next one begin. */
static void put(struct cursor *at, int width)
{
    if (at->column + width > at->columns) {
        at->row++;
        at->column = 0;
    }
    at->column += width;
    if (at->column >= at->columns) {
        at->row++;
        at->column = 0;
    }
}

int tfl_layout_rows(const wchar_t *text, size_t n, int columns)
{
    struct cursor at = {.columns = columns > 1 ? columns : 2};
    for (size_t i = 0; i < n; i++) {
        wint_t c = (wint_t)text[i];
        int cells = 1;
        if (c == L'\n') {
            at.row++;
            at.column = 0;
            continue;
        }
        if (c == L'\t') {
            do
                put(&at, 1);
            while (at.column % TAB);
            continue;
        }
        if (c < 256 && iswcntrl(c))
            cells = 2; /* ^X */
        else if (!iswprint(c))
            cells = c > BMP ? 8 : 7; /* \U+1234 */
        else {
            int width = wcwidth((wchar_t)c);
            if (width > 0)
                put(&at, width);
            continue;
        }
        while (cells--)
            put(&at, 1);
    }
    return at.row;
}
