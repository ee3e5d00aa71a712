/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/archive_source.h"

#include "store/base/cleanup.h"
#include "store/base/time.h"
#include "store/influx/meta.h"
#include "store/influx/names.h"
#include "store/influxsnap/part.h"
#include "store/influxsnap/selecting.h"
#include "store/sets/madeset.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct archive_source {
    struct snap *snap;
    const struct archive_past *past;
    enum receipt_form form;
    struct tarball *now;     /* the store, or the part of it that is selected */
    struct part part;        /* of a chain: its tar, NULL: nothing has changed */
    struct changes lost;     /* what is not in part.changes: only what it says of losses */
    bool compared, by_part;  /* losses are known; of an increment, by what it holds */
    uint64_t part_size;      /* of the tar's pieces */
    char name[RECEIPT_NAME]; /* of the tar */
    struct madeshards *shards;
    struct madeset *set;
    uint64_t set_bytes;
    /* The object at hand. */
    size_t at;
    struct setfile *file;
    char piece_name[RECEIPT_NAME + 24];
};

/* Capturing */

static int source_capture(struct archive_source *s, bool goes_on, struct err *e)
{
    int r = snapshots_now(s->snap->snapshots, &snap_reader, &s->now, e);
    return r < 0 ? r : selecting_take(s->snap, goes_on, &s->now, e);
}

/* Whether the chain is of the part of the store that is wanted now. */
static int source_follows(const struct archive_source *s, bool *out, struct err *e)
{
    const char *last = s->past->follows.name;
    struct err why = {0};
    if (s->past->chain.n == 0)
        return 0;
    int r = selecting_check_chain(&s->snap->o, last, &s->past->chain, &why);
    *out = r == 0;
    if (r != -EEXIST)
        return r < 0 ? err_set(e, r, "%s", why.text) : 0;
    snap_note("%s is of another part of the store: nothing is compared with it", last);
    return 0;
}

static int source_compare(struct archive_source *s, struct err *e)
{
    const struct tarset *with = archive_past_compared(s->past);
    size_t n;
    if (with->n == 0)
        return 0;
    autofree const struct manifest **list = tarset_manifests(with, &n);
    int r = list ? changes_find(list, n, tarball_capture(s->now), &s->lost, e)
                 : err_sys(e, -ENOMEM, "the snapshot");
    s->compared = r == 0;
    return r == -EBADMSG ? 0 : r;
}

static int source_make_full(struct archive_source *s, bool compares, struct err *e)
{
    s->form = RECEIPT_FULL;
    int r = part_full(s->snap->snapshots, s->now, &s->part, e);
    return r < 0 || !compares ? r : source_compare(s, e);
}

static int source_make_number(struct archive_source *s, struct err *e)
{
    struct err why = {0};
    int r = part_since(s->snap->snapshots, s->now, &s->past->chain, false, &s->part, &why);
    if (r == -EBADMSG) {
        snap_note("%s; so this is a full one", why.text);
        return source_make_full(s, false, e);
    }
    if (r < 0)
        return err_set(e, r, "%s", why.text);
    s->compared = s->by_part = !s->past->shrunk;
    return s->past->shrunk ? source_compare(s, e) : 0;
}

static void source_name(struct archive_source *s, const struct receipt *c)
{
    char ending[32] = "-full.tar";
    if (s->form == RECEIPT_INCREMENTAL && s->part.tar)
        snprintf(ending, sizeof(ending), "-%" PRId64 ".tar",
                 capture_origin(tarball_capture(s->part.tar))->number);
    receipt_name(c, ending, s->name);
}

static int source_make(struct archive_source *s, const struct archive_wish *wish, struct err *e)
{
    bool follows = false;
    int r = wish->form == RECEIPT_LEGACY ? 0 : source_follows(s, &follows, e);
    if (r == 0)
        r = source_capture(s, follows && wish->form == RECEIPT_INCREMENTAL, e);
    if (r < 0 || wish->form == RECEIPT_LEGACY)
        return r;
    r = follows && wish->form == RECEIPT_INCREMENTAL ? source_make_number(s, e)
                                                     : source_make_full(s, follows, e);
    source_name(s, wish->receipt);
    return r;
}

int archive_source_new(struct snap *snap, const struct archive_wish *wish,
                       struct archive_source **out, struct err *e)
{
    struct archive_source *s = calloc(1, sizeof(*s));
    if (!s)
        return err_sys(e, -ENOMEM, "the snapshot");
    s->snap = snap;
    s->past = wish->past;
    s->form = wish->form;
    s->part_size = wish->part_size;
    int r = source_make(s, wish, e);
    if (r < 0)
        archive_source_free(s);
    else
        *out = s;
    return r;
}

void archive_source_free(struct archive_source *s)
{
    if (!s)
        return;
    setfile_close(s->file);
    madeset_free(s->set);
    madeshards_unref(s->shards);
    part_clear(&s->part);
    changes_clear(&s->lost);
    tarball_unref(s->now);
    free(s);
}

int archive_source_make_set(struct archive_source *s, unsigned nn, struct err *e)
{
    const struct madeset_query q = {.format = MADESET_LEGACY, .cut = s->snap->o.exact, .run = nn};
    int r = madeshards_new(tarball_capture(s->now), snapshots_catalog(s->snap->snapshots),
                           s->snap->state, &s->shards, e);
    if (r == 0)
        r = madeset_new(s->shards, &q, &s->set, e);
    for (size_t i = 0; r == 0 && i < madeset_count(s->set); i++) {
        uint64_t size = 0;
        r = madeset_size(s->set, i, &snap_reader, &size, e);
        s->set_bytes += size;
    }
    return r;
}

/* What it is */

struct capture *archive_source_capture(const struct archive_source *s)
{
    return tarball_capture(s->now);
}

const struct cut_lost *archive_source_lost(const struct archive_source *s)
{
    if (!s->compared)
        return NULL;
    return s->by_part ? &s->part.changes.lost : &s->lost.lost;
}

size_t archive_source_lacks(const struct archive_source *s)
{
    return s->set ? madeset_lacks(s->set) : 0;
}

const char *archive_source_lack(const struct archive_source *s, size_t i, bool *counts)
{
    return madeset_lack(s->set, i, counts);
}

static int source_tell_databases(const struct archive_source *s, struct receipt *into,
                                 struct err *e)
{
    const struct capture *c = tarball_capture(s->now);
    cleanup(meta_freep) struct meta *meta = NULL;
    autofree char *bytes = NULL;
    struct err plain;
    size_t i = 0;
    while (i < capture_count(c) && (strcmp(capture_member(c, i)->dir, "meta") != 0 ||
                                    strcmp(capture_member(c, i)->name, NAME_META_DB) != 0))
        i++;
    if (i == capture_count(c))
        return err_set(e, -EBADMSG, "the snapshot has no " NAME_META_MEMBER);
    const size_t size = capture_member(c, i)->attr.size;
    int r = (bytes = malloc(size + 1)) ? capture_read(c, i, bytes, size, 0, e)
                                       : err_sys(e, -ENOMEM, NAME_META_MEMBER);
    if (r == 0)
        r = meta_parse(bytes, size, &meta, e);
    if (r < 0)
        return r;
    into->databases = calloc(meta_databases(meta) + 1, sizeof(*into->databases));
    for (size_t k = 0; into->databases && k < meta_databases(meta); k++) {
        err_set(&plain, 0, "%s", meta_database(meta, k)); /* a receipt has no control bytes */
        if ((into->databases[k] = strdup(plain.text)))
            into->ndatabases++;
    }
    return into->databases && into->ndatabases == meta_databases(meta)
               ? 0
               : err_sys(e, -ENOMEM, NAME_META_MEMBER);
}

static bool source_copy(const char *from, char **to)
{
    *to = from ? strdup(from) : NULL;
    return *to || !from;
}

/* One that found nothing changed is the state that is there already. */
static bool source_tell_place(const struct archive_source *s, struct receipt *into)
{
    const struct tarset *chain = &s->past->chain;
    const struct manifest *last = chain->n ? chain->at[chain->n - 1].m : NULL;
    into->number =
        s->part.tar ? capture_origin(tarball_capture(s->part.tar))->number : last->number;
    strcpy(into->follows.day, s->past->follows.day);
    strcpy(into->base.day, s->past->base.day);
    return source_copy(last->id, &into->parent) &&
           source_copy(s->past->follows.name, &into->follows.name) &&
           source_copy(s->past->base.name, &into->base.name);
}

int archive_source_tell(const struct archive_source *s, struct receipt *into, struct err *e)
{
    const struct catalog_record *rec = capture_record(tarball_capture(s->now));
    const bool numbered = s->form == RECEIPT_INCREMENTAL;
    char created[TIME_TEXT];
    time_exact_text(rec->created_ns, created);
    into->form = s->form;
    into->number = -1;
    if (!source_copy(created, &into->created) || (numbered && !source_tell_place(s, into)) ||
        !source_copy(numbered && !s->part.tar ? into->parent : rec->id, &into->id))
        return err_sys(e, -ENOMEM, "the receipt");
    return source_tell_databases(s, into, e);
}

/* Objects */

size_t archive_source_count(const struct archive_source *s)
{
    if (s->set)
        return madeset_count(s->set);
    return s->part.tar ? (size_t)((tarball_size(s->part.tar) - 1) / s->part_size + 1) : 0;
}

uint64_t archive_source_bytes(const struct archive_source *s)
{
    return s->set ? s->set_bytes : s->part.tar ? tarball_size(s->part.tar) : 0;
}

static ssize_t source_read_piece(void *ctx, void *buf, size_t n, uint64_t off, struct err *e)
{
    struct archive_source *s = ctx;
    if (off >= s->part_size)
        return 0;
    if (n > s->part_size - off)
        n = (size_t)(s->part_size - off);
    return tarball_read(s->part.tar, buf, n, s->at * s->part_size + off, &snap_reader, e);
}

static ssize_t source_read_file(void *ctx, void *buf, size_t n, uint64_t off, struct err *e)
{
    struct archive_source *s = ctx;
    return setfile_read(s->file, buf, n, off, &snap_reader, e);
}

/* Pieces have three digits, or as many as the last one needs, so that names sort as they do. */
const char *archive_source_name(struct archive_source *s, size_t i)
{
    const size_t n = archive_source_count(s);
    if (s->set)
        return madeset_name(s->set, i);
    if (n == 1)
        return s->name;
    const int digits = snprintf(NULL, 0, "%zu", n - 1);
    snprintf(s->piece_name, sizeof(s->piece_name), "%s.%0*zu", s->name, digits > 3 ? digits : 3, i);
    return s->piece_name;
}

int archive_source_open(struct archive_source *s, size_t i, struct remote_source *out,
                        struct err *e)
{
    setfile_close(s->file);
    s->file = NULL;
    s->at = i;
    if (s->set) {
        *out = (struct remote_source){.read = source_read_file, .ctx = s};
        int r = madeset_size(s->set, i, &snap_reader, &out->size, e);
        return r < 0 ? r : madeset_open(s->set, i, &snap_reader, &s->file, e);
    }
    const uint64_t rest = tarball_size(s->part.tar) - i * s->part_size;
    *out = (struct remote_source){source_read_piece, s, rest < s->part_size ? rest : s->part_size};
    return 0;
}
