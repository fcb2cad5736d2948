#ifndef TFL_NODE_CORE_IMPL_H
#define TFL_NODE_CORE_IMPL_H

/* What the files core_*.c and node_core.c share; nobody else includes this. */
#include "chain/lottery.h"
#include "node/chain_index.h"
#include "node/node_core.h"
#include "node/orphans.h"
#include "node/wire.h"

#define CORE_MS INT64_C(1000000)
#define CORE_BEAT_NS (500 * CORE_MS)       /* pings go out, silence is judged */
#define CORE_SILENCE_NS (1250 * CORE_MS)   /* with the beat: a dead peer is dropped after 1.25 to 1.75 s */
#define CORE_FETCH_NS (5000 * CORE_MS)     /* a request without an answer is given up, not the peer */
#define CORE_HOLD_NS (2000 * CORE_MS)      /* how long a peer is not asked after an answer that led nowhere */
#define CORE_CONFLICT_NS (30000 * CORE_MS) /* … or led to a chain that forks below our LIB */
#define CORE_EFFECTS_MAX (1u << 20)        /* a process that never drains */

struct core_peer {
    uint64_t handle;
    bool configured, hello, gone; /* gone: dropped, swept at the end of the input */
    bool synced;                  /* its chain was followed to the tip it told */
    bool conflict;                /* was told to the log */
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

    struct core_peer *peers; /* owned, in order of coming */
    size_t n_peers, peers_cap;
    uint32_t n_identities; /* distinct nodes of peers that shook hands */

    struct tfl_core_effect *effects; /* owned; [effects_head, n_effects) are due */
    size_t effects_head, n_effects, effects_cap;

    bool started, online;
    int64_t now_ns, next_beat_ns;
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
    CORE_ORPHAN,  /* waits in the pool */
    CORE_FUTURE,  /* more than a slot ahead of this node's clock */
    CORE_BELOW,   /* would fork the chain below the LIB */
    CORE_INVALID, /* breaks a rule whatever the chain is: whoever sent it is no honest node */
};
/* Judges the bytes of a block and applies it, and the orphans that waited for it. from (NULL: this node) is not gossiped
 * back to; quiet: the block itself is not gossiped (its orphans are). err tells why for CORE_INVALID. */
enum core_verdict core_take_block(struct tfl_core *core, struct core_peer *from, const void *data, size_t len,
    bool quiet, struct tfl_error *err);
/* Sends a block to all peers but one (NULL: to all). */
void core_gossip(struct tfl_core *core, const struct core_peer *but, const void *block, size_t len);
struct tfl_core_header core_header(const struct tfl_core *core, uint32_t i);
/* Leads the slot if the lottery says so. */
void core_lead(struct tfl_core *core, uint64_t slot);

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
