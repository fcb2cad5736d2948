#include "support.h"

#include "chain/poseidon2.h"
#include "poseidon2_vectors.h"

static struct tfl_fr fr(const char *hex)
{
    struct tfl_fr x;
    assert_true(tfl_unhex(x.b, sizeof x.b, hex, strlen(hex)));
    return x;
}

static void assert_fr(struct tfl_fr x, const char *want)
{
    assert_hex(x.b, sizeof x.b, want);
}

static void test_public_key_is_that_of_the_real_node(void **state)
{
    struct tfl_fr secret = fr(V_ZK_SK);
    (void)state;
    assert_fr(tfl_zk_public(&secret), V_ZK_PK);
}

static void test_note_id_is_that_of_the_real_node(void **state)
{
    struct tfl_hash zero = filled(0);
    struct tfl_fr pk = {{456 & 0xff, 456 >> 8}};
    (void)state;
    assert_fr(tfl_zk_note_id(&zero, 0, 100, &pk), V_NOTE_456);
}

static void test_note_id_takes_the_biggest_numbers_and_reduces_the_operation(void **state)
{
    struct tfl_hash ones = filled(0xff);
    struct tfl_fr pk = fr(V_ZK_PK);
    (void)state;
    assert_fr(tfl_zk_note_id(&ones, UINT64_MAX, UINT64_MAX - 1, &pk), V_NOTE_BIG);
}

static void test_compress_and_digest_at_the_ends_of_the_field(void **state)
{
    struct tfl_fr zero = {{0}}, big = fr(V_BIGGEST), three[] = {big, big, big};
    (void)state;
    assert_fr(tfl_poseidon2_compress(&zero, &zero), V_COMPRESS_ZEROS);
    assert_fr(tfl_poseidon2_compress(&big, &big), V_COMPRESS_BIGGEST);
    assert_fr(tfl_poseidon2_digest(NULL, 0), V_DIGEST_NONE);
    assert_fr(tfl_poseidon2_digest(three, 3), V_DIGEST_BIGGEST);
}

static void test_a_long_chain_of_compressions(void **state)
{
    struct tfl_fr x = {{0}}, y = {{1}};
    (void)state;
    for (int i = 0; i < 300; i++) {
        struct tfl_fr next = tfl_poseidon2_compress(&x, &y);
        x = y;
        y = next;
    }
    assert_fr(y, V_CHAIN_300);
}

static void test_what_is_not_below_the_modulus_is_not_valid_and_is_reduced(void **state)
{
    struct tfl_fr big = fr(V_BIGGEST), modulus = fr(V_MODULUS), zero = {{0}};
    struct tfl_hash ones = filled(0xff);
    (void)state;
    assert_true(tfl_fr_valid(&zero));
    assert_true(tfl_fr_valid(&big));
    assert_false(tfl_fr_valid(&modulus));
    assert_memory_equal(tfl_fr_reduce(big.b).b, big.b, sizeof big.b);
    assert_memory_equal(tfl_fr_reduce(modulus.b).b, zero.b, sizeof zero.b);
    assert_fr(tfl_fr_reduce(ones.b), V_ALL_ONES_REDUCED);
}

/* The key of the real node's own tests; its peer id is not from there. */
static void test_node_key_and_peer_id_are_those_of_the_contract(void **state)
{
    static const char seed_hex[] = "e01039077e592ce1c454c5e8ffe2f571f6fad6106ff0e1895c9a403c126ba80f";
    struct tfl_keypair k;
    uint8_t seed[TFL_SEED_SIZE];
    char id[TFL_PEER_ID_SIZE];
    (void)state;
    assert_true(tfl_unhex(seed, sizeof seed, seed_hex, strlen(seed_hex)));
    tfl_keypair_from_seed(&k, seed);
    assert_hex(k.pub, sizeof k.pub, "dc4aec617a8889e651c88997f2c4ba7e606cc553434a526f73109d26aa9d69ac");
    assert_string_equal(tfl_peer_id(id, k.pub), "12D3KooWQeJ8CUvQJQ6iMY6yKH49igfH7zrP1qSpqTBeRqTCS4iX");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_public_key_is_that_of_the_real_node),
        cmocka_unit_test(test_note_id_is_that_of_the_real_node),
        cmocka_unit_test(test_note_id_takes_the_biggest_numbers_and_reduces_the_operation),
        cmocka_unit_test(test_compress_and_digest_at_the_ends_of_the_field),
        cmocka_unit_test(test_a_long_chain_of_compressions),
        cmocka_unit_test(test_what_is_not_below_the_modulus_is_not_valid_and_is_reduced),
        cmocka_unit_test(test_node_key_and_peer_id_are_those_of_the_contract),
    };
    tfl_chain_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
