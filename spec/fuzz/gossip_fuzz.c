// room: node
#include "chain/lottery.h"
#include "node/node_core.h"
#include "node/wire.h"

#include <stdlib.h>
#include <string.h>

/* A peer that says anything after a good hello. The input is a run of `u8 what, u16le length, bytes`; what & 3: 0 a message
 * as it is, 1 a block that is good but for what the bytes spoil, 2 time passes, 3 the peer leaves (and comes again with
 * the next step). f = 1, so that every staker wins every slot. The core's own assertions are the judge. */
#define MADE 16
static struct {
    struct tfl_core *core;
    int64_t now;
    uint64_t peer; /* 0: none */
    struct tfl_keypair key;
    struct tfl_hash genesis, made[MADE]; /* ids to build on */
    uint32_t n_made;
    struct {
        struct tfl_hash id;
        struct tfl_bytes *bytes;
    } * stored;
    size_t n_stored;
} fz;

static int read_stored(void *arg, const struct tfl_hash *id, struct tfl_buf *out, struct tfl_error *err)
{
    (void)arg;
    for (size_t i = 0; i < fz.n_stored; i++) {
        if (tfl_hash_eq(&fz.stored[i].id, id)) {
            tfl_buf_add(out, fz.stored[i].bytes->data, fz.stored[i].bytes->len);
            return 0;
        }
    }
    TFL_ASSERT(!"every block of the index was given to the store");
    return tfl_fail(err, TFL_E_NOT_FOUND, "not stored");
}

static void drain(void)
{
    struct tfl_core_effect e;
    while (tfl_core_next(fz.core, &e)) {
        if (e.type == TFL_CORE_DROP) {
            TFL_ASSERT(e.peer == fz.peer);
            fz.peer = 0;
        } else if (e.type == TFL_CORE_SEND) {
            TFL_ASSERT(e.peer == fz.peer && e.bytes->len >= 1 && e.bytes->len <= TFL_WIRE_MAX);
        } else if (e.type == TFL_CORE_BLOCK) {
            fz.stored = tfl_realloc(fz.stored, (fz.n_stored + 1) * sizeof *fz.stored);
            fz.stored[fz.n_stored].id = e.block.id;
            fz.stored[fz.n_stored++].bytes = tfl_bytes_ref(e.bytes);
        }
        tfl_core_effect_done(&e);
    }
}

static void say(struct tfl_bytes *message)
{
    tfl_core_message(fz.core, fz.now, fz.peer, message->data, message->len);
    tfl_bytes_unref(message);
    drain();
}

static void come(void)
{
    static uint64_t last;
    const uint8_t node[32] = {1};
    fz.peer = ++last;
    tfl_core_peer_up(fz.core, fz.now, fz.peer, true);
    drain();
    say(tfl_wire_hello(&fz.genesis, node, &fz.genesis, 0));
}

/* bytes: parent (of those made), slot (ahead of 8 below the clock's), mask and place of a spoilt byte */
static void block(const uint8_t *data, size_t len)
{
    TFL_BUF bytes = {0};
    struct tfl_core_info info;
    uint8_t how[4] = {0};
    memcpy(how, data, len < sizeof how ? len : sizeof how);
    tfl_core_info(fz.core, &info);
    TFL_BLOCK b = {.header = {.parent = fz.made[how[0] % MADE], .slot = info.current_slot + how[1] % 16 - 8}};
    memcpy(b.header.leader, fz.key.pub, sizeof fz.key.pub);
    tfl_lottery_prove(b.header.proof, &fz.key, (const uint8_t[32]){0}, b.header.slot);
    tfl_block_seal(&b, &fz.key);
    tfl_block_encode(&bytes, &b);
    fz.made[fz.n_made++ % MADE] = b.id;
    bytes.data[how[3] * bytes.len / 256] ^= (char)how[2];
    say(tfl_wire_block(bytes.data, bytes.len));
}

static void step(uint8_t what, const uint8_t *data, size_t len)
{
    if (fz.peer == 0)
        come();
    switch (what & 3) {
    case 0:
        say(tfl_bytes_new(data, len));
        break;
    case 1:
        block(data, len);
        break;
    case 2:
        fz.now += (int64_t)what * 10000000;
        tfl_core_tick(fz.core, fz.now);
        break;
    default:
        tfl_core_peer_down(fz.core, fz.now, fz.peer);
        fz.peer = 0;
    }
    drain();
}

static void begin(void)
{
    struct tfl_core_params p = {
        .slot_duration_ms = 50, .active_slot_coeff = 1, .security_param = 3, .read = read_stored};
    struct tfl_stake stakes[2] = {{.stake = 1}, {.stake = 1}};
    struct tfl_core_info info;
    struct tfl_error err;
    tfl_chain_init();
    tfl_keypair_from_seed(&fz.key, (const uint8_t[32]){3});
    tfl_keypair_from_seed(&p.leader, (const uint8_t[32]){2});
    memcpy(stakes[0].pub, p.leader.pub, sizeof stakes[0].pub);
    memcpy(stakes[1].pub, fz.key.pub, sizeof stakes[1].pub);
    p.genesis = (struct tfl_genesis){
        .chain_id = "fuzz", .genesis_time_unix_ms = 1000, .stakes = stakes, .n_stakes = 2};
    p.n_configured_peers = 1;
    fz.core = tfl_core_new(&p, &err);
    TFL_ASSERT(fz.core);
    fz.now = 2000000000;
    tfl_core_start(fz.core, fz.now);
    tfl_core_info(fz.core, &info);
    fz.genesis = info.genesis;
    for (int i = 0; i < MADE; i++)
        fz.made[i] = info.genesis;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tfl_reader r = {.p = data, .left = size};
    fz = (typeof(fz)){0};
    begin();
    while (r.left >= 3) {
        uint8_t what = (uint8_t)tfl_read_le(&r, 1);
        size_t len = (size_t)tfl_read_le(&r, 2);
        len = len < r.left ? len : r.left;
        const uint8_t *bytes = tfl_read_bytes(&r, len);
        step(what, bytes ? bytes : (const uint8_t *)"", bytes ? len : 0);
    }
    tfl_core_free(fz.core);
    for (size_t i = 0; i < fz.n_stored; i++)
        tfl_bytes_unref(fz.stored[i].bytes);
    free(fz.stored);
    return 0;
}
