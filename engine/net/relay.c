#include "net/relay.h"

#include "base/log.h"
#include "net/relay_impl.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

/* Closes with a reset: the other end learns at once that nothing more comes. */
static void reset_fd(int fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    if (fd < 0)
        return;
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(fd);
}

static bool any_cut(const struct tfl_relay *relay)
{
    return relay->policy[0].cut || relay->policy[1].cut;
}

static void conn_free(struct relay_conn *conn, bool reset)
{
    struct tfl_relay *relay = conn->relay;
    for (int i = 0; i < 2; i++)
        if (relay->policy[i].cut)
            relay->counts[i].withheld += relay_pipe_waiting(&conn->pipes[i]);
    for (int i = 0; i < 2; i++) {
        tfl_io_stop(relay->config.loop, &conn->ends[i].io);
        if (reset)
            reset_fd(conn->ends[i].fd);
        else
            close(conn->ends[i].fd);
        relay_pipe_done(&conn->pipes[i]);
    }
    DL_DELETE(relay->conns, conn);
    relay->n_conns--;
    free(conn);
}

static void end_ready(struct tfl_io *io, int events);

/* Watches each end for what its pipes want of it. False when that cannot be: the connection has to go. */
static bool watch(struct relay_conn *conn)
{
    struct tfl_loop *loop = conn->relay->config.loop;
    for (int i = 0; i < 2; i++) {
        struct relay_end *end = &conn->ends[i];
        int events =
            conn->connecting
                ? (i == 1 && !any_cut(conn->relay) ? TFL_WRITE : 0)
                : (relay_pipe_thirsty(&conn->pipes[i]) ? TFL_READ : 0) |
                      (conn->pipes[1 - i].blocked && !conn->relay->policy[1 - i].cut ? TFL_WRITE : 0);
        if (events == end->events)
            continue;
        end->events = events;
        if (!events)
            tfl_io_stop(loop, &end->io);
        else if (tfl_io_start(loop, &end->io, end->fd, events, end_ready, NULL))
            return false;
    }
    return true;
}

/* After every turn of a connection: it goes on, or is over. */
static void settle(struct relay_conn *conn, bool fine)
{
    if (fine && conn->pipes[0].shut && conn->pipes[1].shut)
        conn_free(conn, false);
    else if (!fine || !watch(conn))
        conn_free(conn, true);
}

void relay_conn_turn(struct relay_conn *conn, struct relay_pipe *pipe)
{
    settle(conn, relay_pipe_write(pipe));
}

/* The connection to the listener has come to be, or not. */
static bool connected(struct relay_conn *conn)
{
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(conn->ends[1].fd, SOL_SOCKET, SO_ERROR, &error, &len) || error)
        return false;
    conn->connecting = false;
    conn->relay->counts[0].connections++;
    conn->relay->counts[1].connections++;
    return true;
}

static void end_ready(struct tfl_io *io, int events)
{
    struct relay_end *end = TFL_CONTAINER(io, struct relay_end, io);
    struct relay_conn *conn = end->conn;
    int way = end == &conn->ends[1];
    bool fine = true;
    if (conn->connecting)
        fine = connected(conn);
    else if (events & TFL_WRITE)
        fine = relay_pipe_write(&conn->pipes[1 - way]);
    if (fine && (events & TFL_READ))
        fine = relay_pipe_read(&conn->pipes[way]);
    settle(conn, fine);
}

/* A socket on its way to the target, or −1. */
static int dial(const struct tfl_relay *relay)
{
    int fd = socket(relay->to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&relay->to, relay->to_len) && errno != EINPROGRESS) {
        close(fd);
        return -1;
    }
    return fd;
}

static size_t held_bytes(const struct relay_held *held)
{
    int unread = 0;
    return !ioctl(held->fd, FIONREAD, &unread) && unread > 0 ? (size_t)unread : 0;
}

static void let_go(struct tfl_relay *relay, struct relay_held *held)
{
    relay->counts[TFL_RELAY_FORWARD].withheld += held_bytes(held);
    DL_DELETE(relay->held, held);
    relay->n_held--;
    reset_fd(held->fd);
    free(held);
}

static void hold(struct tfl_relay *relay, int fd)
{
    struct relay_held *held = tfl_alloc(sizeof *held);
    held->fd = fd;
    DL_APPEND(relay->held, held);
    relay->counts[0].refused++;
    relay->counts[1].refused++;
    if (++relay->n_held > RELAY_HELD_MAX)
        let_go(relay, relay->held); /* whoever dialled it has long given up */
}

void tfl_relay_take(struct tfl_relay *relay, int fd)
{
    static const int on = 1;
    if (any_cut(relay)) {
        hold(relay, fd);
        return;
    }
    int to = relay->n_conns < RELAY_CONNS_MAX ? dial(relay) : -1;
    if (to < 0) {
        reset_fd(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(to, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct relay_conn *conn = tfl_alloc(sizeof *conn);
    conn->relay = relay;
    conn->connecting = true;
    relay->serial++;
    for (int i = 0; i < 2; i++) {
        conn->ends[i].conn = conn;
        conn->ends[i].fd = i == 0 ? fd : to;
        relay_pipe_init(&conn->pipes[i], conn, i == 0 ? TFL_RELAY_FORWARD : TFL_RELAY_BACK);
    }
    DL_APPEND(relay->conns, conn);
    relay->n_conns++;
    if (!watch(conn))
        conn_free(conn, true);
}

static void accepted(struct tfl_listener *l, int fd, const struct tfl_addr *from)
{
    (void)from;
    tfl_relay_take(TFL_CONTAINER(l, struct tfl_relay, listener), fd);
}

struct tfl_relay *tfl_relay_new(const struct tfl_relay_config *config, struct tfl_error *err)
{
    static const char here[] = "127.0.0.1";
    struct tfl_relay *relay = tfl_alloc(sizeof *relay);
    struct tfl_addr addr, to;
    relay->config = *config;
    relay->config.host = relay->config.target_host = NULL;
    relay->listener.fd = -1;
    const char *host = config->host ? config->host : here;
    const char *target_host = config->target_host ? config->target_host : here;
    if (tfl_addr_make(&to, target_host, config->target, err) ||
        tfl_addr_to_sockaddr(&to, &relay->to, &relay->to_len, err) ||
        (config->listen && (tfl_addr_make(&addr, host, config->listen, err) ||
                               tfl_listener_start(config->loop, &relay->listener, &addr, accepted, err)))) {
        free(relay);
        tfl_wrap(err, "the relay %s", config->name);
        return NULL;
    }
    relay->name = tfl_strdup(config->name);
    relay->config.name = relay->name;
    return relay;
}

/* Ends the connections that a cut has touched, and lets go of those that were held, or would have been. */
static void drop_cut(struct tfl_relay *relay)
{
    struct relay_conn *conn, *next;
    struct relay_held *held, *after;
    int fd;
    DL_FOREACH_SAFE(relay->conns, conn, next)
    {
        conn_free(conn, true);
    }
    while ((fd = accept4(relay->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
        hold(relay, fd);
    DL_FOREACH_SAFE(relay->held, held, after)
    {
        let_go(relay, held);
    }
}

void tfl_relay_free(struct tfl_relay *relay)
{
    if (!relay)
        return;
    tfl_listener_stop(&relay->listener);
    drop_cut(relay);
    free(relay->name);
    free(relay);
}

void tfl_relay_shape(struct tfl_relay *relay, enum tfl_relay_way way, const struct tfl_relay_policy *policy)
{
    struct relay_conn *conn, *next;
    if (relay->policy[way].cut && !policy->cut)
        drop_cut(relay); /* under the old policy still */
    relay->policy[way] = *policy;
    // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): conn_free takes a connection off the list before it frees it
    DL_FOREACH_SAFE(relay->conns, conn, next)
    {
        relay_pipe_retime(&conn->pipes[way]);
        settle(conn, conn->connecting || relay_pipe_write(&conn->pipes[way]));
    }
}

struct tfl_relay_counts tfl_relay_counts(const struct tfl_relay *relay, enum tfl_relay_way way)
{
    struct tfl_relay_counts counts = relay->counts[way];
    const struct relay_conn *conn;
    const struct relay_held *held;
    DL_FOREACH(relay->conns, conn)
    {
        if (relay->policy[way].cut)
            counts.withheld += relay_pipe_waiting(&conn->pipes[way]);
    }
    DL_FOREACH(relay->held, held)
    {
        if (way == TFL_RELAY_FORWARD)
            counts.withheld += held_bytes(held);
    }
    return counts;
}

size_t tfl_relay_open(const struct tfl_relay *relay)
{
    return relay->n_conns;
}
