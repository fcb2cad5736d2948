#include "client/reply.h"

#include "base/buf.h"
#include "client/json_in.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LIST = 1000000, MAX_WORDS = 200, MAX_ERROR = 16 * 1024 };

/* field: the full name for messages; json: the value or NULL. */
static int wrong(const char *field, const char *expected, struct json_object *json, struct tfl_error *err)
{
    const char *seen = json ? json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN) : "nothing";
    return tfl_fail(err, TFL_E_BAD_REPLY, "field %s: expected %s, saw %.80s", field, expected, seen);
}

static struct json_object *member(struct json_object *json, const char *key)
{
    struct json_object *value = NULL;
    return json_object_is_type(json, json_type_object) && json_object_object_get_ex(json, key, &value) ? value
                                                                                                       : NULL;
}

static int get_u64(struct json_object *json, const char *field, uint64_t *out, struct tfl_error *err)
{
    if (!json_object_is_type(json, json_type_int) || json_object_get_int64(json) < 0 ||
        json_object_get_uint64(json) >= TFL_SLOT_LIMIT)
        return wrong(field, "a whole number of 0 to 2^62", json, err);
    *out = json_object_get_uint64(json);
    return 0;
}

static int get_hash(struct json_object *json, const char *field, struct tfl_hash *out, struct tfl_error *err)
{
    if (!json_object_is_type(json, json_type_string) ||
        !tfl_unhex(
            out->b, sizeof out->b, json_object_get_string(json), (size_t)json_object_get_string_len(json)))
        return wrong(field, "64 hex digits", json, err);
    return 0;
}

static int get_array(struct json_object *json, const char *field, size_t *n, struct tfl_error *err)
{
    *n = 0;
    if (!json_object_is_type(json, json_type_array))
        return wrong(field, "a list", json, err);
    *n = json_object_array_length(json);
    if (*n > MAX_LIST)
        return tfl_fail(err, TFL_E_TOO_LARGE, "field %s: a list of %zu entries, at most %d are read", field,
            *n, MAX_LIST);
    return 0;
}

static bool of_proxy(const char *body, size_t n)
{
    static const char *const words[] = {"dial tcp ", "read tcp ", "write tcp ", "EOF", "unexpected EOF",
        "net/http: ", "http2: ", "proxyconnect tcp: ", "context deadline exceeded", "context canceled"};
    for (size_t i = 0; i < TFL_LEN(words); i++)
        if (n >= strlen(words[i]) && !memcmp(body, words[i], strlen(words[i])))
            return true;
    return false;
}

bool tfl_reply_of_cluster(const char *body, size_t n)
{
    if (of_proxy(body, n))
        return true;
    static const char *const words[] = {
        "{", "\"kind\"", ":", "\"Status\"", ",", "\"apiVersion\"", ":", "\"v1\""};
    const char *end = body + n;
    for (size_t i = 0; i < TFL_LEN(words); i++) {
        size_t len = strlen(words[i]);
        while (body < end && isspace((unsigned char)*body))
            body++;
        if ((size_t)(end - body) < len || memcmp(body, words[i], len) != 0)
            return false;
        body += len;
    }
    return true;
}

char *tfl_reply_words(const char *body, size_t n)
{
    struct tfl_json_in in;
    struct json_object *json = NULL, *message;
    char *words;
    tfl_json_in_init(&in, TFL_JSON_VALUES);
    bool is_json = n > 0 && n <= MAX_ERROR && body[0] == '{' && !tfl_json_in_push(&in, body, n, NULL) &&
                   !tfl_json_in_end(&in, &json, NULL);
    message = is_json ? member(json, "message") : NULL;
    if (json_object_is_type(message, json_type_string))
        words = tfl_sprintf("%.*s", MAX_WORDS, json_object_get_string(message));
    else
        words = n ? tfl_sprintf("%.*s", (int)(n < MAX_WORDS ? n : MAX_WORDS), body) : tfl_strdup("(no text)");
    for (char *c = words; *c; c++)
        if ((unsigned char)*c < 32)
            *c = ' ';
    json_object_put(json);
    tfl_json_in_done(&in);
    return words;
}

/* state, mode or mode.Started: newest first. */
static int get_state(
    struct json_object *json, struct json_object *info, struct tfl_node_info *out, struct tfl_error *err)
{
    struct json_object *state = member(info, "state");
    if (!state)
        state = member(json, "mode");
    if (!state)
        state = member(info, "mode");
    if (json_object_is_type(state, json_type_object))
        state = member(state, "Started");
    if (!json_object_is_type(state, json_type_string))
        return wrong("state", "state or mode with a word such as \"Online\"", state, err);
    snprintf(out->state, sizeof out->state, "%s", json_object_get_string(state));
    out->online = strcmp(out->state, "Online") == 0;
    return 0;
}

int tfl_reply_info(struct json_object *json, struct tfl_node_info *out, struct tfl_error *err)
{
    struct tfl_node_info info = {0};
    struct json_object *in = member(json, "cryptarchia_info"), *v;
    if (!in)
        in = json;
    if (!json_object_is_type(in, json_type_object))
        return wrong("cryptarchia_info", "an object", in, err);
    if (get_hash(member(in, "tip"), "tip", &info.tip, err) ||
        get_hash(member(in, "lib"), "lib", &info.lib, err) ||
        get_u64(member(in, "slot"), "slot", &info.slot, err) ||
        get_u64(member(in, "height"), "height", &info.height, err) || get_state(json, in, &info, err))
        return -1;
    if ((v = member(in, "lib_slot"))) {
        info.has_lib_slot = true;
        if (get_u64(v, "lib_slot", &info.lib_slot, err))
            return -1;
    }
    if ((v = member(in, "genesis_id"))) {
        info.has_genesis = true;
        if (get_hash(v, "genesis_id", &info.genesis, err))
            return -1;
    }
    *out = info;
    return 0;
}

static void free_strings(char **list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(list[i]);
    free(list);
}

void tfl_network_info_done(struct tfl_network_info *network)
{
    free(network->peer_id);
    free_strings(network->listen, network->n_listen);
    free_strings(network->connected, network->n_connected);
    *network = (struct tfl_network_info){0};
}

static int get_strings(
    struct json_object *json, const char *field, char ***out, size_t *n, struct tfl_error *err)
{
    size_t len = 0;
    if (!json)
        return 0; /* older nodes do not say */
    if (get_array(json, field, &len, err))
        return -1;
    *out = tfl_alloc(len * sizeof(char *));
    for (size_t i = 0; i < len; i++) {
        struct json_object *v = json_object_array_get_idx(json, i);
        if (!json_object_is_type(v, json_type_string))
            return wrong(field, "a list of strings", json, err);
        (*out)[(*n)++] = tfl_strdup(json_object_get_string(v));
    }
    return 0;
}

int tfl_reply_network(struct json_object *json, struct tfl_network_info *out, struct tfl_error *err)
{
    struct tfl_network_info network = {0};
    struct json_object *id = member(json, "peer_id");
    if (id && !json_object_is_type(id, json_type_string))
        return wrong("peer_id", "a string", id, err);
    if (get_u64(member(json, "n_peers"), "n_peers", &network.n_peers, err) ||
        get_strings(
            member(json, "listen_addresses"), "listen_addresses", &network.listen, &network.n_listen, err) ||
        get_strings(member(json, "connected_peers"), "connected_peers", &network.connected,
            &network.n_connected, err)) {
        tfl_network_info_done(&network);
        return -1;
    }
    network.peer_id = id ? tfl_strdup(json_object_get_string(id)) : NULL;
    *out = network;
    return 0;
}

/* A list of values, each of `size` bytes and read by get; the caller frees it. NULL and err. */
static void *get_list(struct json_object *json, size_t size,
    int (*get)(struct json_object *json, const char *field, void *out, struct tfl_error *err), size_t *n,
    struct tfl_error *err)
{
    if (get_array(json, "(the reply)", n, err))
        return NULL;
    char *list = tfl_alloc(*n * size);
    for (size_t i = 0; i < *n; i++) {
        char field[32];
        snprintf(field, sizeof field, "[%zu]", i);
        if (get(json_object_array_get_idx(json, i), field, list + i * size, err)) {
            free(list);
            return NULL;
        }
    }
    return list;
}

static int list_hash(struct json_object *json, const char *field, void *out, struct tfl_error *err)
{
    return get_hash(json, field, out, err);
}

static int list_u64(struct json_object *json, const char *field, void *out, struct tfl_error *err)
{
    return get_u64(json, field, out, err);
}

int tfl_reply_ids(struct json_object *json, struct tfl_hash **ids, size_t *n, struct tfl_error *err)
{
    size_t len;
    struct tfl_hash *list = get_list(json, sizeof *list, list_hash, &len, err);
    if (!list)
        return -1;
    *ids = list;
    *n = len;
    return 0;
}

int tfl_reply_made(struct json_object *json, struct tfl_hash *hash, struct tfl_error *err)
{
    return get_hash(member(json, "hash"), "hash", hash, err);
}

int tfl_reply_slots(struct json_object *json, uint64_t **slots, size_t *n, struct tfl_error *err)
{
    size_t len;
    uint64_t *list = get_list(json, sizeof *list, list_u64, &len, err);
    if (!list)
        return -1;
    *slots = list;
    *n = len;
    return 0;
}

void tfl_block_head_done(struct tfl_block_head *block)
{
    if (!block)
        return;
    free(block->txs);
    block->txs = NULL;
}

/* The forms before April 2026 are the ones whose blocks may come as they are stored, without hashes. */
static bool is_old_tx(struct json_object *mantle)
{
    return member(mantle, "ledger_tx") || member(mantle, "execution_gas_price");
}

static int get_tx(struct json_object *tx, size_t i, struct tfl_hash *out, struct tfl_error *err)
{
    struct json_object *mantle = member(tx, "mantle_tx"), *hash = member(mantle, "hash");
    char field[64];
    if (!json_object_is_type(mantle, json_type_object)) {
        snprintf(field, sizeof field, "transactions[%zu]", i);
        return wrong(field, "an object with mantle_tx", tx, err);
    }
    snprintf(field, sizeof field, "transactions[%zu].mantle_tx.hash", i);
    return !hash && is_old_tx(mantle) ? 0 : get_hash(hash, field, out, err);
}

/* The hashes as the node tells them (replay recomputes them from what the transactions say). */
static int get_txs(struct json_object *list, size_t n, struct tfl_hash **out, struct tfl_error *err)
{
    struct tfl_hash *txs = n ? tfl_alloc(n * sizeof *txs) : NULL;
    for (size_t i = 0; i < n; i++) {
        if (get_tx(json_object_array_get_idx(list, i), i, &txs[i], err)) {
            free(txs);
            return -1;
        }
    }
    *out = txs;
    return 0;
}

int tfl_reply_block(
    struct json_object *json, const struct tfl_hash *asked, struct tfl_block_head *out, struct tfl_error *err)
{
    struct tfl_block_head block = {0};
    struct json_object *header = member(json, "header"), *txs = member(json, "transactions"), *id;
    size_t n_txs = 0;
    if (!json_object_is_type(header, json_type_object))
        return wrong("header", "an object", header, err);
    id = member(header, "id");
    if (!id && asked)
        block.id = *asked;
    else if (get_hash(id, "header.id", &block.id, err))
        return -1;
    if (asked && !tfl_hash_eq(asked, &block.id))
        return wrong("header.id", "the id that was asked for", id, err);
    if (get_hash(member(header, "parent_block"), "header.parent_block", &block.parent, err) ||
        get_u64(member(header, "slot"), "header.slot", &block.slot, err) ||
        get_array(txs, "transactions", &n_txs, err) || get_txs(txs, n_txs, &block.txs, err))
        return -1;
    block.n_txs = (uint32_t)n_txs;
    *out = block;
    return 0;
}

void tfl_reply_blocks_free(struct tfl_block_head *blocks, size_t n)
{
    for (size_t i = 0; i < n; i++)
        tfl_block_head_done(&blocks[i]);
    free(blocks);
}

int tfl_reply_blocks(
    struct json_object *json, struct tfl_block_head **blocks, size_t *n, struct tfl_error *err)
{
    size_t len = 0;
    if (get_array(json, "(the reply)", &len, err))
        return -1;
    struct tfl_block_head *list = tfl_alloc(len * sizeof *list);
    for (size_t i = 0; i < len; i++) {
        if (tfl_reply_block(json_object_array_get_idx(json, i), NULL, &list[i], err)) {
            tfl_reply_blocks_free(list, i);
            return tfl_wrap(err, "block [%zu]", i);
        }
    }
    *blocks = list;
    *n = len;
    return 0;
}

int tfl_reply_row(struct json_object *json, struct tfl_block_row *out, struct tfl_error *err)
{
    struct tfl_block_row row = {0};
    struct json_object *block = member(json, "block");
    if (!block) { /* the oldest streams: bare blocks */
        if (tfl_reply_block(json, NULL, &row.block, err))
            return -1;
        *out = row;
        return 0;
    }
    if (tfl_reply_block(block, NULL, &row.block, err) ||
        get_hash(member(json, "tip"), "tip", &row.tip, err) ||
        get_hash(member(json, "lib"), "lib", &row.lib, err)) {
        tfl_block_head_done(&row.block);
        return -1;
    }
    row.has_view = true;
    *out = row;
    return 0;
}
