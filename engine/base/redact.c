#include "base/redact.h"

#include <string.h>

/* The bytes of "/" or "\/" at p, 0 when there is neither. */
static size_t slash(const char *p, const char *end)
{
    if (p < end && *p == '/')
        return 1;
    return end - p >= 2 && p[0] == '\\' && p[1] == '/' ? 2 : 0;
}

/* The last @ of what may be a user, a password and a host; NULL when there is none. */
static char *last_at(char *p, const char *end)
{
    char *at = NULL;
    for (; p < end && (unsigned char)*p > ' ' && !strchr("/?#\\\"'<>`", *p); p++)
        if (*p == '@')
            at = p;
    return at;
}

size_t tfl_redact(char *text, size_t n)
{
    char *end = text + n;
    for (char *p = text; (p = memchr(p, ':', (size_t)(end - p)));) {
        p++;
        size_t first = slash(p, end), second = first ? slash(p + first, end) : 0;
        if (!second)
            continue;
        p += first + second;
        char *at = last_at(p, end);
        if (!at || at == p)
            continue;
        *p++ = '*';
        memmove(p, at, (size_t)(end - at));
        end -= at - p;
    }
    return (size_t)(end - text);
}
