#ifndef TFL_DEPLOY_READY_H
#define TFL_DEPLOY_READY_H

#include "client/client.h"

/* Waiting until all of some nodes are ready, all at once: HTTP 200 on the readiness path (understood, where it is the
 * dialect's info), then as many peers as wanted. Asked every 5 ms at first, then less often, down to every 100 ms. */
struct tfl_ready_node {
    struct tfl_client *client; /* a reference is taken */
    const char *path;          /* NULL: the dialect's info; copied */
    int peers;                 /* 0: their number does not matter */
};

struct tfl_ready_config {
    const struct tfl_ready_node *nodes;
    size_t n;
    const struct tfl_error *refused; /* not NULL: the op fails with this, nobody is asked */
    int64_t within_ms;               /* for all together, whatever any node does */
    /* Can this node never be ready any more (it ended)? Then true and err. May be NULL. */
    bool (*gone)(void *arg, const char *name, struct tfl_error *err);
    /* Appends the end of the node's log. May be NULL. */
    void (*tail)(void *arg, const char *name, struct tfl_buf *b);
    /* The node is ready. May be NULL. */
    void (*ready)(void *arg, const char *name, double seconds, int peers);
    /* Called when the op is freed: arg is no longer used. May be NULL. */
    void (*release)(void *arg);
    void *arg;
};

/* The op fails with TFL_E_NOT_READY, err.node the first node that is not, saying what was seen last and how its log ends;
 * or with what `gone` says, at once. */
struct tfl_op *tfl_wait_ready(struct tfl_loop *loop, const struct tfl_ready_config *config);

#endif
