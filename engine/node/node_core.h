#ifndef TFL_NODE_NODE_CORE_H
#define TFL_NODE_NODE_CORE_H

#include "base/bytes.h"
#include "base/log.h"
#include "chain/genesis.h"
#include "chain/ledger.h"
#include "chain/slots.h"

/* The reference node without its process: consensus, ledger, mempool, gossip, synchronisation. Pure: it reads no clock, file, socket or
 * random source. Same parameters and inputs, same effects, byte for byte.
 *
 * How the process drives it:
 *   1. tfl_core_new; tfl_core_restore for each stored block in the order they were stored, then tfl_core_restore_tx for
 *      each stored transaction; tfl_core_start, once.
 *   2. Give inputs (tick, peer_up, heard, message, peer_down, submit), each with the wall time now. After EVERY input pop the
 *      effects with tfl_core_next until it says false, and carry them out in order, before the next input: a stored
 *      block must be readable through params.read from then on.
 *   3. Call tfl_core_tick at tfl_core_next_deadline_ns (it changes with every input). A late tick does no harm but one:
 *      slots that had ended by then are not led, and are remembered as late.
 * Queries may be made at any time and change nothing. Times are unix wall time in ns; time that runs backwards is read as
 * standing still. */

#define TFL_CORE_PEERS_MAX 1024      /* connections; one more is dropped */
#define TFL_CORE_HEADERS_MAX 512     /* ids in one walk */
#define TFL_CORE_LATE_RANGES_MAX 256 /* remembered; the oldest are forgotten, the count is not */

/* Gives the encoded bytes of a stored block: appends them to out and returns 0, or -1 with TFL_E_NOT_FOUND or TFL_E_IO. */
typedef int (*tfl_core_read_fn)(
    void *arg, const struct tfl_hash *id, struct tfl_buf *out, struct tfl_error *err);

/* Switches for specs that need a bad node (`tfl-node --test KEY=VALUE`). All zeros is an honest node. */
struct tfl_core_test {
    bool no_lead;             /* never leads */
    uint64_t lead_until_slot; /* leads only in slots below this one; 0: no limit */
    uint64_t
        deaf_from_slot;    /* from this slot on ignores all messages but pings, and does not lead; 0: never */
    bool build_on_genesis; /* every block it leads has genesis as parent */
    uint64_t
        drop_every; /* of the transactions submitted to it, each Nth is answered well and forgotten; 0: none */
};

struct tfl_core_params {
    struct tfl_genesis genesis; /* checked and copied by tfl_core_new */
    uint64_t slot_duration_ms;
    double active_slot_coeff;  /* in (0, 1] */
    uint32_t security_param;   /* k >= 1 */
    struct tfl_keypair leader; /* not in the stake table: never wins */
    uint8_t
        node[TFL_PUBLIC_KEY_SIZE]; /* identity told to peers; a connection to the same identity is dropped */
    uint32_t n_configured_peers;   /* 0: online from the start, or after bootstrap_ms */
    uint64_t bootstrap_ms;  /* with blocks of before and nobody to dial: the wait for one that dials it */
    uint64_t mempool_ttl_s; /* these three: 0 is the default of node/mempool.h */
    uint32_t mempool_max_txs;
    size_t mempool_max_bytes;
    tfl_core_read_fn read;
    void *read_arg;
    struct tfl_core_test test;
};

/* What is stored beside the bytes of a transaction that waits. */
struct tfl_core_tx {
    uint64_t seq, arrival_ms;
    bool proven; /* all of its signatures were verified */
};

struct tfl_core;
/* NULL and TFL_E_BAD_CONFIG when a parameter is out of bounds. Free with tfl_core_free. */
struct tfl_core *tfl_core_new(const struct tfl_core_params *params, struct tfl_error *err);
void tfl_core_free(struct tfl_core *core); /* NULL-safe; effects not popped are lost */

/* Start. Blocks come in the order their TFL_CORE_BLOCK effects came (so parents first), without genesis, which is never
 * stored; signatures are not checked again. Makes no effect. TFL_E_INVALID: not a block, or its parent is missing; the
 * caller stops there (a prefix of the order is a valid chain) or gives up. */
int tfl_core_restore(struct tfl_core *core, const void *block, size_t len, struct tfl_error *err);
/* After the blocks, a transaction of a TFL_CORE_TX effect that no TFL_CORE_TXS_GONE named, in the order of seq. Nothing of
 * it is verified again. TFL_E_INVALID: not a transaction, or it is on the chain: remove it from the store. */
int tfl_core_restore_tx(
    struct tfl_core *core, const struct tfl_core_tx *tx, const void *data, size_t len, struct tfl_error *err);
void tfl_core_start(struct tfl_core *core, int64_t wall_ns);

/* Inputs. Handles are the process's names of connections: any number, never used again after peer_down or a DROP. */
void tfl_core_tick(struct tfl_core *core, int64_t wall_ns);
/* A connection stands. configured: it is to one of the peers of the config (the others came in, or by dial_peer). */
void tfl_core_peer_up(struct tfl_core *core, int64_t wall_ns, uint64_t peer, bool configured);
/* Bytes came from the peer, though not yet a whole message: it is alive. */
void tfl_core_heard(struct tfl_core *core, int64_t wall_ns, uint64_t peer);
/* A whole message, of at most TFL_WIRE_MAX bytes (longer: the process drops the peer itself). Borrowed. */
void tfl_core_message(struct tfl_core *core, int64_t wall_ns, uint64_t peer, const void *data, size_t len);
/* The connection is gone (not after a DROP effect, which already says so; then it is ignored). */
void tfl_core_peer_down(struct tfl_core *core, int64_t wall_ns, uint64_t peer);

/* A transaction from a client of this node (borrowed). ACCEPTED: it is stored by effects, and durable once they are. */
enum tfl_core_submitted {
    TFL_CORE_TX_ACCEPTED,
    TFL_CORE_TX_KNOWN,   /* waits already, or is on the chain */
    TFL_CORE_TX_FULL,    /* the mempool is; err says how full */
    TFL_CORE_TX_REFUSED, /* it breaks a rule wherever the chain is; err says which */
};
enum tfl_core_submitted tfl_core_submit(
    struct tfl_core *core, int64_t wall_ns, const struct tfl_tx *tx, struct tfl_error *err);

int64_t tfl_core_next_deadline_ns(const struct tfl_core *core);

enum tfl_core_effect_type {
    TFL_CORE_SEND, /* peer, bytes: one message, without its length */
    TFL_CORE_DROP, /* peer, bytes (text): close the connection, its handle is dead; why */
    TFL_CORE_BLOCK, /* bytes, block, view: applied: store it, then show it to the block streams. Own, gossiped or fork */
    TFL_CORE_FINAL, /* block: newly final, in order of height, after the BLOCK whose view has it as LIB or above it */
    TFL_CORE_TX,       /* bytes, tx: a transaction waits in the mempool: store it */
    TFL_CORE_TXS_GONE, /* bytes: the seqs (each u64le) of stored transactions that left the mempool */
    TFL_CORE_LOG,      /* level, bytes (text) */
};
/* A block as the index knows it. */
struct tfl_core_header {
    struct tfl_hash id, parent;
    uint64_t slot, height; /* genesis: 0 and 0 */
    bool canonical;        /* on the chain of the tip */
    bool final;            /* at or below the LIB, and canonical */
};
struct tfl_core_view {
    struct tfl_hash tip, lib;
    uint64_t tip_slot, lib_slot;
};
struct tfl_core_effect {
    enum tfl_core_effect_type type;
    uint64_t peer;
    enum tfl_log_level level;
    struct tfl_bytes *bytes; /* counted; SEND to many peers shares them. Texts end in a NUL */
    struct tfl_core_header block;
    struct tfl_core_view view;
    struct tfl_core_tx tx;
};
/* Pops the oldest effect; false when there is none. The caller gives it back with tfl_core_effect_done. */
bool tfl_core_next(struct tfl_core *core, struct tfl_core_effect *out);
void tfl_core_effect_done(struct tfl_core_effect *effect);

/* Queries. */
enum tfl_core_phase {
    TFL_CORE_AWAITING_GENESIS, /* before genesis time */
    TFL_CORE_SYNCING,          /* not yet online */
    TFL_CORE_FOLLOWING,
};
struct tfl_core_info {
    struct tfl_hash genesis, tip, lib;
    uint64_t tip_slot, lib_slot, height, lib_height;
    uint64_t current_slot; /* at the last input; 0 before genesis */
    enum tfl_core_phase phase;
    bool online;            /* may lead: synchronised with a configured peer, or there is none. Stays so */
    uint32_t n_connections; /* all that are up */
    uint32_t n_peers;       /* distinct identities that shook hands */
    uint64_t n_blocks;      /* in the index, forks and genesis too */
    uint64_t n_orphans;     /* waiting for an ancestor */
    uint64_t n_led, n_refused, n_dropped, n_reorgs, max_reorg_depth, n_late_slots;
    struct tfl_core_txs_info {
        uint64_t pending, bytes,
            parked;        /* in the mempool; parked: of them, what they need is not there now */
        uint64_t last_ms;  /* unix time of the last that came; 0: none did */
        uint64_t included; /* on the chain of the tip, that of genesis too */
        uint64_t accepted, refused, full, expired, conflicted, returned; /* since the start */
        uint64_t notes;                                                  /* unspent at the tip */
    } txs;
};
void tfl_core_info(const struct tfl_core *core, struct tfl_core_info *info);

/* The ledger at the tip; read-only, until the next input. */
const struct tfl_tx_ledger *tfl_core_ledger(const struct tfl_core *core);
/* Does the transaction wait in the mempool? */
bool tfl_core_is_pending(const struct tfl_core *core, const struct tfl_hash *tx);
/* Calls fn for the hash of each that waits, oldest first. */
void tfl_core_each_pending(
    const struct tfl_core *core, void (*fn)(void *ctx, const struct tfl_hash *tx), void *ctx);
/* The canonical block that (most probably: 64 bits are compared) has the transaction; false when none has. */
bool tfl_core_find_tx(const struct tfl_core *core, const struct tfl_hash *tx, struct tfl_core_header *block);

/* The block with that id; false when it is not known. */
bool tfl_core_find(const struct tfl_core *core, const struct tfl_hash *id, struct tfl_core_header *out);
/* The canonical block of a height; false above the tip. Slots rise with heights, so ranges of slots are ranges of
 * heights: tfl_core_height_at_slot gives the least height whose slot is >= slot (tip height + 1 when there is none). */
bool tfl_core_at_height(const struct tfl_core *core, uint64_t height, struct tfl_core_header *out);
uint64_t tfl_core_height_at_slot(const struct tfl_core *core, uint64_t slot);
/* Ids from `from` (NULL: tip) back to `to` (NULL: LIB), both included, newest first, at most TFL_CORE_HEADERS_MAX; *n of
 * them. TFL_E_NOT_FOUND: one of them is unknown, or `to` is no ancestor of `from`. */
int tfl_core_headers(const struct tfl_core *core, const struct tfl_hash *from, const struct tfl_hash *to,
    struct tfl_hash ids[TFL_CORE_HEADERS_MAX], size_t *n, struct tfl_error *err);
/* Appends the encoded bytes of a block (genesis too) to out; TFL_E_NOT_FOUND, or what params.read says. */
int tfl_core_read(
    const struct tfl_core *core, const struct tfl_hash *id, struct tfl_buf *out, struct tfl_error *err);

struct tfl_core_peer {
    uint64_t peer;
    bool configured, hello; /* hello: the handshake is done and node is known */
    uint8_t node[TFL_PUBLIC_KEY_SIZE];
    uint64_t height; /* it last told */
};
/* Copies at most max connections into out, in order of their coming, and returns how many there are. */
size_t tfl_core_peers(const struct tfl_core *core, struct tfl_core_peer *out, size_t max);

struct tfl_core_late {
    uint64_t from, to; /* slots, both included, whose tick came when they were over */
};
/* Copies the remembered ranges, oldest first, into out and returns how many. */
size_t tfl_core_late_slots(const struct tfl_core *core, struct tfl_core_late out[TFL_CORE_LATE_RANGES_MAX]);

#endif
