#include "chain/wallet_impl.h"

#include "base/rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Makes room for one more behind a queue's last item, moving the items to the front when half of the room is free. */
static void *queue_room(void *items, size_t *head, size_t n, size_t *cap, size_t item_size)
{
    if (*head + n < *cap)
        return items;
    if (*head > n) {
        memmove(items, (char *)items + *head * item_size, n * item_size);
    } else {
        size_t bigger = 2 * n + 8;
        char *moved = tfl_alloc(bigger * item_size);
        if (n)
            memcpy(moved, (char *)items + *head * item_size, n * item_size);
        free(items);
        items = moved;
        *cap = bigger;
    }
    *head = 0;
    return items;
}

void tfl_wallet_push(struct tfl_wallet *w, const struct tfl_own *note)
{
    struct tfl_wallet_notes *q = w->notes;
    q->items = queue_room(q->items, &q->head, q->n, &q->cap, sizeof *q->items);
    q->items[q->head + q->n++] = *note;
}

void tfl_wallet_finish(struct tfl_wallet *w, struct tfl_sent *t)
{
    free(t->inputs);
    t->inputs = NULL;
    t->over = true;
    t->dead = false;
    w->pending->n_over++;
}

void tfl_wallet_trim(struct tfl_wallet *w)
{
    struct tfl_wallet_pending *p = w->pending;
    while (p->n > 0 && p->items[p->head].over) {
        p->head++;
        p->first++;
        p->n--;
        p->n_over--;
    }
}

void tfl_wallet_init(struct tfl_wallet *w, uint64_t seed, uint64_t index)
{
    uint8_t key_seed[TFL_SEED_SIZE];
    char name[64];
    *w = (struct tfl_wallet){.max_pending = TFL_WALLET_PENDING_MAX};
    snprintf(name, sizeof name, "wallet/%llu", (unsigned long long)index);
    tfl_seed_bytes(key_seed, seed, name);
    tfl_keypair_from_seed(&w->key, key_seed);
    w->notes = tfl_alloc(sizeof *w->notes);
    w->pending = tfl_alloc(sizeof *w->pending);
    w->pending->first = 1;
}

void tfl_wallet_done(struct tfl_wallet *w)
{
    if (!w || !w->notes)
        return;
    for (size_t i = 0; i < w->pending->n; i++)
        free(tfl_wallet_pending_at(w, i)->inputs);
    free(w->pending->items);
    free(w->pending);
    free(w->notes->items);
    free(w->notes);
    *w = (struct tfl_wallet){0};
}

static bool knows(const struct tfl_wallet *w, const struct tfl_hash *id)
{
    for (size_t i = 0; i < w->notes->n; i++) {
        if (tfl_hash_eq(&tfl_wallet_note_at(w, i)->id, id))
            return true;
    }
    for (size_t i = 0; i < w->pending->n; i++) {
        const struct tfl_sent *t = tfl_wallet_pending_at(w, i);
        for (size_t j = 0; !t->over && j < t->n_inputs; j++) {
            if (tfl_hash_eq(&t->inputs[j].id, id))
                return true;
        }
    }
    return false;
}

void tfl_wallet_receive(struct tfl_wallet *w, const struct tfl_note *note)
{
    if (tfl_wallet_is_own(w, note) && !knows(w, &note->id))
        tfl_wallet_push(w, &(struct tfl_own){.id = note->id, .value = note->value});
}

uint64_t tfl_wallet_balance(const struct tfl_wallet *w)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < w->notes->n; i++)
        sum = tfl_wallet_note_at(w, i)->value > UINT64_MAX - sum ? UINT64_MAX
                                                                 : sum + tfl_wallet_note_at(w, i)->value;
    return sum;
}

size_t tfl_wallet_n_notes(const struct tfl_wallet *w)
{
    return w->notes->n;
}

size_t tfl_wallet_n_pending(const struct tfl_wallet *w)
{
    return w->pending->n - w->pending->n_over;
}

/* How many of the first notes give amount, and their sum; 0 when 255 or all do not. */
static uint8_t cover(const struct tfl_wallet *w, uint64_t amount, uint64_t *sum)
{
    *sum = 0;
    for (size_t n = 0; n < w->notes->n && n < UINT8_MAX; n++) {
        uint64_t value = tfl_wallet_note_at(w, n)->value;
        if (value > UINT64_MAX - *sum)
            return 0; /* more than there can be: a liar told of these notes */
        *sum += value;
        if (*sum >= amount)
            return (uint8_t)(n + 1);
    }
    return 0;
}

static int larger_first(const void *a, const void *b)
{
    uint64_t x = ((const struct tfl_own *)a)->value, y = ((const struct tfl_own *)b)->value;
    return x < y ? 1 : x > y ? -1 : 0;
}

static int choose(struct tfl_wallet *w, uint64_t amount, uint8_t *n, uint64_t *sum, struct tfl_error *err)
{
    uint64_t balance = tfl_wallet_balance(w);
    if (amount == 0)
        return tfl_fail(err, TFL_E_USAGE, "a transfer of 0: the amount must be at least 1");
    if (amount > balance)
        return tfl_fail(err, TFL_E_NOT_FOUND, "a transfer of %llu: the wallet has %llu",
            (unsigned long long)amount, (unsigned long long)balance);
    *n = cover(w, amount, sum);
    if (!*n && w->notes->n > 0) {
        qsort(tfl_wallet_note_at(w, 0), w->notes->n, sizeof(struct tfl_own), larger_first);
        *n = cover(w, amount, sum);
    }
    if (!*n)
        return tfl_fail(err, TFL_E_NOT_FOUND,
            "a transfer of %llu: of the wallet's %zu notes the %d largest do not give that much; send less "
            "at a time",
            (unsigned long long)amount, w->notes->n, UINT8_MAX);
    return 0;
}

static void set_output(struct tfl_transfer *t, const uint8_t pk[TFL_PUBLIC_KEY_SIZE], uint64_t value)
{
    t->outputs[t->n_outputs].value = value;
    memcpy(t->outputs[t->n_outputs++].pk, pk, TFL_PUBLIC_KEY_SIZE);
}

struct own_ctx {
    struct tfl_wallet *w;
    struct tfl_sent *t;
    uint64_t number;
};

static void keep_own(void *ctx, const struct tfl_note *note)
{
    struct own_ctx *c = ctx;
    if (!tfl_wallet_is_own(c->w, note))
        return;
    c->t->made[c->t->n_made] = (struct tfl_own){.id = note->id, .value = note->value, .maker = c->number};
    tfl_wallet_push(c->w, &c->t->made[c->t->n_made++]);
}

/* The first n notes of the wallet become the inputs of a new pending transfer. */
static struct tfl_sent *add_pending(struct tfl_wallet *w, uint8_t n)
{
    struct tfl_wallet_pending *p = w->pending;
    if (p->n >= w->max_pending) {
        if (!tfl_wallet_pending_at(w, 0)->over)
            tfl_wallet_finish(w, tfl_wallet_pending_at(w, 0));
        tfl_wallet_trim(w);
    }
    p->items = queue_room(p->items, &p->head, p->n, &p->cap, sizeof *p->items);
    struct tfl_sent *t = &p->items[p->head + p->n++];
    *t = (struct tfl_sent){.n_inputs = n};
    t->inputs = tfl_alloc(n * sizeof *t->inputs);
    memcpy(t->inputs, tfl_wallet_note_at(w, 0), n * sizeof *t->inputs);
    w->notes->head += n;
    w->notes->n -= n;
    return t;
}

int tfl_wallet_transfer(struct tfl_wallet *w, const uint8_t to[TFL_PUBLIC_KEY_SIZE], uint64_t amount,
    struct tfl_tx *tx, struct tfl_hash *hash, struct tfl_error *err)
{
    uint64_t sum = 0;
    uint8_t n = 0;
    *tx = (struct tfl_tx){0};
    if (choose(w, amount, &n, &sum, err))
        return -1;
    struct tfl_sent *pending = add_pending(w, n);
    tx->ops = tfl_alloc(sizeof *tx->ops);
    tx->n_ops = 1;
    tx->ops[0].code = TFL_OP_TRANSFER;
    struct tfl_transfer *t = &tx->ops[0].transfer;
    t->inputs = tfl_alloc(n * sizeof *t->inputs);
    t->n_inputs = n;
    for (size_t i = 0; i < n; i++)
        t->inputs[i] = pending->inputs[i].id;
    t->outputs = tfl_alloc(2 * sizeof *t->outputs);
    set_output(t, to, amount);
    if (sum > amount)
        set_output(t, w->key.pub, sum - amount);
    pending->hash = tfl_tx_hash(tx);
    tfl_sign(tx->ops[0].proof, &w->key, pending->hash.b, sizeof pending->hash.b);
    tfl_tx_each_note(tx, keep_own, &(struct own_ctx){w, pending, w->pending->first + w->pending->n - 1});
    if (hash)
        *hash = pending->hash;
    return 0;
}

void tfl_inscription(struct tfl_tx *tx, struct tfl_hash *hash, const struct tfl_keypair *key,
    const struct tfl_hash *channel, const struct tfl_hash *parent, const void *data, size_t len)
{
    TFL_ASSERT(len <= TFL_INSCRIPTION_MAX);
    *tx = (struct tfl_tx){.ops = tfl_alloc(sizeof *tx->ops), .n_ops = 1};
    struct tfl_tx_op *op = &tx->ops[0];
    op->code = TFL_OP_INSCRIBE;
    op->inscribe.channel = *channel;
    if (parent)
        op->inscribe.parent = *parent;
    memcpy(op->inscribe.signer, key->pub, sizeof key->pub);
    op->inscribe.data = tfl_alloc(len);
    op->inscribe.len = (uint32_t)len;
    if (len)
        memcpy(op->inscribe.data, data, len);
    struct tfl_hash h = tfl_tx_hash(tx);
    tfl_sign(op->proof, key, h.b, sizeof h.b);
    if (hash)
        *hash = h;
}

void tfl_wallet_inscribe(struct tfl_wallet *w, struct tfl_tx *tx, struct tfl_hash *hash,
    const struct tfl_hash *channel, const struct tfl_hash *parent, const void *data, size_t len)
{
    struct tfl_hash fresh;
    if (!channel) {
        uint8_t counter[8];
        tfl_put_le(counter, w->n_channels++, sizeof counter);
        struct tfl_span spans[] = {{w->key.pub, sizeof w->key.pub}, {counter, sizeof counter}};
        fresh = tfl_hash_of("TFL_CHANNEL_V1", spans, TFL_LEN(spans));
        channel = &fresh;
    }
    tfl_inscription(tx, hash, &w->key, channel, parent, data, len);
}
