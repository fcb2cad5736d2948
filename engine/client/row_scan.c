#include "client/row_scan.h"

#include "base/buf.h"

#include <string.h>

static bool path_is(const struct tfl_row_scan *s, const char *a, const char *b, const char *c)
{
    const char *names[] = {a, b, c};
    int depth = c ? 3 : b ? 2 : 1;
    if (s->depth != depth)
        return false;
    for (int i = 0; i < depth; i++)
        if (!(s->objects >> i & 1) || strcmp(s->key[i], names[i]) != 0)
            return false;
    return true;
}

static void take_hash(const struct tfl_row_scan *s, struct tfl_hash *out, bool *has)
{
    *has = tfl_unhex(out->b, sizeof out->b, s->text, s->len);
}

static void string_ended(struct tfl_row_scan *s)
{
    if (s->depth < 1 || s->depth > 3)
        return;
    if (s->expect_key) {
        char *key = s->key[s->depth - 1];
        size_t n = s->len < sizeof s->key[0] ? s->len : 0;
        memcpy(key, s->text, n);
        key[n] = '\0';
    } else if (path_is(s, "block", "header", "id") || path_is(s, "header", "id", NULL)) {
        take_hash(s, &s->id, &s->has_id);
    } else if (path_is(s, "tip", NULL, NULL)) {
        take_hash(s, &s->tip, &s->has_tip);
    } else if (path_is(s, "lib", NULL, NULL)) {
        take_hash(s, &s->lib, &s->has_lib);
    }
}

static void in_string(struct tfl_row_scan *s, char c)
{
    if (!s->escape && c == '"') {
        s->in_string = false;
        string_ended(s);
        return;
    }
    s->escape = !s->escape && c == '\\';
    if (s->len < sizeof s->text)
        s->text[s->len++] = c; /* one too many for a hash: then it is none */
}

static void open_level(struct tfl_row_scan *s, bool object)
{
    if (s->depth >= 64) {
        s->bad = true;
        return;
    }
    uint64_t bit = UINT64_C(1) << s->depth;
    s->objects = object ? s->objects | bit : s->objects & ~bit;
    if (s->depth < 3)
        s->key[s->depth][0] = '\0';
    s->depth++;
    s->expect_key = object;
}

void tfl_row_scan_push(struct tfl_row_scan *s, const char *data, size_t n)
{
    for (size_t i = 0; i < n && !s->bad; i++) {
        char c = data[i];
        if (s->in_string) {
            in_string(s, c);
        } else if (c == '"') {
            s->in_string = true;
            s->len = 0;
        } else if (c == '{' || c == '[') {
            open_level(s, c == '{');
        } else if (c == '}' || c == ']') {
            s->bad = s->depth-- == 0;
            s->expect_key = false;
        } else if (c == ',') {
            s->expect_key = s->depth > 0 && (s->objects >> (s->depth - 1) & 1);
        } else if (c == ':') {
            s->expect_key = false;
        }
    }
}

bool tfl_row_scan_ok(const struct tfl_row_scan *s)
{
    return !s->bad && s->depth == 0 && !s->in_string && s->has_id && s->has_tip && s->has_lib;
}
