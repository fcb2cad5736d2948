#ifndef SPEC_DEPLOY_LINKS_WORLD_H
#define SPEC_DEPLOY_LINKS_WORLD_H

#include "../net/relay_world.h"

#include "deploy/links.h"

/* A table of links in front of the world's listener, which is node-0; `port` is where it is dialled. */
struct cluster {
    struct relay_world *w;
    struct tfl_links *links;
    uint16_t port;
};

static inline struct cluster *cluster_new(void)
{
    struct cluster *c = calloc(1, sizeof *c);
    c->w = relay_world();
    c->links = tfl_links_new(c->w->loop, 3, NULL);
    c->port = free_port();
    return c;
}

static inline int teardown(void **state)
{
    struct cluster *c = *state;
    tfl_links_free(c->links);
    relay_world_end(c->w);
    free(c);
    return 0;
}

#endif
