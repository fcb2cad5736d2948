#include "relay/orders.h"

#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 8, MAX_SHOWN = 80, MAX_NAME = 63, MAX_HOST = 45 };

static int wrong(const char *key, const char *expected, struct json_object *seen, struct tfl_error *err)
{
    const char *text = seen ? json_object_to_json_string_ext(seen, JSON_C_TO_STRING_PLAIN) : "nothing";
    return tfl_fail(err, TFL_E_INVALID, "%s: expected %s, saw %.*s", key, expected, MAX_SHOWN, text);
}

/* The one object that the text is, which the caller puts. */
static struct json_object *parse(const char *text, size_t len, struct tfl_error *err)
{
    struct json_tokener *tok = json_tokener_new_ex(MAX_DEPTH);
    json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *value = json_tokener_parse_ex(tok, text, (int)len);
    enum json_tokener_error error = json_tokener_get_error(tok);
    size_t end = json_tokener_get_parse_end(tok);
    json_tokener_free(tok);
    if (error == json_tokener_success && end == len && json_object_is_type(value, json_type_object))
        return value;
    json_object_put(value);
    if (error != json_tokener_success)
        tfl_fail(err, TFL_E_INVALID, "the body is not JSON: %s at byte %zu", json_tokener_error_desc(error),
            end + 1);
    else
        tfl_fail(err, TFL_E_INVALID, "the body: expected one object and nothing after it");
    return NULL;
}

/* Every member of the object is one of these. */
static int only(struct json_object *o, const char *const *keys, size_t n, struct tfl_error *err)
{
    json_object_object_foreach(o, key, value)
    {
        bool known = false;
        (void)value;
        for (size_t i = 0; i < n; i++)
            known |= !strcmp(key, keys[i]);
        if (!known)
            return tfl_fail(err, TFL_E_INVALID, "%.*s: no such member", MAX_SHOWN, key);
    }
    return 0;
}

static int get_list(struct json_object *o, const char *key, struct json_object **list, struct tfl_error *err)
{
    *list = json_object_object_get(o, key);
    return json_object_is_type(*list, json_type_array) ? 0 : wrong(key, "a list", *list, err);
}

/* The items of a list, each of `size` bytes and read by get. What there is of them on failure is the caller's, too. */
static int get_items(struct json_object *o, const char *key, size_t size,
    int (*get)(struct json_object *o, void *item, struct tfl_error *err), void **items, size_t *n,
    struct tfl_error *err)
{
    struct json_object *list;
    if (get_list(o, key, &list, err))
        return -1;
    *n = json_object_array_length(list);
    *items = tfl_alloc((*n + 1) * size);
    for (size_t i = 0; i < *n; i++)
        if (get(json_object_array_get_idx(list, i), (char *)*items + i * size, err))
            return tfl_wrap(err, "%s[%zu]", key, i);
    return 0;
}

static int text_of(struct json_object *v, const char *key, size_t max, char **out, struct tfl_error *err)
{
    size_t len = json_object_is_type(v, json_type_string) ? (size_t)json_object_get_string_len(v) : 0;
    if (!len || len > max || strlen(json_object_get_string(v)) != len)
        return wrong(key, "some text, not too long", v, err);
    *out = tfl_strdup(json_object_get_string(v));
    return 0;
}

static int get_port(struct json_object *o, const char *key, uint16_t *port, struct tfl_error *err)
{
    struct json_object *v = json_object_object_get(o, key);
    int64_t number = json_object_is_type(v, json_type_int) ? json_object_get_int64(v) : 0;
    if (number < 1 || number > UINT16_MAX)
        return wrong(key, "a port", v, err);
    *port = (uint16_t)number;
    return 0;
}

static int get_number(struct json_object *o, const char *key, double max, double *out, struct tfl_error *err)
{
    struct json_object *v;
    *out = 0;
    if (!json_object_object_get_ex(o, key, &v))
        return 0;
    bool is_number = json_object_is_type(v, json_type_int) || json_object_is_type(v, json_type_double);
    *out = is_number ? json_object_get_double(v) : NAN;
    if (*out >= 0 && *out <= max)
        return 0;
    char expected[64];
    snprintf(expected, sizeof expected, "a number from 0 to %g", max);
    return wrong(key, expected, v, err);
}

static int get_boolean(struct json_object *o, const char *key, bool *out, struct tfl_error *err)
{
    struct json_object *v;
    *out = false;
    if (!json_object_object_get_ex(o, key, &v))
        return 0;
    if (!json_object_is_type(v, json_type_boolean))
        return wrong(key, "true or false", v, err);
    *out = json_object_get_boolean(v);
    return 0;
}

void tfl_orders_edges_free(struct tfl_edge_order *edges, size_t n)
{
    for (size_t i = 0; edges && i < n; i++) {
        free(edges[i].from);
        free(edges[i].to);
        free(edges[i].host);
    }
    free(edges);
}

static int get_edge(struct json_object *o, void *item, struct tfl_error *err)
{
    struct tfl_edge_order *edge = item;
    static const char *const keys[] = {"from", "to", "listen", "host", "port"};
    if (!json_object_is_type(o, json_type_object))
        return wrong("it", "an object", o, err);
    if (only(o, keys, TFL_LEN(keys), err) ||
        text_of(json_object_object_get(o, "from"), "from", MAX_NAME, &edge->from, err) ||
        text_of(json_object_object_get(o, "to"), "to", MAX_NAME, &edge->to, err) ||
        text_of(json_object_object_get(o, "host"), "host", MAX_HOST, &edge->host, err) ||
        get_port(o, "listen", &edge->listen, err))
        return -1;
    return get_port(o, "port", &edge->port, err);
}

int tfl_orders_edges(
    const char *text, size_t len, struct tfl_edge_order **edges, size_t *n, struct tfl_error *err)
{
    static const char *const keys[] = {"edges"};
    struct json_object *body = parse(text, len, err);
    void *items = NULL;
    *n = 0;
    int failed =
        body ? only(body, keys, 1, err) || get_items(body, "edges", sizeof **edges, get_edge, &items, n, err)
             : -1;
    json_object_put(body);
    *edges = items;
    if (!failed)
        return 0;
    tfl_orders_edges_free(*edges, *n);
    *edges = NULL;
    *n = 0;
    return -1;
}

static int get_set(
    struct json_object *rule, const char *key, struct tfl_links_set *set, struct tfl_error *err)
{
    static const char *const keys[] = {"names", "except"};
    struct json_object *list, *o = json_object_object_get(rule, key);
    if (!json_object_is_type(o, json_type_object))
        return wrong(key, "{\"names\": [\342\200\246]}", o, err);
    if (only(o, keys, TFL_LEN(keys), err) || get_list(o, "names", &list, err) ||
        get_boolean(o, "except", &set->except, err))
        return tfl_wrap(err, "%s", key);
    size_t n = json_object_array_length(list);
    set->names = tfl_alloc((n + 1) * sizeof *set->names);
    for (; set->n < n; set->n++)
        if (text_of(json_object_array_get_idx(list, set->n), "names", MAX_NAME, &set->names[set->n], err))
            return tfl_wrap(err, "%s", key);
    return 0;
}

static int get_rule(struct json_object *o, void *item, struct tfl_error *err)
{
    struct tfl_links_rule *rule = item;
    static const char *const keys[] = {"from", "to"};
    if (!json_object_is_type(o, json_type_object))
        return wrong("it", "an object", o, err);
    return only(o, keys, TFL_LEN(keys), err) || get_set(o, "from", &rule->from, err) ||
                   get_set(o, "to", &rule->to, err)
               ? -1
               : 0;
}

static int get_policy(struct json_object *o, struct tfl_relay_policy *policy, struct tfl_error *err)
{
    double latency, jitter, rate;
    *policy = (struct tfl_relay_policy){0};
    if (get_boolean(o, "cut", &policy->cut, err) || get_number(o, "latency", 3600, &latency, err) ||
        get_number(o, "jitter", 3600, &jitter, err) || get_number(o, "rate", 1e12, &rate, err) ||
        get_number(o, "loss", 0.99, &policy->loss, err))
        return -1;
    policy->latency_ns = (int64_t)(1e9 * latency);
    policy->jitter_ns = (int64_t)(1e9 * jitter);
    policy->rate = (uint64_t)rate;
    return 0;
}

int tfl_orders_fault(const char *text, size_t len, struct tfl_links_rule **rules, size_t *n,
    struct tfl_relay_policy *policy, struct tfl_error *err)
{
    static const char *const keys[] = {"rules", "cut", "latency", "jitter", "rate", "loss"};
    struct json_object *body = parse(text, len, err);
    void *items = NULL;
    *n = 0;
    int failed = body ? only(body, keys, TFL_LEN(keys), err) || get_policy(body, policy, err) ||
                            get_items(body, "rules", sizeof **rules, get_rule, &items, n, err)
                      : -1;
    json_object_put(body);
    *rules = items;
    if (!failed)
        return 0;
    tfl_links_rules_free(*rules, *n);
    *rules = NULL;
    *n = 0;
    return -1;
}
