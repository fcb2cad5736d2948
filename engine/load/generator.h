#ifndef TFL_LOAD_GENERATOR_H
#define TFL_LOAD_GENERATOR_H

#include "base/rng.h"
#include "client/client.h"
#include "load/histogram.h"
#include "load/pacer.h"
#include "load/tracker.h"

/* Where transactions come from. Intents are asked for in order, each once. */
struct tfl_load_source {
    /* Makes the transaction of intent i: its JSON body appended to body, its hash. May fail: the intent is then rejected
     * with err's message. */
    int (*make)(struct tfl_load_source *source, uint64_t i, struct tfl_buf *body, struct tfl_hash *hash,
        struct tfl_error *err);
    /* The transaction is final, or nobody will ever look for it: whoever made it may forget it. May be NULL. */
    void (*settled)(struct tfl_load_source *source, uint64_t i, const struct tfl_hash *hash);
    /* The transaction will not be on the chain. fn is called with the hash of each transaction that cannot be there either,
     * this one first. May be NULL. */
    void (*dropped)(struct tfl_load_source *source, uint64_t i, const struct tfl_hash *hash,
        void (*fn)(void *arg, const struct tfl_hash *hash), void *arg);
    /* Not NULL: bodies are wishes that a node makes transactions of (the dialect's transfer), and this says which target can.
     * Their hashes (that make leaves alone) come with the answers. A try that the node may have heard is not repeated: it
     * would be another transaction. */
    size_t (*owner)(struct tfl_load_source *source, uint64_t i);
};

struct tfl_load_ticket;

/* How bodies reach nodes when not over HTTP: in a simulator, in specs. */
struct tfl_load_wire {
    /* Must not answer inside; ticket is for tfl_generator_answer, once. Body and ticket are good until then. */
    void (*post)(struct tfl_load_wire *wire, size_t target, const char *body, size_t len,
        struct tfl_load_ticket *ticket);
};

/* Sends transactions at the pacer's times to nodes over HTTP: open loop, so that slow answers never move an arrival. At
 * most in_flight are under way (or wait for another try); arrivals beyond wait in order, none is skipped, and how late
 * they are is in the figures. What does not reach a node goes to the next one, then waits 100 ms, doubling. */
struct tfl_generator;

struct tfl_generator_params {
    const struct tfl_stage *stages; /* copied */
    size_t n_stages;
    struct tfl_client *const *targets; /* held; all must have a dialect with submit */
    size_t n_targets;
    struct tfl_load_wire *wire; /* instead of HTTP: targets are not looked at. NULL: HTTP */
    bool round_robin;           /* else drawn from the seed */
    uint64_t seed;
    const char *stream;             /* of the seed's generator, "load/0" */
    struct tfl_load_source *source; /* must outlive the generator */
    struct tfl_tracker *tracker;    /* the same */
    size_t in_flight;               /* default 256, at most 4,096 */
    size_t ahead;                   /* transactions made before they are due, default 64 */
    int tries;                      /* of one transaction, default 4 */
    int64_t timeout_ms;             /* of one try, default 10,000 */
    int64_t late_ms;                /* an arrival sent later than this is late, default 10 */
    int64_t
        recover_ms; /* accepted, and overtaken by ones accepted this much later: dropped. Default 20,000; -1: never */
    void (*named)(
        void *arg, uint64_t i, const struct tfl_hash *hash); /* told by a node; needed with an owner */
    void (*changed)(void *arg); /* after an answer, and at the end; only marks things ready; may be NULL */
    void *arg;
};

/* NULL and err (TFL_E_USAGE, TFL_E_UNSUPPORTED). Nothing is sent before start. */
struct tfl_generator *tfl_generator_new(
    struct tfl_loop *loop, const struct tfl_generator_params *params, struct tfl_error *err);
void tfl_generator_free(struct tfl_generator *g); /* NULL-safe; what is under way counts as unanswered */
/* Time 0 is begin_ns, a tfl_now time that may be ahead. */
void tfl_generator_start(struct tfl_generator *g, int64_t begin_ns);
/* What the wire's node says: like an answer over HTTP. maybe: there was no answer, but it may have the transaction.
 * reason: why it is not accepted. */
void tfl_generator_answer(
    struct tfl_load_ticket *ticket, enum tfl_submit_answer answer, bool maybe, const char *reason);
/* No further arrivals: those that are due are still sent. */
void tfl_generator_stop(struct tfl_generator *g);
/* Gives up what is queued and under way as well. */
void tfl_generator_abort(struct tfl_generator *g);
/* All that was due has its last answer, and nothing more will be due. */
/* At the end: what no node has answered for and is not on the chain is given up, with all that was built on it. */
void tfl_generator_forget(struct tfl_generator *g);
bool tfl_generator_over(const struct tfl_generator *g);

struct tfl_generator_figures {
    uint64_t planned; /* arrivals of the whole plan */
    uint64_t due;     /* so far */
    uint64_t late;    /* of them sent more than late_ms after their time, or not yet sent and later already */
    uint64_t in_flight, most_in_flight, held; /* held: arrivals that had to wait for the in_flight bound */
    const struct tfl_histogram *lag;          /* intended -> given to the kernel, first try */
    int64_t make_ns;                          /* spent making (signing) transactions */
    uint64_t made;
};
/* The node's name of a target; "" for those of a wire. */
const char *tfl_generator_target(const struct tfl_generator *g, size_t target);
void tfl_generator_figures(const struct tfl_generator *g, struct tfl_generator_figures *out);

#endif
