#ifndef TFL_LOAD_WALLET_SOURCE_H
#define TFL_LOAD_WALLET_SOURCE_H

#include "chain/wallet.h"
#include "load/generator.h"

/* Transactions of wallets, which take turns: intent i is made by wallet i modulo their number. */
struct tfl_wallet_source {
    struct tfl_load_source source;
    struct tfl_wallet *const *wallets; /* the owner's */
    size_t n;
    enum tfl_load_kind {
        TFL_LOAD_TRANSFER,   /* of `amount` to the next wallet; change can be spent at once */
        TFL_LOAD_INSCRIPTION /* of `bytes` bytes, in a fresh channel each */
    } kind;
    uint64_t amount;   /* at least 1 */
    size_t bytes;      /* at most TFL_LOAD_BYTES_MAX */
    const char *label; /* begins the data of inscriptions */
};
enum { TFL_LOAD_BYTES_MAX = 64 * 1024 };

/* Sets the functions of source; the rest is the owner's to fill. */
void tfl_wallet_source_init(struct tfl_wallet_source *source);

#endif
