/* SPDX-License-Identifier: MIT */
/* What a restore would do: influxsnap restore --dry-run. */
#include "store/base/cleanup.h"
#include "store/base/path.h"
#include "store/influx/seen.h"
#include "store/influxsnap/restoring_internal.h"
#include "store/restore/compose.h"
#include "store/restore/wanted.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/statvfs.h>

static int foresee_space(const struct snap *s, uint64_t need, struct err *e)
{
    autofree char *up = strdup(s->paths.data);
    struct statvfs v;
    if (!up)
        return err_sys(e, -ENOMEM, "%s", s->paths.data);
    while (statvfs(up, &v) < 0) {
        char *slash = strrchr(up, '/');
        if (!slash || slash == up)
            return err_sys(e, -errno, "%s", s->paths.data);
        *slash = 0;
    }
    uint64_t room = (uint64_t)v.f_bavail * v.f_frsize;
    return need <= room
               ? 0
               : err_set(e, -ENOSPC,
                         "there is no room for it: %" PRIu64 " bytes are needed beside %s, "
                         "%" PRIu64 " are free",
                         need, s->paths.data, room);
}

/* What a restore would find out by renames. */
static int foresee_read_only(const char *folder, struct err *e)
{
    autofree char *up = strdup(folder);
    if (!up)
        return err_sys(e, -ENOMEM, "%s", folder);
    while (faccessat(AT_FDCWD, up, W_OK, AT_EACCESS) < 0)
        if (errno == EROFS)
            return err_sys(e, -EROFS, "%s", up);
        else if (errno != ENOENT || !path_up(up))
            break;
    return 0;
}

static int foresee_writing(const struct snap *s, struct err *e)
{
    const char *const folders[] = {s->paths.meta, s->paths.data, s->paths.wal, s->state};
    int r = 0;
    for (size_t i = 0; r == 0 && i < sizeof(folders) / sizeof(*folders); i++)
        r = folders[i] ? foresee_read_only(folders[i], e) : 0;
    return r;
}

static int foresee_file(struct restoring *r, const struct tarset_file *f, struct tar_counts *counts,
                        struct err *e)
{
    const struct tar_stream *in = f ? restoring_stream_of(r, f) : NULL;
    cleanup(manifest_freep) struct manifest *m = NULL;
    if (in)
        return tar_verify_stream(in, &r->meter, &r->advise, counts, &m, e);
    return tar_verify(f ? f->path : RESTORING_STDIN, &r->meter, &r->advise, counts, e);
}

static int foresee_files(struct restoring *r, struct err *e)
{
    const size_t n = restoring_stdin(r) ? 1 : r->set.n;
    if (r->influxd)
        return setlook_verify(r->influxd, &r->meter, &r->advise, &r->counts, e);
    for (size_t i = 0; i < n; i++) {
        const struct tarset_file *f = restoring_stdin(r) ? NULL : &r->set.at[i];
        struct tar_counts counts;
        if (f && f->superseded)
            continue;
        int ret = foresee_file(r, f, &counts, e);
        if (ret < 0)
            return ret;
        r->counts.files += counts.files;
        r->counts.bytes += counts.bytes;
    }
    return 0;
}

/* Of a full snapshot, only what is asked for is unpacked. */
static int foresee_part(struct restoring *r, struct err *e)
{
    const struct advise *a = &r->advise;
    const struct manifest *full = a->state;
    cleanup(wanted_freep) struct wanted *w = NULL;
    for (size_t i = 0; i < r->set.n; i++)
        if (r->set.at[i].m->kind != MANIFEST_INCREMENTAL)
            full = r->set.at[i].m;
    if (wanted_new(&r->request, &w) < 0)
        return err_sys(e, -ENOMEM, "restore");
    wanted_learn(w, a->meta, a->len);
    for (size_t i = 0; i < full->nfiles; i++)
        if (!wanted_has(w, full->files[i].name)) {
            r->counts.files--;
            r->counts.bytes -= full->files[i].size;
        }
    return 0;
}

/* What of the snapshot would be put into the store. */
static int foresee_composing(struct restoring *r, struct err *e)
{
    struct advise *a = &r->advise;
    autofree void *then = NULL;
    size_t len = 0;
    if (!a->meta || !a->state)
        return 0;
    int ret = foresee_part(r, e);
    if (ret < 0)
        return ret;
    ret = compose_preview(&r->s->paths, a->state, a->meta, a->len, &r->request, &a->composed, &then,
                          &len, e);
    if (ret == 0) {
        free(a->meta);
        a->meta = steal_ptr(&then);
        a->len = len;
    }
    return ret < 0 ? ret : 0;
}

int restoring_dry_run(struct restoring *r, struct err *e)
{
    const struct store_paths *p = &r->s->paths;
    autoclose int state = restoring_state(r);
    int ret = restoring_forbidden(r, e);
    if (ret == 0 && !r->s->o.force)
        ret = restoring_blame(seen_check(p, state, e));
    if (ret == 0)
        ret = restoring_blame(session_check_mounts(p, e));
    if (ret == 0)
        ret = foresee_writing(r->s, e);
    if (ret < 0)
        return ret;
    r->advise.keep_state = true;
    meter_begin(&r->meter, "verifying", restoring_bytes(r));
    ret = foresee_files(r, e);
    meter_end(&r->meter);
    if (ret == 0)
        ret = foresee_composing(r, e);
    return ret == 0 ? foresee_space(r->s, r->counts.bytes, e) : ret;
}
