/* SPDX-License-Identifier: MIT */
/* States of cuts as streams, leases, and what is retained. */
#include "store/base/cleanup.h"
#include "store/chain/cuts_internal.h"
#include "store/chain/lease.h"
#include "store/chain/pool.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

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
