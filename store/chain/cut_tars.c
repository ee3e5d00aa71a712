/* SPDX-License-Identifier: MIT */
/* Tars of cuts, leased for as long as they are in use. */
#include "store/base/cleanup.h"
#include "store/chain/cut_capture.h"
#include "store/chain/cuts_internal.h"
#include "store/snapshot/catalog_derived.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

static int tars_capture_changes(struct cuts *c, uint64_t serial, struct capture **out,
                                struct err *e)
{
    struct cut_info info;
    char name[32];
    autoclose int lease = cuts_lease(c, serial, e);
    int r = lease < 0 ? lease : cuts_by_serial(c, serial, &info, e);
    if (r < 0)
        return r;
    if (info.base)
        return err_set(e, -ENOENT, "the base has no changes");
    autoclose int fd = cuts_folder(c, e);
    if (fd < 0)
        return fd;
    struct cutlist *list = NULL;
    cuts_file_name(&info, name);
    r = cutlist_read(fd, name, &list, e);
    return r < 0 ? r : cut_capture_of_list(c, list, steal_fd(&lease), out, e);
}

static int capture_full(struct cuts *c, uint64_t serial, struct capture **out, struct err *e)
{
    struct cutstate *state = NULL;
    int r = cuts_get_state(c, serial, &state, e);
    return r < 0 ? r : cut_capture_of_state(c, state, out, e);
}

int cuts_get_tar(struct cuts *c, uint64_t serial, enum cut_tar kind, struct tarball **out,
                 struct err *e)
{
    struct capture *capture = NULL;
    int r = kind == CUT_FULL ? capture_full(c, serial, &capture, e)
                             : tars_capture_changes(c, serial, &capture, e);
    if (r == 0 && (r = snapshots_tarball(c->snapshots, capture, out)) < 0)
        err_sys(e, r, "the tar of a cut");
    return r;
}

/* Of what the tar's bytes depend on. */
static int digest_tar(const struct cut_info *info, enum cut_tar kind, uint8_t out[SHA256_BYTES])
{
    char text[128];
    cleanup(sha256_freep) struct sha256 *h = sha256_new();
    if (!h)
        return -ENOMEM;
    int n = snprintf(text, sizeof(text), "cut %" PRIu64 " %s %s", info->head.serial,
                     kind == CUT_FULL ? "full" : "changes", info->head.id);
    sha256_add(h, text, (size_t)n);
    sha256_end(h, out);
    return 0;
}

int cuts_tar_size(struct cuts *c, uint64_t serial, enum cut_tar kind, uint64_t *size, struct err *e)
{
    struct catalog *catalog = snapshots_catalog(c->snapshots);
    struct catalog_derived known = {0};
    struct cut_info info;
    uint8_t digest[SHA256_BYTES];
    cleanup(tarball_unrefp) struct tarball *t = NULL;
    int r = cuts_by_serial(c, serial, &info, e);
    if (r < 0)
        return r;
    if ((r = digest_tar(&info, kind, digest)) < 0)
        return err_sys(e, r, "the tar of a cut");
    if (catalog_get_derived(catalog, digest, &known, NULL) < 0) {
        if ((r = cuts_get_tar(c, serial, kind, &t, e)) < 0)
            return r;
        known.size = tarball_size(t);
        /* If it cannot be remembered, it is found again. */
        catalog_put_derived(catalog, digest, &known, NULL);
    }
    *size = known.size;
    return 0;
}
