/* SPDX-License-Identifier: MIT */
#include "store/points/keyindex.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"

#include <errno.h>
#include <stdatomic.h>

/* A measurement in the index of a file. */
struct start {
    struct slice name; /* escaped; memory of its own */
    struct tsmfile_place place;
};

/* Those of one file, by name. */
struct starts {
    struct start *list;
    size_t n;
};

struct keyindex {
    atomic_uint refs;
    size_t nfiles;
    struct starts *files;
};

static int no_memory(struct err *e)
{
    return err_sys(e, -ENOMEM, "the measurements of a shard");
}

struct keyindex *keyindex_ref(struct keyindex *k)
{
    atomic_fetch_add(&k->refs, 1);
    return k;
}

void keyindex_unref(struct keyindex *k)
{
    if (!k || atomic_fetch_sub(&k->refs, 1) > 1)
        return;
    for (size_t i = 0; k->files && i < k->nfiles; i++) {
        for (size_t m = 0; m < k->files[i].n; m++)
            free((char *)k->files[i].list[m].name.p);
        free(k->files[i].list);
    }
    free(k->files);
    free(k);
}

static bool is_at(const struct starts *s, size_t i, struct slice name)
{
    return i < s->n && slice_compare(s->list[i].name, name) == 0;
}

static bool is_before(const void *start, const void *name)
{
    return slice_compare(((const struct start *)start)->name, *(const struct slice *)name) < 0;
}

/* The index of the name, or its insertion point. */
static size_t keyindex_place(const struct starts *s, struct slice name)
{
    return array_bisect(s->list, s->n, sizeof(*s->list), &name, is_before);
}

static int keyindex_insert(struct starts *s, size_t i, struct slice name,
                           struct tsmfile_place place)
{
    if (!array_grow(&s->list, s->n))
        return -ENOMEM;
    char *copy = malloc(name.n + 1);
    if (!copy)
        return -ENOMEM;
    memcpy(copy, name.p, name.n);
    memmove(&s->list[i + 1], &s->list[i], (s->n - i) * sizeof(*s->list));
    s->list[i] = (struct start){{copy, name.n}, place};
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

/* Keys of one measurement may be apart: the first one counts. */
static int keyindex_walk(struct starts *s, struct tsmfile *f, struct err *e)
{
    struct tsmfile_place place = tsmfile_place(f);
    struct tsmfile_key key;
    int r;
    size_t at = 0;
    while ((r = tsmfile_next(f, &key, e)) == 1) {
        struct slice name = measurement_of(&key);
        if (!is_at(s, at, name))
            at = keyindex_place(s, name);
        if (!is_at(s, at, name) && keyindex_insert(s, at, name, place) < 0)
            return no_memory(e);
        place = tsmfile_place(f);
    }
    return r;
}

static int keyindex_walk_file(const struct capture *c, size_t member, struct starts *s,
                              struct err *e)
{
    cleanup(membersource_clear) struct membersource m = {.path = NULL};
    cleanup(tsmfile_freep) struct tsmfile *f = NULL;
    if (membersource_init(&m, c, member) < 0)
        return no_memory(e);
    int r = tsmfile_open(&m.source, &f, e);
    return r < 0 ? r : keyindex_walk(s, f, e);
}

int keyindex_open(const struct capture *c, const struct shard_files *sh,
                  const struct tarball_reader *reader, struct keyindex **out, struct err *e)
{
    cleanup(keyindex_unrefp) struct keyindex *k = calloc(1, sizeof(*k));
    int r = 0;
    if (!k)
        return no_memory(e);
    atomic_init(&k->refs, 1);
    k->nfiles = sh->ntsm;
    k->files = calloc(sh->ntsm + 1, sizeof(*k->files));
    if (!k->files)
        return no_memory(e);
    for (size_t i = 0; r == 0 && i < sh->ntsm; i++)
        r = reader_interrupted(reader) ? err_set(e, -EINTR, "interrupted")
                                       : keyindex_walk_file(c, sh->tsm[i].tsm, &k->files[i], e);
    if (r == 0)
        *out = steal_ptr(&k);
    return r;
}

bool keyindex_find(const struct keyindex *k, size_t i, struct slice measurement,
                   struct tsmfile_place *out)
{
    const struct starts *s = &k->files[i];
    size_t at = keyindex_place(s, measurement);
    if (!is_at(s, at, measurement))
        return false;
    *out = s->list[at].place;
    return true;
}
