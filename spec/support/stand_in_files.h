#ifndef TFL_SPEC_STAND_IN_FILES_H
#define TFL_SPEC_STAND_IN_FILES_H

/* What the stand-in reads and writes beside its API: the files it is given, and record.txt in its folder, one line for each
 * argument, variable, file and signal. */
#include "base/buf.h"
#include "base/error.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { STAND_MAX_FILE = 8 << 20, STAND_PEERS = 64 };

struct stand_config {
    bool aug; /* body_root instead of block_root */
    uint8_t root[32];
    uint64_t genesis_time, slot_ms, numerator, denominator, security;
    char *user; /* the text of user.yaml */
    int http, p2p, blend, dials[STAND_PEERS], n_dials;
};

static void stand_die(const char *what, const char *where) __attribute__((noreturn));
static void stand_die(const char *what, const char *where)
{
    fprintf(stderr, "Error: %s: %s\n", where, what);
    exit(1);
}

static char *stand_read(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        stand_die("no such file", path);
    char *text = tfl_alloc(STAND_MAX_FILE);
    text[fread(text, 1, STAND_MAX_FILE - 1, file)] = '\0';
    fclose(file);
    return text;
}

static void stand_record(const char *kind, const char *what)
{
    FILE *file = fopen("record.txt", "ab");
    if (!file)
        stand_die("cannot be written", "record.txt");
    fprintf(file, "%s %s\n", kind, what);
    fclose(file);
}

static void stand_record_all(int argc, char **argv)
{
    static const char *const names[] = {"POL_PROOF_DEV_MODE", "LOGOS_BLOCKCHAIN_CIRCUITS", "LBC_ROOT_DIR"};
    char line[8192];
    for (int i = 1; i < argc; i++)
        stand_record("arg", argv[i]);
    for (size_t i = 0; i < TFL_LEN(names); i++) {
        const char *value = getenv(names[i]);
        snprintf(line, sizeof line, "%s=%.4000s", names[i], value ? value : "");
        stand_record("env", line);
    }
    DIR *dir = opendir(".");
    for (struct dirent *e; dir && (e = readdir(dir));) {
        struct stat st;
        if (stat(e->d_name, &st) || !S_ISREG(st.st_mode) || strcmp(e->d_name, "record.txt") == 0)
            continue;
        snprintf(line, sizeof line, "%03o %s", (unsigned)st.st_mode & 0777U, e->d_name);
        stand_record("file", line);
    }
    if (dir)
        closedir(dir);
}

/* What follows "key: " at its first place, without quotes. */
static const char *stand_value(const char *text, const char *key, const char *where)
{
    TFL_BUF name = {0};
    tfl_buf_addf(&name, " %s:", key);
    const char *at = strstr(text, name.data);
    if (!at)
        stand_die(key, where);
    at += name.len;
    return at + strspn(at, " '\"");
}

static int stand_udp_port(const char *multiaddr, const char *where)
{
    int port = 0, end = 0;
    if (sscanf(multiaddr, "/ip4/127.0.0.1/udp/%d/quic-v1%n", &port, &end) != 1 || !end)
        stand_die("not an address of QUIC", where);
    return port;
}

static void stand_read_user(struct stand_config *c, const char *path)
{
    char *text = c->user = stand_read(path);
    const char *at = stand_value(text, "listen_address", path);
    if (strncmp(text, "bogus:", 6) == 0 || strstr(text, "\nbogus:")) /* as serde says it */
        stand_die("unknown field `bogus`, expected one of `network`, `blend`, `cryptarchia`", path);
    c->http = atoi(strchr(at, ':') + 1);
    c->p2p = atoi(stand_value(text, "port", path));
    c->blend = stand_udp_port(stand_value(text, "listening_address", path), path);
    at = strstr(text, "initial_peers:");
    for (char *peer = at ? strstr(at, "- /ip4/") : NULL; peer && c->n_dials < STAND_PEERS;
         peer = strstr(peer, "- /ip4/")) {
        c->dials[c->n_dials++] = stand_udp_port(peer + 2, path);
        peer += 2;
    }
}

static void stand_read_deployment(struct stand_config *c, const char *path)
{
    TFL_FREE char *text = stand_read(path);
    const char *key = strstr(text, "body_root:") ? "body_root" : "block_root";
    uint8_t stone[512];
    const char *at = stand_value(text, "inscription", path);
    size_t n = strspn(at, "0123456789abcdef") / 2;
    c->aug = strcmp(key, "body_root") == 0;
    if (!tfl_unhex(c->root, 32, stand_value(text, key, path), 64) || n > sizeof stone ||
        !tfl_unhex(stone, n, at, 2 * n))
        stand_die("not hex digits", path);
    size_t name = c->aug ? 1 + (size_t)stone[0] : 8 + (size_t)tfl_get_le(stone, 8);
    if (name + (c->aug ? 4 : 8) + 32 != n)
        stand_die("the inscription of genesis has another length", path);
    c->genesis_time = tfl_get_le(stone + name, c->aug ? 4 : 8);
    c->numerator = strtoull(stand_value(text, "numerator", path), NULL, 10);
    c->denominator = strtoull(stand_value(text, "denominator", path), NULL, 10);
    c->security = strtoull(stand_value(text, "security_param", path), NULL, 10);
    unsigned long long s = 0, ns = 0;
    if (sscanf(stand_value(text, "slot_duration", path), "%llu.%9llu", &s, &ns) != 2 || s < 1)
        stand_die("slot_duration", path);
    c->slot_ms = s * 1000 + ns / 1000000;
}

#endif
