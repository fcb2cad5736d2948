#ifndef TFL_BINDINGS_NODE_SPEC_H
#define TFL_BINDINGS_NODE_SPEC_H

#include "deploy/node_spec.h"

#include <lua.h>

/* Reads the node_spec table at index (its members: see :add in local.c) and leaves a userdata on the stack that owns the
 * result. Raises on members of the wrong type; tfl_node_spec_check judges the rest. */
struct tfl_node_spec *tfl_read_node_spec(lua_State *L, int index);

#endif
