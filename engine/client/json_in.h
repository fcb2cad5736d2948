#ifndef TFL_CLIENT_JSON_IN_H
#define TFL_CLIENT_JSON_IN_H

#include "base/error.h"

#include <json-c/json.h>
#include <stdbool.h>

/* One JSON document that comes in pieces, with bounds on what it may make tfl hold: depth and number of values (an
 * empty object of two bytes costs some 800 in memory). Nothing but white space may surround it; json-c also takes single
 * quotes and NaN, which no field accepts for a number. */
struct tfl_json_in {
    struct json_tokener *tokener;
    struct json_object *value;
    size_t n_values, max_values;
    bool complete;
};

enum { TFL_JSON_DEPTH = 64, TFL_JSON_VALUES = 250000 };

void tfl_json_in_init(struct tfl_json_in *in, size_t max_values);
void tfl_json_in_done(struct tfl_json_in *in); /* NULL-safe, also on zeros */
/* Takes the next n bytes. TFL_E_BAD_REPLY says where and why it is not JSON, TFL_E_TOO_LARGE that it has too many values;
 * after an error only done may be called. */
int tfl_json_in_push(struct tfl_json_in *in, const char *data, size_t n, struct tfl_error *err);
/* There are no more bytes: the document, owned by the caller (NULL is also JSON's null), or -1 when it is cut short. */
int tfl_json_in_end(struct tfl_json_in *in, struct json_object **value, struct tfl_error *err);

#endif
