#include "node/peers.h"

#include "net/sock.h"
#include "node/wire.h"

#include <stdlib.h>
#include <uthash.h>
#include <utlist.h>

enum { MAX_QUEUE = 4 * TFL_WIRE_MAX, MAX_DIALS = 64, DIAL_TIMEOUT_MS = 5000 };

/* A configured peer: dialled again whenever its connection is gone. */
struct edge {
    struct tfl_dialer dialer;
    struct tfl_peers *peers;
    struct peer *peer; /* NULL while there is no connection */
    bool warned;       /* said that it cannot be reached, since it last was */
};

/* A dial on request. */
struct dial {
    struct tfl_dialer dialer;
    struct tfl_peers *peers;
    struct peer *peer;
    struct tfl_http_request *req;
    struct tfl_timer timeout;
    struct dial *prev, *next;
};

/* A connection. */
struct peer {
    struct tfl_framed framed;
    struct tfl_peers *peers;
    uint64_t handle;
    struct edge *edge; /* NULL: came in, or was dialled on request */
    struct dial *dial; /* waits for the handshake */
    int64_t since;     /* tfl_now */
    UT_hash_handle hh;
};

struct tfl_peers {
    struct tfl_node *node;
    struct tfl_listener listener;
    struct edge *edges;
    size_t n_edges;
    struct dial *dials;
    struct peer *table;
    uint64_t last_handle;
    unsigned n_dials;
};

static int64_t wall(const struct tfl_peers *p)
{
    return tfl_wall_now(p->node->loop);
}

static void end_dial(struct dial *d)
{
    tfl_dialer_stop(&d->dialer);
    tfl_timer_stop(d->peers->node->loop, &d->timeout);
    if (d->peer)
        d->peer->dial = NULL;
    DL_DELETE(d->peers->dials, d);
    d->peers->n_dials--;
    free(d);
}

static void refuse_dial(struct dial *d, const char *why)
{
    tfl_http_replyf(d->req, 500, TFL_HTTP_TEXT, "%s", why);
    end_dial(d);
}

/* Forgets a connection and sees to what depends on it. The core knows already, or is told by the caller. */
static void forget(struct peer *peer, const char *why)
{
    struct tfl_peers *p = peer->peers;
    struct edge *edge = peer->edge;
    HASH_DEL(p->table, peer);
    tfl_framed_close(&peer->framed);
    if (edge) {
        edge->peer = NULL;
        /* A peer that takes the connection and hangs up at once is dialled ever less often. */
        if (tfl_now(p->node->loop) - peer->since > TFL_DIAL_MOST_MS * TFL_MS)
            tfl_dialer_reset(&edge->dialer);
        tfl_dialer_start(p->node->loop, &edge->dialer);
    }
    if (peer->dial) {
        peer->dial->peer = NULL;
        refuse_dial(peer->dial, why);
    }
    free(peer);
}

/* Answers a dial on request as soon as the core has shaken hands on its connection. */
static void see_handshake(struct peer *peer)
{
    struct tfl_core_peer list[TFL_CORE_PEERS_MAX];
    size_t n = tfl_core_peers(peer->peers->node->core, list, TFL_LEN(list));
    for (size_t i = 0; i < n && i < TFL_LEN(list); i++) {
        char id[TFL_PEER_ID_SIZE];
        if (list[i].peer != peer->handle || !list[i].hello)
            continue;
        tfl_http_replyf(peer->dial->req, 200, TFL_HTTP_JSON, "\"%s\"", tfl_peer_id(id, list[i].node));
        end_dial(peer->dial);
        return;
    }
}

static void on_message(struct tfl_framed *f, const uint8_t *data, size_t n)
{
    struct peer *peer = TFL_CONTAINER(f, struct peer, framed);
    struct tfl_peers *p = peer->peers;
    uint64_t handle = peer->handle;
    tfl_core_message(p->node->core, wall(p), handle, data, n);
    tfl_node_pump(p->node);
    HASH_FIND(hh, p->table, &handle, sizeof handle, peer);
    if (peer && peer->dial)
        see_handshake(peer);
}

/* Carries no effect out: the message these bytes belong to is not whole, and heard only renews the peer's deadline. */
static void on_heard(struct tfl_framed *f)
{
    struct peer *peer = TFL_CONTAINER(f, struct peer, framed);
    tfl_core_heard(peer->peers->node->core, wall(peer->peers), peer->handle);
}

static void on_closed(struct tfl_framed *f, const struct tfl_error *why)
{
    struct peer *peer = TFL_CONTAINER(f, struct peer, framed);
    struct tfl_peers *p = peer->peers;
    tfl_node_log(
        p->node->log, TFL_LOG_DEBUG, "connection %llu: %s", (unsigned long long)peer->handle, why->msg);
    tfl_core_peer_down(p->node->core, wall(p), peer->handle);
    forget(peer, why->msg);
    tfl_node_pump(p->node);
}

/* Takes fd over. False when it cannot be watched; true also when the core drops it at once. */
static bool add_peer(struct tfl_peers *p, int fd, struct edge *edge, struct dial *dial)
{
    struct peer *peer = tfl_alloc(sizeof *peer);
    struct tfl_error err;
    *peer = (struct peer){.framed = {.message = on_message, .closed = on_closed, .heard = on_heard},
        .peers = p,
        .edge = edge,
        .dial = dial,
        .since = tfl_now(p->node->loop)};
    if (tfl_framed_start(p->node->loop, &peer->framed, fd, TFL_WIRE_MAX, MAX_QUEUE, &err)) {
        tfl_node_log(p->node->log, TFL_LOG_WARN, "a connection is given up: %s", err.msg);
        free(peer);
        return false;
    }
    peer->handle = ++p->last_handle;
    HASH_ADD(hh, p->table, handle, sizeof peer->handle, peer);
    if (edge)
        edge->peer = peer;
    if (dial)
        dial->peer = peer;
    tfl_core_peer_up(p->node->core, wall(p), peer->handle, edge != NULL);
    tfl_node_pump(p->node);
    return true;
}

static void on_inbound(struct tfl_listener *l, int fd, const struct tfl_addr *from)
{
    struct tfl_peers *p = TFL_CONTAINER(l, struct tfl_peers, listener);
    char text[TFL_ADDR_TEXT];
    tfl_node_log(p->node->log, TFL_LOG_DEBUG, "a peer comes in from %s", tfl_addr_text(from, text));
    add_peer(p, fd, NULL, NULL);
}

static void edge_connected(struct tfl_dialer *d, int fd)
{
    struct edge *edge = TFL_CONTAINER(d, struct edge, dialer);
    char text[TFL_ADDR_TEXT];
    edge->warned = false;
    tfl_node_log(edge->peers->node->log, TFL_LOG_INFO, "connected to %s", tfl_addr_multi(&d->addr, text));
    if (!add_peer(edge->peers, fd, edge, NULL))
        tfl_dialer_start(edge->peers->node->loop, d);
}

static void edge_failed(struct tfl_dialer *d, const struct tfl_error *err)
{
    struct edge *edge = TFL_CONTAINER(d, struct edge, dialer);
    tfl_node_log(
        edge->peers->node->log, edge->warned ? TFL_LOG_DEBUG : TFL_LOG_WARN, "%s; keeps trying", err->msg);
    edge->warned = true;
}

struct tfl_peers *tfl_peers_start(struct tfl_node *node, struct tfl_error *err)
{
    struct tfl_peers *p = tfl_alloc(sizeof *p);
    p->node = node;
    if (tfl_listener_start(node->loop, &p->listener, &node->config->listen, on_inbound, err)) {
        free(p);
        return NULL;
    }
    p->n_edges = node->config->n_peers;
    p->edges = tfl_alloc(p->n_edges * sizeof *p->edges);
    for (size_t i = 0; i < p->n_edges; i++) {
        struct edge *edge = &p->edges[i];
        edge->peers = p;
        edge->dialer.addr = node->config->peers[i];
        edge->dialer.connected = edge_connected;
        edge->dialer.failed = edge_failed;
        tfl_dialer_start(node->loop, &edge->dialer);
    }
    return p;
}

void tfl_peers_free(struct tfl_peers *p)
{
    struct peer *peer, *next;
    if (!p)
        return;
    while (p->dials)
        refuse_dial(p->dials, "the node stops");
    peer = p->table;
    HASH_CLEAR(hh, p->table); /* frees the table, not what is in it */
    for (; peer; peer = next) {
        next = peer->hh.next;
        tfl_framed_close(&peer->framed);
        free(peer);
    }
    for (size_t i = 0; i < p->n_edges; i++)
        tfl_dialer_stop(&p->edges[i].dialer);
    tfl_listener_stop(&p->listener);
    free(p->edges);
    free(p);
}

const struct tfl_addr *tfl_peers_addr(const struct tfl_peers *p)
{
    return &p->listener.addr;
}

unsigned tfl_peers_pending(const struct tfl_peers *p)
{
    const struct dial *d;
    unsigned n = 0;
    for (size_t i = 0; i < p->n_edges; i++)
        n += !p->edges[i].peer;
    DL_FOREACH(p->dials, d)
    n += !d->peer;
    return n;
}

void tfl_peers_send(struct tfl_peers *p, uint64_t handle, const struct tfl_bytes *message)
{
    struct peer *peer;
    HASH_FIND(hh, p->table, &handle, sizeof handle, peer);
    if (peer)
        tfl_framed_send(&peer->framed, message->data, message->len);
}

void tfl_peers_drop(struct tfl_peers *p, uint64_t handle)
{
    struct peer *peer;
    HASH_FIND(hh, p->table, &handle, sizeof handle, peer);
    if (peer)
        forget(peer, "the peer was dropped before the handshake was done");
}

static void dial_connected(struct tfl_dialer *d, int fd)
{
    struct dial *dial = TFL_CONTAINER(d, struct dial, dialer);
    if (!add_peer(dial->peers, fd, NULL, dial))
        refuse_dial(dial, "no resources for one connection more");
}

static void dial_failed(struct tfl_dialer *d, const struct tfl_error *err)
{
    refuse_dial(TFL_CONTAINER(d, struct dial, dialer), err->msg);
}

static void dial_late(struct tfl_timer *timer)
{
    struct dial *dial = TFL_CONTAINER(timer, struct dial, timeout);
    struct peer *peer = dial->peer;
    refuse_dial(dial, "the peer was reached but did not shake hands within 5 s");
    if (peer) {
        struct tfl_peers *p = peer->peers;
        tfl_core_peer_down(p->node->core, wall(p), peer->handle);
        forget(peer, "");
        tfl_node_pump(p->node);
    }
}

static void dial_gone(struct tfl_http_request *req, void *arg)
{
    (void)req;
    end_dial(arg); /* the connection, if there is one already, stays */
}

void tfl_peers_dial(struct tfl_peers *p, const struct tfl_addr *addr, struct tfl_http_request *req)
{
    if (p->n_dials == MAX_DIALS) {
        tfl_http_replyf(req, 500, TFL_HTTP_TEXT, "%d dials are already waiting for an answer", MAX_DIALS);
        return;
    }
    struct dial *d = tfl_alloc(sizeof *d);
    d->peers = p;
    d->req = req;
    d->dialer.addr = *addr;
    d->dialer.connected = dial_connected;
    d->dialer.failed = dial_failed;
    DL_APPEND(p->dials, d);
    p->n_dials++;
    tfl_http_wait(req, dial_gone, d);
    tfl_timer_start(p->node->loop, &d->timeout, tfl_now(p->node->loop) + DIAL_TIMEOUT_MS * TFL_MS, dial_late);
    tfl_dialer_start(p->node->loop, &d->dialer);
}
