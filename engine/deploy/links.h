#ifndef TFL_DEPLOY_LINKS_H
#define TFL_DEPLOY_LINKS_H

#include "net/relay.h"

#include <sys/types.h>

/* The links between the nodes of a cluster, one relay for each edge that one node dials, and the faults in force on them. A fault
 * is a policy for the bytes that flow from some nodes to others; where several meet, a cut wins, latencies and jitters add up, the
 * lowest rate holds, and a segment is lost when one of them loses it. Links that come later obey what is in force. */
struct tfl_links;

/* Nodes by name, or (except) all but these, whether they are there yet or not. */
struct tfl_links_set {
    char **names; /* owned, in any order; a fault sorts them */
    size_t n;
    bool except;
};
/* Bytes that flow from a node of one set to a node of the other. */
struct tfl_links_rule {
    struct tfl_links_set from, to;
};

/* host: the address of this host at which relays listen, NULL: 127.0.0.1. */
struct tfl_links *tfl_links_new(struct tfl_loop *loop, uint64_t seed, const char *host);
/* All connections are reset. NULL-safe. */
void tfl_links_free(struct tfl_links *links);

/* The relay for what `from` dials at `to`: listens on HOST:listen, leads to target_host:target (a literal address; NULL: 127.0.0.1).
 * TFL_E_CONNECT: it cannot listen; TFL_E_USAGE, TFL_E_UNSUPPORTED: a host that is none, or a name; TFL_E_STATE: the link is there with
 * another port or target. The same again is fine. */
int tfl_links_edge(struct tfl_links *links, const char *from, const char *to, uint16_t listen,
    const char *target_host, uint16_t target, struct tfl_error *err);

/* The relay of a node that all others dial at one port: each connection is found its dialler (deploy/inbound.h) and obeys, and counts
 * for, the edge from that node, which comes to be with the first. What no node dials, or the node itself, is passed on
 * unshaped; but while a fault is in force, a connection whose dialler is gone before it could be told is reset. TFL_E_CONNECT,
 * TFL_E_UNSUPPORTED: see there; TFL_E_STATE: it is there with another port. The same again is fine. */
int tfl_links_inbound(
    struct tfl_links *links, const char *to, uint16_t listen, uint16_t target, struct tfl_error *err);
/* The process of a node from now on, to be told at each start; its group and descendants count, too. 0: it has none. */
void tfl_links_process(struct tfl_links *links, const char *name, pid_t pid);

/* Puts a fault in force, at once; gives its number (from 1). Takes over rules (an allocated array) and what they point to. */
int64_t tfl_links_fault(
    struct tfl_links *links, struct tfl_links_rule *rules, size_t n, const struct tfl_relay_policy *policy);
/* What happened to the bytes it is about, since it is in force. TFL_E_NOT_FOUND: it is not in force. */
int tfl_links_counts(
    const struct tfl_links *links, int64_t fault, struct tfl_relay_counts *counts, struct tfl_error *err);
/* Ends it; counts (may be NULL) as above. */
int tfl_links_heal(
    struct tfl_links *links, int64_t fault, struct tfl_relay_counts *counts, struct tfl_error *err);

/* Frees the members of rules and the array. NULL-safe. */
void tfl_links_rules_free(struct tfl_links_rule *rules, size_t n);

struct tfl_links_edge_view {
    const char *from, *to;   /* valid until the links go */
    const char *target_host; /* NULL: 127.0.0.1 */
    uint16_t listen, target; /* of an edge through an inbound relay: those of that */
    size_t open;             /* connections now */
    struct tfl_relay_counts counts[2];
};
size_t tfl_links_n_edges(const struct tfl_links *links);
void tfl_links_view(const struct tfl_links *links, size_t i, struct tfl_links_edge_view *view);

struct tfl_links_inbound_view {
    const char *to;
    uint16_t listen, target;
    uint64_t unknown; /* connections that no node dialled */
    uint64_t dropped; /* of these: reset, not passed on */
    size_t waiting;   /* connections whose dialler is still looked for */
    struct tfl_relay_counts unshaped[2];
};
size_t tfl_links_n_inbounds(const struct tfl_links *links);
void tfl_links_inbound_view(const struct tfl_links *links, size_t i, struct tfl_links_inbound_view *view);

#endif
