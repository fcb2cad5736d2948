#ifndef TFL_NODE_PEERS_H
#define TFL_NODE_PEERS_H

#include "node/node.h"

/* The connections of a node: dials the configured peers for as long as it lives, takes those that come in, frames the
 * core's messages, and dials once on request (POST /network/dial_peer). */
struct tfl_peers *tfl_peers_start(struct tfl_node *node, struct tfl_error *err); /* NULL: cannot listen */
void tfl_peers_free(struct tfl_peers *p);                                        /* NULL-safe */
const struct tfl_addr *tfl_peers_addr(const struct tfl_peers *p); /* where it listens, with the real port */
unsigned tfl_peers_pending(const struct tfl_peers *p);            /* dialled, but not connected now */

/* Effects of the core; an unknown handle is ignored (it was closed while the effect was on its way). */
void tfl_peers_send(struct tfl_peers *p, uint64_t peer, const struct tfl_bytes *message);
void tfl_peers_drop(struct tfl_peers *p, uint64_t peer);

/* Dials addr once and answers req: 200 and the peer's id as a JSON string after the handshake, 500 and why when there is
 * none within 5 s. The connection stays; when it breaks it is not dialled again. */
void tfl_peers_dial(struct tfl_peers *p, const struct tfl_addr *addr, struct tfl_http_request *req);

#endif
