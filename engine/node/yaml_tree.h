#ifndef TFL_NODE_YAML_TREE_H
#define TFL_NODE_YAML_TREE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* A YAML file as a small strict tree: scalars, lists and maps with scalar keys. Refused: anchors, aliases, a key twice,
 * several documents, more than 16 levels, 200,000 nodes or 8 MiB. */
struct tfl_yaml {
    enum tfl_yaml_kind { TFL_YAML_SCALAR, TFL_YAML_LIST, TFL_YAML_MAP } kind;
    int line;                  /* from 1 */
    char *tag;                 /* "!File", or NULL without one */
    char *key;                 /* in a map: the key it stands under */
    char *text;                /* scalar */
    bool quoted;               /* scalar */
    struct tfl_yaml **members; /* list, map */
    size_t n;
};

/* Reads one file. NULL and an error that names file, line and what is wrong (TFL_E_BAD_CONFIG, TFL_E_NOT_FOUND, …). */
struct tfl_yaml *tfl_yaml_read(const char *path, struct tfl_error *err);
void tfl_yaml_free(struct tfl_yaml *tree); /* NULL-safe */

#endif
