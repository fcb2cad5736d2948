/* What a relay costs; scripts/bench/relay.lua runs it. A child carries the relays on its loop, this process holds both ends of each
 * link with blocking sockets.
 *   relay_bench added N           one way of 64 bytes, straight and through a relay: p50 of both, microseconds
 *   relay_bench delay MS N        through a relay with that latency: p50, p99, milliseconds; and timers of that on this host
 *   relay_bench shaped LINKS S    CPU of the child with LINKS links of 10 ms, 50 messages a second each way, for S seconds
 *   relay_bench fault LINKS N     a cut of LINKS open links made and healed N times: how long the calls take, p99, milliseconds
 *   relay_bench dial N            from the dial to the far end's accept, through an edge's relay and an inbound one: p50, p99, µs */
#include "deploy/links.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LINKS_MAX = 512, MESSAGE = 64 };

struct link {
    int listener, dialer, taken;
    uint16_t port, relay_port;
};

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(double *values, size_t n, double q)
{
    qsort(values, n, sizeof *values, compare);
    return values[(size_t)((double)(n - 1) * q)];
}

static int bound(uint16_t *port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof addr;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&addr, len) || getsockname(fd, (struct sockaddr *)&addr, &len))
        die("bind");
    *port = ntohs(addr.sin_port);
    return fd;
}

static void connect_link(struct link *link, uint16_t port)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    static const int on = 1;
    for (int tries = 0;; tries++) { /* the child may not listen yet */
        link->dialer = socket(AF_INET, SOCK_STREAM, 0);
        if (!connect(link->dialer, (struct sockaddr *)&to, sizeof to))
            break;
        close(link->dialer);
        if (tries > 500)
            die("connect");
        usleep(10000);
    }
    link->taken = accept(link->listener, NULL, NULL);
    setsockopt(link->dialer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(link->taken, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void make_listeners(struct link *links, size_t n)
{
    static int
        reserved[LINKS_MAX]; /* all are bound before the first is let go, so that none is given twice */
    for (size_t i = 0; i < n; i++) {
        links[i].listener = bound(&links[i].port);
        if (listen(links[i].listener, 4))
            die("listen");
        reserved[i] = bound(&links[i].relay_port);
    }
    for (size_t i = 0; i < n; i++)
        close(reserved[i]);
}

static struct tfl_links *carry(struct tfl_loop *loop, const struct link *links, size_t n)
{
    struct tfl_links *table = tfl_links_new(loop, 1, NULL);
    struct tfl_error err;
    for (size_t i = 0; i < n; i++) {
        char from[32];
        snprintf(from, sizeof from, "n%zu", i);
        if (tfl_links_edge(table, from, "hub", links[i].relay_port, NULL, links[i].port, &err)) {
            fprintf(stderr, "%s\n", err.msg);
            exit(1);
        }
    }
    return table;
}

static int64_t shape_all(struct tfl_links *table, const struct tfl_relay_policy *policy)
{
    struct tfl_links_rule *rules = tfl_alloc(sizeof *rules);
    rules->from.except = rules->to.except = true;
    return tfl_links_fault(table, rules, 1, policy);
}

/* The child: relays for all links under one policy, until it is killed. */
static pid_t relays(const struct link *links, size_t n, int64_t latency_ns)
{
    pid_t pid = fork();
    if (pid)
        return pid;
    struct tfl_loop *loop = tfl_loop_new(NULL);
    struct tfl_relay_policy policy = {.latency_ns = latency_ns};
    bool never = false;
    shape_all(carry(loop, links, n), &policy);
    tfl_loop_run(loop, &never);
    _exit(0);
}

static double cpu_of(pid_t pid)
{
    struct rusage usage;
    int status;
    kill(pid, SIGKILL);
    if (wait4(pid, &status, 0, &usage) < 0)
        die("wait4");
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* Microseconds of n messages, one after the other. */
static void one_way(const struct link *link, double *out, size_t n, unsigned pause_us)
{
    char message[MESSAGE] = {0};
    for (size_t i = 0; i < n; i++) {
        double from = now_us();
        if (send(link->dialer, message, sizeof message, 0) != MESSAGE ||
            recv(link->taken, message, sizeof message, MSG_WAITALL) != MESSAGE)
            die("message");
        out[i] = now_us() - from;
        if (pause_us)
            usleep(pause_us);
    }
}

static void added(size_t n)
{
    struct link straight = {0}, through = {0};
    double *a = tfl_alloc(n * sizeof *a), *b = tfl_alloc(n * sizeof *b);
    make_listeners(&straight, 1);
    make_listeners(&through, 1);
    pid_t pid = relays(&through, 1, 0);
    connect_link(&straight, straight.port);
    connect_link(&through, through.relay_port);
    one_way(&straight, a, n, 100);
    one_way(&through, b, n, 100);
    cpu_of(pid);
    printf("straight_p50_us=%.1f\nthrough_p50_us=%.1f\n", quantile(a, n, 0.5), quantile(b, n, 0.5));
    free(a);
    free(b);
}

static void nothing(struct tfl_timer *timer)
{
    (void)timer;
}

/* Microseconds until a timer of so many fires when nothing else is done: the host's own lateness. */
static double timer_us(struct tfl_loop *loop, double us)
{
    struct tfl_timer timer = {0};
    double from = now_us();
    for (tfl_timer_start(loop, &timer, tfl_now(loop) + (int64_t)(us * 1e3), nothing);
         tfl_timer_started(&timer);)
        tfl_loop_turn(loop, true);
    return now_us() - from;
}

static void delay(double ms, size_t n)
{
    struct link link = {0};
    struct tfl_loop *loop = tfl_loop_new(NULL);
    double *a = tfl_alloc(n * sizeof *a), *host = tfl_alloc(n * sizeof *host);
    make_listeners(&link, 1);
    pid_t pid = relays(&link, 1, (int64_t)(ms * 1e6));
    connect_link(&link, link.relay_port);
    for (size_t i = 0; i < n; i++) { /* in turns: the host's own lateness comes and goes */
        one_way(&link, &a[i], 1, 500);
        host[i] = timer_us(loop, ms * 1e3);
    }
    cpu_of(pid);
    printf("p50_ms=%.3f\n", quantile(a, n, 0.5) / 1e3);
    printf("p99_ms=%.3f\nleast_ms=%.3f\n", quantile(a, n, 0.99) / 1e3, a[0] / 1e3);
    printf("host_p99_ms=%.3f\n", quantile(host, n, 0.99) / 1e3);
    tfl_loop_free(loop);
    free(a);
    free(host);
}

static void shaped(size_t n, double seconds)
{
    static struct link links[LINKS_MAX];
    char message[MESSAGE] = {0}, sink[65536];
    make_listeners(links, n);
    pid_t pid = relays(links, n, 10 * TFL_MS);
    for (size_t i = 0; i < n; i++)
        connect_link(&links[i], links[i].relay_port);
    double from = now_us(), next = from;
    size_t got = 0, sent = 0;
    while (now_us() - from < seconds * 1e6) {
        for (size_t i = 0; i < n; i++) {
            sent += send(links[i].dialer, message, sizeof message, 0) > 0;
            sent += send(links[i].taken, message, sizeof message, 0) > 0;
            ssize_t a = recv(links[i].dialer, sink, sizeof sink, MSG_DONTWAIT);
            ssize_t b = recv(links[i].taken, sink, sizeof sink, MSG_DONTWAIT);
            got += (size_t)((a > 0 ? a : 0) + (b > 0 ? b : 0)) / MESSAGE;
        }
        next += 20000;
        double left = next - now_us();
        if (left > 0)
            usleep((useconds_t)left);
    }
    double took = (now_us() - from) / 1e6;
    printf("cpu=%.4f\nsent=%zu\npassed=%zu\n", cpu_of(pid) / took, sent, got);
}

/* Connects a link whose relay turns on this process's loop. */
static void connect_here(struct tfl_loop *loop, struct link *link)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(link->relay_port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    double end = now_us() + 5e6;
    link->dialer = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(link->dialer, (struct sockaddr *)&to, sizeof to))
        die("connect");
    while ((link->taken = accept4(link->listener, NULL, NULL, SOCK_NONBLOCK)) < 0) {
        if (now_us() > end)
            die("accept");
        tfl_loop_turn(loop, false);
    }
}

/* A message each way in each link; then the relays have a while to pass them on. */
static void talk(struct tfl_loop *loop, const struct link *links, size_t n)
{
    static const char message[MESSAGE];
    for (size_t i = 0; i < n; i++)
        if (send(links[i].dialer, message, MESSAGE, 0) != MESSAGE ||
            send(links[i].taken, message, MESSAGE, 0) != MESSAGE)
            die("message");
    for (double end = now_us() + 2000; now_us() < end;)
        tfl_loop_turn(loop, false);
}

/* A fault that is in force when the call returns lets no byte through after it. What was on its way is withheld, too. */
static void check_cut(const struct tfl_links *table, int64_t id, size_t n)
{
    struct tfl_relay_counts counts;
    if (!tfl_links_counts(table, id, &counts, NULL) && !counts.bytes && counts.withheld >= 2 * MESSAGE * n)
        return;
    fprintf(stderr, "a cut let %llu bytes through and withheld %llu of %zu\n",
        (unsigned long long)counts.bytes, (unsigned long long)counts.withheld, 2 * MESSAGE * n);
    exit(1);
}

static void fault(size_t n, size_t rounds)
{
    static struct link links[LINKS_MAX];
    struct tfl_loop *loop = tfl_loop_new(NULL);
    struct tfl_relay_policy cut = {.cut = true};
    double *made = tfl_alloc(rounds * sizeof *made), *healed = tfl_alloc(rounds * sizeof *healed);
    make_listeners(links, n);
    struct tfl_links *table = carry(loop, links, n);
    for (size_t i = 0; i < n; i++)
        if (fcntl(links[i].listener, F_SETFL, O_NONBLOCK))
            die("listener");
    for (size_t round = 0; round < rounds; round++) {
        for (size_t i = 0; i < n; i++)
            connect_here(loop, &links[i]);
        talk(loop, links, n);
        double from = now_us();
        int64_t id = shape_all(table, &cut);
        made[round] = now_us() - from;
        talk(loop, links, n);
        check_cut(table, id, n);
        from = now_us();
        tfl_links_heal(table, id, NULL, NULL);
        healed[round] = now_us() - from;
        for (size_t i = 0; i < n; i++) {
            close(links[i].dialer);
            close(links[i].taken);
        }
    }
    printf("cut_p99_ms=%.3f\n", quantile(made, rounds, 0.99) / 1e3);
    printf("heal_p50_ms=%.3f\n", quantile(healed, rounds, 0.5) / 1e3);
    printf("heal_p99_ms=%.3f\n", quantile(healed, rounds, 0.99) / 1e3);
    tfl_links_free(table);
    tfl_loop_free(loop);
    free(made);
    free(healed);
}

/* The same connection dialled by this process, a node's: the inbound relay has to find that out. */
static void dial(size_t n)
{
    struct link links[2] = {0};
    struct tfl_loop *loop = tfl_loop_new(NULL);
    double *took[2] = {tfl_alloc(n * sizeof(double)), tfl_alloc(n * sizeof(double))};
    make_listeners(links, 2);
    struct tfl_links *table = carry(loop, links, 1);
    if (tfl_links_inbound(table, "hub", links[1].relay_port, links[1].port, NULL))
        die("inbound");
    tfl_links_process(table, "n1", getpid());
    for (size_t i = 0; i < 2; i++)
        if (fcntl(links[i].listener, F_SETFL, O_NONBLOCK))
            die("listener");
    for (size_t i = 0; i < 2 * n; i++) {
        struct link *link = &links[i % 2];
        double from = now_us();
        connect_here(loop, link);
        took[i % 2][i / 2] = now_us() - from;
        close(link->dialer);
        close(link->taken);
        for (double end = now_us() + 200; now_us() < end;)
            tfl_loop_turn(loop, false);
    }
    static const char *const names[] = {"edge", "inbound"};
    for (size_t i = 0; i < 2; i++) {
        printf("%s_p50_us=%.1f\n", names[i], quantile(took[i], n, 0.5));
        printf("%s_p99_us=%.1f\n", names[i], quantile(took[i], n, 0.99));
        free(took[i]);
    }
    tfl_links_free(table);
    tfl_loop_free(loop);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (argc == 3 && !strcmp(argv[1], "added"))
        added(strtoul(argv[2], NULL, 10));
    else if (argc == 4 && !strcmp(argv[1], "delay"))
        delay(strtod(argv[2], NULL), strtoul(argv[3], NULL, 10));
    else if (argc == 4 && !strcmp(argv[1], "shaped") && strtoul(argv[2], NULL, 10) <= LINKS_MAX)
        shaped(strtoul(argv[2], NULL, 10), strtod(argv[3], NULL));
    else if (argc == 4 && !strcmp(argv[1], "fault") && strtoul(argv[2], NULL, 10) <= LINKS_MAX)
        fault(strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10));
    else if (argc == 3 && !strcmp(argv[1], "dial"))
        dial(strtoul(argv[2], NULL, 10));
    else
        return 2;
    return 0;
}
