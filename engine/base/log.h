#ifndef TFL_BASE_LOG_H
#define TFL_BASE_LOG_H

#include "base/error.h"

/* tfl's own log, to stderr. Filter: TFL_LOG (RUST_LOG when TFL_LOG is unset), "info" or "warn,feed=debug". The module
 * is the room of the source file. Default level: warn. */
enum tfl_log_level { TFL_LOG_ERROR, TFL_LOG_WARN, TFL_LOG_INFO, TFL_LOG_DEBUG, TFL_LOG_TRACE };

/* Reads a filter; NULL or "" is the default. Unknown levels are an error that names them. */
int tfl_log_configure(const char *filter, struct tfl_error *err);
/* How lines look: "text" (NULL or ""), or "json", an object a line {time, program, level, module, message}. Others are an error. */
int tfl_log_format(const char *format, struct tfl_error *err);
int tfl_log_enabled(enum tfl_log_level level, const char *module);
void tfl_log_write(enum tfl_log_level level, const char *module, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The program's name at the front of each line ("tfl" unless set); the string must live on. */
void tfl_log_program(const char *name);

/* From now on whole lines go to write(arg, …), which must not log, instead of stderr; NULL: to stderr again. */
void tfl_log_to(void (*write)(void *arg, const char *line, size_t n), void *arg);

#define TFL_LOG(level, module, ...)                                                                          \
    do {                                                                                                     \
        if (tfl_log_enabled(level, module))                                                                  \
            tfl_log_write(level, module, __VA_ARGS__);                                                       \
    } while (0)

#endif
