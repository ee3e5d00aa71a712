/* SPDX-License-Identifier: MIT */
#include "fs/uploads.h"

#include "fs/reports.h"
#include "fs/uploads_internal.h"
#include "store/base/cleanup.h"

#include <errno.h>
#include <stdlib.h>

/* One entry whose time has come, the deepest first. */
static struct upload_entry *uploads_next_expired(struct upload_entry *dir)
{
    for (struct upload_entry *e = dir->children; e; e = e->next) {
        if (e->set && upload_set_stays(e))
            continue;
        struct upload_entry *below = e->folder ? uploads_next_expired(e) : NULL;
        if (below)
            return below;
        if (!e->children && !e->fixed && lifetime_over(&e->life, LIFE_UPLOAD))
            return e;
    }
    return NULL;
}

static void uploads_free_orphans(struct uploads *d)
{
    pthread_mutex_lock(&d->lock);
    struct orphan *o = steal_ptr(&d->orphans), *next;
    pthread_mutex_unlock(&d->lock);
    for (; o; o = next) {
        next = o->next;
        upload_free(o->upload);
        free(o);
    }
}

void uploads_expire(struct fs *fs)
{
    struct uploads *d = fs->uploads;
    uploads_free_orphans(d);
    upload_set_expire(d);
    if (fs->restore)
        session_expire(fs->restore);
    for (;;) {
        struct upload *upload = NULL;
        pthread_mutex_lock(&d->lock);
        struct upload_entry *e = uploads_next_expired(&d->root);
        if (e) {
            upload_tree_take(e);
            upload = upload_file_end(e);
        }
        pthread_mutex_unlock(&d->lock);
        if (!e)
            return;
        upload_free(upload);
        node_unpin(fs->nodes, &e->node);
    }
}

static const struct node_ops uploads_ops = {
    .getattr = upload_attr_get,
    .free = upload_entry_free,
    .lookup = upload_folder_lookup,
    .list = upload_folder_list,
    .create = upload_folder_create,
    .mkdir = upload_folder_mkdir,
    .unlink = upload_folder_unlink,
    .rename = upload_folder_rename,
    .open = upload_file_open,
    .read = upload_file_read,
    .write = upload_file_write,
    .flush = upload_file_flush,
    .release = upload_file_release,
    .setattr = upload_attr_set,
    .setxattr = upload_attr_setxattr,
    .getxattr = upload_attr_getxattr,
    .listxattr = upload_attr_listxattr,
    .removexattr = upload_attr_removexattr,
};

static const struct node_ops uploads_set_file_ops = {
    .getattr = upload_attr_get,
    .free = upload_entry_free,
    .open = upload_set_open,
    .read = upload_set_read,
    .write = upload_set_write,
    .flush = upload_set_flush,
    .release = upload_set_release,
    .setattr = upload_attr_set,
    .setxattr = upload_attr_setxattr,
    .getxattr = upload_attr_getxattr,
    .listxattr = upload_attr_listxattr,
    .removexattr = upload_attr_removexattr,
};

int uploads_new(struct fs *fs, struct node **out)
{
    struct uploads *d = calloc(1, sizeof(*d));
    if (!d)
        return -ENOMEM;
    pthread_mutex_init(&d->lock, NULL);
    d->fs = fs;
    d->next_ino = INO_UPLOADS;
    d->set_file_ops = &uploads_set_file_ops;
    int r = report_restore_log(fs, &d->log);
    if (r == 0)
        r = report_restore_status(fs, &d->status);
    if (r == 0)
        r = upload_tree_make(d, &uploads_ops);
    if (r < 0) {
        uploads_free(d);
        return r;
    }
    fs->uploads = d;
    *out = &d->root.node;
    return 0;
}

void uploads_free(struct uploads *d)
{
    if (!d)
        return;
    uploads_free_orphans(d);
    pthread_mutex_destroy(&d->lock);
    free(d);
}
