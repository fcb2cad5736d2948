#include "client/json_in.h"

#include <ctype.h>

void tfl_json_in_init(struct tfl_json_in *in, size_t max_values)
{
    *in = (struct tfl_json_in){.max_values = max_values};
    in->tokener = json_tokener_new_ex(TFL_JSON_DEPTH);
    TFL_ASSERT(in->tokener);
    json_tokener_set_flags(in->tokener, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS);
}

void tfl_json_in_done(struct tfl_json_in *in)
{
    if (!in)
        return;
    if (in->tokener)
        json_tokener_free(in->tokener);
    json_object_put(in->value);
    *in = (struct tfl_json_in){0};
}

/* Counts what makes values, also inside strings: a bound may be generous, not dear. */
static int count_values(struct tfl_json_in *in, const char *data, size_t n, struct tfl_error *err)
{
    for (size_t i = 0; i < n; i++)
        in->n_values += data[i] == ',' || data[i] == '{' || data[i] == '[';
    if (in->n_values > in->max_values)
        return tfl_fail(err, TFL_E_TOO_LARGE, "JSON of more than %zu values; ask for less", in->max_values);
    return 0;
}

static int refuse(const char *why, const char *data, size_t n, struct tfl_error *err)
{
    char seen[41];
    size_t len = n < sizeof seen - 1 ? n : sizeof seen - 1;
    for (size_t i = 0; i < len; i++)
        seen[i] = data[i];
    for (size_t i = 0; i < len; i++)
        if (!isprint((unsigned char)seen[i]))
            seen[i] = '?';
    seen[len] = '\0';
    return tfl_fail(err, TFL_E_BAD_REPLY, "not JSON: %s at `%s`", why, seen);
}

int tfl_json_in_push(struct tfl_json_in *in, const char *data, size_t n, struct tfl_error *err)
{
    if (count_values(in, data, n, err))
        return -1;
    if (!in->complete && n) {
        in->value = json_tokener_parse_ex(in->tokener, data, (int)n);
        enum json_tokener_error e = json_tokener_get_error(in->tokener);
        size_t end = json_tokener_get_parse_end(in->tokener);
        if (e != json_tokener_success && e != json_tokener_continue)
            return refuse(json_tokener_error_desc(e), data + (end < n ? end : n), end < n ? n - end : 0, err);
        if (e == json_tokener_continue && end < n)
            return refuse("a zero byte", data + end, n - end, err);
        in->complete = e == json_tokener_success;
        data += end;
        n -= end;
    }
    for (size_t i = 0; in->complete && i < n; i++)
        if (!isspace((unsigned char)data[i]))
            return refuse("more after its end", data + i, n - i, err);
    return 0;
}

int tfl_json_in_end(struct tfl_json_in *in, struct json_object **value, struct tfl_error *err)
{
    if (!in->complete && tfl_json_in_push(in, "\n", 1, err)) /* ends a number */
        return -1;
    if (!in->complete)
        return tfl_fail(err, TFL_E_BAD_REPLY, "not JSON: it ends too early");
    *value = in->value;
    in->value = NULL;
    return 0;
}
