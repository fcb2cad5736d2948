#include "topology/identity.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Made with Python: hashlib.blake2b(b"TFL_SEED_V1" + u64le(42) + name, digest_size=32), cryptography's Ed25519, and base58
 * written out. */
static void derived_as_python_says(void **state)
{
    (void)state;
    char hex[65];
    uint8_t nonce[32];
    tfl_nonce_of(nonce, 42);
    assert_string_equal(
        tfl_hex(hex, nonce, 32), "4df5de04f32294544c2c73a8e03a2e0b77ba86658a78f17b5b3b959866d9b785");
    struct tfl_identity id;
    tfl_identity_of(&id, 42, 3);
    assert_string_equal(
        tfl_hex(hex, id.node_key, 32), "8b8355e8f7ddde982460a9d4c341533203f9ded3af6aee0f949d1fec7816399c");
    assert_string_equal(id.peer_id, "12D3KooWSiBnb2PAauNb8YrhkBnV3wxGpGY4CkQP1BGX2LdDVvcg");
    assert_string_equal(
        tfl_hex(hex, id.leader_key, 32), "668218f0a6b0a66fb20821571d42222b1d5a2e4e713e7478a5b7a74adce54569");
    assert_string_equal(
        tfl_hex(hex, id.leader_pub, 32), "3c0fa90e00fb0fc7e242c471925b7a222009a932a65e34fb2eadd56a41ea710b");
}

static void nodes_and_seeds_differ(void **state)
{
    (void)state;
    enum { N = 50 };
    static struct tfl_identity ids[2 * N];
    for (size_t i = 0; i < 2 * N; i++)
        tfl_identity_of(&ids[i], i / N, i % N);
    for (size_t i = 0; i < 2 * N; i++) {
        assert_memory_not_equal(ids[i].node_key, ids[i].leader_key, 32);
        for (size_t j = 0; j < i; j++) {
            assert_memory_not_equal(ids[i].node_key, ids[j].node_key, 32);
            assert_memory_not_equal(ids[i].leader_pub, ids[j].leader_pub, 32);
            assert_string_not_equal(ids[i].peer_id, ids[j].peer_id);
        }
    }
}

static int init(void **state)
{
    (void)state;
    tfl_chain_init();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(derived_as_python_says),
        cmocka_unit_test(nodes_and_seeds_differ),
    };
    return cmocka_run_group_tests(tests, init, NULL);
}
