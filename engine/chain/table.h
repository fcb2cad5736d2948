#ifndef TFL_CHAIN_TABLE_H
#define TFL_CHAIN_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A hash table of plain cells that begin with their key: open addressing, no memory of their own, at most two thirds full.
 * Keys are hashes already (at least 8 bytes; the first 8 say where a cell lies and are never all zeros). */
struct tfl_table {
    uint8_t *cells;               /* owned; cap of cell_size bytes; first 8 bytes zeros: free */
    size_t n, cap;                /* cap is 0 or a power of two */
    uint32_t cell_size, key_size; /* cell_size is a multiple of 8 */
};

void tfl_table_init(struct tfl_table *t, size_t cell_size, size_t key_size);
void tfl_table_done(struct tfl_table *t);
/* The cell with this key, or NULL; good until the next put or remove. */
void *tfl_table_get(const struct tfl_table *t, const void *key);
/* Adds a copy of cell, whose key must not be there. */
void tfl_table_put(struct tfl_table *t, const void *cell);
/* Removes the cell with this key; false when there is none. */
bool tfl_table_remove(struct tfl_table *t, const void *key);
/* The next cell from position *at (start with 0), or NULL at the end; for loops that do not change the table. */
const void *tfl_table_next(const struct tfl_table *t, size_t *at);

#endif
