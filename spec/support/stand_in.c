/* A stand-in for logos-blockchain-node, for specs: stand_in user.yaml --deployment deployment.yaml [--check-config]
 *
 * Takes the real node's arguments and files, notes what it was given in record.txt, and answers its API in the form that
 * STAND_IN_VERSION says: DEC, J28, APR, JUN (when not set) or AUG. Its chain needs no consensus: which slots have a block, and
 * who they are, follows from the deployment alone, so all stand-ins of a cluster have the same. Transactions go round over
 * UDP, between the ports where the real node speaks QUIC, with the slot from which they may be in a block. SIGINT ends it
 * properly; it has no other graceful way. */
#include "stand_in_chain.h"

#include "stand_in_wallet.h"

#include <signal.h>

/* ---- the API */

static void info(struct fake_conn *c)
{
    TFL_BUF b = {0};
    char genesis[TFL_HASH_HEX], at[TFL_HASH_HEX], final[TFL_HASH_HEX], view[400], slot[40] = "";
    bool on = started();
    tfl_hash_hex(genesis, &stand.blocks[0].id);
    if (lies("genesis"))
        memset(genesis, 'e', TFL_HASH_HEX - 1);
    if (!old())
        snprintf(slot, sizeof slot, "\"lib_slot\":%llu,", (unsigned long long)lib()->slot);
    snprintf(view, sizeof view, "\"lib\":\"%s\",%s\"tip\":\"%s\",\"slot\":%llu,\"height\":%zu",
        tfl_hash_hex(final, &lib()->id), slot, tfl_hash_hex(at, &tip()->id), (unsigned long long)tip()->slot,
        stand.n_blocks - 1);
    if (is(stand.version, "AUG"))
        tfl_buf_addf(&b,
            "{\"cryptarchia_info\":{\"genesis_id\":\"%s\",%s,\"state\":\"%s\"},\"phase\":\"%s\"}", genesis,
            view, on ? "Online" : "Bootstrapping", on ? "Following" : "AwaitingGenesisTime");
    else if (is(stand.version, "JUN"))
        tfl_buf_addf(&b, "{\"cryptarchia_info\":{%s},\"mode\":%s}", view,
            on ? "{\"Started\":\"Online\"}" : "\"AwaitingStart\"");
    else
        tfl_buf_addf(&b, "{%s,\"mode\":\"%s\"}", view, on ? "Online" : "Bootstrapping");
    fake_json(c, b.data);
}

static void network(struct fake_conn *c)
{
    TFL_BUF b = {0};
    tfl_buf_addf(&b,
        "{\"listen_addresses\":[\"/ip4/127.0.0.1/udp/%d/quic-v1\"],\"n_peers\":%zu,\"n_connections\":%zu,"
        "\"n_pending_connections\":0%s%s}",
        stand.config.p2p, n_alive(), n_alive(), old() ? "" : ",\"peer_id\":\"12D3KooWstandin\"",
        is(stand.version, "AUG") ? ",\"discovered_peers\":[],\"n_discovered_peers\":0" : "");
    fake_json(c, b.data);
}

static void not_found(struct fake_conn *c)
{
    if (is(stand.version, "AUG"))
        fake_reply(c, 404, "application/json", "{\"code\":404,\"message\":\"Not found\"}");
    else
        fake_reply(c, 404, "text/plain", "");
}

static void one_block(struct fake_conn *c, const char *hex, bool raw)
{
    TFL_BUF b = {0};
    struct tfl_hash id;
    for (size_t i = 0; tfl_unhex(id.b, 32, hex, strnlen(hex, 64)) && i < stand.n_blocks; i++)
        if (tfl_hash_eq(&id, &stand.blocks[i].id)) {
            block_json(&b, &stand.blocks[i], raw);
            fake_json(c, b.data);
            return;
        }
    if (raw)
        fake_json(c, "null");
    else
        not_found(c);
}

/* rows: NDJSON of any blocks; else a list of final ones. */
static void range(struct fake_conn *c, const char *path, bool rows)
{
    TFL_BUF b = {0};
    unsigned long long from = 0, to = 0;
    sscanf(strchr(path, '?'), "?slot_from=%llu&slot_to=%llu", &from, &to);
    for (size_t i = 0; i < stand.n_blocks; i++) {
        if (stand.blocks[i].slot < from || stand.blocks[i].slot > to ||
            (!rows && stand.blocks[i].slot > lib()->slot))
            continue;
        if (rows)
            row_json(&b, &stand.blocks[i]);
        else
            tfl_buf_adds(&b, b.len ? "," : "[");
        if (!rows)
            block_json(&b, &stand.blocks[i], false);
    }
    if (!rows)
        tfl_buf_adds(&b, b.len ? "]" : "[]");
    fake_reply(c, 200, rows ? "application/x-ndjson" : "application/json", b.len ? b.data : "");
}

static void mempool(struct fake_conn *c)
{
    TFL_BUF b = {0};
    char hex[TFL_HASH_HEX];
    for (size_t i = 0; i < stand.n_txs; i++)
        if (!stand.txs[i].done)
            tfl_buf_addf(&b, "%s\"%s\"", b.len ? "," : "[", tfl_hash_hex(hex, &stand.txs[i].hash));
    tfl_buf_adds(&b, b.len ? "]" : "[]");
    fake_json(c, b.data);
}

static void answer(struct fake_conn *c, const char *method, const char *path, const char *body)
{
    const char *stream = old() ? "/cryptarchia/blocks/stream" : "/cryptarchia/events/blocks/stream";
    if (is(path, "/cryptarchia/info"))
        info(c);
    else if (is(path, "/network/info"))
        network(c);
    else if (is(path, stream))
        fake_stream_start(c);
    else if (strncmp(path, "/cryptarchia/blocks_range?", 26) == 0 && new ())
        range(c, path, true);
    else if (strncmp(path, "/cryptarchia/blocks?", 20) == 0)
        range(c, path, false);
    else if (strncmp(path, "/cryptarchia/blocks/", 20) == 0 && !old())
        one_block(c, path + 20, false);
    else if (is(path, "/storage/block") && is(method, "POST") && old() && body[0] == '"')
        one_block(c, body + 1, true);
    else if (is(path, "/mempool/add/tx") && is(method, "POST") && is(stand.version, "AUG"))
        submit_funded(c, body);
    else if (is(path, "/mempool/add/tx") && is(method, "POST"))
        submit(c, body);
    else if (is(path, "/wallet/transactions/transfer-funds") && new ())
        make_transfer(c, body);
    else if (is(path, "/wallet/fund") && new ())
        fund(c, body);
    else if (strncmp(path, "/wallet/", 8) == 0)
        balance(c, path);
    else if (is(path, "/mempool/view") && new ())
        mempool(c);
    else
        not_found(c);
}

/* ---- the process */

static int udp_socket(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at))
        stand_die("Address already in use", "udp");
    return fd;
}

static void interrupted(struct tfl_signal *signal)
{
    (void)signal;
    stand_record("signal", "INT");
    _exit(0);
}

int main(int argc, char **argv)
{
    const char *version = getenv("STAND_IN_VERSION");
    bool never = false;
    if (argc < 4 || !is(argv[2], "--deployment"))
        stand_die("usage: stand_in user.yaml --deployment deployment.yaml [--check-config]", "arguments");
    stand_record_all(argc, argv);
    stand_read_user(&stand.config, argv[1]);
    stand_read_deployment(&stand.config, argv[3]);
    if (argc > 4 && is(argv[4], "--check-config")) {
        puts("Configs are valid!");
        return 0;
    }
    tfl_chain_init();
    stand.version = version ? version : "JUN";
    stand.loop = tfl_loop_new(NULL);
    stand.udp = udp_socket(stand.config.p2p);
    stand.blend = udp_socket(stand.config.blend); /* held, like the real node's */
    struct tfl_hash root;
    memcpy(root.b, stand.config.root, 32);
    add_block(0, root, tfl_strdup(""));
    stand.server = fake_listen(stand.loop, stand.config.http, answer, NULL);
    tfl_io_start(stand.loop, &stand.io, stand.udp, TFL_READ, datagram, NULL);
    tfl_signal_start(stand.loop, &stand.interrupt, SIGINT, interrupted, NULL);
    slots_due(&stand.slot_timer);
    greet(&stand.greet_timer);
    tfl_loop_run(stand.loop, &never);
    return 1;
}
