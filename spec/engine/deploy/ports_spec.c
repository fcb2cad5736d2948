#include "deploy/ports.h"

#include "proc/lockfile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../../support/c_world.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

static int listen_on(uint16_t port, int type)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, type, 0), one = 1;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) || (type == SOCK_STREAM && listen(fd, 1))) {
        close(fd);
        return -1;
    }
    return fd;
}

static void take(struct tfl_ports *ports, size_t n, uint16_t *out)
{
    struct tfl_error err;
    if (tfl_ports_take(ports, n, out, &err))
        fail_msg("%s", err.msg);
}

static void gives_ports_that_only_their_owner_can_bind(void **state)
{
    struct world *w = *state;
    uint16_t p[100];
    struct tfl_ports *ports = tfl_ports_new();
    take(ports, 70, p); /* more than two blocks */
    take(ports, 30, p + 70);
    for (int i = 0; i < 100; i++) {
        assert_in_range(p[i], TFL_PORTS_FIRST, TFL_PORTS_END - 1);
        assert_int_equal(listen_on(p[i], SOCK_STREAM), -1); /* kept until the start, */
        assert_int_equal(listen_on(p[i], SOCK_DGRAM), -1);  /* for QUIC too */
        for (int k = 0; k < i; k++)
            assert_int_not_equal(p[i], p[k]);
    }
    tfl_ports_unbind(ports, p[3]);
    int fd = listen_on(p[3], SOCK_STREAM), udp = listen_on(p[3], SOCK_DGRAM);
    assert_true(fd >= 0 && udp >= 0);
    close(fd);
    close(udp);
    tfl_ports_unbind(ports, p[3]); /* again: nothing */
    tfl_ports_unbind(ports, 80);   /* not ours: nothing */
    tfl_ports_free(ports);
    assert_int_not_equal(access(world_path(w, "run/tfl"), F_OK), 0); /* no lock is left */
    fd = listen_on(p[99], SOCK_STREAM);
    assert_true(fd >= 0);
    close(fd);
}

static void two_at_once_are_disjoint(void **state)
{
    uint16_t a[80], b[80];
    (void)state;
    struct tfl_ports *one = tfl_ports_new(), *two = tfl_ports_new();
    take(one, 40, a);
    take(two, 80, b);
    take(one, 40, a + 40);
    for (int i = 0; i < 80;
         i++) /* not even the same block, also for ports that are unbound for their nodes */
        for (int k = 0; k < 80; k++)
            assert_int_not_equal(a[i] / TFL_PORTS_BLOCK, b[k] / TFL_PORTS_BLOCK);
    tfl_ports_free(one);
    tfl_ports_free(two);
}

static void skips_what_others_use(void **state)
{
    uint16_t p[3], q[3];
    (void)state;
    struct tfl_ports *ports = tfl_ports_new();
    take(ports, 3, p);
    tfl_ports_free(ports);
    int tcp = listen_on(p[0], SOCK_STREAM), udp = listen_on(p[1], SOCK_DGRAM);
    assert_true(tcp >= 0 && udp >= 0);
    ports = tfl_ports_new(); /* begins in the same block */
    take(ports, 3, q);
    for (int i = 0; i < 3; i++) {
        assert_int_not_equal(q[i], p[0]);
        assert_int_not_equal(q[i], p[1]);
    }
    assert_int_equal(q[0], p[2]);
    tfl_ports_free(ports);
    close(tcp);
    close(udp);
}

static void says_so_when_all_are_taken(void **state)
{
    struct world *w = *state;
    struct tfl_error err;
    int locks[(TFL_PORTS_END - TFL_PORTS_FIRST) / TFL_PORTS_BLOCK];
    const int n = (int)TFL_LEN(locks);
    uint16_t p[64];
    for (int i = 0; i < n; i++) {
        TFL_FREE char *path =
            tfl_sprintf("%s/run/tfl/ports-%d.lock", w->dir, TFL_PORTS_FIRST + i * TFL_PORTS_BLOCK);
        locks[i] = tfl_lockfile_take(path, &err);
        assert_true(locks[i] >= 0);
    }
    struct tfl_ports *ports = tfl_ports_new();
    assert_int_equal(tfl_ports_take(ports, 1, p, &err), -1);
    assert_int_equal(err.code, TFL_E_NO_PORTS);
    assert_non_null(strstr(err.msg, "0 of 1 ports"));
    assert_non_null(strstr(err.msg, "tfl clean"));
    close(locks[n / 2]); /* its owner died: one block is free again */
    take(ports, 20, p);
    assert_int_equal(tfl_ports_take(ports, 20, p, &err), -1);
    assert_non_null(strstr(err.msg, "12 of 20 ports"));
    tfl_ports_free(ports);
    for (int i = 0; i < n; i++)
        if (i != n / 2)
            close(locks[i]);
    tfl_lockfile_sweep(world_path(w, "run/tfl"));
    assert_int_not_equal(access(world_path(w, "run/tfl"), F_OK), 0);
}

static void refuses_a_folder_of_others(void **state)
{
    struct world *w = *state;
    struct tfl_error err;
    uint16_t p;
    assert_int_equal(mkdir(world_path(w, "run/tfl"), 0755), 0);
    struct tfl_ports *ports = tfl_ports_new();
    assert_int_equal(tfl_ports_take(ports, 1, &p, &err), -1);
    assert_int_equal(err.code, TFL_E_IO);
    assert_non_null(strstr(err.msg, "mode 700"));
    tfl_ports_free(ports);
}

static void a_range_is_whole_blocks(void **state)
{
    int from, to;
    uint16_t p[3];
    (void)state;
    assert_true(tfl_ports_range(NULL, &from, &to));
    assert_int_equal(to - from, (TFL_PORTS_END - TFL_PORTS_FIRST) / TFL_PORTS_BLOCK);
    assert_true(tfl_ports_range("20010-20095", &from, &to)); /* 20032 to 20095 */
    assert_int_equal(from, 1);
    assert_int_equal(to, 3);
    const char *bad[] = {
        "20000", "20000-", "a-b", "20001-20033", "19999-20100", "20000-32768", "21000-20000", "20000-21000x"};
    for (size_t i = 0; i < TFL_LEN(bad); i++)
        assert_false(tfl_ports_range(bad[i], &from, &to));
    setenv("TFL_PORTS", "24000-24127", 1);
    struct tfl_ports *ports = tfl_ports_new();
    take(ports, 3, p);
    for (size_t i = 0; i < TFL_LEN(p); i++)
        assert_in_range(p[i], 24000, 24127);
    tfl_ports_free(ports);
    unsetenv("TFL_PORTS");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_range_is_whole_blocks),
        T(gives_ports_that_only_their_owner_can_bind), T(two_at_once_are_disjoint), T(skips_what_others_use),
        T(says_so_when_all_are_taken), T(refuses_a_folder_of_others)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
