/* SPDX-License-Identifier: MIT */
#include "store/restore/exchange.h"

#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static const char fence_text[] =
    "influxfs: a restore is being exchanged with this store, or was cut off while it was.\n"
    "While this file is here influxd does not start. Do not remove it: mount the store with\n"
    "influxfs again, which finishes or undoes the restore and then removes it.\n";

/* 1, 0, or -errno. */
static int exists(int dirfd, const char *name)
{
    struct stat st;
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return 1;
    return errno == ENOENT ? 0 : -errno;
}

static int rename_synced(int dirfd, const char *from, const char *to)
{
    if (renameat(dirfd, from, dirfd, to) < 0)
        return -errno;
    return io_sync_dir(dirfd);
}

/* Moves aside what will not be kept; it is deleted later. */
static int move_to_trash(const struct target *t, int home, const char *from, struct err *e)
{
    char trash[NAME_MAX + 1];
    int r = target_unit(t, SIDE_TRASH, trash);
    if (r == 0)
        r = target_remove_side(t, SIDE_TRASH, e);
    return r < 0 ? r : rename_synced(home, from, trash);
}

static int exchange_whole(const struct target *t, bool discard, struct err *e)
{
    char kept[NAME_MAX + 1], fresh[NAME_MAX + 1];
    int r = target_unit(t, SIDE_KEPT, kept);
    if (r == 0)
        r = target_unit(t, SIDE_NEW, fresh);
    if (r < 0)
        return r;
    int has_new = exists(t->parent, fresh);
    int has_kept = exists(t->parent, kept);
    int has_old = exists(t->parent, t->name);
    if (has_new <= 0)
        return has_new;
    if (has_kept < 0 || has_old < 0)
        return has_kept < 0 ? has_kept : has_old;
    /* It is an older one unless the target has already become it. */
    if (!discard && has_kept && (has_old || !t->existed))
        r = move_to_trash(t, t->parent, kept, e);
    if (r == 0 && has_old && t->existed)
        r = discard ? move_to_trash(t, t->parent, t->name, e)
                    : rename_synced(t->parent, t->name, kept);
    return r < 0 ? r : rename_synced(t->parent, fresh, t->name);
}

static int exchange_move_entries(const struct target *t, int from, int to)
{
    cleanup(dir_free) struct dir list = {0};
    int r = dir_read(from, &list);
    if (r < 0)
        return r;
    for (size_t i = 0; i < list.n; i++)
        if (!target_is_own_entry(t, list.names[i]) &&
            renameat(from, list.names[i], to, list.names[i]) < 0)
            return -errno;
    r = io_sync_dir(to);
    return r < 0 ? r : io_sync_dir(from);
}

/* Gives the folder the staged one's owner, or influxd could not write in it. */
static int adopt(const struct target *t, int self, int staged)
{
    struct stat old, want;
    autoclose int home = t->inside ? target_open_home(t, false) : -1;
    if (fstat(self, &old) < 0 || fstat(staged, &want) < 0)
        return -errno;
    if (geteuid() != 0 || (old.st_uid == want.st_uid && old.st_gid == want.st_gid))
        return 0;
    if (home >= 0 && fchown(home, want.st_uid, want.st_gid) < 0)
        return -errno;
    return fchown(self, want.st_uid, want.st_gid) < 0 ? -errno : 0;
}

static int exchange_side_entries(const struct target *t, enum target_side side, bool into)
{
    autoclose int self = target_open_folder(t);
    autoclose int other = target_open_side(t, side);
    if (self < 0 || other < 0)
        return self < 0 ? self : other;
    if (into)
        return exchange_move_entries(t, self, other);
    int r = adopt(t, self, other);
    return r < 0 ? r : exchange_move_entries(t, other, self);
}

static int exchange_entries(const struct target *t, bool discard, struct err *e)
{
    char kept[NAME_MAX + 1], tmp[NAME_MAX + 1];
    autoclose int home = target_open_home(t, false);
    int r = home < 0 ? home : target_unit(t, SIDE_KEPT, kept);
    if (r == 0)
        r = target_unit(t, SIDE_KEPT_TMP, tmp);
    if (r < 0)
        return r;
    if (exists(home, tmp) == 1) {
        if (!discard && exists(home, kept) == 1)
            r = move_to_trash(t, home, kept, e);
        if (r == 0)
            r = exchange_side_entries(t, SIDE_KEPT_TMP, true);
        if (r == 0)
            r = discard ? move_to_trash(t, home, tmp, e) : rename_synced(home, tmp, kept);
    }
    if (r == 0 && target_has_side(t, SIDE_NEW)) {
        r = exchange_side_entries(t, SIDE_NEW, false);
        if (r == 0 || r == -ENOENT) /* its inner folder may be gone already */
            r = target_remove_empty_side(t, SIDE_NEW);
    }
    return r;
}

int exchange_prepare(const struct target *t, struct err *e)
{
    int r = target_by_contents(t) ? target_make_side(t, SIDE_KEPT_TMP, 0700) : 0;
    return r < 0 ? err_sys(e, r, "%s: cannot make a folder for the old store", t->path) : 0;
}

int exchange_run(const struct target *t, bool discard, struct err *e)
{
    struct err why = {0};
    int r = target_by_contents(t) ? exchange_entries(t, discard, &why)
                                  : exchange_whole(t, discard, &why);
    if (r < 0 && why.text[0])
        return err_set(e, r, "%s", why.text);
    return r < 0 ? err_sys(e, r, "%s: cannot be exchanged with what was restored", t->path) : 0;
}

int fence_look(const struct target *meta, enum fence *out, struct err *e)
{
    autofree char *text = NULL;
    size_t len;
    autoclose int self = target_open_folder(meta);
    int r = self == -ENOENT ? 0 : self < 0 ? self : exists(self, "raft.db");
    if (r < 0)
        return err_sys(e, r, "%s/raft.db", meta->path);
    if (r == 0) {
        *out = FENCE_NONE;
        return 0;
    }
    r = io_read_file(self, "raft.db", sizeof(fence_text), &text, &len);
    *out = r == 0 && len == sizeof(fence_text) - 1 && memcmp(text, fence_text, len) == 0
               ? FENCE_OURS
               : FENCE_OTHER;
    return 0;
}

/* A new meta folder gets the mode that the snapshot says. */
static int exchange_make_meta(const struct target *meta)
{
    struct stat st;
    autoclose int fresh = target_open_side(meta, SIDE_NEW);
    if (fresh < 0 || fstat(fresh, &st) < 0)
        return fresh < 0 ? fresh : -errno;
    if (mkdirat(meta->parent, meta->name, 0700) < 0)
        return errno == EEXIST ? 0 : -errno;
    autoclose int self = target_open_folder(meta);
    if (self < 0)
        return self;
    if (meta->uid != (uid_t)-1 && fchown(self, meta->uid, meta->gid) < 0)
        return -errno;
    if (fchmod(self, st.st_mode & 07777) < 0)
        return -errno;
    return io_sync_dir(meta->parent);
}

int fence_raise(const struct target *meta, struct err *e)
{
    int r = exchange_make_meta(meta);
    autoclose int self = r < 0 ? -1 : target_open_folder(meta);
    if (r == 0)
        r = self < 0 ? self
                     : io_replace_file(self, "raft.db", fence_text, sizeof(fence_text) - 1, 0644);
    return r < 0 ? err_sys(e, r, "%s/raft.db", meta->path) : 0;
}

int fence_lift(const struct target *meta, struct err *e)
{
    enum fence fence = FENCE_NONE;
    autoclose int self = target_open_folder(meta);
    if (self == -ENOENT)
        return 0;
    int r = self < 0 ? err_sys(e, self, "%s", meta->path) : fence_look(meta, &fence, e);
    if (r < 0)
        return r;
    if (unlinkat(self, "raft.db.tmp", 0) < 0 && errno != ENOENT)
        r = -errno;
    if (r == 0 && fence == FENCE_OURS && unlinkat(self, "raft.db", 0) < 0)
        r = -errno;
    if (r == 0)
        r = io_sync_dir(self);
    return r < 0 ? err_sys(e, r, "%s/raft.db: cannot be removed", meta->path) : 0;
}
