#ifndef TFL_NODE_CONFIG_WALK_H
#define TFL_NODE_CONFIG_WALK_H

#include "node/yaml_tree.h"

#include <stdint.h>

/* Reading values out of a tree with errors that say where. After the first error every reader returns NULL, false or 0
 * and changes nothing, so that a config is read straight through and judged once at its end. */
struct tfl_walk {
    const char *file;
    struct tfl_error *err; /* never NULL */
    bool failed;
};

/* The error "FILE:LINE: PATH: WHAT" unless there is one already. */
void tfl_walk_fail(struct tfl_walk *w, int line, const char *path, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* The map at path, which is `map`'s member named by the last part of path. keys: every key it may have, separated by
 * spaces; another is an error. NULL when missing (an error if required). map NULL gives NULL. */
const struct tfl_yaml *tfl_walk_map(
    struct tfl_walk *w, const struct tfl_yaml *map, const char *path, bool required, const char *keys);
/* The root as such a map. */
void tfl_walk_root(struct tfl_walk *w, const struct tfl_yaml *root, const char *keys);
/* Any member; NULL when missing (an error if required). */
const struct tfl_yaml *tfl_walk_get(
    struct tfl_walk *w, const struct tfl_yaml *map, const char *path, bool required);

/* Required values. Text: not empty, at most 4096 bytes, owned by the tree. */
const char *tfl_walk_text(struct tfl_walk *w, const struct tfl_yaml *map, const char *path);
uint64_t tfl_walk_number(
    struct tfl_walk *w, const struct tfl_yaml *map, const char *path, uint64_t min, uint64_t max);
void tfl_walk_hex32(struct tfl_walk *w, const struct tfl_yaml *map, const char *path, uint8_t out[32]);

#endif
