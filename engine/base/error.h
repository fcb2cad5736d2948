#ifndef TFL_BASE_ERROR_H
#define TFL_BASE_ERROR_H

#include <stdarg.h>
#include <stddef.h>

/* What a code means for the verdict of a run (JUDGING: fail > infra > inconclusive > pass). */
enum tfl_class { TFL_USAGE, TFL_INFRA, TFL_FAILURE, TFL_INCONCLUSIVE };

/* Every error code: identifier, the stable string scripts and summaries see, verdict class. */
#define TFL_CODES(X)                                                                                         \
    X(USAGE, "usage", TFL_USAGE)             /* wrong argument, flag, environment or script */               \
    X(BAD_CONFIG, "bad_config", TFL_USAGE)   /* a file or plan that cannot be used */                        \
    X(SCRIPT, "script_error", TFL_USAGE)     /* an error raised by the user's Lua */                         \
    X(HOG, "script_hog", TFL_USAGE)          /* a script that does not give the loop back */                 \
    X(UNSUPPORTED, "unsupported", TFL_USAGE) /* this backend, kind or clock cannot do it */                  \
    X(STATE, "wrong_state", TFL_USAGE)       /* a verb on a thing that is not in the state for it */         \
    X(IO, "io", TFL_INFRA)                   /* file, folder or disk */                                      \
    X(NO_SPACE, "disk_full", TFL_INFRA)      /* ENOSPC, EDQUOT */                                            \
    X(NO_PORTS, "no_ports", TFL_INFRA)       /* every port block is taken */                                 \
    X(SPAWN, "spawn", TFL_INFRA)             /* a program that cannot be started */                          \
    X(EXITED, "exited", TFL_INFRA)           /* a process ended that should not have */                      \
    X(NOT_READY, "not_ready", TFL_INFRA)     /* a deadline passed before a node was ready */                 \
    X(CONNECT, "connect", TFL_INFRA)         /* refused, unreachable, reset */                               \
    X(TIMEOUT, "timeout", TFL_INFRA)         /* no complete answer in time */                                \
    X(TOO_LARGE, "too_large", TFL_INFRA)     /* a body, header, line or queue over its bound */              \
    X(HTTP_STATUS, "http_status", TFL_INFRA) /* an answer whose status is not the one expected */            \
    X(BAD_REPLY, "bad_reply", TFL_INFRA)     /* an answer that is not what the dialect says */               \
    X(REJECTED, "rejected", TFL_FAILURE)     /* a transaction that a node refuses */                         \
    X(NOT_FOUND, "not_found", TFL_INFRA)     /* no such block, file, node */                                 \
    X(INVALID, "invalid", TFL_INFRA)         /* bytes that break a rule of the chain */                      \
    X(CANCELLED, "cancelled", TFL_INFRA)     /* given up by whoever asked */                                 \
    X(INTERNAL, "internal", TFL_INFRA)       /* a defect of tfl */

enum tfl_code {
    TFL_OK = 0,
#define X(id, string, class) TFL_E_##id,
    TFL_CODES(X)
#undef X
};

/* An error: filled by the function that fails, wrapped with context on the way up; plain data, copy freely. */
struct tfl_error {
    enum tfl_code code;
    char node[64];  /* the node it is about, or "" */
    char msg[1024]; /* names the thing, what was expected and seen, and what to do */
};

const char *tfl_code_string(enum tfl_code code);
enum tfl_class tfl_code_class(enum tfl_code code);

/* Fills err (when not NULL) and returns -1, so that `return tfl_fail(err, …)` is the way out of a function. */
int tfl_fail(struct tfl_error *err, enum tfl_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with ": " and strerror(errnum) at the end; ENOSPC and EDQUOT turn code into TFL_E_NO_SPACE. */
int tfl_fail_errno(struct tfl_error *err, enum tfl_code code, int errnum, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Puts "context: " before the message of an error that is already there; returns -1. */
int tfl_wrap(struct tfl_error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A broken promise of tfl's own code: prints where, and aborts (in every build). */
#define TFL_ASSERT(cond)                                                                                     \
    do {                                                                                                     \
        if (!(cond))                                                                                         \
            tfl_assert_failed(#cond, __FILE__, __LINE__);                                                    \
    } while (0)
void tfl_assert_failed(const char *cond, const char *file, int line) __attribute__((noreturn));

/* malloc and friends that abort when memory is out (DESIGN §3). Free with free(). */
void *tfl_alloc(size_t size); /* zeroed */
void *tfl_realloc(void *p, size_t size);
char *tfl_strdup(const char *s);
char *tfl_strndup(const char *s, size_t n);
char *tfl_sprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Cleanup attributes for engine/: `TFL_FREE char *s = …;` frees at the end of the scope. */
void tfl_free_p(void *pp);
void tfl_close_p(int *fd);
#define TFL_FREE __attribute__((cleanup(tfl_free_p)))
#define TFL_CLOSE __attribute__((cleanup(tfl_close_p)))

#define TFL_LEN(array) (sizeof(array) / sizeof((array)[0]))
#define TFL_CONTAINER(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#endif
