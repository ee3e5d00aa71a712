/* SPDX-License-Identifier: MIT */
/* Making a cut: retains the changes since the newest cut, then writes the manifest. The manifest is
 * the commit; the remains of an earlier kill are litter. */
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/log.h"
#include "store/base/time.h"
#include "store/chain/cut_loss.h"
#include "store/chain/cuts_internal.h"
#include "store/chain/lease.h"
#include "store/chain/pool.h"
#include "store/influx/meta.h"
#include "store/influx/names.h"
#include "store/snapshot/damage.h"
#include "store/snapshot/manifest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A member of the capture, by its whole path. */
struct item {
    const char *path;
    size_t i;
};

struct making {
    struct cuts *c;
    const struct cut_rules *rules;
    const struct tarball_reader *reader;
    int cuts_fd;
    struct capture *capture;
    struct item *items; /* the content of the cut, sorted */
    size_t n;
    char *paths;             /* owns their paths */
    struct cutstate *before; /* the newest cut, or NULL */
    struct cutlist *list;    /* the new one */
    struct loss *loss;       /* used while comparing */
    struct pool_adding pool;
    bool matters; /* something but _internal has changed */
    struct cut_result *out;
};

static bool is_excluded(const struct cut_rules *rules, const char *path)
{
    for (size_t i = 0; i < rules->nexclude; i++)
        if (name_in_database(path, rules->exclude[i]))
            return true;
    return false;
}

static int by_path(const void *a, const void *b)
{
    return cut_path_cmp(((const struct item *)a)->path, ((const struct item *)b)->path);
}

static int make_choose(struct making *m, struct err *e)
{
    size_t all = capture_count(m->capture), bytes = 0;
    for (size_t i = 0; i < all; i++)
        bytes += member_path_len(capture_member(m->capture, i)) + 1;
    m->items = calloc(all + 1, sizeof(*m->items));
    char *at = m->paths = malloc(bytes + 1);
    if (!m->items || !at)
        return err_sys(e, -ENOMEM, "cut");
    bool sorted = true; /* usually: a capture has nearly this order */
    for (size_t i = 0; i < all; i++) {
        const struct member *member = capture_member(m->capture, i);
        member_path(member, at);
        if (is_excluded(m->rules, at))
            continue;
        if (!manifest_name_ok(at, member_is_folder(member)))
            return err_set(e, -EINVAL, "%s has a name that no snapshot may hold", at);
        sorted = sorted && (m->n == 0 || cut_path_cmp(m->items[m->n - 1].path, at) < 0);
        m->items[m->n++] = (struct item){at, i};
        at += strlen(at) + 1;
    }
    if (!sorted)
        qsort(m->items, m->n, sizeof(*m->items), by_path);
    return 0;
}

static bool same_attr(const struct file_attr *a, const struct file_attr *b)
{
    return a->mtime_ns == b->mtime_ns && a->mode == b->mode && a->uid == b->uid && a->gid == b->gid;
}

static bool same_bytes(const struct cut_entry *old, const struct member *m)
{
    return old->ino == (m->held ? held_inode(m->held) : 0) && old->attr.size == m->attr.size &&
           old->attr.mtime_ns == m->attr.mtime_ns;
}

static bool is_internal(const char *path)
{
    return name_in_database(path, NAME_INTERNAL);
}

/* influxd makes and drops shards of _internal every day, and says so in meta.db. */
static int make_meta_matters(const struct making *m, const struct cut_entry *old,
                             const struct item *item, bool *out, struct err *e)
{
    size_t size = capture_member(m->capture, item->i)->attr.size;
    bool same = false;
    autofree char *was = malloc(old->attr.size + 1), *now = malloc(size + 1);
    autoclose int fd = pool_open(m->cuts_fd, &old->place, old->attr.size, e);
    if (fd < 0 || !was || !now)
        return fd < 0 ? fd : err_sys(e, -ENOMEM, "meta.db");
    int r = io_pread_all(fd, was, old->attr.size, 0);
    if (r < 0)
        return err_sys(e, r, "the retained file of %s", old->path);
    if ((r = capture_read(m->capture, item->i, now, size, 0, e)) < 0 ||
        (r = meta_same_but(was, old->attr.size, now, size, NAME_INTERNAL, &same, e)) < 0)
        return r;
    *out = !same;
    return 0;
}

/* Retains a file, unless it is retained already and only its owner or mode has changed. */
static int make_retain(struct making *m, const struct cut_entry *old, const struct item *item,
                       struct cut_entry *out, struct err *e)
{
    const struct member *member = capture_member(m->capture, item->i);
    bool linked = true;
    out->index = member->index;
    out->ino = member->held ? held_inode(member->held) : 0;
    out->have_sum = capture_sum(m->capture, item->i, out->sum);
    if (old && same_bytes(old, member)) {
        out->place = old->place;
        if (!out->have_sum && (out->have_sum = old->have_sum))
            memcpy(out->sum, old->sum, SHA256_BYTES);
        return 0;
    }
    if (reader_interrupted(m->reader))
        return err_set(e, -EINTR, "interrupted while the cut was made");
    struct err damaged = {0}; /* reported by damage.h on request; the bytes are retained */
    int r = damage_look(m->capture, item->i, DAMAGE_ENDS, &damaged);
    if (r < 0 && r != -EBADMSG)
        return err_set(e, r, "%s", damaged.text);
    r = pool_add(&m->pool, m->capture, item->i, &out->place, &linked, e);
    if (r < 0)
        return r;
    m->out->files++;
    m->out->bytes += member->attr.size;
    if (m->rules->file)
        m->rules->file(m->rules->arg, item->path, member->attr.size, linked);
    return 0;
}

static int make_add_changed(struct making *m, const struct cut_entry *old, const struct item *item,
                            struct err *e)
{
    const struct member *member = capture_member(m->capture, item->i);
    struct cut_entry *entry = &m->list->entries[m->list->n];
    bool folder = member_is_folder(member);
    if (old && cut_is_folder(old) != folder)
        return err_set(e, -EIO, "%s was a file and is a folder now, or the reverse", item->path);
    *entry = (struct cut_entry){.path = item->path, .attr = member->attr};
    int r = folder ? 0 : make_retain(m, old, item, entry, e);
    if (r == 0)
        m->list->n++;
    return r;
}

/* A folder's time changes with each file in it; that alone is no change. */
static bool is_changed(const struct cut_entry *old, const struct member *m, bool *matters)
{
    *matters = !member_is_folder(m);
    return !same_attr(&old->attr, &m->attr) || (!member_is_folder(m) && !same_bytes(old, m));
}

static int add_removed(struct making *m, const struct cut_entry *old)
{
    struct cutlist *l = m->list;
    if (cut_is_folder(old))
        l->removed_folders[l->nremoved_folders++] = old->path;
    else
        l->removed[l->nremoved++] = old->path;
    m->matters |= !is_internal(old->path);
    return cut_is_folder(old) || is_excluded(m->rules, old->path)
               ? 0
               : loss_see(m->loss, old->path, &old->attr, NULL);
}

/* The same path in both; was is NULL if it is new. */
static int see(struct making *m, const struct cut_entry *was, const struct item *item)
{
    const struct member *now = capture_member(m->capture, item->i);
    if (member_is_folder(now))
        return 0;
    return loss_see(m->loss, item->path, was ? &was->attr : NULL, &now->attr);
}

/* Called twice: a dry run to see whether anything matters, then to retain it. */
static int make_compare(struct making *m, bool dry, struct err *e)
{
    size_t nold = 0, i = 0, k = 0;
    const struct cut_entry *old = m->before ? cutstate_entries(m->before, &nold) : NULL;
    while (i < nold || k < m->n) {
        int d = i == nold ? 1 : k == m->n ? -1 : cut_path_cmp(old[i].path, m->items[k].path);
        if (d < 0) {
            if (dry && add_removed(m, &old[i]) < 0)
                return err_sys(e, -ENOMEM, "cut");
            i++;
            continue;
        }
        const struct item *item = &m->items[k++];
        const struct cut_entry *was = d == 0 ? &old[i++] : NULL;
        bool matters = true;
        if (dry && see(m, was, item) < 0)
            return err_sys(e, -ENOMEM, "cut");
        if (was && !is_changed(was, capture_member(m->capture, item->i), &matters))
            continue;
        int r = 0;
        if (!dry)
            r = make_add_changed(m, was, item, e);
        else if (was && strcmp(item->path, NAME_META_MEMBER) == 0)
            r = make_meta_matters(m, was, item, &matters, e);
        if (r < 0)
            return r;
        m->matters |= matters && !is_internal(item->path);
    }
    return 0;
}

/* Without the excluded databases the state differs from the captured one. */
static int make_id(struct making *m, char out[CUT_ID_MAX + 1])
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
    struct cut_head *h = &m->list->head;
    const struct cut_head *before = m->before ? cutstate_head(m->before) : NULL;
    h->number = before ? before->number + 1 : -1;
    h->serial = cuts_serial_of(h->number);
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

static int make_begin_list(struct making *m, struct err *e)
{
    size_t nold = 0, nlinks;
    const char *const *links = capture_links(m->capture, &nlinks);
    if (m->before)
        cutstate_entries(m->before, &nold);
    struct cutlist *l = m->list = calloc(1, sizeof(*l));
    if (!l)
        return err_sys(e, -ENOMEM, "cut");
    l->entries = calloc(m->n + 1, sizeof(*l->entries));
    l->removed = calloc(nold + 1, sizeof(*l->removed));
    l->removed_folders = calloc(nold + 1, sizeof(*l->removed_folders));
    l->links = calloc(nlinks + 1, sizeof(*l->links));
    if (!l->entries || !l->removed || !l->removed_folders || !l->links ||
        omissions_copy(capture_left_out(m->capture), &l->left_out) < 0)
        return err_sys(e, -ENOMEM, "cut");
    for (size_t i = 0; i < nlinks; i++)
        l->links[l->nlinks++] = links[i];
    return 0;
}

static int reserve_of(const struct making *m, uint64_t *out, struct err *e)
{
    uint64_t avail;
    int r = pool_room(m->cuts_fd, m->rules, out, &avail, e);
    return r < 0 ? r : pool_check_room(m->cuts_fd, *out, 0, e);
}

/* Retains what has changed and writes the manifest. */
static int make_commit(struct making *m, struct err *e)
{
    struct cut_head *h = &m->list->head;
    struct cut_info info = {.head = *h, .base = h->number < 0};
    char name[32];
    m->pool = (struct pool_adding){.cuts_fd = m->cuts_fd, .folder = -1, .serial = h->serial};
    int r = reserve_of(m, &m->pool.reserve, e);
    if (r == 0)
        r = make_compare(m, false, e);
    if (r == 0)
        r = pool_finish(&m->pool, e);
    cuts_file_name(&info, name);
    if (r == 0)
        r = cutlist_write(m->cuts_fd, name, m->list, e);
    if (r < 0) {
        cleanup_close(&m->pool.folder);
        pool_remove_from(m->cuts_fd, h->serial, NULL);
        return r;
    }
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
    struct cut_head *h = &m->list->head;
    int r = loss_sum(m->loss, &h->lost);
    if (r == 0 && m->rules->guard && loss_exceeds(&h->lost, m->rules->guard_part))
        h->guard = CUT_GUARD_TRIPPED;
    return r;
}

static int make_cut(struct making *m, struct err *e)
{
    char id[CUT_ID_MAX + 1];
    struct cut_info newest = {0};
    int r = cuts_latest(m->c, &newest, e);
    bool first = r == -ENOENT;
    if (r < 0 && !first)
        return r;
    if (!first && (r = cuts_build_state(m->c, newest.head.serial, &m->before, e)) < 0)
        return r;
    e->text[0] = 0;
    if ((r = make_choose(m, e)) < 0 || (r = make_id(m, id)) < 0)
        return r;
    m->out->number = first ? -1 : newest.head.number;
    strcpy(m->out->id, first ? "" : newest.head.id);
    if (!first && strcmp(id, newest.head.id) == 0)
        return 0;
    if ((r = make_begin_list(m, e)) < 0)
        return r;
    make_fill_head(m, id);
    if ((r = make_compare(m, true, e)) < 0 || (!first && !m->matters))
        return r;
    if ((r = weigh(m)) < 0)
        return err_sys(e, r, "cut");
    return make_commit(m, e);
}

/* "No store yet", where cuts say that there was one. */
static int cuts_without_store(struct err *e)
{
    const struct err none = *e;
    return err_set(e, -EIO, "%s; but it has cuts: see whether its disk is mounted", none.text);
}

/* All steps except locking. */
static int make_captured(struct making *m, struct err *e)
{
    struct err broken = {0};
    autofree struct cut_info *list = NULL;
    struct tarball *t = NULL;
    size_t n;
    int r = cuts_list(m->c, &list, &n, &broken, e);
    if (r == 0 && broken.text[0])
        r = err_set(e, -EBADMSG,
                    "%s; no cut can follow it: move the folder " CUTS_FOLDER
                    " out of the state folder, and the next cut begins a new chain",
                    broken.text);
    if (r == 0)
        r = snapshots_now(m->c->snapshots, m->reader, &t, e);
    if (r == -ENOENT && n) /* of which store are they, then? */
        return cuts_without_store(e);
    if (r < 0)
        return r;
    m->capture = tarball_capture(t);
    m->loss = loss_new();
    r = m->loss ? make_cut(m, e) : -ENOMEM;
    capture_keep_sums(m->capture, NULL); /* sums that it cannot keep are found again */
    if (r == 0 && m->rules->captured)
        m->rules->captured(m->rules->arg, m->capture);
    tarball_unref(t);
    loss_free(m->loss);
    cutlist_free(m->list);
    cutstate_unref(m->before);
    free(m->items);
    free(m->paths);
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
