#include "chain/table.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

#define CAP_MIN 16

static uint64_t word(const void *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof w);
    return w;
}

static uint8_t *cell(const struct tfl_table *t, size_t i)
{
    return t->cells + i * t->cell_size;
}

static size_t home(const struct tfl_table *t, const void *key)
{
    return (size_t)word(key) & (t->cap - 1);
}

void tfl_table_init(struct tfl_table *t, size_t cell_size, size_t key_size)
{
    TFL_ASSERT(key_size >= 8 && key_size <= cell_size && cell_size % 8 == 0);
    *t = (struct tfl_table){.cell_size = (uint32_t)cell_size, .key_size = (uint32_t)key_size};
}

void tfl_table_done(struct tfl_table *t)
{
    free(t->cells);
    tfl_table_init(t, t->cell_size, t->key_size);
}

/* Where the key lies, or the free cell where it would. The table is never full. */
static size_t find(const struct tfl_table *t, const void *key)
{
    size_t i = home(t, key);
    while (word(cell(t, i)) && memcmp(cell(t, i), key, t->key_size) != 0)
        i = (i + 1) & (t->cap - 1);
    return i;
}

void *tfl_table_get(const struct tfl_table *t, const void *key)
{
    if (!t->cap)
        return NULL;
    uint8_t *found = cell(t, find(t, key));
    return word(found) ? found : NULL;
}

static void grow(struct tfl_table *t)
{
    struct tfl_table old = *t;
    t->cap = old.cap ? 2 * old.cap : CAP_MIN;
    t->cells = tfl_alloc(t->cap * t->cell_size);
    for (size_t i = 0; i < old.cap; i++) {
        if (word(cell(&old, i)))
            memcpy(cell(t, find(t, cell(&old, i))), cell(&old, i), t->cell_size);
    }
    free(old.cells);
}

void tfl_table_put(struct tfl_table *t, const void *added)
{
    TFL_ASSERT(word(added));
    if (3 * (t->n + 1) > 2 * t->cap)
        grow(t);
    uint8_t *to = cell(t, find(t, added));
    TFL_ASSERT(!word(to));
    memcpy(to, added, t->cell_size);
    t->n++;
}

bool tfl_table_remove(struct tfl_table *t, const void *key)
{
    if (!t->cap)
        return false;
    size_t hole = find(t, key), mask = t->cap - 1;
    if (!word(cell(t, hole)))
        return false;
    /* cells after the hole move into it unless that would put them before their home */
    for (size_t i = (hole + 1) & mask; word(cell(t, i)); i = (i + 1) & mask) {
        if (((i - home(t, cell(t, i))) & mask) >= ((i - hole) & mask)) {
            memcpy(cell(t, hole), cell(t, i), t->cell_size);
            hole = i;
        }
    }
    memset(cell(t, hole), 0, t->cell_size);
    t->n--;
    return true;
}

const void *tfl_table_next(const struct tfl_table *t, size_t *at)
{
    while (*at < t->cap) {
        const uint8_t *c = cell(t, (*at)++);
        if (word(c))
            return c;
    }
    return NULL;
}
