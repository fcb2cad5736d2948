#include "terminal/wide.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

char *tfl_wide_to_utf8(const wchar_t *text, size_t n)
{
    char *out = tfl_alloc(n * MB_CUR_MAX + 1), *at = out;
    mbstate_t state = {0};
    for (size_t i = 0; i < n; i++) {
        size_t len = wcrtomb(at, text[i], &state);
        if (len != (size_t)-1)
            at += len;
    }
    *at = '\0';
    return out;
}

wchar_t *tfl_wide(const char *text)
{
    size_t n = strlen(text), made = 0;
    wchar_t *out = tfl_alloc((n + 1) * sizeof *out);
    mbstate_t state = {0};
    for (size_t i = 0; i < n;) {
        size_t len = mbrtowc(&out[made], text + i, n - i, &state);
        if (len == (size_t)-1 || len == (size_t)-2) {
            out[made] = L'\ufffd';
            state = (mbstate_t){0};
            len = 1;
        }
        made++;
        i += len ? len : 1;
    }
    return out;
}
