#ifndef TFL_LOAD_WISH_SOURCE_H
#define TFL_LOAD_WISH_SOURCE_H

#include "load/generator.h"

/* Transfers that nodes make of wishes: intent i is wish i modulo their number, and each wish has one node that can. */
struct tfl_wish {
    char *body; /* owned */
    size_t target;
};
struct tfl_wish_source {
    struct tfl_load_source source;
    struct tfl_wish *wishes; /* owned */
    size_t n;
};

/* n wishes, without bodies yet. */
void tfl_wish_source_init(struct tfl_wish_source *source, size_t n);
void tfl_wish_source_done(struct tfl_wish_source *source); /* also on zeros */

#endif
