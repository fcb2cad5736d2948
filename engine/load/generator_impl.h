#ifndef TFL_LOAD_GENERATOR_IMPL_H
#define TFL_LOAD_GENERATOR_IMPL_H

/* Shared by generator.c (arrivals), lanes.c (connections, tries) and recover.c; nobody else includes it. */
#include "load/generator.h"

#include "net/http_post.h"

/* A transaction that is made. */
struct tfl_load_ticket {
    struct tfl_load_ticket *next;
    uint64_t i;
    struct tfl_hash hash;
    struct tfl_buf body;
    bool failed; /* it could not be made; err says why */
    struct tfl_error err;
    size_t target;
    int tries, round; /* round: tries since the last wait */
    bool doubtful;    /* a node may have it that has not said so */
    bool gone;        /* made ahead, and built on what is gone since: to be made again */
    struct tfl_timer again;
    struct tfl_generator *g;
};

/* A connection to a node, with the job it carries. Idle ones are in the list of their target. */
struct lane {
    struct lane *prev, *next;
    struct tfl_http_post post;
    struct tfl_load_ticket *job;
    size_t target;
};

struct target {
    struct tfl_client *client; /* held */
    char *url;
    struct lane *idle;
};

struct tfl_generator {
    struct tfl_loop *loop;
    struct tfl_generator_params p;
    struct tfl_pacer pacer;
    struct target *targets;
    struct lane *busy;
    size_t n_lanes, n_open, most_open;        /* open: jobs under way or waiting for another try */
    struct tfl_load_ticket *made, **made_end; /* in order, from index next_send on */
    struct tfl_load_ticket *spare, *waiting;  /* waiting: for another try, or the wire's answer */
    uint64_t next_make, next_send, due, last; /* last: no arrivals from here on */
    struct tfl_rng rng;
    size_t turn;
    int64_t begin_ns;
    bool started, stopped;
    struct tfl_timer arrival, look;
    struct tfl_defer more;
    uint64_t late, held, held_until, made_n;
    int64_t make_ns;
    struct tfl_histogram lag;
    uint64_t low;      /* recover: all records below are settled */
    int64_t newest_ns; /* when the newest transaction that is on the chain was accepted */
};

/* lanes.c */
int lanes_init(struct tfl_generator *g, struct tfl_error *err);
void lanes_done(struct tfl_generator *g);
/* Sends the job for the first time, or again; it is the lanes' from now until job_over. */
void lanes_send(struct tfl_generator *g, struct tfl_load_ticket *job);
/* Every job under way or waiting is over, unanswered. */
void lanes_abort(struct tfl_generator *g);

/* generator.c */
void generator_job_over(struct tfl_generator *g, struct tfl_load_ticket *job);
void generator_pump_later(struct tfl_generator *g);
static inline int64_t generator_now(const struct tfl_generator *g)
{
    return tfl_now(g->loop) - g->begin_ns;
}

/* recover.c */
void recover_look(struct tfl_generator *g);
/* Transaction i will not be on the chain: its wallet may spend its inputs again. */
void recover_drop(struct tfl_generator *g, uint64_t i, const struct tfl_hash *hash);

#endif
