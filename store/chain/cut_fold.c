/* SPDX-License-Identifier: MIT */
/* Folding: the oldest numbers go into the base. The new base's manifest is the commit. Unreferenced
 * files are removed after it, by the next cut or fold if a kill intervenes; the folded numbers are
 * removed last, as a sign of unfinished work. */
#include "store/base/arena.h"
#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/base/io.h"
#include "store/base/log.h"
#include "store/chain/cuts_internal.h"
#include "store/chain/cutwriter.h"
#include "store/chain/lease.h"
#include "store/chain/pool.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* The places of a state's files, for lookups. */
struct places {
    struct cut_place *at;
    size_t n;
};

static void places_clear(struct places *p)
{
    free(p->at);
}

static int by_place(const void *a, const void *b)
{
    const struct cut_place *x = a, *y = b;
    return x->serial != y->serial ? (x->serial < y->serial ? -1 : 1)
                                  : (x->seq > y->seq) - (x->seq < y->seq);
}

static int places_add(struct places *p, const struct cut_entry *e)
{
    if (cut_is_folder(e))
        return 0;
    if (!array_grow(&p->at, p->n))
        return -ENOMEM;
    p->at[p->n++] = e->place;
    return 0;
}

static bool is_needed(void *ctx, uint64_t serial, uint32_t seq)
{
    const struct places *p = ctx;
    const struct cut_place key = {serial, seq};
    return bsearch(&key, p->at, p->n, sizeof(key), by_place) != NULL;
}

/* Whether it is a number that the base stands for. */
static bool is_superseded(const char *name, int64_t base, uint64_t *number)
{
    return cut_parse_uint(name, 10, INT64_MAX, number) && (int64_t)*number <= base;
}

static bool is_temporary(const char *name)
{
    size_t n = strspn(name, "0123456789");
    if (n == 0 && strncmp(name, CUTS_BASE, strlen(CUTS_BASE)) == 0)
        n = strlen(CUTS_BASE);
    return n && strcmp(name + n, ".tmp") == 0;
}

/* Removes the numbers that the base stands for, and temporary files. */
static int fold_remove_superseded(int cuts_fd, const struct cut_head *base, struct err *e)
{
    cleanup(dir_free) struct dir names = {0};
    int r = dir_read(cuts_fd, &names);
    for (size_t i = 0; r == 0 && i < names.n; i++) {
        uint64_t number;
        const char *name = names.names[i];
        bool superseded = is_superseded(name, base->number, &number);
        if ((superseded || is_temporary(name)) && unlinkat(cuts_fd, name, 0) < 0)
            r = -errno;
        if (r == 0 && superseded)
            lease_remove(cuts_fd, number); /* the one before it */
    }
    if (r == 0)
        r = io_sync_dir(cuts_fd);
    return r < 0 ? err_sys(e, r, "cuts: removing what was folded") : 0;
}

/* Keeps the files up to the base's serial that the base needs. */
static int fold_sweep(struct cuts *c, int cuts_fd, const struct cut_head *base, struct places *p,
                      struct prune_result *out, struct err *e)
{
    uint64_t removed = 0, freed = 0;
    if (p->n)
        qsort(p->at, p->n, sizeof(*p->at), by_place);
    int r = pool_sweep(cuts_fd, base->serial, is_needed, p, &removed, &freed, e);
    if (r == 0 && c->snapshots) /* stale entries do no harm */
        catalog_forget_retained(snapshots_catalog(c->snapshots), base->serial, is_needed, p, NULL);
    if (r == 0 && out) {
        out->removed += removed;
        out->freed += freed;
    }
    return r < 0 ? r : fold_remove_superseded(cuts_fd, base, e);
}

/* Whether a number or a temporary file is left that should be gone. */
static int is_untidy(int cuts_fd, int64_t base_number, bool *yes, struct err *e)
{
    cleanup(dir_free) struct dir names = {0};
    int r = dir_read(cuts_fd, &names);
    *yes = false;
    for (size_t i = 0; r == 0 && i < names.n; i++) {
        uint64_t number;
        const char *name = names.names[i];
        *yes |= is_superseded(name, base_number, &number) || is_temporary(name);
    }
    return r < 0 ? err_sys(e, r, "cuts") : 0;
}

static int finish_fold(struct cuts *c, int cuts_fd, const struct cut_head *base, struct err *e)
{
    cleanup(cutstream_freep) struct cutstream *s = NULL;
    cleanup(places_clear) struct places p = {0};
    const struct cut_entry *entry;
    int r = cuts_open_stream(c, base->serial, true, &s, e);
    while (r == 0 && (r = cutstream_next(s, &entry, e)) == 0 && entry)
        if ((r = places_add(&p, entry)) < 0)
            return err_sys(e, r, "cuts");
    return r < 0 ? r : fold_sweep(c, cuts_fd, base, &p, NULL, e);
}

int cuts_tidy(struct cuts *c, int cuts_fd, struct err *e)
{
    autofree struct cut_info *list = NULL;
    struct err broken = {0};
    size_t n;
    bool untidy;
    int r = cuts_list(c, &list, &n, &broken, e);
    /* After any error nothing is removed: a repair may need it. */
    if (r < 0 || broken.text[0])
        return r;
    if (n > 0) {
        r = is_untidy(cuts_fd, list[0].head.number, &untidy, e);
        if (r == 0 && untidy)
            r = finish_fold(c, cuts_fd, &list[0].head, e);
    }
    return r < 0 ? r : pool_remove_from(cuts_fd, n ? list[n - 1].head.serial + 1 : 0, e);
}

/* How many of the numbers list[1..want] can be folded: a cut in use must stay. The caller owns the
 * descriptors that close off the others. */
static int close_off(int cuts_fd, const struct cut_info *list, size_t want, int *fds, size_t *can,
                     struct err *e)
{
    for (*can = 0; *can < want; ++*can) {
        fds[*can] = lease_close_off(cuts_fd, list[*can].head.serial);
        if (fds[*can] == -EBUSY)
            return 0;
        if (fds[*can] < 0)
            return err_sys(e, fds[*can], "cuts/leases");
    }
    return 0;
}

#define FOLD_AT_ONCE 4096 /* entries whose sums are asked for together */

/* Entries of the new base, on their way into its manifest. */
struct folding {
    struct cuts *c;
    FILE *to;
    struct places places;
    struct cut_entry *entries;
    size_t n;
    struct arena paths; /* of theirs */
};

static void folding_clear(struct folding *f)
{
    places_clear(&f->places);
    free(f->entries);
    arena_free(&f->paths);
}

/* Adds to the entries the sums that were found since, and writes them. */
static int fold_write(struct folding *f)
{
    autofree struct catalog_retained *sums = NULL;
    int r = f->c->snapshots ? cuts_known_sums(f->c, f->entries, f->n, &sums) : 0;
    for (size_t i = 0; r == 0 && i < f->n; i++) {
        struct cut_entry *e = &f->entries[i];
        if (sums && !e->have_sum && sums[i].have_sum && !cut_is_folder(e)) {
            e->have_sum = true;
            memcpy(e->sum, sums[i].sum, SHA256_BYTES);
        }
        cut_line_put(f->to, e);
    }
    f->n = 0;
    arena_free(&f->paths);
    return r;
}

static int fold_add(struct folding *f, const struct cut_entry *entry)
{
    const char *path = arena_text(&f->paths, entry->path, strlen(entry->path));
    int r = path ? places_add(&f->places, entry) : -ENOMEM;
    if (r < 0)
        return r;
    f->entries[f->n] = *entry;
    f->entries[f->n++].path = path;
    return f->n == FOLD_AT_ONCE ? fold_write(f) : 0;
}

static int fold_all(struct folding *f, uint64_t serial, struct err *e)
{
    cleanup(cutstream_freep) struct cutstream *s = NULL;
    const struct cut_entry *entry;
    f->entries = calloc(FOLD_AT_ONCE, sizeof(*f->entries));
    if (!f->entries)
        return err_sys(e, -ENOMEM, "cuts");
    int r = cuts_open_stream(f->c, serial, true, &s, e);
    while (r == 0 && (r = cutstream_next(s, &entry, e)) == 0 && entry)
        if ((r = fold_add(f, entry)) < 0)
            return err_sys(e, r, "cuts");
    if (r == 0 && (r = fold_write(f)) < 0)
        return err_sys(e, r, "cuts");
    return r;
}

/* Makes the cut the base. */
static int fold_into(struct cuts *c, int cuts_fd, const struct cut_info *cut,
                     struct prune_result *out, struct err *e)
{
    cleanup(cutlist_freep) struct cutlist *newest = NULL;
    cleanup(cutwriter_closep) struct cutwriter *w = NULL;
    struct cut_head head = cut->head;
    char name[32];
    cuts_file_name(cut, name);
    int r = cutlist_read(cuts_fd, name, &newest, e); /* what it says beside its files holds */
    if (r == 0)
        r = cutwriter_open(cuts_fd, CUTS_BASE, &w, e);
    if (r < 0)
        return r;
    head.parent[0] = 0;
    head.lost = (struct cut_lost){0};
    head.guard = CUT_GUARD_FINE;
    cleanup(folding_clear) struct folding f = {.c = c, .to = cutwriter_text(w)};
    cutlist_put_head(f.to, &head);
    if ((r = fold_all(&f, head.serial, e)) < 0)
        return r;
    newest->nremoved = newest->nremoved_folders = 0;
    cutlist_put_rest(f.to, newest);
    r = cutwriter_commit(w, e);
    return r < 0 ? r : fold_sweep(c, cuts_fd, &head, &f.places, out, e);
}

/* How many of the numbers list[1..want] may be folded: those before the first with an unaccepted
 * loss, since folding drops what it lost. */
static size_t unguarded(const struct cut_info *list, size_t want, struct prune_result *out)
{
    for (size_t i = 1; i <= want; i++) {
        if (list[i].head.guard != CUT_GUARD_TRIPPED)
            continue;
        out->guarded = true;
        out->guarded_number = list[i].head.number;
        return i - 1;
    }
    return want;
}

static int fold(struct cuts *c, int cuts_fd, uint64_t keep, struct prune_result *out, struct err *e)
{
    autofree struct cut_info *list = NULL;
    size_t n, can = 0;
    int r = cuts_list(c, &list, &n, NULL, e);
    if (r < 0)
        return r;
    size_t want = unguarded(list, n > keep + 1 ? n - 1 - keep : 0, out);
    autofree int *fds = calloc(want + 1, sizeof(*fds));
    if (!fds)
        return err_sys(e, -ENOMEM, "cuts");
    out->base = n ? list[0].head.number : -1;
    r = close_off(cuts_fd, list, want, fds, &can, e);
    out->held_back = can < want;
    if (r == 0 && can > 0)
        r = fold_into(c, cuts_fd, &list[can], out, e);
    if (r == 0 && can > 0) {
        out->folded = can;
        out->base = list[can].head.number;
    }
    for (size_t i = 0; i < can; i++)
        close(fds[i]);
    return r;
}

/* The folder of the cuts and its lock, without remains of a kill. The caller owns both, also on
 * failure (-1: not open). */
static int open_tidied(struct cuts *c, int *fd, int *lock, struct err *e)
{
    if ((*fd = cuts_folder(c, e)) < 0)
        return *fd;
    if ((*lock = lease_lock(*fd, NULL, NULL, e)) < 0)
        return *lock;
    return cuts_tidy(c, *fd, e);
}

int cuts_prune(struct cuts *c, uint64_t keep, struct prune_result *out, struct err *e)
{
    struct prune_result result = {.base = -1};
    autoclose int fd = -1, lock = -1;
    int r = open_tidied(c, &fd, &lock, e);
    if (r == 0)
        r = fold(c, fd, keep, &result, e);
    if (r < 0)
        return r;
    log_debug("fold: %" PRIu64 " number%s taken in, the base stands for %" PRId64, result.folded,
              plural(result.folded), result.base);
    *out = result;
    return 0;
}

static int fold_accept(struct cuts *c, int cuts_fd, int64_t number, struct err *e)
{
    struct cut_info info;
    struct err why = {0};
    char name[32];
    int r = cuts_by_number(c, number, &info, &why);
    if (r < 0)
        return err_set(e, r, "cut %" PRId64 ": %s", number, why.text);
    if (info.head.guard != CUT_GUARD_TRIPPED)
        return info.head.guard == CUT_GUARD_ACCEPTED
                   ? 0
                   : err_set(e, -EINVAL, "cut %" PRId64 " has no loss that waits to be accepted",
                             number);
    cuts_file_name(&info, name);
    cleanup(cutlist_freep) struct cutlist *l = NULL;
    if ((r = cutlist_read(cuts_fd, name, &l, e)) < 0)
        return r;
    l->head.guard = CUT_GUARD_ACCEPTED;
    return cutlist_write(cuts_fd, name, l, e);
}

int cuts_accept_loss(struct cuts *c, int64_t number, struct err *e)
{
    autoclose int fd = -1, lock = -1;
    int r = open_tidied(c, &fd, &lock, e);
    return r < 0 ? r : fold_accept(c, fd, number, e);
}
