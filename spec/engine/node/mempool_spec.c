#include "node/mempool.h"

#include "base/rng.h"
#include "core_accounts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct tfl_keypair key;

static struct tfl_tx spend(const struct tfl_note *note)
{
    return transfer(note, &key, key.pub, note->value);
}

static struct tfl_note note(int i)
{
    return (struct tfl_note){.id = {{(uint8_t)i, (uint8_t)(i >> 8), 7}}, .value = 10};
}

static struct tfl_verdict verdict_of(const struct tfl_tx *tx)
{
    struct tfl_verdict v;
    assert_int_equal(tfl_tx_check(&v, tx, NULL), TFL_TX_OK);
    return v;
}

static struct tfl_mempool_tx *add(struct tfl_mempool *mp, const struct tfl_tx *tx, uint64_t now_ms)
{
    TFL_BUF b = {0};
    struct tfl_verdict v = verdict_of(tx);
    tfl_tx_encode(&b, tx);
    return tfl_mempool_add(mp, &v, tx, tfl_bytes_new(b.data, b.len), now_ms);
}

static struct tfl_mempool_tx *put_back(struct tfl_mempool *mp, const struct tfl_tx *tx)
{
    TFL_BUF b = {0};
    struct tfl_verdict v = verdict_of(tx);
    tfl_tx_encode(&b, tx);
    return tfl_mempool_put_back(mp, &v, tx, tfl_bytes_new(b.data, b.len), 0);
}

static void test_first_come_first_served_and_those_that_come_back_before(void **state)
{
    struct tfl_mempool mp;
    struct tfl_mempool_tx *m[5];
    (void)state;
    tfl_mempool_init(&mp, 0, 0, 0);
    for (int i = 0; i < 5; i++) {
        struct tfl_note n = note(i);
        TFL_TX tx = spend(&n);
        m[i] = i < 3 ? add(&mp, &tx, 0) : put_back(&mp, &tx);
        assert_ptr_equal(tfl_mempool_find(&mp, &m[i]->verdict.hash), m[i]);
    }
    static const int order[] = {4, 3, 0, 1, 2};
    for (int i = 0; i < 5; i++)
        assert_ptr_equal(tfl_mempool_take(&mp), m[order[i]]);
    assert_null(tfl_mempool_take(&mp));
    tfl_mempool_ready(&mp, m[1]);
    tfl_mempool_ready(&mp, m[3]);
    assert_ptr_equal(tfl_mempool_take(&mp), m[3]);
    const struct tfl_mempool_tx *at = tfl_mempool_after(&mp, 0); /* peers get them by seq */
    for (int i = 0; i < 5; i++, at = at->next)
        assert_ptr_equal(at, m[i]);
    assert_ptr_equal(tfl_mempool_after(&mp, m[1]->seq), m[2]);
    assert_null(tfl_mempool_after(&mp, m[4]->seq));
    tfl_mempool_done(&mp);
}

static void collect(void *ctx, struct tfl_mempool_tx *m)
{
    struct tfl_mempool_tx ***next = ctx;
    *(*next)++ = m;
}

static void test_parked_ones_wake_when_what_they_take_appears(void **state)
{
    struct tfl_mempool mp;
    struct tfl_note a = note(1), found;
    (void)state;
    tfl_mempool_init(&mp, 0, 0, 0);
    TFL_TX parent = spend(&a);
    struct tfl_note b = made_by(&parent);
    TFL_TX child = spend(&b), rival = transfer(&b, &key, (const uint8_t[32]){1}, 10);
    struct tfl_mempool_tx *c = add(&mp, &child, 0), *r = add(&mp, &rival, 0), *p, *seen[4] = {NULL}, **next;
    struct tfl_mempool_thing thing = {b.id, TFL_MEMPOOL_NOTE};
    assert_false(tfl_mempool_note(&mp, &b.id, &found));
    for (int i = 0; i < 2; i++)
        tfl_mempool_park(&mp, tfl_mempool_take(&mp));
    assert_true(mp.n_parked == 2 && !tfl_mempool_take(&mp));
    p = add(&mp, &parent, 0);
    assert_true(tfl_mempool_note(&mp, &b.id, &found) && found.value == 10);
    assert_memory_equal(found.pk, key.pub, 32);
    next = seen;
    tfl_mempool_each_taker(&mp, &thing, collect, &next);
    assert_true(seen[0] == c && seen[1] == r && !seen[2]);
    tfl_mempool_wake(&mp, &(struct tfl_mempool_thing){b.id, TFL_MEMPOOL_CHANNEL}); /* not of that kind */
    assert_int_equal(mp.n_parked, 2);
    tfl_mempool_wake(&mp, &thing);
    assert_true(mp.n_parked == 0 && mp.n_ready == 3);
    assert_ptr_equal(tfl_mempool_take(&mp), c);
    tfl_mempool_remove(&mp, p);
    assert_false(tfl_mempool_note(&mp, &b.id, NULL));
    tfl_mempool_remove(&mp, r);
    tfl_mempool_remove(&mp, c);
    assert_true(mp.n == 0 && mp.bytes == 0 && !mp.takers && !mp.makers);
    tfl_mempool_done(&mp);
}

/* Two inscriptions of one transaction may name the same parent; that is the ledger's to refuse. */
static void test_inscriptions_wait_for_their_channel(void **state)
{
    struct tfl_mempool mp;
    struct tfl_hash channel = {{3}};
    struct tfl_mempool_tx *seen[4] = {NULL}, **next = seen;
    (void)state;
    tfl_mempool_init(&mp, 0, 0, 0);
    TFL_TX first = {0}, second = {0}, twice = {0};
    tfl_inscription(&first, NULL, &key, &channel, NULL, "1", 1);
    struct tfl_hash id = tfl_inscribe_id(&first.ops[0]);
    tfl_inscription(&second, NULL, &key, &channel, &id, "2", 1);
    tfl_inscription(&twice, NULL, &key, &channel, &id, "3", 1);
    twice.ops = tfl_realloc(twice.ops, 2 * sizeof *twice.ops);
    twice.ops[twice.n_ops++] = second.ops[0];
    twice.ops[1].inscribe.data = (uint8_t *)tfl_strdup("2");
    sign_all(&twice, &key);
    struct tfl_mempool_tx *s = add(&mp, &second, 0), *t = add(&mp, &twice, 0);
    tfl_mempool_park(&mp, tfl_mempool_take(&mp));
    tfl_mempool_park(&mp, tfl_mempool_take(&mp));
    struct tfl_mempool_tx *f = add(&mp, &first, 0);
    assert_int_equal(f->n_makes, 1);
    struct tfl_mempool_thing thing = {id, TFL_MEMPOOL_MESSAGE};
    tfl_mempool_each_taker(&mp, &thing, collect, &next);
    assert_true(seen[0] == s && seen[1] == t && !seen[2]);
    tfl_mempool_wake(&mp, &thing);
    assert_int_equal(mp.n_ready, 3);
    tfl_mempool_done(&mp);
}

static void test_bounds_and_time(void **state)
{
    struct tfl_mempool mp;
    struct tfl_note n[4] = {note(1), note(2), note(3), note(4)};
    (void)state;
    tfl_mempool_init(&mp, 2, 0, 10);
    TFL_TX a = spend(&n[0]), b = spend(&n[1]), c = spend(&n[2]);
    struct tfl_mempool_tx *m = add(&mp, &a, 5000);
    size_t len = m->bytes->len;
    assert_true(tfl_mempool_has_room(&mp, len));
    add(&mp, &b, 6000);
    assert_false(tfl_mempool_has_room(&mp, 1));
    put_back(&mp, &c); /* also when it is full */
    assert_int_equal(mp.n, 3);
    assert_null(tfl_mempool_expired(&mp, 14999));
    assert_null(tfl_mempool_expired(&mp, 0)); /* a clock that was set back */
    assert_ptr_equal(tfl_mempool_expired(&mp, 15000), m);
    tfl_mempool_remove(&mp, m);
    assert_null(tfl_mempool_expired(&mp, 15000));
    tfl_mempool_done(&mp);
    tfl_mempool_init(&mp, 0, 2 * len, 0);
    add(&mp, &a, 0);
    assert_true(tfl_mempool_has_room(&mp, len) && !tfl_mempool_has_room(&mp, len + 1));
    assert_false(tfl_mempool_has_room(&mp, SIZE_MAX));
    tfl_mempool_done(&mp);
}

/* Every verb in any order: the counts stay right and the ready ones come in order. */
static void test_any_order_of_verbs(void **state)
{
    struct tfl_mempool mp;
    struct tfl_rng rng;
    struct tfl_mempool_tx *in[300] = {NULL}, *taken[300];
    uint32_t n_taken = 0, n = 0;
    (void)state;
    tfl_rng_init(&rng, 5, "mempool");
    tfl_mempool_init(&mp, 0, 0, 0);
    for (int step = 0; step < 5000; step++) {
        int i = (int)tfl_rng_below(&rng, 300);
        struct tfl_note note_i = note(i / 3); /* three that exclude each other */
        struct tfl_mempool_thing thing = {note_i.id, TFL_MEMPOOL_NOTE};
        switch (tfl_rng_below(&rng, 6)) {
        case 0:
        case 1:
            if (!in[i]) {
                TFL_TX tx = transfer(&note_i, &key, (const uint8_t[32]){(uint8_t)(i % 3)}, 10);
                in[i] = i % 2 ? add(&mp, &tx, 0) : put_back(&mp, &tx);
                n++;
            }
            break;
        case 2:
            if ((taken[n_taken] = tfl_mempool_take(&mp))) {
                for (struct tfl_mempool_tx *m = mp.list; m; m = m->next)
                    assert_true(m->state != TFL_MEMPOOL_READY || m->order > taken[n_taken]->order);
                n_taken++;
            }
            break;
        case 3:
            if (n_taken && tfl_rng_below(&rng, 3))
                tfl_mempool_park(&mp, taken[--n_taken]);
            else if (n_taken)
                tfl_mempool_ready(&mp, taken[--n_taken]);
            break;
        case 4:
            tfl_mempool_wake(&mp, &thing);
            break;
        default:
            if (in[i] && in[i]->state != TFL_MEMPOOL_TAKEN) {
                tfl_mempool_remove(&mp, in[i]);
                in[i] = NULL;
                n--;
            }
        }
        assert_true(mp.n == n && mp.n == mp.n_ready + mp.n_parked + n_taken);
    }
    assert_true(mp.n_parked > 5 && mp.n_ready > 5);
    tfl_mempool_done(&mp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_come_first_served_and_those_that_come_back_before),
        cmocka_unit_test(test_parked_ones_wake_when_what_they_take_appears),
        cmocka_unit_test(test_inscriptions_wait_for_their_channel),
        cmocka_unit_test(test_bounds_and_time),
        cmocka_unit_test(test_any_order_of_verbs),
    };
    tfl_chain_init();
    tfl_keypair_from_seed(&key, (const uint8_t[32]){9});
    return cmocka_run_group_tests(tests, NULL, NULL);
}
