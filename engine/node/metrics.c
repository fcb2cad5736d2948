/* What a node tells about itself beyond the contract: Prometheus text, and the slots it was too late for. */
#include "node/api.h"

#include "node/peers.h"

enum { MAX_LATE = 4096 };

void tfl_api_metrics(struct tfl_node *node, struct tfl_http_request *req)
{
    struct tfl_core_info i;
    uint64_t slot;
    tfl_core_info(node->core, &i);
    tfl_slots_at(&node->slots, tfl_wall_now(node->loop), &slot);
    const struct {
        const char *name, *type, *help;
        uint64_t value;
    } metrics[] = {
        {"height", "gauge", "Height of the tip.", i.height},
        {"tip_slot", "gauge", "Slot of the tip.", i.tip_slot},
        {"lib_height", "gauge", "Height of the last irreversible block.", i.lib_height},
        {"lib_slot", "gauge", "Slot of the last irreversible block.", i.lib_slot},
        {"current_slot", "gauge", "Slot of the wall clock.", slot},
        {"online", "gauge", "1 when synchronised.", i.online},
        {"peers", "gauge", "Distinct peers that shook hands.", i.n_peers},
        {"connections", "gauge", "Connections to peers.", i.n_connections},
        {"pending_connections", "gauge", "Peers that are dialled and not reached.",
            tfl_peers_pending(node->peers)},
        {"blocks_known", "gauge", "Blocks in the index, forks and genesis included.", i.n_blocks},
        {"fork_blocks", "gauge", "Known blocks that are not on the chain of the tip.",
            i.n_blocks - i.height - 1},
        {"orphans", "gauge", "Blocks that wait for an ancestor.", i.n_orphans},
        {"blocks_applied_total", "counter", "Blocks applied since the start.", node->n_applied},
        {"blocks_final_total", "counter", "Blocks that became final since the start.", node->n_final},
        {"blocks_led_total", "counter", "Blocks led since the start.", i.n_led},
        {"blocks_refused_total", "counter", "Blocks that broke a rule.", i.n_refused},
        {"peers_dropped_total", "counter", "Connections the node closed.", i.n_dropped},
        {"reorgs_total", "counter", "Changes of the chain of the tip.", i.n_reorgs},
        {"reorg_depth_max", "gauge", "Deepest of them, in blocks left behind.", i.max_reorg_depth},
        {"late_slots_total", "counter", "Slots whose timer fired after they were over.", i.n_late_slots},
        {"mempool_transactions", "gauge", "Transactions that wait.", i.txs.pending},
        {"mempool_bytes", "gauge", "Their size.", i.txs.bytes},
        {"mempool_parked", "gauge", "Of them, those that lack what they take.", i.txs.parked},
        {"transactions_included", "gauge", "Transactions on the chain of the tip.", i.txs.included},
        {"notes", "gauge", "Unspent notes at the tip.", i.txs.notes},
        {"transactions_accepted_total", "counter",
            "Transactions taken into the mempool, or dropped in a test.", i.txs.accepted},
        {"transactions_refused_total", "counter", "Transactions that broke a rule.", i.txs.refused},
        {"transactions_full_total", "counter", "Transactions refused by a full mempool.", i.txs.full},
        {"transactions_expired_total", "counter", "Transactions that waited too long.", i.txs.expired},
        {"transactions_conflicted_total", "counter", "Transactions that lost to a final one.",
            i.txs.conflicted},
        {"transactions_returned_total", "counter", "Transactions of abandoned blocks that wait again.",
            i.txs.returned},
        {"http_requests_total", "counter", "HTTP requests handled.", tfl_http_server_requests(node->http)},
        {"http_connections", "gauge", "HTTP connections open.", tfl_http_server_connections(node->http)},
        {"stream_readers", "gauge", "Open streams.", node->blocks.n_readers + node->finals.n_readers},
        {"stream_rows_dropped_total", "counter", "Rows lost by slow readers.",
            node->blocks.dropped + node->finals.dropped},
    };
    struct tfl_buf out = {0};
    for (size_t m = 0; m < TFL_LEN(metrics); m++)
        tfl_buf_addf(&out, "# HELP tfl_node_%s %s\n# TYPE tfl_node_%s %s\ntfl_node_%s %llu\n",
            metrics[m].name, metrics[m].help, metrics[m].name, metrics[m].type, metrics[m].name,
            (unsigned long long)metrics[m].value);
    tfl_http_reply_buf(req, 200, "text/plain; version=0.0.4; charset=utf-8", &out);
}

void tfl_api_late_slots(struct tfl_node *node, struct tfl_http_request *req)
{
    struct tfl_core_late late[TFL_CORE_LATE_RANGES_MAX];
    size_t n = tfl_core_late_slots(node->core, late), first = n;
    uint64_t count = 0, skip = 0;
    /* From the newest range back, as many as fit. */
    while (first > 0 && count < MAX_LATE) {
        first--;
        count += late[first].to - late[first].from + 1;
    }
    if (count > MAX_LATE)
        skip = count - MAX_LATE;
    struct tfl_buf out = {0};
    tfl_buf_adds(&out, "[");
    const char *comma = "";
    for (size_t r = first; r < n; r++) {
        for (uint64_t slot = late[r].from + (r == first ? skip : 0); slot <= late[r].to; slot++) {
            tfl_buf_addf(&out, "%s%llu", comma, (unsigned long long)slot);
            comma = ",";
        }
    }
    tfl_buf_adds(&out, "]");
    tfl_http_reply_buf(req, 200, TFL_HTTP_JSON, &out);
}
