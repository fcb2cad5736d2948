#ifndef TFL_NET_ADDR_H
#define TFL_NET_ADDR_H

#include "base/error.h"

#include <stdint.h>
#include <sys/socket.h>

/* A TCP address: where to listen or what to dial. Plain data. */
struct tfl_addr {
    enum tfl_addr_kind { TFL_ADDR_IP4, TFL_ADDR_IP6, TFL_ADDR_NAME } kind;
    char host[254]; /* literal address without brackets, or a DNS name */
    uint16_t port;  /* 0: any free port, only of use for listening */
};

enum { TFL_ADDR_TEXT = 300 }; /* room for any text form, with its NUL */

/* "127.0.0.1:80", "[::1]:80", "node-1:80". TFL_E_USAGE names the text and the form that is expected. */
int tfl_addr_parse(struct tfl_addr *addr, const char *text, struct tfl_error *err);
/* "/ip4/127.0.0.1/tcp/80", "/ip6/::1/tcp/80", "/dns4/node-1/tcp/80". TFL_E_USAGE as above. */
int tfl_addr_parse_multi(struct tfl_addr *addr, const char *text, struct tfl_error *err);
/* From the parts "127.0.0.1" and 80. */
int tfl_addr_make(struct tfl_addr *addr, const char *host, uint16_t port, struct tfl_error *err);

/* The text forms; both write into out and return it. */
char *tfl_addr_text(const struct tfl_addr *addr, char out[TFL_ADDR_TEXT]);
char *tfl_addr_multi(const struct tfl_addr *addr, char out[TFL_ADDR_TEXT]);

/* For the system calls. Names are TFL_E_UNSUPPORTED here: net/resolve.h finds their address without blocking.
 */
int tfl_addr_to_sockaddr(
    const struct tfl_addr *addr, struct sockaddr_storage *ss, socklen_t *len, struct tfl_error *err);
void tfl_addr_from_sockaddr(struct tfl_addr *addr, const struct sockaddr_storage *ss);

#endif
