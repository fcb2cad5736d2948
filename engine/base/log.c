#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { MAX_RULES = 16 };

static const char *const level_names[] = {"error", "warn", "info", "debug", "trace"};
static struct {
    const char *program;
    enum tfl_log_level level;
    int n_rules;
    struct {
        char module[24];
        enum tfl_log_level level;
    } rules[MAX_RULES];
} config = {.program = "tfl", .level = TFL_LOG_WARN};

static int level_of(const char *s, size_t n)
{
    for (size_t i = 0; i < TFL_LEN(level_names); i++)
        if (strlen(level_names[i]) == n && !strncasecmp(level_names[i], s, n))
            return (int)i;
    if (n == 3 && !strncasecmp(s, "off", 3))
        return TFL_LOG_ERROR;
    return -1;
}

int tfl_log_configure(const char *filter, struct tfl_error *err)
{
    config.level = TFL_LOG_WARN;
    config.n_rules = 0;
    for (const char *p = filter; p && *p;) {
        size_t n = strcspn(p, ","), key = strcspn(p, "=,");
        const char *value = key < n ? p + key + 1 : p;
        int level = level_of(value, n - (size_t)(value - p));
        if (level < 0)
            return tfl_fail(err, TFL_E_USAGE,
                "log filter \"%s\": \"%.*s\" is no level; say error, warn, info, debug or trace, alone or as "
                "MODULE=LEVEL, separated by commas",
                filter, (int)(n - (size_t)(value - p)), value);
        if (value == p)
            config.level = (enum tfl_log_level)level;
        else if (config.n_rules < MAX_RULES && key < sizeof config.rules[0].module) {
            memcpy(config.rules[config.n_rules].module, p, key);
            config.rules[config.n_rules].module[key] = '\0';
            config.rules[config.n_rules++].level = (enum tfl_log_level)level;
        }
        p += n + (p[n] == ',');
    }
    return 0;
}

int tfl_log_enabled(enum tfl_log_level level, const char *module)
{
    for (int i = config.n_rules - 1; i >= 0; i--)
        if (!strcmp(config.rules[i].module, module))
            return level <= config.rules[i].level;
    return level <= config.level;
}

void tfl_log_program(const char *name)
{
    config.program = name;
}

void tfl_log_write(enum tfl_log_level level, const char *module, const char *fmt, ...)
{
    char text[2048];
    struct timespec ts;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &ts);
    gmtime_r(&ts.tv_sec, &tm);
    int n = snprintf(text, sizeof text, "%02d:%02d:%02d.%03ld %s %-5s %s: ", tm.tm_hour, tm.tm_min, tm.tm_sec,
        ts.tv_nsec / 1000000, config.program, level_names[level], module);
    va_list ap;
    va_start(ap, fmt);
    int m = vsnprintf(text + n, sizeof text - (size_t)n - 1, fmt, ap);
    va_end(ap);
    size_t len = (size_t)n + (m < 0 ? 0 : (size_t)m);
    if (len > sizeof text - 2)
        len = sizeof text - 2;
    text[len++] = '\n';
    if (write(STDERR_FILENO, text, len) < 0)
        return; /* a closed or full stderr must not end a run */
}
