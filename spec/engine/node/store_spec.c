#include "node/store.h"

#include "process_support.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>

struct world {
    char dir[64], file[96];
    struct tfl_node_config config;
    struct chain chain;
    struct tfl_store *store;
    struct tfl_core *core; /* what restore fills */
};

static struct tfl_store *open_store(struct world *w)
{
    struct tfl_error err;
    struct tfl_store *s = tfl_store_open(w->dir, &w->chain.genesis, &err);
    if (!s)
        fail_msg("%s", err.msg);
    return s;
}

static int setup(void **state)
{
    struct world *w = tfl_alloc(sizeof *w);
    temp_folder(w->dir);
    snprintf(w->file, sizeof w->file, "%s/chain.sqlite", w->dir);
    make_config(&w->config, 0, w->dir, 1800000000000);
    make_chain(&w->chain, &w->config);
    w->store = open_store(w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    tfl_store_close(w->store);
    tfl_core_free(w->core);
    chain_done(&w->chain);
    tfl_node_config_done(&w->config);
    int r = tfl_remove_tree(w->dir, NULL);
    free(w);
    return r;
}

static void put(struct world *w, int from, int to)
{
    for (int i = from; i < to; i++)
        assert_int_equal(tfl_store_put(w->store, &w->chain.headers[i], w->chain.bytes[i]->data,
                             w->chain.bytes[i]->len, NULL),
            0);
}

static int restore_one(void *arg, const void *block, size_t len)
{
    return tfl_core_restore(((struct world *)arg)->core, block, len, NULL);
}

/* Restores what is on disk into a new core; gives its height. */
static uint64_t restored(struct world *w, uint64_t *ignored)
{
    struct tfl_core_info info;
    tfl_core_free(w->core);
    w->core = make_core(&w->config);
    assert_int_equal(tfl_store_restore(w->store, restore_one, w, ignored, NULL), 0);
    tfl_core_info(w->core, &info);
    assert_true(
        tfl_hash_eq(&info.tip, info.height ? &w->chain.headers[info.height - 1].id : &w->chain.genesis));
    return info.height;
}

static void reopen(struct world *w)
{
    tfl_store_close(w->store);
    w->store = open_store(w);
}

static void remove_file(struct world *w)
{
    TFL_FREE char *wal = tfl_sprintf("%s-wal", w->file);
    assert_int_equal(unlink(w->file), 0);
    assert_int_equal(unlink(wal), 0);
}

/* One statement on the closed file; %s of sql is the id of block i in hex. */
static void tamper(struct world *w, const char *sql, int i)
{
    char hex[TFL_HASH_HEX], text[300];
    sqlite3 *db;
    tfl_store_close(w->store);
    w->store = NULL;
    snprintf(text, sizeof text, "UPDATE blocks SET %s WHERE id=x'%s'", sql,
        tfl_hash_hex(hex, &w->chain.headers[i].id));
    assert_int_equal(sqlite3_open(w->file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_changes(db), 1);
    sqlite3_close(db);
    w->store = open_store(w);
}

static void what_is_stored_comes_back_in_order(void **state)
{
    struct world *w = *state;
    uint64_t ignored;
    TFL_BUF out = {0};
    struct tfl_error err;
    assert_int_equal(restored(w, &ignored), 0);
    put(w, 0, CHAIN / 2);
    assert_true(tfl_store_dirty(w->store));
    assert_int_equal(
        tfl_store_read(w->store, &w->chain.headers[3].id, &out, NULL), 0); /* before the commit */
    assert_int_equal(out.len, w->chain.bytes[3]->len);
    assert_memory_equal(out.data, w->chain.bytes[3]->data, out.len);
    assert_int_equal(tfl_store_commit(w->store, NULL), 0);
    assert_false(tfl_store_dirty(w->store));
    assert_int_equal(tfl_store_commit(w->store, NULL), 0);
    put(w, CHAIN / 2, CHAIN); /* closing commits */
    reopen(w);
    assert_int_equal(restored(w, &ignored), CHAIN);
    assert_int_equal(ignored, 0);
    assert_int_equal(tfl_store_read(w->store, &w->chain.genesis, &out, &err), -1);
    assert_int_equal(err.code, TFL_E_NOT_FOUND);
}

static void damaged_rows_are_ignored_and_replaced(void **state)
{
    struct world *w = *state;
    uint64_t ignored;
    put(w, 0, CHAIN);
    tamper(w, "bytes=x'00'", 30);
    assert_int_equal(restored(w, &ignored), 30);
    assert_int_equal(ignored, CHAIN - 30);                            /* and all that stand on it */
    tamper(w, "bytes=(SELECT bytes FROM blocks WHERE height=2)", 20); /* a block, but not this one */
    assert_int_equal(restored(w, &ignored), 20);
    tamper(w, "id=x'07'", 10);
    assert_int_equal(restored(w, &ignored), 10);
    put(w, 10, CHAIN); /* as the peers would give them again */
    reopen(w);
    assert_int_equal(restored(w, &ignored), CHAIN);
    assert_int_equal(ignored, 0);
}

static void a_check_tells_sound_from_damaged(void **state)
{
    struct world *w = *state;
    uint64_t blocks, txs;
    struct tfl_error err;
    put(w, 0, CHAIN);
    assert_int_equal(tfl_store_commit(w->store, NULL), 0);
    assert_int_equal(tfl_store_check(w->store, &w->chain.genesis, &blocks, &txs, &err), 0);
    assert_int_equal(blocks, CHAIN);
    assert_int_equal(txs, 0);
    tamper(w, "bytes=(SELECT bytes FROM blocks WHERE height=2)", 20);
    assert_int_equal(tfl_store_check(w->store, &w->chain.genesis, &blocks, &txs, &err), -1);
    assert_non_null(strstr(err.msg, "does not hash to its id"));
    tamper(w, "bytes=(SELECT bytes FROM blocks WHERE height=3), parent=x'07'", 2);
    tamper(w, "parent=x'09'", 1);
    assert_int_equal(tfl_store_check(w->store, &w->chain.genesis, &blocks, &txs, &err), -1);
    assert_non_null(strstr(err.msg, "the parent of the block"));
}

/* Stores blocks in small transactions until it is killed. */
static void store_until_killed(struct world *w, int ready)
{
    struct tfl_store *s = tfl_store_open(w->dir, &w->chain.genesis, NULL);
    for (int round = 0;; round++) {
        for (int i = 0; i < CHAIN; i++) {
            if (tfl_store_put(s, &w->chain.headers[i], w->chain.bytes[i]->data, w->chain.bytes[i]->len, NULL))
                _exit(1);
            if (i % 3 == 2 && tfl_store_commit(s, NULL))
                _exit(2);
            if (round == 0 && i == 10 && write(ready, "x", 1) != 1)
                _exit(3);
            if (round == 0)
                usleep(200);
        }
    }
}

static void a_kill_at_any_time_leaves_a_valid_chain(void **state)
{
    struct world *w = *state;
    uint64_t ignored;
    for (int kill_us = 0; kill_us < 12000; kill_us += 1500) {
        int ready[2], status;
        char c;
        tfl_store_close(w->store);
        w->store = NULL;
        remove_file(w);
        assert_int_equal(pipe(ready), 0);
        pid_t pid = fork();
        if (pid == 0)
            store_until_killed(w, ready[1]);
        assert_int_equal(read(ready[0], &c, 1), 1);
        usleep((useconds_t)kill_us);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        close(ready[0]);
        close(ready[1]);
        w->store = open_store(w);
        uint64_t height = restored(w, &ignored);
        assert_true(height >= 9 && height <= CHAIN); /* nine were committed when it said it was ready */
        assert_int_equal(ignored, 0);
    }
}

static void a_second_process_is_refused(void **state)
{
    struct world *w = *state;
    int status;
    put(w, 0, 3);
    pid_t pid = fork();
    if (pid == 0) {
        struct tfl_error err = {0};
        struct tfl_store *s = tfl_store_open(w->dir, &w->chain.genesis, &err);
        _exit(!s && err.code == TFL_E_STATE && strstr(err.msg, w->file) ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    put(w, 3, 6);
}

static void another_chain_is_refused(void **state)
{
    struct world *w = *state;
    struct tfl_hash other = {{1}};
    struct tfl_error err;
    tfl_store_close(w->store);
    w->store = NULL;
    assert_null(tfl_store_open(w->dir, &other, &err));
    assert_int_equal(err.code, TFL_E_BAD_CONFIG);
    assert_non_null(strstr(err.msg, "another genesis"));
}

static void what_is_no_store_is_named(void **state)
{
    struct world *w = *state;
    struct tfl_error err;
    tfl_store_close(w->store);
    w->store = NULL;
    remove_file(w);
    assert_int_equal(
        tfl_write_file(w->file, "this is no database, whatever its name says", 43, 0644, NULL), 0);
    assert_null(tfl_store_open(w->dir, &w->chain.genesis, &err));
    assert_int_equal(err.code, TFL_E_IO);
    assert_non_null(strstr(err.msg, w->file));
    assert_null(tfl_store_open(w->file, &w->chain.genesis, &err)); /* a file where the folder should be */
    assert_non_null(strstr(err.msg, w->file));
}

static void a_full_disk_is_an_error(void **state)
{
    struct world *w = *state;
    struct tfl_error err = {0};
    struct rlimit old, tight;
    int failed = 0;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    tight = old;
    tight.rlim_cur = 32 * 1024;
    setrlimit(RLIMIT_FSIZE, &tight);
    for (int i = 0; i < CHAIN && !failed; i++)
        failed = tfl_store_put(
                     w->store, &w->chain.headers[i], w->chain.bytes[i]->data, w->chain.bytes[i]->len, &err) ||
                 tfl_store_commit(w->store, &err);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_true(failed);
    assert_non_null(strstr(err.msg, w->file));
    uint64_t ignored;
    reopen(w);
    assert_true(restored(w, &ignored) > 0);
    assert_int_equal(ignored, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_stored_comes_back_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_rows_are_ignored_and_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(a_check_tells_sound_from_damaged, setup, teardown),
        cmocka_unit_test_setup_teardown(a_kill_at_any_time_leaves_a_valid_chain, setup, teardown),
        cmocka_unit_test_setup_teardown(a_second_process_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(another_chain_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_store_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_is_an_error, setup, teardown),
    };
    tfl_chain_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
