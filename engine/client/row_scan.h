#ifndef TFL_CLIENT_ROW_SCAN_H
#define TFL_CLIENT_ROW_SCAN_H

#include "chain/hash.h"

#include <stdbool.h>

/* Looks through a row of a block stream without building anything: which block is it, which tip and LIB does it tell.
 * For big rows of blocks that are known already. It follows nesting and strings, not the whole grammar; what it does
 * not find is for the real parser. */
struct tfl_row_scan {
    int depth;
    bool in_string, escape, expect_key, bad;
    uint64_t objects; /* bit d: depth d + 1 is an object, not a list */
    char key[3][16];  /* at depth 1 to 3 */
    char text[65];    /* the string being read */
    size_t len;
    struct tfl_hash id, tip, lib;
    bool has_id, has_tip, has_lib;
};

void tfl_row_scan_push(struct tfl_row_scan *scan, const char *data, size_t n); /* scan starts as zeros */
/* True when the row was balanced and told id, tip and lib. */
bool tfl_row_scan_ok(const struct tfl_row_scan *scan);

#endif
