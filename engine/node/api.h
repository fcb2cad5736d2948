#ifndef TFL_NODE_API_H
#define TFL_NODE_API_H

#include "node/node.h"

#include <json-c/json.h>

/* The HTTP contract of the node: the JUN shapes and plain-text errors of the node contract (node/README.md lists the
 * paths). arg is the struct tfl_node. */
void tfl_api_handle(struct tfl_http_request *req, void *arg);

/* Shared by the files of the API. An id in a path or query: 64 hex digits, 0x before them allowed. */
bool tfl_api_id(const char *text, struct tfl_hash *id);
/* The query argument `name` as a number: *v is left when it is not there; false after a 400 was answered. */
bool tfl_api_number(struct tfl_http_request *req, const char *name, uint64_t *v, bool required);

/* The body as JSON text: true and *n bytes; false after 415. */
bool tfl_api_json_text(struct tfl_http_request *req, const char **text, size_t *n);
/* The same parsed, or NULL after 415 or 400. */
struct json_object *tfl_api_json(struct tfl_http_request *req);

/* api_txs.c */
void tfl_api_add_tx(struct tfl_node *node, struct tfl_http_request *req); /* POST /mempool/add/tx */
/* Answers those that waited for their transaction to be durable; err: it is not. */
void tfl_api_committed(struct tfl_node *node, const struct tfl_error *err);
void tfl_api_mempool(struct tfl_node *node, struct tfl_http_request *req);      /* GET /mempool/view */
void tfl_api_pool_metrics(struct tfl_node *node, struct tfl_http_request *req); /* GET /mantle/metrics */
void tfl_api_tx_status(struct tfl_node *node, struct tfl_http_request *req);    /* POST /mantle/status */
void tfl_api_tx(struct tfl_node *node, struct tfl_http_request *req); /* GET /cryptarchia/transaction/ID */
void tfl_api_balance(struct tfl_node *node, struct tfl_http_request *req); /* GET /wallet/PK/balance */

/* stream.c */
void tfl_api_blocks(struct tfl_node *node, struct tfl_http_request *req); /* GET /cryptarchia/blocks */
void tfl_api_blocks_range(
    struct tfl_node *node, struct tfl_http_request *req); /* GET /cryptarchia/blocks_range */

/* metrics.c */
void tfl_api_metrics(struct tfl_node *node, struct tfl_http_request *req);    /* GET /metrics */
void tfl_api_late_slots(struct tfl_node *node, struct tfl_http_request *req); /* GET /time/late_slots */

#endif
