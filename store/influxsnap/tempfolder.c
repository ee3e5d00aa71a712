/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/tempfolder.h"

#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/base/io.h"
#include "store/base/rmtree.h"
#include "store/influxsnap/snap.h"
#include "store/restore/slot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct tempfolder {
    int above;      /* TMPDIR */
    char place[32]; /* in it: the folder of all of this user's */
    int in;         /* that folder */
    char name[SLOT_NAME_BYTES];
    int fd;
};

static bool tempfolder_all(const void *ctx, const char *path, const struct statx *st)
{
    (void)ctx, (void)path, (void)st;
    return true;
}

static int tempfolder_remove(const struct tempfolder *t, const char *name, struct err *e)
{
    static const struct rmtree_of all = {tempfolder_all, NULL};
    return rmtree(t->in, name, &all, NULL, e);
}

/* Anybody may make names in TMPDIR. */
static bool is_private(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && st.st_uid == geteuid() && (st.st_mode & 077) == 0;
}

static int tempfolder_make(struct tempfolder *t)
{
    cleanup_close(&t->in);
    if (mkdirat(t->above, t->place, 0700) < 0 && errno != EEXIST)
        return -errno;
    t->in = io_open_beneath(t->above, t->place, O_RDONLY | O_DIRECTORY);
    if (t->in < 0)
        return t->in;
    return is_private(t->in) ? slot_make(t->in, t->name, &t->fd) : -EPERM;
}

static void tempfolder_tidy(const struct tempfolder *t)
{
    cleanup(dir_free) struct dir list = {0};
    if (dir_read(t->in, &list) < 0)
        return;
    for (size_t i = 0; i < list.n; i++)
        if (slot_is_name(list.names[i]) && slot_is_dead(t->in, list.names[i]))
            tempfolder_remove(t, list.names[i], NULL);
}

static void tempfolder_close(struct tempfolder *t)
{
    cleanup_close(&t->fd);
    cleanup_close(&t->in);
    cleanup_close(&t->above);
    free(t);
}

int tempfolder_new(struct tempfolder **out, struct err *e)
{
    const char *above = io_temporary_folder();
    struct tempfolder *t = malloc(sizeof(*t));
    if (!t)
        return err_sys(e, -ENOMEM, "a temporary folder");
    *t = (struct tempfolder){
        .above = open(above, O_PATH | O_DIRECTORY | O_CLOEXEC), .in = -1, .fd = -1};
    snprintf(t->place, sizeof(t->place), "influxsnap-%u", (unsigned)geteuid());
    int r = t->above < 0 ? -errno : -ENOENT;
    for (int tries = 0; t->above >= 0 && r == -ENOENT && tries < SLOT_TRIES; tries++)
        r = tempfolder_make(t);
    if (r < 0) {
        r = err_sys(e, r, "a temporary folder in %s/%s (TMPDIR)", above, t->place);
        tempfolder_close(t);
        return r;
    }
    tempfolder_tidy(t);
    *out = t;
    return 0;
}

int tempfolder_fd(const struct tempfolder *t)
{
    return t->fd;
}

void tempfolder_free(struct tempfolder *t)
{
    struct err why = {""};
    if (!t)
        return;
    if (tempfolder_remove(t, t->name, &why) < 0)
        snap_warn("a temporary folder stays: %s", why.text);
    unlinkat(t->above, t->place, AT_REMOVEDIR); /* unless others are in it */
    tempfolder_close(t);
}
