/* SPDX-License-Identifier: MIT */
#include "store/restore/unpack.h"

#include "store/base/buffer.h"
#include "store/base/cleanup.h"
#include "store/influx/names.h"
#include "store/influx/written.h"
#include "store/restore/hash_worker.h"
#include "store/restore/stage_match.h"
#include "store/restore/sums.h"
#include "store/restore/tar_strict.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

struct unpack {
    const struct unpack_io *io;
    const struct unpack_sink *sink; /* NULL: into staging folders */
    struct tar_strict *tar;
    struct hash_worker *hash;
    struct manifest *m;
    struct stage *stage;
    uint8_t of_manifest[SHA256_BYTES];
    uint8_t (*sums)[SHA256_BYTES]; /* of m->files[i] */
    bool *seen;
    size_t left;  /* files still to come */
    bool checked; /* there is room for them */
    struct err *e;
};

static int refuse(const struct unpack *u, const char *name, const char *why)
{
    return err_set(u->e, -EBADMSG, "hostile or damaged: member %s %s", name, why);
}

static int next_member(struct unpack *u, struct tar_member *out)
{
    int r = tar_strict_next(u->tar, out, u->e);
    return r == 0 ? err_set(u->e, -EBADMSG, "ends early: SHA256SUMS is missing") : r;
}

/* Reads a member into memory, with its sum. */
static int unpack_text(struct unpack *u, const struct tar_member *m, char **out,
                       uint8_t sum[SHA256_BYTES])
{
    cleanup(buffer_free) struct buffer text = {0};
    const void *buf;
    ssize_t n;
    if (m->folder || m->size > MANIFEST_MAX)
        return refuse(u, m->name, "is too large");
    hash_worker_begin(u->hash);
    while ((n = tar_strict_data(u->tar, &buf, u->e)) > 0) {
        /* It grows with the bytes that come, not with what the header promises. */
        buffer_add(&text, buf, (size_t)n);
        hash_worker_add(u->hash, buf, (size_t)n);
        hash_worker_wait(u->hash);
    }
    if (n < 0)
        return (int)n;
    buffer_add(&text, "", 0);
    if (text.failed)
        return err_sys(u->e, -ENOMEM, "%s", m->name);
    hash_worker_end(u->hash, sum);
    *out = steal_ptr(&text.p);
    return 0;
}

static int unpack_check_increment(const struct unpack *u)
{
    const struct manifest *m = u->m;
    if (m->number < 0 || !m->parent || strcmp(m->parent, m->id) == 0)
        return err_set(u->e, -EBADMSG,
                       "damaged: snapshot %s holds only changes, but does not say since when",
                       m->id);
    for (size_t i = 0; i < m->nremoved; i++)
        if (manifest_find(m, m->removed[i]))
            return err_set(u->e, -EBADMSG, "damaged: snapshot %s both holds and removes %s", m->id,
                           m->removed[i]);
    return 0;
}

/* influxd needs only what it writes, and whatever removes a store knows its files by name. */
static int unpack_check_names(const struct unpack *u)
{
    for (size_t i = 0; i < u->m->nfiles; i++)
        if (!written_by_influxd(u->m->files[i].name, S_IFREG))
            return err_set(u->e, -EBADMSG,
                           "hostile: snapshot %s holds %s, which is no file of a store", u->m->id,
                           u->m->files[i].name);
    return 0;
}

static int unpack_check_restorable(const struct unpack *u)
{
    const struct manifest *m = u->m;
    if (m->kind == MANIFEST_INCREMENTAL)
        return unpack_check_increment(u);
    if (m->kind == MANIFEST_DATABASE && !m->selection)
        return err_set(u->e, -EINVAL,
                       "snapshot %s is of some databases, but does not say of which; copy a full "
                       "snapshot",
                       m->id);
    if (!manifest_find(m, NAME_META_MEMBER))
        return err_set(u->e, -EBADMSG, "damaged: snapshot %s has no %s", m->id, NAME_META_MEMBER);
    return 0;
}

static int unpack_manifest(struct unpack *u)
{
    struct tar_member head = {0};
    autofree char *text = NULL;
    int r = next_member(u, &head);
    if (r < 0)
        return r;
    if (strcmp(head.name, "manifest") != 0)
        return err_set(u->e, -EINVAL,
                       "not a snapshot: a tar, but its first member is not `manifest`");
    if ((r = unpack_text(u, &head, &text, u->of_manifest)) < 0 ||
        (r = manifest_parse(text, head.size, &u->m, u->e)) < 0 || (r = unpack_check_names(u)) < 0 ||
        (!u->sink && (r = unpack_check_restorable(u)) < 0))
        return r;
    u->left = u->m->nfiles;
    u->seen = calloc(u->left + 1, sizeof(*u->seen));
    u->sums = calloc(u->left + 1, sizeof(*u->sums));
    if (!u->seen || !u->sums)
        return err_sys(u->e, -ENOMEM, "manifest");
    return 0;
}

static int unpack_check_space(struct unpack *u)
{
    uint64_t need[TARGETS] = {0};
    for (size_t i = 0; i < u->m->nfiles; i++) {
        const struct manifest_file *f = &u->m->files[i];
        const char *path;
        if (stage_takes(u->stage, f->name) && !stage_match_may(u->stage, f->name, f->size))
            need[target_kind_of(f->name, &path)] += f->size;
    }
    u->checked = true;
    return stage_check_space(u->stage, need, u->e);
}

/* A stage that takes a part of the files may need meta.db, the first one, to know which. */
static int unpack_begin(struct unpack *u)
{
    if (u->sink)
        return u->sink->begin(u->sink->arg, u->m, u->e);
    int r = u->io->begin(u->io->arg, u->m, &u->stage, u->e);
    return r < 0 || stage_is_limited(u->stage) ? r : unpack_check_space(u);
}

/* The file's way: into the staging folders, or to the sink. */

static int open_file(struct unpack *u, const struct tar_member *m)
{
    if (u->sink)
        return u->sink->open(u->sink->arg, m->name, m->size, m->at, u->e);
    int r = u->checked || strcmp(m->name, NAME_META_MEMBER) == 0 ? 0 : unpack_check_space(u);
    return r < 0 ? r : stage_match_open(u->stage, m->name, m->size, m->mode, u->e);
}

static int write_file(struct unpack *u, const void *buf, size_t n)
{
    return u->sink ? u->sink->write(u->sink->arg, buf, n, u->e)
                   : stage_match_write(u->stage, buf, n, u->e);
}

static int close_file(struct unpack *u, const struct manifest_file *f)
{
    return u->sink ? u->sink->close(u->sink->arg, u->e)
                   : stage_match_close(u->stage, f->mtime_ns, u->e);
}

static int unpack_data(struct unpack *u, uint8_t sum[SHA256_BYTES])
{
    const void *buf;
    ssize_t n;
    hash_worker_begin(u->hash);
    while ((n = tar_strict_data(u->tar, &buf, u->e)) > 0) {
        hash_worker_add(u->hash, buf, (size_t)n);
        int r = write_file(u, buf, (size_t)n);
        hash_worker_wait(u->hash);
        if (r < 0)
            return r;
        u->io->progress(u->io->arg, (uint64_t)n);
    }
    if (n < 0)
        return (int)n;
    hash_worker_end(u->hash, sum);
    return 0;
}

static int unpack_file(struct unpack *u, const struct tar_member *m)
{
    const struct manifest_file *f = manifest_find(u->m, m->name);
    if (!f)
        return refuse(u, m->name, "is not in the manifest");
    size_t i = (size_t)(f - u->m->files);
    if (u->seen[i])
        return refuse(u, m->name, "comes twice");
    if (m->size != f->size)
        return refuse(u, m->name, "does not have the size given in the manifest");
    u->seen[i] = true;
    u->left--;
    u->io->member(u->io->arg, m->name, m->size);
    int r = open_file(u, m);
    if (r == 0)
        r = unpack_data(u, u->sums[i]);
    return r < 0 ? r : close_file(u, f);
}

static int unpack_folder(struct unpack *u, const struct tar_member *m)
{
    if (!manifest_name_ok(m->name, true) || !written_by_influxd(m->name, S_IFDIR))
        return refuse(u, m->name, "may not stand in a snapshot");
    if (u->sink)
        return 0;
    return stage_folder(u->stage, m->name, m->mode, m->mtime_ns, u->e);
}

static int unpack_check_sums(struct unpack *u, const struct tar_member *m)
{
    autofree char *text = NULL;
    uint8_t own[SHA256_BYTES];
    for (size_t i = 0; u->left && i < u->m->nfiles; i++)
        if (!u->seen[i])
            return err_set(u->e, -EBADMSG, "damaged: %s is in the manifest, but not in the tar",
                           u->m->files[i].name);
    int r = unpack_text(u, m, &text, own);
    if (r < 0)
        return r;
    return sums_check(text, m->size, u->m, u->of_manifest, (const uint8_t(*)[SHA256_BYTES])u->sums,
                      u->e);
}

static int unpack_members(struct unpack *u)
{
    for (;;) {
        struct tar_member m = {0};
        int r = next_member(u, &m);
        if (r < 0)
            return r;
        if (strcmp(m.name, "SHA256SUMS") == 0)
            return unpack_check_sums(u, &m);
        r = m.folder ? unpack_folder(u, &m) : unpack_file(u, &m);
        if (r < 0)
            return r;
    }
}

static int unpack_all(struct unpack *u)
{
    int r = hash_worker_new(&u->hash);
    if (r < 0)
        return err_sys(u->e, r, "unpacking");
    if ((r = tar_strict_open(&u->io->input, "manifest", &u->tar, u->e)) < 0 ||
        (r = unpack_manifest(u)) < 0 || (r = unpack_begin(u)) < 0 || (r = unpack_members(u)) < 0 ||
        (r = tar_strict_end(u->tar, u->e)) < 0)
        return r;
    return u->sink ? 0 : stage_finish(u->stage, u->e);
}

int unpack_run(const struct unpack_io *io, const struct unpack_sink *sink, struct manifest **m,
               struct err *e)
{
    struct err unheard;
    struct unpack u = {.io = io, .sink = sink, .e = e ? e : &unheard};
    u.e->text[0] = 0;
    int r = unpack_all(&u);
    if (r == -EINTR && !u.e->text[0])
        err_set(u.e, r, "interrupted");
    else if (r < 0 && !u.e->text[0])
        err_sys(u.e, r, "unpacking");
    tar_strict_close(u.tar);
    hash_worker_free(u.hash);
    if (m)
        *m = u.m;
    else
        manifest_free(u.m);
    free(u.sums);
    free(u.seen);
    return r;
}
