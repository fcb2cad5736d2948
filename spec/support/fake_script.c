#include "fake_script.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_RULES = 256, MAX_ROWS = 4096, MAX_FILE = 4 << 20, CHUNK = 65536 };
#define GIGABYTE (UINT64_C(1) << 30)

static const struct {
    const char *name;
    enum kind kind;
} modes[] = {{"accept_silent", SILENT}, {"drip", DRIP}, {"huge", HUGE_BODY}, {"huge_chunked", HUGE_CHUNKED},
    {"garbage", GARBAGE}, {"endless_header", ENDLESS_HEADER}, {"reset", RESET}, {"stream", STREAM}};

static struct rule rules[MAX_RULES];
static size_t n_rules;
static struct row rows[MAX_ROWS];
static size_t n_rows;

void fake_die(const char *what)
{
    fprintf(stderr, "fake_node: %s: %s\n", what, errno ? strerror(errno) : "not understood");
    exit(2);
}

int64_t fake_now_ms(void)
{
    static int64_t started = -1;
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    int64_t now = (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
    if (started < 0)
        started = now;
    return now - started;
}

char *fake_read(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = calloc(1, MAX_FILE);
    if (!file || !text)
        fake_die(path);
    size_t n = fread(text, 1, MAX_FILE - 1, file);
    text[n] = '\0';
    fclose(file);
    return text;
}

static bool mode_of(const char *word, enum kind *kind)
{
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (!strcmp(modes[i].name, word)) {
            *kind = modes[i].kind;
            return true;
        }
    return false;
}

static struct rule *add_rule(const char *path, enum kind kind, int from_ms)
{
    if (n_rules == MAX_RULES)
        fake_die("too many lines in the script");
    rules[n_rules] = (struct rule){.path = path, .kind = kind, .from_ms = from_ms, .first_row = n_rows};
    return &rules[n_rules++];
}

static void parse_row(const char *line)
{
    char *rest;
    long delay = strtol(line, &rest, 10);
    while (*rest == ' ')
        rest++;
    if (n_rules == 0 || rules[n_rules - 1].kind != STREAM || n_rows == MAX_ROWS || rest == line)
        fake_die("a row of a stream in the wrong place");
    rows[n_rows++] = (struct row){(int)delay, strcmp(rest, "end") ? rest : NULL};
    rules[n_rules - 1].n_rows++;
}

static void parse_script(const char *path)
{
    char *save = NULL;
    int from_ms = 0;
    for (char *line = strtok_r(fake_read(path), "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *word = strchr(line, ' ');
        enum kind kind;
        if (*line == '#')
            continue;
        if (*line == ' ') {
            parse_row(line);
            continue;
        }
        if (!word)
            fake_die(line);
        *word++ = '\0';
        if (!strcmp(line, "at")) {
            from_ms = atoi(word);
        } else if (mode_of(word, &kind)) {
            add_rule(line, kind, from_ms);
        } else {
            char *body;
            struct rule *rule = add_rule(line, REPLY, from_ms);
            rule->status = (int)strtol(word, &body, 10);
            rule->body = *body ? body + 1 : "";
            if (rule->status < 100 || rule->status > 599)
                fake_die(line);
        }
    }
}

static void print_gigabyte(void)
{
    static char line[CHUNK];
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\n';
    for (uint64_t n = 0; n < GIGABYTE; n += sizeof line)
        if (write(STDOUT_FILENO, line, sizeof line) < 0)
            break;
    for (;;)
        pause();
}

void fake_parse(char *text, int64_t *exit_at)
{
    char *save = NULL;
    enum kind kind;
    for (char *word = strtok_r(text, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
        if (mode_of(word, &kind)) {
            add_rule("*", kind, 0);
        } else if (!strcmp(word, "exit_now")) {
            _exit(3);
        } else if (!strncmp(word, "exit_after_ms=", 14)) {
            *exit_at = fake_now_ms() + atoi(word + 14);
        } else if (!strcmp(word, "print_gigabyte")) {
            print_gigabyte();
        } else if (!strcmp(word, "stubborn")) {
            signal(SIGTERM, SIG_IGN);
            signal(SIGINT, SIG_IGN);
        } else if (!strncmp(word, "script", 6) && (word[6] == '=' || word[6] == ' ')) {
            parse_script(word + 7);
        } else {
            fake_die(word);
        }
    }
}

const struct rule *fake_rule_for(const char *path)
{
    struct rule *found = NULL;
    int64_t elapsed = fake_now_ms();
    for (int any = 0; any < 2 && !found; any++)
        for (size_t i = 0; i < n_rules; i++) {
            struct rule *r = &rules[i];
            if (strcmp(r->path, any ? "*" : path) != 0 || r->from_ms > elapsed)
                continue;
            if (!found || r->from_ms > found->from_ms || (r->from_ms == found->from_ms && found->hits > 0))
                found = r;
        }
    if (found)
        found->hits++;
    return found;
}

const struct row *fake_row(size_t i)
{
    return &rows[i];
}
