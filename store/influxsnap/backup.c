/* SPDX-License-Identifier: MIT */
/* influxsnap backup: the store, or what has changed since the snapshots at PATH. */
#include "store/base/cleanup.h"
#include "store/base/json.h"
#include "store/influx/meta.h"
#include "store/influx/names.h"
#include "store/influxsnap/changes.h"
#include "store/influxsnap/meter.h"
#include "store/influxsnap/outfile.h"
#include "store/influxsnap/snap.h"
#include "store/influxsnap/stream.h"
#include "store/influxsnap/tarlook.h"
#include "store/influxsnap/tarset.h"
#include "store/influxsnap/telling.h"
#include "store/snapshot/capture.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PIECE (1u << 20)

struct backup {
    struct snap *s;
    const char *path;
    struct outfile *file;   /* NULL: to stdout */
    struct tarset set;      /* what lies at PATH */
    struct tarball *now;    /* the store */
    struct tarball *part;   /* the snapshot to write; NULL: none */
    struct changes changes; /* since the chain */
    char suffix[32];        /* of the name: "" or ".N" */
    uint64_t written;
};

static const struct capture *now(const struct backup *b)
{
    return tarball_capture(b->now);
}

/* What lies at PATH */

/* Reads folders from the tar's headers where manifests lack them: now.tar was copied there. */
static int learn_folders(struct tarset_file *f, struct err *e)
{
    if (f->m->lists_folders)
        return 0;
    int r = tar_folders(f->path, &f->m->folders, &f->m->nfolders, e);
    f->m->lists_folders = r == 0;
    return r;
}

/* Reads the chain, which may be empty. -EBADMSG, -EINVAL, -ESTALE: nothing can follow it. */
static int read_chain(struct backup *b, struct err *e)
{
    struct stat st;
    char *const one[] = {(char *)b->path};
    if (lstat(b->path, &st) < 0)
        return errno == ENOENT ? tarset_numbers(b->path, &b->set, e)
                               : err_sys(e, -errno, "%s", b->path);
    if (stat(b->path, &st) == 0 && S_ISDIR(st.st_mode))
        return err_set(e, -EISDIR, "%s: is a folder; give the name of a file in it", b->path);
    return tarset_gather(one, 1, true, &b->set, e);
}

static int backup_check_chain(struct backup *b, struct err *e)
{
    struct tarset *set = &b->set;
    if (set->n == 0)
        return 0;
    if (!set->at[0].m)
        return err_set(e, set->at[0].code,
                       "%s; nothing was written: move it away, or give another name",
                       set->at[0].why.text);
    if (tarset_chain_end(set, 0) != set->n)
        return err_set(e, -ESTALE,
                       "%s and %s do not belong together; nothing was written: give another name",
                       set->at[0].path, set->at[set->n - 1].path);
    struct err why = {0};
    int r = tarset_check(set, 0, set->n, &why);
    if (r < 0)
        return err_set(e, r, "%s; nothing was written: put it back, or give another name",
                       why.text);
    for (size_t i = 0; r == 0 && i < set->n; i++)
        if (set->at[i].m->kind == MANIFEST_DATABASE)
            r = err_set(e, -EINVAL, "%s: holds a single database; give another name",
                        set->at[i].path);
    return r;
}

/* What to write */

/* Whether meta.db differs from the last one in the chain in more than _internal. */
static int backup_meta_matters(const struct backup *b, bool *out, struct err *e)
{
    const struct tarset_file *last = NULL;
    for (size_t i = 0; i < b->set.n; i++)
        if (!b->set.at[i].superseded && manifest_find(b->set.at[i].m, NAME_META_MEMBER))
            last = &b->set.at[i];
    *out = true;
    for (size_t i = 0; last && i < capture_count(now(b)); i++) {
        const struct member *m = capture_member(now(b), i);
        autofree char *was = NULL, *is = NULL;
        size_t len;
        bool same;
        if (strcmp(m->name, "meta.db") != 0 || strcmp(m->dir, "meta") != 0)
            continue;
        if (!(is = malloc(m->attr.size + 1)))
            return err_sys(e, -ENOMEM, NAME_META_MEMBER);
        int r = tar_meta(last->path, &was, &len, e);
        if (r == 0)
            r = capture_read(now(b), i, is, m->attr.size, 0, e);
        if (r == 0)
            r = meta_same_but(was, len, is, m->attr.size, NAME_INTERNAL, &same, e);
        if (r == 0)
            *out = !same;
        return r;
    }
    return 0;
}

static int share(struct backup *b, const bool *in, const struct capture_origin *origin,
                 struct err *e)
{
    struct capture *c;
    int r = delta_new((struct capture *)now(b), in, origin, &c);
    if (r == 0)
        r = snapshots_tarball(b->s->snapshots, c, &b->part);
    return r < 0 ? err_sys(e, r, "%s", b->path) : 0;
}

/* The first of a chain says so: what follows can then tell whose it is. */
static int backup_choose_full(struct backup *b, struct err *e)
{
    size_t n = capture_count(now(b));
    autofree bool *all = malloc(n + 1);
    const struct capture_origin origin = {
        .kind = MANIFEST_FULL, .chain = capture_record(now(b))->id, .number = -1};
    if (!all)
        return err_sys(e, -ENOMEM, "%s", b->path);
    memset(all, true, n + 1);
    for (size_t i = 0; i < n; i++) {
        const struct member *m = capture_member(now(b), i);
        b->changes.files += !member_is_folder(m);
        b->changes.bytes += m->attr.size;
    }
    return share(b, all, &origin, e);
}

static int backup_choose_number(struct backup *b, struct err *e)
{
    struct tarset *set = &b->set;
    const struct manifest *last = set->at[set->n - 1].m;
    if (strcmp(last->id, capture_record(now(b))->id) == 0)
        return 0;
    autofree const struct manifest **chain = calloc(set->n, sizeof(*chain));
    size_t n = 0;
    int r = chain ? 0 : err_sys(e, -ENOMEM, "%s", b->path);
    for (size_t i = 0; r == 0 && i < set->n; i++) {
        if (set->at[i].superseded)
            continue;
        chain[n++] = set->at[i].m;
        r = learn_folders(&set->at[i], e);
    }
    if (r == 0)
        r = changes_find(chain, n, now(b), &b->changes, e);
    bool matters = b->changes.matters;
    if (r == 0 && !matters && b->changes.meta)
        r = backup_meta_matters(b, &matters, e);
    if (r < 0 || !matters)
        return r;
    const struct capture_origin origin = {
        .kind = MANIFEST_INCREMENTAL,
        .chain = chain[0]->chain ? chain[0]->chain : chain[0]->id,
        .parent = last->id,
        .number = last->number + 1,
        .removed = b->changes.removed,
        .nremoved = b->changes.nremoved,
        .removed_folders = b->changes.removed_folders,
        .nremoved_folders = b->changes.nremoved_folders,
    };
    snprintf(b->suffix, sizeof(b->suffix), ".%" PRId64, origin.number);
    return share(b, b->changes.in, &origin, e);
}

/* Writing */

/* Shows each file whose bytes begin before byte `to` of the tar. */
static void tell_files(const struct backup *b, struct meter *meter, size_t *told, uint64_t to)
{
    const struct capture *c = tarball_capture(b->part);
    for (size_t end = tarball_begun(b->part, to); *told < end; ++*told) {
        const struct member *m = capture_member(c, *told);
        char path[MEMBER_PATH_MAX];
        if (!member_is_folder(m))
            meter_file(meter, member_path(m, path), m->attr.size);
    }
}

static int backup_pour(struct backup *b, struct stream *out, struct meter *meter, struct err *e)
{
    uint64_t size = tarball_size(b->part);
    size_t told = 0;
    autofree char *buf = malloc(PIECE);
    if (!buf)
        return err_sys(e, -ENOMEM, "%s", b->path);
    for (uint64_t at = 0; at < size;) {
        if (snap_stopped(NULL))
            return err_set(e, -EINTR, "interrupted");
        ssize_t n = tarball_read(b->part, buf, PIECE, at, &snap_reader, e);
        int r = n < 0 ? (int)n : stream_write(out, buf, (size_t)n, e);
        if (r < 0)
            return r;
        at += (uint64_t)n;
        tell_files(b, meter, &told, at);
        meter_add(meter, (uint64_t)n);
    }
    return stream_end(out, &b->written, e);
}

static int backup_write(struct backup *b, struct err *e)
{
    struct meter meter;
    cleanup(stream_closep) struct stream *out = NULL;
    int fd = b->file ? outfile_fd(b->file) : STDOUT_FILENO;
    int r = stream_open(fd, b->file ? b->path : "standard output", b->s->o.compress, &out, e);
    if (r < 0)
        return r;
    meter_begin(&meter, "backing up", tarball_size(b->part));
    r = backup_pour(b, out, &meter, e);
    if (r == 0 && b->file)
        r = outfile_commit(b->file, b->suffix, e);
    meter_end(&meter);
    return r;
}

/* What was done */

static void backup_print_json(const struct backup *b)
{
    const struct capture *c = b->part ? tarball_capture(b->part) : NULL;
    const struct manifest *last = b->set.n ? b->set.at[b->set.n - 1].m : NULL;
    const char *id = c ? capture_record(c)->id : last->id;
    int64_t number = c ? capture_origin(c)->number : last->number;
    struct json_object *o = json_object_new_object();
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s%s", c ? b->path : b->set.at[b->set.n - 1].path, b->suffix);
    json_add_bool(o, "written", c != NULL);
    json_add_text(o, "path", path);
    json_add_text(o, "kind", manifest_kind_name(c ? capture_origin(c)->kind : last->kind));
    json_add_number(o, "number", number);
    json_add_text(o, "id", id);
    json_add_count(o, "files", c ? b->changes.files : 0);
    json_add_count(o, "bytes", c ? b->changes.bytes : 0);
    json_add_count(o, "size", b->written);
    tell_capture_json(o, now(b));
    json_add(o, "warnings", snap_warnings_json());
    snap_print_json(o);
}

static void print_result(const struct backup *b)
{
    if (!b->part)
        printf("nothing has changed since %s\n", b->set.at[b->set.n - 1].path);
    else
        printf("%s%s: %s, %" PRIu64 " files, %" PRIu64 " bytes\n", b->path, b->suffix,
               b->set.n ? "what has changed" : "everything", b->changes.files, b->changes.bytes);
}

static int backup_run(struct backup *b, struct err *e)
{
    bool to_stdout = strcmp(b->path, "-") == 0;
    int r = to_stdout ? 0 : outfile_open(b->path, &b->file, e);
    if (r == 0 && !to_stdout)
        r = read_chain(b, e);
    if (r == 0)
        r = backup_check_chain(b, e);
    if (r < 0)
        return r;
    struct err why = {0};
    if ((r = snap_open(b->s, SNAP_SNAPSHOTS, &why)) < 0 ||
        (r = snapshots_now(b->s->snapshots, &snap_reader, &b->now, &why)) < 0)
        return err_set(e, r == -EBADMSG || r == -EINVAL || r == -ESTALE ? -EIO : r, "%s", why.text);
    if (b->s->lacks.text[0])
        snap_warn("%s; without it every backup computes all checksums again", b->s->lacks.text);
    r = b->set.n ? backup_choose_number(b, e) : backup_choose_full(b, e);
    return r == 0 && b->part ? backup_write(b, e) : r;
}

int snap_backup(struct snap *s)
{
    struct err e = {0};
    struct backup b = {.s = s, .path = s->o.args[0]};
    int r = backup_run(&b, &e), code = EXIT_DONE;
    if (r < 0)
        code = snap_fail(r, &e);
    if (r == -EBADMSG || r == -EINVAL)
        code = EXIT_CORRUPT;
    else if (r == -ESTALE)
        code = EXIT_INCOMPLETE;
    if (r == 0)
        code = tell_capture(now(&b));
    if (r == 0 && b.file && s->o.json)
        backup_print_json(&b);
    else if (r == 0 && b.file)
        print_result(&b);
    tarball_unref(b.part);
    tarball_unref(b.now);
    changes_clear(&b.changes);
    tarset_clear(&b.set);
    outfile_close(b.file);
    return code;
}
