#ifndef TFL_CHAIN_TX_H
#define TFL_CHAIN_TX_H

#include "base/buf.h"
#include "base/error.h"
#include "chain/hash.h"
#include "chain/keys.h"

/* Transactions: an ordered list of operations, one Ed25519 proof for each. Only the layout is judged here (bounds, no
 * bytes left over); what an operation may do is the ledger's business. */
enum tfl_opcode { TFL_OP_TRANSFER = 0, TFL_OP_INSCRIBE = 17 };

struct tfl_output {
    uint64_t value;
    uint8_t pk[32];
};
struct tfl_transfer {
    struct tfl_hash *inputs;    /* note ids; owned */
    struct tfl_output *outputs; /* owned */
    uint8_t n_inputs, n_outputs;
};
struct tfl_inscribe {
    struct tfl_hash channel,
        parent; /* parent: message id of the one before in the channel, zeros for the first */
    uint8_t signer[TFL_PUBLIC_KEY_SIZE];
    uint8_t *data; /* owned */
    uint32_t len;
};
struct tfl_tx_op {
    enum tfl_opcode code;
    union {
        struct tfl_transfer transfer;
        struct tfl_inscribe inscribe;
    };
    uint8_t proof[TFL_SIGNATURE_SIZE]; /* over the 32 bytes of the transaction's hash */
};
struct tfl_tx {
    struct tfl_tx_op *ops; /* owned */
    uint8_t n_ops;
};

void tfl_tx_done(struct tfl_tx *tx); /* frees what it owns; NULL-safe; tx is empty afterwards */

/* Appends tx_bytes (node contract §3), what the hash is taken of: u8 n_ops, then u8 opcode and payload of each. */
void tfl_tx_bytes(struct tfl_buf *out, const struct tfl_tx *tx);
/* Appends the form of gossip and store: tx_bytes, then the proofs in order. */
void tfl_tx_encode(struct tfl_buf *out, const struct tfl_tx *tx);
size_t tfl_tx_size(const struct tfl_tx *tx); /* bytes of that form */
/* Reads one transaction of that form from r. tx is filled (free with tfl_tx_done) or left empty; TFL_E_INVALID. */
int tfl_tx_decode(struct tfl_tx *tx, struct tfl_reader *r, struct tfl_error *err);

struct tfl_hash tfl_tx_hash(const struct tfl_tx *tx);
/* H("OPERATION_ID_V1" || payload). */
struct tfl_hash tfl_tx_op_id(const struct tfl_tx_op *op);
/* The message id of an inscription, which the next of its channel names as parent: H(payload). */
struct tfl_hash tfl_inscribe_id(const struct tfl_tx_op *op);

#endif
