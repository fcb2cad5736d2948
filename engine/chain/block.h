#ifndef TFL_CHAIN_BLOCK_H
#define TFL_CHAIN_BLOCK_H

#include "chain/tx.h"

#define TFL_BLOCK_MAX (1u << 20) /* bytes of an encoded block */
#define TFL_BLOCK_TXS_MAX 1024
#define TFL_BLOCK_VERSION 1
#define TFL_PROOF_SIZE 128

struct tfl_header {
    struct tfl_hash parent; /* zeros for genesis only */
    uint64_t slot;
    struct tfl_hash root;          /* of the transactions; zeros when there are none */
    struct tfl_hash voucher_cm;    /* the reference node makes no vouchers: zeros */
    struct tfl_hash entropy;       /* and its nonce never changes: zeros, but in genesis (chain/genesis.h) */
    uint8_t proof[TFL_PROOF_SIZE]; /* 64 bytes of lottery signature, 64 zeros */
    uint8_t leader[TFL_PUBLIC_KEY_SIZE]; /* zeros in genesis */
};
struct tfl_block {
    struct tfl_header header;
    struct tfl_hash id;              /* of the header, always computed, never read */
    uint8_t sig[TFL_SIGNATURE_SIZE]; /* the leader's, over the 32 bytes of id; zeros in genesis */
    struct tfl_tx *txs;              /* owned */
    uint32_t n_txs;
};

void tfl_block_done(struct tfl_block *b); /* frees what it owns; NULL-safe; b is empty afterwards */
#define TFL_BLOCK __attribute__((cleanup(tfl_block_done))) struct tfl_block

struct tfl_hash tfl_header_id(const struct tfl_header *h);
/* Merkle root of the transactions' hashes, padded with zeros to a power of two; one: its hash; none: zeros. */
struct tfl_hash tfl_txs_root(const struct tfl_tx *txs, uint32_t n);
/* The same of hashes already known. */
struct tfl_hash tfl_merkle_root(const struct tfl_hash *leaves, uint32_t n);

/* Sets root and id from what is in b, and signs the id. */
void tfl_block_seal(struct tfl_block *b, const struct tfl_keypair *leader);

/* Appends the form of gossip and store: u8 version, header fields in the order of their hash, signature, u16le number
 * of transactions, transactions. The caller keeps to the bounds. */
void tfl_block_encode(struct tfl_buf *out, const struct tfl_block *b);
/* Reads exactly len bytes of that form. Checks layout, bounds and that the root is that of the transactions; not the
 * leader (consensus does). b is filled (free with tfl_block_done) or left empty; TFL_E_INVALID or TFL_E_TOO_LARGE. */
int tfl_block_decode(struct tfl_block *b, const void *data, size_t len, struct tfl_error *err);

/* The id of the block those bytes would be, without reading past the header: tells known blocks apart cheaply. False
 * when they are too few for a header. */
bool tfl_block_peek_id(struct tfl_hash *id, const void *data, size_t len);

#endif
