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

static void tarhead_fill(struct archive_entry *e, const char *path, const struct file_attr *attr)
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

static bool is_ascii(const char *s)
{
    while (*s && (unsigned char)*s < 0x80)
        s++;
    return *s == 0;
}

/* Writes the header with a new archive. charset: of the names, or NULL for UTF-8. */
static int tarhead_write_header(struct archive_entry *entry, const char *charset, char *buf)
{
    size_t used = 0;
    int rc;
    struct archive *a = archive_write_new();
    if (!a)
        return -ENOMEM;
    if (archive_write_set_format_pax_restricted(a) != ARCHIVE_OK ||
        (charset &&
         archive_write_set_format_option(a, NULL, "hdrcharset", charset) != ARCHIVE_OK) ||
        archive_write_set_bytes_per_block(a, 0) != ARCHIVE_OK ||
        archive_write_open_memory(a, buf, TARHEAD_MAX, &used) != ARCHIVE_OK) {
        rc = from_archive(a);
    } else {
        /* A warning means that the name is not valid UTF-8; it is then stored unchanged. The body
         * never comes: freeing the archive writes zeros instead, as far as the buffer goes. */
        int r = archive_write_header(a, entry);
        rc = r == ARCHIVE_OK || r == ARCHIVE_WARN ? (int)used : from_archive(a);
    }
    archive_write_free(a);
    return rc;
}

/* Whether a reader finds the same name in the header. */
static bool reads_back(struct archive_entry *entry, const char *buf, size_t len)
{
    struct archive_entry *found;
    struct archive *a = archive_read_new();
    bool same = a && archive_read_support_format_tar(a) == ARCHIVE_OK &&
                archive_read_open_memory(a, buf, len) == ARCHIVE_OK &&
                archive_read_next_header(a, &found) == ARCHIVE_OK &&
                archive_entry_pathname(found) &&
                strcmp(archive_entry_pathname(found), archive_entry_pathname(entry)) == 0;
    archive_read_free(a);
    return same;
}

/* Some readers, such as libarchive's, compose decomposed UTF-8 names, which changes the names.
 * Names marked binary are left alone; but GNU tar warns about that, so only such names are
 * marked. */
static int header(struct archive_entry *entry, char *buf)
{
    int len = tarhead_write_header(entry, NULL, buf);
    if (len < 0 || is_ascii(archive_entry_pathname(entry)) || reads_back(entry, buf, (size_t)len))
        return len;
    return tarhead_write_header(entry, "BINARY", buf);
}

int tarhead_write(const char *path, const struct file_attr *attr, char buf[TARHEAD_MAX])
{
    char name[4096 + 2];
    size_t n = strlen(path);
    if (n > 4095)
        return -ENAMETOOLONG;
    memcpy(name, path, n + 1);
    if (S_ISDIR(attr->mode))
        strcpy(name + n, "/");
    struct archive_entry *entry = archive_entry_new();
    if (!entry)
        return -ENOMEM;
    locale_t before = enter_utf8();
    tarhead_fill(entry, name, attr);
    int r = header(entry, buf);
    archive_entry_free(entry);
    if (utf8)
        uselocale(before);
    return r;
}

/* What certainly fits a plain ustar header. */
static bool is_plain(const char *path, const struct file_attr *attr)
{
    size_t n = strlen(path);
    if (n > 98 || attr->size >= (uint64_t)1 << 33 || attr->uid > 0777777 || attr->gid > 0777777 ||
        attr->mtime_ns < 0 || attr->mtime_ns / 1000000000 >= INT32_MAX)
        return false;
    return is_ascii(path) && is_ascii(owner_user(attr->uid)) && is_ascii(owner_group(attr->gid));
}

int tarhead_len(const char *path, const struct file_attr *attr)
{
    char buf[TARHEAD_MAX];
    return is_plain(path, attr) ? TAR_BLOCK : tarhead_write(path, attr, buf);
}
