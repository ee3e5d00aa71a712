/* SPDX-License-Identifier: MIT */
#include "store/restore/record.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/time.h"
#include "store/restore/store_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

static const char current[] = "restored.json", upcoming[] = "restored.next.json";

struct record {
    int fd;                     /* the state folder, or -1 */
    struct manifest *unwritten; /* in memory, as it could not be written; */
    struct manifest *next;      /* what takes its place if the exchange is done */
};

int record_open(int state_fd, struct record **out)
{
    struct record *r = calloc(1, sizeof(*r));
    if (!r)
        return -ENOMEM;
    /* The given descriptor may be O_PATH. */
    r->fd = state_fd < 0 ? -1 : openat(state_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *out = r;
    return 0;
}

void record_close(struct record *r)
{
    if (!r)
        return;
    cleanup_close(&r->fd);
    manifest_free(r->unwritten);
    manifest_free(r->next);
    free(r);
}

bool record_unsettled(const struct record *r)
{
    return r->fd >= 0 && faccessat(r->fd, upcoming, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

struct comparison {
    const struct manifest *m;
    size_t found;
};

static bool equal(const struct manifest_file *f, const struct stat *st)
{
    return f->size == (uint64_t)st->st_size && f->mtime_ns == time_from_spec(&st->st_mtim);
}

static int compare(void *arg, const char *name, const struct stat *st)
{
    struct comparison *c = arg;
    if (S_ISDIR(st->st_mode))
        return 0;
    const struct manifest_file *f = manifest_find(c->m, name);
    c->found++;
    return !f || !equal(f, st);
}

static int record_stat(const int fds[TARGETS], const char *name, struct stat *st)
{
    const char *path;
    int fd = fds[target_kind_of(name, &path)];
    int r = fd < 0 ? -ENOENT : io_stat_beneath(fd, path, st);
    return r == 0 && !S_ISREG(st->st_mode) ? -ENOENT : r;
}

/* Files of a snapshot that influxd would not read are only looked up. */
static int record_check_others(const struct manifest *m, const int fds[TARGETS])
{
    for (size_t i = 0; i < m->nfiles; i++) {
        struct stat st;
        int r = record_stat(fds, m->files[i].name, &st);
        if (r < 0)
            return r == -ENOENT || r == -ENOTDIR || r == -ELOOP ? 0 : r;
        if (!equal(&m->files[i], &st))
            return 0;
    }
    return 1;
}

int record_fits(const struct manifest *m, const struct targets *t)
{
    cleanup(targets_closep) int fds[TARGETS] = {-1, -1, -1};
    struct comparison c = {m, 0};
    int r = targets_open_store(t, fds, NULL);
    if (r == 0)
        r = store_walk(fds, compare, &c);
    return r < 0 ? r : r == 0 && (c.found == m->nfiles || record_check_others(m, fds) == 1);
}

/* A damaged file, or one of another version, counts as missing. */
static int load(const struct record *r, const char *name, struct manifest **out)
{
    autofree char *text = NULL;
    size_t len;
    int code = r->fd < 0 ? -ENOENT : io_read_file(r->fd, name, MANIFEST_MAX, &text, &len);
    if (code == 0)
        code = manifest_parse(text, len, out, NULL);
    return code == -ENOENT || code == -EINVAL || code == -EBADMSG ? 0 : code;
}

int record_look(struct record *r, const struct targets *t, struct manifest **out, bool *moved_on,
                struct err *e)
{
    cleanup(manifest_freep) struct manifest *now = NULL, *next = NULL;
    int code = 0;
    if (r->unwritten)
        code = manifest_copy(r->unwritten, &now);
    else if ((code = load(r, current, &now)) == 0)
        code = load(r, upcoming, &next);
    int fits = code < 0 ? code : next ? record_fits(next, t) : 0;
    const bool cut_off = fits == 1;
    if (cut_off) {
        manifest_free(now);
        now = steal_ptr(&next);
    } else if (fits == 0) {
        fits = now ? record_fits(now, t) : 0;
        if (fits == 1 && next)
            unlinkat(r->fd, upcoming, 0);
    }
    if (fits < 0)
        return err_sys(e, fits, "cannot find out what the store holds");
    *moved_on = fits == 0;
    *out = now ? steal_ptr(&now) : steal_ptr(&next);
    return cut_off;
}

static int record_staged(struct manifest *state, const int staged[TARGETS], struct err *e)
{
    for (size_t i = 0; i < state->nfiles; i++) {
        struct stat st;
        struct manifest_file *f = &state->files[i];
        int r = record_stat(staged, f->name, &st);
        if (r < 0 || f->size != (uint64_t)st.st_size)
            return err_sys(e, r < 0 && r != -ENOENT ? r : -EIO, "%s was not staged as it should be",
                           f->name);
        f->mtime_ns = time_from_spec(&st.st_mtim);
    }
    return 0;
}

int record_prepare(struct record *r, struct manifest *state, const int staged[TARGETS],
                   struct err *note, struct err *e)
{
    autofree char *text = NULL;
    size_t len = 0;
    int code = record_staged(state, staged, e);
    if (code < 0)
        return code;
    manifest_free(steal_ptr(&r->next));
    code = manifest_write(state, &text, &len);
    if (code == 0)
        code = r->fd < 0 ? -ENOENT : io_replace_file(r->fd, upcoming, text, len, 0600);
    if (code == 0)
        return 0;
    if (r->fd >= 0)
        err_sys(note, code, "the state folder: %s; numbers will not fit after the next mount",
                upcoming);
    code = manifest_copy(state, &r->next);
    return code < 0 ? err_sys(e, code, "restore") : 0;
}

void record_end(struct record *r, bool done)
{
    bool in_memory = r->next != NULL;
    if (done) {
        manifest_free(r->unwritten);
        r->unwritten = steal_ptr(&r->next);
    }
    manifest_free(steal_ptr(&r->next));
    if (r->fd < 0 || in_memory)
        return;
    if (!done)
        unlinkat(r->fd, upcoming, 0);
    else if (renameat(r->fd, upcoming, r->fd, current) == 0)
        io_sync_dir(r->fd);
}
