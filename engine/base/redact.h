#ifndef TFL_BASE_REDACT_H
#define TFL_BASE_REDACT_H

#include <stddef.h>

/* Puts one asterisk in place of user and password in every URL of a text ("me:secret" of http://me:secret@host), in place; also
 * where JSON has written its slashes as \/. All that tfl tells anybody goes through here: screen, log, record. Returns the new
 * length, never more than n; ends no string. */
size_t tfl_redact(char *text, size_t n);

#endif
