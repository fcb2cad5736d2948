/* tfl-relay's API, over real sockets: what it is asked for twice it does once, and what it does not understand it refuses. */
#include "../net/relay_world.h"

#include "relay/control.h"

#include <stdio.h>
#include <time.h>

struct api {
    struct relay_world *w; /* its listener is node-0 */
    struct tfl_control *control;
    uint16_t port;
    char *answer; /* the last one, whole */
};

#define RULES                                                                                                \
    "\"rules\":[{\"from\":{\"names\":[\"node-1\"]},\"to\":{\"names\":[],\"except\":true}},"                  \
    "{\"from\":{\"names\":[\"node-0\"]},\"to\":{\"names\":[\"node-1\"],\"except\":false}}]"
#define CUT "{" RULES ",\"cut\":true}"

static int setup(void **state)
{
    struct api *a = calloc(1, sizeof *a);
    a->w = relay_world();
    struct tfl_control_config config = {.loop = a->w->loop, .addr = any_port(), .seed = 5};
    a->control = tfl_control_new(&config, NULL);
    assert_non_null(a->control);
    a->port = free_port();
    *state = a;
    return 0;
}

static int teardown(void **state)
{
    struct api *a = *state;
    tfl_control_free(a->control);
    relay_world_end(a->w);
    free(a->answer);
    free(a);
    return 0;
}

/* One request on a connection of its own; gives the status. */
static int ask(struct api *a, const char *method, const char *path, const char *body)
{
    char chunk[4096];
    TFL_BUF got = {0};
    int fd = connect_plain(tfl_control_addr(a->control)), status = 0;
    TFL_FREE char *text =
        tfl_sprintf("%s %s HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: %zu\r\n\r\n%s", method,
            path, strlen(body), body);
    say(fd, text);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    for (ssize_t n; (n = hear(a->w, fd, chunk, sizeof chunk, 3000)) > 0;)
        tfl_buf_add(&got, chunk, (size_t)n);
    close(fd);
    assert_non_null(got.data);
    assert_int_equal(sscanf(got.data, "HTTP/1.1 %d", &status), 1);
    free(a->answer);
    a->answer = tfl_strdup(strstr(got.data, "\r\n\r\n") + 4);
    return status;
}

static void answers(
    struct api *a, int status, const char *method, const char *path, const char *body, const char *part)
{
    int got = ask(a, method, path, body);
    if (got != status || !strstr(a->answer, part))
        fail_msg(
            "%s %s %.200s: wanted %d with %s, got %d %s", method, path, body, status, part, got, a->answer);
}

static char *edge_text(const struct api *a, const char *from, uint16_t listen, const char *host)
{
    return tfl_sprintf(
        "{\"edges\":[{\"from\":\"%s\",\"to\":\"node-0\",\"listen\":%d,\"host\":\"%s\",\"port\":%d}]}", from,
        listen, host, a->w->target);
}

static void edge(struct api *a, const char *from, uint16_t listen)
{
    TFL_FREE char *text = edge_text(a, from, listen, "127.0.0.1");
    assert_int_equal(ask(a, "PUT", "/edges", text), 200);
}

/* Does a byte pass from one socket to the other? */
static bool passes(struct api *a, int from, int to)
{
    char byte;
    return send(from, "x", 1, MSG_NOSIGNAL) == 1 && hear(a->w, to, &byte, 1, 80) == 1;
}

static void up(struct api *a)
{
    a->w->dialer = dial_port(a->port);
    a->w->taken = take_connection(a->w, 2000);
    assert_true(a->w->taken >= 0);
}

static void a_cut_is_in_force_when_it_answers_and_its_counts_stay(void **state)
{
    struct api *a = *state;
    edge(a, "node-1", a->port);
    edge(a, "node-1", a->port);
    up(a);
    assert_true(passes(a, a->w->dialer, a->w->taken));
    answers(a, 200, "PUT", "/faults/1", CUT, "\"in_force\":true");
    assert_false(passes(a, a->w->dialer, a->w->taken));
    assert_false(passes(a, a->w->taken, a->w->dialer));
    answers(
        a, 200, "PUT", "/faults/1", CUT, "\"withheld\":2"); /* the answer was lost: nothing is done again */
    answers(
        a, 200, "GET", "/faults/1", "", "\"withheld\":2,\"connections\":0,\"refused\":0,\"in_force\":true");
    answers(a, 200, "DELETE", "/faults/1", "",
        "\"withheld\":2,\"connections\":0,\"refused\":0,\"in_force\":false");
    close(a->w->dialer);
    close(a->w->taken);
    up(a);
    answers(a, 200, "PUT", "/faults/1", CUT, "\"in_force\":false"); /* it comes late */
    assert_true(passes(a, a->w->dialer, a->w->taken));
    answers(a, 200, "DELETE", "/faults/1", "", "\"withheld\":2");
    answers(a, 200, "GET", "/health", "", "{\"edges\":1,\"faults\":1,\"stalls\":[]}");
    answers(a, 200, "GET", "/edges", "",
        "{\"edges\":[{\"from\":\"node-1\",\"to\":\"node-0\",\"host\":\"127.0.0.1\",");
}

static void an_edge_that_comes_later_obeys(void **state)
{
    struct api *a = *state;
    answers(a, 200, "PUT", "/faults/7", CUT, "\"in_force\":true");
    edge(a, "node-1", a->port);
    a->w->dialer = dial_port(a->port);
    assert_int_equal(take_connection(a->w, 80), -1);
    answers(a, 200, "DELETE", "/faults/7", "", "\"refused\":1");
}

static void a_shape_is_seen(void **state)
{
    struct api *a = *state;
    char byte;
    edge(a, "node-1", a->port);
    up(a);
    answers(a, 200, "PUT", "/faults/1", "{" RULES ",\"latency\":0.05,\"jitter\":0,\"rate\":1e9,\"loss\":0}",
        "\"bytes\":0");
    int64_t from = tfl_now(a->w->loop);
    say(a->w->dialer, "x");
    assert_int_equal(hear(a->w, a->w->taken, &byte, 1, 2000), 1);
    assert_true(tfl_now(a->w->loop) - from >= 50 * TFL_MS);
    answers(a, 200, "DELETE", "/faults/1", "", "\"delayed\":1");
}

static void what_it_does_not_understand_is_refused(void **state)
{
    struct api *a = *state;
    static const struct {
        int status;
        const char *method, *path, *body, *part;
    } cases[] = {
        {404, "GET", "/nothing", "", "GET /health"},
        {404, "POST", "/edges", "{}", "PUT /edges"},
        {400, "PUT", "/faults/0", CUT, "the number of a fault"},
        {400, "PUT", "/faults/1x", CUT, "the number of a fault"},
        {400, "PUT", "/faults/99999999999999999999", CUT, "the number of a fault"},
        {404, "GET", "/faults/1", "", "no fault of that number"},
        {404, "DELETE", "/faults/1", "", "no fault of that number"},
        {405, "POST", "/faults/1", CUT, "PUT, GET or DELETE"},
        {400, "PUT", "/faults/1", "", "not JSON"},
        {400, "PUT", "/faults/1", "[]", "one object"},
        {400, "PUT", "/faults/1", "{} x", "not JSON"},
        {400, "PUT", "/faults/1", "{\"rules\":[[[[[[[[[]]]]]]]]]}", "not JSON: nesting too deep"},
        {400, "PUT", "/faults/1", "{}", "rules: expected a list, saw nothing"},
        {400, "PUT", "/faults/1", "{\"rules\":[],\"cat\":true}", "cat: no such member"},
        {400, "PUT", "/faults/1", "{\"rules\":[],\"cut\":1}", "cut: expected true or false, saw 1"},
        {400, "PUT", "/faults/1", "{\"rules\":[],\"loss\":1}",
            "loss: expected a number from 0 to 0.99, saw 1"},
        {400, "PUT", "/faults/1", "{\"rules\":[],\"latency\":\"1\"}", "latency: expected a number"},
        {400, "PUT", "/faults/1", "{\"rules\":[],\"latency\":-1}", "latency: expected a number"},
        {400, "PUT", "/faults/1", "{\"rules\":[{\"from\":{\"names\":[\"a\"]},\"to\":{\"names\":[\"\"]}}]}",
            "rules[0]: to: names: expected some text"},
        {400, "PUT", "/faults/1", "{\"rules\":[{\"from\":[\"a\"]}]}", "rules[0]: from: expected"},
        {400, "PUT", "/edges",
            "{\"edges\":[{\"from\":\"a\",\"to\":\"b\",\"host\":\"127.0.0.1\",\"listen\":0}]}",
            "edges[0]: listen: expected a port, saw 0"},
        {400, "PUT", "/edges", "{\"edges\":[{\"from\":\"a\"}]}", "edges[0]: to: expected some text"},
        {400, "PUT", "/edges",
            "{\"edges\":[{\"from\":\"a\",\"to\":\"b\",\"host\":\"node-0\",\"listen\":9,\"port\":9}]}",
            "node-0"},
    };
    for (size_t i = 0; i < TFL_LEN(cases); i++)
        answers(a, cases[i].status, cases[i].method, cases[i].path, cases[i].body, cases[i].part);
    answers(a, 200, "GET", "/health", "", "{\"edges\":0,\"faults\":0,");
}

static void what_is_there_already_is_not_changed(void **state)
{
    struct api *a = *state;
    TFL_FREE char *other = edge_text(a, "node-1", free_port(), "127.0.0.1");
    TFL_FREE char *elsewhere = edge_text(a, "node-1", a->port, "127.0.0.2");
    TFL_FREE char *taken = edge_text(a, "node-2", a->port, "127.0.0.1");
    edge(a, "node-1", a->port);
    answers(a, 409, "PUT", "/edges", other, "the link from node-1 to node-0 is there already");
    answers(a, 409, "PUT", "/edges", elsewhere, "the link from node-1 to node-0 is there already");
    answers(a, 409, "PUT", "/edges", taken, "node-2");
    answers(a, 200, "PUT", "/faults/3", CUT, "true");
    answers(a, 409, "PUT", "/faults/3", "{" RULES "}", "another fault of that number");
}

static void it_tells_that_it_stood_still(void **state)
{
    struct api *a = *state;
    struct timespec second = {.tv_sec = 1, .tv_nsec = 300000000};
    pass(a->w->loop, 10);
    nanosleep(&second, NULL);
    pass(a->w->loop, 10);
    answers(a, 200, "GET", "/health", "", "\"stalls\":[{\"id\":1,\"seconds\":");
}

static void a_relay_leads_to_another_address(void **state)
{
    struct api *a = *state;
    struct sockaddr_in there = here(0);
    socklen_t len = sizeof there;
    there.sin_addr.s_addr = htonl(0x7f000009); /* 127.0.0.9, at the port that nobody has at 127.0.0.1 */
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&there, len), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&there, &len), 0);
    close(a->w->listener);
    a->w->listener = fd;
    a->w->target = ntohs(there.sin_port);
    TFL_FREE char *text = edge_text(a, "node-1", a->port, "127.0.0.9");
    assert_int_equal(ask(a, "PUT", "/edges", text), 200);
    up(a);
    assert_true(passes(a, a->w->dialer, a->w->taken));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_cut_is_in_force_when_it_answers_and_its_counts_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(an_edge_that_comes_later_obeys, setup, teardown),
        cmocka_unit_test_setup_teardown(a_shape_is_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(what_it_does_not_understand_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_there_already_is_not_changed, setup, teardown),
        cmocka_unit_test_setup_teardown(it_tells_that_it_stood_still, setup, teardown),
        cmocka_unit_test_setup_teardown(a_relay_leads_to_another_address, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
