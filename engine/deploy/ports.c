#include "deploy/ports.h"

#include "proc/lockfile.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { N_BLOCKS = (TFL_PORTS_END - TFL_PORTS_FIRST) / TFL_PORTS_BLOCK };

struct block {
    int lock; /* −1: not ours */
    struct held {
        int tcp, udp; /* bound sockets of a port taken, −1 */
    } held[TFL_PORTS_BLOCK];
    int next; /* the first port not yet looked at */
};

struct tfl_ports {
    char *folder;
    int from, to; /* blocks it may use */
    int first;    /* the block to begin with: processes begin in different places */
    struct block blocks[N_BLOCKS];
};

char *tfl_ports_folder(void)
{
    const char *dir = getenv("XDG_RUNTIME_DIR");
    struct stat st;
    if (dir && dir[0] == '/' && !stat(dir, &st) && S_ISDIR(st.st_mode) && !access(dir, W_OK))
        return tfl_sprintf("%s/tfl", dir);
    return tfl_sprintf("/tmp/tfl-%u", (unsigned)geteuid());
}

bool tfl_ports_range(const char *text, int *from, int *to)
{
    int first = TFL_PORTS_FIRST, last = TFL_PORTS_END - 1, end = 0;
    if (text && *text && (sscanf(text, "%5d-%5d%n", &first, &last, &end) != 2 || text[end]))
        return false;
    if (first < TFL_PORTS_FIRST || last >= TFL_PORTS_END || first > last)
        return false;
    *from = (first - TFL_PORTS_FIRST + TFL_PORTS_BLOCK - 1) / TFL_PORTS_BLOCK;
    *to = (last + 1 - TFL_PORTS_FIRST) / TFL_PORTS_BLOCK;
    return *from < *to;
}

struct tfl_ports *tfl_ports_new(void)
{
    struct tfl_ports *ports = tfl_alloc(sizeof *ports);
    ports->folder = tfl_ports_folder();
    if (!tfl_ports_range(getenv("TFL_PORTS"), &ports->from, &ports->to)) /* the command line has refused it */
        tfl_ports_range(NULL, &ports->from, &ports->to);
    /* 61 is prime: any block may be the first */
    ports->first = (int)((unsigned)getpid() * 61U % (unsigned)(ports->to - ports->from));
    for (int i = 0; i < N_BLOCKS; i++)
        ports->blocks[i].lock = -1;
    return ports;
}

static void let_go(struct held *held)
{
    if (held->tcp >= 0)
        close(held->tcp);
    if (held->udp >= 0)
        close(held->udp);
    *held = (struct held){-1, -1};
}

static char *lock_path(const struct tfl_ports *ports, int i)
{
    return tfl_sprintf("%s/ports-%d.lock", ports->folder, TFL_PORTS_FIRST + i * TFL_PORTS_BLOCK);
}

static void give_back(struct tfl_ports *ports, int i)
{
    struct block *block = &ports->blocks[i];
    if (block->lock < 0)
        return;
    TFL_FREE char *path = lock_path(ports, i);
    for (int k = 0; k < TFL_PORTS_BLOCK; k++)
        let_go(&block->held[k]);
    tfl_lockfile_release(path, block->lock);
    block->lock = -1;
}

void tfl_ports_free(struct tfl_ports *ports)
{
    if (!ports)
        return;
    for (int i = 0; i < N_BLOCKS; i++)
        give_back(ports, i);
    free(ports->folder);
    free(ports);
}

/* Bound to all addresses, and without SO_REUSEADDR: this fails when anybody has the port on any address, and afterwards
 * makes everybody else's try fail. */
static int bind_port(uint16_t port, int type)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&any, sizeof any)) {
        int errnum = errno;
        close(fd);
        errno = errnum;
        return -1;
    }
    return fd;
}

/* Both or none; errno says why none. */
static bool hold_port(uint16_t port, struct held *held)
{
    held->udp = bind_port(port, SOCK_DGRAM);
    held->tcp = held->udp >= 0 ? bind_port(port, SOCK_STREAM) : -1;
    if (held->tcp >= 0)
        return true;
    int errnum = errno;
    let_go(held);
    errno = errnum;
    return false;
}

/* Takes ports of one block, locked already; returns how many. */
static size_t take_from(struct tfl_ports *ports, int i, size_t n, uint16_t *out)
{
    struct block *block = &ports->blocks[i];
    size_t got = 0;
    for (; got < n && block->next < TFL_PORTS_BLOCK; block->next++) {
        uint16_t port = (uint16_t)(TFL_PORTS_FIRST + i * TFL_PORTS_BLOCK + block->next);
        if (hold_port(port, &block->held[block->next]))
            out[got++] = port;
        else if (errno == EMFILE || errno == ENFILE)
            break;
    }
    return got;
}

static int lock_block(struct tfl_ports *ports, int i, struct tfl_error *err)
{
    struct block *block = &ports->blocks[i];
    TFL_FREE char *path = lock_path(ports, i);
    block->lock = tfl_lockfile_take(path, err);
    if (block->lock < 0)
        return -1;
    block->next = 0;
    for (int k = 0; k < TFL_PORTS_BLOCK; k++)
        block->held[k] = (struct held){-1, -1};
    return 0;
}

static int too_few(
    struct tfl_ports *ports, size_t n, size_t got, uint16_t *out, int errnum, struct tfl_error *err)
{
    for (size_t i = 0; i < got; i++)
        tfl_ports_unbind(ports, out[i]);
    if (errnum == EMFILE || errnum == ENFILE)
        return tfl_fail(err, TFL_E_NO_PORTS,
            "only %zu of %zu ports could be reserved: too many open files; raise the limit (ulimit -n 65536)",
            got, n);
    return tfl_fail(err, TFL_E_NO_PORTS,
        "only %zu of %zu ports between %d and %d are free: use fewer nodes, end other runs (`tfl clean` ends "
        "dead ones), or "
        "see who listens with `ss -ltunp`; locks are in %s",
        got, n, TFL_PORTS_FIRST + ports->from * TFL_PORTS_BLOCK,
        TFL_PORTS_FIRST + ports->to * TFL_PORTS_BLOCK - 1, ports->folder);
}

int tfl_ports_take(struct tfl_ports *ports, size_t n, uint16_t *out, struct tfl_error *err)
{
    size_t got = 0;
    errno = 0;
    for (int k = 0; k < N_BLOCKS && got < n; k++) /* what is left of own blocks */
        if (ports->blocks[k].lock >= 0)
            got += take_from(ports, k, n - got, out + got);
    for (int k = 0; k < ports->to - ports->from && got < n && errno != EMFILE; k++) {
        int i = ports->from + (ports->first + k) % (ports->to - ports->from);
        struct tfl_error own;
        if (ports->blocks[i].lock >= 0)
            continue;
        if (lock_block(ports, i, &own)) {
            if (own.code == TFL_E_STATE)
                continue;
            too_few(ports, n, got, out, 0, NULL);
            if (err)
                *err = own;
            return -1;
        }
        errno = 0;
        size_t more = take_from(ports, i, n - got, out + got);
        int errnum = errno;
        if (!more)
            give_back(ports, i);
        got += more;
        errno = errnum;
    }
    return got == n ? 0 : too_few(ports, n, got, out, errno, err);
}

void tfl_ports_unbind(struct tfl_ports *ports, uint16_t port)
{
    if (port < TFL_PORTS_FIRST || port >= TFL_PORTS_END)
        return;
    struct block *block = &ports->blocks[(port - TFL_PORTS_FIRST) / TFL_PORTS_BLOCK];
    if (block->lock >= 0)
        let_go(&block->held[(port - TFL_PORTS_FIRST) % TFL_PORTS_BLOCK]);
}
