/* SPDX-License-Identifier: MIT */
#include "store/restore/unpack.h"

#include "store/base/cleanup.h"
#include "store/influx/written.h"
#include "store/restore/frame.h"
#include "store/restore/plain.h"
#include "store/restore/sidehash.h"
#include "store/restore/sums.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <string.h>
#include <sys/stat.h>

struct unpack {
    const struct unpack_io *io;
    const struct unpack_sink *sink; /* NULL: into staging folders */
    struct plain plain;             /* input -> plain tar, */
    struct frame frame;             /* watched as it goes by, */
    struct archive *tar;            /* -> members */
    struct sidehash *hash;
    struct manifest *m;
    struct stage *stage;
    uint8_t of_manifest[SHA256_BYTES];
    uint8_t (*sums)[SHA256_BYTES]; /* of m->files[i] */
    bool *seen;
    size_t left; /* files still to come */
    int failed;  /* by our own callback below libarchive */
    struct err *e;
};

/* One member's header, read and checked. */
struct member {
    char name[PATH_MAX]; /* without a folder's trailing slash */
    bool folder;
    mode_t mode;
    int64_t mtime_ns; /* -1: not said */
    uint64_t size;
    uint64_t at; /* where its data lie in the plain tar */
};

static ssize_t next_plain(struct unpack *u, const void **block)
{
    int r = u->io->stop ? u->io->stop(u->io->arg) : 0;
    return r < 0 ? r : plain_next(&u->plain, block, u->e);
}

static la_ssize_t read_plain(struct archive *a, void *arg, const void **block)
{
    struct unpack *u = arg;
    ssize_t n = frame_leave(&u->frame, u->e);
    if (n == 0)
        n = next_plain(u, block);
    if (n > 0) {
        int r = frame_block(&u->frame, *block, (size_t)n, u->e);
        n = r < 0 ? r : n;
    }
    if (n < 0) {
        u->failed = (int)n;
        archive_set_error(a, (int)-n, "input");
        return -1;
    }
    return n;
}

static int ends_early(const struct unpack *u)
{
    return err_set(u->e, -EBADMSG, "ends early: the tar is cut off after %llu bytes",
                   (unsigned long long)u->frame.end);
}

/* What it means that libarchive did not return ARCHIVE_OK. */
static int failure(const struct unpack *u)
{
    if (u->failed)
        return u->failed;
    if (u->plain.ended)
        return ends_early(u);
    const char *words = archive_error_string(u->tar);
    return err_set(u->e, plain_archive_errno(u->tar), "damaged: %s",
                   words ? words : "the tar cannot be read");
}

static int refuse(const struct unpack *u, const char *name, const char *why)
{
    return err_set(u->e, -EBADMSG, "hostile or damaged: member %s %s", name, why);
}

static int check_kind(const struct unpack *u, struct archive_entry *entry, struct member *out)
{
    const char *name = archive_entry_pathname(entry);
    if (!name)
        return refuse(u, "?", "has a name that cannot be read");
    if (strlen(name) >= sizeof(out->name))
        return refuse(u, name, "has too long a name");
    if (archive_entry_hardlink(entry) || archive_entry_symlink(entry))
        return refuse(u, name, "is a link");
    mode_t type = archive_entry_filetype(entry);
    if (type != AE_IFREG && type != AE_IFDIR)
        return refuse(u, name, "is neither a file nor a folder");
    if (archive_entry_sparse_count(entry) > 0)
        return refuse(u, name, "is sparse");
    if (!archive_entry_size_is_set(entry) || archive_entry_size(entry) < 0 ||
        (uint64_t)archive_entry_size(entry) > MANIFEST_FILE_MAX)
        return refuse(u, name, "has no believable size");
    strcpy(out->name, name);
    out->folder = type == AE_IFDIR;
    return 0;
}

static int next_member(struct unpack *u, struct member *out)
{
    struct archive_entry *entry = NULL;
    int r = archive_read_next_header(u->tar, &entry);
    if (r == ARCHIVE_EOF && !u->failed)
        return err_set(u->e, -EBADMSG, "ends early: SHA256SUMS is missing");
    if (r != ARCHIVE_OK)
        return failure(u);
    if ((r = check_kind(u, entry, out)) < 0)
        return r;
    size_t n = strlen(out->name);
    if (out->folder && n > 1 && out->name[n - 1] == '/')
        out->name[n - 1] = 0;
    out->mode = archive_entry_perm(entry);
    out->size = out->folder ? 0 : (uint64_t)archive_entry_size(entry);
    int64_t t = archive_entry_mtime(entry);
    out->mtime_ns = archive_entry_mtime_is_set(entry) && t >= 0 && t < INT64_MAX / 1000000000
                        ? t * 1000000000 + archive_entry_mtime_nsec(entry)
                        : -1;
    out->at = (uint64_t)archive_filter_bytes(u->tar, 0);
    return frame_member(&u->frame, out->at, out->size, out->folder, u->e);
}

/* The member's next bytes, which stay until the next call: their number, or 0 at its end. */
static ssize_t next_data(struct unpack *u, const struct member *m, uint64_t done, const void **buf)
{
    for (;;) {
        size_t n;
        la_int64_t off;
        int r = archive_read_data_block(u->tar, buf, &n, &off);
        if (r == ARCHIVE_EOF)
            return done == m->size ? 0 : refuse(u, m->name, "has not the size that it claims");
        if (r != ARCHIVE_OK)
            return failure(u);
        if (n == 0)
            continue;
        if ((uint64_t)off != done || n > m->size - done)
            return refuse(u, m->name, "has not the size that it claims");
        return (ssize_t)n;
    }
}

/* Reads a member that is wanted in memory, and its sum. */
static int read_text(struct unpack *u, const struct member *m, char **out,
                     uint8_t sum[SHA256_BYTES])
{
    autofree char *text = NULL;
    size_t done = 0, room = 0;
    const void *buf;
    ssize_t n;
    if (m->folder || m->size > MANIFEST_MAX)
        return refuse(u, m->name, "is too large");
    sidehash_begin(u->hash);
    while ((n = next_data(u, m, done, &buf)) > 0) {
        /* It grows with what really came, not with what the header promises. */
        if (done + (size_t)n > room) {
            room = (done + (size_t)n) * 2;
            char *p = realloc(text, room);
            if (!p)
                return err_sys(u->e, -ENOMEM, "%s", m->name);
            text = p;
        }
        memcpy(text + done, buf, (size_t)n);
        sidehash_add(u->hash, buf, (size_t)n);
        sidehash_wait(u->hash);
        done += (size_t)n;
    }
    if (n < 0)
        return (int)n;
    sidehash_end(u->hash, sum);
    if (!text && !(text = strdup("")))
        return err_sys(u->e, -ENOMEM, "%s", m->name);
    *out = steal_ptr(&text);
    return 0;
}

static int check_number(const struct unpack *u)
{
    const struct manifest *m = u->m;
    if (m->number < 0 || !m->parent || strcmp(m->parent, m->id) == 0)
        return err_set(u->e, -EBADMSG,
                       "damaged: snapshot %s holds only changes, but does not say since when",
                       m->id);
    for (size_t i = 0; i < m->nremoved; i++)
        if (manifest_find(m, m->removed[i]))
            return err_set(u->e, -EBADMSG, "damaged: snapshot %s both holds and removes %s", m->id,
                           m->removed[i]);
    return 0;
}

/* What influxd does not write it does not need; and whatever takes a store away knows by its name
 * what belongs to one. */
static int check_names(const struct unpack *u)
{
    for (size_t i = 0; i < u->m->nfiles; i++)
        if (!written_by_influxd(u->m->files[i].name, S_IFREG))
            return err_set(u->e, -EBADMSG,
                           "hostile: snapshot %s holds %s, which is no file of a store", u->m->id,
                           u->m->files[i].name);
    return 0;
}

static int check_restorable(const struct unpack *u)
{
    const struct manifest *m = u->m;
    if (m->kind == MANIFEST_INCREMENTAL)
        return check_number(u);
    if (m->kind == MANIFEST_DATABASE)
        return err_set(u->e, -EINVAL,
                       "snapshot %s holds a single database, which cannot be restored by itself; "
                       "copy a full snapshot",
                       m->id);
    if (!manifest_find(m, "meta/meta.db"))
        return err_set(u->e, -EBADMSG, "damaged: snapshot %s has no meta/meta.db", m->id);
    return 0;
}

static int read_manifest(struct unpack *u)
{
    struct member head = {0};
    autofree char *text = NULL;
    int r = next_member(u, &head);
    if (r < 0)
        return r;
    if (strcmp(head.name, "manifest") != 0)
        return err_set(u->e, -EINVAL,
                       "not a snapshot: a tar, but its first member is not `manifest`");
    if ((r = read_text(u, &head, &text, u->of_manifest)) < 0 ||
        (r = manifest_parse(text, head.size, &u->m, u->e)) < 0 || (r = check_names(u)) < 0 ||
        (!u->sink && (r = check_restorable(u)) < 0))
        return r;
    u->left = u->m->nfiles;
    u->seen = calloc(u->left + 1, sizeof(*u->seen));
    u->sums = calloc(u->left + 1, sizeof(*u->sums));
    if (!u->seen || !u->sums)
        return err_sys(u->e, -ENOMEM, "manifest");
    return 0;
}

static int begin_staging(struct unpack *u)
{
    uint64_t need[TARGETS] = {0};
    if (u->sink)
        return u->sink->begin(u->sink->arg, u->m, u->e);
    int r = u->io->begin(u->io->arg, u->m, &u->stage, u->e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < u->m->nfiles; i++) {
        const struct manifest_file *f = &u->m->files[i];
        const char *path;
        need[target_kind_of(f->name, &path)] += f->size;
    }
    return stage_check_space(u->stage, need, u->e);
}

/* The file's way: into the staging folders, or to the sink. */

static int open_file(struct unpack *u, const struct member *m)
{
    return u->sink ? u->sink->open(u->sink->arg, m->name, m->size, m->at, u->e)
                   : stage_open(u->stage, m->name, m->mode, u->e);
}

static int write_file(struct unpack *u, const void *buf, size_t n)
{
    return u->sink ? u->sink->write(u->sink->arg, buf, n, u->e)
                   : stage_write(u->stage, buf, n, u->e);
}

static int close_file(struct unpack *u, const struct manifest_file *f)
{
    return u->sink ? u->sink->close(u->sink->arg, u->e) : stage_close(u->stage, f->mtime_ns, u->e);
}

static int unpack_data(struct unpack *u, const struct member *m, uint8_t sum[SHA256_BYTES])
{
    uint64_t done = 0;
    const void *buf;
    ssize_t n;
    sidehash_begin(u->hash);
    while ((n = next_data(u, m, done, &buf)) > 0) {
        sidehash_add(u->hash, buf, (size_t)n);
        int r = write_file(u, buf, (size_t)n);
        sidehash_wait(u->hash);
        if (r < 0)
            return r;
        done += (uint64_t)n;
        u->io->progress(u->io->arg, (uint64_t)n);
    }
    if (n < 0)
        return (int)n;
    sidehash_end(u->hash, sum);
    return 0;
}

static int unpack_file(struct unpack *u, const struct member *m)
{
    const struct manifest_file *f = manifest_find(u->m, m->name);
    if (!f)
        return refuse(u, m->name, "is not in the manifest");
    size_t i = (size_t)(f - u->m->files);
    if (u->seen[i])
        return refuse(u, m->name, "comes twice");
    if (m->size != f->size)
        return refuse(u, m->name, "has not the size that the manifest says");
    u->seen[i] = true;
    u->left--;
    u->io->member(u->io->arg, m->name, m->size);
    int r = open_file(u, m);
    if (r == 0)
        r = unpack_data(u, m, u->sums[i]);
    return r < 0 ? r : close_file(u, f);
}

static int unpack_folder(struct unpack *u, const struct member *m)
{
    if (!manifest_name_ok(m->name, true) || !written_by_influxd(m->name, S_IFDIR))
        return refuse(u, m->name, "may not stand in a snapshot");
    if (u->sink)
        return 0;
    return stage_folder(u->stage, m->name, m->mode, m->mtime_ns, u->e);
}

static int check_sums(struct unpack *u, const struct member *m)
{
    autofree char *text = NULL;
    uint8_t own[SHA256_BYTES];
    for (size_t i = 0; u->left && i < u->m->nfiles; i++)
        if (!u->seen[i])
            return err_set(u->e, -EBADMSG, "damaged: %s is in the manifest, but not in the tar",
                           u->m->files[i].name);
    int r = read_text(u, m, &text, own);
    if (r < 0)
        return r;
    return sums_check(text, m->size, u->m, u->of_manifest, (const uint8_t(*)[SHA256_BYTES])u->sums,
                      u->e);
}

static int unpack_members(struct unpack *u)
{
    for (;;) {
        struct member m = {0};
        int r = next_member(u, &m);
        if (r < 0)
            return r;
        if (strcmp(m.name, "SHA256SUMS") == 0)
            return check_sums(u, &m);
        r = m.folder ? unpack_folder(u, &m) : unpack_file(u, &m);
        if (r < 0)
            return r;
    }
}

/* From the last member on only zeros may come; the input is read to its end. */
static int read_tail(struct unpack *u)
{
    const void *block;
    uint64_t zeros = 0;
    int r = frame_tail(&u->frame, u->e);
    while (r == 0) {
        u->plain.if_ended = frame_complete(&u->frame) ? 0 : -EBADMSG;
        ssize_t n = next_plain(u, &block);
        if (n > 0 && u->plain.compressed && (zeros += (uint64_t)n) > UNPACK_ZEROS_MAX)
            n = err_set(u->e, -EBADMSG, "hostile or damaged: too many zeros follow the tar");
        if (n <= 0) {
            r = (int)n;
            break;
        }
        r = frame_block(&u->frame, block, (size_t)n, u->e);
    }
    if (r == 0 && !frame_complete(&u->frame))
        r = ends_early(u);
    return r < 0 ? r : plain_end(&u->plain, u->e);
}

static int run(struct unpack *u)
{
    int r = plain_open(&u->plain, u->io, u->e);
    if (r < 0)
        return r;
    if ((r = sidehash_new(&u->hash)) < 0)
        return err_sys(u->e, r, "unpacking");
    u->tar = archive_read_new();
    if (!u->tar || archive_read_support_format_tar(u->tar) != ARCHIVE_OK)
        return err_sys(u->e, -ENOMEM, "unpacking");
    if (archive_read_open(u->tar, u, NULL, read_plain, NULL) != ARCHIVE_OK)
        return failure(u);
    if ((r = read_manifest(u)) < 0 || (r = begin_staging(u)) < 0 || (r = unpack_members(u)) < 0 ||
        (r = read_tail(u)) < 0)
        return r;
    return u->sink ? 0 : stage_finish(u->stage, u->e);
}

static int unpack(const struct unpack_io *io, const struct unpack_sink *sink, struct manifest **m,
                  struct err *e)
{
    struct err unheard;
    struct unpack u = {.io = io, .sink = sink, .e = e ? e : &unheard};
    u.e->text[0] = 0;
    frame_init(&u.frame);
    /* libarchive converts pax names by the thread's locale, and fails on UTF-8 in the C locale. */
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    locale_t before = utf8 ? uselocale(utf8) : (locale_t)0;
    int r = run(&u);
    if (r == -EINTR && !u.e->text[0])
        err_set(u.e, r, "interrupted");
    else if (r < 0 && !u.e->text[0])
        err_sys(u.e, r, "unpacking");
    archive_read_free(u.tar);
    plain_close(&u.plain);
    if (utf8) {
        uselocale(before);
        freelocale(utf8);
    }
    sidehash_free(u.hash);
    frame_free(&u.frame);
    if (m)
        *m = u.m;
    else
        manifest_free(u.m);
    free(u.sums);
    free(u.seen);
    return r;
}

int unpack_run(const struct unpack_io *io, struct err *e)
{
    return unpack(io, NULL, NULL, e);
}

int unpack_check(const struct unpack_io *io, const struct unpack_sink *sink, struct manifest **m,
                 struct err *e)
{
    return unpack(io, sink, m, e);
}
