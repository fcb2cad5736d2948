#ifndef TFL_NET_SOCK_H
#define TFL_NET_SOCK_H

#include "base/buf.h"
#include "loop/loop.h"
#include "net/addr.h"
#include "net/resolve.h"

/* TCP on the loop: a listener, a dialler that keeps trying, and a stream of length-framed messages. Every
 * descriptor is non-blocking and close-on-exec, every stream has TCP_NODELAY. All structs are
 * zero-initialised by the owner, who embeds them and keeps them alive while started. */

/* Binds and listens on a literal address (port 0: any free one). The descriptor is the caller's; *bound (may
 * be NULL) gets the address with the real port. TFL_E_CONNECT names the address and why, a taken port
 * included. */
int tfl_listen(const struct tfl_addr *addr, int *fd, struct tfl_addr *bound, struct tfl_error *err);

struct tfl_listener {
    /* Called for each connection; fd is the callee's from then on. */
    void (*fn)(struct tfl_listener *l, int fd, const struct tfl_addr *from);
    struct tfl_loop *loop;
    struct tfl_io io;
    struct tfl_timer pause; /* out of descriptors: accepts again after 100 ms */
    struct tfl_addr addr;   /* where it listens, with the real port */
    int fd;
};
int tfl_listener_start(struct tfl_loop *loop, struct tfl_listener *l, const struct tfl_addr *addr,
    void (*fn)(struct tfl_listener *, int, const struct tfl_addr *), struct tfl_error *err);
void tfl_listener_stop(struct tfl_listener *l);

enum { TFL_DIAL_FIRST_MS = 50, TFL_DIAL_MOST_MS = 500, TFL_DIAL_TIMEOUT_MS = 1000 };

/* Dials one address until it is connected: the first attempt at once, then after 50, 100, 200, 400, 500, 500…
 * ms. */
struct tfl_dialer {
    /* Connected: fd is the callee's, the dialler is idle. The pause of the next start carries on where it
     * was, until tfl_dialer_reset says that the peer was worth it: a peer that accepts and hangs up is not
     * dialled in a spin. */
    void (*connected)(struct tfl_dialer *d, int fd);
    /* One attempt failed; the next is armed already, and tfl_dialer_stop here calls it off. May be NULL. */
    void (*failed)(struct tfl_dialer *d, const struct tfl_error *err);
    struct tfl_loop *loop;
    struct tfl_addr addr;
    struct tfl_io io;
    struct tfl_timer timer; /* the pause, or the deadline of an attempt */
    struct tfl_resolve resolve;
    int fd; /* of the attempt, while io is started */
    int pause_ms;
};
/* Set addr, connected and failed first. Starting a started one does nothing. Nothing is called inside. */
void tfl_dialer_start(struct tfl_loop *loop, struct tfl_dialer *d);
void tfl_dialer_stop(struct tfl_dialer *d);
void tfl_dialer_reset(struct tfl_dialer *d); /* the next start dials at once */
bool tfl_dialer_started(const struct tfl_dialer *d);

/* Messages over a stream: u32 little-endian length, then as many bytes. */
struct tfl_framed {
    /* One whole message, valid during the call; may close or free the stream. */
    void (*message)(struct tfl_framed *f, const uint8_t *data, size_t n);
    /* Bytes came, though not yet a whole message: the peer is alive. May be NULL; must not close the stream. */
    void (*heard)(struct tfl_framed *f);
    /* The stream is over and its descriptor closed: by the peer, an error, or a bound. Called once, never
     * inside another call of this module, not after tfl_framed_close. May free the stream. */
    void (*closed)(struct tfl_framed *f, const struct tfl_error *why);
    struct tfl_loop *loop;
    struct tfl_io io;
    struct tfl_defer ending;
    struct tfl_error why;
    struct tfl_buf in, out;
    size_t out_sent;
    size_t max_message, max_queue; /* bytes */
    int fd;
    bool writing;
    bool *gone; /* set when the stream is closed inside message */
};
/* Takes fd over, also on error. Set message and closed first. A peer that announces a message of more than
 * max_message bytes is hung up on; so is one that leaves more than max_queue bytes unread. */
int tfl_framed_start(struct tfl_loop *loop, struct tfl_framed *f, int fd, size_t max_message,
    size_t max_queue, struct tfl_error *err);
/* Writes what the socket takes now and queues the rest. On a stream that is over it does nothing. */
void tfl_framed_send(struct tfl_framed *f, const void *data, size_t n);
void tfl_framed_close(struct tfl_framed *f); /* at once; what is queued is dropped */
static inline bool tfl_framed_open(const struct tfl_framed *f)
{
    return f->io.impl != NULL;
}

#endif
