/* SPDX-License-Identifier: MIT */
#include "store/chain/cutuse.h"

#include "store/base/cleanup.h"
#include "store/chain/cuts_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TRIES 20 /* a fold of what comes before may come in between */

struct cutuse {
    struct cuts *cuts;
    int lease;
    struct cut_head head;
    struct cutlist *list;
    struct file_attr top;
};

void cutuse_end(struct cutuse *u)
{
    if (!u)
        return;
    cutlist_free(u->list);
    cleanup_close(&u->lease);
    free(u);
}

struct cuts *cutuse_cuts(const struct cutuse *u)
{
    return u->cuts;
}

const struct cut_head *cutuse_head(const struct cutuse *u)
{
    return &u->head;
}

const struct cutlist *cutuse_list(const struct cutuse *u)
{
    return u->list;
}

const struct file_attr *cutuse_top(const struct cutuse *u)
{
    return &u->top;
}

static int cutuse_open(const struct cutuse *u, bool check, struct cutstream **out, struct err *e)
{
    int r = -ENOENT;
    for (int i = 0; r == -ENOENT && i < TRIES; i++)
        r = cuts_open_stream(u->cuts, u->head.serial, check, out, e);
    return r;
}

/* One attempt. -ENOENT: a fold has just made it the base, as it may, since its files stay. */
static int cutuse_try_list(struct cutuse *u, struct err *e)
{
    char name[32];
    struct cut_info info;
    autoclose int fd = cuts_folder(u->cuts, e);
    int r = fd < 0 ? fd : cuts_by_serial(u->cuts, u->head.serial, &info, e);
    if (r < 0)
        return r;
    u->head = info.head;
    u->head.parent[0] = 0;
    u->head.lost = (struct cut_lost){0};
    u->head.guard = CUT_GUARD_FINE;
    cuts_file_name(&info, name);
    return cutlist_read_rest(fd, name, &u->list, e);
}

static int cutuse_read_list(struct cutuse *u, struct err *e)
{
    int r = -ENOENT;
    for (int i = 0; r == -ENOENT && i < TRIES; i++)
        r = cutuse_try_list(u, e);
    return r;
}

int cutuse_begin(struct cuts *c, uint64_t serial, struct cutuse **out, struct err *e)
{
    cleanup(cutuse_endp) struct cutuse *u = calloc(1, sizeof(*u));
    cleanup(cutstream_freep) struct cutstream *s = NULL;
    const struct cut_entry *first = NULL;
    if (!u)
        return err_sys(e, -ENOMEM, "cuts");
    *u = (struct cutuse){.cuts = c, .head.serial = serial, .lease = cuts_lease(c, serial, e)};
    /* Where nothing can be written, nobody folds. */
    int r = u->lease < 0 && u->lease != -EROFS ? u->lease : cutuse_open(u, true, &s, e);
    if (r == 0)
        r = cutstream_next(s, &first, e);
    if (r == 0 && first)
        u->top = first->attr;
    if (r == 0)
        r = cutuse_read_list(u, e);
    if (r == 0)
        *out = steal_ptr(&u);
    return r;
}

int cutuse_stream(const struct cutuse *u, struct cutstream **out, struct err *e)
{
    struct cut_info now;
    int r = cuts_by_serial(u->cuts, u->head.serial, &now, e);
    if (r == 0 && strcmp(now.head.id, u->head.id) != 0)
        r = err_set(e, -ESTALE, "cut %s is not the one of before any more", u->head.id);
    return r < 0 ? r : cutuse_open(u, false, out, e);
}

int cutuse_find(const struct cutuse *u, const char *path, struct cut_entry *out, struct err *e)
{
    cleanup(cutstream_freep) struct cutstream *s = NULL;
    const struct cut_entry *found = NULL;
    int r = cutuse_stream(u, &s, e);
    if (r == 0)
        r = cutstream_seek(s, path, e);
    if (r == 0)
        r = cutstream_next(s, &found, e);
    if (r < 0 || !found || strcmp(found->path, path) != 0)
        return r < 0 ? r : -ENOENT;
    *out = *found;
    out->path = NULL;
    return 0;
}
