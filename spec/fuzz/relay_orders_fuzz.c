// room: relay
#include "relay/orders.h"

#include <string.h>

/* Any body: refused as invalid, or an order within all bounds. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tfl_edge_order *edges;
    struct tfl_links_rule *rules;
    struct tfl_relay_policy policy;
    struct tfl_error err;
    size_t n;
    TFL_FREE char *text = tfl_strndup((const char *)data, size);
    size_t len = strlen(text);
    if (tfl_orders_edges(text, len, &edges, &n, &err))
        TFL_ASSERT(err.code == TFL_E_INVALID && !edges && !n);
    for (size_t i = 0; i < n; i++)
        TFL_ASSERT(
            edges[i].listen && edges[i].port && edges[i].from[0] && edges[i].to[0] && edges[i].host[0]);
    tfl_orders_edges_free(edges, n);
    if (tfl_orders_fault(text, len, &rules, &n, &policy, &err))
        TFL_ASSERT(err.code == TFL_E_INVALID && !rules && !n);
    else
        TFL_ASSERT(policy.latency_ns >= 0 && policy.jitter_ns >= 0 && policy.loss >= 0 && policy.loss < 1);
    tfl_links_rules_free(rules, n);
    return 0;
}
