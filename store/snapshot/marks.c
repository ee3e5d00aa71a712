/* SPDX-License-Identifier: MIT */
#include "store/snapshot/marks.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/base/time.h"
#include "store/influx/names.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define LOOKED_AT 4096         /* files that are listed in turn although they seem to be the same */
#define LISTED_BESIDE_WAL 1024 /* files that may always be */

bool marks_of(const struct shard_pin *s, struct catalog_shard *out)
{
    const struct member_run *r = s->set ? s->set->run : NULL;
    if (s->gone || s->why || s->data.is_remote || !r || r->holds != RUN_LISTED || !r->sealed)
        return false;
    const struct stat *st = &s->data.st;
    *out = (struct catalog_shard){.path = s->path,
                                  .dev = st->st_dev,
                                  .ino = st->st_ino,
                                  .mtime_ns = time_from_spec(&st->st_mtim),
                                  .ctime_ns = time_from_spec(&st->st_ctim),
                                  .seen_ns = s->data.seen_ns,
                                  .mode = st->st_mode,
                                  .uid = st->st_uid,
                                  .gid = st->st_gid,
                                  .has_index = s->has_index,
                                  .whole = !s->link && s->set->nbad == 0,
                                  .files = r->nfiles,
                                  .bytes = r->bytes};
    for (size_t i = 0; i < s->set->n; i++)
        if (held_damaged(s->set->files[i].held))
            out->whole = false;
    memcpy(out->digest, r->digest, SHA256_BYTES);
    return true;
}

static struct folder_seen seen_of(const struct catalog_shard *m)
{
    return (struct folder_seen){.st = {.st_dev = m->dev,
                                       .st_ino = m->ino,
                                       .st_mode = m->mode,
                                       .st_uid = m->uid,
                                       .st_gid = m->gid,
                                       .st_mtim = time_to_spec(m->mtime_ns),
                                       .st_ctim = time_to_spec(m->ctime_ns)},
                                .seen_ns = m->seen_ns,
                                .follow = FOLLOW_NONE};
}

/* The shards of the data folder, in the order of window_take. Only a list of what may be known: what
 * is not in it, such as links, is listed as ever. */
struct shards {
    struct catalog_shard *at;
    size_t n;
};

static void shards_clear(struct shards *l)
{
    for (size_t i = 0; i < l->n; i++)
        free((char *)l->at[i].path);
    free(l->at);
}

static int marks_walk(struct shards *l, int root, const char *path, int level)
{
    struct folder_seen folder;
    cleanup(dir_free) struct dir list = {0};
    autoclose int fd = folder_open(root, path, FOLLOW_NONE, &folder);
    if (fd < 0 || dir_read(fd, &list) < 0)
        return 0;
    int r = 0;
    for (size_t i = 0; r == 0 && i < list.n; i++) {
        const char *name = list.names[i];
        char sub[PATH_MAX];
        if (dir_type(&list, i) != DT_DIR ||
            snprintf(sub, sizeof(sub), "%s%s%s", path, *path ? "/" : "", name) >= (int)sizeof(sub))
            continue;
        if (level < 2) {
            r = marks_walk(l, root, sub, level + 1);
        } else if (name_is_shard(name, NULL)) {
            char *own = array_grow(&l->at, l->n) ? strdup(sub) : NULL;
            if (!own)
                return -ENOMEM;
            l->at[l->n++] = (struct catalog_shard){.path = own};
        }
    }
    return r;
}

/* How many files of a shard there may be, at most. */
static size_t marks_count(int root, const char *path)
{
    struct folder_seen folder;
    cleanup(dir_free) struct dir list = {0};
    autoclose int fd = folder_open(root, path, FOLLOW_NONE, &folder);
    return fd < 0 || dir_read(fd, &list) < 0 ? 0 : list.n;
}

/* A pin whose set stands for the files of the shard. */
static int marks_add_pin(struct window *w, const struct catalog_shard *m,
                         const struct folder_seen *seen, enum run_files holds)
{
    const struct file_attr folder = file_attr_of(&seen->st);
    char *path = array_grow(&w->shards, w->nshards) ? strdup(m->path) : NULL;
    struct shard_set *set = calloc(1, sizeof(*set));
    struct member_run *run = run_new("data", m->path, &folder, 0);
    if (!path || !set || !run) {
        free(path);
        free(set);
        run_unref(run);
        return -ENOMEM;
    }
    atomic_init(&set->refs, 1);
    set->run = run;
    run_remember(run, holds, m->digest, m->files, m->bytes);
    w->shards[w->nshards++] =
        (struct shard_pin){.path = path, .data = *seen, .has_index = m->has_index, .set = set};
    return 0;
}

/* Which shards are listed although they seem to be the same: those with the files in whose turn it
 * is. */
struct turn {
    uint64_t slices, slice; /* of some thousand files each */
    uint64_t files;         /* that came before */
};

static struct turn marks_turn(struct catalog *c, const struct shards *l, uint64_t *number)
{
    uint64_t files = 0, own = 0;
    number = number ? number : &own;
    for (size_t i = 0; i < l->n; i++)
        files += l->at[i].files;
    struct turn t = {.slices = files / LOOKED_AT + 1};
    /* A catalogue that cannot be used knows none of these files: all are listed. */
    if (t.slices > 1 && *number == 0)
        catalog_take_turn(c, number, NULL);
    t.slice = *number % t.slices;
    return t;
}

static bool is_its_turn(struct turn *t, const struct catalog_shard *m)
{
    const uint64_t first = t->files / LOOKED_AT, last = (t->files + m->files) / LOOKED_AT;
    t->files += m->files;
    return t->slice >= first && t->slice <= last;
}

struct planning {
    int root;
    const struct marks_wanted *wanted;
    struct turn turn;
    size_t listed; /* files */
    bool later;
    struct window *out;
};

static int marks_plan_one(struct planning *p, const struct catalog_shard *m)
{
    struct folder_seen seen = seen_of(m);
    const bool its_turn = is_its_turn(&p->turn, m);
    const struct marks_wanted *w = p->wanted;
    if (m->whole && w->known && w->known(w->ctx, m, its_turn) &&
        folder_same(p->root, m->path, &seen))
        return marks_add_pin(p->out, m, &seen, RUN_KNOWN);
    const size_t files = m->files ? m->files : marks_count(p->root, m->path);
    if (w->last || p->listed == 0 || p->listed + files <= w->most) {
        p->listed += files;
        return 0;
    }
    seen.seen_ns = time_wall_ns();
    autoclose int fd = folder_open(p->root, m->path, FOLLOW_NONE, &seen);
    if (fd < 0)
        return 0;
    p->later = true;
    return marks_add_pin(p->out, m, &seen, RUN_LATER);
}

int marks_plan(struct catalog *c, int data_fd, const struct marks_wanted *wanted,
               struct window *out, bool *later, struct err *e)
{
    cleanup(shards_clear) struct shards l = {0};
    *out = (struct window){0};
    int r = marks_walk(&l, data_fd, "", 0);
    /* Without a catalogue nothing is known, and all is listed. */
    if (r == 0)
        catalog_get_shards(c, l.at, l.n, NULL);
    struct planning p = {
        .root = data_fd, .wanted = wanted, .turn = marks_turn(c, &l, wanted->turn), .out = out};
    for (size_t i = 0; r == 0 && i < l.n; i++)
        r = marks_plan_one(&p, &l.at[i]);
    /* Most shards have a segment or two. */
    if (!wanted->last && p.listed > LISTED_BESIDE_WAL && p.listed + 2 * l.n > 2 * wanted->most)
        p.later = true;
    for (size_t i = 0; i < out->nshards; i++)
        out->shards[i].data_only = p.later;
    *later = p.later;
    if (r < 0) {
        window_free(out);
        return err_sys(e, r, "the shards");
    }
    return 0;
}
