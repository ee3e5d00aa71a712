/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/archive_tar.h"

#include "store/base/cleanup.h"
#include "store/base/path.h"
#include "store/influxsnap/tarlook.h"

#include <errno.h>
#include <stdlib.h>

#define PIECE (64u << 10) /* where only the beginning is wanted */

struct archive_tar {
    struct remote *remote;
    const struct receipt *receipt;
    char *folder;
    size_t next; /* object */
    struct remote_reader *reader;
    char buf[PIECE];
};

static void archive_tar_close(struct archive_tar *t)
{
    remote_read_close(t->reader);
    free(t->folder);
    free(t);
}

static void archive_tar_closep(struct archive_tar **t)
{
    if (*t)
        archive_tar_close(*t);
}

static int archive_tar_open_next(struct archive_tar *t, struct err *e)
{
    const struct receipt_object *o = &t->receipt->objects[t->next++];
    autofree char *path = path_join(t->folder, o->name);
    return path ? remote_read_open(t->remote, path, o->size, &t->reader, e)
                : err_sys(e, -ENOMEM, "%s", o->name);
}

static ssize_t archive_tar_pull(void *arg, const void **block, struct err *e)
{
    struct archive_tar *t = arg;
    *block = t->buf;
    for (;;) {
        ssize_t n = t->reader ? remote_read(t->reader, t->buf, sizeof(t->buf), e) : 0;
        if (n != 0)
            return n;
        remote_read_close(t->reader);
        t->reader = NULL;
        if (t->next == t->receipt->nobjects)
            return 0;
        int r = archive_tar_open_next(t, e);
        if (r < 0)
            return r;
    }
}

int archive_tar_manifest(struct remote *r, const char *format, const struct archived_run *run,
                         struct manifest **out, struct err *e)
{
    cleanup(archive_tar_closep) struct archive_tar *t = calloc(1, sizeof(*t));
    if (!t || !(t->folder = dayname_folder(format, run->day, DAYNAME_SHARDS)))
        return err_sys(e, -ENOMEM, "%s", run->name);
    t->remote = r;
    t->receipt = &run->receipt;
    const struct tar_stream in = {.name = run->name, .pull = archive_tar_pull, .arg = t, .fd = -1};
    return tar_manifest_stream(&in, out, e);
}
