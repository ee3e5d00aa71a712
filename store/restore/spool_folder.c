/* SPDX-License-Identifier: MIT */
#include "store/restore/spool_folder.h"

#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/base/io.h"
#include "store/base/rmtree.h"
#include "store/restore/slot.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define PLACE "sets" /* in the state folder */

struct spool_folder {
    int state;          /* the state folder it is in; -1: */
    struct target data; /* the target whose side folder it is in; owns name and parent */
    char name[SLOT_NAME_BYTES];
    int fd;
};

/* Opens the folder of all of them. */
static int place_open(int state, const struct target *data, bool make)
{
    if (state < 0) {
        int r = make ? target_make_side(data, SIDE_SETS, 0700) : 0;
        return r < 0 ? r : target_open_side(data, SIDE_SETS);
    }
    if (make && mkdirat(state, PLACE, 0700) < 0 && errno != EEXIST)
        return -errno;
    return io_open_beneath(state, PLACE, O_RDONLY | O_DIRECTORY);
}

static void place_remove_if_empty(int state, const struct target *data)
{
    if (state < 0)
        target_remove_empty_side(data, SIDE_SETS);
    else
        unlinkat(state, PLACE, AT_REMOVEDIR);
}

static bool is_in_one(const void *ctx, const char *path, const struct statx *st)
{
    (void)ctx;
    return *path ? S_ISREG(st->stx_mode) && !strchr(path, '/') : S_ISDIR(st->stx_mode);
}

static int spool_folder_remove(int place, const char *name)
{
    return rmtree(place, name, &(struct rmtree_of){is_in_one, NULL}, NULL, NULL);
}

/* Files of a set are unpacked from there: on another disk they might not find room. */
static bool on_disk_of(int state, const struct target *data)
{
    struct stat a, b;
    return state >= 0 && fstat(state, &a) == 0 && fstat(data->parent, &b) == 0 &&
           a.st_dev == b.st_dev;
}

static int spool_folder_make(struct spool_folder *f)
{
    autoclose int place = place_open(f->state, &f->data, true);
    return place < 0 ? place : slot_make(place, f->name, &f->fd);
}

static void spool_folder_close(struct spool_folder *f)
{
    cleanup_close(&f->fd);
    cleanup_close(&f->data.parent);
    free(f->data.name);
    free(f);
}

int spool_folder_new(int state, struct targets *t, struct spool_folder **out, struct err *e)
{
    const struct target *data = &t->at[TARGET_DATA];
    int r = targets_make_parents(t, e);
    if (r < 0)
        return r;
    struct spool_folder *f = calloc(1, sizeof(*f));
    if (!f)
        return err_sys(e, -ENOMEM, "restore");
    f->fd = -1;
    f->state = on_disk_of(state, data) && !data->inside ? state : -1;
    f->data = *data;
    f->data.path = NULL;
    f->data.name = strdup(data->name);
    f->data.parent = fcntl(data->parent, F_DUPFD_CLOEXEC, 0);
    r = f->data.parent < 0 ? -errno : f->data.name ? -ENOENT : -ENOMEM;
    for (int tries = 0; r == -ENOENT && tries < SLOT_TRIES; tries++)
        r = spool_folder_make(f);
    if (r < 0) {
        spool_folder_close(f);
        return err_sys(e, r, "%s: no place beside it for the files of a set", data->path);
    }
    *out = f;
    return 0;
}

int spool_folder_fd(const struct spool_folder *f)
{
    return f->fd;
}

bool spool_folder_is_inside(const struct spool_folder *f)
{
    return f->state < 0 && f->data.inside;
}

void spool_folder_free(struct spool_folder *f)
{
    if (!f)
        return;
    autoclose int place = place_open(f->state, &f->data, false);
    if (place >= 0)
        spool_folder_remove(place, f->name);
    place_remove_if_empty(f->state, &f->data);
    spool_folder_close(f);
}

static bool spool_folders_tidy_in(int state, const struct target *data)
{
    bool any = false;
    cleanup(dir_free) struct dir list = {0};
    autoclose int place = place_open(state, data, false);
    if (place < 0 || dir_read(place, &list) < 0)
        return false;
    for (size_t i = 0; i < list.n; i++)
        if (slot_is_name(list.names[i]) && slot_is_dead(place, list.names[i]))
            any |= spool_folder_remove(place, list.names[i]) == 0;
    place_remove_if_empty(state, data);
    return any;
}

void spool_folders_tidy(int state, const struct targets *t, struct err *said)
{
    struct target data = t->at[TARGET_DATA];
    bool any = state >= 0 && spool_folders_tidy_in(state, &data);
    for (int inside = 0; inside < 2; inside++) {
        data.inside = inside;
        any |= spool_folders_tidy_in(-1, &data);
    }
    said->text[0] = 0;
    if (any)
        err_set(said, 0, "removed files of a set that was not received to its end");
}
