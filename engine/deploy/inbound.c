#include "deploy/inbound.h"

#include "base/buf.h"
#include "net/sock.h"
#include "net/sock_inode.h"
#include "proc/procfs.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utlist.h>

enum { AGAIN_MAX = 4 }; /* after 1, 2, 4 and 8 ms */

/* A connection whose dialler is not found yet. */
struct waiting {
    struct tfl_inbound *in;
    struct tfl_timer timer;
    struct tfl_addr from;
    int fd, tries;
    struct waiting *prev, *next;
};

struct tfl_inbound {
    struct tfl_inbound_config config;
    struct tfl_listener listener;
    struct waiting *waiting;
};

void tfl_owners_set(struct tfl_owners *owners, const char *name, pid_t pid)
{
    size_t i = 0;
    while (i < owners->n && strcmp(owners->names[i], name))
        i++;
    if (i == owners->n) {
        owners->names = tfl_realloc(owners->names, (i + 1) * sizeof *owners->names);
        owners->ids = tfl_realloc(owners->ids, (i + 1) * sizeof *owners->ids);
        owners->names[owners->n++] = tfl_strdup(name);
    }
    owners->ids[i] =
        (struct tfl_process_id){.pid = pid, .start_time = pid > 0 ? tfl_procfs_start_time(pid) : 0};
}

void tfl_owners_done(struct tfl_owners *owners)
{
    for (size_t i = 0; i < owners->n; i++)
        free(owners->names[i]);
    free(owners->names);
    free(owners->ids);
}

/* Who dialled? False when that is to be asked again. */
static bool find(struct tfl_inbound *in, const struct tfl_addr *from, const char **name, bool *gone)
{
    const struct tfl_owners *owners = in->config.owners;
    uint64_t inode;
    *name = NULL;
    *gone = false;
    if (tfl_sock_inode(from, &in->listener.addr, &inode, NULL))
        return false;
    *gone = !inode;
    if (*gone)
        return true;
    size_t i = tfl_socket_holder(owners->ids, owners->n, inode);
    if (i < owners->n)
        *name = owners->names[i];
    return *name != NULL;
}

static void waiting_free(struct waiting *w)
{
    tfl_timer_stop(w->in->config.loop, &w->timer);
    DL_DELETE(w->in->waiting, w);
    free(w);
}

static void again(struct tfl_timer *timer);

static void wait_more(struct waiting *w)
{
    struct tfl_loop *loop = w->in->config.loop;
    tfl_timer_start(loop, &w->timer, tfl_now(loop) + (TFL_MS << w->tries), again);
}

static void again(struct tfl_timer *timer)
{
    struct waiting *w = TFL_CONTAINER(timer, struct waiting, timer);
    struct tfl_inbound *in = w->in;
    const char *name;
    bool gone;
    if (!find(in, &w->from, &name, &gone) && ++w->tries < AGAIN_MAX) {
        wait_more(w);
        return;
    }
    int fd = w->fd;
    waiting_free(w);
    in->config.dialled(in->config.arg, fd, name, gone);
}

static void accepted(struct tfl_listener *l, int fd, const struct tfl_addr *from)
{
    struct tfl_inbound *in = TFL_CONTAINER(l, struct tfl_inbound, listener);
    const char *name;
    bool gone;
    if (find(in, from, &name, &gone)) {
        in->config.dialled(in->config.arg, fd, name, gone);
        return;
    }
    struct waiting *w = tfl_alloc(sizeof *w);
    w->in = in;
    w->fd = fd;
    w->from = *from;
    DL_APPEND(in->waiting, w);
    wait_more(w);
}

/* Does the kernel tell whose a socket is? It must know the listener. */
static int probe(struct tfl_inbound *in, struct tfl_error *err)
{
    const struct tfl_addr none = {.host = "0.0.0.0"};
    struct stat st;
    uint64_t inode;
    if (tfl_sock_inode(&in->listener.addr, &none, &inode, err))
        return -1;
    if (!fstat(in->listener.fd, &st) && st.st_ino == inode)
        return 0;
    return tfl_fail(err, TFL_E_UNSUPPORTED,
        "the kernel does not tell who has a TCP socket open (sock_diag; modules inet_diag and tcp_diag), so "
        "links of nodes that share one address cannot be faulty here");
}

struct tfl_inbound *tfl_inbound_new(const struct tfl_inbound_config *config, struct tfl_error *err)
{
    struct tfl_inbound *in = tfl_alloc(sizeof *in);
    struct tfl_addr addr;
    in->config = *config;
    if (tfl_addr_make(&addr, "127.0.0.1", config->listen, err) ||
        tfl_listener_start(config->loop, &in->listener, &addr, accepted, err)) {
        free(in);
        return NULL;
    }
    if (probe(in, err)) {
        tfl_inbound_free(in);
        return NULL;
    }
    return in;
}

void tfl_inbound_drain(struct tfl_inbound *in)
{
    struct sockaddr_storage ss;
    struct tfl_addr from;
    socklen_t len = sizeof ss;
    int fd;
    while ((fd = accept4(in->listener.fd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        tfl_addr_from_sockaddr(&from, &ss);
        accepted(&in->listener, fd, &from);
        len = sizeof ss;
    }
}

size_t tfl_inbound_waiting(const struct tfl_inbound *in)
{
    const struct waiting *w;
    size_t n;
    DL_COUNT(in->waiting, w, n);
    return n;
}

void tfl_inbound_free(struct tfl_inbound *in)
{
    struct waiting *w, *next;
    if (!in)
        return;
    tfl_listener_stop(&in->listener);
    DL_FOREACH_SAFE(in->waiting, w, next)
    {
        close(w->fd);
        waiting_free(w);
    }
    free(in);
}
