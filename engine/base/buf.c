#include "base/buf.h"

#include "base/error.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void tfl_buf_done(struct tfl_buf *b)
{
    if (b) {
        free(b->data);
        *b = (struct tfl_buf){0};
    }
}

void tfl_buf_clear(struct tfl_buf *b)
{
    b->len = 0;
    if (b->data)
        b->data[0] = '\0';
}

void tfl_buf_reserve(struct tfl_buf *b, size_t more)
{
    TFL_ASSERT(more < SIZE_MAX / 2 - b->len); /* so that no sum wraps, and doubling ends */
    size_t need = b->len + more + 1;
    if (need <= b->cap)
        return;
    size_t cap = b->cap ? b->cap : 64;
    while (cap < need)
        cap *= 2;
    b->data = tfl_realloc(b->data, cap);
    b->cap = cap;
}

void tfl_buf_add(struct tfl_buf *b, const void *data, size_t n)
{
    tfl_buf_reserve(b, n);
    if (n)
        memcpy(b->data + b->len, data, n);
    b->len += n;
    b->data[b->len] = '\0';
}

void tfl_buf_adds(struct tfl_buf *b, const char *s)
{
    tfl_buf_add(b, s, strlen(s));
}

void tfl_buf_addf(struct tfl_buf *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    TFL_ASSERT(n >= 0);
    tfl_buf_reserve(b, (size_t)n);
    vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
    va_end(again);
    b->len += (size_t)n;
}

void tfl_buf_eat(struct tfl_buf *b, size_t n)
{
    TFL_ASSERT(n <= b->len);
    if (!n)
        return;
    memmove(b->data, b->data + n, b->len - n + 1);
    b->len -= n;
}

char *tfl_hex(char *out, const uint8_t *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * n] = '\0';
    return out;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool tfl_unhex(uint8_t *out, size_t n, const char *hex, size_t len)
{
    if (len != 2 * n)
        return false;
    for (size_t i = 0; i < n; i++) {
        int hi = digit(hex[2 * i]), lo = digit(hex[2 * i + 1]);
        if (hi < 0 || lo < 0)
            return false;
        out[i] = (uint8_t)(hi << 4 | lo);
    }
    return true;
}

void tfl_buf_add_le(struct tfl_buf *b, uint64_t v, size_t n)
{
    uint8_t bytes[8];
    TFL_ASSERT(n <= sizeof bytes);
    tfl_put_le(bytes, v, n);
    tfl_buf_add(b, bytes, n);
}

const uint8_t *tfl_read_bytes(struct tfl_reader *r, size_t n)
{
    if (r->failed || r->left < n) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *p = r->p;
    r->p += n;
    r->left -= n;
    return p;
}

uint64_t tfl_read_le(struct tfl_reader *r, size_t n)
{
    const uint8_t *p = tfl_read_bytes(r, n);
    return p ? tfl_get_le(p, n) : 0;
}

void tfl_read_into(struct tfl_reader *r, uint8_t *out, size_t n)
{
    const uint8_t *p = tfl_read_bytes(r, n);
    if (p)
        memcpy(out, p, n);
    else
        memset(out, 0, n);
}
