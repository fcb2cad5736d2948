#include "base/rng.h"
#include "chain/slots.h"
#include "support.h"

#include <math.h>
#include <stdio.h>

static void test_proof_and_ticket_follow_the_vectors(void **state)
{
    struct tfl_keypair k = vector_key();
    struct tfl_hash nonce = filled(9);
    uint8_t proof[TFL_PROOF_SIZE];
    (void)state;
    tfl_lottery_prove(proof, &k, nonce.b, 137);
    assert_hex(proof, sizeof proof, V_PROOF_137);
    assert_true(tfl_lottery_ticket(proof) == V_TICKET_137);
    assert_true(tfl_lottery_verify(proof, k.pub, nonce.b, 137));
}

static void test_verify_refuses_another_slot_nonce_key_or_tail(void **state)
{
    struct tfl_keypair k = vector_key();
    struct tfl_hash nonce = filled(9), other = filled(10);
    uint8_t proof[TFL_PROOF_SIZE];
    (void)state;
    tfl_lottery_prove(proof, &k, nonce.b, 137);
    assert_false(tfl_lottery_verify(proof, k.pub, nonce.b, 138));
    assert_false(tfl_lottery_verify(proof, k.pub, other.b, 137));
    assert_false(tfl_lottery_verify(proof, other.b, nonce.b, 137));
    proof[127] = 1;
    assert_false(tfl_lottery_verify(proof, k.pub, nonce.b, 137));
}

static void assert_close(uint64_t a, uint64_t b)
{
    uint64_t gap = a > b ? a - b : b - a;
    assert_true(gap <= 4); /* of 2^53: the last bits of libm are its own */
}

static void test_thresholds_are_those_of_exact_arithmetic(void **state)
{
    (void)state;
    assert_close(tfl_lottery_threshold(0.5, 1, 3), V_THRESHOLD_05_1_3);
    assert_close(tfl_lottery_threshold(0.9, 1, 100), V_THRESHOLD_09_1_100);
    assert_close(tfl_lottery_threshold(0.05, 7, 10), V_THRESHOLD_005_7_10);
    assert_true(tfl_lottery_threshold(0.5, 0, 3) == 0);
    assert_true(tfl_lottery_threshold(0.5, 3, 3) == UINT64_C(1) << 52);
    assert_true(tfl_lottery_threshold(1, 1, 3) == UINT64_C(1) << 53);
}

static void test_unknown_key_never_wins(void **state)
{
    struct tfl_stake stakes[3] = {{.stake = 1}, {.stake = 2}, {.stake = 0}};
    struct tfl_genesis g = {.chain_id = "x", .stakes = stakes, .n_stakes = 3};
    struct tfl_lottery l;
    struct tfl_hash unknown = filled(9);
    (void)state;
    for (int i = 0; i < 3; i++)
        stakes[i].pub[0] = (uint8_t)(3 - i);
    tfl_lottery_init(&l, &g, 0.5);
    assert_true(tfl_lottery_find(&l, stakes[0].pub) == tfl_lottery_threshold(0.5, 1, 3));
    assert_true(tfl_lottery_find(&l, stakes[1].pub) == tfl_lottery_threshold(0.5, 2, 3));
    assert_true(tfl_lottery_find(&l, stakes[2].pub) == 0);
    assert_true(tfl_lottery_find(&l, unknown.b) == 0);
    tfl_lottery_done(&l);
}

/* Slots of 4,000 with at least one winner, for n leaders with stakes 1…n. */
static int slots_with_a_leader(double f, int n, uint64_t seed)
{
    struct tfl_keypair keys[8];
    uint8_t bytes[32], nonce[32];
    int total = n * (n + 1) / 2, won = 0;
    for (int i = 0; i < n; i++) {
        char name[24];
        snprintf(name, sizeof name, "leader/%d", i);
        tfl_seed_bytes(bytes, seed, name);
        tfl_keypair_from_seed(&keys[i], bytes);
    }
    tfl_seed_bytes(nonce, seed, "nonce");
    for (uint64_t slot = 1; slot <= 4000; slot++) {
        for (int i = 0; i < n; i++) {
            uint8_t proof[TFL_PROOF_SIZE];
            tfl_lottery_prove(proof, &keys[i], nonce, slot);
            if (tfl_lottery_ticket(proof) < tfl_lottery_threshold(f, (uint64_t)i + 1, (uint64_t)total)) {
                won++;
                break;
            }
        }
    }
    return won;
}

static void test_a_slot_has_a_leader_with_chance_f_however_the_stake_is_split(void **state)
{
    const double coefficients[] = {0.05, 0.5, 0.9};
    (void)state;
    for (size_t i = 0; i < TFL_LEN(coefficients); i++) {
        double f = coefficients[i], sigma = sqrt(4000 * f * (1 - f));
        for (int n = 1; n <= 3; n += 2)
            assert_true(fabs(slots_with_a_leader(f, n, 42) - 4000 * f) < 4 * sigma);
    }
    assert_int_equal(slots_with_a_leader(1, 2, 1), 4000);
}

static void test_slot_clock(void **state)
{
    const struct tfl_slots s = {.genesis_time_unix_ms = 1000, .slot_duration_ms = 50};
    uint64_t slot = 7;
    (void)state;
    assert_false(tfl_slots_at(&s, 999999999, &slot));
    assert_true(slot == 0);
    assert_false(tfl_slots_at(&s, -1, &slot));
    assert_true(tfl_slots_at(&s, 1000000000, &slot) && slot == 0);
    assert_true(tfl_slots_at(&s, 1049999999, &slot) && slot == 0);
    assert_true(tfl_slots_at(&s, 1050000000, &slot) && slot == 1);
    for (uint64_t i = 0; i < 100; i++) {
        int64_t start = tfl_slots_start_ns(&s, i);
        assert_true(tfl_slots_at(&s, start, &slot) && slot == i);
        assert_true(tfl_slots_at(&s, start - 1, &slot) == (i > 0) && (i == 0 || slot == i - 1));
    }
    assert_true(tfl_slots_start_ns(&s, UINT64_MAX) == INT64_MAX);
    assert_true(tfl_slots_start_ns(&s, UINT64_MAX / 50) == INT64_MAX);
    assert_true(tfl_slots_start_ns(&s, INT64_MAX / 50000000) == INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_proof_and_ticket_follow_the_vectors),
        cmocka_unit_test(test_verify_refuses_another_slot_nonce_key_or_tail),
        cmocka_unit_test(test_thresholds_are_those_of_exact_arithmetic),
        cmocka_unit_test(test_unknown_key_never_wins),
        cmocka_unit_test(test_a_slot_has_a_leader_with_chance_f_however_the_stake_is_split),
        cmocka_unit_test(test_slot_clock),
    };
    tfl_chain_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
