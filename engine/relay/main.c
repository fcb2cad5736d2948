/* tfl-relay: the links between the nodes of a cluster, where tfl itself is not between them. */
#include "base/log.h"
#include "proc/spawn.h"
#include "relay/control.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] = "usage: tfl-relay --host ADDRESS --port PORT [--seed N]\n";
static const char help[] =
    "\nRelays in the links between nodes, which tfl can cut and shape. tfl runs it in a pod of its own.\n"
    "\n"
    "  --host ADDRESS  the literal address of this host where it is asked by HTTP, and where its relays "
    "listen\n"
    "  --port PORT     where it is asked; 0: any free one\n"
    "  --seed N        draws of jitter and loss come of it (0)\n"
    "  --version       print the version, end\n"
    "  --help          print this, end\n"
    "\n"
    "SIGTERM and SIGINT end it with status 0; all connections are reset then. TFL_LOG=info has it tell of "
    "faults.\n";

struct process {
    struct tfl_signal term, interrupt;
    bool stop;
};

/* A whole number of 0 to max; false after a message. */
static bool number(const char *option, const char *text, uint64_t max, uint64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 10);
    if (!errno && !*end && *text >= '0' && *text <= '9' && *out <= max)
        return true;
    fprintf(stderr, "tfl-relay: --%s %s: a number from 0 to %llu was expected\n", option, text,
        (unsigned long long)max);
    return false;
}

/* −1: go on; else the status to end with. */
static int parse(struct tfl_control_config *config, int argc, char **argv)
{
    static const struct option longs[] = {{"host", required_argument, NULL, 'l'},
        {"port", required_argument, NULL, 'p'}, {"seed", required_argument, NULL, 's'},
        {"version", no_argument, NULL, 'v'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    const char *host = NULL;
    uint64_t port = UINT64_MAX;
    struct tfl_error err;
    int c;
    while ((c = getopt_long(argc, argv, "hv", longs, NULL)) != -1) {
        switch (c) {
        case 'l':
            host = optarg;
            break;
        case 'p':
            if (!number("port", optarg, UINT16_MAX, &port))
                return 2;
            break;
        case 's':
            if (!number("seed", optarg, UINT64_MAX, &config->seed))
                return 2;
            break;
        case 'v':
            printf("tfl-relay %s\n", TFL_VERSION);
            return 0;
        case 'h':
            printf("%s%s", usage, help);
            return 0;
        default:
            fputs(usage, stderr);
            return 2;
        }
    }
    if (optind != argc || !host || port > UINT16_MAX) {
        fputs(usage, stderr);
        return 2;
    }
    if (!tfl_addr_make(&config->addr, host, (uint16_t)port, &err) && config->addr.kind != TFL_ADDR_NAME)
        return -1;
    fprintf(stderr, "tfl-relay: --host %s: a literal address of this host was expected\n", host);
    return 2;
}

static void on_term(struct tfl_signal *signal)
{
    TFL_CONTAINER(signal, struct process, term)->stop = true;
}

static void on_interrupt(struct tfl_signal *signal)
{
    TFL_CONTAINER(signal, struct process, interrupt)->stop = true;
}

static int serve(struct tfl_control_config *config, struct tfl_error *err)
{
    struct process p = {0};
    char at[TFL_ADDR_TEXT];
    config->loop = tfl_loop_new(err);
    if (!config->loop)
        return -1;
    struct tfl_control *control = tfl_control_new(config, err);
    int failed = !control || tfl_signal_start(config->loop, &p.term, SIGTERM, on_term, err) ||
                 tfl_signal_start(config->loop, &p.interrupt, SIGINT, on_interrupt, err);
    if (!failed) {
        printf("listens at %s\n", tfl_addr_text(tfl_control_addr(control), at));
        fflush(stdout);
        tfl_loop_run(config->loop, &p.stop);
    }
    tfl_control_free(control);
    tfl_signal_stop(config->loop, &p.term);
    tfl_signal_stop(config->loop, &p.interrupt);
    tfl_loop_free(config->loop);
    return failed ? -1 : 0;
}

int main(int argc, char **argv)
{
    struct tfl_control_config config = {0};
    struct tfl_error err;
    signal(SIGPIPE, SIG_IGN);
    tfl_log_program("tfl-relay");
    tfl_raise_fd_limit();
    int status = parse(&config, argc, argv);
    if (status < 0)
        status = tfl_log_configure(getenv("TFL_LOG"), &err) || serve(&config, &err) ? 1 : 0;
    else
        return status;
    if (status)
        fprintf(stderr, "tfl-relay: %s\n", err.msg);
    return status;
}
