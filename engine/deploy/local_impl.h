#ifndef TFL_DEPLOY_LOCAL_IMPL_H
#define TFL_DEPLOY_LOCAL_IMPL_H

/* Shared by local.c (the deployer and its nodes), local_verbs.c (the queues of verbs), local_waits.c (readiness, exits,
 * clean-up) and local_adopt.c (nodes that somebody else started); nobody else includes it. */
#include "deploy/local.h"
#include "deploy/ports.h"
#include "proc/process.h"

#include <uthash.h>

enum { TFL_LOCAL_TAIL = 600, TFL_LOCAL_EXITS_MAX = 4096, TFL_LOCAL_QUEUE_MAX = 64 };

/* A verb in the queue of a node. It is the node's; its op belongs to whoever asked, and may go before it. */
struct verb {
    struct node *node;
    enum tfl_verb what;
    int signum, timeout_ms;
    bool begun;
    struct verb_op *op;  /* NULL: given up */
    struct tfl_op *stop; /* of the process, while it goes on */
    struct verb *prev, *next;
};

struct verb_op {
    struct tfl_op op;
    struct tfl_local *local;
    struct verb *verb; /* NULL: over */
};

struct node {
    struct tfl_local *local;
    struct tfl_node_spec spec;
    enum tfl_node_state state;
    struct tfl_process *process;        /* NULL unless it runs */
    bool adopted;                       /* it runs, and somebody else started it */
    bool to_kill;                       /* its stop is a SIGKILL, as asked for */
    pid_t pid;                          /* of an adopted one; 0: not a process of this host */
    uint64_t start_time;                /* of pid */
    int64_t ledger_id;                  /* 0: none */
    char status[TFL_STATUS_TEXT];       /* how it ended last, "" */
    char *tail;                         /* the end of its output when it ended, or NULL */
    struct verb *verbs;                 /* the first is the one at work */
    struct node *turn_prev, *turn_next; /* in local->turn: its first verb is to begin */
    bool in_turn;
    UT_hash_handle hh;
};

struct exit_seen {
    char node[64], status[64];
    int code, signum;
    bool asked, forced;
    char *log_tail;
    struct exit_seen *prev, *next;
};

struct tfl_local {
    struct tfl_local_config config;
    char *run_id;
    int refs;
    bool closing; /* cleaned up, or being so */
    bool freed;   /* only ops still hold it */
    struct tfl_ports *ports;
    struct node *nodes; /* by name, in the order they were added */
    struct node *turn;
    struct tfl_defer pump;
    struct exit_seen *exits;
    size_t n_exits;
    struct tfl_next_exit *exit_waiter;
};

struct node *tfl_local_find(const struct tfl_local *local, const char *name);
struct tfl_local *tfl_local_ref(struct tfl_local *local);
void tfl_local_unref(struct tfl_local *local);
void tfl_local_emit(
    struct tfl_local *local, const char *type, const struct node *node, struct json_object *fields);

/* Starts the process of a node. err.node is set. */
int tfl_local_spawn(struct node *node, struct tfl_error *err);
static inline bool tfl_local_runs(const struct node *node)
{
    return node->process || node->adopted;
}
/* A node runs now: into the ledger (pid not 0) and the record. */
void tfl_local_begun(struct node *node, pid_t pid, uint64_t start_time, double seconds);
/* It does not any more: out of the ledger, into the record, to who waits. status as of waitpid(2), TFL_LOCAL_GONE when nobody can
 * know; forced: a gentle stop came to a SIGKILL. */
void tfl_local_over(struct node *node, pid_t pid, int status, bool forced, const char *tail);
/* Fails err with "NAME: …" and err->node. */
int tfl_local_wrong_state(const struct node *node, const char *verb, struct tfl_error *err);
/* Drops the verbs that have not begun, and forgets the one at work. */
void tfl_local_drop_verbs(struct node *node);
/* Tells whoever waits for exits. Takes log_tail. */
void tfl_local_tell_exit(
    struct tfl_local *local, const struct node *node, int status, bool asked, bool forced, char *log_tail);
/* No more exits will come: tells the waiter. */
void tfl_local_end_exits(struct tfl_local *local);

#endif
