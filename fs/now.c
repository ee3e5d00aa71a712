/* SPDX-License-Identifier: MIT */
#include "fs/now.h"

#include "fs/branches.h"
#include "fs/request.h"
#include "fs/status.h"
#include "fs/tarfile.h"
#include "store/base/cleanup.h"
#include "store/base/time.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOW "now.tar"

/* A capture as a file. */
struct now_node {
    struct tarfile_node file;
    char path[sizeof("snapshots/now/") + NAME_MAX]; /* below the mount, for status.json */
    const char *name;                               /* in snapshots/now/; NULL: it is now.tar */
    struct {
        uint64_t instant;
        char name[NAME_MAX + 1]; /* "" for now.tar */
    } key;
};

struct now_handle {
    struct tarfile file;
    struct instant_hold *hold;
};

static const struct node_ops now_ops, now_folder_ops;

static int now_take(void *ctx, const struct tarball_reader *reader, struct tarball **out,
                    struct err *e)
{
    struct fs *fs = ctx;
    const int64_t began_ns = time_mono_ns();
    int r = snapshots_now(fs->snapshots, reader, out, e);
    if (r < 0)
        return r;
    counters_captured(&fs->counters, time_mono_ns() - began_ns);
    status_captured(fs->status, *out);
    return 0;
}

static void now_put(void *ctx, struct tarball *t)
{
    (void)ctx;
    tarball_unref(t);
}

int now_new(struct fs *fs)
{
    const struct instant_source source = {now_take, now_put, fs};
    fs->instants = instants_new(&source);
    if (!fs->instants)
        return -ENOMEM;
    int r = node_new(fs->nodes, &now_folder_ops, NODE_FOLDER, INO_NAMED_FOLDER, &fs->now_folder);
    if (r == 0)
        fs->now_folder->up = INO_SNAPSHOTS;
    return r;
}

bool now_listed(const struct fs *fs)
{
    return store_is_there(fs->paths) || snapshots_lost(fs->snapshots);
}

/* Whether the modes keep the caller from reading snapshots. Where they let any others in, it is
 * taken for one of those. */
static bool now_is_closed_to(const struct request *r)
{
    const struct node any = {.ino = INO_NOW};
    struct stat st;
    fs_attr(r->fs, &st, &any, S_IFREG | 0400, 0, 0);
    return r->ctx->uid && r->ctx->uid != st.st_uid && !(st.st_mode & (S_IRGRP | S_IROTH));
}

/* Users who may look but not read share captures, as callers do that look alike: each of their
 * processes would hold one otherwise. */
static struct instant_holder now_holder(const struct request *r, const char *name)
{
    static const struct caller other_users = {.pid = 0, .start = 1};
    if (name)
        return (struct instant_holder){.name = name};
    return (struct instant_holder){.process =
                                       now_is_closed_to(r) ? other_users : caller_of(r->ctx->pid)};
}

static int now_get(struct request *r, const char *name, const char *what, struct instant **out)
{
    const struct instant_holder who = now_holder(r, name);
    const struct tarball_reader reader = {request_interrupted, r};
    struct err e = {0};
    int rc = instant_get(r->fs->instants, &who, &reader, out, &e);
    if (rc < 0 && rc != -ENOENT && rc != -EINTR)
        status_failed(r->fs->status, what, e.text[0] ? e.text : strerror(-rc));
    return rc;
}

struct instant_holder now_caller(const struct request *r)
{
    return now_holder(r, NULL);
}

int now_instant(struct request *r, const char *what, struct instant **out)
{
    return now_get(r, NULL, what, out);
}

int now_hold(struct request *r, uint64_t instant, struct instant_hold **out)
{
    const struct instant_holder who = now_holder(r, NULL);
    return instant_open(r->fs->instants, &who, instant, out);
}

/* The node of an instant under a name; NULL: now.tar. */
static int now_node(struct fs *fs, const struct instant *i, const char *name,
                    const struct node *dir, struct node **out)
{
    const struct tarball *t = instant_tarball(i);
    struct now_node *k = calloc(1, sizeof(*k));
    if (!k)
        return -ENOMEM;
    node_init(&k->file.node, &now_ops, NODE_NOW, name ? ino_named(name, strlen(name)) : INO_NOW,
              dir);
    k->file.size = tarball_size(t);
    k->file.mtime_ns = tarball_mtime_ns(t);
    k->key.instant = instant_id(i);
    if (name)
        k->name = strcpy(k->key.name, name);
    snprintf(k->path, sizeof(k->path), "snapshots/%s%s", name ? "now/" : "", name ? name : NOW);
    return node_find_or_add(fs->nodes, &k->file.node, &k->key, sizeof(k->key), out);
}

static int now_find(struct request *r, const struct node *dir, const char *name, const char *what,
                    struct node **out)
{
    struct instant *i;
    int rc = now_get(r, name, what, &i);
    if (rc < 0)
        return rc;
    rc = now_node(r->fs, i, name, dir, out);
    instant_put(i);
    return rc;
}

int now_lookup(struct request *r, const struct node *dir, struct node **out)
{
    return now_find(r, dir, NULL, "snapshots/" NOW, out);
}

static int now_open(struct request *r, struct node *n, int flags, struct handle **h)
{
    const struct now_node *k = (const struct now_node *)n;
    const struct instant_holder who = now_holder(r, k->name);
    autofree struct now_handle *nh = calloc(1, sizeof(*nh));
    (void)flags;
    int rc = nh ? instant_open(r->fs->instants, &who, k->key.instant, &nh->hold) : -ENOMEM;
    if (rc < 0)
        return rc;
    tarfile_init(r->fs, &nh->file, instant_tarball(instant_held(nh->hold)), k->path);
    nh->file.is_backup = true;
    *h = &steal_ptr(&nh)->file.h;
    return 0;
}

static void now_release(struct handle *h)
{
    struct now_handle *nh = (struct now_handle *)h;
    tarfile_clear(&nh->file);
    instant_close(nh->hold);
    free(nh);
}

static const struct node_ops now_ops = {
    .getattr = tarfile_getattr,
    .free = node_free,
    .open = now_open,
    .read = tarfile_read,
    .has_read = tarfile_has_read,
    .release = now_release,
};

/* snapshots/now/ */

struct node *now_folder(struct fs *fs)
{
    node_repin(fs->nodes, fs->now_folder);
    return fs->now_folder;
}

static int now_folder_lookup(struct request *r, struct node *dir, const char *name,
                             struct node **child)
{
    size_t len = strlen(name);
    if (*name == '.' || len <= 4 || strcmp(name + len - 4, ".tar") != 0)
        return -ENOENT;
    if (len > NAME_MAX) /* which FUSE does not see to */
        return -ENAMETOOLONG;
    return now_find(r, dir, name, "snapshots/now/", child);
}

static int now_list_one(void *ctx, const char *name)
{
    return names_add(ctx, name, ino_named(name, strlen(name)), S_IFREG);
}

static int now_folder_list(struct request *r, struct node *dir, struct names *out)
{
    (void)dir;
    return instants_names(r->fs->instants, now_list_one, out);
}

/* Nobody else may take names: the first look-up of one decides what the others get. */
static int now_folder_getattr(struct request *r, struct node *n, struct handle *h, struct stat *st)
{
    (void)h;
    fs_attr(r->fs, st, n, S_IFDIR | 0700, 0, r->fs->started_ns);
    return 0;
}

static const struct node_ops now_folder_ops = {
    .getattr = now_folder_getattr,
    .free = node_free,
    .lookup = now_folder_lookup,
    .list = now_folder_list,
};
