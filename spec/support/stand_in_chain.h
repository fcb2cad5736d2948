#ifndef TFL_SPEC_STAND_IN_CHAIN_H
#define TFL_SPEC_STAND_IN_CHAIN_H

/* The chain of the stand-in (see stand_in.c), and how transactions go round. Include it in one file. */
#include "chain/block.h"
#include "chain/tx_check.h"
#include "chain/tx_json.h"

#include "fake_http.h"
#include "stand_in_files.h"

enum { MAX_BLOCKS = 65536, MAX_TXS = 4096, GREET_MS = 100, ALIVE_MS = 2000, AFTER = 6, DATAGRAM = 60000 };

struct block {
    struct tfl_hash id, parent, root;
    uint64_t slot;
    char *txs; /* JSON, comma separated */
};

static struct stand {
    struct tfl_loop *loop;
    struct stand_config config;
    const char *version;
    struct fake_server *server;
    struct block blocks[MAX_BLOCKS]; /* by height; 0: genesis */
    size_t n_blocks;
    uint64_t slot; /* the last one looked at */
    struct {
        struct tfl_hash hash;
        char *json;
        uint64_t from;
        bool done;
    } txs[MAX_TXS];
    size_t n_txs;
    struct {
        int port;
        int64_t heard;
    } peers[STAND_PEERS];
    size_t n_peers;
    int udp, blend;
    struct tfl_io io;
    struct tfl_timer slot_timer, greet_timer;
    struct tfl_signal interrupt;
} stand;

static bool is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static bool old(void)
{
    return is(stand.version, "DEC") || is(stand.version, "J28");
}

static bool new (void)
{
    return is(stand.version, "JUN") || is(stand.version, "AUG");
}

/* STAND_IN_LIES: what it tells wrongly, for specs of how that is judged: "row" (its fifth is garbage), "genesis" (another id
 * than its chain's), "lib" (its tip is final at once). */
static bool lies(const char *how)
{
    const char *said = getenv("STAND_IN_LIES");
    return said && is(said, how);
}

/* ---- the chain */

static uint64_t wall_slot(void) /* 0 before genesis */
{
    int64_t since = tfl_wall_now(stand.loop) / TFL_MS - (int64_t)stand.config.genesis_time * 1000;
    return since > 0 ? (uint64_t)since / stand.config.slot_ms : 0;
}

static bool started(void)
{
    return tfl_wall_now(stand.loop) / TFL_S >= (int64_t)stand.config.genesis_time;
}

static struct block *tip(void)
{
    return &stand.blocks[stand.n_blocks - 1];
}

static struct block *lib(void)
{
    size_t k = lies("lib") ? 0 : stand.config.security;
    return &stand.blocks[stand.n_blocks > k ? stand.n_blocks - 1 - k : 0];
}

static void add_block(uint64_t slot, struct tfl_hash root, char *txs)
{
    TFL_ASSERT(stand.n_blocks < MAX_BLOCKS);
    struct block *b = &stand.blocks[stand.n_blocks];
    struct tfl_header header = {.slot = slot, .root = root};
    if (stand.n_blocks)
        header.parent = tip()->id;
    *b = (struct block){tfl_header_id(&header), header.parent, root, slot, txs};
    stand.n_blocks++;
}

static void block_json(struct tfl_buf *b, const struct block *block, bool raw)
{
    char id[TFL_HASH_HEX], parent[TFL_HASH_HEX], root[TFL_HASH_HEX], zeros[257];
    memset(zeros, '0', 256);
    zeros[256] = '\0';
    tfl_hash_hex(id, &block->id);
    tfl_buf_adds(b, "{\"header\":{");
    tfl_buf_addf(b, raw ? "\"version\":\"Bedrock\"," : "\"id\":\"%s\",", id);
    tfl_buf_addf(b, "\"parent_block\":\"%s\",\"slot\":%llu,\"%s\":\"%s\",",
        tfl_hash_hex(parent, &block->parent), (unsigned long long)block->slot,
        is(stand.version, "AUG") ? "body_root" : "block_root", tfl_hash_hex(root, &block->root));
    tfl_buf_addf(b,
        "\"proof_of_leadership\":{\"proof\":\"%s\",\"entropy_contribution\":\"%.64s\",\"leader_key\":\"%."
        "64s\","
        "\"voucher_cm\":\"%.64s\"}},%s\"transactions\":[%s]",
        zeros, zeros, zeros, zeros, is(stand.version, "AUG") ? "\"uncle_headers\":[]," : "", block->txs);
    if (raw)
        tfl_buf_addf(b, ",\"signature\":\"%.128s\"", zeros);
    tfl_buf_adds(b, "}");
}

static void row_json(struct tfl_buf *b, const struct block *block)
{
    char hex[TFL_HASH_HEX];
    if (!old())
        tfl_buf_adds(b, "{\"block\":");
    block_json(b, block, false);
    if (!old())
        tfl_buf_addf(b, ",\"tip\":\"%s\",\"tip_slot\":%llu", tfl_hash_hex(hex, &tip()->id),
            (unsigned long long)tip()->slot);
    if (!old())
        tfl_buf_addf(b, ",\"lib\":\"%s\",\"lib_slot\":%llu}", tfl_hash_hex(hex, &lib()->id),
            (unsigned long long)lib()->slot);
    tfl_buf_adds(b, "\n");
}

/* The transactions whose slot has come, in the order of their hashes. */
static void fill_block(uint64_t slot)
{
    struct tfl_hash leaves[TFL_BLOCK_TXS_MAX];
    TFL_BUF json = {0};
    uint32_t n = 0;
    for (size_t least; n < TFL_LEN(leaves); n++) {
        least = stand.n_txs;
        for (size_t i = 0; i < stand.n_txs; i++)
            if (!stand.txs[i].done && stand.txs[i].from <= slot &&
                (least == stand.n_txs || memcmp(&stand.txs[i].hash, &stand.txs[least].hash, 32) < 0))
                least = i;
        if (least == stand.n_txs)
            break;
        stand.txs[least].done = true;
        leaves[n] = stand.txs[least].hash;
        tfl_buf_addf(&json, "%s%s", n ? "," : "", stand.txs[least].json);
    }
    add_block(slot, n ? tfl_merkle_root(leaves, n) : (struct tfl_hash){{0}}, tfl_strdup(n ? json.data : ""));
}

static bool leads(uint64_t slot)
{
    uint8_t bytes[8];
    tfl_put_le(bytes, slot, 8);
    struct tfl_hash draw = tfl_hash_of("stand-in", &(struct tfl_span){bytes, 8}, 1);
    return tfl_get_le(draw.b, 4) * stand.config.denominator < stand.config.numerator << 32;
}

static void slots_due(struct tfl_timer *timer)
{
    struct fake_conn *c, *next;
    while (stand.slot < wall_slot()) {
        if (!leads(++stand.slot))
            continue;
        TFL_BUF row = {0};
        fill_block(stand.slot);
        row_json(&row, tip());
        DL_FOREACH_SAFE(stand.server->conns, c, next)
        if (c->streaming)
            fake_stream_send(c, lies("row") && stand.n_blocks == 6 ? "garbage\n" : row.data);
    }
    int64_t at_ms = (int64_t)(stand.config.genesis_time * 1000 + (stand.slot + 1) * stand.config.slot_ms);
    int64_t wait = at_ms * TFL_MS - tfl_wall_now(stand.loop);
    tfl_timer_start(stand.loop, timer, tfl_now(stand.loop) + (wait > 0 ? wait : 0), slots_due);
}

/* ---- transactions, and other stand-ins */

static void send_to(int port, const char *data, size_t n)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sendto(stand.udp, data, n, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof to);
}

static void greet(struct tfl_timer *timer)
{
    for (int i = 0; i < stand.config.n_dials; i++)
        send_to(stand.config.dials[i], "hello", 5);
    tfl_timer_start(stand.loop, timer, tfl_now(stand.loop) + GREET_MS * TFL_MS, greet);
}

static size_t n_alive(void)
{
    size_t n = 0;
    for (size_t i = 0; i < stand.n_peers; i++)
        n += tfl_now(stand.loop) - stand.peers[i].heard < ALIVE_MS * TFL_MS;
    return n;
}

static void heard_from(int port)
{
    size_t i = 0;
    while (i < stand.n_peers && stand.peers[i].port != port)
        i++;
    if (i == STAND_PEERS)
        return;
    stand.n_peers += i == stand.n_peers;
    stand.peers[i].port = port;
    stand.peers[i].heard = tfl_now(stand.loop);
}

/* body: with its hash in it. Passed on when it is new. */
static void take_tx(const struct tfl_hash *hash, const char *json, uint64_t from)
{
    TFL_BUF message = {0};
    char hex[TFL_HASH_HEX];
    for (size_t i = 0; i < stand.n_txs; i++)
        if (tfl_hash_eq(&stand.txs[i].hash, hash))
            return;
    TFL_ASSERT(stand.n_txs < MAX_TXS);
    stand.txs[stand.n_txs].hash = *hash;
    stand.txs[stand.n_txs].json = tfl_strdup(json);
    stand.txs[stand.n_txs++].from = from;
    tfl_buf_addf(&message, "%s %llu %s", tfl_hash_hex(hex, hash), (unsigned long long)from, json);
    for (size_t i = 0; i < stand.n_peers; i++)
        send_to(stand.peers[i].port, message.data, message.len);
}

static void datagram(struct tfl_io *io, int events)
{
    static char data[DATAGRAM + 1];
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    ssize_t n = recvfrom(stand.udp, data, DATAGRAM, MSG_DONTWAIT, (struct sockaddr *)&from, &size);
    struct tfl_hash hash;
    char *rest;
    (void)io, (void)events;
    if (n <= 0)
        return;
    data[n] = '\0';
    heard_from(ntohs(from.sin_port));
    if (is(data, "hello"))
        send_to(ntohs(from.sin_port), "here", 4);
    if (n < 68 || !tfl_unhex(hash.b, 32, data, 64))
        return;
    uint64_t slot = strtoull(data + 65, &rest, 10);
    take_tx(&hash, rest + 1, slot);
}

/* As the contract has it: only what needs no chain is checked. */
static void submit(struct fake_conn *c, const char *body)
{
    struct tfl_error err;
    struct tfl_tx tx = {0};
    struct tfl_verdict verdict = {0};
    char hex[TFL_HASH_HEX];
    if (old() || tfl_tx_parse(&tx, body, strlen(body), &err) ||
        tfl_tx_check(&verdict, &tx, &err) != TFL_TX_OK) {
        fake_reply(c, 422, "text/plain", old() ? "missing field `ledger_tx`" : err.msg);
        return;
    }
    struct tfl_hash hash = tfl_tx_hash(&tx);
    struct json_object *json = json_tokener_parse(body), *mantle;
    json_object_object_get_ex(json, "mantle_tx", &mantle);
    json_object_object_add(mantle, "hash", json_object_new_string(tfl_hash_hex(hex, &hash)));
    take_tx(&hash, json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN), wall_slot() + AFTER);
    json_object_put(json);
    tfl_tx_done(&tx);
    fake_json(c, "null");
}

#endif
