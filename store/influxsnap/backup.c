/* SPDX-License-Identifier: MIT */
/* influxsnap backup: the store, or what has changed since the snapshots at PATH. */
#include "store/base/cleanup.h"
#include "store/base/time.h"
#include "store/influxsnap/backup_host.h"
#include "store/influxsnap/backup_path.h"
#include "store/influxsnap/backup_set.h"
#include "store/influxsnap/download.h"
#include "store/influxsnap/meter.h"
#include "store/influxsnap/part.h"
#include "store/influxsnap/remember.h"
#include "store/influxsnap/selecting.h"
#include "store/influxsnap/snap.h"
#include "store/influxsnap/stream.h"
#include "store/influxsnap/telling.h"
#include "store/snapshot/damage.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define PIECE (1u << 20)

struct backup {
    struct snap *s;
    struct backup_path at;
    struct tarball *now; /* the store, or the part that is selected */
    struct part part;    /* the snapshot to write */
    uint64_t written;
};

/* Shows each file whose bytes begin before byte `to` of the tar. */
static void tell_files(const struct backup *b, struct meter *meter, size_t *told, uint64_t to)
{
    const struct capture *c = tarball_capture(b->part.tar);
    for (size_t end = tarball_begun(b->part.tar, to); *told < end; ++*told) {
        const struct member *m = capture_member(c, *told);
        char path[MEMBER_PATH_MAX];
        if (!member_is_folder(m))
            meter_file(meter, member_path(m, path), m->attr.size);
    }
}

static int backup_pour(struct backup *b, struct stream *out, struct meter *meter, struct err *e)
{
    uint64_t size = tarball_size(b->part.tar);
    size_t told = 0;
    autofree char *buf = malloc(PIECE);
    if (!buf)
        return err_sys(e, -ENOMEM, "%s", b->at.path);
    for (uint64_t at = 0; at < size;) {
        if (snap_stopped(NULL))
            return err_set(e, -EINTR, "interrupted");
        ssize_t n = tarball_read(b->part.tar, buf, PIECE, at, &snap_reader, e);
        int r = n < 0 ? (int)n : stream_write(out, buf, (size_t)n, e);
        if (r < 0)
            return r;
        at += (uint64_t)n;
        tell_files(b, meter, &told, at);
        meter_add(meter, (uint64_t)n);
    }
    return stream_end(out, &b->written, e);
}

static const struct capture_origin *origin(const struct backup *b)
{
    return capture_origin(tarball_capture(b->part.tar));
}

static int backup_write(struct backup *b, struct err *e)
{
    struct meter meter;
    cleanup(stream_closep) struct stream *out = NULL;
    int r =
        stream_open(backup_path_fd(&b->at), backup_path_name(&b->at), b->s->o.compress, &out, e);
    if (r < 0)
        return r;
    meter_begin(&meter, "backing up", tarball_size(b->part.tar));
    r = backup_pour(b, out, &meter, e);
    if (r == 0)
        r = backup_path_commit(&b->at, origin(b)->number, e);
    meter_end(&meter);
    return r;
}

static bool is_known(void *ctx, const struct catalog_shard *shard, bool doubt)
{
    (void)ctx, (void)shard;
    return !doubt;
}

/* Captures the store. That nothing has changed since the last snapshot of the chain is known by the
 * folders; then the capture is without the files of which nothing is needed. */
static int backup_capture(struct backup *b, struct err *e)
{
    const struct selection part = options_selection(&b->s->o);
    const struct tarset *chain = &b->at.set;
    if (chain->n && selection_is_all(&part)) {
        struct capture *c;
        uint64_t turn = 0;
        bool later;
        int r = snapshots_changes(
            b->s->snapshots, &(struct marks_wanted){.known = is_known, .last = true, .turn = &turn},
            &snap_reader, &c, &later, e);
        if (r < 0)
            return r;
        if (strcmp(chain->at[chain->n - 1].m->id, capture_record(c)->id) == 0)
            return snapshots_tarball(b->s->snapshots, c, &b->now);
        capture_unref(c);
    }
    return selecting_take(b->s, chain->n > 0, &b->now, e);
}

static int backup_run(struct backup *b, struct err *e)
{
    int r = backup_path_open(b->s->o.args[0], &b->at, e);
    if (r == 0)
        r = selecting_check_chain(&b->s->o, b->at.path, &b->at.set, e);
    if (r < 0)
        return r;
    struct err why = {0};
    if ((r = snap_open(b->s, SNAP_SNAPSHOTS, &why)) < 0 || (r = backup_capture(b, &why)) < 0)
        return err_set(e, r == -EBADMSG || r == -EINVAL || r == -ESTALE ? -EIO : r, "%s", why.text);
    if (b->s->lacks.text[0])
        snap_warn("%s; without it every backup computes all checksums again", b->s->lacks.text);
    r = b->at.set.n ? part_since(b->s->snapshots, b->now, &b->at.set, true, &b->part, e)
                    : part_full(b->s->snapshots, b->now, &b->part, e);
    return r == 0 && b->part.tar ? backup_write(b, e) : r;
}

static void backup_tell(const struct backup *b)
{
    struct json_object *more = b->s->o.json ? json_object_new_object() : NULL;
    if (more)
        tell_capture_json(more, tarball_capture(b->now));
    if (!b->part.tar) {
        backup_path_tell(&b->at, NULL, more);
        return;
    }
    const struct backup_done done = {.kind = origin(b)->kind,
                                     .number = origin(b)->number,
                                     .id = capture_record(tarball_capture(b->part.tar))->id,
                                     .files = b->part.changes.files,
                                     .bytes = b->part.changes.bytes,
                                     .removed = b->part.changes.nremoved,
                                     .lost = b->at.set.n ? &b->part.changes.lost : NULL,
                                     .size = b->written};
    backup_path_tell(&b->at, &done, more);
}

/* Says what is to be known of what was written. Returns the exit code. */
static int backup_judge(const struct backup *b)
{
    const struct capture *c = tarball_capture(b->now);
    int code = tell_capture(c);
    if (!b->part.tar)
        return code;
    backup_path_compare_hosts(&b->at, capture_record(c)->host);
    backup_path_guard(&b->at, &b->s->o.rules, &b->part.changes.lost);
    return code;
}

static void backup_remember(const struct backup *b, int64_t began_ns, int code, const char *why)
{
    struct capture *c = b->now ? tarball_capture(b->now) : NULL;
    struct err lacks = {0};
    autofree char *full = remember_path(b->at.path);
    const char *path = strcmp(b->at.path, "-") == 0 ? "standard output" : full ? full : b->at.path;
    char numbered[PATH_MAX], lost[LOSS_WORDS];
    if (code == EXIT_OMISSIONS)
        damage_say_lacks(c, &lacks);
    else if (b->part.tar && b->at.set.n && *loss_words(&b->part.changes.lost, lost))
        err_set(&lacks, 0, "%s", lost);
    if (b->part.tar && origin(b)->number >= 0) {
        snprintf(numbered, sizeof(numbered), "%s.%" PRId64, path, origin(b)->number);
        path = numbered;
    }
    const struct history_entry end = {
        .result = remember_result(code),
        .bytes = b->written,
        .what = path,
        .id = c ? capture_record(c)->id : NULL,
        .text = *why            ? why
                : lacks.text[0] ? lacks.text
                                : NULL,
    };
    remember(b->s, HISTORY_BACKUP, began_ns, &end);
}

static int backup_store(struct snap *s)
{
    struct err e = {0};
    struct backup b = {.s = s};
    const int64_t began_ns = time_mono_ns();
    int r = backup_run(&b, &e);
    int code = r < 0 ? backup_path_fail(r, &e) : backup_judge(&b);
    backup_remember(&b, began_ns, code, e.text);
    if (r == 0)
        backup_tell(&b);
    part_clear(&b.part);
    tarball_unref(b.now);
    backup_path_close(&b.at);
    return code;
}

static int backup_check_options(const struct options *o, struct err *e)
{
    if (!*o->args[0])
        return err_set(e, -EINVAL, "backup needs the name of a file, or -, and got an empty one");
    if (!o->host)
        return o->timeout_ns ? err_set(e, -EINVAL, "--timeout is for backups with --host") : 0;
    if (o->allow_left_out)
        return err_set(e, -EINVAL, "--allow-left-out is for the server's influxsnap serve");
    return download_check_host(o->host, e);
}

int snap_backup(struct snap *s)
{
    struct err e = {0};
    if (backup_check_options(&s->o, &e) < 0 || selecting_check(&s->o, &e) < 0 ||
        backup_set_check(&s->o, &e) < 0) {
        snap_say("%s", e.text);
        return EXIT_USAGE;
    }
    if (s->o.format.set)
        return backup_set(s);
    return s->o.host ? backup_host(s) : backup_store(s);
}
