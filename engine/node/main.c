/* tfl-node: the embedded reference node. */
#include "chain/genesis.h"
#include "node/node.h"
#include "node/pod.h"
#include "node/store.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const char usage[] =
    "usage: tfl-node USER.yaml --deployment DEPLOYMENT.yaml [--check-config | --check-store]\n";
static const char help[] =
    "\nThe embedded reference node of tfl: real consensus, gossip and storage, few features.\n"
    "\n"
    "  --deployment FILE  what is the same on all nodes: genesis, stakes, slot duration\n"
    "  --check-config     read both files, print \"Configs are valid!\", end\n"
    "  --check-store      look whether its store is sound (no node may run on it): SQLite's integrity check, "
    "every block hashed\n"
    "                     again, parents before children; end with 0 or 1\n"
    "  --version          print the version, end\n"
    "  --help             print this, end\n"
    "\n"
    "in pods that tfl made: --signal NAME to all other processes of the pod; --sweep FOLDER removes it when "
    "told to end\n"
    "\n"
    "SIGTERM and SIGINT end it with status 0; SIGKILL costs it nothing but its last moment.\n"
    "\n"
    "for specs: --test KEY=VALUE makes a bad node of a good one; may be repeated\n";

struct options {
    const char *user, *deployment;
    const char *signal, *sweep;
    const char **tests; /* owned; borrows its strings from argv */
    size_t n_tests;
    bool check_config, check_store;
};

struct process {
    struct tfl_node node;
    struct tfl_signal term, interrupt;
};

/* −1: go on; else the status to end with. */
static int parse(struct options *o, int argc, char **argv)
{
    static const struct option longs[] = {{"deployment", required_argument, NULL, 'd'},
        {"check-config", no_argument, NULL, 'c'}, {"check-store", no_argument, NULL, 's'},
        {"signal", required_argument, NULL, 'k'}, {"sweep", required_argument, NULL, 'w'},
        {"test", required_argument, NULL, 't'}, {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    int c;
    o->tests = tfl_alloc((size_t)argc * sizeof *o->tests);
    while ((c = getopt_long(argc, argv, "hv", longs, NULL)) != -1) {
        switch (c) {
        case 'd':
            o->deployment = optarg;
            break;
        case 'c':
            o->check_config = true;
            break;
        case 's':
            o->check_store = true;
            break;
        case 'k':
            o->signal = optarg;
            break;
        case 'w':
            o->sweep = optarg;
            break;
        case 't':
            o->tests[o->n_tests++] = optarg;
            break;
        case 'v':
            printf("tfl-node %s\n", TFL_VERSION);
            return 0;
        case 'h':
            printf("%s%s%s", usage, help, tfl_node_test_help);
            return 0;
        default:
            fputs(usage, stderr);
            return 2;
        }
    }
    if (optind == argc && (o->signal || o->sweep))
        return -1;
    if (optind + 1 != argc || !o->deployment) {
        fputs(usage, stderr);
        return 2;
    }
    o->user = argv[optind];
    return -1;
}

static int read_config(struct tfl_node_config *config, const struct options *o, struct tfl_error *err)
{
    if (tfl_node_config_read(config, o->user, o->deployment, err))
        return -1;
    for (size_t i = 0; i < o->n_tests; i++)
        if (tfl_node_config_test(config, o->tests[i], err))
            return -1;
    return 0;
}

static void on_term(struct tfl_signal *signal)
{
    TFL_CONTAINER(signal, struct process, term)->node.stop = true;
}

static void on_interrupt(struct tfl_signal *signal)
{
    TFL_CONTAINER(signal, struct process, interrupt)->node.stop = true;
}

/* As many descriptors as this process may have: a node in the middle of a big star has a connection to each. */
static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return;
    limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static int run(struct process *p, struct tfl_loop *loop, const struct tfl_node_config *config,
    struct tfl_node_log *log, struct tfl_error *err)
{
    if (tfl_signal_start(loop, &p->term, SIGTERM, on_term, err) ||
        tfl_signal_start(loop, &p->interrupt, SIGINT, on_interrupt, err) ||
        tfl_node_start(&p->node, loop, config, log, err))
        return -1;
    tfl_loop_run(loop, &p->node.stop);
    tfl_node_log(log, TFL_LOG_INFO, p->node.status ? "stops after an error" : "stops: asked to");
    return 0;
}

static int serve(const struct tfl_node_config *config, struct tfl_error *err)
{
    struct process p = {0};
    struct tfl_loop *loop = tfl_loop_new(err);
    if (!loop)
        return -1;
    struct tfl_node_log *log =
        tfl_node_log_open(loop, config->level, config->log_directory, config->log_prefix, err);
    int failed = log ? run(&p, loop, config, log, err) : -1;
    if (failed && log && config->log_directory)
        tfl_node_log(log, TFL_LOG_ERROR, "%s", err->msg);
    tfl_node_done(&p.node);
    tfl_signal_stop(loop, &p.term);
    tfl_signal_stop(loop, &p.interrupt);
    tfl_node_log_close(log);
    tfl_loop_free(loop);
    return failed ? -1 : p.node.status;
}

static int check_store(const struct tfl_node_config *config, struct tfl_error *err)
{
    struct tfl_block genesis;
    uint64_t blocks = 0, txs = 0;
    tfl_genesis_block(&genesis, &config->genesis);
    struct tfl_store *store = tfl_store_open(config->base_folder, &genesis.id, err);
    int failed = store ? tfl_store_check(store, &genesis.id, &blocks, &txs, err) : -1;
    tfl_store_close(store);
    tfl_block_done(&genesis);
    if (!failed)
        printf("The store is sound: %llu blocks, %llu transactions waiting\n", (unsigned long long)blocks,
            (unsigned long long)txs);
    return failed;
}

#ifdef __SANITIZE_ADDRESS__
/* LeakSanitizer stops the world to look, which a tfl that takes many nodes down cannot wait for; the specs of this program
 * by itself look. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return getenv("TFL_RUN_ID") != NULL;
}
#endif

int main(int argc, char **argv)
{
    struct options o = {0};
    struct tfl_node_config config = {0};
    struct tfl_error err;
    signal(SIGPIPE, SIG_IGN);
    tfl_log_program("tfl-node");
    tfl_chain_init();
    raise_descriptors();
    int status = parse(&o, argc, argv);
    if (status < 0 && (o.signal || o.sweep)) {
        status = o.signal ? tfl_pod_signal(o.signal, &err) : tfl_pod_sweep(o.sweep, &err);
    } else if (status < 0) {
        status = read_config(&config, &o, &err) ? -1 : 0;
        if (!status && o.check_config)
            puts("Configs are valid!");
        else if (!status && o.check_store)
            status = check_store(&config, &err);
        else if (!status)
            status = serve(&config, &err);
    }
    if (status < 0) {
        fprintf(stderr, "tfl-node: %s\n", err.msg);
        status = 1;
    }
    tfl_node_config_done(&config);
    free(o.tests);
    return status;
}
