#ifndef TFL_TOPOLOGY_IDENTITY_H
#define TFL_TOPOLOGY_IDENTITY_H

#include "chain/keys.h"

/* Who the nodes of a run are: everything follows from the run's seed and the node's index, so that one seed gives one
 * cluster, and one nonce with it one leader schedule. Not for real value: the seed is printed in every summary. */

#define TFL_STAKE_DEFAULT 100000 /* of every node of a plan that does not say; only shares matter */

struct tfl_identity {
    uint8_t node_key[TFL_SEED_SIZE]; /* Ed25519 seed of the network key */
    char peer_id[TFL_PEER_ID_SIZE];
    uint8_t leader_key[TFL_SEED_SIZE]; /* Ed25519 seed of the key that leads */
    uint8_t leader_pub[TFL_PUBLIC_KEY_SIZE];
};

/* Needs tfl_chain_init. */
void tfl_identity_of(struct tfl_identity *id, uint64_t seed, size_t index);

/* The lottery's nonce of a run. */
void tfl_nonce_of(uint8_t nonce[32], uint64_t seed);

#endif
