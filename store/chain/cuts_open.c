/* SPDX-License-Identifier: MIT */
#include "store/base/cleanup.h"
#include "store/chain/cuts_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static void seed_get(void *ctx, size_t i, struct catalog_file *f)
{
    const struct cut_entry *e = &((const struct cut_entry *)ctx)[i];
    *f = (struct catalog_file){.path = e->path,
                               .ino = e->ino,
                               .size = e->attr.size,
                               .mtime_ns = e->attr.mtime_ns,
                               .index = e->index,
                               .have_sum = e->have_sum};
    memcpy(f->sum, e->sum, SHA256_BYTES);
}

/* A catalogue that is new or was begun anew continues from the newest cut. */
static int open_seed_catalog(struct cuts *c, struct err *e)
{
    struct catalog *catalog = snapshots_catalog(c->snapshots);
    struct cut_info newest = {0};
    if (!catalog_is_new(catalog))
        return 0;
    int r = cuts_latest(c, &newest, e);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    cleanup(cutstate_unrefp) struct cutstate *s = NULL;
    r = cuts_build_state(c, newest.head.serial, &s, e);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    struct catalog_record rec;
    cut_record(cutstate_head(s), &rec);
    struct catalog_files view = {.get = seed_get};
    view.ctx = (void *)cutstate_entries(s, &view.n);
    return catalog_seed(catalog, &rec, &view, e);
}

int cuts_open(struct snapshots *s, const char *state, struct cuts **out, struct err *e)
{
    struct cuts *c = calloc(1, sizeof(*c));
    if (!c)
        return err_sys(e, -ENOMEM, "cuts");
    pthread_mutex_init(&c->lock, NULL);
    c->snapshots = s;
    c->fd = -1;
    c->state_fd = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = c->state_fd < 0 ? err_sys(e, -errno, "the state folder %s", state) : 0;
    c->state = strdup(state);
    if (r == 0 && !c->state)
        r = err_sys(e, -ENOMEM, "cuts");
    if (r == 0 && s) {
        /* A broken chain fails later calls that need cuts; everything else works. */
        r = open_seed_catalog(c, e);
        r = r == -EBADMSG || r == -EINVAL ? 0 : r;
    }
    if (r < 0) {
        cuts_close(c);
        return r;
    }
    *out = c;
    return 0;
}

void cuts_close(struct cuts *c)
{
    if (!c)
        return;
    cleanup_close(&c->fd);
    cleanup_close(&c->state_fd);
    free(c->list);
    free(c->state);
    pthread_mutex_destroy(&c->lock);
    free(c);
}
