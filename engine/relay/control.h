#ifndef TFL_RELAY_CONTROL_H
#define TFL_RELAY_CONTROL_H

#include "net/http_server.h"

/* The links of a cluster (deploy/links), controlled over HTTP (README). What a lost answer makes the asker ask again for is done once:
 * an edge is known by its ends, a fault by the number that the asker gives it, which is never another one's. */
struct tfl_control;

struct tfl_control_config {
    struct tfl_loop *loop;
    struct tfl_addr addr; /* a literal: where it is asked, and the host at which relays listen */
    uint64_t seed;
};

/* TFL_E_CONNECT: it cannot listen there. */
struct tfl_control *tfl_control_new(const struct tfl_control_config *config, struct tfl_error *err);
const struct tfl_addr *tfl_control_addr(const struct tfl_control *c); /* with the real port */
/* All connections are reset. NULL-safe. */
void tfl_control_free(struct tfl_control *c);

#endif
