/* What fake_node answers: the modes of FAKE_MODE and the lines of a script, see fake_node.c. */
#ifndef SPEC_FAKE_SCRIPT_H
#define SPEC_FAKE_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum kind { REPLY, STREAM, SILENT, DRIP, HUGE_BODY, HUGE_CHUNKED, GARBAGE, ENDLESS_HEADER, RESET };

struct row {
    int delay_ms;
    const char *text; /* NULL: the end of the stream */
};
struct rule {
    const char *path; /* "*": every other path */
    enum kind kind;
    int status, from_ms;
    unsigned hits;
    const char *body;
    size_t first_row, n_rows; /* of a stream: fake_row(first_row + i) */
};

/* All of these end the program with code 2 and a message when they cannot do their work. */
void fake_die(const char *what) __attribute__((noreturn));
char *fake_read(const char *path); /* a whole file, the caller's */
int64_t fake_now_ms(void);         /* since the program started */

/* Reads FAKE_MODE (destroys text). It may end the program or never return, as the modes say; *exit_at gets the fake_now_ms time
 * to end at. */
void fake_parse(char *text, int64_t *exit_at);
/* The answer to a request for path now, counted as given; NULL: the script has none. */
const struct rule *fake_rule_for(const char *path);
const struct row *fake_row(size_t i);

#endif
