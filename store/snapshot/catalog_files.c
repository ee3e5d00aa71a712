/* SPDX-License-Identifier: MIT */
/* The rows of the files. A folder's are together, so that what has changed in it costs that folder
 * alone: its rows and its files, both in order, are walked side by side. */
#include "store/base/arena.h"
#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/snapshot/catalog_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MAX CATALOG_KEY_MAX

/* Stored as they are in memory: the catalogue never leaves its machine. */
struct row {
    uint64_t ino, size, index;
    int64_t mtime_ns;
    uint64_t known; /* KNOWN_… */
    uint8_t sum[SHA256_BYTES];
};

enum { KNOWN_SUM = 1, KNOWN_DAMAGED = 2 };

static uint64_t known_of(const struct catalog_file *f)
{
    return (f->have_sum ? KNOWN_SUM : 0) | (f->damaged ? KNOWN_DAMAGED : 0);
}

static int get_row(struct catalog *c, const char *path, struct row *row)
{
    char buf[KEY_MAX];
    MDB_val k = catalog_key(path, buf), v;
    int rc = mdb_get(c->txn, c->files, &k, &v);
    if (rc == 0 && v.mv_size != sizeof(*row))
        return MDB_CORRUPTED;
    if (rc == 0)
        memcpy(row, v.mv_data, sizeof(*row));
    return rc;
}

int catalog_index_of(struct catalog *c, const char *path, uint64_t *index)
{
    struct row row;
    int rc = get_row(c, path, &row);
    *index = rc == 0 ? row.index : 0;
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int put_row(struct catalog *c, const char *path, const struct row *row)
{
    char buf[KEY_MAX];
    MDB_val k = catalog_key(path, buf), v = {sizeof(*row), (void *)row};
    return mdb_put(c->txn, c->files, &k, &v, 0);
}

static bool same(const struct row *row, const struct catalog_file *f)
{
    return row->ino == f->ino && row->size == f->size && row->mtime_ns == f->mtime_ns;
}

/* A folder by its key, and which files are in it: a run of them, or several, one after the other in
 * the list of folders. */
struct folder {
    MDB_val key;
    size_t first, n;
    bool known;
};

struct folders {
    struct folder *at;
    size_t n;
    struct arena memory; /* of the keys */
};

static int files_add_folder(struct folders *l, const char *path, size_t len, size_t first)
{
    char buf[KEY_MAX];
    const MDB_val k = catalog_key_of_folder(path, len, buf);
    char *own = array_grow(&l->at, l->n) ? arena_text(&l->memory, k.mv_data, k.mv_size) : NULL;
    if (!own)
        return ENOMEM;
    l->at[l->n++] = (struct folder){.key = {k.mv_size, own}, .first = first, .known = true};
    return 0;
}

static int by_folder(const void *a, const void *b)
{
    const struct folder *x = a, *y = b;
    int d = catalog_key_cmp(&x->key, &y->key);
    return d ? d : (x->first > y->first) - (x->first < y->first);
}

/* Where the caller does not say which folders there are. */
static int files_find_folders(const struct catalog_files *files, bool believe, struct folders *l)
{
    autofree char *last = NULL;
    for (size_t i = 0; i < files->n; i++) {
        struct catalog_file f = {0};
        files->get(files->ctx, i, &f);
        if (!f.ino)
            continue;
        const char *slash = strrchr(f.path, '/');
        size_t len = slash ? (size_t)(slash - f.path) : 0;
        if (!last || strlen(last) != len || memcmp(last, f.path, len) != 0) {
            free(last);
            if (!(last = strndup(f.path, len)) || files_add_folder(l, last, len, i))
                return ENOMEM;
        }
        l->at[l->n - 1].n = i + 1 - l->at[l->n - 1].first;
        l->at[l->n - 1].known &= believe && f.index;
    }
    return 0;
}

static int files_take_folders(const struct catalog_files *files, const struct catalog_shape *shape,
                              bool believe, struct folders *l)
{
    int rc = shape ? 0 : files_find_folders(files, believe, l);
    for (size_t i = 0; rc == 0 && shape && i < shape->nfolders; i++) {
        const struct catalog_folder *f = &shape->folders[i];
        if (f->n == 0 && !f->known) /* those above the shards would be walked with all below them */
            continue;
        if ((rc = files_add_folder(l, f->path, strlen(f->path), f->first)))
            break;
        l->at[l->n - 1].n = f->n;
        l->at[l->n - 1].known = f->known && (believe || f->n == 0);
    }
    if (rc == 0 && l->n)
        qsort(l->at, l->n, sizeof(*l->at), by_folder);
    return rc;
}

static void folders_clear(struct folders *l)
{
    free(l->at);
    arena_free(&l->memory);
}

/* A file of the folder at hand. */
struct item {
    MDB_val key;
    size_t i;
};

struct items {
    struct item *at;
    size_t n;
    struct arena memory;
};

static int by_item(const void *a, const void *b)
{
    return catalog_key_cmp(&((const struct item *)a)->key, &((const struct item *)b)->key);
}

static void items_clear(struct items *l)
{
    free(l->at);
    arena_free(&l->memory);
}

/* The files of n runs of one folder, in the order of their keys. */
static int files_of_folder(const struct catalog_files *files, const struct folder *at, size_t n,
                           struct items *l)
{
    bool sorted = true;
    for (const struct folder *f = at; f < at + n; f++) {
        for (size_t i = f->first; i < f->first + f->n; i++) {
            struct catalog_file file = {0};
            char buf[KEY_MAX];
            files->get(files->ctx, i, &file);
            if (!file.ino)
                continue;
            const MDB_val k = catalog_key(file.path, buf);
            char *own = arena_text(&l->memory, k.mv_data, k.mv_size);
            if (!own || !array_grow(&l->at, l->n))
                return ENOMEM;
            l->at[l->n] = (struct item){{k.mv_size, own}, i};
            sorted = sorted &&
                     (l->n == 0 || catalog_key_cmp(&l->at[l->n - 1].key, &l->at[l->n].key) < 0);
            l->n++;
        }
    }
    if (!sorted)
        qsort(l->at, l->n, sizeof(*l->at), by_item);
    return 0;
}

/* A walk over the rows of one folder. */
struct walk {
    struct catalog *c;
    MDB_cursor *cursor;
    const MDB_val *folder; /* NULL: over all rows */
    MDB_val k, v;
    int rc; /* of the last step: 0: k and v are a row */
};

/* Steps over what lies in folders below it. */
static void files_pass_deeper(struct walk *w)
{
    while (w->folder && w->rc == 0) {
        const size_t len = catalog_key_folder(&w->k), own = w->folder->mv_size;
        if (w->k.mv_size < own || (own && memcmp(w->k.mv_data, w->folder->mv_data, own) != 0)) {
            w->rc = MDB_NOTFOUND;
            return;
        }
        if (len == own)
            return;
        w->rc = mdb_cursor_get(w->cursor, &w->k, &w->v, MDB_NEXT);
    }
}

static void walk_next(struct walk *w)
{
    w->rc = mdb_cursor_get(w->cursor, &w->k, &w->v, MDB_NEXT);
    files_pass_deeper(w);
}

/* From the first row, or from a key on. */
static int walk_begin(struct walk *w, const MDB_val *from)
{
    int rc = mdb_cursor_open(w->c->txn, w->c->files, &w->cursor);
    if (rc)
        return rc;
    w->k = *from;
    w->rc = mdb_cursor_get(w->cursor, &w->k, &w->v, from->mv_size ? MDB_SET_RANGE : MDB_FIRST);
    files_pass_deeper(w);
    return 0;
}

/* The file of the row has gone, and its notes go with it. */
static int walk_forget(struct walk *w)
{
    int rc = mdb_del(w->c->txn, w->c->notes, &w->k, NULL);
    if (rc == 0 || rc == MDB_NOTFOUND)
        rc = mdb_cursor_del(w->cursor, 0);
    w->c->unsaved++;
    return rc;
}

static int walk_forget_before(struct walk *w, const MDB_val *key)
{
    int rc = 0;
    while (rc == 0 && w->rc == 0 && (!key || catalog_key_cmp(&w->k, key) < 0)) {
        rc = walk_forget(w);
        walk_next(w);
    }
    return rc ? rc : w->rc == MDB_NOTFOUND ? 0 : w->rc;
}

static void tell(const struct catalog_files *files, size_t i, struct catalog_file *f,
                 const struct row *row)
{
    f->index = row->index;
    f->have_sum = row->known & KNOWN_SUM;
    f->damaged = row->known & KNOWN_DAMAGED;
    memcpy(f->sum, row->sum, SHA256_BYTES);
    files->put(files->ctx, i, f);
}

/* The row of one file, at which or before which the walk stands. */
static int files_settle_one(struct walk *w, const struct catalog_files *files, struct item *item,
                            uint64_t index)
{
    struct catalog_file f = {0};
    struct row row;
    const bool found = w->rc == 0 && catalog_key_cmp(&w->k, &item->key) == 0;
    files->get(files->ctx, item->i, &f);
    if (found && w->v.mv_size != sizeof(row))
        return MDB_CORRUPTED;
    if (found)
        memcpy(&row, w->v.mv_data, sizeof(row));
    int rc = 0;
    if (!found || !same(&row, &f)) {
        row = (struct row){.ino = f.ino, .size = f.size, .index = index, .mtime_ns = f.mtime_ns};
        MDB_val v = {sizeof(row), &row};
        rc = mdb_cursor_put(w->cursor, &item->key, &v, found ? MDB_CURRENT : 0);
        w->c->unsaved++;
        w->c->changed++;
    }
    if (rc)
        return rc;
    walk_next(w);
    tell(files, item->i, &f, &row);
    return 0;
}

static void walk_end(struct walk *w)
{
    if (w->cursor)
        mdb_cursor_close(w->cursor);
    w->cursor = NULL;
}

/* What is written is saved now and then; the walk goes on where it stands. */
static int walk_rest(struct walk *w)
{
    char at[KEY_MAX];
    w->c->touched++;
    if (!catalog_needs_rest(w->c) || w->rc)
        return 0;
    const MDB_val k = {w->k.mv_size, memcpy(at, w->k.mv_data, w->k.mv_size)};
    walk_end(w);
    int rc = catalog_rest(w->c);
    return rc ? rc : walk_begin(w, &k);
}

/* Gives the files of a folder their rows, and forgets those that have gone. */
static int files_settle_folder(struct catalog *c, const struct catalog_files *files,
                               const struct folder *at, size_t n, uint64_t index)
{
    cleanup(items_clear) struct items items = {0};
    struct walk w = {.c = c, .folder = &at->key};
    int rc = files_of_folder(files, at, n, &items);
    if (rc == 0)
        rc = walk_begin(&w, &at->key);
    for (size_t i = 0; rc == 0 && i < items.n; i++) {
        rc = walk_forget_before(&w, &items.at[i].key);
        if (rc == 0)
            rc = files_settle_one(&w, files, &items.at[i], index);
        if (rc == 0)
            rc = walk_rest(&w);
    }
    if (rc == 0)
        rc = walk_forget_before(&w, NULL);
    walk_end(&w);
    return rc;
}

static bool is_before(const void *folder, const void *key)
{
    return catalog_key_cmp(&((const struct folder *)folder)->key, key) < 0;
}

/* Forgets the rows of folders that are not among these, one look for each folder that is. */
static int files_forget_folders(struct catalog *c, const struct folders *l)
{
    struct walk w = {.c = c};
    char next[KEY_MAX];
    int rc = walk_begin(&w, &(MDB_val){0, next});
    while (rc == 0 && w.rc == 0) {
        const MDB_val folder = {catalog_key_folder(&w.k), w.k.mv_data};
        const size_t i = array_bisect(l->at, l->n, sizeof(*l->at), &folder, is_before);
        const bool there = i < l->n && catalog_key_cmp(&l->at[i].key, &folder) == 0;
        if (!there)
            rc = walk_forget(&w);
        c->touched +=
            256; /* each lies on a page of its own, and the kernel maps those about it, too */
        if (there && folder.mv_size) {
            memcpy(next, folder.mv_data, folder.mv_size);
            next[folder.mv_size - 1] = '/' + 1;
            w.k = (MDB_val){folder.mv_size, next};
            w.rc = mdb_cursor_get(w.cursor, &w.k, &w.v, MDB_SET_RANGE);
        } else if (rc == 0) {
            walk_next(&w);
        }
        if (rc == 0)
            rc = walk_rest(&w);
    }
    walk_end(&w);
    return rc ? rc : w.rc == MDB_NOTFOUND ? 0 : w.rc;
}

/* Only where the folders are not those that there were. */
static int files_forget_vanished(struct catalog *c, const struct folders *l)
{
    uint8_t sum[SHA256_BYTES];
    MDB_val k = {7, (void *)"folders"}, v;
    cleanup(sha256_freep) struct sha256 *h = sha256_new();
    if (!h)
        return ENOMEM;
    for (size_t i = 0; i < l->n; i++) {
        sha256_add(h, &l->at[i].key.mv_size, sizeof(l->at[i].key.mv_size));
        sha256_add(h, l->at[i].key.mv_data, l->at[i].key.mv_size);
    }
    sha256_end(h, sum);
    int rc = mdb_get(c->txn, c->states, &k, &v);
    if (rc == 0 && v.mv_size == sizeof(sum) && memcmp(v.mv_data, sum, sizeof(sum)) == 0)
        return 0;
    if (rc == 0 || rc == MDB_NOTFOUND)
        rc = files_forget_folders(c, l);
    v = (MDB_val){sizeof(sum), sum};
    return rc ? rc : mdb_put(c->txn, c->states, &k, &v, 0);
}

int catalog_settle_files(struct catalog *c, const struct catalog_files *files,
                         const struct catalog_shape *shape, uint64_t index, bool believe, bool all)
{
    cleanup(folders_clear) struct folders l = {0};
    int rc = files_take_folders(files, shape, believe, &l);
    for (size_t i = 0, n; rc == 0 && i < l.n; i += n) {
        bool known = true;
        for (n = 0; i + n < l.n && catalog_key_cmp(&l.at[i].key, &l.at[i + n].key) == 0; n++)
            known &= l.at[i + n].known;
        if (!known)
            rc = files_settle_folder(c, files, &l.at[i], n, index);
        if (rc == 0 && catalog_needs_rest(c))
            rc = catalog_rest(c);
    }
    return rc || !all ? rc : files_forget_vanished(c, &l);
}

static int files_put_sums(struct catalog *c, void *arg)
{
    const struct catalog_files *files = arg;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < files->n; i++) {
        struct catalog_file f = {0};
        struct row row;
        files->get(files->ctx, i, &f);
        if (!known_of(&f))
            continue;
        c->touched++;
        if ((rc = get_row(c, f.path, &row)) == 0 && same(&row, &f) &&
            (row.known | known_of(&f)) != row.known) {
            if (f.damaged && !(row.known & KNOWN_DAMAGED))
                rc = catalog_forget_shard(c, f.path);
            row.known |= known_of(&f);
            if (f.have_sum)
                memcpy(row.sum, f.sum, SHA256_BYTES);
            rc = rc ? rc : put_row(c, f.path, &row);
            c->unsaved++;
        }
        rc = rc == MDB_NOTFOUND ? 0 : rc;
        if (rc == 0 && catalog_needs_rest(c))
            rc = catalog_rest(c);
    }
    return rc;
}

int catalog_put_sums(struct catalog *c, const struct catalog_files *files, struct err *e)
{
    return catalog_run(c, files_put_sums, (void *)files, e);
}

int catalog_seed_files(struct catalog *c, const struct catalog_files *files)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < files->n; i++) {
        struct catalog_file f = {0};
        files->get(files->ctx, i, &f);
        if (!f.ino)
            continue;
        struct row row = {.ino = f.ino, .size = f.size, .index = f.index, .mtime_ns = f.mtime_ns};
        row.known = known_of(&f);
        memcpy(row.sum, f.sum, SHA256_BYTES);
        rc = put_row(c, f.path, &row);
        c->unsaved++;
        if (rc == 0 && catalog_needs_rest(c))
            rc = catalog_rest(c);
    }
    return rc;
}
