/* SPDX-License-Identifier: MIT */
#include "store/points/filekeys.h"

#include "store/base/cleanup.h"
#include "store/points/keyheap.h"

#include <errno.h>

/* One file. */
struct walker {
    struct membersource source;
    struct tsmfile *file; /* NULL: it has no keys of the measurement */
    struct membersource tombstone;
    struct deletes *deletes;    /* owned by the first */
    struct tsmfile_key key;     /* the current one */
    struct tsmfile_place place; /* of the current one */
    struct tsmfile_place noted; /* at filekeys_note, if it has moved since */
    uint64_t moved;             /* the number of the last note after which it has moved */
};

struct filekeys {
    struct stream_query q;
    struct slice name;            /* of the measurement, escaped */
    const struct filekeys *first; /* of a second one */
    struct slice prefix;          /* of all keys: the measurement, or what is searched for */
    struct walker *walkers;       /* one for each TSM file of the shard */
    struct keyheap heap;          /* of those that have a current key */
    uint64_t notes, steps;
};

/* How many keys are read between two looks whether the reader still waits. */
#define UNINTERRUPTED 1024

static int no_memory(struct err *e)
{
    return err_sys(e, -ENOMEM, "a measurement of a shard");
}

void filekeys_free(struct filekeys *k)
{
    if (!k)
        return;
    for (size_t i = 0; k->walkers && i < k->q.shard->ntsm; i++) {
        tsmfile_free(k->walkers[i].file);
        if (!k->first)
            deletes_free(k->walkers[i].deletes);
        membersource_clear(&k->walkers[i].source);
        membersource_clear(&k->walkers[i].tombstone);
    }
    keyheap_free(&k->heap);
    free(k->walkers);
    free(k);
}

static int filekeys_new(const struct stream_query *q, struct slice name, struct filekeys **out,
                        struct err *e)
{
    cleanup(filekeys_freep) struct filekeys *k = calloc(1, sizeof(*k));
    if (!k)
        return no_memory(e);
    k->q = *q;
    k->prefix = k->name = name;
    k->walkers = calloc(q->shard->ntsm + 1, sizeof(*k->walkers));
    if (!k->walkers || keyheap_init(&k->heap, q->shard->ntsm) < 0)
        return no_memory(e);
    *out = steal_ptr(&k);
    return 0;
}

/* Damage in a file: 0 if what is left of it may be left out. */
static int filekeys_leave(const struct filekeys *k, size_t i, int code, struct err *e)
{
    if (code != -EBADMSG)
        return code;
    if (k->first && k->q.gaps && k->q.gaps->damage)
        return 0;
    return shards_leave_file(k->q.capture, k->q.shard, k->q.shard->tsm[i].tsm, k->q.gaps, code, e);
}

/* The file's next key of the measurement: 1; 0: there is none. Other measurements' keys may have the
 * same beginning: "cpu2" begins as "cpu". */
static int filekeys_advance(struct filekeys *k, size_t i, struct err *e)
{
    struct walker *w = &k->walkers[i];
    int r;
    if (w->moved != k->notes) {
        w->moved = k->notes;
        w->noted = w->place;
    }
    do {
        if (++k->steps % UNINTERRUPTED == 0 && reader_interrupted(k->q.reader))
            return err_set(e, -EINTR, "interrupted");
        w->place = tsmfile_place(w->file);
        r = tsmfile_next(w->file, &w->key, e);
    } while (r == 1 && !serieskey_is_of((struct slice){w->key.key, w->key.len}, k->name));
    if (r == 0 && !k->first)
        tsmfile_rest(w->file); /* a second one comes back for more */
    return r < 0 ? filekeys_leave(k, i, r, e) : r;
}

/* Adds the file with its next key that is not before `least`: 1; 0: it has none. */
static int filekeys_begin(struct filekeys *k, size_t i, struct slice least, struct err *e)
{
    struct walker *w = &k->walkers[i];
    int r;
    do
        r = filekeys_advance(k, i, e);
    while (r == 1 && slice_compare((struct slice){w->key.key, w->key.len}, least) < 0);
    if (r == 1)
        keyheap_add(&k->heap, (struct slice){w->key.key, w->key.len}, i);
    return r;
}

static int filekeys_open_tsm(struct filekeys *k, size_t i, struct err *e)
{
    struct walker *w = &k->walkers[i];
    if (membersource_init(&w->source, k->q.capture, k->q.shard->tsm[i].tsm) < 0)
        return no_memory(e);
    int r = tsmfile_open(&w->source.source, &w->file, e);
    if (r == 0 && k->q.window)
        tsmfile_limit(w->file, k->q.window);
    return r;
}

static int filekeys_open_deletes(struct filekeys *k, size_t i, struct err *e)
{
    struct walker *w = &k->walkers[i];
    const size_t member = k->q.shard->tsm[i].tombstone;
    if (member != MEMBER_NONE && membersource_init(&w->tombstone, k->q.capture, member) < 0)
        return no_memory(e);
    return deletes_open(member == MEMBER_NONE ? NULL : &w->tombstone.source, k->name,
                        k->q.deletes_memory, &w->deletes, e);
}

static int filekeys_open_file(struct filekeys *k, size_t i, struct err *e)
{
    struct walker *w = &k->walkers[i];
    struct tsmfile_place place;
    if (reader_interrupted(k->q.reader))
        return err_set(e, -EINTR, "interrupted");
    if (k->q.keys && !keyindex_find(k->q.keys, i, k->prefix, &place))
        return 0;
    int r = filekeys_open_deletes(k, i, e);
    if (r == 0)
        r = filekeys_open_tsm(k, i, e);
    if (r < 0)
        return filekeys_leave(k, i, r, e);
    if (k->q.keys)
        tsmfile_seek_place(w->file, place, k->prefix.p, k->prefix.n);
    else
        tsmfile_seek(w->file, k->prefix.p, k->prefix.n);
    r = filekeys_begin(k, i, (struct slice){NULL, 0}, e);
    if (r != 0)
        return r < 0 ? r : 0;
    tsmfile_free(w->file);
    w->file = NULL;
    return 0;
}

int filekeys_open(const struct stream_query *q, struct slice name, struct filekeys **out,
                  struct err *e)
{
    cleanup(filekeys_freep) struct filekeys *k = NULL;
    int r = filekeys_new(q, name, &k, e);
    for (size_t i = 0; r == 0 && i < q->shard->ntsm; i++)
        r = filekeys_open_file(k, i, e);
    if (r < 0)
        return r;
    *out = steal_ptr(&k);
    return 0;
}

struct slice filekeys_head(const struct filekeys *k)
{
    return k->heap.n ? k->heap.items[0].key : (struct slice){NULL, 0};
}

int filekeys_at(struct filekeys *k, struct filekey *out, struct err *e)
{
    const struct slice key = k->heap.items[0].key;
    const struct walker *w = &k->walkers[k->heap.items[0].number];
    int r = deletes_reach(w->deletes, key, e);
    if (r == 0)
        *out = (struct filekey){w->key, w->file, deletes_of(w->deletes, key)};
    return r;
}

int filekeys_next(struct filekeys *k, struct err *e)
{
    size_t i = k->heap.items[0].number;
    int r = filekeys_advance(k, i, e);
    if (r < 0)
        return r;
    const struct tsmfile_key *key = &k->walkers[i].key;
    keyheap_move(&k->heap, r == 1 ? (struct slice){key->key, key->len} : (struct slice){NULL, 0});
    return 0;
}

int filekeys_second(const struct filekeys *of, struct filekeys **out, struct err *e)
{
    cleanup(filekeys_freep) struct filekeys *k = NULL;
    int r = filekeys_new(&of->q, of->name, &k, e);
    if (r < 0)
        return r;
    k->first = of;
    for (size_t i = 0; r == 0 && i < of->q.shard->ntsm; i++) {
        k->walkers[i].deletes = of->walkers[i].deletes;
        if (of->walkers[i].file)
            r = filekeys_leave(k, i, filekeys_open_tsm(k, i, e), e);
    }
    if (r == 0)
        *out = steal_ptr(&k);
    return r;
}

int filekeys_search(struct filekeys *k, struct slice prefix, struct slice least, struct err *e)
{
    const struct filekeys *first = k->first;
    int r = 0;
    k->prefix = prefix;
    k->heap.n = 0;
    for (size_t i = 0; r >= 0 && i < first->heap.n; i++) {
        size_t number = first->heap.items[i].number;
        if (!k->walkers[number].file)
            continue;
        tsmfile_seek_place(k->walkers[number].file, first->walkers[number].place, prefix.p,
                           prefix.n);
        r = filekeys_begin(k, number, least, e);
    }
    return r < 0 ? r : 0;
}

void filekeys_note(struct filekeys *k)
{
    k->notes++;
}

size_t filekeys_place_size(const struct filekeys *k)
{
    return k->q.shard->ntsm * sizeof(struct tsmfile_place);
}

void filekeys_noted(const struct filekeys *k, void *place)
{
    char *to = place;
    for (size_t i = 0; i < k->q.shard->ntsm; i++, to += sizeof(struct tsmfile_place)) {
        const struct walker *w = &k->walkers[i];
        memcpy(to, w->moved == k->notes ? &w->noted : &w->place, sizeof(struct tsmfile_place));
    }
}

int filekeys_go(struct filekeys *k, const void *place, struct err *e)
{
    const char *from = place;
    int r = 0;
    k->heap.n = 0;
    for (size_t i = 0; r >= 0 && i < k->q.shard->ntsm; i++, from += sizeof(struct tsmfile_place)) {
        struct tsmfile_place at;
        memcpy(&at, from, sizeof(at));
        if (!k->walkers[i].file)
            continue;
        tsmfile_seek_place(k->walkers[i].file, at, k->prefix.p, k->prefix.n);
        r = filekeys_begin(k, i, (struct slice){NULL, 0}, e);
    }
    return r < 0 ? r : 0;
}
