/* SPDX-License-Identifier: MIT */
/* The snapshots of a restore, written one by one into its session, from wherever they come. */
#include "store/base/cleanup.h"
#include "store/base/path.h"
#include "store/influxsnap/remember.h"
#include "store/influxsnap/restoring_internal.h"
#include "store/restore/upload.h"

#define PIECE (1u << 20)

/* A file, as a stream. */
struct poured_file {
    const char *path;
    int fd;
    char *buf;
};

static ssize_t pull_file(void *arg, const void **block, struct err *e)
{
    const struct poured_file *f = arg;
    ssize_t n = snap_stopped(NULL) ? -1 : read(f->fd, f->buf, PIECE);
    *block = f->buf;
    if (snap_stopped(NULL))
        return -EINTR;
    return n < 0 ? err_sys(e, -errno, "%s", f->path) : n;
}

/* unread: why it could not be pulled, which names what could not. */
static int pour_stream(struct restoring *r, const struct tar_stream *in, struct upload *u,
                       struct err *unread, struct err *e)
{
    const void *block;
    ssize_t n;
    int ret = 0;
    for (uint64_t at = 0; ret == 0; at += (uint64_t)n) {
        n = in->pull(in->arg, &block, unread);
        if (n <= 0)
            return (int)n;
        ret = upload_write(u, block, (size_t)n, at, &snap_reader, e);
        meter_add(&r->meter, (uint64_t)n);
        logtail_follow(&r->tail, &r->meter);
    }
    return ret;
}

/* The upload's name: without leading dots, which mean "not yet". */
static const char *name_of(const char *path)
{
    path = path_last(path);
    path += strspn(path, ".");
    return *path ? path : "snapshot";
}

/* What an upload says, which may begin with its name, of the file. */
static int pour_blame(const char *path, int code, const struct err *why, struct err *e)
{
    const char *name = name_of(path), *text = why->text;
    const size_t n = strlen(name);
    if (strncmp(text, name, n) == 0 && strncmp(text + n, ": ", 2) == 0)
        text += n + 2;
    return err_set(e, code, "%s: %s", path, text);
}

/* called: the name that it gets. q: what is asked of it; NULL for a number, which is for the full
 * snapshot after it. */
static int pour(struct restoring *r, const struct tar_stream *in, const char *called,
                const struct restore_request *q, struct err *e)
{
    struct err why = {0}, unread = {0};
    cleanup(upload_freep) struct upload *u = NULL;
    int ret = upload_new(r->session, name_of(called), q, &u);
    if (ret < 0)
        return err_sys(e, ret, "%s", in->name);
    upload_open(u);
    ret = pour_stream(r, in, u, &unread, &why);
    if (ret == 0)
        ret = upload_flush(u, &snap_reader, &why);
    if (ret == -EINTR) { /* unless an exchange has begun: that is waited for */
        upload_abandon(u, "interrupted", NULL);
        ret = upload_restored(u) ? 0 : err_set(&why, -EINTR, "interrupted; the store is as it was");
    }
    upload_close(u);
    logtail_follow(&r->tail, &r->meter);
    if (ret < 0 && !why.text[0] && unread.text[0])
        return err_set(e, ret, "%s", unread.text);
    return ret < 0 ? pour_blame(in->name, ret, &why, e) : 0;
}

static int pour_file(struct restoring *r, const char *path, const struct restore_request *q,
                     struct err *e)
{
    autofree char *buf = malloc(PIECE);
    autoclose int fd = buf ? tar_open(&path) : -1;
    struct poured_file f = {path, fd, buf};
    const struct tar_stream in = {.name = path, .pull = pull_file, .arg = &f};
    if (fd < 0)
        return err_sys(e, buf ? -errno : -ENOMEM, "%s", path);
    return pour(r, &in, path, q, e);
}

static int pour_set(struct restoring *r, struct err *e)
{
    struct tar_stream in;
    setlook_stream(r->influxd, &in);
    autofree char *full = remember_path(in.name); /* "." has no name */
    return pour(r, &in, full ? full : in.name, &r->request, e);
}

/* q: as pour. */
static int pour_one(struct restoring *r, const struct tarset_file *f,
                    const struct restore_request *q, struct err *e)
{
    const struct tar_stream *in = restoring_stream_of(r, f);
    return in ? pour(r, in, in->name, q, e) : pour_file(r, f->path, q, e);
}

/* The full snapshot comes last: by then the numbers have been checked. */
int restoring_pour(struct restoring *r, struct err *e)
{
    const struct tarset_file *full = NULL;
    if (r->influxd)
        return pour_set(r, e);
    if (restoring_stdin(r))
        return pour_file(r, RESTORING_STDIN, &r->request, e);
    for (size_t i = 0; i < r->set.n; i++) {
        const struct tarset_file *f = &r->set.at[i];
        int ret = 0;
        if (f->superseded)
            continue;
        if (f->m->kind != MANIFEST_INCREMENTAL)
            full = f;
        else
            ret = pour_one(r, f, NULL, e);
        if (ret < 0)
            return ret;
    }
    return full ? pour_one(r, full, &r->request, e) : 0;
}
