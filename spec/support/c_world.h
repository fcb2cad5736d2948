#ifndef SPEC_C_WORLD_H
#define SPEC_C_WORLD_H

/* What specs of rooms with real processes need: a temporary folder that is HOME and XDG_STATE_HOME (run/ in it is
 * XDG_RUNTIME_DIR), a loop, waiting with a bound, small files. Everything static: include it in one spec file, after cmocka. */
#include "base/buf.h"
#include "base/error.h"
#include "base/fs.h"
#include "loop/op.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct world {
    char dir[64];
    struct tfl_loop *loop;
    int fds; /* open descriptors before the test */
};

static inline int world_fds(void)
{
    int n = 0;
    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static inline int world_setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct tfl_error err;
    char run[80];
    w->fds = world_fds();
    strcpy(w->dir, "/tmp/spec-proc-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    setenv("HOME", w->dir, 1);
    setenv("XDG_STATE_HOME", w->dir, 1);
    snprintf(run, sizeof run, "%s/run", w->dir);
    assert_int_equal(mkdir(run, 0700), 0);
    setenv("XDG_RUNTIME_DIR", run, 1);
    w->loop = tfl_loop_new(&err);
    assert_non_null(w->loop);
    *state = w;
    return 0;
}

/* A test that leaks a descriptor fails here. */
static inline int world_teardown(void **state)
{
    struct world *w = *state;
    struct tfl_error err;
    tfl_loop_free(w->loop);
    int fds = world_fds();
    if (fds != w->fds)
        fprintf(stderr, "%d descriptors before the test, %d after it\n", w->fds, fds);
    bool clean = fds == w->fds && !tfl_remove_tree(w->dir, &err);
    free(w);
    return clean ? 0 : -1;
}

/* Turns the loop until *done, at most timeout_ms; false when time is up. */
static inline void world_tick(struct tfl_timer *timer)
{
    (void)timer;
}
static inline bool world_until(struct world *w, const bool *done, int timeout_ms)
{
    struct tfl_timer timer = {0};
    int64_t end = tfl_now(w->loop) + timeout_ms * TFL_MS;
    while (!*done && tfl_now(w->loop) < end) {
        tfl_timer_start(w->loop, &timer, tfl_now(w->loop) + 5 * TFL_MS, world_tick);
        tfl_loop_turn(w->loop, true);
    }
    tfl_timer_stop(w->loop, &timer);
    return *done;
}
static inline void world_for(struct world *w, int ms)
{
    bool never = false;
    world_until(w, &never, ms);
}
/* Waits for an op to be done; fails the test when it is not within timeout_ms. */
static inline void world_await(struct world *w, struct tfl_op *op, int timeout_ms)
{
    int64_t end = tfl_now(w->loop) + timeout_ms * TFL_MS;
    while (op->state != TFL_OP_DONE && tfl_now(w->loop) < end)
        world_for(w, 2);
    if (op->state != TFL_OP_DONE)
        fail_msg("an op was not done within %d ms", timeout_ms);
}
/* The same, then frees it; fails the test with the message of an op that failed. */
static inline void world_ok(struct world *w, struct tfl_op *op, int timeout_ms)
{
    world_await(w, op, timeout_ms);
    if (op->failed)
        fail_msg("the op failed: %s", op->err.msg);
    tfl_op_free(op);
}

/* DIR/name, in one of a few static buffers. */
static inline const char *world_path(const struct world *w, const char *name)
{
    static char paths[8][256];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", w->dir, name);
    return path;
}
/* Writes an executable sh script and returns its path. */
static inline const char *world_script(const struct world *w, const char *name, const char *body)
{
    TFL_BUF text = {0};
    struct tfl_error err;
    const char *path = world_path(w, name);
    tfl_buf_addf(&text, "#!/bin/sh\n%s\n", body);
    if (tfl_write_file(path, text.data, text.len, 0755, &err))
        fail_msg("%s", err.msg);
    return path;
}
/* The content of DIR/name, "" when it is not there. Owned by the caller. */
static inline char *world_read(const struct world *w, const char *name)
{
    struct tfl_buf b = {0};
    tfl_read_file(world_path(w, name), &b, 64 * 1024 * 1024, NULL);
    return b.data ? b.data : strdup("");
}
static inline bool world_alive(pid_t pid)
{
    char path[64], text[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    size_t n = fread(text, 1, sizeof text - 1, f);
    text[n] = '\0';
    fclose(f);
    const char *p = strrchr(text, ')');
    return p && p[2] != 'Z' && p[2] != 'X';
}
/* Waits until DIR/name has a line with a number (a pid that a script wrote); fails the test after timeout_ms. */
static inline int world_number(struct world *w, const char *name, int timeout_ms)
{
    int64_t end = tfl_now(w->loop) + timeout_ms * TFL_MS;
    while (tfl_now(w->loop) < end) {
        char *text = world_read(w, name);
        int n = strchr(text, '\n') ? atoi(text) : 0;
        free(text);
        if (n)
            return n;
        world_for(w, 5);
    }
    fail_msg("%s: no number within %d ms", name, timeout_ms);
    return 0;
}
/* Waits until DIR/name holds a text. */
static inline void world_says(struct world *w, const char *name, const char *text)
{
    int64_t end = tfl_now(w->loop) + 20 * TFL_S;
    for (bool found = false; !found;) {
        char *got = world_read(w, name);
        found = strstr(got, text) != NULL;
        if (!found && tfl_now(w->loop) > end)
            fail_msg("%s does not say %s within 20 s, but: %s", name, text, got);
        free(got);
        world_for(w, 5);
    }
}
/* Waits until the process is gone; false after timeout_ms. */
static inline bool world_gone(struct world *w, pid_t pid, int timeout_ms)
{
    int64_t end = tfl_now(w->loop) + timeout_ms * TFL_MS;
    while (world_alive(pid) && tfl_now(w->loop) < end)
        world_for(w, 5);
    return !world_alive(pid);
}

#endif
