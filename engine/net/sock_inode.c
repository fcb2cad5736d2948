#include "net/sock_inode.h"

#include "base/buf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

struct question {
    struct nlmsghdr header;
    struct inet_diag_req_v2 body;
};

static void put_end(const struct tfl_addr *addr, __be16 *port, __be32 *host)
{
    struct in_addr ip = {0};
    inet_pton(AF_INET, addr->host, &ip);
    *port = htons(addr->port);
    *host = ip.s_addr;
}

/* 0 and the inode, or an errno. */
static int answer(int fd, uint64_t *inode)
{
    union {
        struct nlmsghdr header;
        char bytes[4096];
    } reply;
    const struct inet_diag_msg *found = NLMSG_DATA(&reply.header);
    const struct nlmsgerr *failed = NLMSG_DATA(&reply.header);
    ssize_t n = recv(fd, &reply, sizeof reply, MSG_DONTWAIT); /* it was made while the question was sent */
    if (n < 0)
        return errno;
    if (!NLMSG_OK(&reply.header, (size_t)n))
        return EBADMSG;
    size_t len = reply.header.nlmsg_len - NLMSG_LENGTH(0);
    *inode = 0;
    if (reply.header.nlmsg_type == NLMSG_ERROR && len >= sizeof failed->error)
        return failed->error == -ENOENT ? 0 : -failed->error;
    if (reply.header.nlmsg_type != SOCK_DIAG_BY_FAMILY || len < sizeof *found)
        return EBADMSG;
    *inode = found->idiag_inode;
    return 0;
}

int tfl_sock_inode(
    const struct tfl_addr *from, const struct tfl_addr *to, uint64_t *inode, struct tfl_error *err)
{
    struct question q = {
        .header = {.nlmsg_len = sizeof q, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST},
        .body = {.sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP, .idiag_states = ~0U}};
    put_end(from, &q.body.id.idiag_sport, &q.body.id.idiag_src[0]);
    put_end(to, &q.body.id.idiag_dport, &q.body.id.idiag_dst[0]);
    q.body.id.idiag_cookie[0] = q.body.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
    TFL_CLOSE int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    int failed = fd < 0 || send(fd, &q, sizeof q, 0) < 0 ? errno : answer(fd, inode);
    if (!failed)
        return 0;
    return tfl_fail_errno(err, TFL_E_UNSUPPORTED, failed,
        "the kernel does not tell who has the socket %s:%d (sock_diag; modules inet_diag and tcp_diag)",
        from->host, from->port);
}
