#ifndef TFL_RELAY_ORDERS_H
#define TFL_RELAY_ORDERS_H

#include "deploy/links.h"

/* What tfl-relay is asked to do, as JSON. Anything may come: each is TFL_E_INVALID with the member that is wrong, what was expected
 * and what was seen; nothing is kept of an order that is refused. */

struct tfl_edge_order {
    char *from, *to; /* owned */
    char *host;      /* owned: the literal address of the target */
    uint16_t listen, port;
};

/* {"edges": [{"from": "node-1", "to": "node-0", "listen": 20000, "host": "10.0.0.7", "port": 8081}…]} */
int tfl_orders_edges(
    const char *text, size_t len, struct tfl_edge_order **edges, size_t *n, struct tfl_error *err);
void tfl_orders_edges_free(struct tfl_edge_order *edges, size_t n); /* NULL-safe */

/* {"rules": [{"from": {"names": ["node-1"], "except": false}, "to": …}…], "cut": true, "latency": s, "jitter": s,
 * "rate": bytes a second, "loss": 0 to 0.99}: all but rules may be left out. The rules are tfl_links_fault's to free. */
int tfl_orders_fault(const char *text, size_t len, struct tfl_links_rule **rules, size_t *n,
    struct tfl_relay_policy *policy, struct tfl_error *err);

#endif
