#include "deploy/links.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct edge {
    char *from, *to;
    uint16_t listen, target;
    struct tfl_relay *relay;
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
    struct edge *edges;
    size_t n_edges;
    struct fault *faults; /* in force, in the order they came */
    size_t n_faults;
    int64_t last_id;
};

struct tfl_links *tfl_links_new(struct tfl_loop *loop, uint64_t seed)
{
    struct tfl_links *links = tfl_alloc(sizeof *links);
    links->loop = loop;
    links->seed = seed;
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

void tfl_links_free(struct tfl_links *links)
{
    if (!links)
        return;
    for (size_t i = 0; i < links->n_edges; i++) {
        tfl_relay_free(links->edges[i].relay);
        free(links->edges[i].from);
        free(links->edges[i].to);
    }
    for (size_t i = 0; i < links->n_faults; i++)
        fault_done(&links->faults[i]);
    free(links->edges);
    free(links->faults);
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

int tfl_links_edge(struct tfl_links *links, const char *from, const char *to, uint16_t listen,
    uint16_t target, struct tfl_error *err)
{
    char name[160];
    for (size_t i = 0; i < links->n_edges; i++) {
        const struct edge *edge = &links->edges[i];
        if (strcmp(edge->from, from) || strcmp(edge->to, to))
            continue;
        if (edge->listen == listen && edge->target == target)
            return 0;
        return tfl_fail(
            err, TFL_E_STATE, "the link from %s to %s is there already, on port %d", from, to, edge->listen);
    }
    snprintf(name, sizeof name, "link/%s/%s", from, to);
    struct tfl_relay_config config = {
        .loop = links->loop, .listen = listen, .target = target, .seed = links->seed, .name = name};
    struct tfl_relay *relay = tfl_relay_new(&config, err);
    if (!relay)
        return -1;
    links->edges = tfl_realloc(links->edges, (links->n_edges + 1) * sizeof *links->edges);
    links->edges[links->n_edges++] = (struct edge){
        .from = tfl_strdup(from), .to = tfl_strdup(to), .listen = listen, .target = target, .relay = relay};
    enforce(links, &links->edges[links->n_edges - 1]);
    return 0;
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
        .listen = edge->listen,
        .target = edge->target,
        .open = tfl_relay_open(edge->relay)};
    for (int way = 0; way < 2; way++)
        view->counts[way] = tfl_relay_counts(edge->relay, way);
}
