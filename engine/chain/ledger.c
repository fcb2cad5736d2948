#include "chain/ledger.h"

#include "chain/table.h"

#include <stdlib.h>
#include <string.h>

/* Channels are told by 128 bits of hashes: inscriptions are many, and each load inscription has a channel of its own. */
struct channel {
    uint8_t key[16];  /* of the channel */
    uint8_t head[16]; /* of message id and signer: what the next inscription must name */
};
/* A spent note, or a head that another message has followed: the first 8 bytes of it. */
struct mark {
    uint8_t key[8];
};

struct tfl_tx_ledger {
    struct tfl_table notes;    /* struct tfl_note, by id */
    struct tfl_table channels; /* struct channel */
    struct tfl_table spent;    /* struct mark */
    struct tfl_tx_ledger_info info;
};

struct tfl_change {
    enum { NOTE_SPENT, NOTE_MADE, CHANNEL_OPENED, CHANNEL_MOVED } kind;
    union {
        struct tfl_note note;
        struct channel channel; /* as it was before; opened: its key */
    };
};

void tfl_undo_done(struct tfl_undo *undo)
{
    if (!undo)
        return;
    free(undo->changes);
    *undo = (struct tfl_undo){0};
}

/* The next change to fill in. */
static struct tfl_change *add_change(struct tfl_undo *undo)
{
    if (undo->n == undo->cap) {
        undo->cap = undo->cap ? 2 * undo->cap : 8;
        undo->changes = tfl_realloc(undo->changes, undo->cap * sizeof *undo->changes);
    }
    return &undo->changes[undo->n++];
}

static struct mark mark_of(const uint8_t *bytes)
{
    static const struct mark zero;
    struct mark m;
    memcpy(m.key, bytes, sizeof m.key);
    if (memcmp(&m, &zero, sizeof m) == 0)
        m.key[0] = 1; /* zeros are a free cell */
    return m;
}

static bool is_spent(const struct tfl_tx_ledger *l, const uint8_t *bytes)
{
    struct mark m = mark_of(bytes);
    return tfl_table_get(&l->spent, m.key) != NULL;
}

/* Two things whose marks are the same (a chance of 2^-64) are spent until either is undone; nothing rests on marks but
 * which of two faults is named. */
static void set_spent(struct tfl_tx_ledger *l, const uint8_t *bytes, bool spent)
{
    struct mark m = mark_of(bytes);
    if (!spent)
        tfl_table_remove(&l->spent, m.key);
    else if (!tfl_table_get(&l->spent, m.key))
        tfl_table_put(&l->spent, &m);
}

/* Undoes changes down to the first n. */
static void roll_back(struct tfl_tx_ledger *l, struct tfl_undo *undo, size_t n)
{
    while (undo->n > n) {
        const struct tfl_change *c = &undo->changes[--undo->n];
        struct channel *channel;
        switch (c->kind) {
        case NOTE_SPENT:
            set_spent(l, c->note.id.b, false);
            tfl_table_put(&l->notes, &c->note);
            l->info.value += c->note.value;
            break;
        case NOTE_MADE:
            TFL_ASSERT(tfl_table_remove(&l->notes, c->note.id.b));
            l->info.value -= c->note.value;
            break;
        case CHANNEL_OPENED:
            TFL_ASSERT(tfl_table_remove(&l->channels, c->channel.key));
            break;
        case CHANNEL_MOVED:
            channel = tfl_table_get(&l->channels, c->channel.key);
            TFL_ASSERT(channel);
            *channel = c->channel;
            set_spent(l, channel->head, false);
            break;
        }
    }
}

void tfl_tx_ledger_undo(struct tfl_tx_ledger *l, struct tfl_undo *undo)
{
    roll_back(l, undo, 0);
}

/* A note that cannot be made because it is there: only two equal operations without inputs could do that. */
static bool make_note(struct tfl_tx_ledger *l, const struct tfl_note *note, struct tfl_undo *undo)
{
    if (tfl_table_get(&l->notes, note->id.b) || note->value > UINT64_MAX - l->info.value)
        return false;
    tfl_table_put(&l->notes, note);
    l->info.value += note->value;
    struct tfl_change *c = add_change(undo);
    c->kind = NOTE_MADE;
    c->note = *note;
    return true;
}

static void spend_note(struct tfl_tx_ledger *l, const struct tfl_hash *id, struct tfl_undo *undo)
{
    struct tfl_change *c = add_change(undo);
    const struct tfl_note *note = tfl_table_get(&l->notes, id->b);
    TFL_ASSERT(note);
    c->kind = NOTE_SPENT;
    c->note = *note;
    l->info.value -= note->value;
    tfl_table_remove(&l->notes, id->b);
    set_spent(l, c->note.id.b, true);
}

struct make_ctx {
    struct tfl_tx_ledger *l;
    struct tfl_undo *undo;
    bool failed;
};

static void make_each(void *ctx, const struct tfl_note *note)
{
    struct make_ctx *m = ctx;
    m->failed = m->failed || !make_note(m->l, note, m->undo);
}

static bool make_notes(struct tfl_tx_ledger *l, const struct tfl_tx *tx, struct tfl_undo *undo)
{
    struct make_ctx m = {l, undo, false};
    tfl_tx_each_note(tx, make_each, &m);
    return !m.failed;
}

static void head_of(
    uint8_t out[16], const struct tfl_hash *message, const uint8_t signer[TFL_PUBLIC_KEY_SIZE])
{
    struct tfl_span spans[] = {{message->b, sizeof message->b}, {signer, TFL_PUBLIC_KEY_SIZE}};
    struct tfl_hash h = tfl_hash_of("TFL_HEAD_V1", spans, TFL_LEN(spans));
    memcpy(out, h.b, 16);
}

static enum tfl_tx_fault inscribe(
    struct tfl_tx_ledger *l, const struct tfl_tx_op *op, struct tfl_undo *undo, struct tfl_error *err)
{
    const struct tfl_inscribe *s = &op->inscribe;
    struct tfl_hash key = tfl_hash_of("TFL_CHANNEL_KEY_V1", &(struct tfl_span){s->channel.b, 32}, 1),
                    id = tfl_inscribe_id(op);
    struct channel next, *now = tfl_table_get(&l->channels, key.b);
    char hex[TFL_HASH_HEX];
    memcpy(next.key, key.b, sizeof next.key);
    head_of(next.head, &id, s->signer);
    if (tfl_hash_is_zero(&s->parent)) {
        if (now) {
            tfl_fail(err, TFL_E_INVALID, "channel %s has begun already", tfl_hash_hex(hex, &s->channel));
            return TFL_TX_SPENT_INPUT;
        }
        tfl_table_put(&l->channels, &next);
        struct tfl_change *opened = add_change(undo);
        opened->kind = CHANNEL_OPENED;
        opened->channel = next;
        return TFL_TX_OK;
    }
    uint8_t head[16];
    head_of(head, &s->parent, s->signer);
    if (!now || memcmp(now->head, head, sizeof head) != 0) {
        tfl_fail(err, TFL_E_INVALID, "the parent is not the last message of its signer in channel %s",
            tfl_hash_hex(hex, &s->channel));
        return is_spent(l, head) ? TFL_TX_SPENT_INPUT : TFL_TX_UNKNOWN_INPUT;
    }
    struct tfl_change *moved = add_change(undo);
    moved->kind = CHANNEL_MOVED;
    moved->channel = *now;
    set_spent(l, now->head, true);
    *now = next;
    return TFL_TX_OK;
}

static enum tfl_tx_fault missing(
    const struct tfl_tx_ledger *l, const struct tfl_hash *id, struct tfl_error *err)
{
    char hex[TFL_HASH_HEX];
    bool spent = is_spent(l, id->b);
    tfl_fail(err, TFL_E_INVALID, "input %s is %s", tfl_hash_hex(hex, id), spent ? "spent" : "not there");
    return spent ? TFL_TX_SPENT_INPUT : TFL_TX_UNKNOWN_INPUT;
}

/* All inputs are there before the transaction. */
static enum tfl_tx_fault find_inputs(
    const struct tfl_tx_ledger *l, const struct tfl_tx *tx, struct tfl_error *err)
{
    for (size_t i = 0; i < tx->n_ops; i++) {
        const struct tfl_transfer *t = &tx->ops[i].transfer;
        for (size_t j = 0; tx->ops[i].code == TFL_OP_TRANSFER && j < t->n_inputs; j++) {
            if (!tfl_table_get(&l->notes, t->inputs[j].b))
                return missing(l, &t->inputs[j], err);
        }
    }
    return TFL_TX_OK;
}

static enum tfl_tx_fault change_all(
    struct tfl_tx_ledger *l, const struct tfl_tx *tx, struct tfl_undo *undo, struct tfl_error *err)
{
    for (size_t i = 0; i < tx->n_ops; i++) {
        const struct tfl_tx_op *op = &tx->ops[i];
        enum tfl_tx_fault fault = TFL_TX_OK;
        if (op->code == TFL_OP_INSCRIBE)
            fault = inscribe(l, op, undo, err);
        for (size_t j = 0; op->code == TFL_OP_TRANSFER && j < op->transfer.n_inputs; j++)
            spend_note(l, &op->transfer.inputs[j], undo);
        if (fault)
            return fault;
    }
    if (!make_notes(l, tx, undo)) {
        tfl_fail(err, TFL_E_INVALID, "a note of the transaction is there already");
        return TFL_TX_MALFORMED;
    }
    return TFL_TX_OK;
}

enum tfl_tx_fault tfl_tx_ledger_apply_tx(struct tfl_tx_ledger *l, const struct tfl_tx *tx,
    struct tfl_verdict *v, struct tfl_undo *undo, struct tfl_error *err)
{
    struct tfl_verdict own_verdict = {.checked = false};
    struct tfl_undo own_undo = {0};
    enum tfl_tx_fault fault = TFL_TX_OK;
    if (!v)
        v = &own_verdict;
    if (!undo)
        undo = &own_undo;
    size_t mark = undo->n;
    if (!v->checked)
        fault = tfl_tx_check(v, tx, err);
    if (!fault)
        fault = find_inputs(l, tx, err);
    if (!fault && !v->proven)
        fault = tfl_tx_prove(v, tx, tfl_tx_ledger_lookup, l, err);
    if (!fault) {
        fault = change_all(l, tx, undo, err);
        if (fault)
            roll_back(l, undo, mark);
    }
    tfl_undo_done(&own_undo);
    return fault;
}

static int apply_block(struct tfl_tx_ledger *l, const struct tfl_block *b, struct tfl_verdict *verdicts,
    bool trusted, struct tfl_undo *undo, struct tfl_error *err)
{
    struct tfl_undo own = {0};
    int result = 0;
    if (!undo)
        undo = &own;
    size_t mark = undo->n;
    for (uint32_t i = 0; i < b->n_txs && result == 0; i++) {
        struct tfl_verdict trust = {.checked = true, .proven = true};
        struct tfl_verdict *v = trusted ? &trust : verdicts ? &verdicts[i] : NULL;
        if (tfl_tx_ledger_apply_tx(l, &b->txs[i], v, undo, err)) {
            roll_back(l, undo, mark);
            result = tfl_wrap(err, "transaction %u of %u", i, b->n_txs);
        }
    }
    tfl_undo_done(&own);
    return result;
}

int tfl_tx_ledger_apply(struct tfl_tx_ledger *l, const struct tfl_block *b, struct tfl_verdict *verdicts,
    struct tfl_undo *undo, struct tfl_error *err)
{
    return apply_block(l, b, verdicts, false, undo, err);
}

int tfl_tx_ledger_apply_trusted(
    struct tfl_tx_ledger *l, const struct tfl_block *b, struct tfl_undo *undo, struct tfl_error *err)
{
    return apply_block(l, b, NULL, true, undo, err);
}

static int check_genesis(const struct tfl_block *b, struct tfl_error *err)
{
    if (!tfl_hash_is_zero(&b->header.parent))
        return tfl_fail(err, TFL_E_INVALID, "a genesis block with a parent");
    for (uint32_t i = 0; i < b->n_txs; i++) {
        for (size_t j = 0; j < b->txs[i].n_ops; j++) {
            const struct tfl_transfer *t = &b->txs[i].ops[j].transfer;
            if (b->txs[i].ops[j].code != TFL_OP_TRANSFER)
                continue;
            if (t->n_inputs)
                return tfl_fail(err, TFL_E_INVALID, "a transfer with inputs in a genesis block");
            for (size_t k = 0; k < t->n_outputs; k++) {
                if (!t->outputs[k].value)
                    return tfl_fail(err, TFL_E_INVALID, "a note of value 0 in a genesis block");
            }
        }
    }
    return 0;
}

struct tfl_tx_ledger *tfl_tx_ledger_new(const struct tfl_block *genesis, struct tfl_error *err)
{
    struct tfl_undo undo = {0};
    if (check_genesis(genesis, err))
        return NULL;
    struct tfl_tx_ledger *l = tfl_alloc(sizeof *l);
    tfl_table_init(&l->notes, sizeof(struct tfl_note), sizeof(struct tfl_hash));
    tfl_table_init(&l->channels, sizeof(struct channel), sizeof((struct channel *)0)->key);
    tfl_table_init(&l->spent, sizeof(struct mark), sizeof(struct mark));
    for (uint32_t i = 0; i < genesis->n_txs; i++) {
        if (!make_notes(l, &genesis->txs[i], &undo)) {
            tfl_fail(err, TFL_E_INVALID, "a genesis block whose notes are not distinct or beyond 64 bits");
            tfl_tx_ledger_free(l);
            l = NULL;
            break;
        }
    }
    tfl_undo_done(&undo);
    if (l)
        l->info.genesis_value = l->info.value;
    return l;
}

void tfl_tx_ledger_free(struct tfl_tx_ledger *l)
{
    if (!l)
        return;
    tfl_table_done(&l->notes);
    tfl_table_done(&l->channels);
    tfl_table_done(&l->spent);
    free(l);
}

bool tfl_tx_ledger_note(const struct tfl_tx_ledger *l, const struct tfl_hash *id, struct tfl_note *out)
{
    const struct tfl_note *note = tfl_table_get(&l->notes, id->b);
    if (note && out)
        *out = *note;
    return note != NULL;
}

bool tfl_tx_ledger_lookup(void *ledger, const struct tfl_hash *id, struct tfl_note *out)
{
    return tfl_tx_ledger_note(ledger, id, out);
}

bool tfl_tx_ledger_spent(const struct tfl_tx_ledger *l, const struct tfl_hash *id)
{
    return is_spent(l, id->b);
}

void tfl_tx_ledger_each(const struct tfl_tx_ledger *l, const uint8_t pk[TFL_PUBLIC_KEY_SIZE],
    void (*fn)(void *ctx, const struct tfl_note *note), void *ctx)
{
    size_t at = 0;
    const struct tfl_note *note;
    while ((note = tfl_table_next(&l->notes, &at))) {
        if (!pk || memcmp(note->pk, pk, sizeof note->pk) == 0)
            fn(ctx, note);
    }
}

struct tfl_tx_ledger_info tfl_tx_ledger_info(const struct tfl_tx_ledger *l)
{
    struct tfl_tx_ledger_info info = l->info;
    info.n_notes = l->notes.n;
    info.n_channels = l->channels.n;
    return info;
}
