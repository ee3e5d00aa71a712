/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/stream.h"

#include "store/base/cleanup.h"
#include "store/influxsnap/snap.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>

#define BLOCK (256u << 10)

struct stream {
    int fd;
    const char *name;
    uint64_t bytes;
    struct archive *filter; /* NULL: not compressed */
    int failed;             /* what the writes below the filter returned */
};

/* Unlike io_write_all, gives up when the program is to stop: a pipe can block for ever. */
static int stream_write_all(struct stream *s, const char *buf, size_t n)
{
    while (n > 0) {
        ssize_t k = snap_stopped(NULL) ? -1 : write(s->fd, buf, n);
        if (snap_stopped(NULL))
            return -EINTR;
        if (k < 0 && errno != EINTR)
            return -errno;
        if (k > 0) {
            buf += k;
            n -= (size_t)k;
            s->bytes += (uint64_t)k;
        }
    }
    return 0;
}

static la_ssize_t put(struct archive *a, void *arg, const void *buf, size_t n)
{
    struct stream *s = arg;
    int r = s->failed ? s->failed : stream_write_all(s, buf, n);
    if (r == 0)
        return (la_ssize_t)n;
    s->failed = r;
    archive_set_error(a, -r, "write");
    return -1;
}

static int failure(const struct stream *s, int code, struct err *e)
{
    if (code == -EINTR)
        return err_set(e, code, "interrupted");
    return err_sys(e, code, "%s", s->name);
}

static int filter_failure(const struct stream *s, struct err *e)
{
    if (s->failed)
        return failure(s, s->failed, e);
    const char *words = s->filter ? archive_error_string(s->filter) : NULL;
    return err_set(e, -EIO, "compressing %s: %s", s->name, words ? words : "out of memory");
}

/* libarchive's format for any bytes: one nameless entry. */
static int stream_open_filter(struct stream *s, enum compress how, struct err *e)
{
    s->filter = archive_write_new();
    struct archive_entry *entry = archive_entry_new();
    if (!s->filter || !entry) {
        archive_entry_free(entry);
        return err_sys(e, -ENOMEM, "compressing %s", s->name);
    }
    archive_entry_set_filetype(entry, AE_IFREG);
    int (*const add)(struct archive *) =
        how == COMPRESS_ZSTD ? archive_write_add_filter_zstd : archive_write_add_filter_gzip;
    /* ARCHIVE_WARN would be a filter by an external program. */
    bool good = archive_write_set_format_raw(s->filter) == ARCHIVE_OK &&
                add(s->filter) == ARCHIVE_OK &&
                archive_write_set_bytes_per_block(s->filter, BLOCK) == ARCHIVE_OK &&
                archive_write_set_bytes_in_last_block(s->filter, 1) == ARCHIVE_OK &&
                archive_write_open(s->filter, s, NULL, put, NULL) == ARCHIVE_OK &&
                archive_write_header(s->filter, entry) == ARCHIVE_OK;
    archive_entry_free(entry);
    return good ? 0 : filter_failure(s, e);
}

int stream_open(int fd, const char *name, enum compress how, struct stream **out, struct err *e)
{
    cleanup(stream_closep) struct stream *s = calloc(1, sizeof(*s));
    if (!s)
        return err_sys(e, -ENOMEM, "%s", name);
    s->fd = fd;
    s->name = name;
    int r = how == COMPRESS_NOT ? 0 : stream_open_filter(s, how, e);
    if (r == 0)
        *out = steal_ptr(&s);
    return r;
}

int stream_write(struct stream *s, const void *buf, size_t n, struct err *e)
{
    if (s->filter)
        return archive_write_data(s->filter, buf, n) == (la_ssize_t)n ? 0 : filter_failure(s, e);
    int r = stream_write_all(s, buf, n);
    return r < 0 ? failure(s, r, e) : 0;
}

int stream_end(struct stream *s, uint64_t *bytes, struct err *e)
{
    if (s->filter && archive_write_close(s->filter) != ARCHIVE_OK)
        return filter_failure(s, e);
    *bytes = s->bytes;
    return 0;
}

void stream_close(struct stream *s)
{
    if (!s)
        return;
    /* An abandoned stream must not be finished. */
    s->failed = s->failed ? s->failed : -ECANCELED;
    archive_write_free(s->filter);
    free(s);
}
