#include "chain/lottery.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TAG "TFL_LOTTERY_V1"
#define MESSAGE_BYTES (sizeof TAG - 1 + 32 + 8)

uint64_t tfl_lottery_threshold(double active_slot_coeff, uint64_t stake, uint64_t total)
{
    TFL_ASSERT(active_slot_coeff > 0 && active_slot_coeff <= 1 && stake <= total);
    if (stake == 0)
        return 0;
    /* 1 - (1 - f)^share without losing the digits of a small share; f = 1 gives -expm1(-inf) = 1 */
    double phi = -expm1((double)stake / (double)total * log1p(-active_slot_coeff));
    return (uint64_t)floor(phi * 0x1p53);
}

static void message(uint8_t out[MESSAGE_BYTES], const uint8_t nonce[32], uint64_t slot)
{
    memcpy(out, TAG, sizeof TAG - 1);
    memcpy(out + sizeof TAG - 1, nonce, 32);
    tfl_put_le(out + sizeof TAG - 1 + 32, slot, 8);
}

void tfl_lottery_prove(
    uint8_t proof[TFL_PROOF_SIZE], const struct tfl_keypair *k, const uint8_t nonce[32], uint64_t slot)
{
    uint8_t msg[MESSAGE_BYTES];
    message(msg, nonce, slot);
    memset(proof, 0, TFL_PROOF_SIZE);
    tfl_sign(proof, k, msg, sizeof msg);
}

uint64_t tfl_lottery_ticket(const uint8_t proof[TFL_PROOF_SIZE])
{
    struct tfl_hash h = tfl_hash_of("TFL_TICKET_V1", &(struct tfl_span){proof, TFL_SIGNATURE_SIZE}, 1);
    return tfl_get_le(h.b, 8) >> 11;
}

bool tfl_lottery_verify(const uint8_t proof[TFL_PROOF_SIZE], const uint8_t pub[TFL_PUBLIC_KEY_SIZE],
    const uint8_t nonce[32], uint64_t slot)
{
    static const uint8_t zeros[TFL_PROOF_SIZE - TFL_SIGNATURE_SIZE];
    uint8_t msg[MESSAGE_BYTES];
    if (memcmp(proof + TFL_SIGNATURE_SIZE, zeros, sizeof zeros) != 0)
        return false;
    message(msg, nonce, slot);
    return tfl_verify(proof, pub, msg, sizeof msg);
}

static int by_key(const void *a, const void *b)
{
    const struct tfl_lottery_leader *x = a, *y = b;
    return memcmp(x->pub, y->pub, sizeof x->pub);
}

void tfl_lottery_init(struct tfl_lottery *l, const struct tfl_genesis *g, double active_slot_coeff)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < g->n_stakes; i++)
        total += g->stakes[i].stake;
    *l = (struct tfl_lottery){.leaders = tfl_alloc(g->n_stakes * sizeof *l->leaders), .n = g->n_stakes};
    memcpy(l->nonce, g->nonce, sizeof l->nonce);
    for (uint32_t i = 0; i < g->n_stakes; i++) {
        memcpy(l->leaders[i].pub, g->stakes[i].pub, sizeof l->leaders[i].pub);
        l->leaders[i].threshold = tfl_lottery_threshold(active_slot_coeff, g->stakes[i].stake, total);
    }
    qsort(l->leaders, l->n, sizeof *l->leaders, by_key);
}

void tfl_lottery_done(struct tfl_lottery *l)
{
    if (l)
        free(l->leaders);
}

uint64_t tfl_lottery_find(const struct tfl_lottery *l, const uint8_t pub[TFL_PUBLIC_KEY_SIZE])
{
    struct tfl_lottery_leader key;
    memcpy(key.pub, pub, sizeof key.pub);
    const struct tfl_lottery_leader *found = bsearch(&key, l->leaders, l->n, sizeof *l->leaders, by_key);
    return found ? found->threshold : 0;
}
