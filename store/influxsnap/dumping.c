/* SPDX-License-Identifier: MIT */
/* influxsnap dump: a measurement as text, read from the files, whether influxd runs or not. */
#include "store/base/cleanup.h"
#include "store/export/dump.h"
#include "store/influxsnap/meter.h"
#include "store/influxsnap/outfile.h"
#include "store/influxsnap/snap.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct dumping {
    FILE *to;
    const char *name; /* of it */
    struct meter meter;
};

static int copy(struct dump *dump, struct dumping *to, struct err *e)
{
    char buf[64 << 10];
    ssize_t n;
    while ((n = dump_read(dump, buf, sizeof(buf), e)) > 0) {
        if (snap_stopped(NULL))
            return err_set(e, -EINTR, "interrupted");
        errno = 0;
        if (fwrite(buf, 1, (size_t)n, to->to) != (size_t)n)
            return err_sys(e, errno ? -errno : -EIO, "%s", to->name);
        meter_add(&to->meter, (size_t)n);
    }
    return (int)n;
}

static int dump_to(struct snap *s, struct dumping *d, struct err *e)
{
    const struct options *o = &s->o;
    const struct dump_query q = {.db = o->args[0],
                                 .rp = o->args[1],
                                 .measurement = o->args[2],
                                 .n = strlen(o->args[2]),
                                 .from = o->from,
                                 .to = o->to,
                                 .format = o->format};
    cleanup(contents_unrefp) struct contents *contents = NULL;
    cleanup(dump_freep) struct dump *dump = NULL;
    struct tarball *t;
    int r = snapshots_now(s->snapshots, &snap_reader, &t, e);
    if (r < 0)
        return r;
    meter_begin(&d->meter, "dumping", 0);
    r = contents_open((struct capture *)tarball_capture(t), snapshots_catalog(s->snapshots),
                      &contents, e);
    if (r == 0)
        r = dump_open(contents, &q, &dump, e);
    if (r == 0)
        r = copy(dump, d, e);
    dump_free(steal_ptr(&dump));
    meter_end(&d->meter);
    snapshots_put(s->snapshots, t);
    return r;
}

/* The bytes written to the stream must have arrived. */
static int flush(struct dumping *d, struct err *e)
{
    errno = 0;
    return fflush(d->to) == 0 ? 0 : err_sys(e, errno ? -errno : -EIO, "%s", d->name);
}

static int dump_to_file(struct snap *s, const char *path, struct err *e)
{
    struct dumping d = {.name = path};
    cleanup(outfile_closep) struct outfile *file = NULL;
    int r = outfile_open(path, &file, e);
    if (r < 0)
        return r;
    int fd = dup(outfile_fd(file));
    d.to = fd < 0 ? NULL : fdopen(fd, "w");
    if (!d.to) {
        r = err_sys(e, -errno, "%s", path);
        cleanup_close(&fd);
        return r;
    }
    r = dump_to(s, &d, e);
    if (r == 0)
        r = flush(&d, e);
    fclose(d.to); /* nothing is left in it, unless it failed */
    return r < 0 ? r : outfile_commit(file, "", e);
}

int snap_dump(struct snap *s)
{
    struct err e = {0};
    struct dumping d = {.to = stdout, .name = "standard output"};
    int r = snap_open(s, SNAP_SNAPSHOTS, &e);
    if (r == 0 && s->o.output)
        r = dump_to_file(s, s->o.output, &e);
    else if (r == 0 && (r = dump_to(s, &d, &e)) == 0)
        r = flush(&d, &e);
    return r < 0 ? snap_fail(r, &e) : EXIT_DONE;
}
