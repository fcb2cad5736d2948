/* A node that misbehaves, for specs: fake_node user.yaml [--deployment deployment.yaml]
 *
 * Listens on the listen_address of user.yaml and does what FAKE_MODE says, a list separated by commas:
 *   accept_silent   takes connections and never answers       drip            answers a byte a second
 *   huge            a body of 1 GB with its length            huge_chunked    a body without end, in chunks
 *   endless_header  a header without end                      garbage         200 and no JSON
 *   reset           resets the connection at a request        print_gigabyte  1 GB on stdout, then never listens
 *   exit_now        ends at once with code 3                  exit_after_ms=N ends then with code 3
 *   stubborn        ignores SIGTERM and SIGINT                script=FILE     canned answers
 *
 * A script is lines; # starts a comment:
 *   PATH STATUS BODY     the answer to PATH (without its query; * is every other path). Of several lines for one path the
 *                        requests get one after the other, and the last one from then on.
 *   PATH MODE            one of the first seven modes, for this path
 *   PATH stream          an NDJSON stream of the lines below it that begin with a space: " DELAY_MS ROW", " DELAY_MS end"
 *   at MS                what follows holds from then on (milliseconds since the start) and replaces what was there for its paths
 * Requests are written to stdout, "GET /path". */
#include "fake_script.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_CONNS = 64, CHUNK = 65536 };
#define GIGABYTE (UINT64_C(1) << 30)

struct conn {
    int fd;
    char in[16384];
    size_t n_in, skip;       /* skip: bytes of a request body still to come */
    const struct rule *rule; /* what it is answering, or NULL */
    uint64_t made;           /* bytes or rows made of this answer */
    int64_t next_ms;         /* not before */
    char *out;
    size_t len, sent;
};

static struct conn conns[MAX_CONNS];

/* The first "listen_address: HOST:PORT" of the file, in block or flow style, quoted or not. */
static int listen_on(const char *config)
{
    char *at = strstr(fake_read(config), "listen_address:");
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST},
                    *info;
    int one = 1;
    if (!at)
        fake_die("no listen_address in the config");
    at += strlen("listen_address:") + strspn(at + strlen("listen_address:"), " '\"");
    at[strcspn(at, " '\",}\n")] = '\0';
    char *port = strrchr(at, ':');
    if (!port)
        fake_die(at);
    *port++ = '\0';
    if (getaddrinfo(at, port, &hints, &info))
        fake_die(at);
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) ||
        bind(fd, info->ai_addr, info->ai_addrlen) || listen(fd, 64))
        fake_die("listen");
    freeaddrinfo(info);
    return fd;
}

static void close_conn(struct conn *c, bool reset)
{
    struct linger linger = {.l_onoff = 1};
    if (reset)
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(c->fd);
    free(c->out);
    *c = (struct conn){.fd = -1};
}

static void queue(struct conn *c, const char *text, size_t n)
{
    char *out = realloc(c->out, c->len + n);
    if (!out)
        fake_die("memory");
    memcpy(out + c->len, text, n);
    c->out = out;
    c->len += n;
}

static void queue_head(struct conn *c, int status, const char *framing)
{
    char head[256];
    int n = snprintf(head, sizeof head, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\n%s\r\n", status,
        status < 300 ? "OK" : "Error", framing);
    queue(c, head, (size_t)n);
}

static void answer_whole(struct conn *c, int status, const char *body)
{
    char framing[64];
    snprintf(framing, sizeof framing, "Content-Length: %zu\r\n", strlen(body));
    queue_head(c, status, framing);
    queue(c, body, strlen(body));
    c->rule = NULL;
}

static void make_row(struct conn *c)
{
    const struct rule *r = c->rule;
    char size[32];
    if (c->made > r->n_rows)
        return; /* an endless stream without news */
    if (c->made > 0) {
        const struct row *row = fake_row(r->first_row + c->made - 1);
        if (!row->text) {
            queue(c, "0\r\n\r\n", 5);
            c->rule = NULL;
            return;
        }
        int n = snprintf(size, sizeof size, "%zx\r\n", strlen(row->text) + 1);
        queue(c, size, (size_t)n);
        queue(c, row->text, strlen(row->text));
        queue(c, "\n\r\n", 3);
    }
    c->made++;
    if (c->made <= r->n_rows)
        c->next_ms = fake_now_ms() + fake_row(r->first_row + c->made - 1)->delay_ms;
}

static void make_huge(struct conn *c, bool chunked)
{
    static char zeros[CHUNK];
    memset(zeros, '0', sizeof zeros);
    if (chunked)
        queue(c, "10000\r\n", 7);
    queue(c, zeros, sizeof zeros);
    if (chunked)
        queue(c, "\r\n", 2);
    c->made += sizeof zeros;
    if (!chunked && c->made >= GIGABYTE)
        c->rule = NULL;
}

/* Makes the next piece of the answer; false: the connection is gone. */
static bool make_more(struct conn *c)
{
    static const char dripped[] =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{";
    char byte;
    switch (c->rule->kind) {
    case REPLY:
        answer_whole(c, c->rule->status, c->rule->body);
        break;
    case GARBAGE:
        answer_whole(c, 200, "{\"cryptarchia_info\": [[[ \x01\xff not JSON");
        break;
    case STREAM:
        if (c->made == 0)
            queue_head(c, 200, "Transfer-Encoding: chunked\r\n");
        make_row(c);
        break;
    case DRIP:
        byte = c->made < sizeof dripped - 1 ? dripped[c->made] : ' ';
        queue(c, &byte, 1);
        c->made++;
        c->next_ms = fake_now_ms() + 1000;
        break;
    case HUGE_BODY:
    case HUGE_CHUNKED:
        if (c->made == 0)
            queue_head(c, 200,
                c->rule->kind == HUGE_BODY ? "Content-Length: 1073741824\r\n"
                                           : "Transfer-Encoding: chunked\r\n");
        make_huge(c, c->rule->kind == HUGE_CHUNKED);
        break;
    case ENDLESS_HEADER:
        queue(c, c->made ? "X-Filler: and so on\r\n" : "HTTP/1.1 200 OK\r\n", c->made ? 21 : 17);
        c->made++;
        break;
    case RESET:
        close_conn(c, true);
        return false;
    case SILENT:
        c->next_ms = INT64_MAX;
        break;
    }
    return true;
}

/* Takes one request off the input, if it is whole, and chooses its answer. */
static void take_request(struct conn *c)
{
    static const struct rule not_found = {.kind = REPLY, .status = 404, .body = "no such path in the script"};
    char method[16], path[2048];
    size_t skipped = c->skip < c->n_in ? c->skip : c->n_in;
    memmove(c->in, c->in + skipped, c->n_in - skipped);
    c->n_in -= skipped;
    c->skip -= skipped;
    c->in[c->n_in] = '\0';
    char *end = strstr(c->in, "\r\n\r\n");
    if (!end || sscanf(c->in, "%15s %2047s", method, path) != 2)
        return;
    char *length = strcasestr(c->in, "\r\ncontent-length:");
    c->skip = (size_t)(end + 4 - c->in) + (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
    path[strcspn(path, "?")] = '\0';
    printf("%s %s\n", method, path);
    fflush(stdout);
    c->rule = fake_rule_for(path);
    if (!c->rule)
        c->rule = &not_found;
    c->made = 0;
    c->next_ms = 0;
}

/* All that can be done on a connection now. */
static void serve(struct conn *c, short events)
{
    if (events & (POLLIN | POLLHUP | POLLERR)) {
        ssize_t n = c->n_in + 1 < sizeof c->in ? read(c->fd, c->in + c->n_in, sizeof c->in - 1 - c->n_in) : 0;
        if (n == 0 || (n < 0 && errno != EAGAIN)) {
            close_conn(c, false);
            return;
        }
        c->n_in += n > 0 ? (size_t)n : 0;
    }
    if (!c->rule && c->sent == c->len)
        take_request(c);
    if (c->rule && c->sent == c->len && fake_now_ms() >= c->next_ms && !make_more(c))
        return;
    if (c->sent < c->len) {
        ssize_t n = send(c->fd, c->out + c->sent, c->len - c->sent, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN) {
            close_conn(c, false);
            return;
        }
        c->sent += n > 0 ? (size_t)n : 0;
    }
    if (c->sent == c->len)
        c->sent = c->len = 0;
}

static void turn(int listener, int64_t exit_at)
{
    struct pollfd fds[MAX_CONNS + 1] = {{.fd = listener, .events = POLLIN}};
    int64_t now = fake_now_ms(), wake = exit_at;
    for (int i = 0; i < MAX_CONNS; i++) {
        struct conn *c = &conns[i];
        bool waits = c->rule && c->len == 0 && c->next_ms > now;
        bool rests = c->rule && c->rule->kind == STREAM && c->made > c->rule->n_rows && c->len == 0;
        bool ready = c->len > 0 || (c->rule && !waits && !rests);
        fds[i + 1] = (struct pollfd){.fd = c->fd, .events = (short)(POLLIN | (ready ? POLLOUT : 0))};
        if (waits && c->next_ms < wake)
            wake = c->next_ms;
    }
    int64_t wait_ms = wake == INT64_MAX ? -1 : wake > now ? wake - now : 0;
    poll(fds, MAX_CONNS + 1, (int)(wait_ms > 3600000 ? 3600000 : wait_ms));
    for (int i = 0; i < MAX_CONNS; i++)
        if (conns[i].fd >= 0)
            serve(&conns[i], fds[i + 1].revents);
    if (!(fds[0].revents & POLLIN))
        return;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    for (int i = 0; i < MAX_CONNS && fd >= 0; i++)
        if (conns[i].fd < 0) {
            conns[i].fd = fd;
            return;
        }
    if (fd >= 0)
        close(fd);
}

int main(int argc, char **argv)
{
    const char *mode = getenv("FAKE_MODE");
    int64_t exit_at = INT64_MAX;
    if (argc < 2)
        fake_die("usage: FAKE_MODE=… fake_node user.yaml");
    fake_now_ms();
    char *copy = strdup(mode ? mode : "accept_silent");
    if (!copy)
        fake_die("memory");
    fake_parse(copy, &exit_at);
    for (int i = 0; i < MAX_CONNS; i++)
        conns[i].fd = -1;
    for (int listener = listen_on(argv[1]); fake_now_ms() < exit_at;)
        turn(listener, exit_at);
    _exit(3); /* what was read lives as long as the program: no leak check */
}
