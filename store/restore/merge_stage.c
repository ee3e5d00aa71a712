/* SPDX-License-Identifier: MIT */
#include "store/restore/merge_stage.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/influx/names.h"
#include "store/restore/stage_fill.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PIECE_BYTES (1 << 20)

struct staging {
    struct compose *c;
    const struct compose_shard *s;
    const struct merge_shard *m;
    const struct capture *ours;
    char folder[PATH_MAX]; /* "data/DB/RP/ID" */
    struct err *e;
};

/* The name of the tombstone that goes with a TSM file. */
static void tombstone_of(const char *tsm, char out[NAME_MAX + 1])
{
    snprintf(out, NAME_MAX + 1, "%.*s" NAME_TOMBSTONE_SUFFIX, (int)strcspn(tsm, "."), tsm);
}

/* The store's files */

static int stage_rename(const struct staging *s, int folder, const char *from, const char *to)
{
    if (renameat(folder, from, folder, to) < 0)
        return err_sys(s->e, -errno, "staging %s/%s", s->folder, to);
    return 0;
}

/* Gives a file of the store its new name, and its tombstone too, if that lies to this side of it. */
static int stage_move(const struct staging *s, int folder, const struct merge_file *f, bool up)
{
    char from[NAME_MAX + 1], to[NAME_MAX + 1];
    const char *was = capture_member(f->capture, f->member)->name;
    const int way = strcmp(f->name, was);
    if (way == 0 || (way > 0) != up)
        return 0;
    int r = stage_rename(s, folder, was, f->name);
    if (r < 0 || f->tombstone == MEMBER_NONE)
        return r;
    tombstone_of(was, from);
    tombstone_of(f->name, to);
    return stage_rename(s, folder, from, to);
}

/* Whether it was mirrored: a shard that is cut was not. */
static bool is_ours(const struct staging *s, const struct merge_file *f)
{
    return f->capture == s->ours && !compose_cuts(s->c);
}

/* Names ascend before and after. So none is in the way of another if those that rise go first, from
 * the last one on, and then those that fall, from the first one on. */
static int stage_ours(const struct staging *s)
{
    const size_t n = merge_shard_count(s->m);
    autoclose int folder = io_open_beneath(s->c->fresh[TARGET_DATA], s->folder + strlen("data/"),
                                           O_RDONLY | O_DIRECTORY);
    int r = folder < 0 ? err_sys(s->e, folder, "staging %s", s->folder) : 0;
    for (size_t i = n; r == 0 && i-- > 0;)
        if (is_ours(s, merge_shard_at(s->m, i)))
            r = stage_move(s, folder, merge_shard_at(s->m, i), true);
    for (size_t i = 0; r == 0 && i < n; i++)
        if (is_ours(s, merge_shard_at(s->m, i)))
            r = stage_move(s, folder, merge_shard_at(s->m, i), false);
    return r;
}

/* Other files */

/* A shard that is new is like the first of those that it is made of. */
static int stage_make_folder(const struct staging *s, bool tsi1)
{
    char theirs[PATH_MAX], index[PATH_MAX + sizeof(NAME_INDEX)];
    snprintf(theirs, sizeof(theirs), "%s/%s/%" PRIu64, s->s->their_db, s->s->their_rp,
             s->s->their_id);
    snprintf(index, sizeof(index), "%s/" NAME_INDEX, s->folder);
    autoclose int from = io_open_beneath(s->c->theirs[TARGET_DATA], theirs, O_RDONLY | O_DIRECTORY);
    if (from < 0)
        return err_sys(s->e, from, "staging %s", s->folder);
    int r = compose_make_shard(s->c, TARGET_DATA, s->s, from, s->e);
    return r == 0 && tsi1 ? stage_folder(s->c->stage, index, 0755, -1, s->e) : r;
}

/* A file of the snapshot, or of the store where that was not mirrored, as it lies. */
static int stage_lying(const struct staging *s, const struct merge_file *f, const char *name)
{
    const struct member *m = capture_member(f->capture, f->member);
    const int *fds = f->capture == s->ours ? s->c->ours : s->c->theirs;
    autoclose int from =
        io_open_beneath(fds[TARGET_DATA], m->dir + strlen("data/"), O_RDONLY | O_DIRECTORY);
    if (from < 0)
        return err_sys(s->e, from, "staging %s", name);
    return stage_fill_file(s->c->stage, name, from, m->name, s->e);
}

static int stage_made(const struct staging *s, size_t i, const char *name)
{
    const struct merge_file *f = merge_shard_at(s->m, i);
    autofree char *piece = malloc(PIECE_BYTES);
    if (!piece)
        return err_sys(s->e, -ENOMEM, "staging %s", name);
    int r = stage_open(s->c->stage, name, 0644, s->e);
    for (uint64_t at = 0; r == 0 && at < f->size;) {
        const size_t n = f->size - at < PIECE_BYTES ? (size_t)(f->size - at) : PIECE_BYTES;
        r = merge_shard_read(s->m, i, piece, n, at, s->e);
        if (r == 0)
            r = stage_write(s->c->stage, piece, n, s->e);
        at += n;
    }
    return r < 0 ? r : stage_close(s->c->stage, f->mtime_ns, s->e);
}

static int stage_others(const struct staging *s)
{
    char name[PATH_MAX];
    int r = 0;
    for (size_t i = 0; r == 0 && i < merge_shard_count(s->m); i++) {
        const struct merge_file *f = merge_shard_at(s->m, i);
        if (is_ours(s, f))
            continue;
        if (snprintf(name, sizeof(name), "%s/%s", s->folder, f->name) >= PATH_MAX)
            return err_sys(s->e, -ENAMETOOLONG, "staging %s", name);
        r = f->capture ? stage_lying(s, f, name) : stage_made(s, i, name);
        if (r == 0)
            r = compose_came(s->c, name, s->e);
    }
    return r;
}

/* 1: the shard lies in staging. A link would lead out of it. */
static int stage_look(const struct staging *s, enum target_kind kind)
{
    char path[PATH_MAX];
    struct stat st;
    snprintf(path, sizeof(path), "%s/%s/%" PRIu64, s->s->db, s->s->rp, s->s->id);
    int r = io_stat_beneath(s->c->fresh[kind], path, &st);
    if (r == -ENOENT)
        return 0;
    if (r == -ELOOP || r == -ENOTDIR || (r == 0 && !S_ISDIR(st.st_mode)))
        return err_set(s->e, -EIO,
                       "in the store: %s/%s is behind a symbolic link, and points cannot be merged "
                       "into it: put the folder there itself",
                       target_kind_name(kind), path);
    return r < 0 ? err_sys(s->e, r, "staging %s/%s", target_kind_name(kind), path) : 1;
}

int merge_stage(struct compose *c, const struct compose_shard *shard, const struct merge_shard *m,
                const struct capture *ours, bool tsi1, struct err *e)
{
    struct staging s = {.c = c, .s = shard, .m = m, .ours = ours, .e = e};
    snprintf(s.folder, sizeof(s.folder), "data/%s/%s/%" PRIu64, shard->db, shard->rp, shard->id);
    int there = stage_look(&s, TARGET_DATA);
    int r = there < 0 ? there : stage_look(&s, TARGET_WAL);
    if (r >= 0)
        r = there ? stage_ours(&s) : stage_make_folder(&s, tsi1);
    return r < 0 ? r : stage_others(&s);
}
