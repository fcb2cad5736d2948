#include "node/store.h"

#include "base/fs.h"
#include "chain/block.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

/* The cache is small on purpose: a block is read when a peer or a client asks for an old one, and the kernel has the
 * file in its own cache. */
static const char settings[] =
    "PRAGMA locking_mode=EXCLUSIVE;" /* no shared memory file, and no second node */
    "PRAGMA cache_size=-256;"        /* KiB */
    "PRAGMA mmap_size=0;"
    "PRAGMA temp_store=MEMORY;";

/* Nothing can be lost while the file is made, so that nothing is waited for: the syncs of a hundred nodes that start
 * at once would take a slow disk a second. */
static const char creation[] =
    "PRAGMA synchronous=OFF;"
    "PRAGMA journal_mode=WAL;"
    "BEGIN;"
    "CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS blocks(seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, parent BLOB NOT "
    "NULL,"
    " slot INTEGER NOT NULL, height INTEGER NOT NULL, bytes BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS mempool(seq INTEGER PRIMARY KEY, arrival_ms INTEGER NOT NULL,"
    " proven INTEGER NOT NULL, bytes BLOB NOT NULL);"
    "INSERT OR IGNORE INTO meta VALUES('genesis', ?1);";

struct tfl_store {
    sqlite3 *db;
    char *path;
    sqlite3_stmt *begin, *commit, *put, *read, *put_tx, *drop_tx;
    bool dirty;
};

static int failed(struct tfl_store *s, const char *what, struct tfl_error *err)
{
    int code = s->db ? sqlite3_errcode(s->db) & 0xff : SQLITE_NOMEM;
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
        return tfl_fail(
            err, TFL_E_STATE, "cannot %s %s: another process uses it; stop that node first", what, s->path);
    return tfl_fail(err, code == SQLITE_FULL ? TFL_E_NO_SPACE : TFL_E_IO, "cannot %s %s: %s", what, s->path,
        s->db ? sqlite3_errmsg(s->db) : "out of memory");
}

/* Runs every statement of sql; ?1 of any is the genesis id. */
static int run_all(struct tfl_store *s, const char *sql, const struct tfl_hash *genesis)
{
    while (*sql) {
        sqlite3_stmt *stmt = NULL;
        if (sqlite3_prepare_v2(s->db, sql, -1, &stmt, &sql) != SQLITE_OK)
            return -1;
        if (!stmt)
            continue;
        if (sqlite3_bind_parameter_count(stmt))
            sqlite3_bind_blob(stmt, 1, genesis->b, sizeof genesis->b, SQLITE_STATIC);
        int r;
        while ((r = sqlite3_step(stmt)) == SQLITE_ROW)
            continue;
        if (sqlite3_finalize(stmt) != SQLITE_OK || r != SQLITE_DONE)
            return -1;
    }
    return 0;
}

static int prepare(struct tfl_store *s, const char *sql, sqlite3_stmt **stmt)
{
    return sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL) == SQLITE_OK ? 0 : -1;
}

static int check_genesis(struct tfl_store *s, const struct tfl_hash *genesis, struct tfl_error *err)
{
    sqlite3_stmt *stmt = NULL;
    if (prepare(s, "SELECT value FROM meta WHERE key='genesis'", &stmt))
        return failed(s, "read", err);
    bool same = sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_bytes(stmt, 0) == (int)sizeof genesis->b &&
                !memcmp(sqlite3_column_blob(stmt, 0), genesis->b, sizeof genesis->b);
    sqlite3_finalize(stmt);
    if (same)
        return 0;
    return tfl_fail(err, TFL_E_BAD_CONFIG,
        "%s holds a chain with another genesis; give the node an empty state.base_folder or the deployment "
        "it was "
        "made with",
        s->path);
}

/* A file that has its tables is opened without writing to it. */
static bool is_made(struct tfl_store *s)
{
    sqlite3_stmt *stmt = NULL;
    bool made = !prepare(s, "SELECT 1 FROM sqlite_schema WHERE name='mempool'", &stmt) &&
                sqlite3_step(stmt) == SQLITE_ROW;
    sqlite3_finalize(stmt);
    return made;
}

static int make_ready(struct tfl_store *s, const struct tfl_hash *genesis, struct tfl_error *err)
{
    if (run_all(s, settings, genesis))
        return failed(s, "open", err);
    if (!is_made(s) && (run_all(s, creation, genesis) || run_all(s, "COMMIT;", genesis)))
        return failed(s, "make", err);
    if (check_genesis(s, genesis, err))
        return -1;
    if (run_all(s, "PRAGMA synchronous=NORMAL;", genesis) || prepare(s, "BEGIN IMMEDIATE", &s->begin) ||
        prepare(s, "COMMIT", &s->commit) || prepare(s, "SELECT bytes FROM blocks WHERE id=?1", &s->read) ||
        prepare(s, "INSERT OR IGNORE INTO blocks(id, parent, slot, height, bytes) VALUES(?1, ?2, ?3, ?4, ?5)",
            &s->put) ||
        prepare(s, "INSERT OR REPLACE INTO mempool(seq, arrival_ms, proven, bytes) VALUES(?1, ?2, ?3, ?4)",
            &s->put_tx) ||
        prepare(s, "DELETE FROM mempool WHERE seq=?1", &s->drop_tx))
        return failed(s, "open", err);
    /* What is committed is in the WAL; copying it over at the end would only make stopping slow. */
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    return 0;
}

struct tfl_store *tfl_store_open(const char *folder, const struct tfl_hash *genesis, struct tfl_error *err)
{
    if (tfl_mkdir_p(folder, 0755, err))
        return NULL;
    struct tfl_store *s = tfl_alloc(sizeof *s);
    s->path = tfl_sprintf("%s/chain.sqlite", folder);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    int r = sqlite3_open_v2(s->path, &s->db, flags, NULL) == SQLITE_OK ? 0 : failed(s, "open", err);
    if (r || make_ready(s, genesis, err)) {
        tfl_store_close(s);
        return NULL;
    }
    return s;
}

void tfl_store_close(struct tfl_store *s)
{
    if (!s)
        return;
    if (s->dirty)
        tfl_store_commit(s, NULL);
    sqlite3_finalize(s->begin);
    sqlite3_finalize(s->commit);
    sqlite3_finalize(s->put);
    sqlite3_finalize(s->read);
    sqlite3_finalize(s->put_tx);
    sqlite3_finalize(s->drop_tx);
    sqlite3_close(s->db);
    free(s->path);
    free(s);
}

/* Are these the bytes of the block with that id? */
static bool hashes_to(const void *id, int id_len, const void *data, int len)
{
    TFL_BLOCK block = {0};
    return data && id && id_len == (int)sizeof block.id.b &&
           !tfl_block_decode(&block, data, (size_t)len, NULL) && !memcmp(block.id.b, id, sizeof block.id.b);
}

/* Runs a statement without rows and readies it for the next time. */
static int step(sqlite3_stmt *stmt)
{
    int r = sqlite3_step(stmt);
    sqlite3_reset(stmt);
    return r == SQLITE_DONE ? 0 : -1;
}

/* Removes the rows, so that a sound copy that the peers give takes its place in the order anew. */
static int forget(struct tfl_store *s, const char *delete, const sqlite3_int64 *rows, size_t n)
{
    sqlite3_stmt *stmt = NULL;
    if (!n)
        return 0;
    int r = step(s->begin) || prepare(s, delete, &stmt);
    for (size_t i = 0; i < n && !r; i++) {
        sqlite3_bind_int64(stmt, 1, rows[i]);
        r = step(stmt);
    }
    sqlite3_finalize(stmt);
    return r || step(s->commit) ? -1 : 0;
}

int tfl_store_restore(struct tfl_store *s, int (*each)(void *arg, const void *block, size_t len), void *arg,
    uint64_t *ignored, struct tfl_error *err)
{
    TFL_BUF bad = {0}; /* the rows that are ignored, as sqlite3_int64 */
    sqlite3_stmt *stmt = NULL;
    int r;
    TFL_ASSERT(!s->dirty);
    if (prepare(s, "SELECT seq, id, bytes FROM blocks ORDER BY seq", &stmt))
        return failed(s, "read", err);
    while ((r = sqlite3_step(stmt)) == SQLITE_ROW) {
        sqlite3_int64 seq = sqlite3_column_int64(stmt, 0);
        const void *id = sqlite3_column_blob(stmt, 1), *data = sqlite3_column_blob(stmt, 2);
        int id_len = sqlite3_column_bytes(stmt, 1), len = sqlite3_column_bytes(stmt, 2);
        if (!hashes_to(id, id_len, data, len) || each(arg, data, (size_t)len))
            tfl_buf_add(&bad, &seq, sizeof seq);
    }
    int status = r == SQLITE_DONE ? 0 : failed(s, "read", err);
    sqlite3_finalize(stmt);
    *ignored = bad.len / sizeof(sqlite3_int64);
    if (!status &&
        forget(s, "DELETE FROM blocks WHERE seq=?1", (const sqlite3_int64 *)(const void *)bad.data, *ignored))
        status = failed(s, "write", err);
    return status;
}

/* The first row of a query as text or number; NULL: it cannot be run. */
static sqlite3_stmt *first_row(struct tfl_store *s, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    if (!prepare(s, sql, &stmt) && sqlite3_step(stmt) == SQLITE_ROW)
        return stmt;
    sqlite3_finalize(stmt);
    return NULL;
}

static int check_blocks(
    struct tfl_store *s, const struct tfl_hash *genesis, uint64_t *blocks, struct tfl_error *err)
{
    static const char sql[] = "SELECT b.seq, b.id, b.bytes, b.parent = ?1 OR p.seq < b.seq FROM blocks b"
                              " LEFT JOIN blocks p ON p.id = b.parent ORDER BY b.seq";
    sqlite3_stmt *stmt = NULL;
    int r, status = 0;
    *blocks = 0;
    if (prepare(s, sql, &stmt))
        return failed(s, "read", err);
    sqlite3_bind_blob(stmt, 1, genesis->b, sizeof genesis->b, SQLITE_STATIC);
    while (!status && (r = sqlite3_step(stmt)) == SQLITE_ROW) {
        ++*blocks;
        if (!hashes_to(sqlite3_column_blob(stmt, 1), sqlite3_column_bytes(stmt, 1),
                sqlite3_column_blob(stmt, 2), sqlite3_column_bytes(stmt, 2)))
            status = tfl_fail(err, TFL_E_IO, "%s: the block in row %lld does not hash to its id", s->path,
                (long long)sqlite3_column_int64(stmt, 0));
        else if (!sqlite3_column_int(stmt, 3))
            status = tfl_fail(err, TFL_E_IO, "%s: the parent of the block in row %lld is not before it",
                s->path, (long long)sqlite3_column_int64(stmt, 0));
    }
    if (!status && r != SQLITE_DONE)
        status = failed(s, "read", err);
    sqlite3_finalize(stmt);
    return status;
}

int tfl_store_check(struct tfl_store *s, const struct tfl_hash *genesis, uint64_t *blocks, uint64_t *txs,
    struct tfl_error *err)
{
    sqlite3_stmt *stmt = first_row(s, "PRAGMA integrity_check(1)");
    const char *text = stmt ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
    int status = text && !strcmp(text, "ok") ? 0
                                             : tfl_fail(err, TFL_E_IO, "%s is damaged: %s", s->path,
                                                   text ? text : sqlite3_errmsg(s->db));
    sqlite3_finalize(stmt);
    if (status || check_blocks(s, genesis, blocks, err))
        return -1;
    stmt = first_row(s, "SELECT count(*) FROM mempool");
    *txs = stmt ? (uint64_t)sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_finalize(stmt);
    return 0;
}

int tfl_store_restore_txs(struct tfl_store *s,
    int (*each)(void *arg, const struct tfl_core_tx *tx, const void *data, size_t len), void *arg,
    uint64_t *removed, struct tfl_error *err)
{
    TFL_BUF bad = {0};
    sqlite3_stmt *stmt = NULL;
    int r;
    TFL_ASSERT(!s->dirty);
    if (prepare(s, "SELECT seq, arrival_ms, proven, bytes FROM mempool ORDER BY seq", &stmt))
        return failed(s, "read", err);
    while ((r = sqlite3_step(stmt)) == SQLITE_ROW) {
        sqlite3_int64 seq = sqlite3_column_int64(stmt, 0);
        struct tfl_core_tx tx = {
            (uint64_t)seq, (uint64_t)sqlite3_column_int64(stmt, 1), sqlite3_column_int(stmt, 2) != 0};
        const void *data = sqlite3_column_blob(stmt, 3);
        if (seq < 1 || !data || each(arg, &tx, data, (size_t)sqlite3_column_bytes(stmt, 3)))
            tfl_buf_add(&bad, &seq, sizeof seq);
    }
    int status = r == SQLITE_DONE ? 0 : failed(s, "read", err);
    sqlite3_finalize(stmt);
    *removed = bad.len / sizeof(sqlite3_int64);
    if (!status && forget(s, "DELETE FROM mempool WHERE seq=?1",
                       (const sqlite3_int64 *)(const void *)bad.data, *removed))
        status = failed(s, "write", err);
    return status;
}

/* The transaction of this turn of the loop. */
static int begin(struct tfl_store *s, struct tfl_error *err)
{
    if (!s->dirty && step(s->begin))
        return failed(s, "write", err);
    s->dirty = true;
    return 0;
}

int tfl_store_put_tx(
    struct tfl_store *s, const struct tfl_core_tx *tx, const void *data, size_t len, struct tfl_error *err)
{
    if (begin(s, err))
        return -1;
    sqlite3_bind_int64(s->put_tx, 1, (sqlite3_int64)tx->seq);
    sqlite3_bind_int64(s->put_tx, 2, (sqlite3_int64)tx->arrival_ms);
    sqlite3_bind_int(s->put_tx, 3, tx->proven);
    sqlite3_bind_blob64(s->put_tx, 4, data, len, SQLITE_STATIC);
    int r = step(s->put_tx) ? failed(s, "write", err) : 0;
    sqlite3_clear_bindings(s->put_tx);
    return r;
}

int tfl_store_drop_txs(struct tfl_store *s, const uint8_t *seqs, size_t n, struct tfl_error *err)
{
    if (begin(s, err))
        return -1;
    for (size_t i = 0; i + 8 <= n; i += 8) {
        sqlite3_bind_int64(s->drop_tx, 1, (sqlite3_int64)tfl_get_le(seqs + i, 8));
        if (step(s->drop_tx))
            return failed(s, "write", err);
    }
    return 0;
}

int tfl_store_put(
    struct tfl_store *s, const struct tfl_core_header *b, const void *data, size_t len, struct tfl_error *err)
{
    if (begin(s, err))
        return -1;
    sqlite3_bind_blob(s->put, 1, b->id.b, sizeof b->id.b, SQLITE_STATIC);
    sqlite3_bind_blob(s->put, 2, b->parent.b, sizeof b->parent.b, SQLITE_STATIC);
    sqlite3_bind_int64(s->put, 3, (sqlite3_int64)b->slot);
    sqlite3_bind_int64(s->put, 4, (sqlite3_int64)b->height);
    sqlite3_bind_blob64(s->put, 5, data, len, SQLITE_STATIC);
    int r = step(s->put) ? failed(s, "write", err) : 0;
    sqlite3_clear_bindings(s->put);
    return r;
}

bool tfl_store_dirty(const struct tfl_store *s)
{
    return s->dirty;
}

int tfl_store_commit(struct tfl_store *s, struct tfl_error *err)
{
    if (!s->dirty)
        return 0;
    s->dirty = false;
    return step(s->commit) ? failed(s, "write", err) : 0;
}

int tfl_store_read(void *store, const struct tfl_hash *id, struct tfl_buf *out, struct tfl_error *err)
{
    struct tfl_store *s = store;
    char hex[TFL_HASH_HEX];
    int status;
    sqlite3_bind_blob(s->read, 1, id->b, sizeof id->b, SQLITE_STATIC);
    int r = sqlite3_step(s->read);
    if (r == SQLITE_ROW) {
        tfl_buf_add(out, sqlite3_column_blob(s->read, 0), (size_t)sqlite3_column_bytes(s->read, 0));
        status = 0;
    } else if (r == SQLITE_DONE) {
        status = tfl_fail(err, TFL_E_NOT_FOUND, "no block %s in %s", tfl_hash_hex(hex, id), s->path);
    } else {
        status = failed(s, "read", err);
    }
    sqlite3_reset(s->read);
    sqlite3_clear_bindings(s->read);
    return status;
}
