#ifndef SPEC_NET_RELAY_WORLD_H
#define SPEC_NET_RELAY_WORLD_H

#include "support.h"

#include "net/relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

/* A listener with plain sockets, a dialer with plain sockets, and a relay between them, on one loop. */
struct relay_world {
    struct tfl_loop *loop;
    struct tfl_relay *relay;
    int listener, dialer, taken; /* taken: the listener's end of the connection; −1: none */
    uint16_t listen, target;
    int fds;
};

static inline struct sockaddr_in here(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

static inline int bound_socket(uint16_t *port)
{
    struct sockaddr_in addr = here(0);
    socklen_t len = sizeof addr;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    *port = ntohs(addr.sin_port);
    return fd;
}

static inline uint16_t free_port(void)
{
    uint16_t port;
    close(bound_socket(&port));
    return port;
}

static inline int dial_port(uint16_t port)
{
    struct sockaddr_in to = here(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

/* Turns until the listener has a connection, or ms have passed. */
static inline int take_connection(struct relay_world *w, int ms)
{
    int64_t end = tfl_now(w->loop) + ms * TFL_MS;
    int fd = -1;
    while (
        (fd = accept4(w->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) < 0 && tfl_now(w->loop) < end)
        pass(w->loop, 2);
    return fd;
}

static inline struct relay_world *relay_world(void)
{
    struct relay_world *w = calloc(1, sizeof *w);
    w->fds = open_fds();
    w->loop = tfl_loop_new(NULL);
    w->listener = bound_socket(&w->target);
    assert_int_equal(listen(w->listener, 16), 0);
    w->listen = free_port();
    w->dialer = w->taken = -1;
    struct tfl_relay_config config = {
        .loop = w->loop, .listen = w->listen, .target = w->target, .seed = 7, .name = "a/b"};
    w->relay = tfl_relay_new(&config, NULL);
    assert_non_null(w->relay);
    return w;
}

static inline void link_up(struct relay_world *w)
{
    w->dialer = dial_port(w->listen);
    w->taken = take_connection(w, 2000);
    assert_true(w->taken >= 0);
}

static inline void relay_world_end(struct relay_world *w)
{
    int *all[] = {&w->listener, &w->dialer, &w->taken};
    for (size_t i = 0; i < TFL_LEN(all); i++)
        if (*all[i] >= 0)
            close(*all[i]);
    tfl_relay_free(w->relay);
    tfl_loop_free(w->loop);
    assert_int_equal(open_fds(), w->fds);
    free(w);
}

static inline void shape_both(struct relay_world *w, const struct tfl_relay_policy *policy)
{
    tfl_relay_shape(w->relay, TFL_RELAY_FORWARD, policy);
    tfl_relay_shape(w->relay, TFL_RELAY_BACK, policy);
}

static inline void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* What recv gave last: > 0 bytes, 0 end, −1 reset, −2 nothing within ms. Turns the loop meanwhile. */
static inline ssize_t hear(struct relay_world *w, int fd, char *out, size_t max, int ms)
{
    int64_t end = tfl_now(w->loop) + ms * TFL_MS;
    for (;;) {
        ssize_t n = recv(fd, out, max, 0);
        if (n >= 0)
            return n;
        if (errno != EAGAIN)
            return -1;
        if (tfl_now(w->loop) >= end)
            return -2;
        pass(w->loop, 1);
    }
}

static inline void expect_text(struct relay_world *w, int fd, const char *text)
{
    char got[256] = {0};
    size_t n = 0;
    while (n < strlen(text)) {
        ssize_t more = hear(w, fd, got + n, strlen(text) - n, 3000);
        assert_true(more > 0);
        n += (size_t)more;
    }
    assert_string_equal(got, text);
}

static inline void reset_now(int *fd)
{
    struct linger linger = {.l_onoff = 1};
    setsockopt(*fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(*fd);
    *fd = -1;
}

/* What every test of a relay begins and ends with. */
static inline int relay_setup(void **state)
{
    *state = relay_world();
    return 0;
}

static inline int relay_teardown(void **state)
{
    relay_world_end(*state);
    return 0;
}

#endif
