#ifndef TFL_NET_RELAY_H
#define TFL_NET_RELAY_H

#include "base/error.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stdint.h>

/* A TCP relay that stands in the link between two nodes: the dialer connects to it, it connects to the listener and passes
 * bytes on, each way under a policy of its own that can be changed at any time. Bytes keep their order and are never lost while
 * a way is open. Real loops only. */
struct tfl_relay;

enum tfl_relay_way {
    TFL_RELAY_FORWARD,
    TFL_RELAY_BACK
}; /* from the dialer to the listener; from the listener to the dialer */

/* All zeros: bytes are passed on at once. */
struct tfl_relay_policy {
    /* Nothing is read or passed on, not even the end of a connection or its reset; while either way is cut, new connections are
     * taken and held without an answer. When a cut ends, connections it touched are reset and what was withheld is dropped. */
    bool cut;
    /* Each read, and the end of a connection, waits for latency ± jitter (uniform), never overtaking. */
    int64_t latency_ns, jitter_ns;
    uint64_t rate; /* bytes a second; 0: any */
    /* In [0, 1): the chance that a segment of at most 1,448 bytes is lost; then it and what follows wait 200 ms more, doubled
     * each time it is lost again (6 times at most), as a retransmission does. */
    double loss;
};

/* What happened so far, each way. */
struct tfl_relay_counts {
    uint64_t bytes;       /* passed on */
    uint64_t delayed;     /* of these, or still waiting: had to wait for the policy */
    uint64_t withheld;    /* not passed on because of a cut: dropped at its end, or waiting now */
    uint64_t connections; /* that reached the listener (of both ways the same) */
    uint64_t refused;     /* connections that were held without an answer (of both ways the same) */
};

struct tfl_relay_config {
    struct tfl_loop *loop;
    const char *host; /* the address of this host to listen at; NULL: 127.0.0.1; read during the call */
    const char *target_host; /* the literal address it leads to; NULL: 127.0.0.1; read during the call */
    uint16_t listen, target; /* ports; listen 0: it is given its connections by tfl_relay_take */
    uint64_t seed;           /* draws of jitter and loss come from its streams NAME/connection/way */
    const char *name;        /* copied */
};

/* Listens at once. TFL_E_CONNECT: the port cannot be listened on; TFL_E_USAGE, TFL_E_UNSUPPORTED: an address that is none, or a name.
 * A target that does not listen resets the dialer. */
struct tfl_relay *tfl_relay_new(const struct tfl_relay_config *config, struct tfl_error *err);
/* A connection that somebody else has accepted: as if this relay had. Takes the descriptor over. */
void tfl_relay_take(struct tfl_relay *relay, int fd);
/* Resets all connections. NULL-safe. */
void tfl_relay_free(struct tfl_relay *relay);

/* In force when the call returns, also for what waits: nothing waits longer than the new policy has it wait. */
void tfl_relay_shape(struct tfl_relay *relay, enum tfl_relay_way way, const struct tfl_relay_policy *policy);
struct tfl_relay_counts tfl_relay_counts(const struct tfl_relay *relay, enum tfl_relay_way way);
/* How many connections are open now. */
size_t tfl_relay_open(const struct tfl_relay *relay);

#endif
