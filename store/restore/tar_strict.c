/* SPDX-License-Identifier: MIT */
#include "store/restore/tar_strict.h"

#include "store/base/time.h"
#include "store/restore/tar_frame.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_LIMIT ((int64_t)1 << 50) /* of a member: no file of a store is larger */

struct tar_strict {
    struct plain *plain;    /* input -> plain tar, */
    struct tar_frame frame; /* watched as it goes by, */
    struct archive *tar;    /* -> members */
    struct tar_member *m;   /* the caller's */
    uint64_t done;          /* bytes of m that were read */
    locale_t utf8;
    int failed;    /* our own callback below libarchive, */
    struct err *e; /* which has put the message here */
};

static la_ssize_t strict_read(struct archive *a, void *arg, const void **block)
{
    struct tar_strict *t = arg;
    ssize_t n = tar_frame_leave(&t->frame, t->e);
    if (n == 0)
        n = plain_next(t->plain, -EBADMSG, block, t->e);
    if (n > 0) {
        int r = tar_frame_block(&t->frame, *block, (size_t)n, t->e);
        n = r < 0 ? r : n;
    }
    if (n < 0) {
        t->failed = (int)n;
        archive_set_error(a, (int)-n, "input");
        return -1;
    }
    return n;
}

static int ends_early(const struct tar_strict *t, struct err *e)
{
    return err_set(e, -EBADMSG, "ends early: the tar is cut off after %llu bytes",
                   (unsigned long long)t->frame.end);
}

/* The meaning of a result of libarchive other than ARCHIVE_OK. */
static int failure(const struct tar_strict *t, struct err *e)
{
    if (t->failed)
        return t->failed;
    if (plain_has_ended(t->plain))
        return ends_early(t, e);
    const char *words = archive_error_string(t->tar);
    return err_set(e, plain_archive_errno(t->tar), "damaged: %s",
                   words ? words : "the tar cannot be read");
}

static int refuse(const char *name, const char *why, struct err *e)
{
    return err_set(e, -EBADMSG, "hostile or damaged: member %s %s", name, why);
}

static int strict_open(struct tar_strict *t, const struct tar_input *in, const char *first,
                       struct err *e)
{
    int r = plain_open(in, first, &t->plain, e);
    if (r < 0)
        return r;
    t->e = e;
    /* libarchive converts pax names by the thread's locale, and fails on UTF-8 in the C locale. */
    t->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    t->tar = archive_read_new();
    if (!t->tar || archive_read_support_format_tar(t->tar) != ARCHIVE_OK)
        return err_sys(e, -ENOMEM, "tar");
    return archive_read_open(t->tar, t, NULL, strict_read, NULL) == ARCHIVE_OK ? 0 : failure(t, e);
}

int tar_strict_open(const struct tar_input *in, const char *first, struct tar_strict **out,
                    struct err *e)
{
    struct tar_strict *t = calloc(1, sizeof(*t));
    if (!t)
        return err_sys(e, -ENOMEM, "tar");
    int r = strict_open(t, in, first, e);
    if (r < 0)
        tar_strict_close(t);
    else
        *out = t;
    return r;
}

void tar_strict_close(struct tar_strict *t)
{
    if (!t)
        return;
    archive_read_free(t->tar);
    plain_close(t->plain);
    tar_frame_free(&t->frame);
    if (t->utf8)
        freelocale(t->utf8);
    free(t);
}

static int strict_check(struct archive_entry *entry, struct err *e)
{
    const char *name = archive_entry_pathname(entry);
    if (!name)
        return refuse("?", "has a name that cannot be read", e);
    if (strlen(name) >= PATH_MAX)
        return refuse(name, "has too long a name", e);
    if (archive_entry_hardlink(entry) || archive_entry_symlink(entry))
        return refuse(name, "is a link", e);
    mode_t type = archive_entry_filetype(entry);
    if (type != AE_IFREG && type != AE_IFDIR)
        return refuse(name, "is neither a file nor a folder", e);
    if (archive_entry_sparse_count(entry) > 0)
        return refuse(name, "is sparse", e);
    if (!archive_entry_size_is_set(entry) || archive_entry_size(entry) < 0 ||
        archive_entry_size(entry) > SIZE_LIMIT)
        return refuse(name, "has no believable size", e);
    return 0;
}

static void strict_fill(struct archive_entry *entry, struct tar_member *m)
{
    strcpy(m->name, archive_entry_pathname(entry));
    m->folder = archive_entry_filetype(entry) == AE_IFDIR;
    size_t n = strlen(m->name);
    if (m->folder && n > 1 && m->name[n - 1] == '/')
        m->name[n - 1] = 0;
    m->mode = archive_entry_perm(entry);
    m->size = m->folder ? 0 : (uint64_t)archive_entry_size(entry);
    int64_t s = archive_entry_mtime(entry);
    m->mtime_ns = archive_entry_mtime_is_set(entry) && s >= 0 && s < INT64_MAX / SECOND_NS
                      ? s * SECOND_NS + archive_entry_mtime_nsec(entry)
                      : -1;
}

static int strict_next(struct tar_strict *t, struct tar_member *m, struct err *e)
{
    struct archive_entry *entry = NULL;
    int r = archive_read_next_header(t->tar, &entry);
    if (r == ARCHIVE_EOF && !t->failed)
        return 0;
    if (r != ARCHIVE_OK)
        return failure(t, e);
    if ((r = strict_check(entry, e)) < 0)
        return r;
    strict_fill(entry, m);
    m->at = (uint64_t)archive_filter_bytes(t->tar, 0);
    t->m = m;
    t->done = 0;
    r = tar_frame_member(&t->frame, m->at, m->size, m->folder, e);
    return r < 0 ? r : 1;
}

int tar_strict_next(struct tar_strict *t, struct tar_member *m, struct err *e)
{
    t->e = e;
    locale_t before = t->utf8 ? uselocale(t->utf8) : (locale_t)0;
    int r = strict_next(t, m, e);
    if (t->utf8)
        uselocale(before);
    return r;
}

ssize_t tar_strict_data(struct tar_strict *t, const void **buf, struct err *e)
{
    t->e = e;
    for (;;) {
        size_t n;
        la_int64_t off;
        int r = archive_read_data_block(t->tar, buf, &n, &off);
        if (r == ARCHIVE_EOF && t->done == t->m->size)
            return 0;
        if (r != ARCHIVE_OK && r != ARCHIVE_EOF)
            return failure(t, e);
        if (r == ARCHIVE_OK && n == 0)
            continue;
        if (r == ARCHIVE_EOF || (uint64_t)off != t->done || n > t->m->size - t->done)
            return refuse(t->m->name, "has not the size that it claims", e);
        t->done += n;
        return (ssize_t)n;
    }
}

int tar_strict_end(struct tar_strict *t, struct err *e)
{
    const void *block;
    uint64_t zeros = 0;
    ssize_t n = 1;
    int r = tar_frame_tail(&t->frame, e);
    while (r == 0 && n > 0) {
        n = plain_next(t->plain, tar_frame_complete(&t->frame) ? 0 : -EBADMSG, &block, e);
        if (n > 0 && plain_is_compressed(t->plain) && (zeros += (uint64_t)n) > TAR_ZEROS_MAX)
            return err_set(e, -EBADMSG, "hostile or damaged: too many zeros follow the tar");
        r = n > 0 ? tar_frame_block(&t->frame, block, (size_t)n, e) : (int)n;
    }
    if (r == 0 && !tar_frame_complete(&t->frame))
        r = ends_early(t, e);
    return r < 0 ? r : plain_end(t->plain, e);
}

bool tar_strict_is_compressed(const struct tar_strict *t)
{
    return plain_is_compressed(t->plain);
}

uint64_t tar_strict_bytes(const struct tar_strict *t)
{
    return t->frame.end;
}
