#ifndef TFL_CHAIN_KEYS_H
#define TFL_CHAIN_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ed25519 keys (RFC 8032) and the names made of them. */
#define TFL_SEED_SIZE 32
#define TFL_PUBLIC_KEY_SIZE 32
#define TFL_SIGNATURE_SIZE 64
#define TFL_PEER_ID_SIZE 64 /* room for the text of a peer id (52 characters) and its NUL */

struct tfl_keypair {
    uint8_t pub[TFL_PUBLIC_KEY_SIZE];
    uint8_t secret[64]; /* libsodium's form: seed, then public key */
};

/* Readies libsodium; call once before anything else of this room. Aborts when the host has no randomness. */
void tfl_chain_init(void);

void tfl_keypair_from_seed(struct tfl_keypair *k, const uint8_t seed[TFL_SEED_SIZE]);
/* Deterministic: the same key and message give the same signature. */
void tfl_sign(uint8_t sig[TFL_SIGNATURE_SIZE], const struct tfl_keypair *k, const void *msg, size_t len);
/* Keys of small order and malleable signatures are refused. */
bool tfl_verify(const uint8_t sig[TFL_SIGNATURE_SIZE], const uint8_t pub[TFL_PUBLIC_KEY_SIZE],
    const void *msg, size_t len);

/* Base58 (Bitcoin's alphabet) of at most 64 bytes into out, NUL-terminated; out needs 2 * n + 1 bytes. */
void tfl_base58(char *out, const uint8_t *bytes, size_t n);
/* The libp2p peer id of a public key, "12D3Koo…", into out (TFL_PEER_ID_SIZE bytes); returns out. */
char *tfl_peer_id(char *out, const uint8_t pub[TFL_PUBLIC_KEY_SIZE]);

#endif
