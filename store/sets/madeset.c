/* SPDX-License-Identifier: MIT */
#include "store/sets/madeset.h"

#include "store/base/array.h"
#include "store/base/lock.h"
#include "store/base/time.h"
#include "store/sets/madeset_internal.h"
#include "store/sets/storedgzip.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void madeset_base(int64_t ns, char out[MADESET_BASE])
{
    char text[TIME_TEXT]; /* 2016-06-11T12:00:00Z */
    size_t n = 0;
    time_text(ns, text);
    for (const char *p = text; *p && n + 1 < MADESET_BASE; p++)
        if (*p != '-' && *p != ':')
            out[n++] = *p;
    out[n] = 0;
}

static int64_t madeset_created_ns(const struct madeset *s)
{
    return capture_record(madeshards_capture(s->shards))->created_ns;
}

/* Takes over the name. */
static int madeset_add(struct madeset *s, const struct madeset_file *f)
{
    if (!f->name || !array_grow(&s->files, s->n)) {
        free(f->name);
        return -ENOMEM;
    }
    s->files[s->n++] = *f;
    return 0;
}

/* The name of a file that is no shard's. One with a dot, such as left_out.00, would be taken for a
 * shard of the database left_out. */
static char *madeset_name_of(const struct madeset *s, enum madeset_kind kind)
{
    static const char *const endings[] = {
        [MADESET_META] = "meta", [MADESET_LEFT_OUT] = "left_out", [MADESET_MANIFEST] = "manifest"};
    char *name;
    int r;
    if (s->query.format == MADESET_PORTABLE)
        r = asprintf(&name, "%s.%s", s->base, endings[kind]);
    else if (kind == MADESET_META)
        r = asprintf(&name, "meta.%02u", s->query.run);
    else if (s->query.run)
        r = asprintf(&name, "left_out-%02u", s->query.run);
    else
        r = asprintf(&name, "left_out");
    return r < 0 ? NULL : name;
}

/* Adds a text that is there already; takes over its bytes. */
static int madeset_add_text(struct madeset *s, enum madeset_kind kind, struct buffer *text)
{
    struct madeset_file f = {.kind = kind, .mtime_ns = madeset_created_ns(s), .text = *text};
    if (text->failed)
        return -ENOMEM;
    f.name = madeset_name_of(s, kind);
    int r = madeset_add(s, &f);
    if (r == 0)
        *text = (struct buffer){0};
    return r;
}

static int madeset_add_shard(struct madeset *s, size_t i)
{
    const struct shard_files *shard = shards_at(madeshards_list(s->shards), i);
    struct madeset_file f = {.kind = MADESET_SHARD, .of = {s->shards, i, s->ids[i]}};
    int r = s->query.format == MADESET_PORTABLE
                ? asprintf(&f.name, "%s.s%" PRIu64 ".tar.gz", s->base, f.of.id)
                : asprintf(&f.name, "%s.%s.%05" PRIu64 ".%02u", shard->db, shard->rp, f.of.id,
                           s->query.run);
    if (r < 0)
        return -ENOMEM;
    f.mtime_ns = shardtar_mtime_ns(&f.of);
    return madeset_add(s, &f);
}

static int madeset_add_left_out(struct madeset *s)
{
    struct buffer text = {0};
    int r = 0;
    madeset_left_out(s, &text);
    if (text.n || text.failed)
        r = madeset_add_text(s, MADESET_LEFT_OUT, &text);
    buffer_free(&text);
    return r;
}

/* A shard of which nothing but a folder or an empty WAL segment is there has no points. */
static bool madeset_has_points(const struct madeset *s, const struct shard_files *f)
{
    const struct capture *c = madeshards_capture(s->shards);
    bool any = f->ntsm > 0;
    for (size_t i = 0; i < f->nwal; i++)
        any |= capture_member(c, f->wal[i])->attr.size > 0;
    return any && (!s->db || strcmp(s->db, f->db) == 0);
}

static int madeset_choose(struct madeset *s)
{
    const struct shards *list = madeshards_list(s->shards);
    size_t n = shards_count(list);
    s->points = calloc(n + 1, sizeof(*s->points));
    s->ids = calloc(n + 1, sizeof(*s->ids));
    if (!s->points || !s->ids)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        s->points[i] = madeset_has_points(s, shards_at(list, i));
        if (s->points[i] && s->query.format == MADESET_PORTABLE)
            s->ids[i] = shards_at(list, i)->id;
    }
    return 0;
}

static bool madeset_is_empty(const struct madeset *s)
{
    size_t i = 0, n = shards_count(madeshards_list(s->shards));
    while (i < n && !s->points[i])
        i++;
    return i == n;
}

static int madeset_fill(struct madeset *s, struct err *e)
{
    struct buffer meta = {0};
    int r = madeset_choose(s);
    if (r == 0 && s->db && madeset_is_empty(s))
        return err_set(e, -ENOENT, "no database %s with points", s->db);
    if (r == 0)
        r = madeset_meta(s, &meta, e); /* which decides what the shards are called */
    for (size_t i = 0; r == 0 && i < shards_count(madeshards_list(s->shards)); i++)
        r = s->ids[i] ? madeset_add_shard(s, i) : 0;
    if (r == 0)
        r = madeset_add_left_out(s);
    if (r == 0)
        r = madeset_add_text(s, MADESET_META, &meta);
    buffer_free(&meta);
    if (r == 0 && s->query.format == MADESET_PORTABLE)
        r = madeset_add_text(s, MADESET_MANIFEST, &(struct buffer){0});
    return r;
}

int madeset_new(struct madeshards *m, const struct madeset_query *q, struct madeset **out,
                struct err *e)
{
    cleanup(madeset_freep) struct madeset *s = calloc(1, sizeof(*s));
    if (!s)
        return err_sys(e, -ENOMEM, "a set");
    pthread_mutex_init(&s->lock, NULL);
    s->shards = madeshards_ref(m);
    s->query = *q;
    s->db = q->db ? strdup(q->db) : NULL;
    s->query.db = s->db;
    madeset_base(q->base_ns ? q->base_ns : madeset_created_ns(s), s->base);
    int r = q->db && !s->db ? -ENOMEM : madeset_fill(s, e);
    if (r < 0)
        return e && e->text[0] ? r : err_sys(e, r, "a set");
    *out = steal_ptr(&s);
    return 0;
}

void madeset_free(struct madeset *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n; i++) {
        free(s->files[i].name);
        buffer_free(&s->files[i].text);
    }
    for (size_t i = 0; i < s->nlacks; i++)
        free(s->lacks[i].words);
    free(s->files);
    free(s->lacks);
    free(s->points);
    free(s->ids);
    free(s->db);
    madeshards_unref(s->shards);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

size_t madeset_count(const struct madeset *s)
{
    return s->n;
}

const char *madeset_name(const struct madeset *s, size_t i)
{
    return s->files[i].name;
}

int64_t madeset_mtime_ns(const struct madeset *s, size_t i)
{
    return s->files[i].mtime_ns;
}

bool madeset_find(const struct madeset *s, const char *name, size_t *i)
{
    size_t at = 0;
    while (at < s->n && strcmp(s->files[at].name, name) != 0)
        at++;
    *i = at;
    return at < s->n;
}

size_t madeset_lacks(const struct madeset *s)
{
    return s->nlacks;
}

const char *madeset_lack(const struct madeset *s, size_t i, bool *counts)
{
    *counts = s->lacks[i].counts;
    return s->lacks[i].words;
}

/* Sizes */

static bool madeset_knows_size(struct madeset *s, const struct madeset_file *f)
{
    lock_scope(&s->lock);
    return f->have_size;
}

/* The size is written once, since it is read without the lock from then on. */
static void madeset_know_size(struct madeset *s, struct madeset_file *f,
                              const struct catalog_derived *known)
{
    lock_scope(&s->lock);
    if (!f->have_size)
        f->size = known->size;
    f->have_size = true;
    if (!known->have_crc)
        return;
    f->have_crc = true;
    f->crc = known->crc;
}

int madeset_tar_size(struct madeset *s, struct madeset_file *f, const struct tarball_reader *reader,
                     struct err *e)
{
    struct catalog *k = madeshards_catalog(s->shards);
    struct catalog_derived known = {0};
    cleanup(shardtar_closep) struct shardtar *t = NULL;
    uint8_t digest[SHA256_BYTES];
    bool plain = madeshards_is_plain(s->shards, f->of.shard);
    int r = 0;
    if (madeset_knows_size(s, f))
        return 0;
    if (!plain && k)
        r = shardtar_digest(&f->of, digest, e);
    if (r < 0)
        return r;
    if (plain || !k || catalog_get_derived(k, digest, &known, NULL) < 0) {
        if ((r = shardtar_open(&f->of, reader, &t, e)) < 0)
            return r;
        known = (struct catalog_derived){.size = shardtar_size(t)};
        /* A size that is not remembered is found again. */
        if (!plain && k)
            catalog_put_derived(k, digest, &known, NULL);
    }
    madeset_know_size(s, f, &known);
    return 0;
}

bool madeset_knows_crc(struct madeset *s, struct madeset_file *f, uint32_t *crc)
{
    lock_scope(&s->lock);
    *crc = f->crc;
    return f->have_crc;
}

void madeset_recall_crc(struct madeset *s, struct madeset_file *f)
{
    struct catalog *k = madeshards_catalog(s->shards);
    struct catalog_derived known;
    uint8_t digest[SHA256_BYTES];
    uint32_t crc;
    if (k && !madeset_knows_crc(s, f, &crc) && shardtar_digest(&f->of, digest, NULL) == 0 &&
        catalog_get_derived(k, digest, &known, NULL) == 0 && known.size == f->size)
        madeset_know_size(s, f, &known);
}

void madeset_know_crc(struct madeset *s, struct madeset_file *f, uint32_t crc)
{
    const struct catalog_derived known = {.size = f->size, .have_crc = true, .crc = crc};
    struct catalog *k = madeshards_catalog(s->shards);
    uint8_t digest[SHA256_BYTES];
    madeset_know_size(s, f, &known);
    /* One that is not remembered is found again. */
    if (k && shardtar_digest(&f->of, digest, NULL) == 0)
        catalog_put_derived(k, digest, &known, NULL);
}

int madeset_make_manifest(struct madeset *s, struct madeset_file *f,
                          const struct tarball_reader *reader, struct err *e)
{
    struct buffer text = {0};
    int r = madeset_knows_size(s, f);
    if (r)
        return 0;
    for (size_t i = 0; r == 0 && i < s->n; i++)
        if (s->files[i].kind == MADESET_SHARD)
            r = madeset_tar_size(s, &s->files[i], reader, e);
    if (r == 0)
        r = madeset_manifest(s, &text, e);
    pthread_mutex_lock(&s->lock);
    if (r == 0 && !f->have_size) {
        f->text = text;
        f->have_size = true;
        text = (struct buffer){0};
    }
    pthread_mutex_unlock(&s->lock);
    buffer_free(&text);
    return r;
}

uint64_t madeset_file_size(const struct madeset *s, const struct madeset_file *f)
{
    if (f->kind != MADESET_SHARD)
        return f->text.n;
    if (s->query.format == MADESET_LEGACY)
        return f->size;
    return storedgzip_size(strlen(f->name) - strlen(".gz"), f->size);
}

int madeset_size(struct madeset *s, size_t i, const struct tarball_reader *reader, uint64_t *size,
                 struct err *e)
{
    struct madeset_file *f = &s->files[i];
    int r = 0;
    if (f->kind == MADESET_SHARD)
        r = madeset_tar_size(s, f, reader, e);
    else if (f->kind == MADESET_MANIFEST)
        r = madeset_make_manifest(s, f, reader, e);
    if (r == 0)
        *size = madeset_file_size(s, f);
    return r;
}
