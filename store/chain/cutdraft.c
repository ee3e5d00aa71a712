/* SPDX-License-Identifier: MIT */
#include "store/chain/cutdraft.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define PIECE ((size_t)64 << 10)

struct cutdraft {
    int fd;
    FILE *text; /* writes to fd; buffered */
    struct extent {
        uint64_t at, len;
    } * taken;
    size_t n;
};

int cutdraft_new(int cuts_fd, struct cutdraft **out, struct err *e)
{
    struct cutdraft *d = calloc(1, sizeof(*d));
    if (!d)
        return err_sys(e, -ENOMEM, "a cut");
    d->fd = io_open_nameless(cuts_fd, ".");
    int copy = d->fd < 0 ? -1 : fcntl(d->fd, F_DUPFD_CLOEXEC, 0);
    int r = d->fd < 0 ? d->fd : copy < 0 ? -errno : 0;
    d->text = copy < 0 ? NULL : fdopen(copy, "w");
    if (r == 0 && !d->text) {
        close(copy);
        r = -ENOMEM;
    }
    if (r < 0) {
        cutdraft_free(d);
        return err_sys(e, r, "a file in the folder of the cuts");
    }
    setvbuf(d->text, NULL, _IOFBF, PIECE);
    *out = d;
    return 0;
}

void cutdraft_free(struct cutdraft *d)
{
    if (!d)
        return;
    if (d->text)
        fclose(d->text);
    cleanup_close(&d->fd);
    free(d->taken);
    free(d);
}

void cutdraft_put(struct cutdraft *d, const struct cut_entry *entry)
{
    cut_line_put(d->text, entry);
}

uint64_t cutdraft_at(const struct cutdraft *d)
{
    return (uint64_t)ftello(d->text);
}

int cutdraft_take(struct cutdraft *d, uint64_t at, uint64_t len)
{
    struct extent *last = d->n ? &d->taken[d->n - 1] : NULL;
    if (len == 0)
        return 0;
    if (last && last->at + last->len == at) {
        last->len += len;
        return 0;
    }
    if (!array_grow(&d->taken, d->n))
        return -ENOMEM;
    d->taken[d->n++] = (struct extent){at, len};
    return 0;
}

static int cutdraft_copy(const struct cutdraft *d, const struct extent *x, char *buf, FILE *to)
{
    for (uint64_t done = 0; done < x->len;) {
        const size_t n = x->len - done < PIECE ? (size_t)(x->len - done) : PIECE;
        int r = io_pread_all(d->fd, buf, n, x->at + done);
        if (r < 0)
            return r;
        if (fwrite(buf, 1, n, to) != n)
            return 0; /* its owner knows why */
        done += n;
    }
    return 0;
}

int cutdraft_pour(struct cutdraft *d, FILE *to, struct err *e)
{
    autofree char *buf = malloc(PIECE);
    errno = 0;
    int r = !buf ? -ENOMEM : fflush(d->text) != 0 || ferror(d->text) ? (errno ? -errno : -EIO) : 0;
    for (size_t i = 0; r == 0 && i < d->n; i++)
        r = cutdraft_copy(d, &d->taken[i], buf, to);
    return r < 0 ? err_sys(e, r, "a file in the folder of the cuts") : 0;
}
