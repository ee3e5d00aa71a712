/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/selecting.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/restore/restore_request.h"
#include "store/rewrite/selected.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

int selecting_check(const struct options *o, struct err *e)
{
    const struct selection part = options_selection(o);
    if (part.from >= part.to)
        return err_set(e, -EINVAL, "--from is not before --to");
    if (part.exact && part.from == INT64_MIN && part.to == INT64_MAX)
        return err_set(e, -EINVAL, "--exact needs --from, --to or both");
    if (o->host && !selection_is_all(&part))
        return err_set(e, -EINVAL,
                       "--host takes the whole store of the server: run influxsnap backup there "
                       "for a part, such as `ssh SERVER influxsnap backup --database=DB -`");
    return 0;
}

static void selecting_words(const struct selection *part, struct err *words)
{
    if (!part || selection_is_all(part))
        err_set(words, 0, "the whole store");
    else
        restore_request_words(&(struct restore_request){.part = *part}, words);
}

int selecting_check_chain(const struct options *o, const char *path, const struct tarset *chain,
                          struct err *e)
{
    const struct selection part = options_selection(o);
    struct selection *ours, *theirs = chain->n ? chain->at[0].m->selection : NULL;
    struct err is = {0}, wanted = {0};
    int r = selection_copy(&part, &ours);
    if (r < 0)
        return err_sys(e, r, "%s", path);
    if (chain->n && !selection_same(theirs, ours)) {
        selecting_words(theirs, &is);
        selecting_words(ours, &wanted);
        r = err_set(e, -EEXIST,
                    "%s: what lies there is of another selection: %.200s, not %.200s; give "
                    "another name for that",
                    path, is.text, wanted.text);
    }
    selection_free(ours);
    return r;
}

/* Where files that are made anew can be spooled. */
static int selecting_folder(const struct snap *s, struct err *e)
{
    const char *path = s->state ? s->state : io_temporary_folder();
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? err_sys(e, -errno, "%s", path) : fd;
}

/* What selected_new makes of the files of the part. */
static int selecting_part(struct snap *s, const struct selection *part, bool goes_on,
                          struct tarball **out, struct err *e)
{
    cleanup(capture_unrefp) struct capture *files = NULL;
    struct capture *c;
    autoclose int folder = part->exact ? selecting_folder(s, e) : -1;
    if (part->exact && folder < 0)
        return folder;
    const struct selected_cutting how = {folder, &snap_reader};
    int r = snapshots_part(s->snapshots, part, NULL, &snap_reader, &files, e);
    if (r == 0 && !goes_on)
        r = selected_check_excluded(files, part, e);
    if (r == 0)
        r = selected_new(files, part, snapshots_catalog(s->snapshots), &how, &c, e);
    if (r == 0 && (r = snapshots_tarball(s->snapshots, c, out)) < 0)
        err_sys(e, r, "the snapshot");
    return r;
}

int selecting_take(struct snap *s, bool goes_on, struct tarball **now, struct err *e)
{
    const struct selection part = options_selection(&s->o);
    return selection_is_all(&part) ? snapshots_now(s->snapshots, &snap_reader, now, e)
                                   : selecting_part(s, &part, goes_on, now, e);
}
