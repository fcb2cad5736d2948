#include "load/load.h"

#include <stdlib.h>

static void tell(void *arg)
{
    struct tfl_load *load = arg;
    if (load->changed)
        load->changed(load->arg);
}

static void named(void *arg, uint64_t i, const struct tfl_hash *hash)
{
    struct tfl_load *load = arg;
    if (load->follow.feed)
        tfl_follow_named(&load->follow, i, hash);
    else
        tfl_tracker_named(load->tracker, i, hash);
}

static void followed(struct tfl_follow *follow)
{
    tell(follow->owner);
}

static void became_final(void *arg, uint64_t i)
{
    struct tfl_load *load = arg;
    if (load->source->settled)
        load->source->settled(load->source, i, &tfl_tracker_at(load->tracker, i)->hash);
}

struct tfl_load *tfl_load_new(struct tfl_loop *loop, const struct tfl_generator_params *params,
    struct tfl_feed *feed, void (*changed)(void *arg), void *arg, struct tfl_error *err)
{
    struct tfl_load *load = tfl_alloc(sizeof *load);
    struct tfl_generator_params p = *params;
    load->loop = loop;
    load->source = params->source;
    load->changed = changed;
    load->arg = arg;
    p.tracker = load->tracker = tfl_tracker_new();
    p.changed = tell;
    p.named = named;
    p.arg = load;
    load->generator = tfl_generator_new(loop, &p, err);
    if (!load->generator) {
        tfl_load_free(load);
        return NULL;
    }
    load->follow.feed = feed ? tfl_feed_ref(feed) : NULL;
    tfl_tracker_on_final(load->tracker, became_final, load);
    return load;
}

void tfl_load_free(struct tfl_load *load)
{
    if (!load)
        return;
    load->changed = NULL;
    tfl_generator_free(load->generator);
    tfl_follow_stop(&load->follow);
    tfl_tracker_free(load->tracker);
    free(load);
}

void tfl_load_start(struct tfl_load *load, int64_t begin_ns)
{
    struct tfl_feed *feed = load->follow.feed;
    load->started = true;
    load->begin_ns = begin_ns;
    if (feed) {
        load->follow.changed = followed;
        load->follow.owner = load;
        tfl_follow_start(&load->follow, load->loop, feed, load->tracker, begin_ns);
        tfl_feed_unref(feed); /* the follow holds it now */
    }
    tfl_generator_start(load->generator, begin_ns);
}

int64_t tfl_load_now(const struct tfl_load *load)
{
    int64_t now = load->started ? tfl_now(load->loop) - load->begin_ns : 0;
    return now > 0 ? now : 0;
}

bool tfl_load_reached(const struct tfl_load *load, enum tfl_load_stage stage)
{
    const struct tfl_tracker_counts *c = tfl_tracker_counts(load->tracker);
    if (!tfl_generator_over(load->generator))
        return false;
    return stage == TFL_LOAD_SENT || (stage == TFL_LOAD_INCLUDED ? c->open == 0 : c->open_final == 0);
}
