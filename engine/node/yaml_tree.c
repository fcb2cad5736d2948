#include "node/yaml_tree.h"

#include "base/buf.h"
#include "base/fs.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { MAX_DEPTH = 16, MAX_NODES = 200000, MAX_BYTES = 8 * 1024 * 1024 };

struct reading {
    yaml_parser_t parser;
    yaml_event_t event;
    const char *path;
    size_t nodes;
    struct tfl_error *err;
};

void tfl_yaml_free(struct tfl_yaml *tree)
{
    if (!tree)
        return;
    for (size_t i = 0; i < tree->n; i++)
        tfl_yaml_free(tree->members[i]);
    free(tree->members);
    free(tree->tag);
    free(tree->key);
    free(tree->text);
    free(tree);
}

static int line_of(const struct reading *r)
{
    return (int)r->event.start_mark.line + 1;
}

/* The next event; false and an error on bad syntax. */
static bool advance(struct reading *r)
{
    yaml_event_delete(&r->event);
    if (yaml_parser_parse(&r->parser, &r->event))
        return true;
    memset(&r->event, 0, sizeof r->event);
    tfl_fail(r->err, TFL_E_BAD_CONFIG, "%s:%d: not YAML: %s", r->path, (int)r->parser.problem_mark.line + 1,
        r->parser.problem ? r->parser.problem : "unreadable");
    return false;
}

static struct tfl_yaml *refuse(struct reading *r, struct tfl_yaml *node, const char *why)
{
    tfl_fail(r->err, TFL_E_BAD_CONFIG, "%s:%d: %s", r->path, line_of(r), why);
    tfl_yaml_free(node);
    return NULL;
}

static struct tfl_yaml *parse_node(struct reading *r, int depth);

static bool has_key(const struct tfl_yaml *map, const char *key)
{
    for (size_t i = 0; i < map->n; i++)
        if (!strcmp(map->members[i]->key, key))
            return true;
    return false;
}

static void add_member(struct tfl_yaml *node, struct tfl_yaml *member)
{
    if ((node->n & (node->n - 1)) == 0) /* doubles at every power of two */
        node->members = tfl_realloc(node->members, (node->n ? 2 * node->n : 1) * sizeof(struct tfl_yaml *));
    node->members[node->n++] = member;
}

/* The members of a list or map, whose start is the present event. */
static struct tfl_yaml *parse_members(struct reading *r, struct tfl_yaml *node, int depth)
{
    yaml_event_type_t end = node->kind == TFL_YAML_MAP ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;
    for (;;) {
        TFL_FREE char *key = NULL;
        if (!advance(r))
            goto failed;
        if (r->event.type == end)
            return node;
        if (node->kind == TFL_YAML_MAP) {
            if (r->event.type != YAML_SCALAR_EVENT)
                return refuse(r, node, "a key must be plain text");
            key = tfl_strdup((const char *)r->event.data.scalar.value);
            if (has_key(node, key)) {
                tfl_fail(r->err, TFL_E_BAD_CONFIG, "%s:%d: the key \"%.80s\" is there twice", r->path,
                    line_of(r), key);
                goto failed;
            }
            if (!advance(r))
                goto failed;
        }
        struct tfl_yaml *member = parse_node(r, depth + 1);
        if (!member)
            goto failed;
        member->key = key;
        key = NULL;
        add_member(node, member);
    }
failed:
    tfl_yaml_free(node);
    return NULL;
}

static void take_tag(struct tfl_yaml *node, const yaml_char_t *tag)
{
    if (tag && tag[0] == '!' && tag[1])
        node->tag = tfl_strdup((const char *)tag);
}

static struct tfl_yaml *parse_node(struct reading *r, int depth)
{
    struct tfl_yaml *node = tfl_alloc(sizeof *node);
    const yaml_event_t *e = &r->event;
    const yaml_char_t *anchor = NULL;
    node->line = line_of(r);
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        node->kind = TFL_YAML_SCALAR;
        node->text = tfl_strdup((const char *)e->data.scalar.value);
        node->quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
        anchor = e->data.scalar.anchor;
        take_tag(node, e->data.scalar.tag);
        if (strlen(node->text) != e->data.scalar.length)
            return refuse(r, node, "text with a NUL byte");
        break;
    case YAML_SEQUENCE_START_EVENT:
        node->kind = TFL_YAML_LIST;
        anchor = e->data.sequence_start.anchor;
        take_tag(node, e->data.sequence_start.tag);
        break;
    case YAML_MAPPING_START_EVENT:
        node->kind = TFL_YAML_MAP;
        anchor = e->data.mapping_start.anchor;
        take_tag(node, e->data.mapping_start.tag);
        break;
    default:
        return refuse(r, node, "anchors and aliases are not supported; write the value out");
    }
    if (anchor)
        return refuse(r, node, "anchors and aliases are not supported; write the value out");
    if (depth > MAX_DEPTH || ++r->nodes > MAX_NODES)
        return refuse(r, node, "too deep or too large for a config");
    return node->kind == TFL_YAML_SCALAR ? node : parse_members(r, node, depth);
}

static struct tfl_yaml *parse_document(struct reading *r)
{
    struct tfl_yaml *root = NULL;
    while (advance(r)) {
        if (r->event.type == YAML_STREAM_END_EVENT) {
            if (!root)
                tfl_fail(
                    r->err, TFL_E_BAD_CONFIG, "%s:1: the file is empty; expected a map of keys", r->path);
            return root;
        }
        if (r->event.type == YAML_STREAM_START_EVENT || r->event.type == YAML_DOCUMENT_END_EVENT)
            continue;
        if (r->event.type == YAML_DOCUMENT_START_EVENT) {
            if (root)
                return refuse(r, root, "a second document; expected one");
            continue;
        }
        root = parse_node(r, 1);
        if (!root)
            return NULL;
    }
    tfl_yaml_free(root);
    return NULL;
}

struct tfl_yaml *tfl_yaml_read(const char *path, struct tfl_error *err)
{
    TFL_BUF file = {0};
    struct reading r = {.path = path, .err = err};
    if (tfl_read_file(path, &file, MAX_BYTES, err))
        return NULL;
    if (!yaml_parser_initialize(&r.parser)) {
        tfl_fail(err, TFL_E_INTERNAL, "cannot make a YAML parser");
        return NULL;
    }
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)file.data, file.len);
    struct tfl_yaml *root = parse_document(&r);
    yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
    return root;
}
