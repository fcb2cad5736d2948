#ifndef TFL_BASE_BUF_H
#define TFL_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A growable run of bytes; always followed by a NUL that len does not count. Zero-initialised is empty and valid. */
struct tfl_buf {
    char *data; /* owned; NULL while nothing was ever added */
    size_t len, cap;
};

void tfl_buf_done(struct tfl_buf *b); /* frees; NULL-safe; b is empty and usable again */
void tfl_buf_clear(struct tfl_buf *b);
void tfl_buf_reserve(struct tfl_buf *b, size_t more); /* room for `more` bytes and the NUL */
void tfl_buf_add(struct tfl_buf *b, const void *data, size_t n);
void tfl_buf_adds(struct tfl_buf *b, const char *s);
void tfl_buf_addf(struct tfl_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void tfl_buf_eat(struct tfl_buf *b, size_t n); /* drops n bytes from the front */

#define TFL_BUF __attribute__((cleanup(tfl_buf_done))) struct tfl_buf

/* Lowercase hex. tfl_hex writes 2n characters and a NUL into out, and returns out. */
char *tfl_hex(char *out, const uint8_t *bytes, size_t n);
/* Exactly 2n hex digits of either case, nothing before or after: true and n bytes in out, else false. */
bool tfl_unhex(uint8_t *out, size_t n, const char *hex, size_t len);

/* Little-endian integers in byte strings. */
static inline void tfl_put_le(uint8_t *p, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}
static inline uint64_t tfl_get_le(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}
void tfl_buf_add_le(struct tfl_buf *b, uint64_t v, size_t n);

/* Reads a byte string from the front; every read is checked, after the first short one all fail and give zeros. */
struct tfl_reader {
    const uint8_t *p;
    size_t left;
    bool failed;
};
uint64_t tfl_read_le(struct tfl_reader *r, size_t n);
const uint8_t *tfl_read_bytes(struct tfl_reader *r, size_t n); /* NULL when fewer are left */
void tfl_read_into(struct tfl_reader *r, uint8_t *out, size_t n);

#endif
