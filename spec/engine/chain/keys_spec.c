#include "support.h"

static void test_public_key_and_signature_are_those_of_rfc_8032(void **state)
{
    struct tfl_keypair k = vector_key();
    uint8_t sig[TFL_SIGNATURE_SIZE];
    (void)state;
    assert_hex(k.pub, sizeof k.pub, V_PUB);
    tfl_sign(sig, &k, "hello", 5);
    assert_hex(sig, sizeof sig, V_SIG_HELLO);
    assert_true(tfl_verify(sig, k.pub, "hello", 5));
}

static void test_verify_refuses_another_message_key_or_signature(void **state)
{
    struct tfl_keypair k = vector_key(), other;
    uint8_t sig[TFL_SIGNATURE_SIZE], seed[TFL_SEED_SIZE] = {1};
    (void)state;
    tfl_keypair_from_seed(&other, seed);
    tfl_sign(sig, &k, "hello", 5);
    assert_false(tfl_verify(sig, k.pub, "hellO", 5));
    assert_false(tfl_verify(sig, other.pub, "hello", 5));
    for (size_t i = 0; i < sizeof sig; i++) {
        sig[i] ^= 0x80;
        assert_false(tfl_verify(sig, k.pub, "hello", 5));
        sig[i] ^= 0x80;
    }
    /* the neutral element: a key for which some signatures hold for every message */
    uint8_t neutral[TFL_PUBLIC_KEY_SIZE] = {1}, trivial[TFL_SIGNATURE_SIZE] = {1};
    assert_false(tfl_verify(trivial, neutral, "hello", 5));
}

static void test_peer_id_is_that_of_libp2p(void **state)
{
    struct tfl_keypair k = vector_key();
    char id[TFL_PEER_ID_SIZE];
    (void)state;
    assert_string_equal(tfl_peer_id(id, k.pub), V_PEER_ID);
}

static void test_base58_keeps_leading_zeros_and_takes_the_longest_input(void **state)
{
    char out[2 * 64 + 1];
    uint8_t big[64];
    (void)state;
    tfl_base58(out, (const uint8_t[]){0, 0, 1, 0xff, 0x80}, 5);
    assert_string_equal(out, V_BASE58_ZEROS);
    tfl_base58(out, NULL, 0);
    assert_string_equal(out, "");
    memset(big, 0xff, sizeof big);
    tfl_base58(out, big, sizeof big);
    assert_int_equal(strlen(out), 88); /* ceil(512 / log2(58)) */
    memset(big, 0, sizeof big);
    tfl_base58(out, big, sizeof big);
    assert_int_equal(strspn(out, "1"), 64);
    assert_int_equal(strlen(out), 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_public_key_and_signature_are_those_of_rfc_8032),
        cmocka_unit_test(test_verify_refuses_another_message_key_or_signature),
        cmocka_unit_test(test_peer_id_is_that_of_libp2p),
        cmocka_unit_test(test_base58_keeps_leading_zeros_and_takes_the_longest_input),
    };
    tfl_chain_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
