#include "chain/keys.h"

#include "base/error.h"

#include <sodium.h>
#include <string.h>

_Static_assert(
    sizeof((struct tfl_keypair *)0)->secret == crypto_sign_ed25519_SECRETKEYBYTES, "libsodium's form");

void tfl_chain_init(void)
{
    TFL_ASSERT(sodium_init() >= 0);
}

void tfl_keypair_from_seed(struct tfl_keypair *k, const uint8_t seed[TFL_SEED_SIZE])
{
    crypto_sign_ed25519_seed_keypair(k->pub, k->secret, seed);
}

void tfl_sign(uint8_t sig[TFL_SIGNATURE_SIZE], const struct tfl_keypair *k, const void *msg, size_t len)
{
    crypto_sign_ed25519_detached(sig, NULL, msg, len, k->secret);
}

bool tfl_verify(const uint8_t sig[TFL_SIGNATURE_SIZE], const uint8_t pub[TFL_PUBLIC_KEY_SIZE],
    const void *msg, size_t len)
{
    return crypto_sign_ed25519_verify_detached(sig, msg, len, pub) == 0;
}

void tfl_base58(char *out, const uint8_t *bytes, size_t n)
{
    static const char alphabet[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    uint8_t digits[2 * 64]; /* base 58, least significant first */
    size_t len = 0, zeros = 0;
    TFL_ASSERT(n <= 64);
    while (zeros < n && bytes[zeros] == 0)
        zeros++;
    for (size_t i = zeros; i < n; i++) {
        unsigned carry = bytes[i];
        for (size_t j = 0; j < len; j++) {
            carry += (unsigned)digits[j] << 8;
            digits[j] = (uint8_t)(carry % 58);
            carry /= 58;
        }
        for (; carry; carry /= 58)
            digits[len++] = (uint8_t)(carry % 58);
    }
    memset(out, alphabet[0], zeros); /* each leading zero byte is one character */
    out += zeros;
    while (len > 0)
        *out++ = alphabet[digits[--len]];
    *out = '\0';
}

char *tfl_peer_id(char *out, const uint8_t pub[TFL_PUBLIC_KEY_SIZE])
{
    /* an identity multihash (00, length 24) of the protobuf {1: key type Ed25519, 2: 32 bytes} */
    uint8_t id[6 + TFL_PUBLIC_KEY_SIZE] = {0x00, 0x24, 0x08, 0x01, 0x12, 0x20};
    char text[2 * sizeof id + 1];
    memcpy(id + 6, pub, TFL_PUBLIC_KEY_SIZE);
    tfl_base58(text, id, sizeof id);
    TFL_ASSERT(strlen(text) < TFL_PEER_ID_SIZE);
    return memcpy(out, text, strlen(text) + 1);
}
