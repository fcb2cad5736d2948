#ifndef TFL_DEPLOY_INBOUND_H
#define TFL_DEPLOY_INBOUND_H

#include "loop/loop.h"
#include "proc/holder.h"

#include <stdint.h>

/* A port that all nodes dial, and which of them each connection is from: asked of the kernel by the socket at its other end. A
 * dialler that no process of a node is found for is asked for again for 15 ms, as a node may dial before its pid is told. */

/* The nodes' processes. Zero-initialised; freed by tfl_owners_done. */
struct tfl_owners {
    char **names;
    struct tfl_process_id *ids;
    size_t n;
};
/* The process of that node from now on, whose group and descendants count, too; pid 0: it has none. */
void tfl_owners_set(struct tfl_owners *owners, const char *name, pid_t pid);
void tfl_owners_done(struct tfl_owners *owners);

struct tfl_inbound;
struct tfl_inbound_config {
    struct tfl_loop *loop;
    uint16_t listen;                 /* port of 127.0.0.1 */
    const struct tfl_owners *owners; /* borrowed */
    /* The descriptor is the callee's. from: the node; NULL: no node has the socket, or (gone) nobody has it any more. Must not free
     * the inbound. */
    void (*dialled)(void *arg, int fd, const char *from, bool gone);
    void *arg;
};
/* TFL_E_CONNECT: cannot listen; TFL_E_UNSUPPORTED: the kernel does not tell whose a socket is. */
struct tfl_inbound *tfl_inbound_new(const struct tfl_inbound_config *config, struct tfl_error *err);
/* Takes what has been dialled and not accepted yet; dialled is called inside. */
void tfl_inbound_drain(struct tfl_inbound *in);
/* Diallers that are still looked for. */
size_t tfl_inbound_waiting(const struct tfl_inbound *in);
void tfl_inbound_free(struct tfl_inbound *in); /* NULL-safe */

#endif
