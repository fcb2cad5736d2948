/* Links of nodes that share one address: real processes dial one port, each obeys the faults of its own link. */
#include "links_world.h"

#include <signal.h>
#include <sys/wait.h>

enum how {
    PLAIN,
    MAPPED,
    BY_CHILD
}; /* MAPPED: an IPv6 socket; BY_CHILD: a child of it dials, in a group of its own */

static int dial_mapped(uint16_t port)
{
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    inet_pton(AF_INET6, "::ffff:127.0.0.1", &to.sin6_addr);
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return connect(fd, (struct sockaddr *)&to, sizeof to) ? -1 : fd;
}

/* A process that dials, says its byte, and then says back what it hears, until it is killed. */
static pid_t dialler(struct cluster *c, enum how how, char byte)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid)
        return pid;
    close_range(3, ~0U, 0); /* of the relays: else their resets would wait for this process */
    if (how == BY_CHILD) {
        pid_t child = fork();
        if (child) {
            waitpid(child, NULL, 0);
            _exit(0);
        }
        setpgid(0, 0);
        alarm(20); /* whatever happens */
    }
    struct sockaddr_in to = here(c->port);
    int fd = how == MAPPED ? dial_mapped(c->port) : socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (how != MAPPED && connect(fd, (struct sockaddr *)&to, sizeof to))
        _exit(1);
    for (ssize_t n = 1; n > 0; n = recv(fd, &byte, 1, 0))
        if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1)
            break;
    _exit(0);
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static int64_t cut_from(struct cluster *c, const char *name)
{
    struct tfl_links_rule *rules = calloc(1, sizeof *rules);
    struct tfl_relay_policy cut = {.cut = true};
    rules->from = (struct tfl_links_set){.names = calloc(1, sizeof(char *)), .n = 1};
    rules->from.names[0] = tfl_strdup(name);
    rules->to.except = true;
    return tfl_links_fault(c->links, rules, 1, &cut);
}

static struct tfl_links_inbound_view seen(struct cluster *c)
{
    struct tfl_links_inbound_view view;
    tfl_links_inbound_view(c->links, 0, &view);
    return view;
}

static int setup(void **state)
{
    struct cluster *c = cluster_new();
    assert_int_equal(tfl_links_inbound(c->links, "node-0", c->port, c->w->target, NULL), 0);
    *state = c;
    return 0;
}

/* Takes the connection of a dialler and hears its byte. */
static void hears(struct cluster *c, char byte)
{
    char text[2] = {byte};
    if (c->w->taken >= 0)
        close(c->w->taken);
    c->w->taken = take_connection(c->w, 5000);
    assert_true(c->w->taken >= 0);
    expect_text(c->w, c->w->taken, text);
}

static void refused_soon(struct cluster *c, int64_t id, uint64_t n)
{
    struct tfl_relay_counts counts = {0};
    for (int64_t late = tfl_now(c->w->loop) + 5 * TFL_S; counts.refused < n && tfl_now(c->w->loop) < late;) {
        pass(c->w->loop, 2);
        assert_int_equal(tfl_links_counts(c->links, id, &counts, NULL), 0);
    }
    assert_int_equal(counts.refused, n);
}

static void each_obeys_its_own_link(struct cluster *c, enum how how)
{
    char byte;
    pid_t one = dialler(c, how, '1');
    tfl_links_process(c->links, "node-1", one);
    hears(c, '1');
    int first = c->w->taken;
    c->w->taken = -1;
    pid_t two = dialler(c, how, '2');
    tfl_links_process(c->links, "node-2", two);
    hears(c, '2');
    assert_int_equal(tfl_links_n_edges(c->links), 2);
    int64_t id = cut_from(c, "node-1");
    say(first, "x"); /* this way is open, the echo is not */
    say(c->w->taken, "y");
    expect_text(c->w, c->w->taken, "y");
    assert_int_equal(hear(c->w, first, &byte, 1, 80), -2);
    struct tfl_relay_counts counts;
    assert_int_equal(tfl_links_heal(c->links, id, &counts, NULL), 0);
    assert_int_equal(counts.withheld, 1);
    assert_int_equal(hear(c->w, first, &byte, 1, 2000), -1);
    assert_int_equal(seen(c).unknown, 0);
    close(first);
    end(one);
    end(two);
}

static void each_process_obeys_the_faults_of_its_link(void **state)
{
    each_obeys_its_own_link(*state, PLAIN);
}

static void so_does_an_ipv6_socket(void **state)
{
    each_obeys_its_own_link(*state, MAPPED);
}

static void so_does_a_child_in_another_group(void **state)
{
    each_obeys_its_own_link(*state, BY_CHILD);
}

static void a_first_dial_under_a_cut_is_held(void **state)
{
    struct cluster *c = *state;
    int64_t id = cut_from(c, "node-1");
    pid_t pid = dialler(c, PLAIN, '1');
    tfl_links_process(c->links, "node-1", pid);
    refused_soon(c, id, 1);
    assert_int_equal(take_connection(c->w, 50), -1);
    end(pid);
    pid = dialler(c, PLAIN, '2'); /* a restart: another process, the same node */
    tfl_links_process(c->links, "node-1", pid);
    refused_soon(c, id, 2);
    assert_int_equal(tfl_links_n_edges(c->links), 1);
    assert_int_equal(tfl_links_heal(c->links, id, NULL, NULL), 0);
    assert_int_equal(take_connection(c->w, 50), -1);
    end(pid);
    pid = dialler(c, PLAIN, '3');
    tfl_links_process(c->links, "node-1", pid);
    hears(c, '3');
    end(pid);
}

static void what_no_node_dials_is_passed_on(void **state)
{
    struct cluster *c = *state;
    int64_t id = cut_from(c, "node-1");
    tfl_links_process(c->links, "node-1", 0);
    c->w->dialer = dial_port(c->port); /* by this process */
    say(c->w->dialer, "x");
    hears(c, 'x');
    assert_int_equal(seen(c).unknown, 1);
    assert_int_equal(seen(c).unshaped[0].bytes, 1);
    assert_int_equal(tfl_links_n_edges(c->links), 0);
    assert_int_equal(tfl_links_heal(c->links, id, NULL, NULL), 0);
}

static void a_node_told_late_is_found(void **state)
{
    struct cluster *c = *state;
    int64_t id = cut_from(c, "node-1");
    c->w->dialer = dial_port(c->port);
    while (!seen(c).waiting)
        tfl_loop_turn(c->w->loop, false);
    tfl_links_process(c->links, "node-1", getpid());
    refused_soon(c, id, 1);
    assert_int_equal(seen(c).unknown, 0);
}

static void what_is_gone_leaks_nothing_through_a_cut(void **state)
{
    struct cluster *c = *state;
    cut_from(c, "node-1");
    int fd = dial_port(c->port);
    say(fd, "secret");
    close(fd);
    assert_int_equal(take_connection(c->w, 80), -1);
    assert_int_equal(seen(c).dropped, 1);
}

static void a_node_that_dials_itself_is_no_link(void **state)
{
    struct cluster *c = *state;
    cut_from(c, "node-0");
    tfl_links_process(c->links, "node-0", getpid());
    c->w->dialer = dial_port(c->port);
    say(c->w->dialer, "x");
    hears(c, 'x');
    assert_int_equal(seen(c).unknown, 0);
    assert_int_equal(tfl_links_n_edges(c->links), 0);
}

static void one_node_has_one_port(void **state)
{
    struct cluster *c = *state;
    struct tfl_error err;
    assert_int_equal(tfl_links_inbound(c->links, "node-0", c->port, c->w->target, &err), 0);
    assert_int_equal(tfl_links_inbound(c->links, "node-0", free_port(), c->w->target, &err), -1);
    assert_int_equal(err.code, TFL_E_STATE);
    assert_int_equal(tfl_links_inbound(c->links, "node-5", c->port, c->w->target, &err), -1);
    assert_int_equal(err.code, TFL_E_CONNECT);
    assert_non_null(strstr(err.msg, "node-5"));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {TEST(each_process_obeys_the_faults_of_its_link),
        TEST(so_does_an_ipv6_socket), TEST(so_does_a_child_in_another_group),
        TEST(a_first_dial_under_a_cut_is_held), TEST(what_no_node_dials_is_passed_on),
        TEST(a_node_told_late_is_found), TEST(what_is_gone_leaks_nothing_through_a_cut),
        TEST(a_node_that_dials_itself_is_no_link), TEST(one_node_has_one_port)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
