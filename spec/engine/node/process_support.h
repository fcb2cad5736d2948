/* A config in memory and a chain made from it: what the specs of the process around the core share. */
#ifndef SPEC_NODE_PROCESS_SUPPORT_H
#define SPEC_NODE_PROCESS_SUPPORT_H

#include "base/bytes.h"
#include "base/fs.h"
#include "node/config.h"
#include "node/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { CHAIN = 40 };

static inline void temp_folder(char out[64])
{
    strcpy(out, "/tmp/spec-node-XXXXXX");
    assert_non_null(mkdtemp(out));
}

/* The node with that number on a chain where every slot has a block of node 0. */
static inline void make_config(struct tfl_node_config *c, int number, const char *folder, uint64_t genesis_ms)
{
    struct tfl_keypair leader;
    *c = (struct tfl_node_config){
        .level = TFL_LOG_ERROR, .security_param = 5, .active_slot_coeff = 1, .slot_duration_ms = 50};
    assert_int_equal(tfl_addr_make(&c->listen, "127.0.0.1", 0, NULL), 0);
    c->api = c->listen;
    memset(c->node_seed, number + 1, sizeof c->node_seed);
    memset(c->leader_seed, 99, sizeof c->leader_seed);
    c->leads = number == 0;
    c->base_folder = tfl_sprintf("%s/n%d", folder, number);
    c->log_directory = tfl_strdup(folder);
    c->log_prefix = tfl_sprintf("n%d.log", number);
    c->chain_id = tfl_strdup("spec");
    c->stakes = tfl_alloc(sizeof *c->stakes);
    tfl_keypair_from_seed(&leader, c->leader_seed);
    memcpy(c->stakes[0].pub, leader.pub, sizeof leader.pub);
    c->stakes[0].stake = 1;
    c->genesis = (struct tfl_genesis){
        .chain_id = c->chain_id, .genesis_time_unix_ms = genesis_ms, .stakes = c->stakes, .n_stakes = 1};
}

static inline int read_nothing(
    void *arg, const struct tfl_hash *id, struct tfl_buf *out, struct tfl_error *err)
{
    (void)arg;
    (void)id;
    (void)out;
    return tfl_fail(err, TFL_E_NOT_FOUND, "not stored");
}

static inline struct tfl_core *make_core(const struct tfl_node_config *c)
{
    struct tfl_core_params p = {.genesis = c->genesis,
        .slot_duration_ms = c->slot_duration_ms,
        .active_slot_coeff = c->active_slot_coeff,
        .security_param = c->security_param,
        .read = read_nothing};
    memset(p.node, 1, sizeof p.node);
    tfl_keypair_from_seed(&p.leader, c->leader_seed);
    struct tfl_core *core = tfl_core_new(&p, NULL);
    assert_non_null(core);
    return core;
}

/* The first CHAIN blocks of that chain. */
struct chain {
    struct tfl_hash genesis;
    struct tfl_core_header headers[CHAIN];
    struct tfl_bytes *bytes[CHAIN];
};

static inline void make_chain(struct chain *chain, const struct tfl_node_config *c)
{
    struct tfl_core *core = make_core(c);
    struct tfl_slots slots = {c->genesis.genesis_time_unix_ms, c->slot_duration_ms};
    struct tfl_core_info info;
    struct tfl_core_effect e;
    int n = 0;
    tfl_core_start(core, tfl_slots_start_ns(&slots, 0));
    for (uint64_t slot = 0; n < CHAIN; slot++) {
        tfl_core_tick(core, tfl_slots_start_ns(&slots, slot));
        while (tfl_core_next(core, &e)) {
            if (e.type == TFL_CORE_BLOCK && n < CHAIN) {
                chain->headers[n] = e.block;
                chain->bytes[n++] = tfl_bytes_ref(e.bytes);
            }
            tfl_core_effect_done(&e);
        }
    }
    tfl_core_info(core, &info);
    chain->genesis = info.genesis;
    tfl_core_free(core);
}

static inline void chain_done(struct chain *chain)
{
    for (int i = 0; i < CHAIN; i++)
        tfl_bytes_unref(chain->bytes[i]);
}

#endif
