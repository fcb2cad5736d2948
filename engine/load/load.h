#ifndef TFL_LOAD_LOAD_H
#define TFL_LOAD_LOAD_H

#include "load/follow.h"
#include "load/generator.h"
#include "load/report.h"

/* A load as a whole: generator, tracker and the feed that tells what became of the transactions. */
struct tfl_load {
    struct tfl_tracker *tracker;
    struct tfl_generator *generator;
    struct tfl_follow follow; /* not started without a feed */
    struct tfl_load_source *source;
    struct tfl_loop *loop;
    int64_t begin_ns;
    bool started;
    void (*changed)(void *arg); /* whenever something may have come to its end; only marks things ready */
    void *arg;
};

/* params without tracker, changed and arg, which the load fills; feed may be NULL. NULL and err as the generator's. */
struct tfl_load *tfl_load_new(struct tfl_loop *loop, const struct tfl_generator_params *params,
    struct tfl_feed *feed, void (*changed)(void *arg), void *arg, struct tfl_error *err);
void tfl_load_free(struct tfl_load *load); /* NULL-safe; the source must still be there */
void tfl_load_start(struct tfl_load *load, int64_t begin_ns);
int64_t tfl_load_now(const struct tfl_load *load); /* nanoseconds since it began; 0 before */

/* How far it is. Each implies the one before; nothing gets there that was rejected or not answered. */
enum tfl_load_stage {
    TFL_LOAD_SENT,     /* all that was planned has its last answer */
    TFL_LOAD_INCLUDED, /* and all that was accepted is on the canonical chain: never when one is lost */
    TFL_LOAD_FINAL     /* and final there */
};
bool tfl_load_reached(const struct tfl_load *load, enum tfl_load_stage stage);

#endif
