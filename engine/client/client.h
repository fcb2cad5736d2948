#ifndef TFL_CLIENT_CLIENT_H
#define TFL_CLIENT_CLIENT_H

#include "client/dialect.h"
#include "client/json_in.h"
#include "client/reply.h"
#include "net/http_client.h"

/* What one node answers over its HTTP API. Counted: the starter of it, and every op and feed that uses it, holds it. */
struct tfl_client {
    struct tfl_http *http; /* must outlive the client's ops */
    struct tfl_loop *loop;
    char *name; /* of the node */
    char *url;  /* "http://127.0.0.1:20031", no slash at the end */
    const struct tfl_dialect *dialect;
    struct tfl_dialect *own; /* NULL: the dialect as it is; else what dialect points to, its paths owned */
    bool block_by_post, stream_old; /* learned: this node knows only the older way */
    int refs;
};

/* NULL and err (TFL_E_USAGE) for a URL or dialect that cannot be used. dialect NULL: "reference". Free with unref. */
struct tfl_client *tfl_client_new(struct tfl_http *http, struct tfl_loop *loop, const char *name,
    const char *url, const char *dialect, struct tfl_error *err);
/* Another path for one of the dialect's questions ("info", "block"…), for this client; NULL: the node has no such thing. Before
 * anything is asked. TFL_E_USAGE: there is no such question (names those there are), or not a path. */
int tfl_client_set_path(
    struct tfl_client *client, const char *question, const char *path, struct tfl_error *err);
struct tfl_client *tfl_client_ref(struct tfl_client *client);
void tfl_client_unref(struct tfl_client *client); /* NULL-safe */

/* One question. Besides the errors of net/http_client.h: TFL_E_HTTP_STATUS (not 200), TFL_E_NOT_FOUND (no such block),
 * TFL_E_BAD_REPLY (names the field), TFL_E_UNSUPPORTED (the dialect has no such path). err.node is the client's name.
 * JSON is parsed in slices of 16 kB a turn. When it succeeds, the results that belong to the question are there. */
struct tfl_client_op {
    struct tfl_op op;
    struct tfl_client *client;
    enum tfl_question {
        TFL_ASK_INFO,
        TFL_ASK_NETWORK,
        TFL_ASK_IDS,
        TFL_ASK_BLOCK,
        TFL_ASK_BLOCKS,
        TFL_ASK_SLOTS,
        TFL_ASK_SUBMIT,
        TFL_ASK_TRANSFER,
        TFL_ASK_RAW
    } question;
    struct json_object *json; /* block, blocks: the whole reply */
    struct tfl_node_info info;
    struct tfl_network_info network;
    struct tfl_block_head block;
    struct tfl_block_head *blocks;
    struct tfl_hash *ids;
    struct tfl_hash made; /* of a transfer */
    uint64_t *slots;
    size_t n; /* of blocks, ids or slots */
    int status;
    struct tfl_buf body; /* raw: as it came */
    char content_type[64];
    struct tfl_http_op *http; /* private from here on */
    char *path;
    struct tfl_hash asked;
    struct tfl_json_in in;
    size_t parsed;
    struct tfl_defer slice;
    int64_t timeout_ms;
    bool posted;
};

/* All give a new op, owned by the caller (tfl_op_free(&op->op)). timeout_ms: total; 0 is 10,000. */
struct tfl_client_op *tfl_client_info(struct tfl_client *client, int64_t timeout_ms);
struct tfl_client_op *tfl_client_network(struct tfl_client *client, int64_t timeout_ms);
/* Ids from `from` (NULL: the tip) down to `to` (NULL: the LIB), both included, at most 512 by the contract. */
struct tfl_client_op *tfl_client_headers(
    struct tfl_client *client, const struct tfl_hash *from, const struct tfl_hash *to, int64_t timeout_ms);
struct tfl_client_op *tfl_client_block(
    struct tfl_client *client, const struct tfl_hash *id, int64_t timeout_ms);
/* Final blocks with slots in [slot_from, slot_to]. */
struct tfl_client_op *tfl_client_blocks(
    struct tfl_client *client, uint64_t slot_from, uint64_t slot_to, int64_t timeout_ms);
/* Slots whose timer fired more than a slot late at that node; none when the node has no such page. */
struct tfl_client_op *tfl_client_late_slots(struct tfl_client *client, int64_t timeout_ms);
/* Hands in a transaction: body is the JSON of the contract. Success: the node has accepted it. TFL_E_REJECTED: the node
 * has refused it, with status and words; TFL_E_HTTP_STATUS: it cannot take it now (404, 408, 429, 5xx). */
struct tfl_client_op *tfl_client_submit(
    struct tfl_client *client, const void *body, size_t body_len, int64_t timeout_ms);
/* Has the node make a transfer of its own wallet and hand it in; made is its hash. Errors as for submit. */
struct tfl_client_op *tfl_client_transfer(
    struct tfl_client *client, const void *body, size_t body_len, int64_t timeout_ms);
/* Hashes of the transactions in the node's mempool, as ids. */
struct tfl_client_op *tfl_client_mempool(struct tfl_client *client, int64_t timeout_ms);
/* What an answer to a handed-in transaction says. text: what the body begins with. */
enum tfl_submit_answer { TFL_SUBMIT_ACCEPTED, TFL_SUBMIT_REJECTED, TFL_SUBMIT_LATER };
enum tfl_submit_answer tfl_submit_answer(int status, const char *text);
/* Any request; the answer is status, content_type and body (at most 16 MiB), whatever the status. path begins with /. */
struct tfl_client_op *tfl_client_request(struct tfl_client *client, const char *method, const char *path,
    const void *body, size_t body_len, const char *content_type, int64_t timeout_ms);

/* Wraps err with "NAME: URL-without-scheme/path" and sets its node. */
int tfl_client_wrap(const struct tfl_client *client, const char *path, struct tfl_error *err);

#endif
