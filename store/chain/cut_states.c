/* SPDX-License-Identifier: MIT */
/* The states of cuts, leased while in use. */
#include "store/base/cleanup.h"
#include "store/chain/cuts_internal.h"
#include "store/chain/lease.h"
#include "store/chain/pool.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#define TRIES 20 /* a fold may come in between */

static void free_lists(struct cutlist **lists, size_t n)
{
    for (size_t i = 0; i < n; i++)
        cutlist_free(lists[i]);
    free(lists);
}

/* The cuts from the base to serial, as known now. */
static int states_names_up_to(struct cuts *c, uint64_t serial, struct cut_info **out, size_t *n,
                              struct err *e)
{
    struct err broken = {0};
    int r = cuts_list(c, out, n, &broken, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < *n; i++) {
        if ((*out)[i].head.serial == serial) {
            *n = i + 1;
            return 0;
        }
    }
    free(*out);
    *out = NULL;
    return broken.text[0] ? err_set(e, -EBADMSG, "%s", broken.text)
                          : err_set(e, -ENOENT, "there is no such cut any more");
}

/* One attempt. -ENOENT also if a fold intervened. */
static int states_read_lists(int cuts_fd, const struct cut_info *infos, size_t n,
                             struct cutlist **lists, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        char name[32];
        cuts_file_name(&infos[i], name);
        int r = cutlist_read(cuts_fd, name, &lists[i], e);
        if (r == 0 && strcmp(lists[i]->head.id, infos[i].head.id) != 0) {
            cutlist_free(lists[i]);
            lists[i] = NULL;
            r = -ENOENT;
        }
        if (r < 0)
            return r;
    }
    return 0;
}

/* The manifests from the base to serial; the caller frees each list and the array. */
static int states_lists_up_to(struct cuts *c, uint64_t serial, struct cutlist ***out, size_t *n,
                              struct err *e)
{
    int r = -ENOENT;
    for (int i = 0; r == -ENOENT && i < TRIES; i++) {
        autofree struct cut_info *infos = NULL;
        autoclose int fd = cuts_folder(c, e);
        if (fd < 0)
            return fd;
        if ((r = states_names_up_to(c, serial, &infos, n, e)) < 0)
            return r;
        struct cutlist **lists = calloc(*n + 1, sizeof(struct cutlist *));
        if (!lists)
            return err_sys(e, -ENOMEM, "cuts");
        r = states_read_lists(fd, infos, *n, lists, e);
        if (r == 0)
            *out = lists;
        else
            free_lists(lists, *n);
    }
    return r;
}

int cuts_build_state(struct cuts *c, uint64_t serial, struct cutstate **out, struct err *e)
{
    struct cutlist **lists = NULL;
    size_t n = 0;
    int r = states_lists_up_to(c, serial, &lists, &n, e);
    if (r < 0)
        return r;
    r = cutstate_build(lists, n, out, e);
    free(lists);
    return r;
}

/* The manifests of all cuts up to the one that is read are open together. */
static int states_no_more(const char *name, size_t n, struct err *e)
{
    struct rlimit l = {0};
    getrlimit(RLIMIT_NOFILE, &l);
    return err_set(e, -ENFILE,
                   "the manifest of cut %s: the limit on open files (%llu) is reached: a cut is "
                   "read from its manifest and those before it, %zu together; raise it "
                   "(LimitNOFILE= of a unit, ulimit -n), or keep fewer cuts",
                   name, (unsigned long long)l.rlim_cur, n);
}

int cuts_open_stream(struct cuts *c, uint64_t serial, bool check, struct cutstream **out,
                     struct err *e)
{
    autofree struct cut_info *infos = NULL;
    size_t n = 0, opened = 0;
    autoclose int fd = cuts_folder(c, e);
    int r = fd < 0 ? fd : states_names_up_to(c, serial, &infos, &n, e);
    if (r < 0)
        return r;
    autofree struct cutscan **files = calloc(n + 1, sizeof(struct cutscan *));
    if (!files)
        return err_sys(e, -ENOMEM, "cuts");
    for (; r == 0 && opened < n; opened++) {
        char name[32];
        cuts_file_name(&infos[opened], name);
        const bool sealed = !check && cuts_is_sealed(c, name);
        if ((r = cutscan_open(fd, name, sealed, &files[opened], e)) == -EMFILE)
            r = states_no_more(name, n, e);
        if (r < 0)
            break;
    }
    if (r == 0)
        return cutstream_new(files, n, out, e);
    while (opened > 0)
        cutscan_close(files[--opened]);
    return r;
}

int cuts_lease(struct cuts *c, uint64_t serial, struct err *e)
{
    autoclose int fd = cuts_folder(c, e);
    return fd < 0 ? fd : lease_take(fd, serial, e);
}

static struct used *find_used(struct cuts *c, uint64_t serial)
{
    struct used *u = c->used;
    while (u && u->serial != serial)
        u = u->next;
    if (u)
        u->refs++;
    return u;
}

static int states_build_used(struct cuts *c, uint64_t serial, struct used **out, struct err *e)
{
    struct used *u = calloc(1, sizeof(*u));
    if (!u)
        return err_sys(e, -ENOMEM, "cuts");
    *u = (struct used){.serial = serial, .lease = cuts_lease(c, serial, e), .refs = 1};
    int r = u->lease < 0 ? u->lease : cuts_build_state(c, serial, &u->state, e);
    if (r < 0) {
        cleanup_close(&u->lease);
        free(u);
        return r;
    }
    *out = u;
    return 0;
}

int cuts_get_state(struct cuts *c, uint64_t serial, struct cutstate **out, struct err *e)
{
    pthread_mutex_lock(&c->lock);
    struct used *u = find_used(c, serial);
    pthread_mutex_unlock(&c->lock);
    if (!u) {
        int r = states_build_used(c, serial, &u, e);
        if (r < 0)
            return r;
        /* If another thread was as fast, both states serve. */
        pthread_mutex_lock(&c->lock);
        u->next = c->used;
        c->used = u;
        pthread_mutex_unlock(&c->lock);
    }
    *out = u->state;
    return 0;
}

void cuts_put_state(struct cuts *c, struct cutstate *s)
{
    struct used *gone = NULL;
    if (!s)
        return;
    pthread_mutex_lock(&c->lock);
    struct used **p = &c->used;
    while ((*p)->state != s)
        p = &(*p)->next;
    if (--(*p)->refs == 0) {
        gone = *p;
        *p = gone->next;
    }
    pthread_mutex_unlock(&c->lock);
    if (!gone)
        return;
    cutstate_unref(gone->state);
    cleanup_close(&gone->lease);
    free(gone);
}

int cuts_open_file(struct cuts *c, const struct cut_entry *f, struct err *e)
{
    autoclose int fd = cuts_folder(c, e);
    return fd < 0 ? fd : pool_open(fd, &f->place, f->attr.size, e);
}

int cuts_known_sums(struct cuts *c, const struct cut_entry *entries, size_t n,
                    struct catalog_retained **out)
{
    struct catalog_retained *sums = calloc(n + 1, sizeof(*sums));
    if (!sums)
        return -ENOMEM;
    bool missing = false;
    for (size_t i = 0; i < n; i++) {
        const struct cut_entry *e = &entries[i];
        sums[i] = (struct catalog_retained){.serial = e->place.serial,
                                            .seq = e->place.seq,
                                            .have_sum = e->have_sum || cut_is_folder(e),
                                            .ino = e->ino,
                                            .size = e->attr.size,
                                            .mtime_ns = e->attr.mtime_ns};
        memcpy(sums[i].sum, e->sum, SHA256_BYTES);
        missing |= !sums[i].have_sum;
    }
    /* Without a catalogue, readers find them again. */
    if (missing)
        catalog_get_retained(snapshots_catalog(c->snapshots), sums, n, NULL);
    *out = sums;
    return 0;
}
