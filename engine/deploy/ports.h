#ifndef TFL_DEPLOY_PORTS_H
#define TFL_DEPLOY_PORTS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ports for nodes on this host, each number for TCP and UDP alike (QUIC), from locked blocks of 32 between 20000 and 32767: below the range from which the kernel
 * takes ports for outgoing connections, so that none is taken away while its node is down for a restart. Blocks belong to
 * one tfl of this user by a lock file; against everybody else each port is kept bound, TCP and
 * UDP, until just before its node starts. TFL_PORTS=FIRST-LAST narrows the range to the whole blocks within it. */
enum { TFL_PORTS_FIRST = 20000, TFL_PORTS_END = 32768, TFL_PORTS_BLOCK = 32 };

struct tfl_ports;

struct tfl_ports *tfl_ports_new(void);
/* Lets go of everything; lock files and their folder are removed. NULL-safe. */
void tfl_ports_free(struct tfl_ports *ports);

/* Takes n ports: distinct, free, and no other user of this room can get them. TFL_E_NO_PORTS when there are not as many
 * (none is taken then), TFL_E_IO when the lock folder cannot be used. */
int tfl_ports_take(struct tfl_ports *ports, size_t n, uint16_t *out, struct tfl_error *err);
/* Unbinds a port that was taken, TCP and UDP, for its node to bind; the block stays locked. Others are ignored. */
void tfl_ports_unbind(struct tfl_ports *ports, uint16_t port);

/* The blocks of the range that TFL_PORTS gives, as [*from, *to); false when the text is no range that holds a block. NULL or "": all. */
bool tfl_ports_range(const char *text, int *from, int *to);

/* The folder of the lock files: $XDG_RUNTIME_DIR/tfl, or /tmp/tfl-UID. Owned by the caller. */
char *tfl_ports_folder(void);

#endif
