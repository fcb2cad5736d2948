#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/tfl-fs-spec.XXXXXX";
static struct tfl_error err;

static int make_dir(void **state)
{
    (void)state;
    strcpy(dir + strlen(dir) - 6, "XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    return tfl_remove_tree(dir, &err);
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode & 07777;
}

static void makes_folders_with_their_mode(void **state)
{
    (void)state;
    TFL_FREE char *deep = tfl_sprintf("%s/a/b//c", dir);
    assert_int_equal(tfl_mkdir_p(deep, 0700, &err), 0);
    assert_int_equal(mode_of(deep), 0700);
    assert_int_equal(tfl_mkdir_p(deep, 0700, &err), 0);
    /* a slash at the end changes nothing: the last folder is still the one with the mode */
    TFL_FREE char *slash = tfl_sprintf("%s/secret/", dir);
    assert_int_equal(tfl_mkdir_p(slash, 0700, &err), 0);
    assert_int_equal(mode_of(slash), 0700);
    assert_int_equal(tfl_mkdir_p("/", 0700, &err), 0);
    assert_int_equal(tfl_mkdir_p("///", 0700, &err), 0);
}

static void a_file_in_the_way_is_named(void **state)
{
    (void)state;
    TFL_FREE char *file = tfl_sprintf("%s/file", dir);
    TFL_FREE char *below = tfl_sprintf("%s/file/x", dir);
    assert_int_equal(tfl_write_file(file, "x", 1, 0600, &err), 0);
    assert_int_equal(tfl_mkdir_p(file, 0755, &err), -1);
    assert_non_null(strstr(err.msg, file));
    assert_int_equal(tfl_mkdir_p(below, 0755, &err), -1);
    assert_non_null(strstr(err.msg, file));
    assert_int_equal(tfl_mkdir_p("", 0755, &err), -1);
}

static void writes_whole_files_in_one_step(void **state)
{
    (void)state;
    TFL_BUF b = {0};
    TFL_FREE char *path = tfl_sprintf("%s/config", dir);
    TFL_FREE char *list = tfl_sprintf("[ \"$(ls -A '%s')\" = config ]", dir);
    assert_int_equal(tfl_write_file(path, "old and long", 12, 0644, &err), 0);
    assert_int_equal(tfl_write_file(path, "new", 3, 0600, &err), 0);
    assert_int_equal(mode_of(path), 0600);
    assert_int_equal(tfl_read_file(path, &b, 3, &err), 0);
    assert_string_equal(b.data, "new");
    assert_int_equal(system(list), 0); /* no temporary file stays */
    TFL_FREE char *nowhere = tfl_sprintf("%s/no/config", dir);
    assert_int_equal(tfl_write_file(nowhere, "x", 1, 0600, &err), -1);
    struct stat st;
    assert_int_equal(tfl_write_file("/dev/null", "x", 1, 0600, &err), 0); /* written to, not replaced */
    assert_true(!stat("/dev/null", &st) && S_ISCHR(st.st_mode));
    assert_int_equal(err.code, TFL_E_IO);
    assert_non_null(strstr(err.msg, nowhere));
    assert_int_equal(tfl_write_file(dir, "x", 1, 0600, &err), -1); /* a folder: the rename fails */
    assert_int_equal(system(list), 0);
}

static void a_planted_link_is_not_followed(void **state)
{
    (void)state;
    TFL_FREE char *link = tfl_sprintf("%s/config.tmp%d", dir, (int)getpid());
    TFL_FREE char *path = tfl_sprintf("%s/config", dir);
    TFL_FREE char *victim = tfl_sprintf("%s/victim", dir);
    TFL_BUF b = {0};
    assert_int_equal(tfl_write_file(victim, "precious", 8, 0600, &err), 0);
    assert_int_equal(symlink(victim, link), 0);
    assert_int_equal(tfl_write_file(path, "x", 1, 0600, &err), -1);
    assert_int_equal(tfl_read_file(victim, &b, 100, &err), 0);
    assert_string_equal(b.data, "precious");
}

static void a_full_disk_leaves_nothing_half_written(void **state)
{
    (void)state;
    TFL_FREE char *path = tfl_sprintf("%s/big", dir);
    TFL_FREE char *data = tfl_alloc(100000);
    struct rlimit limit, old;
    /* a file size limit stands for the disk: write(2) fails half way, as it does on a full one */
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    limit = (struct rlimit){.rlim_cur = 4096, .rlim_max = old.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    int result = tfl_write_file(path, data, 100000, 0600, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(result, -1);
    assert_non_null(strstr(err.msg, path));
    assert_int_equal(access(path, F_OK), -1); /* nothing half-written, nor the temporary file */
    assert_int_equal(rmdir(dir), 0);
}

static void reads_are_bounded(void **state)
{
    (void)state;
    TFL_BUF b = {0};
    TFL_FREE char *path = tfl_sprintf("%s/big", dir);
    TFL_FREE char *data = tfl_alloc(100000);
    memset(data, 'x', 100000);
    assert_int_equal(tfl_write_file(path, data, 100000, 0600, &err), 0);
    tfl_buf_adds(&b, "before:");
    assert_int_equal(tfl_read_file(path, &b, 99999, &err), -1);
    assert_int_equal(err.code, TFL_E_TOO_LARGE);
    assert_string_equal(b.data, "before:"); /* nothing of a file that could not be read is added */
    assert_int_equal(tfl_read_file(path, &b, 100000, &err), 0);
    assert_int_equal(b.len, 100007);
    assert_int_equal(tfl_read_file("/nonexistent/x", &b, 10, &err), -1);
    assert_int_equal(err.code, TFL_E_NOT_FOUND);
    assert_int_equal(tfl_read_file(dir, &b, 10, &err), -1);
    assert_int_equal(err.code, TFL_E_IO);
    assert_int_equal(b.len, 100007);
    assert_int_equal(tfl_read_file("/proc/self/status", &b, 1 << 20, &err), 0);
}

static void removes_trees_but_not_what_links_point_to(void **state)
{
    (void)state;
    TFL_FREE char *tree = tfl_sprintf("%s/tree/a/b", dir);
    TFL_FREE char *top = tfl_sprintf("%s/tree", dir);
    TFL_FREE char *link = tfl_sprintf("%s/tree/a/link", dir);
    TFL_FREE char *outside = tfl_sprintf("%s/outside", dir);
    TFL_FREE char *precious = tfl_sprintf("%s/outside/file", dir);
    assert_int_equal(tfl_mkdir_p(tree, 0755, &err), 0);
    assert_int_equal(tfl_mkdir_p(outside, 0755, &err), 0);
    assert_int_equal(tfl_write_file(precious, "x", 1, 0600, &err), 0);
    assert_int_equal(symlink(outside, link), 0);
    assert_int_equal(tfl_remove_tree(top, &err), 0);
    assert_int_equal(access(top, F_OK), -1);
    assert_int_equal(access(precious, F_OK), 0);
    assert_int_equal(tfl_remove_tree(top, &err), 0); /* what is not there is no error */
    assert_int_equal(tfl_remove_tree(precious, &err), 0);
    assert_int_equal(access(precious, F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(makes_folders_with_their_mode, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_file_in_the_way_is_named, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(writes_whole_files_in_one_step, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_planted_link_is_not_followed, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_full_disk_leaves_nothing_half_written, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(reads_are_bounded, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(removes_trees_but_not_what_links_point_to, make_dir, remove_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
