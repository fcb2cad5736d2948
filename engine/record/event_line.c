#include "record/event_line.h"

#include <string.h>

enum { DIGITS = 15 }; /* a double has all numbers of so many */

struct cursor {
    const char *p, *end;
};

static bool skip(struct cursor *c, const char *text)
{
    size_t n = strlen(text);
    if ((size_t)(c->end - c->p) < n || memcmp(c->p, text, n) != 0)
        return false;
    c->p += n;
    return true;
}

/* Digits, without a leading zero that JSON would refuse. */
static bool whole(struct cursor *c, int64_t *out)
{
    const char *from = c->p;
    int64_t value = 0;
    while (c->p < c->end && *c->p >= '0' && *c->p <= '9' && c->p - from < DIGITS)
        value = 10 * value + (*c->p++ - '0');
    *out = value;
    bool more = c->p < c->end && *c->p >= '0' && *c->p <= '9';
    return c->p > from && !more && (*from != '0' || c->p == from + 1);
}

/* Seconds: "12.345678". */
static bool seconds(struct cursor *c, double *out)
{
    const char *from = c->p;
    int64_t value, scale = 1;
    if (!whole(c, &value) || c->p == c->end || *c->p++ != '.')
        return false;
    const char *fraction = c->p;
    while (c->p < c->end && *c->p >= '0' && *c->p <= '9' && c->p - from <= DIGITS) {
        value = 10 * value + (*c->p++ - '0');
        scale *= 10;
    }
    *out = (double)value / (double)scale;
    return c->p > fraction && c->p < c->end && *c->p == ',';
}

/* What stands before the closing quote, if JSON has no other way of writing it: printable ASCII without \. */
static bool text(struct cursor *c, struct tfl_event_text *out)
{
    out->data = c->p;
    while (c->p < c->end && *c->p >= ' ' && *c->p <= '~' && *c->p != '"' && *c->p != '\\')
        c->p++;
    out->len = (size_t)(c->p - out->data);
    return skip(c, "\"");
}

static bool is(const struct tfl_event_text *t, const char *word)
{
    return t->len == strlen(word) && memcmp(t->data, word, t->len) == 0;
}

bool tfl_event_line_read(const char *line, size_t n, struct tfl_event_line *out)
{
    struct cursor c = {line, line + n};
    int64_t count;
    *out = (struct tfl_event_line){.parent = {"", 0}};
    if (!skip(&c, "{\"t\":") || !seconds(&c, &out->t) || !skip(&c, ",\"type\":\"") || !text(&c, &out->type) ||
        !skip(&c, ",\"node\":\"") || !text(&c, &out->node) || !skip(&c, ",\"slot\":") ||
        !whole(&c, &out->slot) || !skip(&c, ",\"height\":") || !whole(&c, &out->height) ||
        !skip(&c, ",\"id\":\"") || !text(&c, &out->id))
        return false;
    bool rest;
    if (is(&out->type, "block"))
        rest = skip(&c, ",\"parent\":\"") && text(&c, &out->parent) && skip(&c, ",\"transactions\":") &&
               whole(&c, &out->transactions);
    else if (is(&out->type, "final"))
        rest = skip(&c, ",\"count\":") && whole(&c, &count);
    else
        rest = is(&out->type, "adopt");
    return rest && skip(&c, "}") && c.p == c.end;
}
