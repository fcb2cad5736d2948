#include "chain/wallet.h"
#include "ledger_world.h"

static void test_inscriptions_have_fresh_channels(void **state)
{
    struct tfl_keypair k = vector_key();
    struct tfl_wallet w;
    struct tfl_tx tx;
    struct tfl_hash hash, parent = filled(4);
    struct tfl_verdict v;
    struct tfl_tx_ledger *l = notes_ledger();
    (void)state;
    tfl_wallet_init(&w, 1, 2);
    w.key = k;
    for (int i = 0; i < 8; i++) {
        tfl_wallet_inscribe(&w, &tx, &hash, NULL, NULL, "hi", 2);
        assert_int_equal(tfl_tx_check(&v, &tx, NULL), TFL_TX_OK);
        assert_true(tfl_hash_eq(&v.hash, &hash));
        assert_int_equal(tfl_tx_ledger_apply_tx(l, &tx, &v, NULL, NULL), TFL_TX_OK);
        if (i == 7)
            assert_hex(tx.ops[0].inscribe.channel.b, 32, V_FRESH_CHANNEL_7);
        tfl_tx_done(&tx);
    }
    tfl_wallet_inscribe(&w, &tx, NULL, &parent, &parent, NULL, 0);
    assert_true(tfl_hash_eq(&tx.ops[0].inscribe.parent, &parent));
    assert_int_equal(tfl_tx_check(&v, &tx, NULL), TFL_TX_OK);
    tfl_tx_done(&tx);
    tfl_wallet_done(&w);
    tfl_tx_ledger_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inscriptions_have_fresh_channels),
    };
    tfl_chain_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
