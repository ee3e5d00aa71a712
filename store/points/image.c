/* SPDX-License-Identifier: MIT */
#include "store/points/image.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/points/table_internal.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define WAL_MAX ((uint64_t)16 << 20)

/* A measurement in the index of a file. */
struct start {
    char *name; /* escaped, n bytes */
    size_t n;
    struct tsmfile_place place;
};

/* Those of one file, by name. */
struct starts {
    struct start *list;
    size_t n, cap;
};

struct image {
    atomic_uint refs;
    size_t nfiles;
    struct starts *files;
    struct table *wal;
};

static int no_memory(struct err *e)
{
    return err_sys(e, -ENOMEM, "the measurements of a shard");
}

struct image *image_ref(struct image *m)
{
    atomic_fetch_add(&m->refs, 1);
    return m;
}

void image_unref(struct image *m)
{
    if (!m || atomic_fetch_sub(&m->refs, 1) > 1)
        return;
    for (size_t i = 0; m->files && i < m->nfiles; i++) {
        for (size_t k = 0; k < m->files[i].n; k++)
            free(m->files[i].list[k].name);
        free(m->files[i].list);
    }
    free(m->files);
    table_free(m->wal);
    free(m);
}

static size_t find(const struct starts *s, struct slice name, bool *found)
{
    size_t low = 0, high = s->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct start *one = &s->list[middle];
        if (slice_compare((struct slice){one->name, one->n}, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found =
        low < s->n && slice_compare((struct slice){s->list[low].name, s->list[low].n}, name) == 0;
    return low;
}

static int insert(struct starts *s, size_t i, struct slice name, struct tsmfile_place place)
{
    if (!array_room(&s->list, &s->cap, s->n, sizeof(*s->list)))
        return -ENOMEM;
    char *copy = malloc(name.n + 1);
    if (!copy)
        return -ENOMEM;
    memcpy(copy, name.p, name.n);
    memmove(&s->list[i + 1], &s->list[i], (s->n - i) * sizeof(*s->list));
    s->list[i] = (struct start){copy, name.n, place};
    s->n++;
    return 0;
}

/* The measurement of a composite key, escaped. */
static struct slice measurement_of(const struct tsmfile_key *key)
{
    struct slice series, field, rest;
    if (!serieskey_split((struct slice){key->key, key->len}, &series, &field))
        return (struct slice){key->key, key->len};
    return serieskey_measurement(series, &rest);
}

/* Keys of one measurement need not stand together: what counts is the first. */
static int walk(struct starts *s, struct tsmfile *f, struct err *e)
{
    struct tsmfile_place place = tsmfile_place(f);
    struct tsmfile_key key;
    int r;
    size_t last = 0;
    while ((r = tsmfile_next(f, &key, e)) == 1) {
        struct slice name = measurement_of(&key);
        bool found = last < s->n &&
                     slice_compare((struct slice){s->list[last].name, s->list[last].n}, name) == 0;
        if (!found)
            last = find(s, name, &found);
        if (!found && insert(s, last, name, place) < 0)
            return no_memory(e);
        place = tsmfile_place(f);
    }
    return r;
}

static int walk_file(const struct capture *c, size_t member, struct starts *s, struct err *e)
{
    cleanup(shard_source_clear) struct shard_source source = {.path = NULL};
    cleanup(tsmfile_freep) struct tsmfile *f = NULL;
    if (shard_source_init(&source, c, member) < 0)
        return no_memory(e);
    int r = tsmfile_open(&source.source, &f, e);
    return r < 0 ? r : walk(s, f, e);
}

static int make(struct image *m, const struct capture *c, const struct shard_files *sh,
                const struct tarball_reader *reader, struct err *e)
{
    uint64_t logged = 0;
    int r = 0;
    m->nfiles = sh->ntsm;
    m->files = calloc(sh->ntsm + 1, sizeof(*m->files));
    if (!m->files)
        return no_memory(e);
    for (size_t i = 0; i < sh->nwal; i++)
        logged += capture_member(c, sh->wal[i])->attr.size;
    if (logged <= WAL_MAX)
        r = table_open_wal(c, sh, &m->wal, e);
    for (size_t i = 0; r == 0 && i < sh->ntsm; i++)
        r = reader_interrupted(reader) ? err_set(e, -EINTR, "interrupted")
                                       : walk_file(c, sh->tsm[i].tsm, &m->files[i], e);
    return r;
}

int image_new(const struct capture *c, const struct shard_files *sh,
              const struct tarball_reader *reader, struct image **out, struct err *e)
{
    struct image *m = calloc(1, sizeof(*m));
    if (!m)
        return no_memory(e);
    atomic_init(&m->refs, 1);
    int r = make(m, c, sh, reader, e);
    if (r < 0)
        image_unref(m);
    else
        *out = m;
    return r;
}

struct table *image_wal(const struct image *m)
{
    return m->wal;
}

bool image_find(const struct image *m, size_t i, struct slice measurement,
                struct tsmfile_place *out)
{
    bool found;
    size_t at = find(&m->files[i], measurement, &found);
    if (found)
        *out = m->files[i].list[at].place;
    return found;
}
