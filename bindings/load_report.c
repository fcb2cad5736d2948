/* The account of a load as Lua tables; times in seconds. */
#include "bindings/load.h"

#include "bindings/fields.h"

#include <string.h>

static const char REPORT_META[] = "tfl.load.report";

static void set_number(lua_State *L, const char *key, double value)
{
    lua_pushnumber(L, value);
    lua_setfield(L, -2, key);
}

static void set_flag(lua_State *L, const char *key, bool value)
{
    lua_pushboolean(L, value);
    lua_setfield(L, -2, key);
}

/* The same names in counts() and report(). */
static void set_generator(lua_State *L, const struct tfl_generator_figures *f)
{
    if (f->planned != UINT64_MAX)
        tfl_set_integer(L, "plan", f->planned); /* arrivals of the whole plan; nil when it has no end */
    tfl_set_integer(L, "due", f->due);
    tfl_set_integer(L, "in_flight", f->in_flight);
}

/* load:counts() → how many so far: plan, due, planned, sent, accepted, rejected, unanswered, included, final… Cheap. */
int tfl_load_l_counts(lua_State *L)
{
    const struct l_load *l = tfl_check_load(L, 1);
    const struct tfl_tracker_counts *c = tfl_tracker_counts(l->load->tracker);
    struct tfl_generator_figures f;
    tfl_generator_figures(l->load->generator, &f);
    lua_createtable(L, 0, 16);
    set_generator(L, &f);
    tfl_set_integer(L, "planned", c->planned);
    tfl_set_integer(L, "sent", c->sent);
    tfl_set_integer(L, "accepted", c->accepted);
    tfl_set_integer(L, "rejected", c->rejected);
    tfl_set_integer(L, "unanswered", c->unanswered);
    tfl_set_integer(L, "included", c->included);
    tfl_set_integer(L, "final", c->final);
    tfl_set_integer(L, "open", c->open);
    tfl_set_integer(L, "open_final", c->open_final);
    tfl_set_integer(L, "two_branches", c->two_branches);
    tfl_set_integer(L, "reorged", c->reorged);
    tfl_set_integer(L, "twice", c->twice);
    tfl_set_integer(L, "tries", c->tries);
    tfl_set_integer(L, "bytes", tfl_tracker_bytes(l->load->tracker));
    return 1;
}

/* {n, p50, p95, p99, mean, max} into the field `key` of the table on top; only n when there is no sample. */
static void set_latency(lua_State *L, const char *key, const struct tfl_histogram *h)
{
    lua_createtable(L, 0, 6);
    tfl_set_integer(L, "n", h->n);
    if (h->n) {
        set_number(L, "p50", (double)tfl_histogram_quantile(h, 0.5) / 1e9);
        set_number(L, "p95", (double)tfl_histogram_quantile(h, 0.95) / 1e9);
        set_number(L, "p99", (double)tfl_histogram_quantile(h, 0.99) / 1e9);
        set_number(L, "mean", h->sum / (double)h->n / 1e9);
        set_number(L, "max", (double)h->max / 1e9);
    }
    lua_setfield(L, -2, key);
}

/* A time of the record in seconds since the load began. */
static void set_time(lua_State *L, const char *key, const struct tfl_tx_record *r, uint32_t us)
{
    if (us != TFL_TX_NEVER)
        set_number(L, key, (double)r->intended_ns / 1e9 + us / 1e6);
}

/* {hash, answer, intended, sent, accepted, included, final, block, node, tries, reason, reorganised…}; times in seconds
 * since the load began. */
static void push_record(lua_State *L, const struct l_load *l, uint64_t i)
{
    static const char *const answers[] = {"planned", "sent", "accepted", "rejected", "unanswered"};
    const struct tfl_tx_record *r = tfl_tracker_at(l->load->tracker, i);
    const char *reason = tfl_tracker_reason(l->load->tracker, r->reason, NULL);
    lua_createtable(L, 0, 12);
    if (!tfl_hash_is_zero(&r->hash))
        tfl_set_hash(L, "hash", &r->hash);
    tfl_set_integer(L, "number", i + 1);
    lua_pushstring(L, answers[r->answer]);
    lua_setfield(L, -2, "answer");
    set_number(L, "intended", (double)r->intended_ns / 1e9);
    set_time(L, "sent", r, r->sent_us);
    set_time(L, "accepted", r, r->accepted_us);
    set_time(L, "included", r, r->included_us);
    set_time(L, "final", r, r->final_us);
    if (r->block)
        tfl_set_hash(L, "block", &r->block->id);
    if (r->target != TFL_TX_NO_TARGET) {
        lua_pushstring(L, tfl_generator_target(l->load->generator, r->target));
        lua_setfield(L, -2, "node");
    }
    tfl_set_integer(L, "tries", r->tries);
    if (reason) {
        lua_pushstring(L, reason);
        lua_setfield(L, -2, "reason");
    }
    set_flag(L, "reorganised", r->flags & TFL_TX_REORGED);
    set_flag(L, "two_branches", r->flags & TFL_TX_TWO_BRANCHES);
    set_flag(L, "twice", r->flags & TFL_TX_TWICE);
    set_flag(L, "given_up", r->flags & TFL_TX_DROPPED);
    set_flag(L, "after_lost", r->flags & TFL_TX_AFTER_LOST);
}

/* load:transaction(hash or number) → what is known of it, or nil. Numbers count from 1. */
int tfl_load_l_transaction(lua_State *L)
{
    const struct l_load *l = tfl_check_load(L, 1);
    uint64_t i = UINT64_MAX;
    struct tfl_hash hash;
    if (lua_isinteger(L, 2)) {
        i = (uint64_t)lua_tointeger(L, 2) - 1;
    } else {
        hash = tfl_check_hash(L, 2);
        i = tfl_tracker_find(l->load->tracker, &hash);
    }
    if (i < tfl_tracker_n(l->load->tracker))
        push_record(L, l, i);
    else
        lua_pushnil(L);
    return 1;
}

/* load:times(first, last) → {intended, sent, accepted, included, final}: of each a list, for the transactions with these numbers.
 * intended in microseconds since the load began, the others in microseconds after intended; −1: never. */
int tfl_load_l_times(lua_State *L)
{
    static const char *const keys[] = {"intended", "sent", "accepted", "included", "final"};
    const struct tfl_tracker *t = tfl_check_load(L, 1)->load->tracker;
    lua_Integer first = luaL_checkinteger(L, 2), last = luaL_checkinteger(L, 3);
    luaL_argcheck(L, first >= 1 && (uint64_t)first <= tfl_tracker_n(t) + 1, 2, "the number of a transaction");
    luaL_argcheck(
        L, last >= first - 1 && (uint64_t)last <= tfl_tracker_n(t), 3, "the number of a transaction");
    lua_createtable(L, 0, TFL_LEN(keys));
    for (size_t key = 0; key < TFL_LEN(keys); key++) {
        lua_createtable(L, (int)(last - first + 1), 0);
        for (lua_Integer i = first; i <= last; i++) {
            const struct tfl_tx_record *r = tfl_tracker_at(t, (uint64_t)i - 1);
            const uint32_t after[] = {r->sent_us, r->accepted_us, r->included_us, r->final_us};
            lua_Integer us = key == 0                         ? r->intended_ns / 1000
                             : after[key - 1] == TFL_TX_NEVER ? -1
                                                              : (lua_Integer)after[key - 1];
            lua_pushinteger(L, us);
            lua_rawseti(L, -2, i - first + 1);
        }
        lua_setfield(L, -2, keys[key]);
    }
    return 1;
}

static void set_lag(lua_State *L, const struct tfl_generator_figures *f)
{
    set_latency(L, "lag", f->lag);
    lua_getfield(L, -1, "lag");
    tfl_set_integer(L, "late", f->late);
    set_number(L, "late_share", f->due ? (double)f->late / (double)f->due : 0);
    tfl_set_integer(L, "held", f->held);
    tfl_set_integer(L, "most_in_flight", f->most_in_flight);
    lua_pop(L, 1);
    lua_createtable(L, 0, 2);
    tfl_set_integer(L, "n", f->made);
    set_number(L, "seconds", (double)f->make_ns / 1e9);
    lua_setfield(L, -2, "signing");
}

static void set_reasons(lua_State *L, const struct tfl_tracker *t)
{
    uint64_t n;
    lua_newtable(L);
    for (uint16_t i = 1; tfl_tracker_reason(t, i, &n); i++) {
        lua_createtable(L, 0, 2);
        lua_pushstring(L, tfl_tracker_reason(t, i, NULL));
        lua_setfield(L, -2, "message");
        tfl_set_integer(L, "count", n);
        lua_rawseti(L, -2, i);
    }
    lua_setfield(L, -2, "reasons");
}

static void set_report(lua_State *L, const struct tfl_load_report *r)
{
    const struct {
        const char *name;
        uint64_t value;
    } counts[] = {{"planned", r->planned}, {"unsent", r->unsent}, {"sent", r->sent},
        {"under_way", r->under_way}, {"accepted", r->accepted}, {"rejected", r->rejected},
        {"unanswered", r->unanswered}, {"accepted_included", r->accepted_included}, {"pending", r->pending},
        {"lost", r->lost}, {"orphaned", r->orphaned}, {"repeated", r->repeated}, {"expired", r->expired},
        {"included", r->included}, {"final", r->final}, {"reorganised_out", r->reorged_out},
        {"after_lost", r->after_lost}, {"two_branches", r->two_branches}, {"twice", r->twice},
        {"retried", r->retried}};
    for (size_t i = 0; i < TFL_LEN(counts); i++)
        tfl_set_integer(L, counts[i].name, counts[i].value);
    lua_createtable(L, 0, 3);
    set_latency(L, "accepted", &r->to_accepted);
    set_latency(L, "included", &r->to_included);
    set_latency(L, "final", &r->to_final);
    lua_setfield(L, -2, "latency");
}

static int l_report_gc(lua_State *L)
{
    tfl_load_report_done(lua_touserdata(L, 1));
    return 0;
}

static struct tfl_load_report *new_report(lua_State *L)
{
    struct tfl_load_report *r = lua_newuserdatauv(L, sizeof *r, 0);
    memset(r, 0, sizeof *r);
    if (luaL_newmetatable(L, REPORT_META)) {
        lua_pushcfunction(L, l_report_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    return r;
}

static int64_t opt_ns(lua_State *L, const char *name, double fallback)
{
    double seconds = tfl_field_seconds(L, 2, "load:report", name, fallback);
    return seconds > 1e9 ? INT64_MAX / 4 : (int64_t)(seconds * 1e9);
}

/* load:report{allowance = 0, ttl = 0, at = load:now(), list = 100} → the account. allowance: what was accepted in the
 * last so many seconds before `at` and is not included is pending, not lost; ttl: older than this is expired (0: nothing
 * is). latency.accepted, .included, .final = {n, p50, p95, p99, mean, max} from the intended time; lag: the same of
 * sending, with late, late_share (of what was due), held; reasons = {{message, count}}; lost_list = records as of
 * load:transaction, at most `list`. */
int tfl_load_l_report(lua_State *L)
{
    const struct l_load *l = tfl_check_load(L, 1);
    struct tfl_generator_figures f;
    struct tfl_load_report_params p = {.end_ns = tfl_load_now(l->load)};
    lua_settop(L, 2);
    if (lua_isnil(L, 2)) {
        lua_newtable(L);
        lua_replace(L, 2);
    }
    luaL_checktype(L, 2, LUA_TTABLE);
    p.allowance_ns = opt_ns(L, "allowance", 0);
    p.ttl_ns = opt_ns(L, "ttl", 0);
    p.end_ns = opt_ns(L, "at", (double)p.end_ns / 1e9);
    lua_Integer max = tfl_field_integer(L, 2, "load:report", "list", 100);
    p.max_list = max > 0 && max < 100000 ? (size_t)max : max > 0 ? 100000 : 0;
    struct tfl_load_report *r = new_report(L);
    tfl_load_report(l->load->tracker, &p, r);
    tfl_generator_figures(l->load->generator, &f);
    lua_createtable(L, 0, 32);
    set_generator(L, &f);
    set_report(L, r);
    set_lag(L, &f);
    set_reasons(L, l->load->tracker);
    lua_createtable(L, (int)r->n_lost_list, 0);
    for (size_t i = 0; i < r->n_lost_list; i++) {
        push_record(L, l, r->lost_list[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "lost_list");
    return 1;
}
