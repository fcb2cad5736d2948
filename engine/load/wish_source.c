#include "load/wish_source.h"

#include <stdlib.h>

static const struct tfl_wish *wish_of(struct tfl_load_source *source, uint64_t i)
{
    const struct tfl_wish_source *s = TFL_CONTAINER(source, struct tfl_wish_source, source);
    return &s->wishes[i % s->n];
}

static int make(struct tfl_load_source *source, uint64_t i, struct tfl_buf *body, struct tfl_hash *hash,
    struct tfl_error *err)
{
    (void)hash, (void)err;
    tfl_buf_adds(body, wish_of(source, i)->body);
    return 0;
}

static size_t owner(struct tfl_load_source *source, uint64_t i)
{
    return wish_of(source, i)->target;
}

void tfl_wish_source_init(struct tfl_wish_source *s, size_t n)
{
    *s = (struct tfl_wish_source){.source = {.make = make, .owner = owner}, .n = n};
    s->wishes = tfl_alloc(n * sizeof *s->wishes);
}

void tfl_wish_source_done(struct tfl_wish_source *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(s->wishes[i].body);
    free(s->wishes);
    *s = (struct tfl_wish_source){.n = 0};
}
