#include "node/node.h"

#include "base/bytes.h"
#include "chain/block_json.h"
#include "node/api.h"
#include "node/peers.h"

#include <string.h>
#include <unistd.h>

enum { LONGEST_SLEEP_MS = 1000, CRASH_STATUS = 101 };

static void arm(struct tfl_node *node);

static void on_tick(struct tfl_timer *timer)
{
    struct tfl_node *node = TFL_CONTAINER(timer, struct tfl_node, tick);
    tfl_core_tick(node->core, tfl_wall_now(node->loop));
    tfl_node_pump(node);
}

/* Deadlines are wall time, timers are not: it looks again every second, so that a clock that is set does not stop it. */
static void arm(struct tfl_node *node)
{
    int64_t deadline = tfl_core_next_deadline_ns(node->core), wait = LONGEST_SLEEP_MS * TFL_MS;
    int64_t wall = tfl_wall_now(node->loop);
    if (deadline < wall)
        wait = 0;
    else if (deadline - wall < wait)
        wait = deadline - wall;
    tfl_timer_start(node->loop, &node->tick, tfl_now(node->loop) + wait, on_tick);
}

static void die_of(struct tfl_node *node, const struct tfl_error *err)
{
    tfl_node_log(node->log, TFL_LOG_ERROR, "%s", err->msg);
    node->stop = true;
    node->status = 1;
}

static void on_commit(struct tfl_defer *defer)
{
    struct tfl_node *node = TFL_CONTAINER(defer, struct tfl_node, commit);
    struct tfl_error err;
    bool failed = tfl_store_commit(node->store, &err) != 0;
    if (failed)
        die_of(node, &err);
    tfl_api_committed(node, failed ? &err : NULL);
}

static void add_hash(struct tfl_buf *out, const char *before, const struct tfl_hash *h)
{
    char hex[TFL_HASH_HEX];
    tfl_buf_addf(out, "%s\"%s\"", before, tfl_hash_hex(hex, h));
}

int tfl_node_block_row(struct tfl_buf *out, const void *bytes, size_t len, const struct tfl_core_view *view)
{
    TFL_BLOCK block = {0};
    size_t n = 0;
    if (tfl_block_decode(&block, bytes, len, NULL))
        return -1;
    struct json_object *json = tfl_block_json(&block);
    const char *text = json_object_to_json_string_length(json, JSON_C_TO_STRING_PLAIN, &n);
    tfl_buf_adds(out, "{\"block\":");
    tfl_buf_add(out, text, n);
    json_object_put(json);
    add_hash(out, ",\"tip\":", &view->tip);
    tfl_buf_addf(out, ",\"tip_slot\":%llu", (unsigned long long)view->tip_slot);
    add_hash(out, ",\"lib\":", &view->lib);
    tfl_buf_addf(out, ",\"lib_slot\":%llu}", (unsigned long long)view->lib_slot);
    return 0;
}

/* Own blocks at INFO, those of others at DEBUG: a cluster's logs then tell each block once. */
static void log_block(struct tfl_node *node, const struct tfl_core_effect *e)
{
    TFL_BLOCK block = {0};
    char hex[TFL_HASH_HEX];
    if (!tfl_node_log_enabled(node->log, node->config->leads ? TFL_LOG_INFO : TFL_LOG_DEBUG) ||
        tfl_block_decode(&block, e->bytes->data, e->bytes->len, NULL))
        return;
    bool own = node->config->leads && !memcmp(block.header.leader, node->leader, sizeof node->leader);
    tfl_node_log(node->log, own ? TFL_LOG_INFO : TFL_LOG_DEBUG, "slot %llu block %s height %llu %s",
        (unsigned long long)e->block.slot, tfl_hash_hex(hex, &e->block.id),
        (unsigned long long)e->block.height,
        own                  ? "led"
        : e->block.canonical ? "applied"
                             : "applied as a fork");
}

static void on_block(struct tfl_node *node, const struct tfl_core_effect *e)
{
    struct tfl_error err;
    node->n_applied++;
    if (tfl_store_put(node->store, &e->block, e->bytes->data, e->bytes->len, &err)) {
        die_of(node, &err);
        return;
    }
    tfl_defer_start(node->loop, &node->commit, on_commit);
    log_block(node, e);
    if (!node->blocks.n_readers)
        return;
    TFL_BUF row = {0};
    if (!tfl_node_block_row(&row, e->bytes->data, e->bytes->len, &e->view)) {
        tfl_buf_adds(&row, "\n");
        tfl_http_topic_push(&node->blocks, row.data, row.len);
    }
}

/* Blocks and transactions of a turn are committed together, before its requests are answered. */
static void on_txs(struct tfl_node *node, const struct tfl_core_effect *e)
{
    struct tfl_error err;
    if (e->type == TFL_CORE_TX ? tfl_store_put_tx(node->store, &e->tx, e->bytes->data, e->bytes->len, &err)
                               : tfl_store_drop_txs(node->store, e->bytes->data, e->bytes->len, &err))
        die_of(node, &err);
    else
        tfl_defer_start(node->loop, &node->commit, on_commit);
}

static void on_final(struct tfl_node *node, const struct tfl_core_effect *e)
{
    TFL_BUF row = {0};
    node->n_final++;
    if (!node->finals.n_readers)
        return;
    tfl_buf_addf(&row, "{\"height\":%llu", (unsigned long long)e->block.height);
    add_hash(&row, ",\"header_id\":", &e->block.id);
    tfl_buf_adds(&row, "}\n");
    tfl_http_topic_push(&node->finals, row.data, row.len);
}

static void carry_out(struct tfl_node *node, const struct tfl_core_effect *e)
{
    switch (e->type) {
    case TFL_CORE_SEND:
        tfl_peers_send(node->peers, e->peer, e->bytes);
        break;
    case TFL_CORE_DROP:
        tfl_node_log(node->log, TFL_LOG_INFO, "connection %llu is dropped: %s", (unsigned long long)e->peer,
            (const char *)e->bytes->data);
        tfl_peers_drop(node->peers, e->peer);
        break;
    case TFL_CORE_BLOCK:
        on_block(node, e);
        break;
    case TFL_CORE_FINAL:
        on_final(node, e);
        break;
    case TFL_CORE_TX:
    case TFL_CORE_TXS_GONE:
        on_txs(node, e);
        break;
    case TFL_CORE_LOG:
        tfl_node_log(node->log, e->level, "%s", (const char *)e->bytes->data);
        break;
    }
}

static void maybe_crash(struct tfl_node *node)
{
    struct tfl_core_info info;
    if (!node->config->crash_at_slot)
        return;
    tfl_core_info(node->core, &info);
    if (info.current_slot < node->config->crash_at_slot)
        return;
    tfl_node_log(node->log, TFL_LOG_ERROR, "slot %llu: crashes, as --test crash_at_slot=%llu asks",
        (unsigned long long)info.current_slot, (unsigned long long)node->config->crash_at_slot);
    _exit(CRASH_STATUS); /* like a defect: nothing is flushed, nobody is told */
}

void tfl_node_pump(struct tfl_node *node)
{
    struct tfl_core_effect e;
    while (tfl_core_next(node->core, &e)) {
        carry_out(node, &e);
        tfl_core_effect_done(&e);
    }
    maybe_crash(node);
    arm(node);
}

static int restore_one(void *arg, const void *block, size_t len)
{
    struct tfl_node *node = arg;
    return tfl_core_restore(node->core, block, len, NULL);
}

static int restore_tx(void *arg, const struct tfl_core_tx *tx, const void *data, size_t len)
{
    struct tfl_node *node = arg;
    return tfl_core_restore_tx(node->core, tx, data, len, NULL);
}

static int restore(struct tfl_node *node, struct tfl_error *err)
{
    uint64_t ignored, removed;
    struct tfl_core_info info;
    if (tfl_store_restore(node->store, restore_one, node, &ignored, err) ||
        tfl_store_restore_txs(node->store, restore_tx, node, &removed, err))
        return -1;
    tfl_core_info(node->core, &info);
    if (ignored)
        tfl_node_log(node->log, TFL_LOG_WARN,
            "%llu stored blocks are damaged or lead nowhere, and are ignored", (unsigned long long)ignored);
    if (info.height)
        tfl_node_log(node->log, TFL_LOG_INFO, "%llu blocks restored, height %llu, slot %llu",
            (unsigned long long)info.n_blocks - 1, (unsigned long long)info.height,
            (unsigned long long)info.tip_slot);
    if (info.txs.pending || removed)
        tfl_node_log(node->log, TFL_LOG_INFO,
            "%llu transactions wait, as before; %llu are on the chain or damaged",
            (unsigned long long)info.txs.pending, (unsigned long long)removed);
    return 0;
}

static int read_stored(void *arg, const struct tfl_hash *id, struct tfl_buf *out, struct tfl_error *err)
{
    struct tfl_node *node = arg;
    return tfl_store_read(node->store, id, out, err);
}

static int make_core(struct tfl_node *node, struct tfl_error *err)
{
    const struct tfl_node_config *c = node->config;
    struct tfl_keypair identity;
    struct tfl_core_params params = {.genesis = c->genesis,
        .slot_duration_ms = c->slot_duration_ms,
        .active_slot_coeff = c->active_slot_coeff,
        .security_param = c->security_param,
        .n_configured_peers = (uint32_t)c->n_peers,
        .bootstrap_ms = c->bootstrap_ms,
        .mempool_ttl_s = c->mempool_ttl_s,
        .mempool_max_txs = c->mempool_max_txs,
        .mempool_max_bytes = c->mempool_max_bytes,
        .read = read_stored,
        .read_arg = node,
        .test = c->test};
    tfl_keypair_from_seed(&identity, c->node_seed);
    memcpy(params.node, identity.pub, sizeof params.node);
    tfl_peer_id(node->peer_id, identity.pub);
    if (c->leads)
        tfl_keypair_from_seed(&params.leader, c->leader_seed);
    else
        params.test.no_lead = true;
    memcpy(node->leader, params.leader.pub, sizeof node->leader);
    node->core = tfl_core_new(&params, err);
    return node->core ? 0 : -1;
}

int tfl_node_start(struct tfl_node *node, struct tfl_loop *loop, const struct tfl_node_config *config,
    struct tfl_node_log *log, struct tfl_error *err)
{
    char api[TFL_ADDR_TEXT], peers[TFL_ADDR_TEXT];
    struct tfl_core_info info;
    node->loop = loop;
    node->config = config;
    node->log = log;
    node->slots = (struct tfl_slots){.genesis_time_unix_ms = config->genesis.genesis_time_unix_ms,
        .slot_duration_ms = config->slot_duration_ms};
    struct tfl_http_options http = {.addr = config->api, .handle = tfl_api_handle, .arg = node};
    if (make_core(node, err))
        return -1;
    tfl_core_info(node->core, &info);
    node->store = tfl_store_open(config->base_folder, &info.genesis, err);
    if (!node->store || restore(node, err))
        return -1;
    node->peers = tfl_peers_start(node, err);
    if (!node->peers)
        return -1;
    node->http = tfl_http_server_new(loop, &http, err);
    if (!node->http)
        return tfl_wrap(err, "api.backend.listen_address");
    tfl_node_log(log, TFL_LOG_INFO, "%s listens for peers on %s, for HTTP on %s", node->peer_id,
        tfl_addr_multi(tfl_peers_addr(node->peers), peers),
        tfl_addr_text(tfl_http_server_addr(node->http), api));
    tfl_core_start(node->core, tfl_wall_now(loop));
    tfl_node_pump(node);
    return 0;
}

void tfl_node_done(struct tfl_node *node)
{
    tfl_peers_free(node->peers);
    tfl_http_topic_done(&node->blocks);
    tfl_http_topic_done(&node->finals);
    tfl_http_server_free(node->http);
    if (node->loop) {
        tfl_timer_stop(node->loop, &node->tick);
        tfl_defer_stop(node->loop, &node->commit);
    }
    tfl_store_close(node->store);
    tfl_core_free(node->core);
}
