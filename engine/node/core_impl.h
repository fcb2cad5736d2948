#ifndef TFL_NODE_CORE_IMPL_H
#define TFL_NODE_CORE_IMPL_H

/* What the files core_*.c and node_core.c share; nobody else includes this. */
#include "chain/lottery.h"
#include "node/chain_index.h"
#include "node/mempool.h"
#include "node/node_core.h"
#include "node/orphans.h"
#include "node/tx_index.h"
#include "node/wire.h"

#define CORE_MS INT64_C(1000000)
#define CORE_BEAT_NS (500 * CORE_MS)       /* pings go out, silence is judged */
#define CORE_SILENCE_NS (1250 * CORE_MS)   /* with the beat: a dead peer is dropped after 1.25 to 1.75 s */
#define CORE_FETCH_NS (5000 * CORE_MS)     /* a request without an answer is given up, not the peer */
#define CORE_HOLD_NS (2000 * CORE_MS)      /* how long a peer is not asked after an answer that led nowhere */
#define CORE_CONFLICT_NS (30000 * CORE_MS) /* … or led to a chain that forks below our LIB */
#define CORE_GOSSIP_NS (10 * CORE_MS)      /* how long a transaction waits for others to be gossiped with */
#define CORE_EFFECTS_MAX (1u << 20)        /* a process that never drains */
#define CORE_BAD_MAX 64

struct core_peer {
    uint64_t handle;
    bool configured, hello, gone; /* gone: dropped, swept at the end of the input */
    bool synced;                  /* its chain was followed to the tip it told */
    bool conflict;                /* was told to the log */
    bool asked_txs;               /* was asked for its mempool … */
    uint64_t txs_cursor;          /* … and gave it up to here */
    uint8_t node[TFL_PUBLIC_KEY_SIZE];
    struct tfl_hash head; /* the newest block it told of */
    uint64_t height;      /* it last told */
    bool chase;           /* head is unknown here and worth asking for */
    int64_t heard_ns, hold_until_ns;
    bool fetching; /* a get_blocks is on its way; then: */
    struct tfl_hash target;
    uint32_t cursor; /* the last block of the answers so far; TFL_INDEX_NONE before the first */
    int64_t fetch_until_ns;
};

struct tfl_core {
    struct tfl_core_params params;
    char *chain_id; /* owned, as are the stakes: what params.genesis borrows */
    struct tfl_stake *stakes;
    struct tfl_lottery lottery;
    struct tfl_slots slots;
    struct tfl_index index;
    struct tfl_buf genesis; /* its bytes */
    struct tfl_orphans orphans;

    /* core_ledger.c: all three follow the tip */
    struct tfl_tx_ledger *ledger;
    struct tfl_tx_index txs;
    struct tfl_undo
        *undos; /* owned; undos[undo_head + i] undoes the canonical block of height undo_base + 1 + i */
    size_t undo_head, n_undos, undos_cap; /* n_undos counts from 0, not from undo_head */
    uint32_t undo_base;                   /* the height of the LIB */
    struct tfl_hash
        bad[CORE_BAD_MAX]; /* a ring: blocks refused for their transactions, which are not in the index */
    uint32_t n_bad;

    /* core_txs.c */
    struct tfl_mempool pool;
    struct tfl_buf gone; /* seqs of stored transactions that left it in this input */
    struct core_outbox {
        struct core_outbox_item {
            struct tfl_bytes *bytes; /* one reference */
            uint64_t from;           /* not to be sent there; 0: to all */
        } items[TFL_WIRE_BATCH_TXS];
        uint32_t n;
        size_t bytes;
        int64_t due_ns;
    } outbox;                        /* to be gossiped */
    uint64_t n_dropped_txs;          /* --test drop_every: those counted */
    struct tfl_core_txs_info counts; /* those since the start, and last_ms */

    struct core_peer *peers; /* owned, in order of coming */
    size_t n_peers, peers_cap;
    uint32_t n_identities; /* distinct nodes of peers that shook hands */

    struct tfl_core_effect *effects; /* owned; [effects_head, n_effects) are due */
    size_t effects_head, n_effects, effects_cap;

    bool started, online;
    int64_t now_ns, next_beat_ns, bootstrap_until_ns;
    uint64_t slot, next_slot; /* at the last input; the first one not yet dealt with */
    uint64_t n_led, n_refused, n_dropped, n_reorgs, max_reorg_depth, n_late_slots;
    struct tfl_core_late late[TFL_CORE_LATE_RANGES_MAX]; /* a ring: n_late ranges end before late_end */
    size_t n_late, late_end;
};

/* core_effects.c: each appends one effect. The bytes given are taken over. */
void core_send(struct tfl_core *core, const struct core_peer *p, struct tfl_bytes *bytes);
void core_emit(struct tfl_core *core, struct tfl_core_effect effect);
void core_log(struct tfl_core *core, enum tfl_log_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* DROP, and marks the peer gone; p stays where it is until core_sweep. */
void core_drop(struct tfl_core *core, struct core_peer *p, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* core_blocks.c */
enum core_verdict {
    CORE_APPLIED,
    CORE_KNOWN,
    CORE_ORPHAN, /* waits in the pool */
    CORE_FUTURE, /* more than a slot ahead of this node's clock */
    CORE_BELOW,  /* would fork the chain below the LIB */
    CORE_BAD, /* its transactions, or those of an ancestor, cannot be applied. An honest node may have passed it on:
                     blocks of forks are not judged in this */
    CORE_INVALID, /* breaks a rule whatever the chain is: whoever sent it is no honest node */
};
/* Judges the bytes of a block and applies it, and the orphans that waited for it. from (NULL: this node) is not gossiped
 * back to; quiet: the block itself is not gossiped (its orphans are). err tells why for CORE_INVALID and CORE_BAD. */
enum core_verdict core_take_block(struct tfl_core *core, struct core_peer *from, const void *data, size_t len,
    bool quiet, struct tfl_error *err);
/* Sends a block to all peers but one (NULL: to all). */
void core_gossip(struct tfl_core *core, const struct core_peer *but, const void *block, size_t len);
struct tfl_core_header core_header(const struct tfl_core *core, uint32_t i);
/* Leads the slot if the lottery says so. */
void core_lead(struct tfl_core *core, uint64_t slot);

/* core_ledger.c */
int core_ledger_init(struct tfl_core *core, const struct tfl_block *genesis, struct tfl_error *err);
void core_ledger_done(struct tfl_core *core);
/* Puts a block (decoded; or NULL, then bytes are decoded when that is needed) with an open parent into the index. When it
 * is to be the tip, ledger and mempool follow, back to where the chains part and forth again. -1: a block on the way, or
 * this one, cannot be applied; all is as before, but that the branch is bad. TFL_E_IO: one cannot be read. */
int core_place(struct tfl_core *core, const struct tfl_hash *id, uint32_t parent, uint64_t slot,
    const struct tfl_block *b, const struct tfl_bytes *bytes, uint32_t *reorg, struct tfl_error *err);
bool core_is_bad(const struct tfl_core *core, const struct tfl_hash *id);

/* core_build.c: fills b with transactions of the mempool that can be applied at the tip, in order of arrival. */
void core_build(struct tfl_core *core, struct tfl_block *b);

/* core_txs.c */
void core_pool_remove(struct tfl_core *core, struct tfl_mempool_tx *m); /* from the mempool, and from disk */
void core_pool_expire(struct tfl_core *core);
void core_pool_flush(struct tfl_core *core); /* what is new or gone, as effects; at the end of every input */
void core_hear_txs(struct tfl_core *core, struct core_peer *p, struct tfl_wire_msg *m);
void core_serve_txs(struct tfl_core *core, struct core_peer *p, const struct tfl_wire_msg *m);
void core_ask_txs(struct tfl_core *core);    /* asks those that were not yet asked, once */
void core_gossip_txs(struct tfl_core *core); /* sends the outbox */

/* node_core.c: every input begins and ends with them. */
void core_advance(struct tfl_core *core, int64_t wall_ns);
void core_finish(struct tfl_core *core);

/* core_peers.c */
struct core_peer *core_peer(struct tfl_core *core, uint64_t handle); /* NULL: not up */
void core_sweep(struct tfl_core *core);                              /* forgets the peers that are gone */
void core_beat(struct tfl_core *core);                               /* pings, silence, requests */
void core_greet(struct tfl_core *core, struct core_peer *p);
void core_hear(struct tfl_core *core, struct core_peer *p, const void *data, size_t len);
bool core_deaf(const struct tfl_core *core);

/* core_sync.c */
/* The peer told of a head; height is UINT64_MAX when it did not say. */
void core_heard_of(struct tfl_core *core, struct core_peer *p, const struct tfl_hash *head, uint64_t height);
/* Asks peers for what they have and this node has not, as far as requests may be made now. */
void core_sync(struct tfl_core *core);
void core_serve(struct tfl_core *core, struct core_peer *p, const struct tfl_wire_msg *m);
void core_answer(struct tfl_core *core, struct core_peer *p, struct tfl_wire_msg *m);

#endif
