/* SPDX-License-Identifier: MIT */
#include "store/restore/record.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/path.h"
#include "store/base/time.h"
#include "store/influx/names.h"
#include "store/restore/record_file.h"
#include "store/restore/store_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static const char current[] = "restored.json", upcoming[] = "restored.next.json";

struct record {
    int fd;                     /* the state folder, or -1 */
    struct manifest *unwritten; /* in memory, as it could not be written; */
    struct manifest *next;      /* what takes its place if the exchange is done */
    bool touched;               /* see record_touched */
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

/* A record, file by file: of a manifest in memory, or of a file. */
struct listed {
    const struct manifest *m;
    size_t at;
    struct record_reading *file;
    int64_t since_ns; /* when it became valid */
    bool touched;     /* something has been done to a file since */
};

static void listed_end(struct listed *l)
{
    record_reading_close(l->file);
}

/* Opens one. 1; 0: there is none, or it is damaged or of another version, which counts as none. */
static int listed_open(const struct record *r, const char *name, struct listed *l)
{
    *l = (struct listed){.m = name == current ? r->unwritten : NULL};
    if (l->m)
        return 1;
    struct stat st;
    int code = r->fd < 0 ? -ENOENT : record_reading_open(r->fd, name, &l->file);
    if (code == 0 && fstatat(r->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        l->since_ns = time_from_spec(&st.st_ctim);
    return code == -ENOENT || code == -EBADMSG ? 0 : code < 0 ? code : 1;
}

static const struct manifest *listed_head(const struct listed *l)
{
    return l->m ? l->m : record_reading_head(l->file);
}

static int listed_next(struct listed *l, struct manifest_file *out)
{
    if (!l->m)
        return record_reading_next(l->file, out);
    if (l->at == l->m->nfiles)
        return 0;
    *out = l->m->files[l->at++];
    return 1;
}

/* Files come by folder: the folder of the last one stays open. */
struct parent {
    int fd;
    char path[PATH_MAX];
};

static void parent_close(const struct parent *p)
{
    cleanup_close(&p->fd);
}

static int record_stat(const int fds[TARGETS], struct parent *p, const char *name, struct stat *st)
{
    const char *path, *last = path_last(name);
    const enum target_kind kind = target_kind_of(name, &path);
    const size_t len = (size_t)(last - name);
    if (p->fd < 0 || strncmp(p->path, name, len) != 0 || p->path[len]) {
        char up[PATH_MAX];
        snprintf(up, sizeof(up), "%.*s", (int)(last > path ? last - path - 1 : 0), path);
        cleanup_close(&p->fd);
        p->fd = fds[kind] < 0 ? -ENOENT : io_open_beneath(fds[kind], up, O_RDONLY | O_DIRECTORY);
        snprintf(p->path, sizeof(p->path), "%.*s", (int)len, name);
    }
    if (p->fd < 0)
        return p->fd;
    if (fstatat(p->fd, last, st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    return S_ISREG(st->st_mode) ? 0 : -ENOENT;
}

static int record_count(void *arg, const char *name, const struct stat *st)
{
    (void)name;
    *(uint64_t *)arg += !S_ISDIR(st->st_mode);
    return 0;
}

/* A cut that links a file, or unlinks it, touches it as well. */
static bool record_is_linked(const char *name, const struct stat *st)
{
    const char *last = path_last(name);
    return st->st_nlink > 1 && (name_is_tsm(last) || name_is_tombstone(last));
}

/* 1 if all these files are in the folders as they are listed, 0 if not. *walked: how many of them a
 * walk would meet. */
static int record_listed_fits(struct listed *l, const int fds[TARGETS], uint64_t *walked)
{
    cleanup(parent_close) struct parent parent = {.fd = -1};
    struct manifest_file f;
    int code;
    while ((code = listed_next(l, &f)) == 1) {
        struct stat st;
        int r = record_stat(fds, &parent, f.name, &st);
        if (r < 0)
            return r == -ENOENT || r == -ENOTDIR || r == -ELOOP ? 0 : r;
        if (f.size != (uint64_t)st.st_size || f.mtime_ns != time_from_spec(&st.st_mtim))
            return 0;
        l->touched |= time_from_spec(&st.st_ctim) > l->since_ns && !record_is_linked(f.name, &st);
        *walked += store_walk_meets(f.name);
    }
    return code < 0 ? code : 1;
}

/* The same for a whole store, that has no others that a walk would meet. */
static int record_is_store(struct listed *l, const struct targets *t)
{
    cleanup(targets_closep) int fds[TARGETS] = {-1, -1, -1};
    uint64_t listed = 0, there = 0;
    int r = targets_open_store(t, fds, NULL);
    if (r == 0)
        r = record_listed_fits(l, fds, &listed);
    if (r != 1)
        return r == -EBADMSG ? 0 : r;
    r = store_walk(fds, record_count, &there);
    return r < 0 ? r : listed == there;
}

int record_fits(const struct record *r, const struct targets *t)
{
    cleanup(listed_end) struct listed l = {0};
    int code = listed_open(r, current, &l);
    return code == 1 ? record_is_store(&l, t) : code;
}

/* A copy of all but its files. */
static int listed_copy_head(const struct listed *l, struct manifest **out)
{
    struct manifest head = *listed_head(l);
    if (l->m) {
        head.unlisted = head.nfiles;
        head.nfiles = 0;
    }
    return manifest_copy(&head, out);
}

/* Whether the store is as that record says: 1; 0, also if there is none. *out: its head. */
static int record_try(struct record *r, const char *name, const struct targets *t,
                      struct manifest **out)
{
    cleanup(listed_end) struct listed l = {0};
    int code = listed_open(r, name, &l);
    if (code == 1)
        code = listed_copy_head(&l, out);
    if (code == 0 && *out)
        code = record_is_store(&l, t);
    r->touched = l.touched;
    return code;
}

int record_look(struct record *r, const struct targets *t, struct manifest **out, bool *moved_on,
                struct err *e)
{
    cleanup(manifest_freep) struct manifest *now = NULL, *next = NULL;
    int fits = r->unwritten ? 0 : record_try(r, upcoming, t, &next);
    const bool cut_off = fits == 1;
    if (fits == 0) {
        fits = record_try(r, current, t, &now);
        if (fits == 1 && next)
            unlinkat(r->fd, upcoming, 0);
    }
    if (fits < 0)
        return err_sys(e, fits, "cannot find out what the store holds");
    *moved_on = fits == 0;
    *out = now ? steal_ptr(&now) : steal_ptr(&next);
    return cut_off;
}

bool record_touched(const struct record *r)
{
    return r->touched;
}

int record_read(const struct record *r, struct manifest **out, struct err *e)
{
    autofree char *text = NULL;
    size_t len;
    int code = r->unwritten ? manifest_copy(r->unwritten, out)
                            : io_read_file(r->fd, current, SIZE_MAX - 1, &text, &len);
    if (code == 0 && !r->unwritten)
        code = manifest_parse(text, len, out, NULL);
    return code < 0 ? err_sys(e, code, "cannot find out what the store holds") : 0;
}

/* What is staged must be what is listed. */
static int record_staged(const int staged[TARGETS], struct parent *p, struct manifest_file *f,
                         bool any_size, struct err *e)
{
    struct stat st;
    int r = record_stat(staged, p, f->name, &st);
    if (r < 0 || (!any_size && f->size != (uint64_t)st.st_size))
        return err_sys(e, r < 0 && r != -ENOENT ? r : -EIO, "%s was not staged as it should be",
                       f->name);
    f->size = (uint64_t)st.st_size;
    f->mtime_ns = time_from_spec(&st.st_mtim);
    return 0;
}

static void record_note(const struct record *r, int code, struct err *note)
{
    if (r->fd >= 0)
        err_sys(note, code, "the state folder: %s; numbers will not fit after the next mount",
                upcoming);
}

static int record_write(const struct record *r, const struct manifest *state)
{
    struct record_writing *w;
    int code = r->fd < 0 ? -ENOENT : record_writing_open(r->fd, upcoming, state, &w);
    if (code < 0)
        return code;
    for (size_t i = 0; i < state->nfiles; i++)
        record_writing_add(w, &state->files[i]);
    return record_writing_end(w, true);
}

int record_prepare(struct record *r, struct manifest *state, const int staged[TARGETS],
                   struct err *note, struct err *e)
{
    cleanup(parent_close) struct parent parent = {.fd = -1};
    int code = 0;
    for (size_t i = 0; code == 0 && i < state->nfiles; i++)
        code = record_staged(staged, &parent, &state->files[i], false, e);
    if (code < 0)
        return code;
    manifest_free(steal_ptr(&r->next));
    if ((code = record_write(r, state)) == 0)
        return 0;
    record_note(r, code, note);
    code = manifest_copy(state, &r->next);
    return code < 0 ? err_sys(e, code, "restore") : 0;
}

/* Adds all files; w may be NULL: then it only looks at them. */
static int record_add_cut(struct record_writing *w, const struct cutuse *cut,
                          const int staged[TARGETS], struct err *e)
{
    cleanup(parent_close) struct parent parent = {.fd = -1};
    cleanup(cutstream_freep) struct cutstream *s = NULL;
    const struct cut_entry *f;
    int r = cutuse_stream(cut, &s, e);
    while (r == 0 && (r = cutstream_next(s, &f, e)) == 0 && f) {
        struct manifest_file as = {
            .name = (char *)f->path, .size = f->attr.size, .index = f->index};
        if (cut_is_folder(f))
            continue;
        r = record_staged(staged, &parent, &as, strcmp(f->path, NAME_META_MEMBER) == 0, e);
        if (r == 0 && w)
            record_writing_add(w, &as);
    }
    return r;
}

int record_prepare_cut(struct record *r, const struct manifest *state, const struct cutuse *cut,
                       const int staged[TARGETS], struct err *note, struct err *e)
{
    struct record_writing *w = NULL;
    int opened = r->fd < 0 ? -ENOENT : record_writing_open(r->fd, upcoming, state, &w);
    int code = record_add_cut(w, cut, staged, e);
    if (opened == 0)
        opened = record_writing_end(w, code == 0);
    if (code == 0 && opened < 0)
        record_note(r, opened, note);
    manifest_free(steal_ptr(&r->next));
    return code;
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
