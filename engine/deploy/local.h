#ifndef TFL_DEPLOY_LOCAL_H
#define TFL_DEPLOY_LOCAL_H

#include "base/event_sink.h"
#include "deploy/node_spec.h"
#include "net/http_client.h"
#include "proc/ledger.h"

/* The deployer whose nodes are processes of this host. Every verb is an op; the verbs on one node are carried out one after
 * the other in the order they were asked for. Each node is a process group with TFL_RUN_ID and TFL_NODE in its environment.
 * Counted: ops hold it, so it may be freed while some are pending. */
struct tfl_local;

struct tfl_local_config {
    struct tfl_loop *loop;
    struct tfl_http *http; /* for readiness; NULL: wait_ready is TFL_E_UNSUPPORTED for nodes with a url */
    const char *run_id;
    struct tfl_ledger **ledger;   /* where the ledger of the run stands (NULL when over), or NULL */
    struct tfl_event_sink **sink; /* where the sink of the moment stands, or NULL */
    size_t log_segment_bytes;     /* 0: 32 MiB */
};

struct tfl_local *tfl_local_new(const struct tfl_local_config *config);
/* Kills what still runs and lets go of the ports. NULL-safe. */
void tfl_local_free(struct tfl_local *local);

/* Reserves n ports of this host for the nodes to come (deploy/ports.h). */
int tfl_local_reserve(struct tfl_local *local, size_t n, uint16_t *ports, struct tfl_error *err);
/* Lets go of a reserved port, for somebody of this program to listen on it; nobody else of this room gets it. */
void tfl_local_unbind(struct tfl_local *local, uint16_t port);
/* Makes a node known, or gives one that does not run a new spec. Takes over the members of spec (zeroed), also on error. */
int tfl_local_add(struct tfl_local *local, struct tfl_node_spec *spec, struct tfl_error *err);

/* Writes the node's files now, for somebody to look at them before it starts. TFL_E_USAGE: no such node; TFL_E_IO. */
int tfl_local_write(const struct tfl_local *local, const char *name, struct tfl_error *err);

enum tfl_node_state {
    TFL_NODE_UNKNOWN,  /* no such node */
    TFL_NODE_ADDED,    /* never started */
    TFL_NODE_RUNNING,  /* not more: see wait_ready */
    TFL_NODE_PAUSED,   /* by SIGSTOP */
    TFL_NODE_STOPPING, /* asked to end */
    TFL_NODE_STOPPED,  /* ended because asked */
    TFL_NODE_EXITED    /* ended by itself */
};
enum tfl_node_state tfl_local_state(const struct tfl_local *local, const char *name);
const char *tfl_node_state_name(enum tfl_node_state state);
/* The pid while it runs, 0 otherwise. */
pid_t tfl_local_pid(const struct tfl_local *local, const char *name);
/* Appends at most max bytes of the end of its log. TFL_E_USAGE: no such node. */
int tfl_local_logs(
    const struct tfl_local *local, const char *name, struct tfl_buf *b, size_t max, struct tfl_error *err);

enum tfl_verb { TFL_START, TFL_STOP, TFL_KILL, TFL_RESTART, TFL_PAUSE, TFL_RESUME };
/* start: done when the program runs (TFL_E_SPAWN: it cannot), 4 a turn. stop: the spec's signal (or signum, if not 0), SIGKILL
 * after timeout_ms (0: 10 s), done when the whole group is gone. kill: SIGKILL at once. restart: stop if it runs, then start.
 * pause, resume: SIGSTOP, SIGCONT. A node in the wrong state is TFL_E_STATE naming node, state and verb; an unknown one is
 * TFL_E_USAGE. An op that is cancelled does not call off a verb that has begun. */
struct tfl_op *tfl_local_verb(
    struct tfl_local *local, const char *name, enum tfl_verb verb, int signum, int timeout_ms);

/* Nodes that somebody else starts and stops (a deployer of the user's): this room keeps their state, tells of their exits and
 * waits for their readiness. All raise TFL_E_USAGE for an unknown name, TFL_E_STATE when the node's state does not allow it. */
/* Before the start: writes the node's files, lets go of its ports. */
int tfl_local_lay_out(struct tfl_local *local, const char *name, struct tfl_error *err);
/* It runs. pid: the process of this host that it is, which then goes into the ledger (TFL_E_NOT_FOUND: there is none); 0: unknown. */
int tfl_local_adopt(struct tfl_local *local, const char *name, pid_t pid, struct tfl_error *err);
/* Its state as its starter knows it: PAUSED, RUNNING again, STOPPING; of an adopted one also STOPPED after that, and EXITED,
 * with a status as of waitpid(2), or TFL_LOCAL_GONE when nobody can know. */
enum { TFL_LOCAL_GONE = 0x7f };
int tfl_local_mark(
    struct tfl_local *local, const char *name, enum tfl_node_state state, int status, struct tfl_error *err);
/* Is the process of an adopted node there? False for a node without a pid. */
bool tfl_local_here(const struct tfl_local *local, const char *name);
/* A signal to that process, and its group if it leads one. TFL_E_UNSUPPORTED: it has no pid. */
int tfl_local_signal(struct tfl_local *local, const char *name, int signum, struct tfl_error *err);

/* Waits until all the nodes are ready (deploy/ready.h), peers[i] peers each (−1: as its spec says), within_ms for all together.
 * A node that ends, or does not run, fails it at once with TFL_E_EXITED. Nodes without a url are ready when they run. */
struct tfl_op *tfl_local_wait_ready(
    struct tfl_local *local, const char *const *names, const int *peers, size_t n, int64_t within_ms);

/* The next end of a node that nobody was told of yet, asked for or not; one op at a time (TFL_E_STATE). */
struct tfl_next_exit {
    struct tfl_op op;
    bool none; /* the deployer was cleaned up: there will be no more */
    char node[64], status[64];
    int code, signum;   /* −1 and 0 unless it ended so */
    bool asked, forced; /* stopped by a verb? by SIGKILL, as the gentle signal did not do? */
    char *log_tail;     /* owned by the op; never NULL when the op succeeded and not none */
    struct tfl_local *local;
};
struct tfl_next_exit *tfl_local_next_exit(struct tfl_local *local);

/* Ends everything, all nodes at once: their signals, SIGKILL after timeout_ms (0: 3 s); lets go of the ports. Verbs that wait
 * are cancelled, new ones are TFL_E_STATE. Fails naming the nodes that could not be ended. May be called again. */
struct tfl_op *tfl_local_cleanup(struct tfl_local *local, int timeout_ms);

#endif
