/* SPDX-License-Identifier: MIT */
#include "store/snapshot/tarhead.h"

#include "store/base/owner.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

/* libarchive translates names from the thread's locale; in the C locale it refuses UTF-8. */
static locale_t utf8;

static void make_locale(void)
{
    utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

static locale_t enter_utf8(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_locale);
    return utf8 ? uselocale(utf8) : LC_GLOBAL_LOCALE;
}

static void fill(struct archive_entry *e, const char *path, const struct file_attr *attr)
{
    archive_entry_copy_pathname(e, path);
    archive_entry_set_mode(e, attr->mode);
    archive_entry_set_size(e, S_ISREG(attr->mode) ? (la_int64_t)attr->size : 0);
    /* Whole seconds, rounded down: a fraction would cost every file a pax header. The manifest has
     * the nanoseconds. */
    int64_t s = attr->mtime_ns / 1000000000 - (attr->mtime_ns % 1000000000 < 0);
    archive_entry_set_mtime(e, s, 0);
    archive_entry_set_uid(e, attr->uid);
    archive_entry_set_gid(e, attr->gid);
    archive_entry_copy_uname(e, owner_user(attr->uid));
    archive_entry_copy_gname(e, owner_group(attr->gid));
}

static int from_archive(struct archive *a)
{
    int err = archive_errno(a);
    return err > 0 ? -err : -EIO;
}

static int header(struct archive *a, struct archive_entry *entry, char *buf)
{
    size_t used = 0;
    if (archive_write_set_format_pax_restricted(a) != ARCHIVE_OK ||
        archive_write_set_bytes_per_block(a, 0) != ARCHIVE_OK ||
        archive_write_open_memory(a, buf, TARHEAD_MAX, &used) != ARCHIVE_OK)
        return from_archive(a);
    /* A warning says that the name is not valid UTF-8; it is then stored as it is. The body never
     * comes: freeing the archive writes zeros in its place, as far as the buffer goes. */
    int r = archive_write_header(a, entry);
    int rc = r == ARCHIVE_OK || r == ARCHIVE_WARN ? (int)used : from_archive(a);
    return rc;
}

int tarhead_write(const char *path, const struct file_attr *attr, char buf[TARHEAD_MAX])
{
    int r = -ENOMEM;
    locale_t before = enter_utf8();
    struct archive *a = archive_write_new();
    struct archive_entry *entry = archive_entry_new();
    if (a && entry) {
        char folder[4096 + 2];
        size_t n = strlen(path);
        if (n > 4095) {
            r = -ENAMETOOLONG;
        } else {
            memcpy(folder, path, n + 1);
            if (S_ISDIR(attr->mode))
                strcpy(folder + n, "/");
            fill(entry, folder, attr);
            r = header(a, entry, buf);
        }
    }
    archive_entry_free(entry);
    archive_write_free(a);
    if (utf8)
        uselocale(before);
    return r;
}

/* What fits a plain ustar header without a doubt. */
static bool is_plain(const char *path, const struct file_attr *attr)
{
    size_t n = strlen(path);
    if (n > 98 || attr->size >= (uint64_t)1 << 33 || attr->uid > 0777777 || attr->gid > 0777777 ||
        attr->mtime_ns < 0)
        return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)path[i] >= 0x80)
            return false;
    return true;
}

int tarhead_len(const char *path, const struct file_attr *attr)
{
    char buf[TARHEAD_MAX];
    return is_plain(path, attr) ? TAR_BLOCK : tarhead_write(path, attr, buf);
}
