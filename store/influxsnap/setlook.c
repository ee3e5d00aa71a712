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
    int fd;
    char *buf;
};

static ssize_t pull(void *arg, int if_ended, const void **block)
{
    struct tar_file *f = arg;
    (void)if_ended;
    ssize_t n = read(f->fd, f->buf, PIECE);
    *block = f->buf;
    return n < 0 ? -errno : n;
}

static int setlook_unpack(struct setlook *l, int fd, struct err *e)
{
    struct err why = {0};
    autofree char *buf = malloc(PIECE);
    struct tar_file f = {fd, buf};
    const struct tar_input in = {pull, stop, &f};
    if (!buf)
        return err_sys(e, -ENOMEM, "%s", l->path);
    int r = tempfolder_new(&l->unpacked, e);
    if (r < 0)
        return r;
    r = set_unpack_tar(&in, tempfolder_fd(l->unpacked), &why);
    if (r == 0 || !why.text[0])
        return r < 0 ? err_sys(e, r, "%s", l->path) : 0;
    return err_set(e, r, "%s: %s", l->path, why.text);
}

/* The set */

static int setlook_read(struct setlook *l, const struct set_options *how, struct err *e)
{
    struct set_options o = *how;
    o.stop = stop;
    o.file = pass_file;
    o.progress = pass_progress;
    o.arg = l;
    l->folder = open(l->path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (l->folder < 0 || fstat(l->folder, &st) < 0)
        return err_sys(e, -errno, "%s", l->path);
    if (!S_ISDIR(st.st_mode)) {
        autoclose int fd = steal_fd(&l->folder);
        int r = setlook_unpack(l, fd, e);
        if (r < 0)
            return r;
    }
    struct meter meter;
    meter_begin(&meter, "reading", 0);
    l->judged = &meter;
    int r = set_open(l->unpacked ? tempfolder_fd(l->unpacked) : l->folder, l->path, &o, &l->set, e);
    l->judged = NULL;
    meter_end(&meter);
    return r;
}

int setlook_open(const char *path, const struct set_options *how, struct setlook **out,
                 struct err *e)
{
    struct setlook *l = calloc(1, sizeof(*l));
    if (!l)
        return err_sys(e, -ENOMEM, "%s", path);
    *l = (struct setlook){.path = path, .folder = -1};
    int r = setlook_read(l, how, e);
    if (r == -EINTR)
        r = err_set(e, r, "interrupted");
    if (r < 0)
        setlook_close(l);
    else
        *out = l;
    return r;
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

int setlook_pour(struct setlook *l, struct upload *u, struct logtail *tail, struct meter *meter,
                 struct err *e)
{
    const void *block;
    ssize_t n;
    int r = 0;
    set_rewind(l->set);
    for (uint64_t at = 0; r == 0 && (n = set_next(l->set, &block, e)) != 0; at += (uint64_t)n) {
        if (n < 0)
            return (int)n;
        r = upload_write(u, block, (size_t)n, at, &snap_reader, e);
        meter_add(meter, (uint64_t)n);
        logtail_follow(tail, meter);
    }
    return r;
}

static ssize_t verify_pull(void *arg, const void **block, struct err *e)
{
    struct setlook *l = arg;
    return set_next(l->set, block, e);
}

int setlook_verify(struct setlook *l, struct meter *meter, struct advise *advise,
                   struct tar_counts *out, struct err *e)
{
    const struct tar_stream in = {.name = l->path, .pull = verify_pull, .arg = l, .fd = -1};
    cleanup(manifest_freep) struct manifest *m = NULL;
    set_rewind(l->set);
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
