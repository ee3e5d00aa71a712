/* SPDX-License-Identifier: MIT */
/* What a folder holds, by the names in it and by manifests, before a set in it is read. */
#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/base/io.h"
#include "store/sets/set_impl.h"
#include "store/sets/set_manifest.h"
#include "store/sets/set_meta.h"
#include "store/sets/set_name.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define META_FILE_MAX (META_DB_MAX + (1 << 20))

/* base.tar, 0.tar, … of a chain, or what a compressor makes of these. */
static bool folder_is_chain(const char *name)
{
    size_t n = strspn(name, "0123456789");
    if (n == 0 && strncmp(name, "base", 4) == 0)
        n = 4;
    return n && strncmp(name + n, ".tar", 4) == 0;
}

int set_folder_kind(int folder, enum set_name *kind)
{
    cleanup(dir_free) struct dir d = {0};
    int r = dir_read(folder, &d);
    if (r < 0)
        return r;
    *kind = SET_NO_NAME;
    for (size_t i = 0; i < d.n; i++) {
        if (folder_is_chain(d.names[i])) {
            *kind = SET_NO_NAME;
            return 0;
        }
        if (*kind == SET_NO_NAME && dir_type(&d, i) != DT_DIR)
            *kind = set_name_kind(d.names[i]);
    }
    return 0;
}

/* Completeness */

static int folder_lacks(struct err *missing, const char *name)
{
    err_set(missing, 0, "%s", name);
    return 0;
}

/* 1: the metastore is there, whole. */
static int folder_has_meta(int folder, const struct set_manifest *m)
{
    autofree char *file = NULL;
    struct bytes meta;
    size_t len = 0;
    int r = io_read_file(folder, m->meta, META_FILE_MAX, &file, &len);
    if (r < 0)
        return r == -ENOENT || r == -EFBIG || r == -EINVAL || r == -ELOOP ? 0 : r;
    const struct bytes all = {(const uint8_t *)file, len};
    return set_meta_portable(all, m->meta_size, &meta, NULL) == 0;
}

/* 1: the archive is there, and ends with the size of the tar in it, modulo 2^32 (RFC 1952). */
static int folder_has_archive(int folder, const struct set_manifest_file *f)
{
    uint64_t size = 0;
    uint32_t end;
    autoclose int fd = set_open_file(folder, f->name, &size, NULL);
    if (fd < 0)
        return fd == -ENOENT || fd == -EBADMSG ? 0 : fd;
    if (size < sizeof(end))
        return 0;
    int r = io_pread_all(fd, &end, sizeof(end), size - sizeof(end));
    return r < 0 ? r : le32toh(end) == (uint32_t)f->size || size == f->size;
}

/* 1: all that the manifest names is there. */
static int folder_has_all(int folder, const char *name, struct err *missing)
{
    autofree char *text = NULL;
    size_t len = 0;
    struct set_manifest m = {0};
    int r = io_read_file(folder, name, SET_MANIFEST_MAX, &text, &len);
    if (r == 0)
        r = set_manifest_parse(text, len, &m, NULL);
    if (r < 0) /* a part of it has come */
        return r == -ENOMEM || r == -EIO ? r : folder_lacks(missing, name);
    r = folder_has_meta(folder, &m);
    if (r == 0)
        folder_lacks(missing, m.meta);
    for (size_t i = 0; r > 0 && i < m.nfiles; i++) {
        r = folder_has_archive(folder, &m.files[i]);
        if (r == 0)
            folder_lacks(missing, m.files[i].name);
    }
    set_manifest_clear(&m);
    return r;
}

int set_is_complete(int folder, bool *complete, struct err *missing)
{
    cleanup(dir_free) struct dir d = {0};
    bool any = false;
    int r = dir_read(folder, &d);
    for (size_t i = 0; r >= 0 && i < d.n; i++) {
        if (!set_name_manifest(d.names[i]) || dir_type(&d, i) == DT_DIR)
            continue;
        any = true;
        if ((r = folder_has_all(folder, d.names[i], missing)) <= 0)
            break;
    }
    if (r < 0)
        return r;
    if (!any)
        folder_lacks(missing, SET_MANIFEST_SUFFIX);
    *complete = any && r > 0;
    return 0;
}
