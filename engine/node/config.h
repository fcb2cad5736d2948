#ifndef TFL_NODE_CONFIG_H
#define TFL_NODE_CONFIG_H

#include "base/log.h"
#include "net/addr.h"
#include "node/node_core.h"

/* What a node is told: its own file (user.yaml), the file that is the same on all nodes (deployment.yaml), and the
 * command line. The shapes follow the real node's; see node/README.md. */
#define TFL_NODE_PEERS_MAX 1000

struct tfl_node_config {
    /* user.yaml */
    struct tfl_addr listen;           /* network.backend.swarm: host, port */
    uint8_t node_seed[TFL_SEED_SIZE]; /* node_key */
    struct tfl_addr *peers;           /* network.backend.initial_peers; owned */
    size_t n_peers;
    bool leads; /* cryptarchia.leader is there */
    uint8_t leader_seed[TFL_SEED_SIZE];
    uint64_t bootstrap_ms;    /* cryptarchia.service.bootstrap.prolonged_bootstrap_period; 0: none */
    struct tfl_addr api;      /* api.backend.listen_address */
    char *base_folder;        /* state.base_folder; owned */
    uint64_t mempool_ttl_s;   /* mempool.ttl_seconds; these three: 0 is the default of node/mempool.h */
    uint32_t mempool_max_txs; /* mempool.max_transactions */
    size_t mempool_max_bytes; /* mempool.max_bytes */
    enum tfl_log_level level; /* tracing.level, default info */
    char *log_directory;      /* tracing.logger of !File; NULL: standard output; owned */
    char *log_prefix;         /* the file's name in it; owned */
    /* deployment.yaml */
    struct tfl_genesis genesis; /* borrows chain_id, stakes and notes */
    char *chain_id;             /* owned */
    struct tfl_stake *stakes;   /* owned */
    struct tfl_output *notes;   /* owned */
    uint32_t security_param;
    double active_slot_coeff;
    uint64_t slot_duration_ms;
    /* --test */
    struct tfl_core_test test;
    uint64_t crash_at_slot; /* ends with status 101 in this slot; 0: never */
};

/* Reads both files into config, which is zero-initialised. Checks everything that can be checked without starting: each
 * error is TFL_E_BAD_CONFIG (or of reading the file) and names file, line, key, and what is expected. */
int tfl_node_config_read(
    struct tfl_node_config *config, const char *user, const char *deployment, struct tfl_error *err);
/* One --test KEY=VALUE. TFL_E_USAGE names the keys there are. */
int tfl_node_config_test(struct tfl_node_config *config, const char *assignment, struct tfl_error *err);
extern const char tfl_node_test_help[]; /* a line for each key, for --help */
void tfl_node_config_done(struct tfl_node_config *config);

#endif
