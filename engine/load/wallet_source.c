#include "load/wallet_source.h"

#include "chain/tx_json.h"

#include <stdio.h>
#include <string.h>

static struct tfl_wallet_source *of(struct tfl_load_source *source)
{
    return TFL_CONTAINER(source, struct tfl_wallet_source, source);
}

static void inscribe(const struct tfl_wallet_source *s, uint64_t i, struct tfl_tx *tx, struct tfl_hash *hash)
{
    char text[96];
    TFL_BUF data = {0};
    size_t n = (size_t)snprintf(
        text, sizeof text, "%.40s %llu ", s->label ? s->label : "tfl", (unsigned long long)i);
    tfl_buf_add(&data, text, n);
    while (data.len < s->bytes)
        tfl_buf_add(&data, ".", 1);
    tfl_wallet_inscribe(s->wallets[i % s->n], tx, hash, NULL, NULL, data.data, data.len);
}

static int make(struct tfl_load_source *source, uint64_t i, struct tfl_buf *body, struct tfl_hash *hash,
    struct tfl_error *err)
{
    struct tfl_wallet_source *s = of(source);
    struct tfl_tx tx = {0};
    if (s->kind == TFL_LOAD_INSCRIPTION)
        inscribe(s, i, &tx, hash);
    else if (tfl_wallet_transfer(
                 s->wallets[i % s->n], s->wallets[(i + 1) % s->n]->key.pub, s->amount, &tx, hash, err))
        return tfl_wrap(err, "wallet %zu", (size_t)(i % s->n));
    tfl_tx_body(body, &tx);
    tfl_tx_done(&tx);
    return 0;
}

static void settled(struct tfl_load_source *source, uint64_t i, const struct tfl_hash *hash)
{
    struct tfl_wallet_source *s = of(source);
    tfl_wallet_settled(s->wallets[i % s->n], hash);
}

static void dropped(struct tfl_load_source *source, uint64_t i, const struct tfl_hash *hash,
    void (*fn)(void *arg, const struct tfl_hash *hash), void *arg)
{
    struct tfl_wallet_source *s = of(source);
    tfl_wallet_dropped(s->wallets[i % s->n], hash, fn, arg);
}

void tfl_wallet_source_init(struct tfl_wallet_source *s)
{
    bool spends = s->kind == TFL_LOAD_TRANSFER;
    s->source.make = make;
    s->source.settled = spends ? settled : NULL;
    s->source.dropped = spends ? dropped : NULL;
}
