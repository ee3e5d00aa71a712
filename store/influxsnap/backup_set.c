/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/backup_set.h"

#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/base/io.h"
#include "store/base/json.h"
#include "store/base/path.h"
#include "store/base/time.h"
#include "store/influxsnap/meter.h"
#include "store/influxsnap/outfile.h"
#include "store/influxsnap/remember.h"
#include "store/influxsnap/selecting.h"
#include "store/influxsnap/stream.h"
#include "store/influxsnap/telling.h"
#include "store/sets/madeset.h"
#include "store/sets/set.h"
#include "store/sets/set_name.h"
#include "store/snapshot/damage.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#define PIECE (1u << 20)

struct set_backup {
    struct snap *s;
    const char *folder;
    int fd; /* of the folder, locked */
    struct tarball *now;
    struct madeshards *shards;
    struct madeset *set;
    size_t written; /* files */
    uint64_t bytes;
};

int backup_set_check(const struct options *o, struct err *e)
{
    if (!o->format.set)
        return o->format.given ? err_set(e, -EINVAL, "--format of a backup is portable or legacy")
                               : 0;
    if (strcmp(o->args[0], "-") == 0)
        return err_set(e, -EINVAL, "a set needs a folder, not -");
    if (o->compress)
        return err_set(e, -EINVAL, "--compress is for snapshots; influxd reads no compressed set");
    return o->host ? err_set(e, -EINVAL, "--format is for the store of this machine, not --host")
                   : 0;
}

static const char *set_backup_kind(const struct set_backup *b)
{
    return b->s->o.format.set == VALUE_SET_LEGACY ? "legacy" : "portable";
}

/* A folder with both kinds could not be restored. */
static int set_backup_check_folder(const struct set_backup *b, struct err *e)
{
    const enum set_name ours = b->s->o.format.set == VALUE_SET_LEGACY ? SET_LEGACY : SET_PORTABLE;
    enum set_name there = SET_NO_NAME;
    int r = set_folder_kind(b->fd, &there);
    if (r < 0)
        return err_sys(e, r, "%s", b->folder);
    if (there == SET_NO_NAME || there == ours)
        return 0;
    return err_set(e, -EEXIST, "%s holds a %s set: a %s one needs another folder", b->folder,
                   there == SET_LEGACY ? "legacy" : "portable", set_backup_kind(b));
}

/* One run at a time: two would take the same number. */
static int set_backup_open_folder(struct set_backup *b, struct err *e)
{
    int r = io_mkdir_p(b->folder, 0700, (uid_t)-1, (gid_t)-1);
    if (r < 0)
        return err_sys(e, r, "%s", b->folder);
    b->fd = open(b->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (b->fd < 0)
        return err_sys(e, -errno, "%s", b->folder);
    if (flock(b->fd, LOCK_EX | LOCK_NB) < 0)
        return err_sys(e, -errno, "%s: another influxsnap writes into it", b->folder);
    return set_backup_check_folder(b, e);
}

/* *run becomes the one after that of the legacy set that this is a file of, if it was not later. */
static int set_backup_after(const struct set_backup *b, const char *name, unsigned *run,
                            struct err *e)
{
    uint64_t id, of = 0;
    size_t prefix;
    if (!set_name_meta(name, &of) && !set_name_shard(name, &prefix, &id, &of))
        return 0;
    if (of >= UINT_MAX)
        return err_set(e, -EINVAL, "%s/%s: no run has a number after that one", b->folder, name);
    if (of >= *run)
        *run = (unsigned)of + 1;
    return 0;
}

/* What a killed run was writing. */
static void set_backup_remove_part(const struct set_backup *b, const char *name)
{
    size_t n = strlen(name);
    autofree char *whole = *name == '.' && n > 6 ? strndup(name + 1, n - 6) : NULL;
    if (whole && strcmp(name + n - 5, ".part") == 0 && set_name_kind(whole) != SET_NO_NAME)
        unlinkat(b->fd, name, 0);
}

/* What lies in the folder decides how the files are called: the next number, or a time after all that
 * is there, since influxd restore takes the last one for the newest. */
static int set_backup_name(const struct set_backup *b, struct madeset_query *q, struct err *e)
{
    struct dir there;
    int64_t last_ns = 0, ns;
    int r = dir_read(b->fd, &there);
    if (r < 0)
        return err_sys(e, r, "%s", b->folder);
    for (size_t i = 0; i < there.n; i++) {
        const char *name = there.names[i];
        if (r == 0)
            r = set_backup_after(b, name, &q->run, e);
        if (cuts_parse_time(name, strcspn(name, "."), &ns) == 0)
            last_ns = time_later(last_ns, ns);
        set_backup_remove_part(b, name);
    }
    dir_free(&there);
    if (r < 0)
        return r;
    int64_t created_ns = capture_record(tarball_capture(b->now))->created_ns;
    if (last_ns)
        q->base_ns = time_later(created_ns, last_ns + SECOND_NS);
    return 0;
}

static int set_backup_make(struct set_backup *b, struct err *e)
{
    struct madeset_query q = {.format = b->s->o.format.set == VALUE_SET_LEGACY ? MADESET_LEGACY
                                                                               : MADESET_PORTABLE};
    struct capture *c = tarball_capture(b->now);
    q.cut = b->s->o.exact;
    int r = set_backup_name(b, &q, e);
    if (r == 0)
        r = madeshards_new(c, snapshots_catalog(b->s->snapshots), b->s->state, &b->shards, e);
    return r < 0 ? r : madeset_new(b->shards, &q, &b->set, e);
}

static int set_backup_pour(struct set_backup *b, size_t i, int fd, struct meter *meter,
                           struct err *e)
{
    cleanup(setfile_closep) struct setfile *f = NULL;
    cleanup(stream_closep) struct stream *out = NULL;
    autofree char *buf = malloc(PIECE);
    uint64_t at = 0, bytes;
    ssize_t n = 0;
    int r =
        buf ? madeset_open(b->set, i, &snap_reader, &f, e) : err_sys(e, -ENOMEM, "%s", b->folder);
    if (r == 0)
        r = stream_open(fd, madeset_name(b->set, i), COMPRESS_NOT, &out, e);
    while (r == 0 && (n = setfile_read(f, buf, PIECE, at, &snap_reader, e)) > 0) {
        r = stream_write(out, buf, (size_t)n, e);
        at += (uint64_t)n;
        meter_add(meter, (uint64_t)n);
    }
    r = r == 0 && n < 0 ? (int)n : r;
    return r < 0 ? r : stream_end(out, &bytes, e);
}

static int set_backup_write_file(struct set_backup *b, size_t i, struct meter *meter, struct err *e)
{
    cleanup(outfile_closep) struct outfile *out = NULL;
    autofree char *path = path_join(b->folder, madeset_name(b->set, i));
    uint64_t size = 0;
    int r = path ? madeset_size(b->set, i, &snap_reader, &size, e)
                 : err_sys(e, -ENOMEM, "%s", b->folder);
    if (r == 0)
        r = outfile_open(path, &out, e);
    if (r == 0)
        r = set_backup_pour(b, i, outfile_fd(out), meter, e);
    if (r == 0)
        r = outfile_commit(out, "", e);
    if (r < 0)
        return r;
    meter_file(meter, madeset_name(b->set, i), size);
    b->written = i + 1;
    b->bytes += size;
    return 0;
}

/* The first half of a set is worth nothing, and would be taken for a whole legacy one. */
static void set_backup_undo(struct set_backup *b)
{
    for (size_t i = 0; i < b->written; i++)
        unlinkat(b->fd, madeset_name(b->set, i), 0);
    b->written = 0;
}

static int set_backup_write(struct set_backup *b, struct err *e)
{
    struct meter meter;
    int r = 0;
    meter_begin(&meter, "backing up", 0);
    for (size_t i = 0; r == 0 && i < madeset_count(b->set); i++)
        r = set_backup_write_file(b, i, &meter, e);
    meter_end(&meter);
    if (r < 0)
        set_backup_undo(b);
    return r;
}

static int set_backup_run(struct set_backup *b, struct err *e)
{
    int r = snap_open(b->s, SNAP_SNAPSHOTS, e);
    if (r == 0)
        r = selecting_take(b->s, false, &b->now, e);
    if (r == 0)
        r = set_backup_open_folder(b, e);
    if (r == 0)
        r = set_backup_make(b, e);
    return r < 0 ? r : set_backup_write(b, e);
}

/* Says what is not in the set. Returns the exit code. */
static int set_backup_judge(const struct set_backup *b)
{
    int code = tell_capture(tarball_capture(b->now));
    for (size_t i = 0; i < madeset_lacks(b->set); i++) {
        bool counts;
        const char *words = madeset_lack(b->set, i, &counts);
        snap_line(counts ? SNAP_WARN : SNAP_NOTE, "not in the set: %s", words);
        code = counts ? EXIT_OMISSIONS : code;
    }
    return code;
}

static void set_backup_tell(const struct set_backup *b)
{
    if (!b->s->o.json) {
        printf("%s: a %s set, %zu files, %" PRIu64 " bytes\n", b->folder, set_backup_kind(b),
               b->written, b->bytes);
        return;
    }
    struct json_object *o = json_object_new_object(), *files = json_object_new_array();
    json_add_bool(o, "written", true);
    json_add_text(o, "path", b->folder);
    json_add_text(o, "kind", set_backup_kind(b));
    json_add_text(o, "id", capture_record(tarball_capture(b->now))->id);
    json_add_count(o, "bytes", b->bytes);
    for (size_t i = 0; i < b->written; i++)
        json_object_array_add(files, json_text(madeset_name(b->set, i)));
    json_add(o, "files", files);
    tell_capture_json(o, tarball_capture(b->now));
    json_add(o, "warnings", snap_warnings_json());
    snap_print_json(o);
}

static void set_backup_remember(const struct set_backup *b, int64_t began_ns, int code,
                                const char *why)
{
    struct capture *c = b->now ? tarball_capture(b->now) : NULL;
    autofree char *full = remember_path(b->folder);
    struct err lacks = {0};
    if (code == EXIT_OMISSIONS) {
        damage_say_lacks(c, &lacks);
        if (!lacks.text[0])
            err_set(&lacks, 0, "influxd restore cannot take all of the store");
    }
    const struct history_entry end = {
        .result = remember_result(code),
        .bytes = b->bytes,
        .what = full ? full : b->folder,
        .id = c ? capture_record(c)->id : NULL,
        .text = *why            ? why
                : lacks.text[0] ? lacks.text
                                : NULL,
    };
    remember(b->s, HISTORY_BACKUP, began_ns, &end);
}

int backup_set(struct snap *s)
{
    struct err e = {0};
    struct set_backup b = {.s = s, .folder = s->o.args[0], .fd = -1};
    const int64_t began_ns = time_mono_ns();
    int r = set_backup_run(&b, &e);
    int code = r < 0 ? snap_fail(r, &e) : set_backup_judge(&b);
    set_backup_remember(&b, began_ns, code, e.text);
    if (r == 0)
        set_backup_tell(&b);
    madeset_free(b.set);
    madeshards_unref(b.shards);
    tarball_unref(b.now);
    cleanup_close(&b.fd);
    return code;
}
