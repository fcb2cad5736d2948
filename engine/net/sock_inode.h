#ifndef TFL_NET_SOCK_INODE_H
#define TFL_NET_SOCK_INODE_H

#include "net/addr.h"

/* The inode of the TCP socket of this host that has the address `from` and is connected to `to` (IPv4, for an IPv6 socket with a
 * mapped address, too); /proc/PID/fd names sockets by it. 0: no process has it open (any more). Asks the kernel about the
 * one socket (sock_diag): constant time, where /proc/net/tcp walks a table as large as the host's memory allows.
 * TFL_E_UNSUPPORTED: it does not tell. */
int tfl_sock_inode(
    const struct tfl_addr *from, const struct tfl_addr *to, uint64_t *inode, struct tfl_error *err);

#endif
