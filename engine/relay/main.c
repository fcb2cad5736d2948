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

static const char usage[] = "usage: tfl-relay --listen ADDRESS:PORT [--seed N]\n";
static const char help[] =
    "\nRelays in the links between nodes, which tfl can cut and shape. tfl runs it in a pod of its own.\n"
    "\n"
    "  --listen ADDRESS:PORT  where it is asked by HTTP, as 127.0.0.1:8080 or [::]:8080; its relays listen "
    "at that address, too\n"
    "  --seed N               draws of jitter and loss come of it (0)\n"
    "  --version              print the version, end\n"
    "  --help                 print this, end\n"
    "\n"
    "SIGTERM and SIGINT end it with status 0; all connections are reset then. TFL_LOG=info has it tell of "
    "faults.\n";

struct process {
    struct tfl_signal term, interrupt;
    bool stop;
};

/* −1: go on; else the status to end with. */
static int parse(struct tfl_control_config *config, int argc, char **argv)
{
    static const struct option longs[] = {{"listen", required_argument, NULL, 'l'},
        {"seed", required_argument, NULL, 's'}, {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    struct tfl_error err;
    char *end = NULL;
    int c;
    while ((c = getopt_long(argc, argv, "hv", longs, NULL)) != -1) {
        switch (c) {
        case 'l':
            if (tfl_addr_parse(&config->addr, optarg, &err)) {
                fprintf(stderr, "tfl-relay: --listen: %s\n", err.msg);
                return 2;
            }
            break;
        case 's':
            errno = 0;
            config->seed = strtoull(optarg, &end, 10);
            if (errno || *end || *optarg < '0' || *optarg > '9') {
                fprintf(stderr, "tfl-relay: --seed %s: a number from 0 to 2^64 - 1 was expected\n", optarg);
                return 2;
            }
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
    if (optind == argc && config->addr.host[0])
        return -1;
    fputs(usage, stderr);
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
