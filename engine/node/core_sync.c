/* Getting what peers have and this node has not. There is one way for all cases (late join, restart, an orphan, a healed
 * partition): a peer told of a head that is unknown here, so it is asked for the blocks from a common ancestor to there,
 * in batches, parents first. Pings repeat the heads, so whatever is lost on the way is asked for again. */
#include "node/core_impl.h"

static bool known(const struct tfl_core *core, const struct tfl_hash *id)
{
    return tfl_index_find(&core->index, id) != TFL_INDEX_NONE;
}

void core_heard_of(struct tfl_core *core, struct core_peer *p, const struct tfl_hash *head, uint64_t height)
{
    if (p->gone)
        return; /* it was dropped while its block was taken */
    p->head = *head;
    if (height != UINT64_MAX)
        p->height = height;
    /* a chain that ends at or below the LIB can only be refused */
    p->chase = !known(core, head) && height > tfl_index_lib_height(&core->index);
    if (known(core, head) || height <= tfl_index_tip_height(&core->index))
        p->synced = true;
}

static void ask(struct tfl_core *core, struct core_peer *p, uint32_t from)
{
    struct tfl_hash locator[TFL_WIRE_LOCATOR_MAX];
    uint16_t n = tfl_index_locator(&core->index, from, locator, TFL_WIRE_LOCATOR_MAX);
    p->fetching = true;
    p->fetch_until_ns = core->now_ns + CORE_FETCH_NS;
    core_send(core, p, tfl_wire_get_blocks(&p->target, locator, n));
}

/* The block to ask for to get to the head: behind a head that waits as an orphan, the first that is missing. */
static struct tfl_hash missing(const struct tfl_core *core, struct tfl_hash head)
{
    const struct tfl_orphan *o;
    for (uint32_t i = 0; i < TFL_ORPHANS_MAX && (o = tfl_orphans_find(&core->orphans, &head)); i++)
        head = o->parent;
    return head;
}

/* Another peer is asked for it already; or, before being online, for anything: the same long chain from all would be
 * a waste. */
static bool being_fetched(const struct tfl_core *core, const struct tfl_hash *target)
{
    for (size_t i = 0; i < core->n_peers; i++) {
        const struct core_peer *p = &core->peers[i];
        if (!p->gone && p->fetching && (!core->online || tfl_hash_eq(&p->target, target)))
            return true;
    }
    return false;
}

void core_sync(struct tfl_core *core)
{
    for (size_t i = 0; i < core->n_peers; i++) {
        struct core_peer *p = &core->peers[i];
        if (p->gone || !p->hello || !p->chase || p->fetching || core_deaf(core))
            continue;
        p->chase = !known(core, &p->head);
        if (!p->chase) {
            p->synced = true;
            continue;
        }
        struct tfl_hash target = missing(core, p->head);
        if (core->now_ns < p->hold_until_ns || being_fetched(core, &target))
            continue;
        p->target = target;
        p->cursor = TFL_INDEX_NONE;
        ask(core, p, core->index.tip);
    }
}

void core_serve(struct tfl_core *core, struct core_peer *p, const struct tfl_wire_msg *m)
{
    const struct tfl_index *ix = &core->index;
    TFL_BUF blocks = {0}, one = {0};
    struct tfl_error err;
    uint32_t target = tfl_index_find(ix, &m->target), height = 0;
    uint16_t n = 0;
    if (target == TFL_INDEX_NONE) {
        core_send(core, p, tfl_wire_blocks(&m->target, false, 0, &blocks));
        return;
    }
    for (uint16_t i = 0; i < m->n; i++) { /* the newest that leads to the target; genesis does in any case */
        uint32_t at = tfl_index_find(ix, &m->locator[i]);
        if (at != TFL_INDEX_NONE && ix->entries[at].height <= ix->entries[target].height &&
            tfl_index_ancestor(ix, target, ix->entries[at].height) == at) {
            height = ix->entries[at].height;
            break;
        }
    }
    bool more = false;
    while (height < ix->entries[target].height) {
        uint32_t next = tfl_index_ancestor(ix, target, height + 1);
        tfl_buf_clear(&one);
        more = n == TFL_WIRE_BATCH_BLOCKS;
        if (more)
            break;
        if (tfl_core_read(core, &ix->entries[next].id, &one, &err)) {
            core_log(core, TFL_LOG_ERROR, "a peer asked for a block that cannot be read: %s", err.msg);
            break;
        }
        more = n > 0 && blocks.len + one.len > TFL_WIRE_BATCH_BYTES;
        if (more)
            break;
        tfl_wire_add_item(&blocks, one.data, one.len);
        n++;
        height++;
    }
    core_send(core, p, tfl_wire_blocks(&m->target, more, n, &blocks));
}

static void hold(struct tfl_core *core, struct core_peer *p, int64_t hold_ns)
{
    p->fetching = false;
    p->hold_until_ns = core->now_ns + hold_ns;
}

/* What a block of an answer means for the peer; false ends the answer. */
static bool judge(
    struct tfl_core *core, struct core_peer *p, enum core_verdict verdict, const struct tfl_error *err)
{
    switch (verdict) {
    case CORE_APPLIED:
    case CORE_KNOWN:
        return !p->gone;
    case CORE_ORPHAN:
        core_drop(core, p, "gave blocks that do not begin at one this node has");
        return false;
    case CORE_INVALID:
        core_drop(core, p, "gave an invalid block: %s", err->msg);
        return false;
    case CORE_FUTURE:
        hold(core, p, CORE_BEAT_NS);
        return false;
    case CORE_BELOW:
        hold(core, p, CORE_CONFLICT_NS);
        if (!p->conflict)
            core_log(core, TFL_LOG_ERROR, "peer %llu follows a chain that forks below our last final block",
                (unsigned long long)p->handle);
        p->conflict = true;
        return false;
    case CORE_BAD:
        hold(core, p, CORE_CONFLICT_NS);
        if (!p->conflict)
            core_log(core, TFL_LOG_ERROR, "peer %llu follows a chain that cannot be applied: %s",
                (unsigned long long)p->handle, err->msg);
        p->conflict = true;
        return false;
    }
    return false;
}

/* After an answer that was good to its end: done, the next batch, or a dead end. */
static void go_on(struct tfl_core *core, struct core_peer *p, bool more, uint32_t last)
{
    const struct tfl_index *ix = &core->index;
    if (known(core, &p->target)) {
        p->fetching = false;
        p->synced = true;
    } else if (more && last != TFL_INDEX_NONE &&
               (p->cursor == TFL_INDEX_NONE || ix->entries[last].height > ix->entries[p->cursor].height)) {
        p->cursor = last; /* heights rise with every batch, so this ends */
        ask(core, p, last);
    } else {
        hold(core, p, CORE_HOLD_NS);
    }
}

void core_answer(struct tfl_core *core, struct core_peer *p, struct tfl_wire_msg *m)
{
    const struct tfl_index *ix = &core->index;
    const uint8_t *data, *newest = NULL;
    size_t len, newest_len = 0;
    uint32_t last = TFL_INDEX_NONE, old_tip = ix->tip;
    bool good = true;
    if (!p->fetching || !tfl_hash_eq(&p->target, &m->target))
        return; /* the answer to a request that was given up */
    while (good && tfl_wire_next_item(m, &data, &len)) {
        struct tfl_error err;
        struct tfl_hash id;
        good = judge(core, p, core_take_block(core, p, data, len, true, &err), &err);
        if (!good)
            break;
        TFL_ASSERT(tfl_block_peek_id(&id, data, len));
        last = tfl_index_find(ix, &id);
        newest = data;
        newest_len = len;
    }
    /* peers that were cut off with this node learn of the new chain by its end, and ask for the rest */
    if (newest && ix->tip != old_tip && ix->tip == last && !m->more)
        core_gossip(core, p, newest, newest_len);
    if (good)
        go_on(core, p, m->more, last);
}
