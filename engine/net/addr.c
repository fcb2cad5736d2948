#include "net/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "1" to "65535" (or "0"), digits only, exactly n characters. */
static bool port_of(const char *s, size_t n, uint16_t *port)
{
    unsigned long v = 0;
    if (n == 0 || n > 5)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9')
            return false;
        v = v * 10 + (unsigned long)(s[i] - '0');
    }
    *port = (uint16_t)v;
    return v <= 65535;
}

static bool name_ok(const char *s)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
    return s[0] && s[0] != '-' && s[0] != '.' && strspn(s, allowed) == strlen(s);
}

/* Fills addr from n bytes of host; false when they are of no kind. */
static bool host_of(struct tfl_addr *addr, const char *s, size_t n)
{
    struct in6_addr bin;
    if (n >= sizeof addr->host)
        return false;
    memcpy(addr->host, s, n);
    addr->host[n] = '\0';
    if (inet_pton(AF_INET, addr->host, &bin) == 1)
        addr->kind = TFL_ADDR_IP4;
    else if (inet_pton(AF_INET6, addr->host, &bin) == 1)
        addr->kind = TFL_ADDR_IP6;
    else if (name_ok(addr->host))
        addr->kind = TFL_ADDR_NAME;
    else
        return false;
    return true;
}

int tfl_addr_make(struct tfl_addr *addr, const char *host, uint16_t port, struct tfl_error *err)
{
    struct tfl_addr a = {.port = port};
    if (!host_of(&a, host, strlen(host)))
        return tfl_fail(
            err, TFL_E_USAGE, "\"%.80s\" is no host: expected an IPv4 or IPv6 address or a DNS name", host);
    *addr = a;
    return 0;
}

int tfl_addr_parse(struct tfl_addr *addr, const char *text, struct tfl_error *err)
{
    struct tfl_addr a = {0};
    const char *colon = strrchr(text, ':');
    if (!colon || !port_of(colon + 1, strlen(colon + 1), &a.port))
        goto bad;
    const char *host = text;
    size_t n = (size_t)(colon - text);
    bool bracketed = n > 2 && host[0] == '[' && host[n - 1] == ']';
    if (bracketed ? !host_of(&a, host + 1, n - 2) : !host_of(&a, host, n))
        goto bad;
    if (bracketed != (a.kind == TFL_ADDR_IP6))
        goto bad;
    *addr = a;
    return 0;
bad:
    return tfl_fail(err, TFL_E_USAGE,
        "\"%.120s\" is no address: expected HOST:PORT, like 127.0.0.1:20000 or [::1]:20000", text);
}

int tfl_addr_parse_multi(struct tfl_addr *addr, const char *text, struct tfl_error *err)
{
    static const struct {
        const char *prefix;
        enum tfl_addr_kind kind;
    } kinds[] = {{"/ip4/", TFL_ADDR_IP4}, {"/ip6/", TFL_ADDR_IP6}, {"/dns4/", TFL_ADDR_NAME}};
    struct tfl_addr a = {0};
    for (size_t i = 0; i < TFL_LEN(kinds); i++) {
        size_t p = strlen(kinds[i].prefix);
        if (strncmp(text, kinds[i].prefix, p))
            continue;
        const char *host = text + p, *end = strchr(host, '/');
        if (!end || strncmp(end, "/tcp/", 5) || !port_of(end + 5, strlen(end + 5), &a.port))
            break;
        if (!host_of(&a, host, (size_t)(end - host)) || a.kind != kinds[i].kind || !a.port)
            break;
        *addr = a;
        return 0;
    }
    return tfl_fail(err, TFL_E_USAGE,
        "\"%.120s\" is no peer address: expected /ip4/ADDRESS/tcp/PORT, /ip6/ADDRESS/tcp/PORT or "
        "/dns4/NAME/tcp/PORT",
        text);
}

char *tfl_addr_text(const struct tfl_addr *addr, char out[TFL_ADDR_TEXT])
{
    bool v6 = addr->kind == TFL_ADDR_IP6;
    snprintf(out, TFL_ADDR_TEXT, "%s%s%s:%u", v6 ? "[" : "", addr->host, v6 ? "]" : "", (unsigned)addr->port);
    return out;
}

char *tfl_addr_multi(const struct tfl_addr *addr, char out[TFL_ADDR_TEXT])
{
    static const char *const kinds[] = {
        [TFL_ADDR_IP4] = "ip4", [TFL_ADDR_IP6] = "ip6", [TFL_ADDR_NAME] = "dns4"};
    snprintf(out, TFL_ADDR_TEXT, "/%s/%s/tcp/%u", kinds[addr->kind], addr->host, (unsigned)addr->port);
    return out;
}

int tfl_addr_to_sockaddr(
    const struct tfl_addr *addr, struct sockaddr_storage *ss, socklen_t *len, struct tfl_error *err)
{
    memset(ss, 0, sizeof *ss);
    if (addr->kind == TFL_ADDR_IP4) {
        struct sockaddr_in *in = (struct sockaddr_in *)ss;
        in->sin_family = AF_INET;
        in->sin_port = htons(addr->port);
        *len = sizeof *in;
        if (inet_pton(AF_INET, addr->host, &in->sin_addr) == 1)
            return 0;
    } else if (addr->kind == TFL_ADDR_IP6) {
        struct sockaddr_in6 *in = (struct sockaddr_in6 *)ss;
        in->sin6_family = AF_INET6;
        in->sin6_port = htons(addr->port);
        *len = sizeof *in;
        if (inet_pton(AF_INET6, addr->host, &in->sin6_addr) == 1)
            return 0;
    }
    return tfl_fail(err, TFL_E_UNSUPPORTED, "%s is a name where a literal IP address is needed", addr->host);
}

void tfl_addr_from_sockaddr(struct tfl_addr *addr, const struct sockaddr_storage *ss)
{
    *addr = (struct tfl_addr){.kind = TFL_ADDR_IP4, .host = "0.0.0.0"};
    if (ss->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)ss;
        addr->kind = TFL_ADDR_IP6;
        addr->port = ntohs(in->sin6_port);
        inet_ntop(AF_INET6, &in->sin6_addr, addr->host, sizeof addr->host);
    } else if (ss->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)ss;
        addr->port = ntohs(in->sin_port);
        inet_ntop(AF_INET, &in->sin_addr, addr->host, sizeof addr->host);
    }
}
