/* What became of the transfers of a wallet. */
#include "chain/table.h"
#include "chain/wallet_impl.h"

static struct tfl_sent *find(const struct tfl_wallet *w, const struct tfl_hash *hash)
{
    for (size_t i = 0; i < w->pending->n; i++) { /* they settle about in order: near the front */
        if (!tfl_wallet_pending_at(w, i)->over && tfl_hash_eq(&tfl_wallet_pending_at(w, i)->hash, hash))
            return tfl_wallet_pending_at(w, i);
    }
    return NULL;
}

void tfl_wallet_settled(struct tfl_wallet *w, const struct tfl_hash *hash)
{
    struct tfl_sent *t = find(w, hash);
    if (t) {
        tfl_wallet_finish(w, t);
        tfl_wallet_trim(w);
    }
}

static bool maker_is_dead(const struct tfl_wallet *w, const struct tfl_own *note)
{
    return note->maker >= w->pending->first &&
           tfl_wallet_pending_at(w, note->maker - w->pending->first)->dead;
}

/* Marks what was built on dead transfers, which are older. */
static void spread_death(struct tfl_wallet *w)
{
    for (size_t i = 0; i < w->pending->n; i++) {
        struct tfl_sent *t = tfl_wallet_pending_at(w, i);
        for (size_t j = 0; !t->over && !t->dead && j < t->n_inputs; j++)
            t->dead = maker_is_dead(w, &t->inputs[j]);
    }
}

bool tfl_wallet_dropped(struct tfl_wallet *w, const struct tfl_hash *hash,
    void (*fn)(void *ctx, const struct tfl_hash *hash), void *ctx)
{
    struct tfl_sent *dropped = find(w, hash);
    size_t kept = 0;
    if (!dropped)
        return false;
    dropped->dead = true;
    spread_death(w);
    for (size_t i = 0; i < w->notes->n; i++) {
        if (!maker_is_dead(w, tfl_wallet_note_at(w, i)))
            *tfl_wallet_note_at(w, kept++) = *tfl_wallet_note_at(w, i);
    }
    w->notes->n = kept;
    for (size_t i = 0; i < w->pending->n; i++) {
        struct tfl_sent *t = tfl_wallet_pending_at(w, i);
        for (size_t j = 0; t->dead && j < t->n_inputs; j++) {
            if (!maker_is_dead(w, &t->inputs[j]))
                tfl_wallet_push(w, &t->inputs[j]);
        }
    }
    for (size_t i = 0; i < w->pending->n; i++) { /* makers are looked up until here */
        struct tfl_sent *t = tfl_wallet_pending_at(w, i);
        if (!t->dead)
            continue;
        if (fn)
            fn(ctx, &t->hash);
        tfl_wallet_finish(w, t);
    }
    tfl_wallet_trim(w);
    return true;
}

/* Notes by id while a wallet is set right; used: by a pending transfer. */
struct seen {
    struct tfl_hash id;
    uint64_t used;
};

static void see(struct tfl_table *t, const struct tfl_hash *id)
{
    if (!tfl_table_get(t, id->b))
        tfl_table_put(t, &(struct seen){.id = *id});
}

static struct seen *unused(const struct tfl_table *t, const struct tfl_own *note)
{
    struct seen *s = tfl_table_get(t, note->id.b);
    return s && !s->used ? s : NULL;
}

static bool still_possible(const struct tfl_table *t, const struct tfl_sent *transfer)
{
    for (size_t i = 0; i < transfer->n_inputs; i++) {
        if (!unused(t, &transfer->inputs[i]))
            return false;
    }
    return true;
}

static void push_unused(struct tfl_wallet *w, const struct tfl_table *t, const struct tfl_own *note)
{
    struct seen *s = unused(t, note);
    if (s) {
        tfl_wallet_push(w, note);
        s->used = 1;
    }
}

void tfl_wallet_sync(struct tfl_wallet *w, const struct tfl_note *notes, size_t n)
{
    struct tfl_table table;
    tfl_table_init(&table, sizeof(struct seen), sizeof(struct tfl_hash));
    for (size_t i = 0; i < n; i++) {
        if (tfl_wallet_is_own(w, &notes[i]))
            see(&table, &notes[i].id);
    }
    for (size_t i = 0; i < w->pending->n; i++) {
        struct tfl_sent *t = tfl_wallet_pending_at(w, i);
        if (t->over)
            continue;
        if (!still_possible(&table, t)) {
            tfl_wallet_finish(w, t);
            continue;
        }
        for (size_t j = 0; j < t->n_inputs; j++)
            unused(&table, &t->inputs[j])->used = 1;
        for (size_t j = 0; j < t->n_made; j++)
            see(&table, &t->made[j].id);
    }
    w->notes->head = w->notes->n = 0;
    for (size_t i = 0; i < n; i++) {
        if (tfl_wallet_is_own(w, &notes[i]))
            push_unused(w, &table, &(struct tfl_own){.id = notes[i].id, .value = notes[i].value});
    }
    for (size_t i = 0; i < w->pending->n; i++) {
        struct tfl_sent *t = tfl_wallet_pending_at(w, i);
        for (size_t j = 0; !t->over && j < t->n_made; j++)
            push_unused(w, &table, &t->made[j]);
    }
    tfl_wallet_trim(w);
    tfl_table_done(&table);
}
