/* SPDX-License-Identifier: MIT */
/* The keys of files. LMDB's are short, and those of one folder are to stand together. */
#include "store/base/cleanup.h"
#include "store/snapshot/catalog_internal.h"

#include <string.h>

#define KEY_MAX CATALOG_KEY_MAX
#define KEY_HEAD (KEY_MAX - SHA256_BYTES)
#define FOLDER_MAX                                                                                 \
    255             /* bytes of a folder's path; a longer one stands as BY_DIGEST and its digest */
#define BY_DIGEST 1 /* no path begins so */

static void digest(const char *text, size_t n, char out[SHA256_BYTES])
{
    cleanup(sha256_freep) struct sha256 *h = sha256_new();
    memset(out, 0, SHA256_BYTES);
    if (!h)
        return;
    sha256_add(h, text, n);
    sha256_end(h, (uint8_t *)out);
}

MDB_val catalog_key(const char *path, char buf[KEY_MAX])
{
    const char *slash = strrchr(path, '/'), *rest = path;
    size_t folder = slash ? (size_t)(slash - path) : 0, n = strlen(path), at = 0;
    if (n <= KEY_MAX && folder <= FOLDER_MAX)
        return (MDB_val){n, (void *)path};
    if (folder > FOLDER_MAX) {
        buf[at++] = BY_DIGEST;
        digest(path, folder, buf + at);
        at += SHA256_BYTES;
        rest = slash;
        n -= folder;
    }
    if (at + n <= KEY_MAX) {
        memcpy(buf + at, rest, n);
        return (MDB_val){at + n, buf};
    }
    memcpy(buf + at, rest, KEY_HEAD - at);
    digest(path, strlen(path), buf + KEY_HEAD);
    return (MDB_val){KEY_MAX, buf};
}

MDB_val catalog_key_of_folder(const char *path, size_t len, char buf[KEY_MAX])
{
    if (len == 0)
        return (MDB_val){0, buf};
    if (len > FOLDER_MAX) {
        buf[0] = BY_DIGEST;
        digest(path, len, buf + 1);
        len = SHA256_BYTES + 1;
    } else {
        memcpy(buf, path, len);
    }
    buf[len] = '/';
    return (MDB_val){len + 1, buf};
}

size_t catalog_key_folder(const MDB_val *k)
{
    const char *p = k->mv_data;
    if (k->mv_size && *p == BY_DIGEST)
        return k->mv_size > SHA256_BYTES + 1 ? SHA256_BYTES + 2 : 0;
    const char *slash = memrchr(p, '/', k->mv_size == KEY_MAX ? KEY_HEAD : k->mv_size);
    return slash ? (size_t)(slash - p) + 1 : 0;
}

int catalog_key_cmp(const void *a, const void *b)
{
    const MDB_val *x = a, *y = b;
    size_t n = x->mv_size < y->mv_size ? x->mv_size : y->mv_size;
    int d = n ? memcmp(x->mv_data, y->mv_data, n) : 0;
    return d ? d : (x->mv_size > y->mv_size) - (x->mv_size < y->mv_size);
}
