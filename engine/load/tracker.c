#include "load/tracker.h"

#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 4096 };

struct reason {
    char *text;
    uint64_t n;
};

struct tfl_tracker {
    struct tfl_tx_record **chunks; /* of CHUNK records each: none ever moves */
    size_t n_chunks;
    uint64_t n;
    uint32_t *index; /* open addressing, record + 1; cap_index is a power of two, at most half full */
    size_t cap_index;
    struct reason reasons[TFL_TX_REASONS];
    uint16_t n_reasons;
    struct tfl_tracker_counts counts;
    void (*on_final)(void *arg, uint64_t i);
    void *on_final_arg;
};

struct tfl_tracker *tfl_tracker_new(void)
{
    return tfl_alloc(sizeof(struct tfl_tracker));
}

void tfl_tracker_free(struct tfl_tracker *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n_chunks; i++)
        free(t->chunks[i]);
    for (size_t i = 0; i < t->n_reasons; i++)
        free(t->reasons[i].text);
    free(t->chunks);
    free(t->index);
    free(t);
}

static struct tfl_tx_record *at(const struct tfl_tracker *t, uint64_t i)
{
    return &t->chunks[i / CHUNK][i % CHUNK];
}

static size_t place_of(const struct tfl_tracker *t, const struct tfl_hash *hash)
{
    return (size_t)tfl_get_le(hash->b, 8) & (t->cap_index - 1);
}

static void enter(struct tfl_tracker *t, uint32_t entry)
{
    size_t p = place_of(t, &at(t, entry - 1)->hash);
    /* A wallet that gave a transfer up, since surely nobody had it, may make the very same again: one transaction, two intents.
     * The chain tells of the later one, unless the other is on it. */
    for (; t->index[p]; p = (p + 1) & (t->cap_index - 1)) {
        const struct tfl_tx_record *other = at(t, t->index[p] - 1);
        if (!tfl_hash_eq(&other->hash, &at(t, entry - 1)->hash))
            continue;
        if (other->block || !(other->flags & TFL_TX_DROPPED))
            return;
        break;
    }
    t->index[p] = entry;
}

static void grow_index(struct tfl_tracker *t)
{
    if (2 * (t->n + 1) <= t->cap_index)
        return;
    free(t->index);
    t->cap_index = t->cap_index ? 2 * t->cap_index : 1024;
    t->index = tfl_alloc(t->cap_index * sizeof *t->index);
    for (uint64_t i = 0; i < t->n; i++)
        if (!tfl_hash_is_zero(&at(t, i)->hash))
            enter(t, (uint32_t)i + 1);
}

uint64_t tfl_tracker_find(const struct tfl_tracker *t, const struct tfl_hash *hash)
{
    if (!t->cap_index || tfl_hash_is_zero(hash))
        return UINT64_MAX;
    for (size_t p = place_of(t, hash); t->index[p]; p = (p + 1) & (t->cap_index - 1))
        if (tfl_hash_eq(&at(t, t->index[p] - 1)->hash, hash))
            return t->index[p] - 1;
    return UINT64_MAX;
}

static uint16_t intern(struct tfl_tracker *t, const char *text)
{
    uint16_t i = 0;
    while (i < t->n_reasons && strcmp(t->reasons[i].text, text) != 0)
        i++;
    if (i == t->n_reasons && i < TFL_TX_REASONS) {
        t->reasons[i].text = tfl_strdup(i + 1 < TFL_TX_REASONS ? text : "other reasons");
        t->n_reasons++;
    } else if (i == t->n_reasons) {
        i = TFL_TX_REASONS - 1;
    }
    t->reasons[i].n++;
    return (uint16_t)(i + 1);
}

static uint32_t after(const struct tfl_tx_record *r, int64_t now_ns)
{
    int64_t us = (now_ns - r->intended_ns) / 1000;
    return us < 0 ? 0 : us < TFL_TX_NEVER ? (uint32_t)us : TFL_TX_NEVER - 1;
}

uint64_t tfl_tracker_plan(
    struct tfl_tracker *t, int64_t intended_ns, const struct tfl_hash *hash, const struct tfl_error *err)
{
    uint64_t i = t->n;
    TFL_ASSERT(i < UINT32_MAX - 1);
    if (i / CHUNK == t->n_chunks) {
        // NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers it is
        t->chunks = tfl_realloc(t->chunks, (t->n_chunks + 1) * sizeof *t->chunks);
        t->chunks[t->n_chunks++] = tfl_alloc(CHUNK * sizeof(struct tfl_tx_record));
    }
    struct tfl_tx_record *r = at(t, i);
    *r = (struct tfl_tx_record){.intended_ns = intended_ns,
        .sent_us = TFL_TX_NEVER,
        .accepted_us = TFL_TX_NEVER,
        .included_us = TFL_TX_NEVER,
        .final_us = TFL_TX_NEVER,
        .target = TFL_TX_NO_TARGET};
    grow_index(t);
    t->n++;
    t->counts.planned++;
    if (hash) {
        r->hash = *hash;
        enter(t, (uint32_t)i + 1);
    } else if (err) {
        r->answer = TFL_TX_REJECTED;
        r->reason = intern(t, err->msg);
        r->flags = TFL_TX_SETTLED;
        t->counts.rejected++;
    }
    return i;
}

void tfl_tracker_sent(struct tfl_tracker *t, uint64_t i, uint16_t target, int64_t now_ns)
{
    struct tfl_tx_record *r = at(t, i);
    if (r->sent_us == TFL_TX_NEVER) {
        r->sent_us = after(r, now_ns);
        r->answer = TFL_TX_SENT;
        t->counts.sent++;
    }
    r->target = target;
    r->tries += r->tries < UINT8_MAX;
    t->counts.tries++;
}

void tfl_tracker_answered(
    struct tfl_tracker *t, uint64_t i, enum tfl_tx_answer answer, const char *reason, int64_t now_ns)
{
    struct tfl_tx_record *r = at(t, i);
    TFL_ASSERT(r->answer == TFL_TX_SENT && answer > TFL_TX_SENT);
    r->answer = (uint8_t)answer;
    if (reason)
        r->reason = intern(t, reason);
    t->counts.rejected += answer == TFL_TX_REJECTED;
    t->counts.unanswered += answer == TFL_TX_UNANSWERED;
    if (answer == TFL_TX_ACCEPTED) {
        r->accepted_us = after(r, now_ns);
        t->counts.accepted++;
        t->counts.open += !r->block;
        t->counts.open_final += r->final_us == TFL_TX_NEVER;
    }
}

void tfl_tracker_named(struct tfl_tracker *t, uint64_t i, const struct tfl_hash *hash)
{
    TFL_ASSERT(tfl_hash_is_zero(&at(t, i)->hash));
    at(t, i)->hash = *hash;
    enter(t, (uint32_t)i + 1);
}

void tfl_tracker_flag(struct tfl_tracker *t, uint64_t i, uint8_t flags)
{
    at(t, i)->flags |= flags;
}

/* ---- the chain */

static void see_one(struct tfl_tracker *t, struct tfl_tx_record *r)
{
    if ((r->flags & TFL_TX_SEEN) && !(r->flags & TFL_TX_TWO_BRANCHES)) {
        r->flags |= TFL_TX_TWO_BRANCHES;
        t->counts.two_branches++;
    }
    r->flags |= TFL_TX_SEEN;
}

void tfl_tracker_seen(struct tfl_tracker *t, const struct tfl_gblock *b)
{
    for (uint32_t n = 0; b->txs && n < b->n_txs; n++) {
        uint64_t i = tfl_tracker_find(t, &b->txs[n]);
        if (i != UINT64_MAX)
            see_one(t, at(t, i));
    }
}

static void include_one(
    struct tfl_tracker *t, struct tfl_tx_record *r, const struct tfl_gblock *b, int64_t now_ns)
{
    if (r->block) {
        t->counts.twice += !(r->flags & TFL_TX_TWICE);
        r->flags |= TFL_TX_TWICE;
        return;
    }
    r->block = b;
    r->included_us = after(r, now_ns);
    t->counts.included++;
    t->counts.open -= r->answer == TFL_TX_ACCEPTED;
}

void tfl_tracker_include(struct tfl_tracker *t, const struct tfl_gblock *b, int64_t now_ns)
{
    for (uint32_t n = 0; b->txs && n < b->n_txs; n++) {
        uint64_t i = tfl_tracker_find(t, &b->txs[n]);
        if (i != UINT64_MAX)
            include_one(t, at(t, i), b, now_ns);
    }
}

void tfl_tracker_exclude(struct tfl_tracker *t, const struct tfl_gblock *b, bool reorg)
{
    for (uint32_t n = 0; b->txs && n < b->n_txs; n++) {
        uint64_t i = tfl_tracker_find(t, &b->txs[n]);
        struct tfl_tx_record *r = i != UINT64_MAX ? at(t, i) : NULL;
        if (!r || r->block != b)
            continue;
        r->block = NULL;
        r->included_us = TFL_TX_NEVER;
        t->counts.included--;
        t->counts.open += r->answer == TFL_TX_ACCEPTED;
        if (reorg && !(r->flags & TFL_TX_REORGED)) {
            r->flags |= TFL_TX_REORGED;
            t->counts.reorged++;
        }
    }
}

static void finish_one(struct tfl_tracker *t, uint64_t i, int64_t now_ns)
{
    struct tfl_tx_record *r = at(t, i);
    if (r->final_us != TFL_TX_NEVER)
        return;
    r->final_us = after(r, now_ns);
    r->flags |= TFL_TX_SETTLED;
    t->counts.final++;
    t->counts.open_final -= r->answer == TFL_TX_ACCEPTED;
    if (t->on_final)
        t->on_final(t->on_final_arg, i);
}

void tfl_tracker_final(struct tfl_tracker *t, const struct tfl_gblock *b, int64_t now_ns)
{
    for (uint32_t n = 0; b->txs && n < b->n_txs; n++) {
        uint64_t i = tfl_tracker_find(t, &b->txs[n]);
        if (i != UINT64_MAX)
            finish_one(t, i, now_ns);
    }
}

void tfl_tracker_found(
    struct tfl_tracker *t, uint64_t i, const struct tfl_gblock *b, bool canonical, bool final, int64_t now_ns)
{
    see_one(t, at(t, i));
    if (canonical)
        include_one(t, at(t, i), b, now_ns);
    if (final)
        finish_one(t, i, now_ns);
}

void tfl_tracker_on_final(struct tfl_tracker *t, void (*fn)(void *arg, uint64_t i), void *arg)
{
    t->on_final = fn;
    t->on_final_arg = arg;
}

/* ---- questions */

uint64_t tfl_tracker_n(const struct tfl_tracker *t)
{
    return t->n;
}

const struct tfl_tx_record *tfl_tracker_at(const struct tfl_tracker *t, uint64_t i)
{
    TFL_ASSERT(i < t->n);
    return at(t, i);
}

const struct tfl_tracker_counts *tfl_tracker_counts(const struct tfl_tracker *t)
{
    return &t->counts;
}

const char *tfl_tracker_reason(const struct tfl_tracker *t, uint16_t reason, uint64_t *n)
{
    if (reason == 0 || reason > t->n_reasons)
        return NULL;
    if (n)
        *n = t->reasons[reason - 1].n;
    return t->reasons[reason - 1].text;
}

size_t tfl_tracker_bytes(const struct tfl_tracker *t)
{
    // NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers it is
    return sizeof *t + t->n_chunks * (CHUNK * sizeof(struct tfl_tx_record) + sizeof *t->chunks) +
           t->cap_index * sizeof *t->index;
}
