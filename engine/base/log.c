#include "base/log.h"

#include "base/buf.h"
#include "base/redact.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { MAX_RULES = 16, MAX_MESSAGE = 2048 };

static const char *const level_names[] = {"error", "warn", "info", "debug", "trace"};
static struct {
    void (*write)(void *arg, const char *line, size_t n); /* NULL: to stderr */
    void *arg;
    const char *program;
    enum tfl_log_level level;
    bool json;
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

void tfl_log_to(void (*write_line)(void *arg, const char *line, size_t n), void *arg)
{
    config.write = write_line;
    config.arg = arg;
}

int tfl_log_format(const char *format, struct tfl_error *err)
{
    bool json = format && !strcmp(format, "json");
    if (!json && format && *format && strcmp(format, "text"))
        return tfl_fail(err, TFL_E_USAGE, "log format \"%s\": text or json was expected", format);
    config.json = json;
    return 0;
}

static size_t text_line(
    char *out, size_t size, enum tfl_log_level level, const char *module, const char *message)
{
    struct timespec ts;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &ts);
    gmtime_r(&ts.tv_sec, &tm);
    int n = snprintf(out, size - 1, "%02d:%02d:%02d.%03ld %s %-5s %s: %s", tm.tm_hour, tm.tm_min, tm.tm_sec,
        ts.tv_nsec / 1000000, config.program, level_names[level], module, message);
    size_t len = n < 0 ? 0 : (size_t)n;
    if (len > size - 2)
        len = size - 2;
    out[len++] = '\n';
    return len;
}

static void json_line(struct tfl_buf *out, enum tfl_log_level level, const char *module, const char *message)
{
    struct timespec ts;
    struct tm tm;
    char at[40];
    clock_gettime(CLOCK_REALTIME, &ts);
    size_t n = strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%S", gmtime_r(&ts.tv_sec, &tm));
    snprintf(at + n, sizeof at - n, ".%03ldZ", ts.tv_nsec / 1000000);
    struct json_object *line = json_object_new_object();
    json_object_object_add(line, "time", json_object_new_string(at));
    json_object_object_add(line, "program", json_object_new_string(config.program));
    json_object_object_add(line, "level", json_object_new_string(level_names[level]));
    json_object_object_add(line, "module", json_object_new_string(module));
    json_object_object_add(line, "message", json_object_new_string(message));
    tfl_buf_addf(out, "%s\n",
        json_object_to_json_string_ext(line, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(line);
}

void tfl_log_write(enum tfl_log_level level, const char *module, const char *fmt, ...)
{
    char text[MAX_MESSAGE];
    TFL_FREE char *message = NULL;
    va_list ap;
    va_start(ap, fmt);
    int m = vasprintf(&message, fmt, ap);
    va_end(ap);
    if (m < 0)
        abort();
    message[tfl_redact(message, (size_t)m)] = '\0'; /* before it is cut: half a URL shows its password */
    if (m >= MAX_MESSAGE)
        message[MAX_MESSAGE - 1] = '\0';
    TFL_BUF json = {0};
    const char *line = text;
    if (config.json) {
        json_line(&json, level, module, message);
        line = json.data;
    }
    size_t len = config.json ? json.len : text_line(text, sizeof text, level, module, message);
    if (config.write)
        config.write(config.arg, line, len);
    else if (write(STDERR_FILENO, line, len) < 0)
        return; /* a closed or full stderr must not end a run */
}
