/* SPDX-License-Identifier: MIT */
#include "store/chain/cut_links.h"

#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/chain/cuts_internal.h"
#include "store/chain/pool.h"
#include "store/influx/names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PROBE "link-probe.tmp"

/* What decides whether a file can be linked. */
struct kind {
    uint64_t mount;
    uid_t uid;
    mode_t mode;
    bool linked;
};

struct trying {
    int state_fd;
    const struct cut_rules *rules;
    struct cut_links *out;
    struct kind last; /* shards of one kind follow each other */
    bool have_last;
    uint64_t linked; /* files */
    char path[1024]; /* path of the current folder, for messages */
};

static bool is_excluded(const struct trying *t, const char *db)
{
    for (size_t i = 0; i < t->rules->nexclude; i++)
        if (strcmp(db, t->rules->exclude[i]) == 0)
            return true;
    return false;
}

/* 0, or why the link failed. */
static int try_link(const struct trying *t, int fd, const char *name)
{
    unlinkat(t->state_fd, PROBE, 0); /* left by a kill */
    int r = linkat(fd, name, t->state_fd, PROBE, 0) < 0 ? -errno : 0;
    unlinkat(t->state_fd, PROBE, 0);
    /* Another process is trying too; or the file was removed, or has too many names, which does not
     * matter for other files. */
    return r == -EEXIST || r == -ENOENT || r == -EMLINK ? 0 : r;
}

/* Whether the file can be linked; an error: nothing can be made in the state folder. */
static int links_can_link(struct trying *t, int fd, const char *name, bool *yes)
{
    struct statx st;
    if (statx(fd, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_MNT_ID, &st) < 0)
        return errno == ENOENT ? 0 : -errno;
    struct kind k = {st.stx_mnt_id, st.stx_uid, st.stx_mode, false};
    if (!t->have_last || t->last.mount != k.mount || t->last.uid != k.uid ||
        t->last.mode != k.mode) {
        int r = try_link(t, fd, name);
        if (r < 0 && !t->out->why.text[0])
            err_sys(&t->out->why, r, "%s/%s cannot be linked into the state folder", t->path, name);
        if (r < 0 && r != -EXDEV && r != -EPERM)
            return r;
        k.linked = r == 0;
        t->last = k;
        t->have_last = true;
    }
    *yes = t->last.linked;
    return 0;
}

/* The files of a shard: one is tried, and stands for the others. */
static int links_look_at_shard(struct trying *t, int fd, const struct dir *list)
{
    bool tried = false, yes = true;
    for (size_t i = 0; i < list->n; i++) {
        const char *name = list->names[i];
        struct stat st;
        if (!name_is_tsm(name) && !name_is_tombstone(name))
            continue;
        int r = tried ? 0 : links_can_link(t, fd, name, &yes);
        if (r < 0)
            return r;
        tried = true;
        t->linked += yes;
        if (yes || fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        t->out->files++;
        t->out->bytes += (uint64_t)st.st_size;
    }
    return 0;
}

enum { DATA, DATABASE, POLICY, SHARD };

static bool is_wanted(const struct trying *t, int level, const char *name)
{
    if (level == DATA)
        return !name_is_hidden(name) && !is_excluded(t, name);
    return level == DATABASE ? !name_is_series(name) : name_is_shard(name, NULL);
}

/* Walks from the data folder down to the shards, through links of shards, as influxd does. */
static int links_walk(struct trying *t, int parent, const char *name, int level)
{
    size_t before = strlen(t->path);
    autoclose int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup(dir_free) struct dir list = {0};
    if (fd < 0 || dir_read(fd, &list) < 0)
        return 0;
    snprintf(t->path + before, sizeof(t->path) - before, "%s%s", before ? "/" : "", name);
    int r = level == SHARD ? links_look_at_shard(t, fd, &list) : 0;
    for (size_t i = 0; r == 0 && level < SHARD && i < list.n; i++)
        if (is_wanted(t, level, list.names[i]))
            r = links_walk(t, fd, list.names[i], level + 1);
    t->path[before] = 0;
    return r;
}

int cut_links_try(struct cuts *c, const struct store_paths *paths, const struct cut_rules *rules,
                  struct cut_links *out, struct err *e)
{
    struct cut_links found = {0};
    struct trying t = {.state_fd = c->state_fd, .rules = rules, .out = &found};
    int r = links_walk(&t, AT_FDCWD, paths->data, DATA);
    if (r == -ENOMEM)
        return err_sys(e, r, "%s", paths->data);
    if (r < 0)
        found.files = found.bytes = 0;
    else if (t.linked || found.files)
        found.how = !found.files ? CUT_LINKS_LINKED
                    : t.linked   ? CUT_LINKS_PARTLY
                                 : CUT_LINKS_COPIED;
    *out = found;
    return 0;
}

int cut_links_room(struct cuts *c, const struct cut_rules *rules, const struct cut_links *l,
                   struct err *e)
{
    struct cut_info newest;
    uint64_t reserve, avail;
    if (!l->files || cuts_latest(c, &newest, NULL) != -ENOENT)
        return 0;
    int r = pool_room(c->state_fd, rules, &reserve, &avail, e);
    if (r < 0 || (avail >= reserve && avail - reserve >= l->bytes))
        return r;
    return err_set(
        e, -ENOSPC,
        "no cut: the first would copy %llu MiB, since %s; %llu MiB are free on the state "
        "folder's disk, and %llu MiB are to stay free (reserve=); have the state folder "
        "(state=) on the store's file system, or free space",
        (unsigned long long)(l->bytes >> 20), l->why.text, (unsigned long long)(avail >> 20),
        (unsigned long long)(reserve >> 20));
}

const char *cut_links_word(enum cut_links_how how)
{
    static const char *const words[] = {"unknown", "linked", "copied", "partly copied"};
    return words[how];
}
