#include "node/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MADE = 6 };
static const struct tfl_hash A = {{0xa}}, B = {{0xb}}, C = {{0xc}};

/* Decodes a copy of exactly n bytes, so that a read past the end is seen by the sanitizer. */
static int decode(const struct tfl_bytes *bytes, size_t n, struct tfl_error *err)
{
    struct tfl_wire_msg m;
    TFL_FREE uint8_t *copy = tfl_alloc(n);
    memcpy(copy, bytes->data, n);
    return tfl_wire_decode(&m, copy, n, err);
}

static struct tfl_bytes *make(int which)
{
    const struct tfl_hash locator[] = {A, B};
    uint8_t node[32] = {7};
    TFL_BUF blocks = {0};
    tfl_wire_add_item(&blocks, "one", 3);
    tfl_wire_add_item(&blocks, "", 0);
    switch (which) {
    case 0:
        return tfl_wire_hello(&A, node, &B, UINT64_MAX);
    case 1:
        return tfl_wire_ping(&C, 5);
    case 2:
        return tfl_wire_get_blocks(&C, locator, 2);
    case 3:
        return tfl_wire_blocks(&C, true, 2, &blocks);
    case 4:
        return tfl_wire_txs(UINT64_MAX, 2, &blocks);
    default:
        return tfl_wire_get_txs(77);
    }
}

static void test_messages_come_back_as_they_were_made(void **state)
{
    struct tfl_wire_msg m;
    struct tfl_error err;
    struct tfl_bytes *made[MADE];
    const uint8_t *data;
    size_t len;
    (void)state;
    for (int i = 0; i < MADE; i++)
        made[i] = make(i);
    assert_int_equal(tfl_wire_decode(&m, made[0]->data, made[0]->len, &err), 0);
    assert_true(m.kind == TFL_WIRE_HELLO && m.protocol == TFL_WIRE_PROTOCOL && m.node[0] == 7);
    assert_true(tfl_hash_eq(&m.genesis, &A) && tfl_hash_eq(&m.tip, &B) && m.height == UINT64_MAX);
    assert_int_equal(tfl_wire_decode(&m, made[1]->data, made[1]->len, &err), 0);
    assert_true(m.kind == TFL_WIRE_PING && tfl_hash_eq(&m.tip, &C) && m.height == 5);
    assert_int_equal(tfl_wire_decode(&m, made[2]->data, made[2]->len, &err), 0);
    assert_true(m.kind == TFL_WIRE_GET_BLOCKS && tfl_hash_eq(&m.target, &C) && m.n == 2);
    assert_true(tfl_hash_eq(&m.locator[0], &A) && tfl_hash_eq(&m.locator[1], &B));
    assert_int_equal(tfl_wire_decode(&m, made[3]->data, made[3]->len, &err), 0);
    assert_true(m.kind == TFL_WIRE_BLOCKS && tfl_hash_eq(&m.target, &C) && m.more);
    assert_true(tfl_wire_next_item(&m, &data, &len) && len == 3 && memcmp(data, "one", 3) == 0);
    assert_true(tfl_wire_next_item(&m, &data, &len) && len == 0);
    assert_false(tfl_wire_next_item(&m, &data, &len));
    assert_int_equal(tfl_wire_decode(&m, made[4]->data, made[4]->len, &err), 0);
    assert_true(m.kind == TFL_WIRE_TXS && m.cursor == UINT64_MAX && m.n == 2);
    assert_true(tfl_wire_next_item(&m, &data, &len) && len == 3 && memcmp(data, "one", 3) == 0);
    assert_int_equal(tfl_wire_decode(&m, made[5]->data, made[5]->len, &err), 0);
    assert_true(m.kind == TFL_WIRE_GET_TXS && m.cursor == 77);
    for (int i = 0; i < MADE; i++)
        tfl_bytes_unref(made[i]);
}

static void test_every_truncation_and_every_byte_too_many_is_refused(void **state)
{
    struct tfl_error err;
    (void)state;
    for (int i = 0; i < MADE; i++) {
        struct tfl_bytes *made = make(i), *longer;
        for (size_t n = 0; n < made->len; n++)
            assert_int_equal(decode(made, n, &err), -1);
        assert_int_equal(decode(made, made->len, &err), 0);
        longer = tfl_bytes_new(made->data, made->len + 1); /* its NUL */
        assert_int_equal(decode(longer, longer->len, &err), -1);
        assert_non_null(strstr(err.msg, "1 bytes after its end"));
        tfl_bytes_unref(made);
        tfl_bytes_unref(longer);
    }
}

static void test_numbers_over_their_bounds_are_refused(void **state)
{
    struct tfl_bytes *m = tfl_wire_get_blocks(&A, NULL, 0);
    TFL_BUF none = {0};
    struct tfl_error err;
    (void)state;
    m->data[33] = TFL_WIRE_LOCATOR_MAX + 1;
    assert_int_equal(decode(m, m->len, &err), -1);
    assert_non_null(strstr(err.msg, "49 ids"));
    tfl_bytes_unref(m);
    m = tfl_wire_blocks(&A, false, 0, &none);
    m->data[33] = 2; /* the flag */
    assert_int_equal(decode(m, m->len, &err), -1);
    m->data[33] = 0;
    m->data[34] = TFL_WIRE_BATCH_BLOCKS + 1;
    assert_int_equal(decode(m, m->len, &err), -1);
    assert_non_null(strstr(err.msg, "65 blocks"));
    tfl_bytes_unref(m);
    m = tfl_wire_txs(0, 0, &none);
    tfl_put_le(m->data + 9, TFL_WIRE_BATCH_TXS + 1, 2);
    assert_int_equal(decode(m, m->len, &err), -1);
    assert_non_null(strstr(err.msg, "257 transactions"));
    tfl_bytes_unref(m);
    uint8_t *big = tfl_alloc(TFL_WIRE_MAX + 1);
    struct tfl_wire_msg out;
    big[0] = TFL_WIRE_BLOCK;
    assert_int_equal(tfl_wire_decode(&out, big, TFL_WIRE_MAX + 1, &err), -1);
    assert_int_equal(tfl_wire_decode(&out, big, TFL_WIRE_MAX, &err), 0);
    free(big);
}

/* A later version may say anything after its number: it is the number that is refused, by the core. */
static void test_hello_of_another_version_is_read_as_far_as_its_number(void **state)
{
    struct tfl_wire_msg m;
    struct tfl_error err;
    (void)state;
    assert_int_equal(tfl_wire_decode(&m, "\x01\x02\x01what", 7, &err), 0);
    assert_int_equal(m.protocol, 0x102);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_come_back_as_they_were_made),
        cmocka_unit_test(test_every_truncation_and_every_byte_too_many_is_refused),
        cmocka_unit_test(test_numbers_over_their_bounds_are_refused),
        cmocka_unit_test(test_hello_of_another_version_is_read_as_far_as_its_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
