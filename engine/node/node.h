#ifndef TFL_NODE_NODE_H
#define TFL_NODE_NODE_H

#include "net/http_server.h"
#include "node/config.h"
#include "node/node_log.h"
#include "node/store.h"

/* The process around node_core: it carries the core's effects out and gives it its inputs. Everything runs in the one
 * loop of the process; this struct is shared by peers.c, api.c and stream.c. */
struct tfl_peers;

struct tfl_node {
    struct tfl_loop *loop;
    const struct tfl_node_config *config;
    struct tfl_node_log *log;
    struct tfl_core *core;
    struct tfl_store *store;
    struct tfl_peers *peers;
    struct tfl_http_server *http;
    struct tfl_http_topic blocks, finals; /* events/blocks/stream, lib-stream */
    struct tfl_slots slots;
    struct tfl_timer tick;      /* the core's next deadline */
    struct tfl_defer commit;    /* the end of this turn's transaction */
    struct tfl_answer *answers; /* requests that wait for it (api_txs.c) */
    char peer_id[TFL_PEER_ID_SIZE];
    uint8_t leader[TFL_PUBLIC_KEY_SIZE]; /* the key it leads with */
    uint64_t n_applied, n_final;
    bool stop;  /* the program ends … */
    int status; /* … with this */
};

/* Listens, restores the chain from disk and begins. config and log must outlive the node; node is zero-initialised.
 * After an error tfl_node_done is still due. */
int tfl_node_start(struct tfl_node *node, struct tfl_loop *loop, const struct tfl_node_config *config,
    struct tfl_node_log *log, struct tfl_error *err);
/* Ends streams and connections, commits the store, frees. */
void tfl_node_done(struct tfl_node *node);

/* After every input of the core: carries out all effects and arms the next deadline. Never called inside itself. */
void tfl_node_pump(struct tfl_node *node);

/* A row of the block stream without its newline: {"block":…,"tip":…,"tip_slot":…,"lib":…,"lib_slot":…}. 0, or -1 when the
 * bytes are no block. */
int tfl_node_block_row(struct tfl_buf *out, const void *block, size_t len, const struct tfl_core_view *view);

#endif
