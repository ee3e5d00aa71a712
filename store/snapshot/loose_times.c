/* SPDX-License-Identifier: MIT */
/* From when to when loose shards have points. */
#include "store/snapshot/loose_internal.h"

#include "store/base/cleanup.h"
#include "store/influx/names.h"
#include "store/influx/tsmfile.h"
#include "store/influx/walentry.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>

struct loose_times {
    const struct loose_reader *reader;
    int64_t min, max;
    bool any;
};

static bool is_stopped(const struct loose_times *t)
{
    return t->reader->stop && t->reader->stop(t->reader->arg);
}

static void times_add(struct loose_times *t, int64_t min, int64_t max)
{
    t->min = !t->any || min < t->min ? min : t->min;
    t->max = !t->any || max > t->max ? max : t->max;
    t->any = true;
}

/* The file and its descriptor, as a source of bytes. */
struct opened {
    const struct loose_file *file;
    int fd;
};

static int times_read(void *ctx, void *buf, size_t n, uint64_t off, struct err *e)
{
    const struct opened *o = ctx;
    return loose_read(o->file, o->fd, buf, n, off, e);
}

static int times_of_tsm(struct loose_times *t, const struct source *s, struct err *e)
{
    cleanup(tsmfile_freep) struct tsmfile *f = NULL;
    struct tsmfile_key key;
    int r = tsmfile_open(s, &f, e);
    if (r < 0)
        return r;
    tsmfile_seek(f, NULL, 0);
    while ((r = tsmfile_next(f, &key, e)) == 1) {
        times_add(t, key.min, key.max);
        if (is_stopped(t))
            return err_set(e, -EINTR, "interrupted");
    }
    return r;
}

static int add_value(void *ctx, int64_t time, const union value *v, const char *text)
{
    struct loose_times *t = ctx;
    (void)v, (void)text;
    times_add(t, time, time);
    return 0;
}

static int stop_at_key(void *ctx, const char *key, size_t len, enum value_type type, size_t count)
{
    (void)key, (void)len, (void)type, (void)count;
    return is_stopped(ctx) ? -EINTR : 0;
}

static int times_of_file(struct loose_times *t, const struct loose_file *f, struct err *e)
{
    struct opened o = {f, open(f->path, O_RDONLY | O_CLOEXEC)};
    const struct source s = {times_read, &o, f->m.attr.size, f->path};
    const struct walentry_visitor v = {.key = stop_at_key, .value = add_value, .ctx = t};
    struct err why = {""};
    int r;
    if (o.fd < 0)
        return err_sys(e, -errno, "%s", f->path);
    r = f->m.wal_cut ? walread(&s, &v, &why) : times_of_tsm(t, &s, &why);
    close(o.fd);
    if (r == 0 && f->m.wal_cut && f->m.wal_cut->nbad)
        err_set(&why, 0, "%s: damaged at byte %" PRIu64, f->path, f->m.wal_cut->bad_at);
    if (r == -EBADMSG || (r == 0 && why.text[0])) {
        t->reader->say(t->reader->arg, why.text);
        return 0;
    }
    return r < 0 ? err_set(e, r, "%s", why.text[0] ? why.text : f->path) : 0;
}

int loose_times(const struct loose *l, size_t i, const struct loose_reader *reader, int64_t *min,
                int64_t *max, struct err *e)
{
    const struct loose_part *p = &l->parts[i];
    struct loose_times t = {.reader = reader};
    int r = 0;
    for (size_t k = 0; r == 0 && k < p->ndata; k++)
        if (name_is_tsm(l->data.list[p->data + k].m.name))
            r = times_of_file(&t, &l->data.list[p->data + k], e);
    for (size_t k = 0; r == 0 && k < p->nwal; k++)
        r = times_of_file(&t, &l->wal.list[p->wal + k], e);
    if (r < 0)
        return r;
    *min = t.min;
    *max = t.max;
    return t.any;
}
