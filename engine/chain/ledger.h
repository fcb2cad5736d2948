#ifndef TFL_CHAIN_LEDGER_H
#define TFL_CHAIN_LEDGER_H

#include "chain/block.h"
#include "chain/tx_check.h"

/* Which notes are unspent and where each channel stands after a run of blocks. Pure: the node follows its tip with one,
 * tfl replays the canonical chain with another. Notes a transaction spends are there before it (not made by itself), are
 * spent once, and every transfer gives exactly what it takes. The first inscription of a channel has a parent of zeros,
 * each later one names the message before it and is by the same signer; so no inscription is included twice. An unspent note
 * takes 110 to 220 bytes, a channel 50 to 100, a spent note 12 to 24. */
struct tfl_tx_ledger;

/* What undoes the changes of one or several transactions, newest change last. Zero-initialised is empty and valid. */
struct tfl_undo {
    struct tfl_change *changes; /* owned */
    size_t n, cap;
};
void tfl_undo_done(struct tfl_undo *undo); /* frees; NULL-safe; empty and usable again */

/* The ledger of a genesis block: its transfers have no inputs and their outputs are the first notes; nothing else of it is
 * judged. NULL and TFL_E_INVALID for a block that cannot be one (a parent, inputs, outputs of 0, a sum beyond u64). */
struct tfl_tx_ledger *tfl_tx_ledger_new(const struct tfl_block *genesis, struct tfl_error *err);
void tfl_tx_ledger_free(struct tfl_tx_ledger *l); /* NULL-safe */

/* Applies one transaction, or changes nothing and returns what is wrong (err names it; err may be NULL, which is cheaper).
 * v is the transaction's verdict: what it says was checked before is not checked again, and what is learned is noted in
 * it. NULL: everything is checked. undo (may be NULL) gets the changes appended. */
enum tfl_tx_fault tfl_tx_ledger_apply_tx(struct tfl_tx_ledger *l, const struct tfl_tx *tx,
    struct tfl_verdict *v, struct tfl_undo *undo, struct tfl_error *err);
/* Applies the transactions of a block in order, all or none. verdicts: one for each transaction, in and out, or NULL.
 * err names the first transaction that is wrong and the error is TFL_E_INVALID. Parent, slot, leader are not looked at. */
int tfl_tx_ledger_apply(struct tfl_tx_ledger *l, const struct tfl_block *b, struct tfl_verdict *verdicts,
    struct tfl_undo *undo, struct tfl_error *err);
/* The same for a block that was applied before (replay of the node's own store): no signature, bound or sum is checked
 * again, only that inputs are there. */
int tfl_tx_ledger_apply_trusted(
    struct tfl_tx_ledger *l, const struct tfl_block *b, struct tfl_undo *undo, struct tfl_error *err);
/* Takes back all changes in undo, which were the last ones made; undo is empty (and keeps its memory) afterwards. */
void tfl_tx_ledger_undo(struct tfl_tx_ledger *l, struct tfl_undo *undo);

/* An unspent note; out may be NULL. */
bool tfl_tx_ledger_note(const struct tfl_tx_ledger *l, const struct tfl_hash *id, struct tfl_note *out);
/* The same as a tfl_note_lookup for tfl_tx_prove: ledger is a struct tfl_tx_ledger. */
bool tfl_tx_ledger_lookup(void *ledger, const struct tfl_hash *id, struct tfl_note *out);
/* A note that was there and has been spent on this branch (told by 64 bits of its id). */
bool tfl_tx_ledger_spent(const struct tfl_tx_ledger *l, const struct tfl_hash *id);
/* Calls fn for every unspent note of pk (NULL: of all), in no order; looks at all notes. fn must not change the ledger. */
void tfl_tx_ledger_each(const struct tfl_tx_ledger *l, const uint8_t pk[TFL_PUBLIC_KEY_SIZE],
    void (*fn)(void *ctx, const struct tfl_note *note), void *ctx);

struct tfl_tx_ledger_info {
    uint64_t genesis_value; /* sum of the first notes */
    uint64_t value;         /* sum of the unspent notes: always the same, or the ledger is wrong */
    uint64_t n_notes, n_channels;
};
struct tfl_tx_ledger_info tfl_tx_ledger_info(const struct tfl_tx_ledger *l);

#endif
