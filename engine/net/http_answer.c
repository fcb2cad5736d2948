#include "net/http_answer.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

enum { LENGTH_MAX = 1 << 30 };

struct head {
    size_t end; /* bytes of the head */
    bool has_length, chunked;
    size_t length;
};

static int wrong(struct tfl_http_answer *a, const char *why)
{
    a->why = why;
    return -1;
}

/* The digits at p, in base 10 or 16; how many were used. 0 also when the number is above the bound. */
static size_t number(const char *p, const char *end, unsigned base, size_t *out)
{
    size_t value = 0, n = 0;
    for (; p + n < end; n++) {
        char c = p[n];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
                                                : 99;
        if (digit >= base)
            break;
        value = value * base + digit;
        if (value > LENGTH_MAX)
            return 0;
    }
    *out = value;
    return n;
}

static bool is(const char *line, size_t n, const char *name)
{
    return n > strlen(name) && strncasecmp(line, name, strlen(name)) == 0;
}

static bool holds(const char *value, const char *end, const char *word)
{
    size_t n = strlen(word);
    for (; value + n <= end; value++)
        if (strncasecmp(value, word, n) == 0)
            return true;
    return false;
}

static int header(struct tfl_http_answer *a, struct head *h, const char *line, size_t n)
{
    const char *end = line + n, *colon = memchr(line, ':', n);
    if (!colon)
        return wrong(a, "a header line without a colon");
    const char *value = colon + 1;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    if (is(line, n, "content-length:")) {
        if (!number(value, end, 10, &h->length))
            return wrong(a, "a content-length that is no number");
        h->has_length = true;
    } else if (is(line, n, "transfer-encoding:")) {
        h->chunked = holds(value, end, "chunked");
    } else if (is(line, n, "connection:")) {
        if (holds(value, end, "close"))
            a->close = true;
        else if (holds(value, end, "keep-alive"))
            a->close = false;
    }
    return 0;
}

/* Status line and headers. 1, 0 or -1 as above. */
static int read_head(struct tfl_http_answer *a, struct head *h, const char *data, size_t n)
{
    static const char protocol[] = "HTTP/1.";
    size_t start = sizeof protocol - 1, status;
    if (memcmp(data, protocol, n < start ? n : start) != 0)
        return wrong(a, "it does not begin with HTTP/1.");
    const char *end = memmem(data, n, "\r\n\r\n", 4), *line, *next;
    if (!end)
        return 0;
    h->end = (size_t)(end - data) + 4;
    if (data[start + 1] != ' ' || number(data + start + 2, end + 2, 10, &status) != 3 || status < 100)
        return wrong(a, "a status line without a status");
    a->status = (int)status;
    a->close = data[start] == '0';
    line = (const char *)memmem(data, h->end, "\r\n", 2) + 2;
    for (; line < end; line = next + 2) {
        next = memmem(line, h->end - (size_t)(line - data), "\r\n", 2);
        if (header(a, h, line, (size_t)(next - line)))
            return -1;
    }
    return 1;
}

static int read_chunks(struct tfl_http_answer *a, const char *data, size_t n, size_t at)
{
    for (bool first = true;; first = false) {
        size_t size, digits = number(data + at, data + n, 16, &size);
        const char *line_end = memmem(data + at, n - at, "\r\n", 2);
        if (!line_end)
            return n - at > 1024 ? wrong(a, "a chunk without a size") : 0;
        if (!digits)
            return wrong(a, "a chunk without a size");
        at = (size_t)(line_end - data) + 2;
        if (size == 0)
            break;
        if (n - at < size + 2)
            return 0;
        if (first) {
            a->text = data + at;
            a->text_len = size;
        }
        if (memcmp(data + at + size, "\r\n", 2) != 0)
            return wrong(a, "a chunk that is longer than it says");
        at += size + 2;
    }
    for (;;) { /* trailers, and the empty line */
        const char *line_end = memmem(data + at, n - at, "\r\n", 2);
        if (!line_end)
            return 0;
        size_t length = (size_t)(line_end - data) - at;
        at += length + 2;
        if (length == 0)
            break;
    }
    a->used = at;
    return 1;
}

int tfl_http_answer_read(struct tfl_http_answer *answer, const char *data, size_t n, bool closed)
{
    for (size_t skipped = 0;;) {
        struct head h = {0};
        memset(answer, 0, sizeof *answer);
        int found = n > skipped ? read_head(answer, &h, data + skipped, n - skipped) : 0;
        if (found <= 0)
            return found;
        size_t at = skipped + h.end;
        answer->text = data + at;
        if (answer->status < 200) {
            skipped = at;
            continue;
        }
        if (answer->status == 204 || answer->status == 304)
            h = (struct head){.has_length = true};
        if (h.chunked)
            return read_chunks(answer, data, n, at);
        if (!h.has_length) {
            answer->close = true;
            h.length = n - at;
            if (!closed)
                return 0;
        }
        if (n - at < h.length)
            return 0;
        answer->text_len = h.length;
        answer->used = at + h.length;
        return 1;
    }
}
