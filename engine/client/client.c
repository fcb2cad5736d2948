#include "client/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SLICE = 16 * 1024, SMALL_BODY = 256 * 1024, BIG_BODY = 64 * 1024 * 1024, MANY_VALUES = 1000000 };

struct tfl_client *tfl_client_new(struct tfl_http *http, struct tfl_loop *loop, const char *name,
    const char *url, const char *dialect, struct tfl_error *err)
{
    const struct tfl_dialect *d = tfl_dialect_named(dialect ? dialect : "reference", err);
    size_t len = strlen(url);
    if (!d)
        return NULL;
    while (len && url[len - 1] == '/')
        len--;
    if (strncasecmp(url, "http://", 7) != 0 || len <= 7 || len > 200) {
        tfl_fail(err, TFL_E_USAGE,
            "%.63s: \"%.200s\" is not the address of a node's API; expected http://HOST:PORT", name, url);
        return NULL;
    }
    struct tfl_client *client = tfl_alloc(sizeof *client);
    client->http = http;
    client->loop = loop;
    client->name = tfl_strndup(name, strnlen(name, 63));
    client->url = tfl_strndup(url, len);
    client->dialect = d;
    client->refs = 1;
    return client;
}

int tfl_client_set_path(
    struct tfl_client *client, const char *question, const char *path, struct tfl_error *err)
{
    if (!client->own)
        client->dialect = client->own = tfl_dialect_copy(client->dialect);
    return tfl_dialect_set(client->own, question, path, err);
}

struct tfl_client *tfl_client_ref(struct tfl_client *client)
{
    client->refs++;
    return client;
}

void tfl_client_unref(struct tfl_client *client)
{
    if (!client || --client->refs)
        return;
    tfl_dialect_free(client->own);
    free(client->name);
    free(client->url);
    free(client);
}

int tfl_client_wrap(const struct tfl_client *client, const char *path, struct tfl_error *err)
{
    tfl_wrap(err, "%s: the answer on %s%.200s", client->name, client->url + 7, path);
    snprintf(err->node, sizeof err->node, "%s", client->name);
    return -1;
}

static struct tfl_client_op *op_of(struct tfl_op *op)
{
    return TFL_CONTAINER(op, struct tfl_client_op, op);
}

static void op_cancel(struct tfl_op *op)
{
    struct tfl_client_op *o = op_of(op);
    tfl_defer_stop(op->loop, &o->slice);
    if (o->http)
        tfl_op_free(&o->http->op);
    o->http = NULL;
}

static void op_destroy(struct tfl_op *op)
{
    struct tfl_client_op *o = op_of(op);
    op_cancel(op);
    tfl_json_in_done(&o->in);
    json_object_put(o->json);
    tfl_network_info_done(&o->network);
    tfl_buf_done(&o->body);
    tfl_block_head_done(&o->block);
    tfl_reply_blocks_free(o->blocks, o->blocks ? o->n : 0);
    free(o->ids);
    free(o->slots);
    free(o->path);
    tfl_client_unref(o->client);
    free(o);
}

static int read_reply(struct tfl_client_op *o, struct tfl_error *err)
{
    switch (o->question) {
    case TFL_ASK_INFO:
        return tfl_reply_info(o->json, &o->info, err);
    case TFL_ASK_NETWORK:
        return tfl_reply_network(o->json, &o->network, err);
    case TFL_ASK_IDS:
        return tfl_reply_ids(o->json, &o->ids, &o->n, err);
    case TFL_ASK_SLOTS:
        return tfl_reply_slots(o->json, &o->slots, &o->n, err);
    case TFL_ASK_BLOCK:
        if (!o->json) /* how the older way says that it has none */
            return tfl_fail(err, TFL_E_NOT_FOUND, "there is no such block");
        return tfl_reply_block(o->json, &o->asked, &o->block, err);
    case TFL_ASK_BLOCKS:
        return tfl_reply_blocks(o->json, &o->blocks, &o->n, err);
    case TFL_ASK_TRANSFER:
        return tfl_reply_made(o->json, &o->made, err);
    case TFL_ASK_SUBMIT:
    case TFL_ASK_RAW:
        break;
    }
    return 0;
}

static void end(struct tfl_client_op *o, int result, struct tfl_error *err)
{
    if (result) {
        tfl_client_wrap(o->client, o->path, err);
        tfl_op_fail(&o->op, err);
        return;
    }
    tfl_op_succeed(&o->op);
}

static void parse_slice(struct tfl_defer *defer)
{
    struct tfl_client_op *o = TFL_CONTAINER(defer, struct tfl_client_op, slice);
    struct tfl_error err;
    size_t n = o->body.len - o->parsed;
    n = n < SLICE ? n : SLICE;
    int result = tfl_json_in_push(&o->in, o->body.data + o->parsed, n, &err);
    o->parsed += n;
    if (result == 0 && o->parsed < o->body.len) {
        tfl_defer_start(o->op.loop, &o->slice, parse_slice);
        return;
    }
    if (result == 0)
        result = tfl_json_in_end(&o->in, &o->json, &err);
    tfl_buf_done(&o->body);
    if (result == 0)
        result = read_reply(o, &err);
    end(o, result, &err);
}

static void ask(
    struct tfl_client_op *o, const char *method, const void *body, size_t body_len, const char *type);

/* An unknown block and an unknown path are both 404: the older way, where the dialect has it, tells them apart. A node for
 * which it was learned may have come back as a newer one: then it is the other way round. */
static bool ask_the_other_way(struct tfl_client_op *o)
{
    char hex[TFL_HASH_HEX], id[TFL_HASH_HEX + 2];
    if (o->question != TFL_ASK_BLOCK || (o->status != 404 && o->status != 405) ||
        !o->client->dialect->block_post)
        return false;
    if (o->posted && o->client->block_by_post) {
        o->client->block_by_post = o->posted = false;
        free(o->path);
        o->path = tfl_sprintf("%s%s", o->client->dialect->block, tfl_hash_hex(hex, &o->asked));
        ask(o, "GET", NULL, 0, NULL);
        return true;
    }
    if (o->posted)
        return false;
    snprintf(id, sizeof id, "\"%s\"", tfl_hash_hex(hex, &o->asked));
    o->posted = true;
    free(o->path);
    o->path = tfl_strdup(o->client->dialect->block_post);
    ask(o, "POST", id, strlen(id), NULL);
    return true;
}

enum tfl_submit_answer tfl_submit_answer(int status, const char *text)
{
    if (status / 100 == 2)
        return TFL_SUBMIT_ACCEPTED;
    if (status == 500 && strcasestr(text, "already in mempool")) /* how older nodes take one twice */
        return TFL_SUBMIT_ACCEPTED;
    if (status >= 400 && tfl_reply_of_cluster(text, strlen(text)))
        return TFL_SUBMIT_LATER;
    return status / 100 == 5 || status == 404 || status == 408 || status == 429 ? TFL_SUBMIT_LATER
                                                                                : TFL_SUBMIT_REJECTED;
}

static int check_status(struct tfl_client_op *o, struct tfl_error *err)
{
    enum tfl_code code = TFL_E_HTTP_STATUS;
    if (o->status == 200)
        return 0;
    bool transfer = o->question == TFL_ASK_TRANSFER; /* whose words never mean that it was taken before */
    if (o->question == TFL_ASK_SUBMIT || transfer) {
        const char *text = transfer || !o->body.len ? "" : o->body.data;
        enum tfl_submit_answer answer = tfl_submit_answer(o->status, text);
        if (answer == TFL_SUBMIT_ACCEPTED)
            return 0;
        code = answer == TFL_SUBMIT_REJECTED ? TFL_E_REJECTED : code;
    }
    if (o->question == TFL_ASK_BLOCK && o->status == 404)
        return tfl_fail(err, TFL_E_NOT_FOUND, "there is no such block");
    TFL_FREE char *words = tfl_reply_words(o->body.data, o->body.len);
    return tfl_fail(err, code, "status %d, expected %d: %s", o->status, transfer ? 201 : 200, words);
}

static void answered(struct tfl_op *op)
{
    struct tfl_http_op *h = TFL_CONTAINER(op, struct tfl_http_op, op);
    struct tfl_client_op *o = op->owner;
    struct tfl_error err;
    if (op->failed) {
        tfl_op_fail(&o->op, &op->err);
        return;
    }
    o->status = h->status;
    tfl_buf_done(&o->body);
    o->body = h->body;
    h->body = (struct tfl_buf){0};
    memcpy(o->content_type, h->content_type, sizeof o->content_type);
    tfl_op_free(op);
    o->http = NULL;
    if (o->status >= 400 && o->body.len && tfl_reply_of_cluster(o->body.data, o->body.len)) {
        TFL_FREE char *words = tfl_reply_words(o->body.data, o->body.len);
        end(o, tfl_fail(&err, TFL_E_CONNECT, "the cluster cannot reach it: %s", words), &err);
        return;
    }
    /* no page of late slots: the node does not count them */
    bool no_page = o->question == TFL_ASK_SLOTS && (o->status == 404 || o->status == 405);
    bool as_it_is = o->question == TFL_ASK_RAW || no_page;
    if (!as_it_is && ask_the_other_way(o))
        return;
    if (!as_it_is && check_status(o, &err)) {
        end(o, -1, &err);
    } else if (as_it_is || o->question == TFL_ASK_SUBMIT) {
        tfl_op_succeed(&o->op); /* submit: null, or whatever else a node says with a 200 */
    } else {
        if (o->question == TFL_ASK_BLOCK)
            o->client->block_by_post = o->posted;
        tfl_json_in_init(&o->in, o->question == TFL_ASK_BLOCKS ? MANY_VALUES : TFL_JSON_VALUES);
        parse_slice(&o->slice);
    }
}

static void ask(
    struct tfl_client_op *o, const char *method, const void *body, size_t body_len, const char *type)
{
    TFL_FREE char *url = tfl_sprintf("%s%s", o->client->url, o->path);
    size_t max = o->question == TFL_ASK_BLOCK || o->question == TFL_ASK_RAW || o->question == TFL_ASK_IDS ? 0
                 : o->question == TFL_ASK_BLOCKS ? BIG_BODY
                                                 : SMALL_BODY;
    struct tfl_http_call call = {.who = o->client->name,
        .method = method,
        .url = url,
        .body = body,
        .body_len = body_len,
        .content_type = type,
        .max_body = max,
        .timeout_ms = o->timeout_ms};
    o->http = tfl_http_start(o->client->http, &call);
    o->http->op.owner = o;
    o->http->op.done = answered;
}

/* path NULL: the dialect has none. */
static struct tfl_client_op *new_op(
    struct tfl_client *client, enum tfl_question question, const char *path, int64_t timeout_ms)
{
    struct tfl_client_op *o = tfl_alloc(sizeof *o);
    tfl_op_init(&o->op, client->loop, op_cancel, op_destroy);
    o->client = tfl_client_ref(client);
    o->question = question;
    o->path = tfl_strdup(path ? path : "");
    o->timeout_ms = timeout_ms > 0 ? timeout_ms : 10000;
    if (!path) {
        struct tfl_error err;
        tfl_fail(&err, TFL_E_UNSUPPORTED, "%s: nodes of the dialect \"%s\" cannot be asked this",
            client->name, client->dialect->name);
        snprintf(err.node, sizeof err.node, "%s", client->name);
        tfl_op_fail(&o->op, &err);
    }
    return o;
}

static struct tfl_client_op *get(
    struct tfl_client *client, enum tfl_question question, const char *path, int64_t timeout_ms)
{
    struct tfl_client_op *o = new_op(client, question, path, timeout_ms);
    if (path)
        ask(o, "GET", NULL, 0, NULL);
    return o;
}

struct tfl_client_op *tfl_client_info(struct tfl_client *client, int64_t timeout_ms)
{
    return get(client, TFL_ASK_INFO, client->dialect->info, timeout_ms);
}

struct tfl_client_op *tfl_client_network(struct tfl_client *client, int64_t timeout_ms)
{
    return get(client, TFL_ASK_NETWORK, client->dialect->network, timeout_ms);
}

struct tfl_client_op *tfl_client_late_slots(struct tfl_client *client, int64_t timeout_ms)
{
    struct tfl_client_op *o = new_op(client, TFL_ASK_SLOTS, "", timeout_ms);
    if (!client->dialect->late_slots) {
        tfl_op_succeed(&o->op);
        return o;
    }
    free(o->path);
    o->path = tfl_strdup(client->dialect->late_slots);
    ask(o, "GET", NULL, 0, NULL);
    return o;
}

struct tfl_client_op *tfl_client_headers(
    struct tfl_client *client, const struct tfl_hash *from, const struct tfl_hash *to, int64_t timeout_ms)
{
    char from_hex[TFL_HASH_HEX] = "", to_hex[TFL_HASH_HEX] = "";
    if (!client->dialect->headers)
        return get(client, TFL_ASK_IDS, NULL, timeout_ms);
    if (from)
        tfl_hash_hex(from_hex, from);
    if (to)
        tfl_hash_hex(to_hex, to);
    TFL_FREE char *path = tfl_sprintf("%s%s%s%s%s%s", client->dialect->headers, from || to ? "?" : "",
        from ? "from=" : "", from_hex,
        !to    ? ""
        : from ? "&to="
               : "to=",
        to_hex);
    return get(client, TFL_ASK_IDS, path, timeout_ms);
}

struct tfl_client_op *tfl_client_block(
    struct tfl_client *client, const struct tfl_hash *id, int64_t timeout_ms)
{
    char hex[TFL_HASH_HEX];
    if (!client->dialect->block)
        return get(client, TFL_ASK_BLOCK, NULL, timeout_ms);
    TFL_FREE char *path = tfl_sprintf("%s%s", client->dialect->block, tfl_hash_hex(hex, id));
    struct tfl_client_op *o = new_op(client, TFL_ASK_BLOCK, path, timeout_ms);
    o->asked = *id;
    o->status = 404;
    if (!client->block_by_post || !ask_the_other_way(o))
        ask(o, "GET", NULL, 0, NULL);
    return o;
}

struct tfl_client_op *tfl_client_blocks(
    struct tfl_client *client, uint64_t slot_from, uint64_t slot_to, int64_t timeout_ms)
{
    if (!client->dialect->blocks)
        return get(client, TFL_ASK_BLOCKS, NULL, timeout_ms);
    TFL_FREE char *path = tfl_sprintf("%s?slot_from=%llu&slot_to=%llu", client->dialect->blocks,
        (unsigned long long)slot_from, (unsigned long long)slot_to);
    return get(client, TFL_ASK_BLOCKS, path, timeout_ms);
}

static struct tfl_client_op *post(struct tfl_client *client, enum tfl_question question, const char *path,
    const void *body, size_t body_len, int64_t timeout_ms)
{
    struct tfl_client_op *o = new_op(client, question, path, timeout_ms);
    if (path)
        ask(o, "POST", body, body_len, NULL);
    return o;
}

struct tfl_client_op *tfl_client_submit(
    struct tfl_client *client, const void *body, size_t body_len, int64_t timeout_ms)
{
    return post(client, TFL_ASK_SUBMIT, client->dialect->submit, body, body_len, timeout_ms);
}

struct tfl_client_op *tfl_client_transfer(
    struct tfl_client *client, const void *body, size_t body_len, int64_t timeout_ms)
{
    return post(client, TFL_ASK_TRANSFER, client->dialect->transfer, body, body_len, timeout_ms);
}

struct tfl_client_op *tfl_client_mempool(struct tfl_client *client, int64_t timeout_ms)
{
    return get(client, TFL_ASK_IDS, client->dialect->mempool, timeout_ms);
}

struct tfl_client_op *tfl_client_request(struct tfl_client *client, const char *method, const char *path,
    const void *body, size_t body_len, const char *content_type, int64_t timeout_ms)
{
    struct tfl_client_op *o = new_op(client, TFL_ASK_RAW, path, timeout_ms);
    ask(o, method, body, body_len, content_type);
    return o;
}
