#ifndef TFL_NET_RESOLVE_H
#define TFL_NET_RESOLVE_H

#include "loop/loop.h"
#include "net/addr.h"

/* The address of a name without blocking the loop: getaddrinfo(3) blocks for seconds when a name server is
 * away, so it runs in a thread of its own that owns its copy of the question and answers through a pipe. A
 * thread that hangs outlives the asker and harms nobody; at most 32 run at once. */
struct tfl_resolve {
    /* Called once, never inside start. err is NULL on success, else ss is all zeros. */
    void (*fn)(
        struct tfl_resolve *r, const struct sockaddr_storage *ss, socklen_t len, const struct tfl_error *err);
    struct tfl_loop *loop;
    struct tfl_io io;
    int fd;
    char host[254];
};

/* Asks for the first IPv4 or IPv6 address of a TFL_ADDR_NAME. r is zero-initialised, the owner's, and must
 * stay until fn is called or it is stopped. */
int tfl_resolve_start(struct tfl_loop *loop, struct tfl_resolve *r, const struct tfl_addr *addr,
    void (*fn)(struct tfl_resolve *, const struct sockaddr_storage *, socklen_t, const struct tfl_error *),
    struct tfl_error *err);
void tfl_resolve_stop(struct tfl_resolve *r);

#endif
