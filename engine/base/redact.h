#ifndef TFL_BASE_REDACT_H
#define TFL_BASE_REDACT_H

#include <stddef.h>

/* Puts one asterisk in place of each secret of a text, in place: user and password of a URL ("me:secret" of http://me:secret@host),
 * what stands after the name of a secret ("password=…", "api_key: …", "token":"…", "authorization: Basic …") and after "Bearer ".
 * Also where JSON has written slashes and quotes with a backslash; JSON stays JSON. All that tfl tells anybody goes through here:
 * screen, log, record, reports. Returns the new length, never more than n; ends no string. */
size_t tfl_redact(char *text, size_t n);

#endif
