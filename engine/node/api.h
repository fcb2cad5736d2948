#ifndef TFL_NODE_API_H
#define TFL_NODE_API_H

#include "node/node.h"

/* The HTTP contract of the node: the JUN shapes and plain-text errors of the node contract (node/README.md lists the
 * paths). arg is the struct tfl_node. */
void tfl_api_handle(struct tfl_http_request *req, void *arg);

/* Shared by the files of the API. An id in a path or query: 64 hex digits, 0x before them allowed. */
bool tfl_api_id(const char *text, struct tfl_hash *id);
/* The query argument `name` as a number: *v is left when it is not there; false after a 400 was answered. */
bool tfl_api_number(struct tfl_http_request *req, const char *name, uint64_t *v, bool required);

/* stream.c */
void tfl_api_blocks(struct tfl_node *node, struct tfl_http_request *req); /* GET /cryptarchia/blocks */
void tfl_api_blocks_range(
    struct tfl_node *node, struct tfl_http_request *req); /* GET /cryptarchia/blocks_range */

/* metrics.c */
void tfl_api_metrics(struct tfl_node *node, struct tfl_http_request *req);    /* GET /metrics */
void tfl_api_late_slots(struct tfl_node *node, struct tfl_http_request *req); /* GET /time/late_slots */

#endif
