#ifndef TFL_FEED_BLOCK_GRAPH_H
#define TFL_FEED_BLOCK_GRAPH_H

#include "base/event_sink.h"
#include "client/reply.h"

/* All blocks that any node has told of, and each node's view of them: one graph for a cluster. Pure: what nodes tell, and
 * the time, go in; an ordered log of events comes out, and answers for judging. Blocks are never forgotten, so pointers
 * to them stay valid as long as the graph. */
struct tfl_graph;

enum { TFL_GRAPH_NODES = 4096 };

struct tfl_graph_params {
    struct tfl_hash genesis; /* zeros: found out from what nodes say */
    int64_t genesis_time_ms; /* unix; 0: unknown, and blocks from the future are not looked for */
    int64_t slot_ms;         /* the same */
    uint64_t security_param; /* how deep a block is when a node calls it final; 0: unknown, not looked at */
    size_t max_blocks;       /* default 2^20; more are dropped, with a gap */
    size_t max_pending;      /* blocks without all their ancestors, default 65,536; the same */
    size_t max_txs;          /* hashes of transactions kept, default 2^24; more are dropped, with a gap */
    size_t window;           /* retained events, default 65,536 */
    struct tfl_event_sink *sink; /* gets every event too; may be NULL */
};

/* When something was heard: since the feed began, and unix time. */
struct tfl_when {
    int64_t t_ns, wall_ms;
};

enum tfl_gblock_state { TFL_GBLOCK_HOLE, TFL_GBLOCK_PENDING, TFL_GBLOCK_LINKED };
struct tfl_gblock {
    struct tfl_hash id;
    struct tfl_gblock *parent; /* NULL: genesis, or not known */
    uint64_t slot, height;     /* height when linked */
    int64_t first_seen_ns;
    uint32_t n_txs;
    uint16_t first_node; /* who told first */
    uint8_t state; /* a hole is an id that someone named; pending: header known, not connected to genesis */
    bool final;    /* at some node */
    struct tfl_hash *txs; /* n_txs hashes; zeros where the node did not tell; NULL when dropped at a bound */
    struct tfl_gblock *child, *sibling, *up; /* private from here on */
    uint16_t *seen;
    uint32_t mark;
    uint16_t n_seen;
    bool contradicted, contested; /* told with another content; final on the second branch */
};

enum tfl_feed_type {
    TFL_FEED_BLOCK,
    TFL_FEED_ADOPT,
    TFL_FEED_REORG,
    TFL_FEED_FINAL,
    TFL_FEED_CONFLICT,
    TFL_FEED_GAP,
    TFL_FEED_STALE
};
/* Safety findings (conflict) and reasons of gaps. */
enum tfl_feed_code {
    TFL_FEED_NONE,
    TFL_FINAL_CONFLICT,
    TFL_FINAL_UNDONE,
    TFL_BROKEN_LINK,
    TFL_BAD_SLOT,
    TFL_FUTURE_BLOCK,
    TFL_OTHER_GENESIS,
    TFL_EARLY_FINAL,
    TFL_GAP_BACKFILL, /* a node told of a block whose parent it had not told of; it is asked for it */
    TFL_GAP_LOST,     /* the stream or the node is gone; it is tried again */
    TFL_GAP_SILENT,   /* the node moved on and its stream did not say so */
    TFL_GAP_BAD,      /* what the node sends cannot be read */
    TFL_GAP_UNKNOWN,  /* the node does not have a block that it names as its tip or LIB */
    TFL_GAP_FULL,     /* a bound is reached: blocks are dropped */
    TFL_FEED_CODES
};
const char *tfl_feed_type_string(enum tfl_feed_type type);
const char *tfl_feed_code_string(enum tfl_feed_code code); /* "final_conflict"…; "" for none */
const char *tfl_feed_code_text(enum tfl_feed_code code);   /* what it means */

#define TFL_NO_NODE UINT16_MAX
struct tfl_feed_event {
    int64_t t_ns;
    uint8_t type, code;
    uint16_t node; /* block: who told first; or TFL_NO_NODE */
    uint32_t
        n; /* reorg: depth; final: how many are newly final at the node; conflict: its index, see below */
    const struct tfl_gblock *block, *other; /* may be NULL; other: of a reorg the old tip */
};

/* A safety finding in full; the first 256 are kept, all are counted. */
struct tfl_conflict {
    enum tfl_feed_code code;
    uint16_t node;
    int64_t t_ns;
    const struct tfl_gblock *block, *other;
    char message[256];
};

struct tfl_graph_node {
    char name[64];
    const struct tfl_gblock *tip, *lib; /* linked; NULL until known */
    bool stale;                         /* nobody follows it now */
    bool in_order;                      /* its views come in the order in which it had them */
    uint64_t n_rows, n_reorgs, max_reorg, n_gaps, n_conflicts;
    int64_t last_heard_ns; /* of a row or view; -1 never */
    char *
        unreadable; /* owned by the graph: what it sent that could not be read, the first time; NULL: nothing */
    struct tfl_gblock *want_tip, *want_lib, *last_pending, *refused; /* private from here on */
    int64_t live_since_ns;
    bool fresh, unsettled, other_genesis;
    struct tfl_hash stray_lib; /* told already */
};

struct tfl_graph *tfl_graph_new(const struct tfl_graph_params *params);
void tfl_graph_free(struct tfl_graph *g); /* NULL-safe */

/* Called whenever events were added; it only marks things ready. */
void tfl_graph_on_events(struct tfl_graph *g, void (*fn)(void *arg), void *arg);

/* What is heard. A node is an index, given in order; -1 when there are too many. Names are cut at 63 bytes. */
int tfl_graph_add_node(struct tfl_graph *g, const char *name); /* the same index for the same name */
int tfl_graph_find_node(const struct tfl_graph *g, const char *name);
/* The node is followed from now, for the first time or again: it may have lost some of its chain meanwhile. */
void tfl_graph_session(struct tfl_graph *g, int node, struct tfl_when now);
/* The node's views come in order, unlike answers to several questions at once: none is older than the last. */
void tfl_graph_in_order(struct tfl_graph *g, int node);
/* The next view may be behind the last one, as after a session, without being a finding. */
void tfl_graph_fresh(struct tfl_graph *g, int node);
void tfl_graph_stale(struct tfl_graph *g, int node, struct tfl_when now);
/* node says that this is its genesis (TFL_NO_NODE: the plan does). Another than that of the chain is a finding, once a node. */
void tfl_graph_genesis(struct tfl_graph *g, int node, const struct tfl_hash *id, struct tfl_when now);
/* node has this block. live: it has just applied it (else history, which tells nothing of propagation). */
void tfl_graph_block(
    struct tfl_graph *g, int node, const struct tfl_block_head *head, bool live, struct tfl_when now);
/* The same of a block that is known. */
void tfl_graph_seen(struct tfl_graph *g, int node, const struct tfl_hash *id, bool live, struct tfl_when now);
/* node's tip and LIB are these. */
void tfl_graph_view(struct tfl_graph *g, int node, const struct tfl_hash *tip, const struct tfl_hash *lib,
    struct tfl_when now);
/* The block to ask node for, so that its view connects to genesis; NULL: none. */
const struct tfl_hash *tfl_graph_hole(struct tfl_graph *g, int node);
/* node says for certain that it has no such block. */
void tfl_graph_refused(struct tfl_graph *g, int node, const struct tfl_hash *id, struct tfl_when now);
void tfl_graph_gap(
    struct tfl_graph *g, int node, enum tfl_feed_code code, const char *message, struct tfl_when now);

/* Questions. */
const struct tfl_gblock *tfl_graph_find(const struct tfl_graph *g, const struct tfl_hash *id); /* holes too */
bool tfl_graph_knows(const struct tfl_graph *g, const struct tfl_hash *id); /* its header */
const struct tfl_gblock *tfl_graph_root(const struct tfl_graph *g);
size_t tfl_graph_nodes(const struct tfl_graph *g);
const struct tfl_graph_node *tfl_graph_node(const struct tfl_graph *g, size_t node);
uint64_t tfl_graph_best_height(const struct tfl_graph *g);                /* of all linked blocks */
const struct tfl_gblock *tfl_graph_last_final(const struct tfl_graph *g); /* highest; genesis or NULL */
bool tfl_graph_is_ancestor(const struct tfl_gblock *a, const struct tfl_gblock *b); /* a is b or below it */
const struct tfl_gblock *tfl_graph_meet(const struct tfl_gblock *a, const struct tfl_gblock *b);
/* The deepest common ancestor of the tips of the nodes (NULL: all that are not stale). NULL when there is none: no node,
 * or one whose tip is not known; *unknown counts those. */
const struct tfl_gblock *tfl_graph_common(const struct tfl_graph *g, const bool *nodes, size_t *unknown);

/* The highest tip of the nodes that are not stale (of all nodes when all are); of equals that of the first node. NULL when
 * no tip is known. */
const struct tfl_gblock *tfl_graph_head(const struct tfl_graph *g);
/* Linked blocks with this transaction: at most max into out, how many there are in all as the result. Looks at every
 * hash that is kept. */
size_t tfl_graph_find_tx(
    const struct tfl_graph *g, const struct tfl_hash *hash, const struct tfl_gblock **out, size_t max);

struct tfl_graph_counts {
    size_t blocks, pending, final; /* without genesis */
    size_t txs;                    /* hashes kept */
    uint64_t reorgs, max_reorg, by_code[TFL_FEED_CODES];
};
void tfl_graph_count(const struct tfl_graph *g, struct tfl_graph_counts *counts);
size_t tfl_graph_conflicts(const struct tfl_graph *g, const struct tfl_conflict **list); /* those kept */

/* The log: events have numbers from 0; those in [first, end) are retained. */
uint64_t tfl_graph_first(const struct tfl_graph *g);
uint64_t tfl_graph_end(const struct tfl_graph *g);
const struct tfl_feed_event *tfl_graph_event(
    const struct tfl_graph *g, uint64_t number); /* must be retained */

/* The figures of a window of slots [from, to), for the verdict. */
struct tfl_graph_figures {
    const struct tfl_gblock *common, *best; /* common prefix; the highest tip of the nodes */
    size_t unknown_tips;
    uint64_t *canonical,
        *best_slots; /* owned: slots of the blocks of the window on the common prefix; below best */
    size_t n_canonical, n_best;
    uint64_t observed;            /* all blocks of the window */
    uint64_t forks, fork_blocks;  /* branches off the chain of best, their blocks */
    uint64_t gap_from, gap_slots; /* longest run of slots without growth */
    uint64_t last_growth;         /* slot; from when there was none */
    uint64_t n_samples;           /* of propagation: first told by any node, then by another */
    double p50_ms, p99_ms, max_ms;
};
/* nodes: as for tfl_graph_common. Free with tfl_graph_figures_done. */
void tfl_graph_judge(
    struct tfl_graph *g, uint64_t from, uint64_t to, const bool *nodes, struct tfl_graph_figures *out);
void tfl_graph_figures_done(struct tfl_graph_figures *figures);

/* How long the blocks of a window that one node told of first took to another: the samples of the figures by pairs. */
struct tfl_graph_pair {
    uint32_t n;
    double p50_ms, max_ms; /* 0 when n is */
};
/* out: one for each node that told first, tfl_graph_nodes of them; the caller's. */
void tfl_graph_propagation(
    const struct tfl_graph *g, uint64_t from, uint64_t to, size_t node, struct tfl_graph_pair *out);

#endif
