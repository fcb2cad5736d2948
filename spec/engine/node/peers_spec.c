#include "api_support.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/socket.h>

static void start(struct world *w, int i, int peer)
{
    struct tfl_error err;
    if (start_node(w, i, peer, &err))
        fail_msg("node %d: %s", i, err.msg);
}

static bool same_tip(struct world *w, int a, int b)
{
    struct tfl_core_info x = info_of(w, a), y = info_of(w, b);
    return tfl_hash_eq(&x.tip, &y.tip);
}

static void nodes_agree_and_late_ones_catch_up(void **state)
{
    struct world *w = *state;
    char text[TFL_ADDR_TEXT];
    start(w, 1, 0);
    UNTIL(w, info_of(w, 1).lib_height >= 4 && same_tip(w, 0, 1));
    start(w, 2, 1); /* knows node 1 alone, and nothing else */
    UNTIL(w, info_of(w, 2).height >= info_of(w, 0).height && same_tip(w, 0, 2));
    struct json_object *json = ask_json(w, 1, "/network/info");
    assert_int_equal(json_object_get_int64(at(json, "n_peers", NULL)), 2);
    assert_int_equal(json_object_get_int64(at(json, "n_connections", NULL)), 2);
    assert_int_equal(json_object_get_int64(at(json, "n_pending_connections", NULL)), 0);
    assert_string_equal(json_object_get_string(at(json, "peer_id", NULL)), w->members[1].node.peer_id);
    assert_int_equal(json_object_array_length(at(json, "connected_peers", NULL)), 2);
    assert_string_equal(
        json_object_get_string(json_object_array_get_idx(at(json, "listen_addresses", NULL), 0)),
        tfl_addr_multi(tfl_peers_addr(w->members[1].node.peers), text));
    json_object_put(json);
}

static void a_restarted_node_goes_on_where_it_was(void **state)
{
    struct world *w = *state;
    start(w, 1, 0);
    UNTIL(w, info_of(w, 1).height >= 8);
    uint64_t height = info_of(w, 1).height;
    stop_node(w, 1);
    UNTIL(w, info_of(w, 0).n_peers == 0);
    start(w, 1, 0);
    assert_true(info_of(w, 1).height >= height); /* at once, from its own disk */
    UNTIL(w, same_tip(w, 0, 1) && info_of(w, 1).height > height + 3);
}

static void a_lost_peer_is_dialled_until_it_is_back(void **state)
{
    struct world *w = *state;
    struct member *m = &w->members[0];
    start(w, 1, 0);
    UNTIL(w, info_of(w, 1).height >= 3);
    struct tfl_addr listen = *tfl_peers_addr(m->node.peers);
    stop_node(w, 0);
    UNTIL(w, info_of(w, 1).n_connections == 0);
    assert_int_equal(tfl_peers_pending(w->members[1].node.peers), 1);
    pass(w, 300);
    m->config.listen = listen; /* comes back where it was */
    start(w, 0, -1);
    int64_t begin = tfl_now(w->loop);
    UNTIL(w, info_of(w, 1).n_peers == 1);
    assert_true(tfl_now(w->loop) - begin < 600 * TFL_MS); /* the longest pause, and some */
    UNTIL(w, same_tip(w, 0, 1));
}

static void dial(struct world *w, int from, int to)
{
    char text[TFL_ADDR_TEXT];
    TFL_FREE char *body =
        tfl_sprintf("{\"addr\":\"%s\"}", tfl_addr_multi(tfl_peers_addr(w->members[to].node.peers), text));
    ask_as(w, from, NULL, "/network/dial_peer", body, NULL);
}

static void a_peer_is_dialled_on_request(void **state)
{
    struct world *w = *state;
    start(w, 1, -1);
    UNTIL(w, info_of(w, 0).height >= 3);
    assert_int_equal(info_of(w, 1).height, 0);
    dial(w, 1, 0);
    TFL_FREE char *wanted = tfl_sprintf("\"%s\"", w->members[0].node.peer_id);
    assert_int_equal(w->status, 200);
    assert_string_equal(w->body.data, wanted);
    UNTIL(w, same_tip(w, 0, 1) && info_of(w, 1).height > 3);
    dial(w, 1, 1);
    assert_int_equal(w->status, 500); /* itself */
}

/* Something that takes a connection and never speaks. */
static int silent_listener(char multi[TFL_ADDR_TEXT])
{
    struct tfl_addr any, bound;
    assert_int_equal(tfl_addr_make(&any, "127.0.0.1", 0, NULL), 0);
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_storage ss;
    socklen_t len;
    assert_int_equal(tfl_addr_to_sockaddr(&any, &ss, &len, NULL), 0);
    assert_int_equal(bind(s, (struct sockaddr *)&ss, len), 0);
    assert_int_equal(listen(s, 5), 0);
    len = sizeof ss;
    getsockname(s, (struct sockaddr *)&ss, &len);
    tfl_addr_from_sockaddr(&bound, &ss);
    tfl_addr_multi(&bound, multi);
    return s;
}

static void a_dial_that_leads_nowhere_is_answered(void **state)
{
    struct world *w = *state;
    char multi[TFL_ADDR_TEXT];
    int fd = silent_listener(multi);
    TFL_FREE char *body = tfl_sprintf("{\"addr\":\"%s\"}", multi);
    int64_t begin = tfl_now(w->loop);
    ask_as(w, 0, NULL, "/network/dial_peer", body, NULL);
    assert_int_equal(w->status, 500);
    assert_true(tfl_now(w->loop) - begin < 6 * TFL_S);
    assert_int_equal(info_of(w, 0).n_connections, 0);
    /* A client that does not wait for the answer leaves nothing behind. */
    TFL_FREE char *url = url_of(w, 0, "/network/dial_peer");
    struct tfl_http_call call = {.url = url, .body = body, .body_len = strlen(body)};
    struct tfl_http_op *op = tfl_http_start(w->http, &call);
    pass(w, 100);
    assert_int_equal(
        tfl_peers_pending(w->members[0].node.peers), 0); /* connected, and waiting for the handshake */
    tfl_op_free(&op->op);
    pass(w, 100);
    close(fd);
    UNTIL(w, info_of(w, 0).n_connections == 0);
}

static void noise_from_strangers_is_survived(void **state)
{
    struct world *w = *state;
    struct sockaddr_storage ss;
    socklen_t len;
    start(w, 1, 0);
    UNTIL(w, info_of(w, 1).height >= 2);
    assert_int_equal(tfl_addr_to_sockaddr(tfl_peers_addr(w->members[0].node.peers), &ss, &len, NULL), 0);
    static const char *const noise[] = {
        "GET / HTTP/1.1\r\n\r\n", "\x05\x00\x00\x00hello", "\x01\x00\x00\x00\x02", "\xff\xff\xff\xff", ""};
    for (size_t i = 0; i < TFL_LEN(noise); i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        char c;
        assert_int_equal(connect(fd, (struct sockaddr *)&ss, len), 0);
        size_t n = i == 1 ? 9 : i == 2 ? 5 : strlen(noise[i]);
        assert_int_equal(send(fd, noise[i], n, MSG_NOSIGNAL), (ssize_t)n);
        ssize_t r = -1;
        for (int ms = 0; ms < 4000; ms += 20) { /* hung up on: at once, or as silent */
            pass(w, 20);
            do
                r = recv(fd, &c, 1, MSG_DONTWAIT);
            while (r > 0);
            if (r == 0 || errno != EAGAIN)
                break;
        }
        assert_true(r == 0 || errno == ECONNRESET);
        close(fd);
    }
    assert_int_equal(info_of(w, 0).n_peers, 1);
    uint64_t height = info_of(w, 0).height;
    UNTIL(w, info_of(w, 1).height > height);
}

static void what_cannot_be_started_is_named(void **state)
{
    struct world *w = *state;
    struct tfl_error err;
    char text[TFL_ADDR_TEXT];
    make_config(&w->members[1].config, 1, w->dir, w->genesis_ms);
    w->members[1].config.api = *tfl_http_server_addr(w->members[0].node.http);
    assert_int_equal(start_node(w, 1, -1, &err), -1);
    assert_non_null(strstr(err.msg, tfl_addr_text(&w->members[1].config.api, text)));
    stop_node(w, 1);
    free(w->members[1].config.base_folder);
    w->members[1].config.base_folder = tfl_strdup(w->members[0].config.base_folder);
    assert_int_equal(start_node(w, 1, -1, &err), -1); /* the folder of a node that runs */
    assert_int_equal(err.code, TFL_E_STATE);
}

static void a_full_disk_ends_the_node_with_a_word(void **state)
{
    struct world *w = *state;
    struct rlimit old, tight;
    struct member *m = &w->members[0];
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    tight = old;
    tight.rlim_cur = 64 * 1024;
    setrlimit(RLIMIT_FSIZE, &tight);
    int64_t end = tfl_now(w->loop) + 8 * TFL_S;
    while (!m->node.stop && tfl_now(w->loop) < end)
        pass(w, 5);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_true(m->node.stop);
    assert_int_equal(m->node.status, 1);
    TFL_FREE char *path = tfl_sprintf("%s/n0.log", w->dir);
    TFL_BUF log = {0};
    assert_int_equal(tfl_read_file(path, &log, 1 << 20, NULL), 0);
    assert_non_null(strstr(log.data, "ERROR"));
    assert_non_null(strstr(log.data, "chain.sqlite"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nodes_agree_and_late_ones_catch_up, setup, teardown),
        cmocka_unit_test_setup_teardown(a_restarted_node_goes_on_where_it_was, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lost_peer_is_dialled_until_it_is_back, setup, teardown),
        cmocka_unit_test_setup_teardown(a_peer_is_dialled_on_request, setup, teardown),
        cmocka_unit_test_setup_teardown(a_dial_that_leads_nowhere_is_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(noise_from_strangers_is_survived, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_started_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_ends_the_node_with_a_word, setup, teardown),
    };
    signal(SIGPIPE, SIG_IGN);
    tfl_chain_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
