#ifndef TFL_LOAD_TRACKER_H
#define TFL_LOAD_TRACKER_H

#include "feed/block_graph.h"

/* What became of every transaction of a load. A record is an intent: it is there before the transaction is sent, and
 * never goes, whatever happens to nodes. Pure: who sends, and who follows the chain, tell it; times are nanoseconds since
 * the load began. 72 bytes a record and 8 to 16 of index. */
struct tfl_tracker;

#define TFL_TX_NEVER UINT32_MAX
#define TFL_TX_NO_TARGET UINT16_MAX
enum { TFL_TX_REASONS = 64 }; /* different ones kept; all further ones are "other reasons" */

/* What is known of the sending. */
enum tfl_tx_answer {
    TFL_TX_PLANNED,   /* due, not sent */
    TFL_TX_SENT,      /* on its way, or waiting for another try */
    TFL_TX_ACCEPTED,  /* a node has said so: durable there */
    TFL_TX_REJECTED,  /* a node refuses it, or it could not be made */
    TFL_TX_UNANSWERED /* no node has answered, after all tries: it may be on the chain nevertheless */
};
enum {
    TFL_TX_SEEN = 1,         /* in some block */
    TFL_TX_TWO_BRANCHES = 2, /* in several blocks */
    TFL_TX_REORGED = 4,      /* was on the canonical chain, and then not */
    TFL_TX_TWICE = 8,        /* twice on the canonical chain */
    TFL_TX_DROPPED = 16,     /* overtaken for long: its wallet has given it up */
    TFL_TX_AFTER_LOST = 32,  /* given up because it spends the change of one that is lost */
    TFL_TX_SETTLED = 64,     /* final or given up: its wallet knows */
    TFL_TX_ORPHAN = 128,     /* it spends the change of one that no node has said yes to */
};

struct tfl_tx_record {
    struct tfl_hash hash;           /* zeros: it could not be made */
    const struct tfl_gblock *block; /* on the canonical chain; NULL: none */
    int64_t intended_ns;
    uint32_t sent_us, accepted_us, included_us,
        final_us;    /* after intended; at most 71 minutes; TFL_TX_NEVER */
    uint16_t target; /* whom it was last sent to */
    uint16_t reason; /* index, 0: none */
    uint8_t answer, flags, tries;
};

struct tfl_tracker_counts {
    uint64_t planned, sent, accepted, rejected, unanswered; /* sent: at least once */
    uint64_t included, final;                               /* on the canonical chain; final there */
    uint64_t open, open_final; /* accepted and not included; accepted and not final */
    uint64_t two_branches, reorged, twice, tries;
};

struct tfl_tracker *tfl_tracker_new(void);
void tfl_tracker_free(struct tfl_tracker *t); /* NULL-safe */

/* The next intent; gives its index. hash NULL: it could not be made, which is a rejection with err's message, or, when err is
 * NULL too, whoever takes it will tell the hash (tfl_tracker_named). */
uint64_t tfl_tracker_plan(
    struct tfl_tracker *t, int64_t intended_ns, const struct tfl_hash *hash, const struct tfl_error *err);
/* Handed to a connection (again). */
void tfl_tracker_sent(struct tfl_tracker *t, uint64_t i, uint16_t target, int64_t now_ns);
/* The last word of the node, or of the last try. reason (may be NULL): why not. */
void tfl_tracker_answered(
    struct tfl_tracker *t, uint64_t i, enum tfl_tx_answer answer, const char *reason, int64_t now_ns);

/* The hash of an intent that had none yet. */
void tfl_tracker_named(struct tfl_tracker *t, uint64_t i, const struct tfl_hash *hash);
/* And where it is already: a block that became known before; canonical: it is part of that chain; final: it is final there. */
void tfl_tracker_found(struct tfl_tracker *t, uint64_t i, const struct tfl_gblock *b, bool canonical,
    bool final, int64_t now_ns);

/* The chain. A block became known (each once), part of the canonical chain, no part of it any more, final. */
void tfl_tracker_seen(struct tfl_tracker *t, const struct tfl_gblock *b);
void tfl_tracker_include(struct tfl_tracker *t, const struct tfl_gblock *b, int64_t now_ns);
/* reorg: another branch took its place; else the view is only taken back to what all nodes have. */
void tfl_tracker_exclude(struct tfl_tracker *t, const struct tfl_gblock *b, bool reorg);
void tfl_tracker_final(struct tfl_tracker *t, const struct tfl_gblock *b, int64_t now_ns);
/* Called for each transaction that becomes final. */
void tfl_tracker_on_final(struct tfl_tracker *t, void (*fn)(void *arg, uint64_t i), void *arg);

/* The record's flags get these too. */
void tfl_tracker_flag(struct tfl_tracker *t, uint64_t i, uint8_t flags);

/* Questions. */
uint64_t tfl_tracker_n(const struct tfl_tracker *t);
const struct tfl_tx_record *tfl_tracker_at(const struct tfl_tracker *t, uint64_t i);
/* The index of a hash, or UINT64_MAX. */
uint64_t tfl_tracker_find(const struct tfl_tracker *t, const struct tfl_hash *hash);
const struct tfl_tracker_counts *tfl_tracker_counts(const struct tfl_tracker *t);
/* Reasons are numbered from 1; NULL beyond the last. *n (may be NULL): how many transactions have it. */
const char *tfl_tracker_reason(const struct tfl_tracker *t, uint16_t reason, uint64_t *n);
size_t tfl_tracker_bytes(const struct tfl_tracker *t); /* of memory */

#endif
