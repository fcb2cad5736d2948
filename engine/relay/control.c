#include "relay/control.h"

#include "base/log.h"
#include "relay/orders.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_BODY = 1024 * 1024,
    MAX_CONNECTIONS = 32,
    MAX_FAULTS = 100000,
    MAX_STALLS = 64, /* the last ones are told */
    LOOK_MS = 100,
    STALL_MS = 1000 /* who stands still so long has cut all links */
};

/* One that was ever in force. */
struct known {
    int64_t id;                     /* the asker's */
    int64_t own;                    /* of the links; 0: it is over */
    char *body;                     /* owned: what it is */
    struct tfl_relay_counts counts; /* once it is over */
};

struct stall {
    int64_t ns, end;
};

struct tfl_control {
    struct tfl_loop *loop;
    struct tfl_links *links;
    struct tfl_http_server *server;
    struct known *faults; /* in the order they came */
    size_t n_faults;
    struct stall stalls[MAX_STALLS]; /* a ring */
    size_t n_stalls;                 /* so far */
    struct tfl_timer look;
};

static void reply(struct tfl_http_request *req, unsigned status, struct json_object *o)
{
    size_t n;
    const char *text =
        json_object_to_json_string_length(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &n);
    tfl_http_reply(req, status, TFL_HTTP_JSON, text, n);
    json_object_put(o);
}

static void refuse(struct tfl_http_request *req, unsigned status, const char *message)
{
    struct json_object *o = json_object_new_object();
    json_object_object_add(o, "message", json_object_new_string(message));
    reply(req, status, o);
}

static void add_number(struct json_object *o, const char *key, uint64_t value)
{
    json_object_object_add(o, key, json_object_new_uint64(value));
}

static struct json_object *counts_json(const struct tfl_relay_counts *counts)
{
    struct json_object *o = json_object_new_object();
    add_number(o, "bytes", counts->bytes);
    add_number(o, "delayed", counts->delayed);
    add_number(o, "withheld", counts->withheld);
    add_number(o, "connections", counts->connections);
    add_number(o, "refused", counts->refused);
    return o;
}

/* ---- edges */

static void put_edges(struct tfl_control *c, struct tfl_http_request *req)
{
    struct tfl_edge_order *edges;
    struct tfl_error err;
    size_t n, len;
    const char *text = tfl_http_body(req, &len);
    int failed = tfl_orders_edges(text, len, &edges, &n, &err);
    for (size_t i = 0; i < n && !failed; i++)
        failed = tfl_links_edge(
            c->links, edges[i].from, edges[i].to, edges[i].listen, edges[i].host, edges[i].port, &err);
    tfl_orders_edges_free(edges, n);
    if (failed) {
        refuse(req,
            err.code == TFL_E_INVALID || err.code == TFL_E_USAGE || err.code == TFL_E_UNSUPPORTED ? 400 : 409,
            err.msg);
        return;
    }
    struct json_object *o = json_object_new_object();
    add_number(o, "edges", tfl_links_n_edges(c->links));
    reply(req, 200, o);
}

static void get_edges(struct tfl_control *c, struct tfl_http_request *req)
{
    static const char *const ways[] = {"forward", "back"};
    struct json_object *o = json_object_new_object(), *list = json_object_new_array();
    for (size_t i = 0; i < tfl_links_n_edges(c->links); i++) {
        struct tfl_links_edge_view view;
        struct json_object *edge = json_object_new_object();
        tfl_links_view(c->links, i, &view);
        json_object_object_add(edge, "from", json_object_new_string(view.from));
        json_object_object_add(edge, "to", json_object_new_string(view.to));
        json_object_object_add(edge, "host", json_object_new_string(view.target_host));
        add_number(edge, "listen", view.listen);
        add_number(edge, "port", view.target);
        add_number(edge, "open", view.open);
        for (int way = 0; way < 2; way++)
            json_object_object_add(edge, ways[way], counts_json(&view.counts[way]));
        json_object_array_add(list, edge);
    }
    json_object_object_add(o, "edges", list);
    reply(req, 200, o);
}

/* ---- faults */

static struct known *find(const struct tfl_control *c, int64_t id)
{
    for (size_t i = c->n_faults; i > 0; i--)
        if (c->faults[i - 1].id == id)
            return &c->faults[i - 1];
    return NULL;
}

static void reply_fault(const struct tfl_control *c, struct tfl_http_request *req, const struct known *fault)
{
    struct tfl_relay_counts counts = fault->counts;
    if (fault->own)
        TFL_ASSERT(!tfl_links_counts(c->links, fault->own, &counts, NULL));
    struct json_object *o = counts_json(&counts);
    json_object_object_add(o, "in_force", json_object_new_boolean(fault->own != 0));
    reply(req, 200, o);
}

/* Asked for again, it is as it was, also when it is over by now. */
static void put_fault(struct tfl_control *c, struct tfl_http_request *req, int64_t id)
{
    struct tfl_links_rule *rules;
    struct tfl_relay_policy policy;
    struct tfl_error err;
    size_t n, len;
    const char *text = tfl_http_body(req, &len);
    const struct known *there = find(c, id);
    if (there && strcmp(there->body, text) != 0) {
        refuse(req, 409, "there was another fault of that number");
    } else if (there) {
        reply_fault(c, req, there);
    } else if (c->n_faults == MAX_FAULTS) {
        refuse(req, 409, "there were 100000 faults already, and no more are kept");
    } else if (tfl_orders_fault(text, len, &rules, &n, &policy, &err)) {
        refuse(req, 400, err.msg);
    } else {
        c->faults = tfl_realloc(c->faults, (c->n_faults + 1) * sizeof *c->faults);
        struct known *fault = &c->faults[c->n_faults++];
        *fault = (struct known){.id = id, .body = tfl_strdup(text)};
        fault->own = tfl_links_fault(c->links, rules, n, &policy);
        TFL_LOG(TFL_LOG_INFO, "relay", "fault %lld is in force", (long long)id);
        reply_fault(c, req, fault);
    }
}

static void heal(struct tfl_control *c, struct tfl_http_request *req, struct known *fault)
{
    if (fault->own) {
        TFL_ASSERT(!tfl_links_heal(c->links, fault->own, &fault->counts, NULL));
        fault->own = 0;
        TFL_LOG(TFL_LOG_INFO, "relay", "fault %lld is over", (long long)fault->id);
    }
    reply_fault(c, req, fault);
}

static void handle_fault(struct tfl_control *c, struct tfl_http_request *req, const char *number)
{
    const char *method = tfl_http_method(req);
    char *end;
    errno = 0;
    int64_t id = strtoll(number, &end, 10);
    struct known *fault = find(c, id);
    if (errno || *end || number[0] < '1' || number[0] > '9')
        refuse(req, 400, "the number of a fault was expected, from 1");
    else if (!strcmp(method, "PUT"))
        put_fault(c, req, id);
    else if (strcmp(method, "GET") != 0 && strcmp(method, "DELETE") != 0)
        refuse(req, 405, "PUT, GET or DELETE was expected");
    else if (!fault)
        refuse(req, 404, "there was no fault of that number");
    else if (!strcmp(method, "GET"))
        reply_fault(c, req, fault);
    else
        heal(c, req, fault);
}

/* ---- health */

static void look(struct tfl_timer *timer)
{
    struct tfl_control *c = TFL_CONTAINER(timer, struct tfl_control, look);
    int64_t now = tfl_now(c->loop), lag = tfl_loop_take_lag(c->loop);
    if (lag >= STALL_MS * TFL_MS) {
        c->stalls[c->n_stalls++ % MAX_STALLS] = (struct stall){.ns = lag, .end = now};
        TFL_LOG(TFL_LOG_WARN, "relay", "stood still for %.1fs", (double)lag / 1e9);
    }
    tfl_timer_start(c->loop, timer, now + LOOK_MS * TFL_MS, look);
}

static void get_health(struct tfl_control *c, struct tfl_http_request *req)
{
    struct json_object *o = json_object_new_object(), *list = json_object_new_array();
    size_t first = c->n_stalls > MAX_STALLS ? c->n_stalls - MAX_STALLS : 0;
    for (size_t i = first; i < c->n_stalls; i++) {
        const struct stall *stall = &c->stalls[i % MAX_STALLS];
        struct json_object *one = json_object_new_object();
        add_number(one, "id", i + 1);
        json_object_object_add(one, "seconds", json_object_new_double((double)stall->ns / 1e9));
        json_object_object_add(
            one, "ago", json_object_new_double((double)(tfl_now(c->loop) - stall->end) / 1e9));
        json_object_array_add(list, one);
    }
    add_number(o, "edges", tfl_links_n_edges(c->links));
    add_number(o, "faults", c->n_faults);
    json_object_object_add(o, "stalls", list);
    reply(req, 200, o);
}

static void handle(struct tfl_http_request *req, void *arg)
{
    static const char faults[] = "/faults/";
    struct tfl_control *c = arg;
    const char *path = tfl_http_path(req), *method = tfl_http_method(req);
    bool get = !strcmp(method, "GET"), put = !strcmp(method, "PUT");
    if (!strncmp(path, faults, sizeof faults - 1))
        handle_fault(c, req, path + sizeof faults - 1);
    else if (!strcmp(path, "/edges") && put)
        put_edges(c, req);
    else if (!strcmp(path, "/edges") && get)
        get_edges(c, req);
    else if (!strcmp(path, "/health") && get)
        get_health(c, req);
    else
        refuse(req, 404,
            "GET /health, GET or PUT /edges, and PUT, GET or DELETE /faults/NUMBER are all there is");
}

struct tfl_control *tfl_control_new(const struct tfl_control_config *config, struct tfl_error *err)
{
    struct tfl_control *c = tfl_alloc(sizeof *c);
    struct tfl_http_options options = {.addr = config->addr,
        .handle = handle,
        .arg = c,
        .max_body = MAX_BODY,
        .max_connections = MAX_CONNECTIONS};
    c->loop = config->loop;
    c->server = tfl_http_server_new(config->loop, &options, err);
    if (!c->server) {
        free(c);
        return NULL;
    }
    c->links = tfl_links_new(config->loop, config->seed, config->addr.host);
    tfl_loop_take_lag(c->loop);
    tfl_timer_start(c->loop, &c->look, tfl_now(c->loop) + LOOK_MS * TFL_MS, look);
    return c;
}

const struct tfl_addr *tfl_control_addr(const struct tfl_control *c)
{
    return tfl_http_server_addr(c->server);
}

void tfl_control_free(struct tfl_control *c)
{
    if (!c)
        return;
    tfl_timer_stop(c->loop, &c->look);
    tfl_http_server_free(c->server);
    tfl_links_free(c->links);
    for (size_t i = 0; i < c->n_faults; i++)
        free(c->faults[i].body);
    free(c->faults);
    free(c);
}
