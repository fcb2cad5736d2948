#ifndef TFL_CLIENT_REPLY_H
#define TFL_CLIENT_REPLY_H

#include "base/error.h"
#include "chain/hash.h"

#include <json-c/json.h>

/* What nodes answer, from JSON into plain structs. Every field is checked; what is missing or wrong is a TFL_E_BAD_REPLY
 * that names the field, what was expected and what was seen. Pure: no clock, no IO. Slots and heights are below 2^62. */
#define TFL_SLOT_LIMIT (UINT64_C(1) << 62)

struct tfl_node_info {
    struct tfl_hash tip, lib, genesis;
    uint64_t slot, height, lib_slot; /* of the tip, of the tip, of the last irreversible block */
    bool has_genesis, has_lib_slot, online;
    char state[32]; /* the node's word for it: Online, Bootstrapping, AwaitingStart… */
};
/* The words of an answer that is no success, for messages: the message of {"code":404,"message":"…"}, else the body as it is
 * ("(no text)" when there is none), at most 200 bytes; control characters are spaces. Owned by the caller. */
char *tfl_reply_words(const char *body, size_t n);

/* Is it the way to a node in a Kubernetes cluster that speaks here, because it cannot reach what is behind it? The API server says
 * {"kind":"Status",…}, and `kubectl proxy` the words of Go for what went wrong with a connection. Ask of answers of 400 and more. */
bool tfl_reply_of_cluster(const char *body, size_t n);

/* All known shapes: fields under cryptarchia_info or at the root; state, mode or mode.Started. */
int tfl_reply_info(struct json_object *json, struct tfl_node_info *info, struct tfl_error *err);

struct tfl_network_info {
    uint64_t n_peers;
    char *peer_id;              /* owned; NULL when the node does not say */
    char **listen, **connected; /* owned lists of owned strings */
    size_t n_listen, n_connected;
};
int tfl_reply_network(struct json_object *json, struct tfl_network_info *network, struct tfl_error *err);
void tfl_network_info_done(struct tfl_network_info *network);

/* An array of ids; *ids is owned by the caller (free). */
int tfl_reply_ids(struct json_object *json, struct tfl_hash **ids, size_t *n, struct tfl_error *err);

/* {"hash": …}: of a transaction that the node has made. */
int tfl_reply_made(struct json_object *json, struct tfl_hash *hash, struct tfl_error *err);

/* An array of slots; *slots is owned by the caller (free). */
int tfl_reply_slots(struct json_object *json, uint64_t **slots, size_t *n, struct tfl_error *err);

struct tfl_block_head {
    struct tfl_hash id, parent;
    uint64_t slot;
    uint32_t n_txs;
    struct tfl_hash
        *txs; /* n_txs hashes in the block's order, owned; zeros for one of the oldest forms that has none */
};
void tfl_block_head_done(struct tfl_block_head *block); /* frees txs; NULL-safe */
/* One block. asked: the id it was asked for, NULL when unknown; a block that has another is refused, and the old form
 * without an id gets this one. Filled (free with tfl_block_head_done) or left alone. */
int tfl_reply_block(struct json_object *json, const struct tfl_hash *asked, struct tfl_block_head *block,
    struct tfl_error *err);
/* An array of blocks; *blocks is owned by the caller (tfl_reply_blocks_free). */
int tfl_reply_blocks(
    struct json_object *json, struct tfl_block_head **blocks, size_t *n, struct tfl_error *err);
void tfl_reply_blocks_free(struct tfl_block_head *blocks, size_t n); /* NULL-safe */

/* A row of a block stream: a block, and the node's view after it. */
struct tfl_block_row {
    struct tfl_block_head block; /* only the id when skipped */
    struct tfl_hash tip, lib;
    bool has_view; /* tip and lib are there; else the row was a bare block */
    bool skipped;  /* the block was known and the row big: its body was not read */
};
/* Filled (free row.block with tfl_block_head_done) or left alone. */
int tfl_reply_row(struct json_object *json, struct tfl_block_row *row, struct tfl_error *err);

#endif
