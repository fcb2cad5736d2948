#ifndef TFL_BINDINGS_YAML_H
#define TFL_BINDINGS_YAML_H

/* Shared by yaml.c (reading) and yaml_emit.c (writing); nobody else includes it. */
#include "bindings/task.h"

enum { TFL_YAML_MAX_DEPTH = 64, TFL_YAML_MAX_TEXT = 4 << 20, TFL_YAML_MAX_VALUES = 200000 };

#define TFL_YAML_TAGGED "tfl.yaml.tagged"   /* metatable of {tag=, value=} */
#define TFL_YAML_EMITTER "tfl.yaml.emitter" /* metatable of the emitter's userdata */

/* What a plain scalar means in YAML 1.2's core schema. */
enum tfl_yaml_plain {
    TFL_YAML_STRING,
    TFL_YAML_NULL,
    TFL_YAML_TRUE,
    TFL_YAML_FALSE,
    TFL_YAML_INTEGER,
    TFL_YAML_FLOAT
};
enum tfl_yaml_plain tfl_yaml_resolve(const char *s);

bool tfl_yaml_is_null(lua_State *L, int index); /* yaml.null */

/* emit(value) → text */
int tfl_yaml_emit(lua_State *L);
int tfl_yaml_emitter_gc(lua_State *L);

#endif
