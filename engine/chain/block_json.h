#ifndef TFL_CHAIN_BLOCK_JSON_H
#define TFL_CHAIN_BLOCK_JSON_H

#include "chain/block.h"

#include <json-c/json.h>

/* Blocks and transactions as the HTTP API shows them (node contract §2, the shapes of JUN). Results are owned by the
 * caller (json_object_put). */

/* {"header":{"id","parent_block","slot","block_root","proof_of_leadership":{"proof","entropy_contribution",
 * "leader_key","voucher_cm"}},"transactions":[…]} */
struct json_object *tfl_block_json(const struct tfl_block *b);
/* The older raw form of POST /storage/block: no id, but "version" in the header and "signature" beside it. */
struct json_object *tfl_block_raw_json(const struct tfl_block *b);
/* {"mantle_tx":{"hash","ops":[{"opcode","payload"}]},"ops_proofs":[{"Ed25519Sig"}]} */
struct json_object *tfl_tx_json(const struct tfl_tx *tx);

#endif
