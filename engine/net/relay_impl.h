#ifndef TFL_NET_RELAY_IMPL_H
#define TFL_NET_RELAY_IMPL_H

/* Shared by relay.c (listener, connections) and relay_pipe.c (one way of a connection); nobody else includes it. */
#include "base/buf.h"
#include "base/rng.h"
#include "net/relay.h"
#include "net/sock.h"

enum {
    RELAY_QUEUE_MAX = 1 << 20, /* bytes that wait in one way of a connection; then it is not read */
    RELAY_READ_MAX = 64 * 1024,
    RELAY_SEGMENT = 1448,
    RELAY_CONNS_MAX = 1024,
    RELAY_HELD_MAX = 64
};

struct relay_chunk {
    size_t len;
    int64_t due, lost; /* lost: how much of the wait is due to loss */
};

/* One way of a connection: what was read and waits for its time. */
struct relay_pipe {
    struct relay_conn *conn;
    enum tfl_relay_way way;
    struct tfl_timer timer; /* the first chunk becomes due */
    struct tfl_buf data;
    size_t sent; /* of data */
    struct relay_chunk *chunks;
    size_t first, n_chunks, cap_chunks;
    int64_t last_due, line_free; /* when the line has sent what was given to it (rate) */
    struct tfl_rng rng;
    int64_t end_due; /* when the receiver may know that the sender is done */
    bool eof;        /* the sender is done */
    bool reset;      /* because its connection broke: the receiver is told by a reset */
    bool shut;       /* and the receiver knows */
    bool gone;       /* the receiver's connection broke: nothing can be passed on any more */
    bool blocked;    /* the receiver takes nothing more now */
};

struct relay_end {
    struct relay_conn *conn;
    struct tfl_io io;
    int fd, events;
};

struct relay_conn {
    struct tfl_relay *relay;
    struct relay_end ends[2]; /* the dialer's, the listener's: pipe w reads ends[w] and writes ends[1 − w] */
    struct relay_pipe pipes[2];
    bool connecting;
    struct relay_conn *prev, *next;
};

struct relay_held {
    int fd;
    struct relay_held *prev, *next;
};

struct tfl_relay {
    struct tfl_relay_config config;
    char *name;
    struct tfl_listener listener;
    struct sockaddr_storage to; /* the target */
    socklen_t to_len;
    struct tfl_relay_policy policy[2];
    struct tfl_relay_counts counts[2];
    struct relay_conn *conns;
    struct relay_held *held; /* oldest first */
    size_t n_conns, n_held;
    uint64_t serial;
};

/* Reads what is there and passes on what is due. False when the connection has to be reset. */
bool relay_pipe_read(struct relay_pipe *pipe);
bool relay_pipe_write(struct relay_pipe *pipe);
/* The policy has changed: nothing waits longer than it says. */
void relay_pipe_retime(struct relay_pipe *pipe);
/* Does it want to be read from now? */
bool relay_pipe_thirsty(const struct relay_pipe *pipe);
/* Bytes that wait in it, and unread in the socket it reads. */
size_t relay_pipe_waiting(const struct relay_pipe *pipe);
void relay_pipe_init(struct relay_pipe *pipe, struct relay_conn *conn, enum tfl_relay_way way);
void relay_pipe_done(struct relay_pipe *pipe);

/* Called by a pipe's timer. */
void relay_conn_turn(struct relay_conn *conn, struct relay_pipe *pipe);

#endif
