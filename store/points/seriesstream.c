/* SPDX-License-Identifier: MIT */
#include "store/points/seriesstream.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/points/filekeys.h"
#include "store/points/streamfields.h"
#include "store/points/walfeed.h"

#include <errno.h>

static const size_t nseparator = sizeof(SERIESKEY_SEPARATOR) - 1;

struct seriesstream {
    struct stream_query q;
    struct slice name;    /* escaped; memory of its own */
    struct walfeed *feed; /* of the WAL; NULL: all of that is known */
    struct walcache *wal; /* a part of it, the feed's, or all; NULL: before the first part */
    size_t wal_at;
    struct walcache_key wal_next; /* key.p NULL: there are no more in it */
    struct filekeys *keys;
    struct filekeys *ahead; /* to look for a beginning; NULL: never needed yet */
    size_t looked;          /* for beginnings of the first key's series up to this length */
    size_t found;           /* bytes of the one at which `ahead` is; 0: none */
    struct buffer sought;   /* the first bytes of its keys */
    struct buffer last;     /* the key of the series given last, or of that to continue with */
    bool any, again;        /* whether there is one; it is still to be given */
    int64_t from;           /* if so, with values from this time on */
    struct streamfields fields;
};

static int no_memory(struct err *e)
{
    return err_sys(e, -ENOMEM, "a measurement of a shard");
}

void seriesstream_free(struct seriesstream *s)
{
    if (!s)
        return;
    streamfields_free(&s->fields);
    filekeys_free(s->ahead);
    filekeys_free(s->keys);
    buffer_free(&s->sought);
    buffer_free(&s->last);
    walcache_unref(s->feed ? NULL : s->wal);
    walfeed_free(s->feed);
    free((char *)s->name.p);
    free(s);
}

static void seriesstream_next_wal(struct seriesstream *s)
{
    if (!s->wal || !walcache_next(s->wal, s->name, &s->wal_at, &s->wal_next))
        s->wal_next.key.p = NULL;
}

static int seriesstream_open_wal(struct seriesstream *s, struct err *e)
{
    const struct walfeed_query q = {.of = {.capture = s->q.capture,
                                           .shard = s->q.shard,
                                           .measurement = &s->name,
                                           .gaps = s->q.gaps,
                                           .reader = s->q.reader},
                                    .memory = s->q.wal_memory,
                                    .folder = s->q.folder,
                                    .spilled = s->q.spilled};
    if (!s->q.wal)
        return walfeed_open(&q, &s->feed) < 0 ? no_memory(e) : 0;
    s->wal = walcache_ref(s->q.wal);
    seriesstream_next_wal(s);
    return 0;
}

int seriesstream_open(const struct stream_query *q, struct seriesstream **out, struct err *e)
{
    cleanup(seriesstream_freep) struct seriesstream *s = calloc(1, sizeof(*s));
    char *escaped = malloc(2 * q->name.n + 1);
    if (!s || !escaped) {
        free(escaped);
        return no_memory(e);
    }
    s->q = *q;
    s->name = (struct slice){escaped, serieskey_escape_measurement(q->name, escaped)};
    s->fields.pool = q->pool;
    int r = seriesstream_open_wal(s, e);
    if (r == 0)
        r = filekeys_open(q, s->name, &s->keys, e);
    if (r == 0)
        *out = steal_ptr(&s);
    return r;
}

static struct slice seriesstream_last(const struct seriesstream *s)
{
    return (struct slice){s->last.p, s->last.n};
}

/* Whether a series was given already, as a beginning, or lies before that to continue with. */
static bool is_past(const struct seriesstream *s, struct slice series)
{
    int c = s->any ? slice_compare(series, seriesstream_last(s)) : 1;
    return c < 0 || (c == 0 && !s->again);
}

/* Goes on in the WAL after the series of this part; those before `least` (p NULL: none) are past. */
static int seriesstream_more_wal(struct seriesstream *s, struct slice least, struct err *e)
{
    int r = s->feed ? 1 : 0;
    while (r == 1 && !s->wal_next.key.p && (r = walfeed_next(s->feed, least, &s->wal, e)) == 1) {
        s->wal_at = 0;
        do
            seriesstream_next_wal(s);
        while (least.p && s->wal_next.key.p && is_past(s, s->wal_next.series));
    }
    return r < 0 ? r : 0;
}

/* A key that cannot be used: 0 if it may be left out. */
static int seriesstream_leave_key(const struct seriesstream *s, const struct tsmfile_key *key,
                                  int code, struct err *e)
{
    char name[GAPS_NAME], times[GAPS_TIMES];
    if (code != -EBADMSG)
        return code;
    gaps_name((struct slice){key->key, key->len}, name);
    gaps_times(key->min, key->max, times);
    return gaps_damage(s->q.gaps, code, e, "left out: key %s, %s", name, times);
}

/* Passes over a key that has no field. */
static int seriesstream_pass_key(struct seriesstream *s, struct err *e)
{
    struct filekey k;
    int r = filekeys_at(s->keys, &k, e);
    if (r < 0)
        return r;
    const struct slice key = {k.key.key, k.key.len};
    r = key_deletes_all(k.deletes, k.key.min, k.key.max)
            ? 0
            : shards_check_field(key, tsmfile_name(k.file), k.key.type, NULL, e);
    r = r < 0 ? seriesstream_leave_key(s, &k.key, r, e) : 0;
    return r < 0 ? r : filekeys_next(s->keys, e);
}

/* The series of the first key that is still to be given; p NULL: there are no more. */
static int seriesstream_head(struct seriesstream *s, struct slice *series, struct err *e)
{
    struct slice key, field;
    int r = 0;
    while (r == 0 && (key = filekeys_head(s->keys)).p) {
        if (!serieskey_split(key, series, &field))
            r = seriesstream_pass_key(s, e);
        else if (is_past(s, *series))
            r = filekeys_next(s->keys, e);
        else
            return 0;
        s->looked = 0;
    }
    series->p = NULL;
    return r;
}

/* Whether the keys of the first n bytes of a series, if they are a series, come after its own: "#!~#"
 * sorts after what follows these bytes. */
static bool comes_later(struct slice series, size_t n)
{
    for (size_t i = 0; i < nseparator; i++) {
        size_t at = n + i;
        int c = at < series.n ? series.p[at] : SERIESKEY_SEPARATOR[at - series.n];
        if (c != SERIESKEY_SEPARATOR[i])
            return (unsigned char)c < (unsigned char)SERIESKEY_SEPARATOR[i];
    }
    return false;
}

/* Whether the first n bytes of a series can be one. A series ends at the first separator of a key: if
 * they end as "#!~#" begins, its first '#' in their keys is theirs, and these are of a shorter one. */
static bool is_beginning(struct slice series, size_t n)
{
    const size_t most = nseparator - 1;
    return n < most || memcmp(series.p + n - most, SERIESKEY_SEPARATOR, most) != 0;
}

/* The length of the next longer beginning of the series that may come later; 0: there is none. */
static size_t seriesstream_next_beginning(const struct seriesstream *s, struct slice series)
{
    for (size_t n = s->looked > s->name.n ? s->looked + 1 : s->name.n + 1; n < series.n; n++)
        if ((unsigned char)series.p[n] <= '#' && is_beginning(series, n) &&
            comes_later(series, n) && !is_past(s, (struct slice){series.p, n}))
            return n;
    return 0;
}

/* Looks for the series that is the first n bytes of this one. */
static int seriesstream_search(struct seriesstream *s, struct slice series, size_t n, struct err *e)
{
    int r = s->ahead ? 0 : filekeys_second(s->keys, &s->ahead, e);
    if (r < 0)
        return r;
    s->looked = n;
    s->sought.n = 0;
    buffer_add(&s->sought, series.p, n);
    buffer_add(&s->sought, SERIESKEY_SEPARATOR, nseparator);
    if (s->sought.failed)
        return no_memory(e);
    const struct slice sought = {s->sought.p, s->sought.n};
    r = filekeys_search(s->ahead, (struct slice){sought.p, n}, sought, e);
    const struct slice key = filekeys_head(s->ahead);
    if (key.n > sought.n && memcmp(key.p, sought.p, sought.n) == 0)
        s->found = n;
    return r;
}

/* The series of the files that comes next: that of the first key, or a beginning of it that comes
 * later in the files. */
static int seriesstream_find(struct seriesstream *s, struct slice *series, struct err *e)
{
    size_t n;
    int r = seriesstream_head(s, series, e);
    if (r < 0 || !series->p)
        return r;
    while (r == 0 && !s->found && (n = seriesstream_next_beginning(s, *series)) > 0)
        r = seriesstream_search(s, *series, n, e);
    if (s->found)
        series->n = s->found;
    else
        s->looked = series->n;
    return r;
}

/* Adds the fields of the WAL up to this one (NULL: all). */
static int seriesstream_add_wal(struct seriesstream *s, const struct slice *field, struct err *e)
{
    while (s->wal_next.key.p && slice_compare(s->wal_next.series, seriesstream_last(s)) == 0 &&
           (!field || slice_compare(s->wal_next.field, *field) <= 0)) {
        if (streamfields_add_wal(&s->fields, &s->wal_next) < 0)
            return no_memory(e);
        seriesstream_next_wal(s);
    }
    return 0;
}

/* Whether the current key is one of the series that is being given; *field is its field. */
static bool is_of_last(const struct seriesstream *s, const struct filekeys *keys,
                       struct slice *field)
{
    const struct slice key = filekeys_head(keys), last = seriesstream_last(s);
    if (!key.p || key.n < last.n + nseparator || memcmp(key.p, last.p, last.n) != 0 ||
        memcmp(key.p + last.n, SERIESKEY_SEPARATOR, nseparator) != 0)
        return false;
    *field = (struct slice){key.p + last.n + nseparator, key.n - last.n - nseparator};
    return true;
}

static int seriesstream_add_key(struct seriesstream *s, struct filekeys *keys,
                                struct time_range range, struct err *e)
{
    struct filekey k;
    int r = filekeys_at(keys, &k, e);
    if (r < 0)
        return r;
    r = streamfields_add_file(&s->fields, &k, range, e);
    r = r < 0 ? seriesstream_leave_key(s, &k.key, r, e) : 0;
    return r < 0 ? r : filekeys_next(keys, e);
}

/* Gathers the fields of the series, from the WAL and these files. */
static int seriesstream_gather(struct seriesstream *s, struct filekeys *keys, struct err *e)
{
    struct time_range range = s->q.range;
    struct slice field;
    int r = 0;
    if (s->again && s->from > range.min)
        range.min = s->from;
    s->again = false;
    streamfields_begin(&s->fields, seriesstream_last(s));
    while (r == 0 && is_of_last(s, keys, &field)) {
        r = seriesstream_add_wal(s, &field, e);
        if (r == 0)
            r = seriesstream_add_key(s, keys, range, e);
    }
    if (r == 0)
        r = seriesstream_add_wal(s, NULL, e);
    if (r == 0 && streamfields_finish(&s->fields, &s->q, range) < 0)
        r = no_memory(e);
    return r;
}

/* Makes this series the one that is being given. */
static int seriesstream_begin(struct seriesstream *s, struct slice series, struct err *e)
{
    s->again = s->again && slice_compare(series, seriesstream_last(s)) == 0;
    s->any = true;
    s->last.n = 0;
    buffer_add(&s->last, series.p, series.n);
    return s->last.failed ? no_memory(e) : 0;
}

/* Gathers the next series: 1; 0: there are no more. */
static int seriesstream_step(struct seriesstream *s, struct err *e)
{
    struct slice series = {NULL, 0};
    filekeys_note(s->keys);
    int r = seriesstream_more_wal(s, (struct slice){NULL, 0}, e);
    if (r == 0)
        r = seriesstream_find(s, &series, e);
    if (r < 0)
        return r;
    struct filekeys *keys = s->found ? s->ahead : s->keys;
    if (s->wal_next.key.p && (!series.p || slice_compare(s->wal_next.series, series) < 0))
        series = s->wal_next.series; /* which the files do not have, or not yet */
    else if (!series.p)
        return 0;
    else if (s->found)
        s->found = 0;
    else
        s->looked = 0;
    r = seriesstream_begin(s, series, e);
    if (r == 0)
        r = seriesstream_gather(s, keys, e);
    return r < 0 ? r : 1;
}

int seriesstream_next(struct seriesstream *s, struct stream_series *out, struct err *e)
{
    int r;
    do
        r = seriesstream_step(s, e);
    while (r == 1 && s->fields.n == 0);
    if (r == 1)
        *out = (struct stream_series){seriesstream_last(s), s->fields.n, s->fields.fields};
    return r;
}

void seriesstream_mark(const struct seriesstream *s, struct buffer *mark)
{
    size_t n = filekeys_place_size(s->keys);
    char *to = buffer_reserve(mark, n);
    if (!to)
        return;
    filekeys_noted(s->keys, to);
    mark->n += n;
}

size_t seriesstream_mark_size(const struct seriesstream *s)
{
    return filekeys_place_size(s->keys);
}

int seriesstream_resume(struct seriesstream *s, const void *mark, struct slice series, int64_t from,
                        struct err *e)
{
    s->last.n = 0;
    buffer_add(&s->last, series.p, series.n);
    if (s->last.failed)
        return no_memory(e);
    s->any = s->again = true;
    s->from = from;
    while (s->wal_next.key.p && is_past(s, s->wal_next.series))
        seriesstream_next_wal(s);
    int r = seriesstream_more_wal(s, series, e);
    return r < 0 ? r : filekeys_go(s->keys, mark, e);
}
