// room: record
#include "record/event_line.h"

#include "base/error.h"

#include <json-c/json.h>
#include <string.h>

static bool same_text(struct json_object *o, const char *key, const struct tfl_event_text *t)
{
    struct json_object *v = json_object_object_get(o, key);
    return json_object_is_type(v, json_type_string) && (size_t)json_object_get_string_len(v) == t->len &&
           memcmp(json_object_get_string(v), t->data, t->len) == 0;
}

/* Any bytes: the line is left to the parser, or the parser has the same values. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tfl_event_line e;
    if (!tfl_event_line_read((const char *)data, size, &e))
        return 0;
    struct json_tokener *tok = json_tokener_new();
    struct json_object *o = json_tokener_parse_ex(tok, (const char *)data, (int)size);
    TFL_ASSERT(json_object_is_type(o, json_type_object) && json_tokener_get_parse_end(tok) == size);
    TFL_ASSERT(same_text(o, "type", &e.type) && same_text(o, "node", &e.node) && same_text(o, "id", &e.id));
    TFL_ASSERT(json_object_get_int64(json_object_object_get(o, "slot")) == e.slot);
    TFL_ASSERT(json_object_get_int64(json_object_object_get(o, "height")) == e.height);
    TFL_ASSERT(json_object_get_double(json_object_object_get(o, "t")) == e.t);
    json_object_put(o);
    json_tokener_free(tok);
    return 0;
}
