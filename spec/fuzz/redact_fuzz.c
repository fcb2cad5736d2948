// room: base
#include "base/redact.h"

#include "base/error.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any bytes: they never grow, nothing is read beyond them, and what is left has nothing more to take out. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size ? size : 1);
    TFL_ASSERT(text);
    if (size)
        memcpy(text, data, size);
    size_t n = tfl_redact(text, size);
    TFL_ASSERT(n <= size);
    TFL_ASSERT(tfl_redact(text, n) == n);
    free(text);
    return 0;
}
