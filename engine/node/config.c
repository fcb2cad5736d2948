#include "node/config.h"

#include "node/config_walk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void tfl_node_config_done(struct tfl_node_config *c)
{
    free(c->peers);
    free(c->base_folder);
    free(c->log_directory);
    free(c->log_prefix);
    free(c->chain_id);
    free(c->stakes);
    free(c->notes);
    *c = (struct tfl_node_config){0};
}

static void bad_value(
    struct tfl_walk *w, const struct tfl_yaml *map, const char *path, const struct tfl_error *why)
{
    const struct tfl_yaml *node = tfl_walk_get(w, map, path, false);
    tfl_walk_fail(w, node ? node->line : 1, path, "%s", why->msg);
}

static void read_peers(struct tfl_walk *w, struct tfl_node_config *c, const struct tfl_yaml *backend)
{
    static const char path[] = "network.backend.initial_peers";
    const struct tfl_yaml *list = tfl_walk_get(w, backend, path, false);
    struct tfl_error why;
    if (!list)
        return;
    if (list->kind != TFL_YAML_LIST || list->n > TFL_NODE_PEERS_MAX) {
        tfl_walk_fail(
            w, list->line, path, "expected a list of at most %d peer addresses", TFL_NODE_PEERS_MAX);
        return;
    }
    c->peers = tfl_alloc(list->n * sizeof *c->peers);
    for (size_t i = 0; i < list->n; i++) {
        const struct tfl_yaml *item = list->members[i];
        if (item->kind != TFL_YAML_SCALAR)
            tfl_walk_fail(w, item->line, path, "expected a peer address like /ip4/127.0.0.1/tcp/20003");
        else if (tfl_addr_parse_multi(&c->peers[c->n_peers], item->text, &why))
            tfl_walk_fail(w, item->line, path, "%s", why.msg);
        else
            c->n_peers++;
    }
}

static void read_network(struct tfl_walk *w, struct tfl_node_config *c, const struct tfl_yaml *root)
{
    const struct tfl_yaml *network = tfl_walk_map(w, root, "network", true, "backend");
    const struct tfl_yaml *backend = tfl_walk_map(w, network, "network.backend", true, "swarm initial_peers");
    const struct tfl_yaml *swarm =
        tfl_walk_map(w, backend, "network.backend.swarm", true, "host port node_key");
    const char *host = tfl_walk_text(w, swarm, "network.backend.swarm.host");
    uint16_t port = (uint16_t)tfl_walk_number(w, swarm, "network.backend.swarm.port", 0, 65535);
    struct tfl_error why;
    if (host && tfl_addr_make(&c->listen, host, port, &why))
        bad_value(w, swarm, "network.backend.swarm.host", &why);
    if (host && c->listen.kind == TFL_ADDR_NAME)
        tfl_walk_fail(
            w, swarm->line, "network.backend.swarm.host", "expected an IP address to listen on, not a name");
    tfl_walk_hex32(w, swarm, "network.backend.swarm.node_key", c->node_seed);
    read_peers(w, c, backend);
}

/* 'S.NNNNNNNNN': what stands after the dot are nanoseconds, always nine digits (so does the real node, where '1.5' is one
 * second and five nanoseconds; the short form is refused here rather than misread). Whole milliseconds. */
static uint64_t read_duration(
    struct tfl_walk *w, const struct tfl_yaml *map, const char *path, uint64_t least_ms, uint64_t most_ms)
{
    const struct tfl_yaml *node = tfl_walk_get(w, map, path, true);
    if (!node)
        return 0;
    const char *text = node->kind == TFL_YAML_SCALAR ? node->text : "";
    size_t s = strspn(text, "0123456789"), n = text[s] == '.' ? strspn(text + s + 1, "0123456789") : 0;
    if (!s || s > 6 || n != 9 || text[s + 10]) {
        tfl_walk_fail(w, node->line, path,
            "expected 'S.NNNNNNNNN', seconds and nine digits of nanoseconds, not \"%.40s\"", text);
        return 0;
    }
    uint64_t ns = strtoull(text, NULL, 10) * 1000000000u + strtoull(text + s + 1, NULL, 10);
    if (ns % 1000000u || ns / 1000000u < least_ms || ns / 1000000u > most_ms)
        tfl_walk_fail(w, node->line, path, "expected whole milliseconds from %llu to %llu, not \"%.40s\"",
            (unsigned long long)least_ms, (unsigned long long)most_ms, text);
    return ns / 1000000u;
}

static void read_cryptarchia(struct tfl_walk *w, struct tfl_node_config *c, const struct tfl_yaml *root)
{
    const struct tfl_yaml *cryptarchia = tfl_walk_map(w, root, "cryptarchia", false, "service leader");
    const struct tfl_yaml *service = tfl_walk_map(w, cryptarchia, "cryptarchia.service", false, "bootstrap");
    const struct tfl_yaml *bootstrap =
        tfl_walk_map(w, service, "cryptarchia.service.bootstrap", false, "prolonged_bootstrap_period");
    if (bootstrap)
        c->bootstrap_ms = read_duration(
            w, bootstrap, "cryptarchia.service.bootstrap.prolonged_bootstrap_period", 0, 3600000);
    const struct tfl_yaml *leader = tfl_walk_map(w, cryptarchia, "cryptarchia.leader", false, "key");
    if (!leader)
        return;
    c->leads = true;
    tfl_walk_hex32(w, leader, "cryptarchia.leader.key", c->leader_seed);
}

static void read_api(struct tfl_walk *w, struct tfl_node_config *c, const struct tfl_yaml *root)
{
    const struct tfl_yaml *api = tfl_walk_map(w, root, "api", true, "backend");
    const struct tfl_yaml *backend = tfl_walk_map(w, api, "api.backend", true, "listen_address");
    const char *text = tfl_walk_text(w, backend, "api.backend.listen_address");
    struct tfl_error why;
    if (!text)
        return;
    if (tfl_addr_parse(&c->api, text, &why))
        bad_value(w, backend, "api.backend.listen_address", &why);
    else if (c->api.kind == TFL_ADDR_NAME)
        tfl_walk_fail(w, backend->line, "api.backend.listen_address", "expected an IP address, not a name");
}

static void read_level(struct tfl_walk *w, struct tfl_node_config *c, const struct tfl_yaml *tracing)
{
    static const char *const names[] = {"ERROR", "WARN", "INFO", "DEBUG", "TRACE"};
    const struct tfl_yaml *level = tfl_walk_get(w, tracing, "tracing.level", false);
    if (!level)
        return;
    for (size_t i = 0; i < TFL_LEN(names); i++) {
        if (level->kind == TFL_YAML_SCALAR && !strcasecmp(level->text, names[i])) {
            c->level = (enum tfl_log_level)i;
            return;
        }
    }
    tfl_walk_fail(w, level->line, "tracing.level", "expected ERROR, WARN, INFO, DEBUG or TRACE");
}

static void read_tracing(struct tfl_walk *w, struct tfl_node_config *c, const struct tfl_yaml *root)
{
    const struct tfl_yaml *tracing = tfl_walk_map(w, root, "tracing", false, "level logger");
    c->level = TFL_LOG_INFO;
    read_level(w, c, tracing);
    const struct tfl_yaml *logger = tfl_walk_get(w, tracing, "tracing.logger", false);
    if (!logger)
        return;
    const char *tag = logger->tag ? logger->tag : logger->kind == TFL_YAML_SCALAR ? logger->text : "";
    if (!strcmp(tag, "!Stdout") || !strcmp(tag, "Stdout"))
        return;
    if (strcmp(tag, "!File")) {
        tfl_walk_fail(
            w, logger->line, "tracing.logger", "expected !Stdout or !File {directory: PATH, prefix: NAME}");
        return;
    }
    logger = tfl_walk_map(w, tracing, "tracing.logger", true, "directory prefix");
    const char *directory = tfl_walk_text(w, logger, "tracing.logger.directory");
    const char *prefix = tfl_walk_text(w, logger, "tracing.logger.prefix");
    if (prefix && strchr(prefix, '/'))
        tfl_walk_fail(
            w, logger->line, "tracing.logger.prefix", "expected the name of a file, without a folder");
    if (w->failed)
        return;
    c->log_directory = tfl_strdup(directory);
    c->log_prefix = tfl_strdup(prefix);
}

static void read_mempool(struct tfl_walk *w, struct tfl_node_config *c, const struct tfl_yaml *root)
{
    static const char ttl[] = "mempool.ttl_seconds", txs[] = "mempool.max_transactions",
                      bytes[] = "mempool.max_bytes";
    const struct tfl_yaml *mempool =
        tfl_walk_map(w, root, "mempool", false, "ttl_seconds max_transactions max_bytes");
    if (tfl_walk_get(w, mempool, ttl, false))
        c->mempool_ttl_s = tfl_walk_number(w, mempool, ttl, 1, 31536000);
    if (tfl_walk_get(w, mempool, txs, false))
        c->mempool_max_txs = (uint32_t)tfl_walk_number(w, mempool, txs, 1, 10000000);
    if (tfl_walk_get(w, mempool, bytes, false))
        c->mempool_max_bytes = (size_t)tfl_walk_number(w, mempool, bytes, 1, UINT64_C(1) << 40);
}

static void read_user(struct tfl_walk *w, struct tfl_node_config *c, const struct tfl_yaml *root)
{
    tfl_walk_root(w, root, "network cryptarchia api state tracing mempool");
    read_network(w, c, root);
    read_cryptarchia(w, c, root);
    read_api(w, c, root);
    const struct tfl_yaml *state = tfl_walk_map(w, root, "state", true, "base_folder");
    const char *folder = tfl_walk_text(w, state, "state.base_folder");
    if (folder)
        c->base_folder = tfl_strdup(folder);
    read_tracing(w, c, root);
    read_mempool(w, c, root);
}

static void read_stakes(struct tfl_walk *w, struct tfl_node_config *c, const struct tfl_yaml *cryptarchia)
{
    const struct tfl_yaml *list = tfl_walk_get(w, cryptarchia, "cryptarchia.stakes", true);
    if (!list)
        return;
    if (list->kind != TFL_YAML_LIST || !list->n || list->n > TFL_STAKES_MAX) {
        tfl_walk_fail(w, list->line, "cryptarchia.stakes",
            "expected a list of 1 to %d items {key: PUBLIC KEY, stake: NUMBER}", TFL_STAKES_MAX);
        return;
    }
    c->stakes = tfl_alloc(list->n * sizeof *c->stakes);
    c->genesis.stakes = c->stakes;
    for (size_t i = 0; i < list->n && !w->failed; i++) {
        const struct tfl_yaml *item = list->members[i];
        if (item->kind != TFL_YAML_MAP || item->n != 2) {
            tfl_walk_fail(w, item->line, "cryptarchia.stakes", "expected {key: PUBLIC KEY, stake: NUMBER}");
            return;
        }
        tfl_walk_hex32(w, item, "cryptarchia.stakes.key", c->stakes[i].pub);
        c->stakes[i].stake = tfl_walk_number(w, item, "cryptarchia.stakes.stake", 0, INT64_MAX);
        c->genesis.n_stakes++;
    }
}

static void read_notes(struct tfl_walk *w, struct tfl_node_config *c, const struct tfl_yaml *cryptarchia)
{
    const struct tfl_yaml *list = tfl_walk_get(w, cryptarchia, "cryptarchia.notes", false);
    if (!list)
        return;
    if (list->kind != TFL_YAML_LIST || list->n > TFL_NOTES_MAX) {
        tfl_walk_fail(w, list->line, "cryptarchia.notes",
            "expected a list of at most %d items {value: NUMBER, pk: PUBLIC KEY}", TFL_NOTES_MAX);
        return;
    }
    c->notes = tfl_alloc(list->n * sizeof *c->notes);
    c->genesis.notes = c->notes;
    for (size_t i = 0; i < list->n && !w->failed; i++) {
        const struct tfl_yaml *item = list->members[i];
        if (item->kind != TFL_YAML_MAP || item->n != 2) {
            tfl_walk_fail(w, item->line, "cryptarchia.notes", "expected {value: NUMBER, pk: PUBLIC KEY}");
            return;
        }
        c->notes[i].value = tfl_walk_number(w, item, "cryptarchia.notes.value", 1, UINT64_MAX);
        tfl_walk_hex32(w, item, "cryptarchia.notes.pk", c->notes[i].pk);
        c->genesis.n_notes++;
    }
}

static void read_deployment(struct tfl_walk *w, struct tfl_node_config *c, const struct tfl_yaml *root)
{
    static const char coeff[] = "cryptarchia.slot_activation_coeff";
    tfl_walk_root(w, root, "chain_id cryptarchia time");
    const char *chain_id = tfl_walk_text(w, root, "chain_id");
    const struct tfl_yaml *cryptarchia = tfl_walk_map(w, root, "cryptarchia", true,
        "security_param slot_activation_coeff nonce genesis_time_unix_ms stakes notes");
    const struct tfl_yaml *f = tfl_walk_map(w, cryptarchia, coeff, true, "numerator denominator");
    if (chain_id)
        c->genesis.chain_id = c->chain_id = tfl_strdup(chain_id);
    c->security_param = (uint32_t)tfl_walk_number(w, cryptarchia, "cryptarchia.security_param", 1, 1000000);
    uint64_t num = tfl_walk_number(w, f, "cryptarchia.slot_activation_coeff.numerator", 1, 1000000000);
    uint64_t den = tfl_walk_number(w, f, "cryptarchia.slot_activation_coeff.denominator", 1, 1000000000);
    if (num > den && f)
        tfl_walk_fail(w, f->line, coeff, "expected at most 1, not %llu/%llu", (unsigned long long)num,
            (unsigned long long)den);
    c->active_slot_coeff = den ? (double)num / (double)den : 0;
    tfl_walk_hex32(w, cryptarchia, "cryptarchia.nonce", c->genesis.nonce);
    c->genesis.genesis_time_unix_ms =
        tfl_walk_number(w, cryptarchia, "cryptarchia.genesis_time_unix_ms", 0, INT64_MAX / 1000000);
    read_stakes(w, c, cryptarchia);
    read_notes(w, c, cryptarchia);
    const struct tfl_yaml *time = tfl_walk_map(w, root, "time", true, "slot_duration");
    c->slot_duration_ms = read_duration(w, time, "time.slot_duration", TFL_SLOT_MS_MIN, TFL_SLOT_MS_MAX);
    struct tfl_error why;
    if (!w->failed && tfl_genesis_check(&c->genesis, &why))
        tfl_walk_fail(w, cryptarchia->line, "cryptarchia", "%s", why.msg);
}

static int read_with(struct tfl_node_config *c, const char *path,
    void (*read)(struct tfl_walk *, struct tfl_node_config *, const struct tfl_yaml *), struct tfl_error *err)
{
    struct tfl_error own;
    struct tfl_walk w = {.file = path, .err = err ? err : &own};
    struct tfl_yaml *root = tfl_yaml_read(path, w.err);
    if (!root)
        return -1;
    read(&w, c, root);
    tfl_yaml_free(root);
    return w.failed ? -1 : 0;
}

int tfl_node_config_read(
    struct tfl_node_config *c, const char *user, const char *deployment, struct tfl_error *err)
{
    if (read_with(c, user, read_user, err))
        return -1;
    return read_with(c, deployment, read_deployment, err);
}
