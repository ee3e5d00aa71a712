/* SPDX-License-Identifier: MIT */
/* The folders of backup/. */
#include "fs/backups.h"

#include "fs/branches.h"
#include "fs/parts.h"
#include "fs/request.h"
#include "store/base/cleanup.h"
#include "store/base/path.h"
#include "store/export/dump_name.h"
#include "store/rewrite/selected.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORTABLE "backup/portable"
#define LEGACY "backup/legacy"
#define PATH_MAX_HERE (sizeof(PORTABLE "/") + DUMP_NAME_MAX)

/* A folder with a set. */
struct backup_folder {
    struct node node;
    enum madeset_format format;
    const char *db;           /* NULL: all */
    char path[PATH_MAX_HERE]; /* below the mount: its key */
    char name[];              /* of db */
};

static const struct node_ops root_ops, set_ops;

static ino_t backups_ino(const char *path)
{
    return ino_hashed(INO_IN_BACKUP, ino_hash(INO_HASH, path, strlen(path)));
}

/* The folder of this path, pinned. */
static int backups_folder(struct fs *fs, const struct node *dir, enum madeset_format format,
                          const char *path, const char *db, struct node **out)
{
    size_t n = db ? strlen(db) + 1 : 0;
    struct backup_folder *f = calloc(1, sizeof(*f) + n);
    if (!f)
        return -ENOMEM;
    node_init(&f->node, &set_ops, NODE_BACKUP_FOLDER, backups_ino(path), dir);
    f->format = format;
    if (db)
        f->db = memcpy(f->name, db, n);
    snprintf(f->path, sizeof(f->path), "%s", path);
    return node_find_or_add(fs->nodes, &f->node, f->path, strlen(f->path), out);
}

int backups_new(struct fs *fs, struct node **out)
{
    fs->backups = backup_sets_new(fs);
    if (!fs->backups)
        return -ENOMEM;
    backupfiles_init(fs);
    return node_new(fs->nodes, &root_ops, NODE_FOLDER, INO_BACKUP, out);
}

/* They hold password hashes, and names that others need not know. */
static int backups_getattr(struct request *r, struct node *n, struct handle *h, struct stat *st)
{
    (void)h;
    fs_attr(r->fs, st, n, S_IFDIR | 0700, 0, r->fs->started_ns);
    return 0;
}

static int backups_root_lookup(struct request *r, struct node *dir, const char *name,
                               struct node **child)
{
    if (strcmp(name, "portable") == 0)
        return backups_folder(r->fs, dir, MADESET_PORTABLE, PORTABLE, NULL, child);
    if (strcmp(name, "legacy") == 0)
        return backups_folder(r->fs, dir, MADESET_LEGACY, LEGACY, NULL, child);
    return -ENOENT;
}

static int backups_root_list(struct request *r, struct node *dir, struct names *out)
{
    (void)r, (void)dir;
    int rc = names_add(out, "portable", backups_ino(PORTABLE), S_IFDIR);
    return rc < 0 ? rc : names_add(out, "legacy", backups_ino(LEGACY), S_IFDIR);
}

static const struct node_ops root_ops = {
    .getattr = backups_getattr,
    .free = node_free,
    .lookup = backups_root_lookup,
    .list = backups_root_list,
};

/* Lists a file that can be served whole; of others the list's error tells, after its last name, as in
 * dump/: a walk finds nothing that it cannot look at. */
static int backups_list_file(struct request *r, const struct backup_folder *dir,
                             struct madeset *set, size_t i, struct names *out)
{
    const struct tarball_reader reader = {request_interrupted, r};
    const char *name = madeset_name(set, i);
    struct err e = {0};
    uint64_t size;
    int rc = madeset_size(set, i, &reader, &size, &e);
    if (rc == 0)
        return names_add(out, name, backupfile_ino(dir->path, name), S_IFREG);
    autofree char *path = path_join(dir->path, name);
    rc = path ? backup_sets_failed(r->fs, path, rc, &e) : -ENOMEM;
    if (rc == -EINTR || rc == -ENOMEM)
        return rc;
    out->error = rc;
    return 0;
}

static int backups_set_list(struct request *r, struct node *node, struct names *out)
{
    const struct backup_folder *dir = (const struct backup_folder *)node;
    cleanup(backup_sets_unrefp) struct backup_sets *sets = NULL;
    struct madeset *set;
    int rc = backup_sets_now(r, dir->db, true, &sets);
    if (rc == -ENOENT && !dir->db)
        return 0; /* there is no store */
    if (rc == 0)
        rc = backup_sets_get(r, sets, dir->format, dir->db, &set);
    for (size_t i = 0; rc == 0 && i < madeset_count(set); i++)
        rc = backups_list_file(r, dir, set, i, out);
    return rc;
}

/* The time that a name of a portable set begins with: 20160611T120000Z and a dot. */
static bool backups_base(const char *name, char base[MADESET_BASE])
{
    static const char form[] = "ddddddddTddddddZ.";
    size_t i = 0;
    while (form[i] && (form[i] == 'd' ? isdigit((unsigned char)name[i]) != 0 : name[i] == form[i]))
        i++;
    if (form[i])
        return false;
    memcpy(base, name, MADESET_BASE - 1);
    base[MADESET_BASE - 1] = 0;
    return true;
}

static int backups_find_file(struct request *r, const struct backup_folder *dir,
                             struct backup_sets *sets, const char *name, struct node **child)
{
    struct madeset *set;
    size_t i = 0;
    int rc = backup_sets_get(r, sets, dir->format, dir->db, &set);
    if (rc == 0 && !madeset_find(set, name, &i))
        rc = -ENOENT;
    return rc < 0 ? rc : backupfile_lookup(r, &dir->node, dir->path, sets, set, i, child);
}

/* The databases that there are. The caller releases *out with partmeta_free. */
static int backups_databases(struct request *r, struct partmeta **out)
{
    struct err e = {0};
    struct instant *i;
    int rc = parts_instant(r, NULL, "backup/", &i);
    if (rc < 0)
        return rc;
    rc = selected_read_meta(tarball_capture(instant_tarball(i)), out, &e);
    instant_put(i);
    return rc < 0 ? backup_sets_failed(r->fs, "backup/", rc, &e) : 0;
}

/* The folder of a database that has points. */
static int backups_find_database(struct request *r, const struct backup_folder *dir,
                                 const char *name, struct node **child)
{
    cleanup(backup_sets_unrefp) struct backup_sets *sets = NULL;
    cleanup(partmeta_freep) struct partmeta *m = NULL;
    char coded[DUMP_NAME_MAX + 1], path[PATH_MAX_HERE];
    struct madeset *set;
    int rc = backups_databases(r, &m);
    for (size_t i = 0; rc == 0 && i < partmeta_count(m); i++) {
        const char *db = partmeta_name(m, i);
        dump_name_folder((struct slice){db, strlen(db)}, coded);
        if (strcmp(coded, name) != 0)
            continue;
        rc = backup_sets_now(r, db, false, &sets);
        if (rc == 0)
            rc = backup_sets_get(r, sets, dir->format, db, &set);
        snprintf(path, sizeof(path), PORTABLE "/%s", coded);
        return rc < 0 ? rc : backups_folder(r->fs, &dir->node, dir->format, path, db, child);
    }
    return rc < 0 ? rc : -ENOENT;
}

static int backups_set_lookup(struct request *r, struct node *node, const char *name,
                              struct node **child)
{
    const struct backup_folder *dir = (const struct backup_folder *)node;
    cleanup(backup_sets_unrefp) struct backup_sets *sets = NULL;
    char base[MADESET_BASE];
    bool portable = dir->format == MADESET_PORTABLE;
    bool based = portable && backups_base(name, base);
    int rc = -ENOENT;
    if (based)
        rc = backup_sets_at(r, dir->db, base, &sets);
    else if (!portable)
        rc = backup_sets_now(r, NULL, false, &sets);
    if (rc == 0)
        rc = backups_find_file(r, dir, sets, name, child);
    return rc == -ENOENT && portable && !dir->db ? backups_find_database(r, dir, name, child) : rc;
}

static const struct node_ops set_ops = {
    .getattr = backups_getattr,
    .free = node_free,
    .lookup = backups_set_lookup,
    .list = backups_set_list,
};
