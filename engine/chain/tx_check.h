#ifndef TFL_CHAIN_TX_CHECK_H
#define TFL_CHAIN_TX_CHECK_H

#include "chain/tx.h"

/* What makes a transaction good or bad, and a verdict that is kept beside it so that nothing is verified twice. */

#define TFL_TX_MAX ((1u << 20) - 1024) /* bytes of an encoded transaction: one fits a block */

/* A note: value that belongs to a key. The id binds both. */
struct tfl_note {
    struct tfl_hash id;
    uint64_t value;
    uint8_t pk[TFL_PUBLIC_KEY_SIZE]; /* Ed25519 */
};
/* Blake2b-256("NOTE_ID_V1" || op id || u64le index || u64le value || pk) with the top three bits (of byte 31) cleared:
 * the API shows ids as little-endian field elements, which must stay below r of BN254 (between 2^253 and 2^254). */
struct tfl_hash tfl_note_id(const struct tfl_hash *op_id, uint64_t index, const struct tfl_output *output);
/* Calls fn for every note the transaction's transfers make, in order. */
void tfl_tx_each_note(const struct tfl_tx *tx, void (*fn)(void *ctx, const struct tfl_note *note), void *ctx);

enum tfl_tx_fault {
    TFL_TX_OK = 0,
    /* never valid, on any branch */
    TFL_TX_MALFORMED, /* too large, no operation, no input, no output, a value of 0, a sum beyond u64, an input twice */
    TFL_TX_BAD_SIGNATURE, /* a proof is not the owner's or signer's over the transaction's hash */
    TFL_TX_BAD_OWNER,     /* inputs of one transfer belong to several keys */
    TFL_TX_NOT_CONSERVED, /* a transfer gives more or less than it takes */
    /* not valid here and now */
    TFL_TX_UNKNOWN_INPUT, /* a note, or the message before in a channel, is not there (yet) */
    TFL_TX_SPENT_INPUT,   /* it was there and is spent; the channel has gone on */
};
const char *tfl_tx_fault_name(enum tfl_tx_fault fault); /* "ok", "malformed", "bad_signature", … */

/* What is known of one transaction whatever the chain is. Plain data; zero-initialised: nothing. */
struct tfl_verdict {
    struct tfl_hash hash; /* of the transaction; with size set once checked */
    uint32_t size;        /* bytes of its encoded form */
    bool checked;         /* bounds, and the signatures of inscriptions */
    bool
        proven; /* owners, sums and signatures of transfers as well: note ids bind owner and value, so it stays true */
};

/* All that needs no chain: bounds, sums, no input twice, signatures of inscriptions. Fills v (checked; proven too when
 * there is no transfer) or leaves it zero and returns MALFORMED or BAD_SIGNATURE with err (may be NULL, as below). */
enum tfl_tx_fault tfl_tx_check(struct tfl_verdict *v, const struct tfl_tx *tx, struct tfl_error *err);

/* Finds a note by id, wherever the caller has it (ledger, pending transactions); false: not known. */
typedef bool tfl_note_lookup(void *ctx, const struct tfl_hash *id, struct tfl_note *out);
/* For a checked transaction: owners, sums and signatures of its transfers. OK and v->proven; UNKNOWN_INPUT when a note
 * is not found (ask again later); BAD_OWNER, NOT_CONSERVED, BAD_SIGNATURE: never valid. */
enum tfl_tx_fault tfl_tx_prove(struct tfl_verdict *v, const struct tfl_tx *tx, tfl_note_lookup *lookup,
    void *ctx, struct tfl_error *err);

#endif
