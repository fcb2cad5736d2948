#include "topology/identity.h"

#include "base/rng.h"

#include <stdio.h>
#include <string.h>

void tfl_identity_of(struct tfl_identity *id, uint64_t seed, size_t index)
{
    struct tfl_keypair pair;
    char name[64];
    snprintf(name, sizeof name, "node/%zu/network", index);
    tfl_seed_bytes(id->node_key, seed, name);
    tfl_keypair_from_seed(&pair, id->node_key);
    tfl_peer_id(id->peer_id, pair.pub);
    snprintf(name, sizeof name, "node/%zu/leader", index);
    tfl_seed_bytes(id->leader_key, seed, name);
    tfl_keypair_from_seed(&pair, id->leader_key);
    memcpy(id->leader_pub, pair.pub, sizeof id->leader_pub);
}

void tfl_nonce_of(uint8_t nonce[32], uint64_t seed)
{
    tfl_seed_bytes(nonce, seed, "nonce");
}
