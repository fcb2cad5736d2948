#ifndef TFL_NET_HTTP_ANSWER_H
#define TFL_NET_HTTP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

/* One HTTP/1.x answer in memory, read as a whole: for small answers that mostly come in one piece. Pure. */
struct tfl_http_answer {
    int status;
    const char *text; /* the body, or its first chunk; points into the data */
    size_t text_len;
    size_t used;     /* bytes of the answer */
    bool close;      /* the server ends the connection after it */
    const char *why; /* what is wrong, when something is */
};

/* 1: a complete answer (100 Continue and the like are skipped); 0: more bytes are needed; -1: this is not HTTP. closed: the
 * connection has ended, which also ends a body without a length. */
int tfl_http_answer_read(struct tfl_http_answer *answer, const char *data, size_t n, bool closed);

#endif
