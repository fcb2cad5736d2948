#ifndef TFL_CHAIN_TX_JSON_H
#define TFL_CHAIN_TX_JSON_H

#include "chain/block.h"

#include <json-c/json.h>

/* Transactions to and from JSON: the body of POST /mempool/add/tx, and what stands in blocks. Strict: a member that is not
 * known, missing or of another type is an error that names its path. What the API shows is written by
 * chain/block_json.h. */

#define TFL_TX_JSON_MAX (4u << 20) /* bytes of a body worth parsing: hex doubles the largest transaction */

/* {"mantle_tx":{"ops":[{"opcode":0,"payload":{"inputs":[id],"outputs":[{"value":n,"pk":hex}]}},{"opcode":17,"payload":
 * {"channel_id","inscription":hex,"parent","signer"}}]},"ops_proofs":[{"Ed25519Sig":hex}]}; mantle_tx.hash may be there
 * and must then be right. Ids of channels, messages and transactions may begin with 0x. tx is filled (free with
 * tfl_tx_done) or left empty: TFL_E_INVALID, TFL_E_TOO_LARGE (over TFL_TX_MAX), TFL_E_UNSUPPORTED (an opcode or proof of
 * the real node that the reference node does not know). Signatures are not verified (chain/tx_check.h). */
int tfl_tx_from_json(struct tfl_tx *tx, struct json_object *json, struct tfl_error *err);
/* The same from text. TFL_E_BAD_REPLY: it is not JSON at all (HTTP 400; all other errors are 422). */
int tfl_tx_parse(struct tfl_tx *tx, const char *text, size_t len, struct tfl_error *err);

/* Appends the body of POST /mempool/add/tx: as above, without hash and without white space. */
void tfl_tx_body(struct tfl_buf *out, const struct tfl_tx *tx);

/* Transactions of a block in the JSON of /cryptarchia/blocks/:id, with its header: id, root and signatures of
 * transactions are computed from what stands there, and id and block_root must be right. b->sig is zeros (the API does not
 * show it). Header members that are not known are skipped (other versions have more). Errors as above. */
int tfl_block_from_json(struct tfl_block *b, struct json_object *json, struct tfl_error *err);

#endif
