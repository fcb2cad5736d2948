/* What scripts/bench/load.lua measures with: one core of tfl's load, without a cluster. Prints NAME=VALUE lines.
 *   bench_load body                        a signed transaction as it is posted, on stdout
 *   bench_load post URL SECONDS LANES      as fast as it can, transactions signed beforehand
 *   bench_load pace URL RATE SECONDS       at a rate, signing on the way: how late it is
 *   bench_load timer RATE SECONDS          how late the host fires a timer when nothing else is done
 *   bench_load follow N                    memory of N transactions on a chain, all final */
#include "chain/keys.h"
#include "load/load.h"
#include "load/wallet_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WALLETS = 50, SAMPLES = 20000, PER_BLOCK = 1000 };

static struct tfl_loop *loop;
static struct tfl_wallet wallets[WALLETS], *list[WALLETS];
static struct tfl_wallet_source signer = {.wallets = list, .n = WALLETS, .amount = 1};

static void make_wallets(void)
{
    tfl_chain_init();
    for (size_t i = 0; i < WALLETS; i++) {
        list[i] = &wallets[i];
        tfl_wallet_init(&wallets[i], 1, i);
        struct tfl_note note = {.value = 1000000000};
        memset(&note.id, (int)i + 1, 31);
        memcpy(note.pk, wallets[i].key.pub, sizeof note.pk);
        tfl_wallet_receive(&wallets[i], &note);
    }
    tfl_wallet_source_init(&signer);
}

static void die(const struct tfl_error *err)
{
    fprintf(stderr, "bench_load: %s\n", err->msg);
    exit(1);
}

static void check(int result, const struct tfl_error *err)
{
    if (result)
        die(err);
}

/* Transactions signed beforehand: SAMPLES bodies in turn (the server looks at none), a hash of its own for each intent. */
static struct tfl_buf bodies[SAMPLES];

static int from_store(struct tfl_load_source *source, uint64_t i, struct tfl_buf *body, struct tfl_hash *hash,
    struct tfl_error *err)
{
    (void)source;
    (void)err;
    tfl_buf_add(body, bodies[i % SAMPLES].data, bodies[i % SAMPLES].len);
    memset(hash, 1, sizeof *hash);
    tfl_put_le(hash->b, (i + 1) * 0x9e3779b97f4a7c15u, 8);
    return 0;
}

static double sign_samples(void)
{
    struct tfl_error err;
    struct tfl_hash hash;
    int64_t from = tfl_now(loop);
    for (size_t i = 0; i < SAMPLES; i++)
        check(signer.source.make(&signer.source, i, &bodies[i], &hash, &err), &err);
    return (double)(tfl_now(loop) - from) / 1e3 / SAMPLES;
}

static void nothing(struct tfl_timer *timer)
{
    (void)timer;
}

/* Runs until the load is over, or `seconds` have passed. */
static void run(struct tfl_load *load, double seconds)
{
    struct tfl_timer timer = {0};
    int64_t end = tfl_now(loop) + (int64_t)(seconds * 1e9);
    tfl_timer_start(loop, &timer, end, nothing);
    while (!tfl_load_reached(load, TFL_LOAD_SENT) && tfl_now(loop) < end)
        tfl_loop_turn(loop, true);
    tfl_timer_stop(loop, &timer);
}

static struct tfl_load *begin(
    const char *url, struct tfl_load_source *source, double rate, double seconds, size_t lanes)
{
    struct tfl_error err;
    struct tfl_http *http = tfl_http_new(loop, &err);
    struct tfl_client *client = http ? tfl_client_new(http, loop, "server", url, NULL, &err) : NULL;
    struct tfl_stage stage = {(int64_t)(seconds * 1e9), rate, rate};
    if (!client)
        die(&err);
    struct tfl_generator_params params = {.stages = &stage,
        .n_stages = 1,
        .targets = &client,
        .n_targets = 1,
        .source = source,
        .in_flight = lanes};
    struct tfl_load *load = tfl_load_new(loop, &params, NULL, NULL, NULL, &err);
    if (!load)
        die(&err);
    tfl_load_start(load, tfl_now(loop));
    return load;
}

static void bench_post(const char *url, double seconds, size_t lanes)
{
    struct tfl_load_source source = {.make = from_store};
    printf("sign_us=%.2f\n", sign_samples());
    struct tfl_load *load =
        begin(url, &source, 1e6, seconds, lanes); /* all that it can, and more is always due */
    int64_t from = tfl_now(loop);
    run(load, seconds);
    double took = (double)(tfl_now(loop) - from) / 1e9;
    const struct tfl_tracker_counts *c = tfl_tracker_counts(load->tracker);
    printf("rate=%.0f\naccepted=%zu\nother=%zu\n", (double)c->accepted / took, (size_t)c->accepted,
        (size_t)c->rejected + (size_t)c->unanswered);
}

static void bench_pace(const char *url, double rate, double seconds)
{
    struct tfl_load *load = begin(url, &signer.source, rate, seconds, 256);
    struct tfl_generator_figures f;
    run(load, seconds + 10);
    const struct tfl_tracker_counts *c = tfl_tracker_counts(load->tracker);
    tfl_generator_figures(load->generator, &f);
    printf("accepted=%llu\nplanned=%llu\nlag_p50_us=%.1f\nlag_p99_us=%.1f\nlag_max_us=%.1f\nsign_us=%.2f\n",
        (unsigned long long)c->accepted, (unsigned long long)f.planned,
        (double)tfl_histogram_quantile(f.lag, 0.5) / 1e3, (double)tfl_histogram_quantile(f.lag, 0.99) / 1e3,
        (double)f.lag->max / 1e3, (double)f.make_ns / 1e3 / (double)f.made);
}

static void bench_timer(double rate, double seconds)
{
    static struct tfl_histogram lag;
    struct tfl_timer timer = {0};
    int64_t from = tfl_now(loop);
    for (int64_t i = 0; (double)i < rate * seconds; i++) {
        int64_t at = from + (int64_t)((double)i / rate * 1e9);
        for (tfl_timer_start(loop, &timer, at, nothing); tfl_timer_started(&timer);)
            tfl_loop_turn(loop, true);
        tfl_histogram_add(&lag, tfl_now(loop) - at);
    }
    printf("lag_p99_us=%.1f\n", (double)tfl_histogram_quantile(&lag, 0.99) / 1e3);
}

static size_t resident_bytes(void)
{
    unsigned long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%lu %lu", &size, &resident) != 2)
        exit(1);
    fclose(file);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

static struct tfl_hash id_of(uint64_t n, uint8_t what)
{
    struct tfl_hash h;
    memset(&h, what, sizeof h);
    tfl_put_le(h.b, (n + 1) * 0x9e3779b97f4a7c15u, 8);
    return h;
}

/* Every transaction sent, accepted, in a block that the feed keeps, and final a while later. */
static void bench_follow(uint64_t n)
{
    size_t before = resident_bytes();
    struct tfl_feed_params params = {.graph.genesis = id_of(0, 2)};
    struct tfl_feed *feed = tfl_feed_new(loop, &params);
    struct tfl_graph *graph = tfl_feed_graph(feed);
    struct tfl_tracker *tracker = tfl_tracker_new();
    struct tfl_follow follow = {0};
    static struct tfl_hash txs[PER_BLOCK];
    tfl_graph_session(graph, tfl_graph_add_node(graph, "node-0"), tfl_feed_now(feed));
    tfl_follow_start(&follow, loop, feed, tracker, tfl_now(loop));
    for (uint64_t i = 0; i < n; i++) {
        uint64_t height = i / PER_BLOCK + 1;
        struct tfl_hash tx = txs[i % PER_BLOCK] = id_of(i, 3);
        tfl_tracker_plan(tracker, (int64_t)i * 1000, &tx, NULL);
        tfl_tracker_sent(tracker, i, 0, (int64_t)i * 1000);
        tfl_tracker_answered(tracker, i, TFL_TX_ACCEPTED, NULL, (int64_t)i * 1000);
        if ((i + 1) % PER_BLOCK)
            continue;
        struct tfl_hash tip = id_of(height, 2), lib = id_of(height > 30 ? height - 30 : 0, 2);
        struct tfl_block_head head = {
            .id = tip, .parent = id_of(height - 1, 2), .slot = height, .n_txs = PER_BLOCK, .txs = txs};
        tfl_graph_block(graph, 0, &head, true, tfl_feed_now(feed));
        tfl_graph_view(graph, 0, &tip, &lib, tfl_feed_now(feed));
        tfl_follow_read(&follow);
    }
    const struct tfl_tracker_counts *c = tfl_tracker_counts(tracker);
    printf("included=%llu\nfinal=%llu\n", (unsigned long long)c->included, (unsigned long long)c->final);
    printf("mb=%.1f\n", (double)(resident_bytes() - before) / 1e6);
    struct tfl_load_report *report = tfl_alloc(sizeof *report);
    int64_t from = tfl_now(loop);
    tfl_load_report(tracker, &(struct tfl_load_report_params){.end_ns = INT64_MAX / 2}, report);
    printf("report_ms=%.1f\n", (double)(tfl_now(loop) - from) / 1e6);
    tfl_load_report_done(report);
    free(report);
    tfl_follow_stop(&follow);
    tfl_tracker_free(tracker);
    tfl_feed_unref(feed);
}

int main(int argc, char **argv)
{
    struct tfl_error err;
    const char *what = argc > 1 ? argv[1] : "";
    loop = tfl_loop_new(&err);
    if (!loop)
        die(&err);
    make_wallets();
    if (!strcmp(what, "body")) {
        struct tfl_hash hash;
        check(signer.source.make(&signer.source, 0, &bodies[0], &hash, &err), &err);
        puts(bodies[0].data);
    } else if (!strcmp(what, "post") && argc == 5) {
        bench_post(argv[2], atof(argv[3]), (size_t)atoi(argv[4]));
    } else if (!strcmp(what, "pace") && argc == 5) {
        bench_pace(argv[2], atof(argv[3]), atof(argv[4]));
    } else if (!strcmp(what, "timer") && argc == 4) {
        bench_timer(atof(argv[2]), atof(argv[3]));
    } else if (!strcmp(what, "follow") && argc == 3) {
        bench_follow(strtoull(argv[2], NULL, 10));
    } else {
        fprintf(stderr, "bench_load: see the head of load_bench.c\n");
        return 2;
    }
    fflush(stdout);
    _exit(0); /* what is under way may stay under way */
}
