#include "deploy/links.h"

#include "base/log.h"
#include "deploy/inbound.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct inbound {
    struct tfl_links *links;
    char *to;
    uint16_t listen, target;
    struct tfl_inbound *port;
    struct tfl_relay *unshaped; /* what no other node dials */
    uint64_t unknown, dropped;
};

struct edge {
    char *from, *to;
    char *target_host; /* or NULL */
    uint16_t listen, target;
    struct tfl_relay *relay;
    const struct inbound *through; /* NULL: it has a port of its own */
};

struct fault {
    int64_t id;
    struct tfl_links_rule *rules;
    size_t n_rules;
    struct tfl_relay_policy policy;
    struct tfl_relay_counts *base; /* [2 × edge + way]: what each way had counted when the fault began */
    size_t n_base;                 /* ways that were there then; later ones began at zero */
};

struct tfl_links {
    struct tfl_loop *loop;
    uint64_t seed;
    char *host; /* or NULL */
    struct edge *edges;
    size_t n_edges;
    struct inbound **inbounds;
    size_t n_inbounds;
    struct tfl_owners owners;
    struct fault *faults; /* in force, in the order they came */
    size_t n_faults;
    int64_t last_id;
};

struct tfl_links *tfl_links_new(struct tfl_loop *loop, uint64_t seed, const char *host)
{
    struct tfl_links *links = tfl_alloc(sizeof *links);
    links->loop = loop;
    links->seed = seed;
    links->host = host ? tfl_strdup(host) : NULL;
    return links;
}

static void set_done(struct tfl_links_set *set)
{
    for (size_t i = 0; i < set->n; i++)
        free(set->names[i]);
    free(set->names);
}

void tfl_links_rules_free(struct tfl_links_rule *rules, size_t n)
{
    for (size_t i = 0; rules && i < n; i++) {
        set_done(&rules[i].from);
        set_done(&rules[i].to);
    }
    free(rules);
}

static void fault_done(struct fault *fault)
{
    tfl_links_rules_free(fault->rules, fault->n_rules);
    free(fault->base);
}

static void inbound_free(struct inbound *in)
{
    tfl_inbound_free(in->port);
    tfl_relay_free(in->unshaped);
    free(in->to);
    free(in);
}

void tfl_links_free(struct tfl_links *links)
{
    if (!links)
        return;
    for (size_t i = 0; i < links->n_inbounds; i++)
        inbound_free(links->inbounds[i]);
    free(links->inbounds);
    tfl_owners_done(&links->owners);
    for (size_t i = 0; i < links->n_edges; i++) {
        tfl_relay_free(links->edges[i].relay);
        free(links->edges[i].from);
        free(links->edges[i].to);
        free(links->edges[i].target_host);
    }
    for (size_t i = 0; i < links->n_faults; i++)
        fault_done(&links->faults[i]);
    free(links->edges);
    free(links->faults);
    free(links->host);
    free(links);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort(struct tfl_links_set *set)
{
    if (set->n)
        qsort(set->names, set->n, sizeof *set->names, by_name);
}

static bool in_set(const struct tfl_links_set *set, const char *name)
{
    bool found = set->n && bsearch(&name, set->names, set->n, sizeof *set->names, by_name);
    return found != set->except;
}

/* Is the fault about the bytes that flow this way? */
static bool concerns(const struct fault *fault, const struct edge *edge, int way)
{
    const char *from = way == TFL_RELAY_FORWARD ? edge->from : edge->to;
    const char *to = way == TFL_RELAY_FORWARD ? edge->to : edge->from;
    for (size_t i = 0; i < fault->n_rules; i++)
        if (in_set(&fault->rules[i].from, from) && in_set(&fault->rules[i].to, to))
            return true;
    return false;
}

static void combine(struct tfl_relay_policy *all, const struct tfl_relay_policy *one)
{
    all->cut |= one->cut;
    all->latency_ns += one->latency_ns;
    all->jitter_ns += one->jitter_ns;
    if (one->rate && (!all->rate || one->rate < all->rate))
        all->rate = one->rate;
    all->loss = 1 - (1 - all->loss) * (1 - one->loss);
}

/* Gives each way of the edge what the faults in force come to. */
static void enforce(const struct tfl_links *links, const struct edge *edge)
{
    for (int way = 0; way < 2; way++) {
        struct tfl_relay_policy policy = {0};
        for (size_t i = 0; i < links->n_faults; i++)
            if (concerns(&links->faults[i], edge, way))
                combine(&policy, &links->faults[i].policy);
        tfl_relay_shape(edge->relay, way, &policy);
    }
}

static struct edge *find_edge(
    const struct tfl_links *links, const char *from, const char *to, const struct inbound *through)
{
    for (size_t i = 0; i < links->n_edges; i++) {
        struct edge *edge = &links->edges[i];
        if (edge->through == through && !strcmp(edge->from, from) && !strcmp(edge->to, to))
            return edge;
    }
    return NULL;
}

static struct tfl_relay *new_relay(const struct tfl_links *links, const char *from, const char *to,
    uint16_t listen, const char *target_host, uint16_t target, struct tfl_error *err)
{
    char name[160];
    snprintf(name, sizeof name, "link/%s/%s", from, to);
    struct tfl_relay_config config = {.loop = links->loop,
        .host = links->host,
        .target_host = target_host,
        .listen = listen,
        .target = target,
        .seed = links->seed,
        .name = name};
    return tfl_relay_new(&config, err);
}

static struct edge *add_edge(
    struct tfl_links *links, const char *from, const char *to, struct tfl_relay *relay)
{
    links->edges = tfl_realloc(links->edges, (links->n_edges + 1) * sizeof *links->edges);
    struct edge *edge = &links->edges[links->n_edges++];
    *edge = (struct edge){.from = tfl_strdup(from), .to = tfl_strdup(to), .relay = relay};
    enforce(links, edge);
    return edge;
}

static bool leads_to(const struct edge *edge, const char *target_host, uint16_t target)
{
    const char *had = edge->target_host ? edge->target_host : "", *wanted = target_host ? target_host : "";
    return edge->target == target && !strcmp(had, wanted);
}

int tfl_links_edge(struct tfl_links *links, const char *from, const char *to, uint16_t listen,
    const char *target_host, uint16_t target, struct tfl_error *err)
{
    struct edge *edge = find_edge(links, from, to, NULL);
    if (edge && edge->listen == listen && leads_to(edge, target_host, target))
        return 0;
    if (edge)
        return tfl_fail(err, TFL_E_STATE, "the link from %s to %s is there already, from port %d to %s:%d",
            from, to, edge->listen, edge->target_host ? edge->target_host : "127.0.0.1", edge->target);
    struct tfl_relay *relay = new_relay(links, from, to, listen, target_host, target, err);
    if (!relay)
        return -1;
    edge = add_edge(links, from, to, relay);
    edge->target_host = target_host ? tfl_strdup(target_host) : NULL;
    edge->listen = listen;
    edge->target = target;
    return 0;
}

/* The relay of the edge from a node through this port, made when there is none yet: it obeys what is in force. */
static struct tfl_relay *edge_relay(struct inbound *in, const char *from)
{
    struct tfl_links *links = in->links;
    struct edge *edge = find_edge(links, from, in->to, in);
    if (!edge) {
        edge = add_edge(links, from, in->to, new_relay(links, from, in->to, 0, NULL, in->target, NULL));
        edge->listen = in->listen;
        edge->target = in->target;
        edge->through = in;
    }
    return edge->relay;
}

static void dialled(void *arg, int fd, const char *from, bool gone)
{
    struct inbound *in = arg;
    bool faulty = in->links->n_faults > 0, drop = gone && faulty;
    if (from) {
        tfl_relay_take(strcmp(from, in->to) ? edge_relay(in, from) : in->unshaped, fd);
        return;
    }
    in->unknown++;
    in->dropped += drop;
    TFL_LOG(faulty ? TFL_LOG_WARN : TFL_LOG_INFO, "deploy", "%s was dialled at port %d by %s: %s", in->to,
        in->listen, gone ? "a socket that nobody has any more" : "a process that is no node's",
        drop ? "reset, as a link fault is in force" : "passed on, without any link fault");
    if (drop)
        close(fd);
    else
        tfl_relay_take(in->unshaped, fd);
}

int tfl_links_inbound(
    struct tfl_links *links, const char *to, uint16_t listen, uint16_t target, struct tfl_error *err)
{
    for (size_t i = 0; i < links->n_inbounds; i++) {
        const struct inbound *there = links->inbounds[i];
        if (strcmp(there->to, to) || there->target != target)
            continue;
        if (there->listen == listen)
            return 0;
        return tfl_fail(err, TFL_E_STATE,
            "the inbound relay of %s to its port %d is there already, on port %d", to, target, there->listen);
    }
    struct inbound *in = tfl_alloc(sizeof *in);
    *in = (struct inbound){.links = links, .to = tfl_strdup(to), .listen = listen, .target = target};
    struct tfl_inbound_config config = {
        .loop = links->loop, .listen = listen, .owners = &links->owners, .dialled = dialled, .arg = in};
    in->port = tfl_inbound_new(&config, err);
    if (!in->port) {
        inbound_free(in);
        return tfl_wrap(err, "the inbound relay of %s", to);
    }
    in->unshaped = new_relay(links, "", to, 0, NULL, target, NULL);
    links->inbounds = tfl_realloc(links->inbounds, (links->n_inbounds + 1) * sizeof(struct inbound *));
    links->inbounds[links->n_inbounds++] = in;
    return 0;
}

void tfl_links_process(struct tfl_links *links, const char *name, pid_t pid)
{
    tfl_owners_set(&links->owners, name, pid);
}

int64_t tfl_links_fault(
    struct tfl_links *links, struct tfl_links_rule *rules, size_t n, const struct tfl_relay_policy *policy)
{
    struct fault fault = {.id = ++links->last_id, .rules = rules, .n_rules = n, .policy = *policy};
    for (size_t i = 0; i < n; i++) {
        sort(&rules[i].from);
        sort(&rules[i].to);
    }
    fault.n_base = 2 * links->n_edges;
    fault.base = tfl_alloc((fault.n_base + 1) * sizeof *fault.base);
    for (size_t i = 0; i < fault.n_base; i++)
        fault.base[i] = tfl_relay_counts(links->edges[i / 2].relay, i % 2);
    links->faults = tfl_realloc(links->faults, (links->n_faults + 1) * sizeof *links->faults);
    links->faults[links->n_faults++] = fault;
    for (size_t i = 0; i < links->n_edges; i++)
        if (concerns(&fault, &links->edges[i], 0) || concerns(&fault, &links->edges[i], 1))
            enforce(links, &links->edges[i]);
    return fault.id;
}

static struct fault *find(const struct tfl_links *links, int64_t id, struct tfl_error *err)
{
    for (size_t i = 0; i < links->n_faults; i++)
        if (links->faults[i].id == id)
            return &links->faults[i];
    tfl_fail(err, TFL_E_NOT_FOUND, "link fault %lld is not in force (any more)", (long long)id);
    return NULL;
}

int tfl_links_counts(
    const struct tfl_links *links, int64_t id, struct tfl_relay_counts *counts, struct tfl_error *err)
{
    static const struct tfl_relay_counts none;
    const struct fault *fault = find(links, id, err);
    if (!fault)
        return -1;
    *counts = none;
    for (size_t i = 0; i < links->n_edges; i++) {
        bool counted = false;
        for (int way = 0; way < 2; way++) {
            if (!concerns(fault, &links->edges[i], way))
                continue;
            const struct tfl_relay_counts *base =
                2 * i < fault->n_base ? &fault->base[2 * i + (size_t)way] : &none;
            struct tfl_relay_counts now = tfl_relay_counts(links->edges[i].relay, way);
            counts->bytes += now.bytes - base->bytes;
            counts->delayed += now.delayed - base->delayed;
            counts->withheld += now.withheld - base->withheld;
            if (!counted) { /* of both ways the same */
                counts->connections += now.connections - base->connections;
                counts->refused += now.refused - base->refused;
            }
            counted = true;
        }
    }
    return 0;
}

int tfl_links_heal(
    struct tfl_links *links, int64_t id, struct tfl_relay_counts *counts, struct tfl_error *err)
{
    struct tfl_relay_counts last;
    for (size_t i = 0; i < links->n_inbounds; i++)
        tfl_inbound_drain(links->inbounds[i]->port); /* dialled while it was in force */
    if (tfl_links_counts(links, id, &last, err))
        return -1;
    if (counts)
        *counts = last;
    struct fault *fault = find(links, id, NULL), over = *fault;
    links->n_faults--;
    memmove(fault, fault + 1, (size_t)(links->faults + links->n_faults - fault) * sizeof *fault);
    for (size_t i = 0; i < links->n_edges; i++)
        if (concerns(&over, &links->edges[i], 0) || concerns(&over, &links->edges[i], 1))
            enforce(links, &links->edges[i]);
    fault_done(&over);
    return 0;
}

size_t tfl_links_n_edges(const struct tfl_links *links)
{
    return links->n_edges;
}

void tfl_links_view(const struct tfl_links *links, size_t i, struct tfl_links_edge_view *view)
{
    const struct edge *edge = &links->edges[i];
    *view = (struct tfl_links_edge_view){.from = edge->from,
        .to = edge->to,
        .target_host = edge->target_host,
        .listen = edge->listen,
        .target = edge->target,
        .open = tfl_relay_open(edge->relay)};
    for (int way = 0; way < 2; way++)
        view->counts[way] = tfl_relay_counts(edge->relay, way);
}

size_t tfl_links_n_inbounds(const struct tfl_links *links)
{
    return links->n_inbounds;
}

void tfl_links_inbound_view(const struct tfl_links *links, size_t i, struct tfl_links_inbound_view *view)
{
    const struct inbound *in = links->inbounds[i];
    *view = (struct tfl_links_inbound_view){.to = in->to,
        .listen = in->listen,
        .target = in->target,
        .unknown = in->unknown,
        .dropped = in->dropped,
        .waiting = tfl_inbound_waiting(in->port)};
    for (int way = 0; way < 2; way++)
        view->unshaped[way] = tfl_relay_counts(in->unshaped, way);
}
