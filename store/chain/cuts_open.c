/* SPDX-License-Identifier: MIT */
#include "store/base/cleanup.h"
#include "store/base/log.h"
#include "store/chain/cuts_internal.h"
#include "store/chain/cutuse.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* The files of a cut, as the catalogue asks for them: one after the other. */
struct seed {
    struct cutstream *files;
    int failed;
    struct err why;
};

static void open_seed_get(void *ctx, size_t i, struct catalog_file *f)
{
    struct seed *s = ctx;
    const struct cut_entry *e = NULL;
    if (i == 0) /* the catalogue may ask for all of them again */
        s->failed = cutstream_restart(s->files, "meta", &s->why);
    if (s->failed == 0)
        s->failed = cutstream_next(s->files, &e, &s->why);
    if (!e)
        return;
    *f = (struct catalog_file){.path = e->path,
                               .ino = e->ino,
                               .size = e->attr.size,
                               .mtime_ns = e->attr.mtime_ns,
                               .index = e->index,
                               .have_sum = e->have_sum};
    memcpy(f->sum, e->sum, SHA256_BYTES);
}

static int open_seed_count(const struct cutuse *use, size_t *n, struct err *e)
{
    cleanup(cutstream_freep) struct cutstream *s = NULL;
    const struct cut_entry *entry;
    int r = cutuse_stream(use, &s, e);
    *n = 0;
    while (r == 0 && (r = cutstream_next(s, &entry, e)) == 0 && entry)
        ++*n;
    return r;
}

/* Files that cannot be read from the manifests now count as new at the next capture. */
static int open_seed(struct catalog *catalog, const struct cutuse *use, struct err *e)
{
    struct seed s = {.failed = 0};
    struct catalog_files files = {.get = open_seed_get, .ctx = &s};
    struct catalog_record rec;
    cut_record(cutuse_head(use), &rec);
    int r = open_seed_count(use, &files.n, e);
    if (r == 0)
        r = cutuse_stream(use, &s.files, e);
    if (r == 0)
        r = catalog_seed(catalog, &rec, &files, e);
    if (s.failed < 0)
        log_error("the catalogue does not know all files of cut %s: %s", rec.id, s.why.text);
    cutstream_free(s.files);
    return r;
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
    cleanup(cutuse_endp) struct cutuse *use = NULL;
    r = cutuse_begin(c, newest.head.serial, &use, e);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    return open_seed(catalog, use, e);
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
        if (r == -ENFILE)
            log_error("the catalogue is begun without the cuts: %s", e ? e->text : "");
        r = r == -EBADMSG || r == -EINVAL || r == -ENFILE ? 0 : r;
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
