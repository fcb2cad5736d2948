#ifndef TFL_SPEC_FAKE_API_H
#define TFL_SPEC_FAKE_API_H

/* A node's API over a chain that the spec makes up: block n has an id that begins with n, and all nodes draw from one set
 * of blocks. What a node has, serves and tells is the spec's. Include it in one spec file. */
#include "client/reply.h"
#include "fake_http.h"

enum { FAKE_BLOCKS = 4096 };
static struct fake_block {
    unsigned parent;
    uint64_t slot, height;
    size_t pad; /* bytes of body */
} fake_blocks[FAKE_BLOCKS];

struct fake_node {
    struct fake_server *server;
    struct tfl_loop *loop;
    bool has[FAKE_BLOCKS];
    unsigned tip, lib;
    bool no_stream, no_range, deaf, mute; /* deaf: never answers; mute: its stream says nothing */
    bool slow;                            /* infos are never answered, the rest is */
    const char *garbage;                  /* sent as rows */
    size_t page;                          /* rows of a range, 0: all */
    int n_info, n_block, n_range, n_stream;
};

FAKE struct tfl_hash fake_id(unsigned n)
{
    struct tfl_hash h;
    memset(&h, 0x5a, sizeof h);
    h.b[0] = (uint8_t)n;
    h.b[1] = (uint8_t)(n >> 8);
    return h;
}

static const char *fake_hex(unsigned n)
{
    static char hex[8][TFL_HASH_HEX];
    static int turn;
    struct tfl_hash h = fake_id(n);
    turn = (turn + 1) % 8;
    return tfl_hash_hex(hex[turn], &h);
}

static void fake_block_json(struct tfl_buf *b, unsigned n)
{
    tfl_buf_addf(b, "{\"header\":{\"id\":\"%s\",\"parent_block\":\"%s\",\"slot\":%llu},\"transactions\":[",
        fake_hex(n), fake_hex(fake_blocks[n].parent), (unsigned long long)fake_blocks[n].slot);
    if (fake_blocks[n].pad) {
        tfl_buf_addf(b, "{\"mantle_tx\":{\"hash\":\"%s\"},\"x\":\"", fake_hex(n));
        for (size_t i = 0; i < fake_blocks[n].pad; i++)
            tfl_buf_adds(b, "y");
        tfl_buf_adds(b, "\"}");
    }
    tfl_buf_adds(b, "]}");
}

static void fake_row(struct tfl_buf *b, const struct fake_node *node, unsigned n)
{
    tfl_buf_adds(b, "{\"block\":");
    fake_block_json(b, n);
    tfl_buf_addf(b, ",\"tip\":\"%s\",\"tip_slot\":1,\"lib\":\"%s\",\"lib_slot\":0}\n", fake_hex(node->tip),
        fake_hex(node->lib));
}

static void fake_info(struct fake_node *node, struct fake_conn *c)
{
    TFL_BUF b = {0};
    tfl_buf_addf(&b,
        "{\"cryptarchia_info\":{\"lib\":\"%s\",\"lib_slot\":0,\"tip\":\"%s\",\"slot\":%llu,\"height\":%llu},"
        "\"mode\":{\"Started\":\"Online\"}}",
        fake_hex(node->lib), fake_hex(node->tip), (unsigned long long)fake_blocks[node->tip].slot,
        (unsigned long long)fake_blocks[node->tip].height);
    fake_json(c, b.data);
}

static void fake_range(struct fake_node *node, struct fake_conn *c, const char *path)
{
    TFL_BUF b = {0};
    unsigned long long from = 0, to = 0;
    size_t rows = 0;
    sscanf(strchr(path, '?'), "?slot_from=%llu&slot_to=%llu", &from, &to);
    for (uint64_t slot = from; slot <= to; slot++)
        for (unsigned n = 1; n < FAKE_BLOCKS && (!node->page || rows < node->page); n++)
            if (node->has[n] && fake_blocks[n].slot == slot) {
                fake_row(&b, node, n);
                rows++;
            }
    fake_stream_start(c);
    if (b.len)
        fake_stream_send(c, b.data);
    fake_stream_end(c);
}

static void fake_one_block(struct fake_node *node, struct fake_conn *c, const char *hex)
{
    TFL_BUF b = {0};
    struct tfl_hash h;
    unsigned n = FAKE_BLOCKS;
    if (tfl_unhex(h.b, sizeof h.b, hex, strlen(hex)))
        n = (unsigned)(h.b[0] | h.b[1] << 8);
    if (n >= FAKE_BLOCKS || !node->has[n]) {
        fake_reply(c, 404, "text/plain", "");
        return;
    }
    fake_block_json(&b, n);
    fake_json(c, b.data);
}

static void fake_answer(struct fake_conn *c, const char *method, const char *path, const char *body)
{
    struct fake_node *node = c->server->arg;
    (void)method, (void)body;
    if (node->deaf)
        return;
    if (strcmp(path, "/cryptarchia/info") == 0) {
        node->n_info++;
        if (!node->slow)
            fake_info(node, c);
    } else if (strncmp(path, "/cryptarchia/blocks_range?", 26) == 0 && !node->no_range) {
        node->n_range++;
        fake_range(node, c, path);
    } else if (strcmp(path, "/cryptarchia/events/blocks/stream") == 0 && !node->no_stream) {
        node->n_stream++;
        fake_stream_start(c);
        if (node->garbage)
            fake_stream_send(c, node->garbage);
    } else if (strncmp(path, "/cryptarchia/blocks/", 20) == 0) {
        node->n_block++;
        fake_one_block(node, c, path + 20);
    } else {
        fake_reply(c, 404, "text/plain", "");
    }
}

/* The node has applied block n; it is its tip now. */
FAKE void fake_apply(struct fake_node *node, unsigned n)
{
    TFL_BUF b = {0};
    struct fake_conn *c, *next;
    node->has[n] = true;
    node->tip = n;
    if (!node->server || node->mute)
        return;
    fake_row(&b, node, n);
    DL_FOREACH_SAFE(node->server->conns, c, next)
    if (c->streaming)
        fake_stream_send(c, b.data);
}

/* Defines block n; the node's chain is not touched. */
FAKE void fake_define(unsigned n, unsigned parent, uint64_t slot)
{
    fake_blocks[n] =
        (struct fake_block){.parent = parent, .slot = slot, .height = fake_blocks[parent].height + 1};
}

FAKE void fake_node_start(struct fake_node *node, struct tfl_loop *loop, int port)
{
    node->loop = loop;
    node->server = fake_listen(loop, port, fake_answer, node);
}

FAKE void fake_node_stop(struct fake_node *node)
{
    fake_free(node->server);
    node->server = NULL;
}

#endif
