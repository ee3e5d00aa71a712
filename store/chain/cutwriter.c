/* SPDX-License-Identifier: MIT */
#include "store/chain/cutwriter.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#define PIECE ((size_t)64 << 10)

struct cutwriter {
    int dirfd; /* the caller's */
    char name[NAME_MAX + 1], tmp[NAME_MAX + 1];
    int fd;
    FILE *text;
    struct sha256 *sum;
    bool made;  /* tmp is there */
    int failed; /* -errno of the first write that failed */
};

/* Keeps the sum of what is written; a failure is kept, too, as stdio forgets which it was. */
static ssize_t cutwriter_take(void *cookie, const char *buf, size_t n)
{
    struct cutwriter *w = cookie;
    if (w->failed == 0)
        w->failed = io_write_all(w->fd, buf, n);
    sha256_add(w->sum, buf, n);
    return w->failed == 0 ? (ssize_t)n : 0;
}

int cutwriter_open(int dirfd, const char *name, struct cutwriter **out, struct err *e)
{
    cleanup(cutwriter_closep) struct cutwriter *w = calloc(1, sizeof(*w));
    if (!w)
        return err_sys(e, -ENOMEM, "the manifest of cut %s", name);
    w->dirfd = dirfd;
    w->fd = -1;
    snprintf(w->name, sizeof(w->name), "%s", name);
    snprintf(w->tmp, sizeof(w->tmp), "%.200s.tmp", name);
    if ((unlinkat(dirfd, w->tmp, 0) < 0 && errno != ENOENT) ||
        (w->fd =
             openat(dirfd, w->tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)) < 0)
        return err_sys(e, -errno, "the manifest of cut %s", name);
    w->made = true;
    w->sum = sha256_new();
    w->text = fopencookie(w, "w", (cookie_io_functions_t){.write = cutwriter_take});
    if (!w->sum || !w->text || setvbuf(w->text, NULL, _IOFBF, PIECE) != 0)
        return err_sys(e, -ENOMEM, "the manifest of cut %s", name);
    *out = steal_ptr(&w);
    return 0;
}

FILE *cutwriter_text(struct cutwriter *w)
{
    return w->text;
}

static int cutwriter_seal(struct cutwriter *w)
{
    uint8_t digest[SHA256_BYTES];
    char hex[SHA256_HEX + 1];
    const bool failed = fflush(w->text) != 0 || ferror(w->text);
    sha256_end(w->sum, digest);
    sha256_hex(digest, hex);
    if (w->failed < 0 || failed)
        return w->failed < 0 ? w->failed : -ENOMEM;
    sha256_reset(w->sum); /* for what is written from here on */
    fprintf(w->text, "end %s\n", hex);
    return fflush(w->text) != 0 ? (w->failed < 0 ? w->failed : -EIO) : 0;
}

int cutwriter_commit(struct cutwriter *w, struct err *e)
{
    int r = cutwriter_seal(w);
    if (r == 0 && fsync(w->fd) < 0)
        r = -errno;
    if (r == 0)
        r = io_close(&w->fd);
    if (r == 0 && renameat(w->dirfd, w->tmp, w->dirfd, w->name) < 0)
        r = -errno;
    if (r == 0) {
        w->made = false;
        r = io_sync_dir(w->dirfd);
    }
    return r < 0 ? err_sys(e, r, "manifest of cut %s", w->name) : 0;
}

void cutwriter_close(struct cutwriter *w)
{
    if (!w)
        return;
    if (w->text) {
        w->failed = w->failed < 0 ? w->failed : -ECANCELED; /* what is left is not written */
        fclose(w->text);
    }
    if (w->made)
        unlinkat(w->dirfd, w->tmp, 0);
    cleanup_close(&w->fd);
    sha256_free(w->sum);
    free(w);
}
