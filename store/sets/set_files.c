/* SPDX-License-Identifier: MIT */
/*
 * What is in the archives of a set: each is read whole and judged, and of each shard the files of
 * all runs are put together.
 *
 * A TSM file never changes, so one that comes again is the same, and the newest tombstone holds what
 * the older ones do. But `influxd backup -start -end` cuts a TSM file to the blocks of these times
 * under its own name (tsdb/engine/tsm1/engine.go, timeStampFilterTarFile). Where two files of a name
 * differ, both count: the files of that shard are numbered anew, so that their order stays.
 *
 * A file that is missing in a newer run may have been compacted away, or lie outside its times, or
 * be older than its -since. It is dropped only where a set tells (set_gone.h).
 */
#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/path.h"
#include "store/influx/names.h"
#include "store/influx/tsmfile.h"
#include "store/influx/written.h"
#include "store/sets/set_gone.h"
#include "store/sets/set_stones.h"
#include "store/sets/set_tar.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

struct files {
    struct set *s;
    const struct set_archive *a; /* at hand */
    struct set_tar *tar;
    int spool;            /* a TSM file of an archive that is compressed; -1: not open yet */
    struct set_file span; /* of the TSM file at hand: its times */
    size_t first;         /* of the shard at hand, in s->files */
    size_t parts;         /* shards in which files of one name differ */
    size_t gone;          /* files that newer runs did not have any more */
    struct err *e;
};

static int files_refuse(const struct files *f, const char *member, const char *why)
{
    return err_set(f->e, -EBADMSG, "hostile or damaged: %s: member %s %s", f->a->name, member, why);
}

/* Names of members */

/* The part of a member's name after DB/RP/ID/, if these are the archive's; else NULL. */
static const char *files_of_shard(const struct set_archive *a, const char *member)
{
    char place[PATH_MAX];
    int n = snprintf(place, sizeof(place), "%s/%s/%" PRIu64 "/", a->db, a->rp, a->id);
    return n < (int)sizeof(place) && strncmp(member, place, (size_t)n) == 0 ? member + n : NULL;
}

enum member_kind { MEMBER_SKIPPED, MEMBER_TSM, MEMBER_TOMBSTONE };

static int files_judge_name(const struct files *f, const struct tar_member *m,
                            enum member_kind *kind)
{
    char path[PATH_MAX + 8];
    const char *base = files_of_shard(f->a, m->name);
    snprintf(path, sizeof(path), "data/%s", m->name);
    *kind = MEMBER_SKIPPED;
    if (!manifest_name_ok(path, m->folder))
        return files_refuse(f, m->name, "leads out of its shard");
    if (m->folder)
        return 0;
    if (!base)
        return files_refuse(f, m->name, "is of another shard than the file's name says");
    if (name_is_tsm(base) || name_is_tombstone(base))
        *kind = name_is_tsm(base) ? MEMBER_TSM : MEMBER_TOMBSTONE;
    else if (!written_by_influxd(path, S_IFREG))
        return files_refuse(f, m->name, "is no file of a shard");
    return 0; /* influxd derives the rest: fields.idx, index/ */
}

/* Bytes of members */

static int files_open_spool(struct files *f)
{
    const char *folder = io_temporary_folder();
    if (f->spool < 0)
        f->spool = io_open_temporary();
    if (f->spool < 0)
        return err_sys(f->e, f->spool, "a temporary file in %s (TMPDIR)", folder);
    if (ftruncate(f->spool, 0) < 0 || lseek(f->spool, 0, SEEK_SET) < 0)
        return err_sys(f->e, -errno, "a temporary file in %s (TMPDIR)", folder);
    return 0;
}

/* Where a member's bytes go: nowhere where they lie plainly in the archive. */
enum whither { TO_NOTHING, TO_SPOOL, TO_STONES };

static int files_read(struct files *f, enum whither to, uint32_t *crc)
{
    const void *buf;
    ssize_t n;
    int r = 0;
    *crc = (uint32_t)crc32(0, NULL, 0);
    while (r == 0 && (n = set_tar_data(f->tar, &buf, f->e)) != 0) {
        if (n < 0)
            return (int)n;
        *crc = (uint32_t)crc32_z(*crc, buf, (size_t)n);
        if (to == TO_STONES)
            r = set_stones_add(f->s, buf, (size_t)n, f->e);
        else if (to == TO_SPOOL && (r = io_write_all(f->spool, buf, (size_t)n)) < 0)
            err_sys(f->e, r, "a temporary file in %s (TMPDIR)", io_temporary_folder());
    }
    return r;
}

/* The TSM file that was just read; of several runs, its times too. */
static int files_check_tsm(struct files *f, const struct tar_member *m, struct err *why)
{
    const int plain = set_tar_plain(f->tar), fd = plain < 0 ? f->spool : plain;
    const uint64_t at = plain < 0 ? 0 : m->at;
    int r = tsm_check(fd, at, m->size, m->name, why);
    f->span = (struct set_file){.name = (char *)m->name, .size = m->size};
    return r < 0 || f->s->nruns == 1 ? r : set_gone_span(fd, &f->span, at, why);
}

static int files_check(struct files *f, const struct tar_member *m, enum member_kind kind,
                       uint32_t *crc)
{
    struct err why = {0};
    const int plain = set_tar_plain(f->tar);
    const bool spool = kind == MEMBER_TSM && plain < 0;
    int r = spool ? files_open_spool(f) : 0;
    if (r == 0)
        r = files_read(f,
                       spool                      ? TO_SPOOL
                       : kind == MEMBER_TOMBSTONE ? TO_STONES
                                                  : TO_NOTHING,
                       crc);
    if (r < 0 || kind == MEMBER_SKIPPED)
        return r;
    if (kind == MEMBER_TOMBSTONE)
        r = set_stones_check(f->s, m->size, m->name, &why);
    else
        r = files_check_tsm(f, m, &why);
    return r < 0 ? err_set(f->e, r, "%s: %s", f->a->name, why.text) : 0;
}

/* Archives */

static int files_add(struct files *f, const struct tar_member *m, uint64_t member, uint32_t crc)
{
    struct set *s = f->s;
    char path[PATH_MAX + 64];
    snprintf(path, sizeof(path), "data/%s/%s/%" PRIu64 "/%s", f->a->db, f->a->rp, f->a->as,
             path_last(m->name));
    if (!array_grow(&s->files, s->nfiles))
        return err_sys(f->e, -ENOMEM, "%s", f->a->name);
    s->files[s->nfiles] = (struct set_file){.name = strdup(path),
                                            .archive = (size_t)(f->a - s->archives),
                                            .member = member,
                                            .size = m->size,
                                            .mtime_ns = m->mtime_ns < 0 ? 0 : m->mtime_ns,
                                            .min = f->span.min,
                                            .max = f->span.max,
                                            .at = s->nstones - m->size,
                                            .crc = crc};
    return s->files[s->nfiles++].name ? 0 : err_sys(f->e, -ENOMEM, "%s", f->a->name);
}

static int files_read_members(struct files *f)
{
    static const enum member_kind skipped = MEMBER_SKIPPED;
    struct tar_member m = {0};
    int r;
    for (uint64_t i = 0; (r = set_tar_next(f->tar, &m, f->e)) > 0; i++) {
        enum member_kind kind;
        uint32_t crc = 0;
        if ((r = files_judge_name(f, &m, &kind)) < 0)
            return r;
        if (m.folder)
            continue;
        if ((r = files_check(f, &m, kind, &crc)) < 0)
            return r;
        if (kind != skipped && (r = files_add(f, &m, i, crc)) < 0)
            return r;
    }
    return r;
}

static int files_read_archive(struct files *f)
{
    uint64_t bytes = 0;
    int r = set_tar_open(f->s->folder, f->a->name, &f->s->o, &f->tar, f->e);
    if (r == 0)
        r = files_read_members(f);
    if (r == 0)
        r = set_tar_end(f->tar, &bytes, f->e);
    set_tar_free(steal_ptr(&f->tar));
    if (r < 0 || f->a->tar == UINT64_MAX || f->a->tar == bytes || f->a->tar == f->a->bytes)
        return r;
    return err_set(f->e, -EBADMSG,
                   "%s holds a tar of %" PRIu64 " bytes, its manifest says %" PRIu64, f->a->name,
                   bytes, f->a->tar);
}

/* A shard's files of all runs */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct set_file *)a)->name, ((const struct set_file *)b)->name);
}

static int by_name_and_run(const void *a, const void *b)
{
    const struct set_file *x = a, *y = b;
    int c = by_name(a, b);
    if (c)
        return c;
    if (x->archive != y->archive)
        return x->archive < y->archive ? -1 : 1;
    return x->member < y->member ? -1 : x->member > y->member;
}

static int files_twice(const struct files *f, const struct set_file *file)
{
    return err_set(f->e, -EBADMSG, "hostile or damaged: %s holds %s twice",
                   f->s->archives[file->archive].name, file->name + strlen("data/"));
}

/* Whether the older file of a name adds nothing to the newer one. */
static bool files_is_old(const struct set_file *old, const struct set_file *next)
{
    return name_is_tombstone(path_last(old->name)) ||
           (old->size == next->size && old->crc == next->crc);
}

/* Whether a tombstone's TSM file is there; true for a TSM file. */
static bool files_has_tsm(const struct set_file *list, size_t n, const char *path)
{
    char tsm[NAME_MAX + 1], whole[PATH_MAX + NAME_MAX];
    const char *base = path_last(path);
    if (!name_tsm_of(base, tsm))
        return true;
    snprintf(whole, sizeof(whole), "%.*s%s", (int)(base - path), path, tsm);
    const struct set_file key = {.name = whole};
    const struct set_file *at = n ? bsearch(&key, list, n, sizeof(key), by_name) : NULL;
    while (at && at > list && by_name(at - 1, &key) == 0)
        at--;
    for (; at && at < list + n && by_name(at, &key) == 0; at++)
        if (!at->dropped)
            return true;
    return false;
}

/* Marks what does not count of the shard's files, which are sorted; *differ: two of one name are
 * left. */
static int files_choose(struct files *f, bool *differ)
{
    struct set *s = f->s;
    struct set_file *list = s->files + f->first;
    const size_t n = s->nfiles - f->first;
    *differ = false;
    f->gone += set_gone(s, list, n);
    for (size_t i = 0; i < n; i++) {
        const bool same = i + 1 < n && strcmp(list[i].name, list[i + 1].name) == 0;
        if (same && list[i].archive == list[i + 1].archive)
            return files_twice(f, &list[i]);
        list[i].dropped |=
            (same && files_is_old(&list[i], &list[i + 1])) || !files_has_tsm(list, n, list[i].name);
        *differ |= same && !list[i].dropped;
    }
    return 0;
}

/* New numbers */

static int files_rename(struct set_file *file, uint64_t generation)
{
    const char *base = path_last(file->name), *sequence = strchr(base, '-');
    char path[PATH_MAX + 64];
    snprintf(path, sizeof(path), "%.*s%09" PRIu64 "%s", (int)(base - file->name), file->name,
             generation, sequence);
    free(file->name);
    file->name = strdup(path);
    return file->name ? 0 : -ENOMEM;
}

/* Whether the tombstone, or none, is that of the TSM file. */
static bool files_belong(const struct set_file *tombstone, const struct set_file *tsm)
{
    const size_t n = strlen(tsm->name) - strlen(NAME_TSM_SUFFIX);
    return strncmp(tombstone->name, tsm->name, n) == 0 &&
           strcmp(tombstone->name + n, NAME_TOMBSTONE_SUFFIX) == 0;
}

/* A copy of the tombstone for a TSM file that becomes one of this generation. */
static int files_copy_tombstone(struct set *s, size_t tombstone, uint64_t generation)
{
    if (!array_grow(&s->files, s->nfiles))
        return -ENOMEM;
    struct set_file *copy = &s->files[s->nfiles];
    *copy = s->files[tombstone];
    copy->name = strdup(copy->name);
    if (!copy->name)
        return -ENOMEM;
    s->nfiles++;
    copy->dropped = false;
    s->files[tombstone].dropped = true; /* its copies take its place */
    return files_rename(copy, generation);
}

/* Gives each TSM file of the shard a generation of its own. A tombstone, which sorts before the TSM
 * files of its name, is that of each of them. */
static int files_number_anew(struct files *f)
{
    struct set *s = f->s;
    const size_t end = s->nfiles;
    size_t tombstone = SIZE_MAX;
    uint64_t generation = 0;
    int r = 0;
    for (size_t i = f->first; r == 0 && i < end; i++) {
        if (name_is_tombstone(path_last(s->files[i].name))) {
            tombstone = i;
            continue;
        }
        generation++;
        if (tombstone != SIZE_MAX && files_belong(&s->files[tombstone], &s->files[i]))
            r = files_copy_tombstone(s, tombstone, generation);
        if (r == 0)
            r = files_rename(&s->files[i], generation);
    }
    return r;
}

/* Takes those that are dropped out of the shard's files. */
static void files_drop(struct files *f)
{
    struct set *s = f->s;
    size_t kept = f->first;
    for (size_t i = f->first; i < s->nfiles; i++) {
        if (s->files[i].dropped)
            free(s->files[i].name);
        else
            s->files[kept++] = s->files[i];
    }
    s->nfiles = kept;
}

/* The last files of s->files are those of a shard, whose archives are [from, end). */
static int files_of_archives(struct files *f, size_t from, size_t end)
{
    struct set *s = f->s;
    bool differ = false;
    int r = 0;
    if (s->nfiles == f->first)
        return 0;
    f->a = &s->archives[end - 1];
    qsort(s->files + f->first, s->nfiles - f->first, sizeof(*s->files), by_name_and_run);
    if ((r = files_choose(f, &differ)) < 0)
        return r;
    files_drop(f);
    if (end - from > 1 && (r = set_stones_spread(s, f->first, f->e)) < 0)
        return r;
    if (!differ)
        return 0;
    f->parts++;
    qsort(s->files + f->first, s->nfiles - f->first, sizeof(*s->files), by_name_and_run);
    r = files_number_anew(f);
    files_drop(f);
    return r < 0 ? err_sys(f->e, r, "%s", f->a->name) : 0;
}

/* Tombstones are not read from their archives again: so each file has a place of its own. */
static int by_place(const void *a, const void *b)
{
    const struct set_file *x = a, *y = b;
    if (x->archive != y->archive)
        return x->archive < y->archive ? -1 : 1;
    return x->member < y->member ? -1 : x->member > y->member;
}

static int files_read_all(struct files *f)
{
    struct set *s = f->s;
    int r = 0;
    for (size_t i = 0; r == 0 && i < s->narchives; i++) {
        f->a = &s->archives[i];
        if (f->a->fate == SET_TAKEN)
            r = files_read_archive(f);
    }
    set_gone_prepare(s);
    return r;
}

/* Puts together the files of each shard, all of which are there as they came. */
static int files_unite(struct files *f)
{
    struct set *s = f->s;
    autofree struct set_file *came = steal_ptr(&s->files);
    const size_t n = s->nfiles;
    size_t at = 0;
    int r = 0;
    s->nfiles = 0;
    for (size_t i = 0, end; r == 0 && i < s->narchives; i = end) {
        end = set_shard_end(s, i);
        for (f->first = s->nfiles; r == 0 && at < n && came[at].archive < end; at++) {
            if (!array_grow(&s->files, s->nfiles)) {
                r = -ENOMEM;
                break;
            }
            s->files[s->nfiles++] = came[at];
        }
        if (r == 0)
            r = files_of_archives(f, i, end);
    }
    for (; at < n; at++)
        free(came[at].name);
    return r;
}

int set_files(struct set *s, struct err *e)
{
    struct files f = {.s = s, .spool = -1, .e = e};
    int r = files_read_all(&f);
    cleanup_close(&f.spool);
    if (r == 0)
        r = files_unite(&f);
    if (r == 0 && s->nfiles)
        qsort(s->files, s->nfiles, sizeof(*s->files), by_place);
    if (r == 0 && f.gone)
        r = set_add_note(s, "%zu file%s of older runs %s: newer runs have what became of %s",
                         f.gone, plural(f.gone), f.gone == 1 ? "does not count" : "do not count",
                         f.gone == 1 ? "it" : "them");
    if (r == 0 && f.parts)
        r = set_add_note(s,
                         "%zu shard%s put together of parts of its files, as runs with times "
                         "(-start, -end) write them",
                         f.parts, f.parts == 1 ? " was" : "s were");
    return r == -ENOMEM ? err_sys(e, r, "set") : r;
}
