/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/selecting.h"

#include "store/restore/restore_request.h"
#include "store/rewrite/selected.h"

#include <errno.h>

int selecting_check(const struct options *o, struct err *e)
{
    const struct selection part = options_selection(o);
    if (part.from >= part.to)
        return err_set(e, -EINVAL, "--from is not before --to");
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

int selecting_take(struct snap *s, struct tarball **now, struct err *e)
{
    const struct selection part = options_selection(&s->o);
    struct tarball *whole = *now;
    struct capture *c;
    if (selection_is_all(&part))
        return 0;
    int r = selected_new(tarball_capture(whole), &part, snapshots_catalog(s->snapshots), &c, e);
    if (r == 0 && (r = snapshots_tarball(s->snapshots, c, now)) < 0)
        err_sys(e, r, "the snapshot");
    if (r == 0)
        tarball_unref(whole);
    return r;
}
