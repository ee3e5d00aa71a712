/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/setlook.h"

#include "store/base/cleanup.h"
#include "store/base/json.h"
#include "store/influxsnap/snap.h"
#include "store/influxsnap/tempfolder.h"
#include "store/restore/plain.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PIECE (256u << 10)

struct setlook {
    const char *path;
    struct tempfolder *unpacked; /* NULL: the set is a folder itself: */
    int folder;
    struct set *set;
    struct meter *judged; /* progress while it is; else NULL */
};

bool setlook_is_set(const char *path)
{
    enum set_name kind = SET_NO_NAME;
    struct stat st;
    autoclose int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    autofree char *head = malloc(SET_TAR_HEAD);
    if (fd < 0 || !head || fstat(fd, &st) < 0)
        return false;
    if (S_ISDIR(st.st_mode))
        return set_folder_kind(fd, &kind) == 0 && kind != SET_NO_NAME;
    ssize_t n = S_ISREG(st.st_mode) ? pread(fd, head, SET_TAR_HEAD, 0) : -1;
    return n > 0 && set_tar_begins(head, (size_t)n, (size_t)n < SET_TAR_HEAD) == 1;
}

/* Progress while it is judged */

static int stop(void *arg)
{
    return snap_stopped(arg) ? -EINTR : 0;
}

static void pass_file(void *arg, const char *name, uint64_t size)
{
    const struct setlook *l = arg;
    if (l->judged)
        meter_file(l->judged, name, size);
}

static void pass_progress(void *arg, uint64_t n)
{
    const struct setlook *l = arg;
    if (l->judged)
        meter_add(l->judged, n);
}

/* A tar of a set */

struct tar_file {
    const char *path;
    int fd;
    char *buf;
};

static ssize_t pull_file(void *arg, const void **block, struct err *e)
{
    const struct tar_file *f = arg;
    ssize_t n = read(f->fd, f->buf, PIECE);
    *block = f->buf;
    return n < 0 ? err_sys(e, -errno, "%s", f->path) : n;
}

struct unpacking {
    const struct tar_stream *in;
    struct meter *meter;
    struct err why; /* in itself names what could not be read */
};

static ssize_t pull_unpacking(void *arg, int if_ended, const void **block)
{
    struct unpacking *u = arg;
    (void)if_ended;
    ssize_t n = u->in->pull(u->in->arg, block, &u->why);
    if (n > 0)
        meter_add(u->meter, (uint64_t)n);
    return n;
}

static int setlook_unpack(struct setlook *l, const struct tar_stream *in, struct err *e)
{
    struct err why = {0};
    struct meter meter;
    struct unpacking u = {.in = in, .meter = &meter};
    const struct tar_input input = {pull_unpacking, stop, &u};
    int r = tempfolder_new(&l->unpacked, e);
    if (r < 0)
        return r;
    meter_begin(&meter, "reading", 0);
    r = set_unpack_tar(&input, tempfolder_fd(l->unpacked), &why);
    meter_end(&meter);
    if (r < 0 && u.why.text[0])
        return err_set(e, r, "%s", u.why.text);
    if (r == 0 || !why.text[0])
        return r < 0 ? err_sys(e, r, "%s", l->path) : 0;
    return err_set(e, r, "%s: %s", l->path, why.text);
}

static int setlook_unpack_file(struct setlook *l, struct err *e)
{
    autofree char *buf = malloc(PIECE);
    autoclose int fd = steal_fd(&l->folder);
    struct tar_file f = {l->path, fd, buf};
    const struct tar_stream in = {.name = l->path, .pull = pull_file, .arg = &f};
    return buf ? setlook_unpack(l, &in, e) : err_sys(e, -ENOMEM, "%s", l->path);
}

/* The set */

static int setlook_judge(struct setlook *l, const struct set_options *how, struct err *e)
{
    struct set_options o = *how;
    struct meter meter;
    o.stop = stop;
    o.file = pass_file;
    o.progress = pass_progress;
    o.arg = l;
    meter_begin(&meter, "reading", 0);
    l->judged = &meter;
    int r = set_open(l->unpacked ? tempfolder_fd(l->unpacked) : l->folder, l->path, &o, &l->set, e);
    l->judged = NULL;
    meter_end(&meter);
    return r;
}

/* in: NULL: what is at the path. */
static int setlook_read(struct setlook *l, const struct tar_stream *in, struct err *e)
{
    struct stat st;
    if (in)
        return setlook_unpack(l, in, e);
    l->folder = open(l->path, O_RDONLY | O_CLOEXEC);
    if (l->folder < 0 || fstat(l->folder, &st) < 0)
        return err_sys(e, -errno, "%s", l->path);
    return S_ISDIR(st.st_mode) ? 0 : setlook_unpack_file(l, e);
}

static int setlook_make(const char *path, const struct tar_stream *in,
                        const struct set_options *how, struct setlook **out, struct err *e)
{
    struct setlook *l = calloc(1, sizeof(*l));
    if (!l)
        return err_sys(e, -ENOMEM, "%s", path);
    *l = (struct setlook){.path = path, .folder = -1};
    int r = setlook_read(l, in, e);
    if (r == 0)
        r = setlook_judge(l, how, e);
    if (r == -EINTR)
        r = err_set(e, r, "interrupted");
    if (r < 0)
        setlook_close(l);
    else
        *out = l;
    return r;
}

int setlook_open(const char *path, const struct set_options *how, struct setlook **out,
                 struct err *e)
{
    return setlook_make(path, NULL, how, out, e);
}

int setlook_open_stream(const struct tar_stream *in, const struct set_options *how,
                        struct setlook **out, struct err *e)
{
    return setlook_make(in->name, in, how, out, e);
}

void setlook_close(struct setlook *l)
{
    if (!l)
        return;
    set_free(l->set);
    cleanup_close(&l->folder);
    tempfolder_free(l->unpacked);
    free(l);
}

const struct set *setlook_set(const struct setlook *l)
{
    return l->set;
}

/* The snapshot that it is */

static ssize_t pull_snapshot(void *arg, const void **block, struct err *e)
{
    struct setlook *l = arg;
    struct err why = {0};
    const ssize_t n = set_next(l->set, block, &why);
    return n < 0 ? err_set(e, (int)n, "%s: %s", l->path, why.text) : n;
}

void setlook_stream(struct setlook *l, struct tar_stream *out)
{
    set_rewind(l->set);
    *out = (struct tar_stream){.name = l->path, .pull = pull_snapshot, .arg = l, .fd = -1};
}

int setlook_verify(struct setlook *l, struct meter *meter, struct advise *advise,
                   struct tar_counts *out, struct err *e)
{
    struct tar_stream in;
    cleanup(manifest_freep) struct manifest *m = NULL;
    setlook_stream(l, &in);
    return tar_verify_stream(&in, meter, advise, out, &m, e);
}

void setlook_tell(const struct setlook *l)
{
    for (size_t i = 0; i < set_notes(l->set); i++) {
        bool warns;
        const char *text = set_note(l->set, i, &warns);
        snap_line(warns ? SNAP_WARN : SNAP_NOTE, "%s: %s", l->path, text);
    }
    tell_left_out(l->path, &set_manifest(l->set)->left_out);
}

bool setlook_omits(const struct setlook *l)
{
    bool warns = false;
    for (size_t i = 0; i < set_notes(l->set) && !warns; i++)
        set_note(l->set, i, &warns);
    return warns || omissions_that_count(&set_manifest(l->set)->left_out) > 0;
}

void setlook_json(const struct setlook *l, struct json_object *o)
{
    struct json_object *notes = json_object_new_array();
    bool warns;
    for (size_t i = 0; i < set_notes(l->set); i++)
        json_object_array_add(notes, json_text(set_note(l->set, i, &warns)));
    json_add(o, "notes", notes);
    json_add(o, "left_out", omissions_json(&set_manifest(l->set)->left_out));
}
