/* SPDX-License-Identifier: MIT */
/* Making a cut: retains the changes since the newest cut, then writes the manifest. The manifest is
 * the commit; the remains of an earlier kill are litter.
 *
 * Shards that are known to be the same as in the newest cut are not listed, and where there is much
 * to be listed, as for the first cut, it is done in pieces: the files of some shards are retained,
 * then those of others. The last capture sees whether any of these has changed since, and has the
 * WAL and meta.db of all; by the window rule it is as if all had been listed then. */
#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/log.h"
#include "store/base/time.h"
#include "store/chain/cut_make_internal.h"
#include "store/chain/cutwriter.h"
#include "store/chain/lease.h"
#include "store/influx/names.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

/* A file that is listed takes a descriptor, of which WAL segments need others, and some hundred bytes. */
#define LISTED_MOST 65536
#define LISTED_LEAST 1024
#define IDLE_MOST                                                                                  \
    50 /* captures without a new piece, as shards change all the time: then all is listed */

/* The digest of what is left out: with other rules a cut has other files of the same store. */
static int make_rules(struct making *m)
{
    cleanup(sha256_freep) struct sha256 *h = sha256_new();
    if (!h)
        return -ENOMEM;
    for (size_t i = 0; i < m->rules->nexclude; i++)
        sha256_add(h, m->rules->exclude[i], strlen(m->rules->exclude[i]) + 1);
    sha256_end(h, m->rules_digest);
    return 0;
}

/* Without the excluded databases the state differs from the captured one. */
static int make_id(const struct making *m, char out[CUT_ID_MAX + 1])
{
    const char *id = capture_record(m->capture)->id;
    uint8_t sum[SHA256_BYTES];
    char hex[SHA256_HEX + 1];
    strcpy(out, id);
    if (m->n == capture_count(m->capture))
        return 0;
    cleanup(sha256_freep) struct sha256 *h = sha256_new();
    if (!h)
        return -ENOMEM;
    sha256_add(h, id, strlen(id) + 1);
    for (size_t i = 0; i < m->rules->nexclude; i++)
        sha256_add(h, m->rules->exclude[i], strlen(m->rules->exclude[i]) + 1);
    sha256_end(h, sum);
    sha256_hex(sum, hex);
    snprintf(out, CUT_ID_MAX + 1, "%.*s", CATALOG_ID_HEX, hex);
    return 0;
}

static void make_fill_head(struct making *m, const char *id)
{
    const struct catalog_record *rec = capture_record(m->capture);
    struct cut_head *h = &m->list.head;
    const struct cut_head *before = m->first ? NULL : &m->before.head;
    snprintf(h->chain, sizeof(h->chain), "%s", before ? before->chain : id);
    snprintf(h->id, sizeof(h->id), "%s", id);
    snprintf(h->parent, sizeof(h->parent), "%s", before ? before->id : "");
    snprintf(h->host, sizeof(h->host), "%s", rec->host);
    h->created_ns = rec->created_ns;
    /* A state captured while the clock was ahead may be cut after the clock was corrected. */
    int64_t now = time_wall_ns();
    h->wall_ns = rec->wall_ns < now ? rec->wall_ns : now;
    h->index = rec->index;
    h->skew_ns = rec->skew_ns;
}

static int make_copy_notes(struct making *m, struct err *e)
{
    size_t n;
    const char *const *links = capture_links(m->capture, &n);
    struct cutlist *l = &m->list;
    l->links = calloc(n + 1, sizeof(*l->links));
    if (!l->links || omissions_copy(capture_left_out(m->capture), &l->left_out) < 0)
        return err_sys(e, -ENOMEM, "cut");
    for (size_t i = 0; i < n; i++)
        l->links[l->nlinks++] = links[i];
    return 0;
}

/* Begins to retain: from here on there is something to be removed if the cut fails. */
static int make_begin_retaining(struct making *m, struct err *e)
{
    if (m->draft)
        return 0;
    int r = pool_room(m->cuts_fd, m->rules, &m->pool.reserve, &(uint64_t){0}, e);
    if (r == 0)
        r = pool_check_room(m->cuts_fd, m->pool.reserve, 0, e);
    return r < 0 ? r : cutdraft_new(m->cuts_fd, &m->draft, e);
}

static int by_path(const void *a, const void *b)
{
    return cut_path_cmp(*(const char *const *)a, *(const char *const *)b);
}

static int make_write(struct making *m, const char *name, struct err *e)
{
    struct cutlist *l = &m->list;
    cleanup(cutwriter_closep) struct cutwriter *w = NULL;
    int r = cutwriter_open(m->cuts_fd, name, &w, e);
    if (r < 0)
        return r;
    if (l->nremoved)
        qsort(l->removed, l->nremoved, sizeof(*l->removed), by_path);
    if (l->nremoved_folders)
        qsort(l->removed_folders, l->nremoved_folders, sizeof(*l->removed_folders), by_path);
    cutlist_put_head(cutwriter_text(w), &l->head);
    if ((r = cutdraft_pour(m->draft, cutwriter_text(w), e)) < 0)
        return r;
    cutlist_put_rest(cutwriter_text(w), l);
    return cutwriter_commit(w, e);
}

/* What of the store is in the cut now, for the next one: it need not list what is the same. */
static void make_remember(struct making *m, const char *id, uint64_t index)
{
    struct catalog_base base = {.index = index};
    memcpy(base.rules, m->rules_digest, SHA256_BYTES);
    catalog_put_base(snapshots_catalog(m->c->snapshots), id, &base, NULL);
}

/* Retains what has changed, unless that was done, and writes the manifest. */
static int make_commit(struct making *m, bool retained, struct err *e)
{
    struct cut_head *h = &m->list.head;
    char name[32];
    int r = make_begin_retaining(m, e);
    if (r == 0 && !retained)
        r = cut_compare(m, CUT_RETAIN, e);
    if (r == 0)
        r = pool_finish(&m->pool, e);
    cuts_file_name(&(struct cut_info){.head = *h, .base = h->number < 0}, name);
    if (r == 0)
        r = make_write(m, name, e);
    if (r < 0)
        return r;
    make_remember(m, h->id, h->index);
    m->out->made = true;
    m->out->number = h->number;
    strcpy(m->out->id, h->id);
    m->out->copied = m->pool.copied;
    m->out->copied_bytes = m->pool.copied_bytes;
    m->out->said = m->pool.said;
    m->out->head = *h;
    return 0;
}

static int weigh(struct making *m)
{
    struct cut_head *h = &m->list.head;
    int r = loss_sum(m->loss, &h->lost);
    if (r == 0 && m->rules->guard && loss_exceeds(&h->lost, m->rules->guard_part))
        h->guard = CUT_GUARD_TRIPPED;
    return r;
}

/* The last capture, which is a state. */
static int make_cut(struct making *m, struct err *e)
{
    char id[CUT_ID_MAX + 1];
    int r = cut_choose(m, e);
    if (r < 0 || (r = make_id(m, id)) < 0)
        return r;
    m->out->number = m->first ? -1 : m->before.head.number;
    strcpy(m->out->id, m->first ? "" : m->before.head.id);
    if (!m->first && strcmp(id, m->before.head.id) == 0) {
        if (!m->base_known)
            make_remember(m, id, capture_record(m->capture)->index);
        return 0;
    }
    if ((r = make_copy_notes(m, e)) < 0)
        return r;
    make_fill_head(m, id);
    /* Where there are pieces, something has been retained already. */
    const bool retained = m->npieces > 0; /* the comparison may drop them all */
    if ((r = cut_compare(m, retained ? CUT_WEIGH | CUT_RETAIN : CUT_WEIGH, e)) < 0)
        return r;
    if (!m->first && !m->changed && !m->base_known)
        make_remember(m, m->before.head.id, capture_record(m->capture)->index);
    if (!m->first && !m->matters)
        return 0;
    if ((r = weigh(m)) < 0)
        return err_sys(e, r, "cut");
    return make_commit(m, retained, e);
}

/* Whether the files of a shard are retained already, if they are still those of the mark. */
static bool make_known(void *ctx, const struct catalog_shard *s, bool doubt)
{
    const struct making *m = ctx;
    char folder[MEMBER_PATH_MAX];
    snprintf(folder, sizeof(folder), "data/%s", s->path);
    const struct cut_piece *p = cut_piece_of(m, folder);
    if (p)
        return memcmp(p->digest, s->digest, SHA256_BYTES) == 0;
    if (cut_excludes(m->rules, folder))
        return true;
    return !doubt && m->base_known && s->changed <= m->base.index;
}

static size_t make_listed_most(void)
{
    struct rlimit l = {1024, 1024};
    getrlimit(RLIMIT_NOFILE, &l);
    const size_t most = (size_t)(l.rlim_cur / 8 * 3);
    return most > LISTED_MOST ? LISTED_MOST : most < LISTED_LEAST ? LISTED_LEAST : most;
}

static void make_forget_capture(struct making *m)
{
    free(m->items);
    free(m->paths);
    m->items = NULL;
    m->paths = NULL;
    m->n = 0;
    capture_unref(m->capture);
    m->capture = NULL;
}

/* The files of some shards. */
static int make_piece(struct making *m, struct err *e)
{
    int r = make_begin_retaining(m, e);
    if (r == 0)
        r = cut_choose(m, e);
    return r < 0 ? r : cut_compare_pieces(m, e);
}

/* Captures until nothing is left for later. */
static int make_capture(struct making *m, struct err *e)
{
    uint64_t turn = 0;
    struct marks_wanted wanted = {
        .known = make_known, .ctx = m, .most = make_listed_most(), .turn = &turn};
    for (int idle = 0;; idle++) {
        const size_t pieces = m->npieces;
        bool later = false;
        int r = snapshots_changes(m->c->snapshots, &wanted, m->reader, &m->capture, &later, e);
        if (r < 0)
            return r;
        if (!later)
            return 0;
        if ((r = make_piece(m, e)) < 0)
            return r;
        capture_keep_sums(m->capture, NULL);
        make_forget_capture(m);
        idle = m->npieces > pieces ? 0 : idle;
        wanted.last = idle > IDLE_MOST;
    }
}

/* "No store yet", where cuts say that there was one. */
static int cuts_without_store(struct err *e)
{
    const struct err none = *e;
    return err_set(e, -EIO, "%s; but it has cuts: see whether its disk is mounted", none.text);
}

/* What the cut builds on. */
static int make_begin(struct making *m, struct err *e)
{
    int r = cuts_latest(m->c, &m->before, e);
    m->first = r == -ENOENT;
    if (r < 0 && !m->first)
        return r;
    e->text[0] = 0;
    m->list.head.number = m->first ? -1 : m->before.head.number + 1;
    m->list.head.serial = cuts_serial_of(m->list.head.number);
    m->pool =
        (struct pool_adding){.cuts_fd = m->cuts_fd, .folder = -1, .serial = m->list.head.serial};
    m->loss = loss_new();
    if (!m->loss || make_rules(m) < 0)
        return err_sys(e, -ENOMEM, "cut");
    m->base_known = !m->first &&
                    catalog_get_base(snapshots_catalog(m->c->snapshots), m->before.head.id,
                                     &m->base, NULL) == 0 &&
                    memcmp(m->base.rules, m->rules_digest, SHA256_BYTES) == 0;
    return 0;
}

static int make_all(struct making *m, struct err *e)
{
    int r = make_begin(m, e);
    if (r == 0)
        r = make_capture(m, e);
    if (r == -ENOENT && !m->first) /* of which store are they, then? */
        return cuts_without_store(e);
    if (r < 0)
        return r;
    r = make_cut(m, e);
    capture_keep_sums(m->capture, NULL); /* sums that it cannot keep are found again */
    if (r == 0 && m->rules->captured)
        m->rules->captured(m->rules->arg, m->capture);
    return r;
}

/* All steps except locking. */
static int make_captured(struct making *m, struct err *e)
{
    struct err broken = {0};
    autofree struct cut_info *list = NULL;
    size_t n;
    int r = cuts_list(m->c, &list, &n, &broken, e);
    if (r == 0 && broken.text[0])
        r = err_set(e, -EBADMSG,
                    "%s; no cut can follow it: move the folder " CUTS_FOLDER
                    " out of the state folder, and the next cut begins a new chain",
                    broken.text);
    if (r < 0)
        return r;
    r = make_all(m, e);
    if (m->draft && !m->out->made) {
        cleanup_close(&m->pool.folder);
        pool_remove_from(m->cuts_fd, m->list.head.serial, NULL);
    }
    make_forget_capture(m);
    cutdraft_free(m->draft);
    loss_free(m->loss);
    free(m->list.removed);
    free(m->list.removed_folders);
    free(m->list.links);
    omissions_clear(&m->list.left_out);
    free(m->pieces);
    arena_free(&m->names);
    return r;
}

/* Makes the folders for cuts; the caller owns the descriptor. */
static int make_folders(struct cuts *c, struct err *e)
{
    static const char *const folders[] = {CUTS_FOLDER, CUTS_FOLDER "/files", CUTS_FOLDER "/leases"};
    int r = 0;
    for (size_t i = 0; r == 0 && i < sizeof(folders) / sizeof(*folders); i++)
        if (mkdirat(c->state_fd, folders[i], 0700) < 0 && errno != EEXIST)
            r = -errno;
    if (r == 0)
        r = io_sync_dir(c->state_fd);
    return r < 0 ? err_sys(e, r, "the folder " CUTS_FOLDER " in the state folder")
                 : cuts_folder(c, e);
}

/* Whether the store cannot be read, its disk gone with the state folder on it: then e says that. */
static bool make_without_store(const struct cuts *c, const struct tarball_reader *reader,
                               struct err *e)
{
    struct tarball *t = NULL;
    int r = snapshots_now(c->snapshots, reader, &t, e);
    tarball_unref(t);
    return r == -EIO;
}

/* A disk that was mounted over the state folder since hides what would be retained. */
static int make_refuse_hidden(const struct cuts *c, const struct tarball_reader *reader,
                              struct err *e)
{
    struct stat opened, now;
    if (fstat(c->state_fd, &opened) < 0)
        return err_sys(e, -errno, "state folder %s", c->state);
    const bool gone = stat(c->state, &now) < 0;
    if (!gone && now.st_dev == opened.st_dev && now.st_ino == opened.st_ino)
        return 0;
    if (gone && make_without_store(c, reader, e))
        return -EIO;
    return err_set(
        e, -ESTALE,
        "state folder %s: %s since it was opened, so a cut would not be found: unmount and "
        "mount again, after the disks of the store",
        c->state, gone ? "it has gone" : "a disk or another folder came there");
}

int cuts_make(struct cuts *c, const struct cut_rules *rules, const struct tarball_reader *reader,
              struct cut_result *out, struct err *e)
{
    struct err own = {0};
    struct cut_result result = {.number = -1};
    int r = make_refuse_hidden(c, reader, e);
    if (r < 0)
        return r;
    autoclose int fd = make_folders(c, e);
    if (fd < 0)
        return fd;
    autoclose int lock =
        lease_lock(fd, reader ? reader->interrupted : NULL, reader ? reader->ctx : NULL, e);
    if (lock < 0)
        return lock;
    struct making m = {.c = c, .rules = rules, .reader = reader, .cuts_fd = fd, .out = &result};
    r = cuts_tidy(c, fd, &own);
    if (r == 0)
        r = make_captured(&m, &own);
    if (r < 0)
        return own.text[0] ? err_set(e, r, "%s", own.text) : err_sys(e, r, "cut");
    log_debug("cut: %s, %" PRIu64 " files, %" PRIu64 " of them copied", result.id, result.files,
              result.copied);
    *out = result;
    return 0;
}
