/* The table of links and the faults in force on them. */
#include "links_world.h"

static struct tfl_links_set set_of(bool except, const char *a, const char *b)
{
    struct tfl_links_set set = {.except = except, .names = calloc(3, sizeof(char *))};
    const char *names[] = {a, b};
    for (size_t i = 0; i < 2 && names[i]; i++)
        set.names[set.n++] = tfl_strdup(names[i]);
    return set;
}

static int64_t fault(
    struct cluster *c, struct tfl_links_set from, struct tfl_links_set to, struct tfl_relay_policy policy)
{
    struct tfl_links_rule *rules = calloc(1, sizeof *rules);
    rules->from = from;
    rules->to = to;
    return tfl_links_fault(c->links, rules, 1, &policy);
}

static int setup(void **state)
{
    struct cluster *c = cluster_new();
    assert_int_equal(tfl_links_edge(c->links, "node-1", "node-0", c->port, NULL, c->w->target, NULL), 0);
    *state = c;
    return 0;
}

static void up(struct cluster *c)
{
    if (c->w->dialer >= 0)
        close(c->w->dialer);
    if (c->w->taken >= 0)
        close(c->w->taken);
    c->w->dialer = dial_port(c->port);
    c->w->taken = take_connection(c->w, 2000);
    assert_true(c->w->taken >= 0);
}

/* Do bytes pass from one socket to the other? Those that do not are withheld. */
static bool passes(struct cluster *c, int from, int to)
{
    char byte;
    if (send(from, "x", 1, MSG_NOSIGNAL) != 1)
        return false;
    return hear(c->w, to, &byte, 1, 80) == 1;
}

static void of_two_cuts_each_holds(void **state)
{
    struct cluster *c = *state;
    struct tfl_relay_policy cut = {.cut = true};
    char byte;
    up(c);
    int64_t both = fault(c, set_of(true, NULL, NULL), set_of(true, NULL, NULL), cut);
    int64_t way = fault(c, set_of(false, "node-1", NULL), set_of(true, "node-1", NULL), cut);
    assert_false(passes(c, c->w->dialer, c->w->taken));
    assert_int_equal(tfl_links_heal(c->links, both, NULL, NULL), 0);
    assert_int_equal(
        hear(c->w, c->w->taken, &byte, 1, 2000), -1); /* the way back is open again: what was cut is reset */
    close(c->w->dialer);
    c->w->dialer = dial_port(c->port);
    assert_int_equal(take_connection(c->w, 80), -1);
    assert_int_equal(tfl_links_heal(c->links, way, NULL, NULL), 0);
    up(c);
    assert_true(passes(c, c->w->dialer, c->w->taken));
    assert_int_equal(tfl_links_heal(c->links, way, NULL, NULL), -1);
}

static void a_fault_counts_its_own_bytes(void **state)
{
    struct cluster *c = *state;
    struct tfl_relay_policy cut = {.cut = true};
    struct tfl_relay_counts counts;
    up(c);
    assert_true(passes(c, c->w->dialer, c->w->taken));
    int64_t id = fault(c, set_of(false, "node-0", NULL), set_of(false, "node-1", "node-2"), cut);
    assert_true(passes(c, c->w->dialer, c->w->taken)); /* not what it is about */
    assert_false(passes(c, c->w->taken, c->w->dialer));
    assert_int_equal(tfl_links_counts(c->links, id, &counts, NULL), 0);
    assert_int_equal(counts.withheld, 1);
    assert_int_equal(counts.bytes, 0);
    close(c->w->dialer);
    c->w->dialer = dial_port(c->port);
    pass(c->w->loop, 20);
    assert_int_equal(tfl_links_heal(c->links, id, &counts, NULL), 0);
    assert_int_equal(counts.withheld, 1);
    assert_int_equal(counts.refused, 1);
}

static void latencies_add_up(void **state)
{
    struct cluster *c = *state;
    struct tfl_relay_policy slow = {.latency_ns = 30 * TFL_MS};
    char byte;
    up(c);
    int64_t one = fault(c, set_of(true, NULL, NULL), set_of(false, "node-0", NULL), slow);
    int64_t two = fault(c, set_of(false, "node-1", NULL), set_of(true, NULL, NULL), slow);
    int64_t from = tfl_now(c->w->loop);
    say(c->w->dialer, "x");
    assert_int_equal(hear(c->w, c->w->taken, &byte, 1, 2000), 1);
    assert_true(tfl_now(c->w->loop) - from >= 60 * TFL_MS);
    assert_int_equal(tfl_links_heal(c->links, one, NULL, NULL), 0);
    assert_int_equal(tfl_links_heal(c->links, two, NULL, NULL), 0);
}

static void a_link_that_comes_later_obeys(void **state)
{
    struct cluster *c = *state;
    struct tfl_relay_policy cut = {.cut = true};
    struct tfl_relay_counts counts;
    int64_t id = fault(c, set_of(false, "node-0", NULL), set_of(true, "node-0", NULL), cut);
    uint16_t port = free_port();
    assert_int_equal(tfl_links_edge(c->links, "node-9", "node-0", port, NULL, c->w->target, NULL), 0);
    c->w->dialer = dial_port(port);
    assert_int_equal(take_connection(c->w, 80), -1);
    assert_int_equal(tfl_links_counts(c->links, id, &counts, NULL), 0);
    assert_int_equal(counts.refused, 1);
    assert_int_equal(tfl_links_n_edges(c->links), 2);
}

static void one_link_has_one_port(void **state)
{
    struct cluster *c = *state;
    struct tfl_error err;
    assert_int_equal(tfl_links_edge(c->links, "node-1", "node-0", c->port, NULL, c->w->target, &err), 0);
    assert_int_equal(tfl_links_edge(c->links, "node-1", "node-0", free_port(), NULL, c->w->target, &err), -1);
    assert_int_equal(err.code, TFL_E_STATE);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {TEST(of_two_cuts_each_holds), TEST(a_fault_counts_its_own_bytes),
        TEST(latencies_add_up), TEST(a_link_that_comes_later_obeys), TEST(one_link_has_one_port)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
