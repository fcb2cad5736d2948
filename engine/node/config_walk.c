#include "node/config_walk.h"

#include "base/buf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TEXT = 4096 };

void tfl_walk_fail(struct tfl_walk *w, int line, const char *path, const char *fmt, ...)
{
    char what[512];
    va_list ap;
    if (w->failed)
        return;
    w->failed = true;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    tfl_fail(w->err, TFL_E_BAD_CONFIG, "%s:%d: %s%s%s", w->file, line, path, *path ? ": " : "", what);
}

static const char *last_part(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot ? dot + 1 : path;
}

/* Is name one of the words of keys? */
static bool is_word(const char *keys, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = keys; *p;) {
        size_t k = strcspn(p, " ");
        if (k == n && !memcmp(p, name, n))
            return true;
        p += k + (p[k] == ' ');
    }
    return false;
}

static void check_map(struct tfl_walk *w, const struct tfl_yaml *node, const char *path, const char *keys)
{
    if (node->kind != TFL_YAML_MAP) {
        tfl_walk_fail(w, node->line, path, "expected a map with the keys: %s", keys);
        return;
    }
    for (size_t i = 0; i < node->n; i++)
        if (!is_word(keys, node->members[i]->key))
            tfl_walk_fail(w, node->members[i]->line, path, "unknown key \"%.80s\"; expected one of: %s",
                node->members[i]->key, keys);
}

void tfl_walk_root(struct tfl_walk *w, const struct tfl_yaml *root, const char *keys)
{
    check_map(w, root, "", keys);
}

const struct tfl_yaml *tfl_walk_get(
    struct tfl_walk *w, const struct tfl_yaml *map, const char *path, bool required)
{
    if (w->failed || !map)
        return NULL;
    for (size_t i = 0; i < map->n; i++)
        if (!strcmp(map->members[i]->key, last_part(path)))
            return map->members[i];
    if (required)
        tfl_walk_fail(w, map->line, path, "missing");
    return NULL;
}

const struct tfl_yaml *tfl_walk_map(
    struct tfl_walk *w, const struct tfl_yaml *map, const char *path, bool required, const char *keys)
{
    const struct tfl_yaml *node = tfl_walk_get(w, map, path, required);
    if (node)
        check_map(w, node, path, keys);
    return w->failed ? NULL : node;
}

const char *tfl_walk_text(struct tfl_walk *w, const struct tfl_yaml *map, const char *path)
{
    const struct tfl_yaml *node = tfl_walk_get(w, map, path, true);
    if (!node)
        return NULL;
    if (node->kind != TFL_YAML_SCALAR || !node->text[0])
        tfl_walk_fail(w, node->line, path, "expected text");
    else if (strlen(node->text) > MAX_TEXT)
        tfl_walk_fail(w, node->line, path, "longer than %d bytes", MAX_TEXT);
    return w->failed ? NULL : node->text;
}

uint64_t tfl_walk_number(
    struct tfl_walk *w, const struct tfl_yaml *map, const char *path, uint64_t min, uint64_t max)
{
    const struct tfl_yaml *node = tfl_walk_get(w, map, path, true);
    if (!node)
        return 0;
    const char *text = node->kind == TFL_YAML_SCALAR ? node->text : "";
    size_t digits = strspn(text, "0123456789");
    errno = 0;
    uint64_t v = strtoull(text, NULL, 10);
    if (!digits || text[digits] || errno || v < min || v > max) {
        tfl_walk_fail(w, node->line, path, "expected a number from %llu to %llu, not \"%.80s\"",
            (unsigned long long)min, (unsigned long long)max, text);
        return 0;
    }
    return v;
}

void tfl_walk_hex32(struct tfl_walk *w, const struct tfl_yaml *map, const char *path, uint8_t out[32])
{
    const struct tfl_yaml *node = tfl_walk_get(w, map, path, true);
    if (!node)
        return;
    const char *text = node->kind == TFL_YAML_SCALAR ? node->text : "";
    if (!tfl_unhex(out, 32, text, strlen(text)))
        tfl_walk_fail(w, node->line, path, "expected 64 hex digits, found %zu characters", strlen(text));
}
