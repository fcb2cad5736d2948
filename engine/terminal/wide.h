#ifndef TFL_TERMINAL_WIDE_H
#define TFL_TERMINAL_WIDE_H

#include <stddef.h>
#include <wchar.h>

/* UTF-8, which the rest of tfl speaks, and the wide characters of libedit. Both give a text that the caller frees; what is no
 * character becomes U+FFFD, or is left out. The locale must be one of UTF-8. */
wchar_t *tfl_wide(const char *text);
char *tfl_wide_to_utf8(const wchar_t *text, size_t n);

#endif
