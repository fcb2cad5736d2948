#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *string;
    enum tfl_class class;
} codes[] = {[TFL_OK] = {"ok", TFL_INFRA},
#define X(id, string, class) [TFL_E_##id] = {string, class},
    TFL_CODES(X)
#undef X
};

const char *tfl_code_string(enum tfl_code code)
{
    return (size_t)code < TFL_LEN(codes) ? codes[code].string : "internal";
}

enum tfl_class tfl_code_class(enum tfl_code code)
{
    return (size_t)code < TFL_LEN(codes) ? codes[code].class : TFL_INFRA;
}

int tfl_fail(struct tfl_error *err, enum tfl_code code, const char *fmt, ...)
{
    if (err) {
        va_list ap;
        err->code = code;
        err->node[0] = '\0';
        va_start(ap, fmt);
        vsnprintf(err->msg, sizeof err->msg, fmt, ap);
        va_end(ap);
    }
    return -1;
}

int tfl_fail_errno(struct tfl_error *err, enum tfl_code code, int errnum, const char *fmt, ...)
{
    if (err) {
        va_list ap;
        err->code = errnum == ENOSPC || errnum == EDQUOT ? TFL_E_NO_SPACE : code;
        err->node[0] = '\0';
        va_start(ap, fmt);
        vsnprintf(err->msg, sizeof err->msg, fmt, ap);
        va_end(ap);
        size_t n = strlen(err->msg);
        snprintf(err->msg + n, sizeof err->msg - n, ": %s", strerror(errnum));
    }
    return -1;
}

int tfl_wrap(struct tfl_error *err, const char *fmt, ...)
{
    if (err) {
        char old[sizeof err->msg];
        va_list ap;
        memcpy(old, err->msg, sizeof old);
        va_start(ap, fmt);
        vsnprintf(err->msg, sizeof err->msg, fmt, ap);
        va_end(ap);
        size_t n = strlen(err->msg);
        snprintf(err->msg + n, sizeof err->msg - n, ": %s", old);
    }
    return -1;
}

void tfl_assert_failed(const char *cond, const char *file, int line)
{
    fprintf(stderr, "tfl: broken promise `%s` at %s:%d; this is a defect of tfl, please report it\n", cond,
        file, line);
    abort();
}

static void *must(void *p)
{
    if (!p) {
        fputs("tfl: out of memory\n", stderr);
        abort();
    }
    return p;
}

void *tfl_alloc(size_t size)
{
    return must(calloc(1, size ? size : 1));
}

void *tfl_realloc(void *p, size_t size)
{
    return must(realloc(p, size ? size : 1));
}

char *tfl_strdup(const char *s)
{
    return must(strdup(s));
}

char *tfl_strndup(const char *s, size_t n)
{
    return must(strndup(s, n));
}

char *tfl_sprintf(const char *fmt, ...)
{
    char *s = NULL;
    va_list ap;
    va_start(ap, fmt);
    if (vasprintf(&s, fmt, ap) < 0)
        s = NULL;
    va_end(ap);
    return must(s);
}

void tfl_free_p(void *pp)
{
    free(*(void **)pp);
}

void tfl_close_p(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
