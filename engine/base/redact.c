#include "base/redact.h"

#include "base/error.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* Last words of names of secrets: access_token is one, too. */
static const char *const names[] = {"password", "passwd", "passphrase", "secret", "token", "authorization",
    "api_key", "api-key", "apikey", "secret_key", "private_key", "node_key"};

/* The bytes of `c` or of `c` with a backslash at p, 0 when there is neither. */
static size_t mark(const char *p, const char *end, char c)
{
    if (p < end && *p == c)
        return 1;
    return end - p >= 2 && p[0] == '\\' && p[1] == c ? 2 : 0;
}

static bool ends_value(char c)
{
    return (unsigned char)c <= ' ' || strchr("\\\"'<>`,;&)[]{}", c);
}

/* The first byte after a value without quotes; Key("…") is one, too. */
static char *bare_end(char *p, const char *end)
{
    for (; p < end && !ends_value(*p); p++)
        if (*p == '(')
            p += mark(p + 1, end, '"');
    return p;
}

/* The first byte after a value in quotes, which has no lines. */
static char *quoted_end(char *p, const char *end, char quote, bool escapes)
{
    while (p < end && *p != quote && *p != '"' && (unsigned char)*p >= ' ') {
        if (*p == '\\' && !escapes)
            break;
        p += *p == '\\' && end - p > 1 ? 2 : 1;
    }
    return p;
}

/* Does the text that ends at p end with that word, which no other goes right before (accessToken is two words)? */
static bool word_before(const char *text, const char *p, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(p - text) < n || strncasecmp(p - n, word, n) != 0)
        return false;
    return p - n == text || !isalnum((unsigned char)p[-(ptrdiff_t)n - 1]) ||
           isupper((unsigned char)p[-(ptrdiff_t)n]);
}

static bool names_secret(const char *text, const char *p)
{
    for (size_t i = 0; i < TFL_LEN(names); i++)
        if (word_before(text, p, names[i]))
            return true;
    return false;
}

/* After "authorization:" comes a word for the way it is done, and then the secret. */
static char *skip_scheme(char *p, const char *end)
{
    static const char *const schemes[] = {"Basic ", "Bearer ", "Token "};
    for (size_t i = 0; i < TFL_LEN(schemes); i++) {
        size_t n = strlen(schemes[i]);
        if ((size_t)(end - p) > n && strncasecmp(p, schemes[i], n) == 0 && !ends_value(p[n]))
            return p + n;
    }
    return p;
}

/* What the name before the separator at p keeps secret, and its end; NULL when it is no name of a secret. [text, before) is what
 * stands before the separator. */
static char *named_secret(const char *text, const char *before, char *p, const char *end, char **to)
{
    bool quoted = before > text && (before[-1] == '"' || before[-1] == '\'');
    if (quoted)
        before -= before - text >= 2 && before[-2] == '\\' ? 2 : 1;
    if (!names_secret(text, before))
        return NULL;
    for (p++; p < end && *p == ' ';)
        p++;
    char quote = mark(p, end, '"') ? '"' : '\'';
    size_t marked = mark(p, end, quote);
    if (quoted && !marked) /* a number, or more JSON */
        return NULL;
    p += marked;
    /* a quote of JSON that ends the string with the name in it begins no value: {"token:":1} */
    if (!quoted && marked == 1 && quote == '"' && (p == end || strchr(":,]} \n", *p)))
        return NULL;
    p = skip_scheme(p, end);
    *to = marked ? quoted_end(p, end, quote, quoted && marked == 1) : bare_end(p, end);
    return p;
}

/* User and password of the URL whose colon is at p, and their end (at the @); NULL when it has none. */
static char *url_secret(char *p, const char *end, char **to)
{
    size_t first = mark(p + 1, end, '/'), second = first ? mark(p + 1 + first, end, '/') : 0;
    if (!second)
        return NULL;
    char *from = p + 1 + first + second;
    *to = NULL;
    for (char *q = from; q < end && (unsigned char)*q > ' ' && !strchr("/?#\\\"'<>`", *q); q++)
        if (*q == '@')
            *to = q;
    return *to ? from : NULL;
}

enum { BEARER_MIN = 8 }; /* shorter ones are words of a sentence */

/* The secret that what stands at p begins, and its end; NULL when it begins none. */
static char *secret_at(const char *text, const char *before, char *p, const char *end, char **to)
{
    char *from = NULL;
    if (*p == ':')
        from = url_secret(p, end, to);
    if (!from && (*p == ':' || *p == '='))
        from = named_secret(text, before, p, end, to);
    if (*p == ' ' && word_before(text, before, "bearer")) {
        *to = p + 1;
        while (*to < end && (isalnum((unsigned char)**to) || (**to && strchr("-._~+/=", **to))))
            ++*to;
        from = *to - p > BEARER_MIN ? p + 1 : NULL;
    }
    return from && *to > from ? from : NULL;
}

static size_t one_pass(char *text, size_t n, bool *changed)
{
    const char *end = text + n;
    char *out = text, *to = NULL;
    *changed = false;
    for (char *p = text; p < end;) {
        char *from = strchr(":= ", *p) ? secret_at(text, out, p, end, &to) : NULL;
        size_t kept = (size_t)((from ? from : p + 1) - p);
        memmove(out, p, kept);
        out += kept;
        p += kept;
        if (from) {
            *changed |= to - from != 1 || *from != '*';
            *out++ = '*';
            p = to;
        }
    }
    return (size_t)(out - text);
}

size_t tfl_redact(char *text, size_t n)
{
    for (bool changed = true; changed;) /* what is gone may have kept a secret from being seen */
        n = one_pass(text, n, &changed);
    return n;
}
