#ifndef TFL_BASE_BYTES_H
#define TFL_BASE_BYTES_H

#include <stddef.h>
#include <stdint.h>

/* Counted, unchanging bytes: one copy of a message in the queues of many peers. One thread only. */
struct tfl_bytes {
    size_t refs, len;
    uint8_t data[]; /* len bytes and a NUL that len does not count */
};

/* A copy of n bytes with one reference, the caller's. */
struct tfl_bytes *tfl_bytes_new(const void *data, size_t n);
struct tfl_bytes *tfl_bytes_ref(struct tfl_bytes *b); /* one reference more; returns b */
void tfl_bytes_unref(struct tfl_bytes *b);            /* one less, frees at none; NULL-safe */

#endif
