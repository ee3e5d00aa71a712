/* SPDX-License-Identifier: MIT */
#include "store/restore/session_cut.h"

#include "store/base/cleanup.h"
#include "store/base/path.h"
#include "store/influx/names.h"
#include "store/restore/increments.h"
#include "store/restore/session_parts.h"
#include "store/restore/session_upload.h"
#include "store/restore/stage_cut.h"

#include <errno.h>
#include <string.h>

struct cut_staging {
    struct session *s;
    const struct session_cut *q;
    struct stage *stage;
    struct placing *placing;
    struct cut_effect *effect;
    char *follows; /* the id of the retained cut that the store is as of; or NULL */
};

static int cut_staged(void *arg, const char *name, uint64_t size, bool linked, struct err *e)
{
    const struct cut_staging *c = arg;
    account_staged(c->s->account, name, size, linked);
    c->effect->linked += linked;
    c->effect->copied += !linked;
    c->effect->copied_tsm += !linked && name_is_tsm(path_last(name));
    c->effect->copied_bytes += linked ? 0 : size;
    return c->q->staged(c->q->arg, name, size) ? err_set(e, -EINTR, "interrupted") : 0;
}

/* Whether the store still is as it was restored last, and that is a retained cut: so that nothing is lost if it
 * is removed. */
static bool cut_is_replaced(struct cuts *c, const struct manifest *present, bool moved_on)
{
    autofree struct cut_info *list = NULL;
    struct err broken = {0};
    size_t n = 0;
    if (!present || moved_on || cuts_list(c, &list, &n, &broken, NULL) < 0)
        return false;
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i].head.id, present->id) == 0)
            return true;
    return false;
}

/* Whether the store is as of a retained cut, and what would become of its files. */
static int cut_look(struct cut_staging *c, struct err *e)
{
    cleanup(targets_freep) struct targets *t = NULL;
    cleanup(manifest_freep) struct manifest *present = NULL;
    bool moved_on = true;
    int r = staging_targets(c->s->staging, &t, e);
    if (r == 0)
        r = increments_look(c->s, t, &present, &moved_on, e);
    moved_on |= record_touched(c->s->record);
    if (r == 0)
        r = cut_effect_look(t, c->placing, c->q->cut, c->effect, e);
    if (r < 0)
        return r;
    c->effect->replaces_cut = cut_is_replaced(cutuse_cuts(c->q->cut), present, moved_on);
    if (c->effect->replaces_cut && !(c->follows = strdup(present->id)))
        return err_sys(e, -ENOMEM, "restore");
    return 0;
}

static int cut_fill(struct cut_staging *c, struct err *e)
{
    struct cut_effect *x = c->effect;
    int r = cut_look(c, e);
    if (r == 0)
        r = stage_check_space(c->stage, x->need, e);
    x->linked = x->copied = x->copied_tsm = x->copied_bytes = 0; /* counted again, as it is done */
    if (r == 0)
        r = stage_cut(c->stage, c->placing, c->q->cut, cut_staged, c, e);
    err_set(&x->said, 0, "%s", placing_said(c->placing));
    return r < 0 ? r : stage_finish(c->stage, e);
}

/* From the staging area taken to the verdict. */
static int cut_run(struct cut_staging *c, struct err *e)
{
    int r = cut_fill(c, e);
    stage_free(steal_ptr(&c->stage));
    const struct staged_cut staged = {c->q->cut, c->effect->copied_tsm > 0};
    if (r == 0)
        return session_install(c->s, NULL, c->q->name, NULL, c->follows, &staged, e);
    account_refused(c->s->account, NULL, c->q->name, e->text);
    session_release(c->s, NULL);
    return r;
}

int session_cut_restore(struct session *s, const struct session_cut *q, struct cut_effect *out,
                        struct err *e)
{
    struct err why = {0};
    cleanup(placing_closep) struct placing *placing = NULL;
    cleanup(manifest_freep) struct manifest *m = NULL;
    struct cut_staging c = {.s = s, .q = q, .effect = out};
    int r = placing_open(cutuse_cuts(q->cut), &placing, e);
    if (r < 0)
        return r;
    c.placing = placing;
    if ((r = stage_cut_manifest(q->cut, &m, e)) < 0)
        return r;
    r = session_claim(s, NULL, q->name, m, NULL, &c.stage, &why);
    if (r == 0) {
        session_say_begun(s, q->name, m);
        account_begin(s->account, q->name, m);
        r = cut_run(&c, &why);
    } else {
        account_refused(s->account, NULL, q->name, why.text);
    }
    free(c.follows);
    return r < 0 ? err_set(e, r, "%s", why.text) : 0;
}

/* The same as cut_look, of a store that is not to be restored into now. */
static int cut_foresee(const struct targets *t, const struct session_cut *q, int state_fd,
                       struct cut_effect *out, struct err *e)
{
    cleanup(manifest_freep) struct manifest *present = NULL;
    cleanup(record_closep) struct record *record = NULL;
    cleanup(placing_closep) struct placing *placing = NULL;
    bool moved_on = true;
    if (record_open(state_fd, &record) < 0)
        return err_sys(e, -ENOMEM, "restore");
    int r = placing_open(cutuse_cuts(q->cut), &placing, e);
    if (r == 0)
        r = cut_effect_look(t, placing, q->cut, out, e);
    if (r == 0 && !record_unsettled(record))
        r = record_look(record, t, &present, &moved_on, e);
    moved_on |= record_touched(record);
    if (r == 0)
        out->replaces_cut = cut_is_replaced(cutuse_cuts(q->cut), present, moved_on);
    return r;
}

int session_cut_look(const struct session_options *o, const struct session_cut *q,
                     struct cut_effect *out, struct err *e)
{
    cleanup(targets_freep) struct targets *t = NULL;
    int r = targets_open(o->paths, o->uid, o->gid, &t, e);
    return r < 0 ? r : cut_foresee(t, q, o->state_fd, out, e);
}
