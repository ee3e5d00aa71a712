/* SPDX-License-Identifier: MIT */
#include "store/restore/job.h"

#include "store/base/cleanup.h"
#include "store/restore/chain_order.h"
#include "store/restore/compose.h"
#include "store/restore/stage_fill.h"
#include "store/restore/unchanged.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

static int job_follow(struct job *j, struct err *e)
{
    while (j->nrun < j->n) {
        size_t next = chain_order_next(j->manifests, j->n, j->state);
        if (next == SIZE_MAX)
            break;
        cleanup(manifest_freep) struct manifest *then = NULL;
        int r = manifest_copy(j->state, &then);
        if (r == 0)
            r = chain_order_apply(then, j->manifests[next], &j->why);
        if (r == -EBADMSG) {
            j->unfit = j->all[next];
            break;
        }
        if (r < 0)
            return err_sys(e, r, "restore");
        j->run[j->nrun++] = j->all[next];
        manifest_free(j->state);
        j->state = steal_ptr(&then);
    }
    return 0;
}

int job_plan(struct job *j, const struct manifest *from, struct err *e)
{
    j->run = calloc(j->n + 1, sizeof(*j->run));
    if (!j->run || manifest_copy(from, &j->state) < 0)
        return err_sys(e, -ENOMEM, "restore");
    return job_follow(j, e);
}

void job_clear(struct job *j)
{
    increment_list_free(&j->waiting);
    free(j->all);
    free(j->manifests);
    manifest_free(j->state);
    free(j->run);
    advice_clear(&j->advice);
    *j = (struct job){0};
}

bool job_has(const struct job *j, const struct increment *i)
{
    for (size_t k = 0; k < j->nrun; k++)
        if (j->run[k] == i)
            return true;
    return false;
}

static int job_fill(struct job *j, const struct manifest *from, struct err *e)
{
    cleanup(stage_freep) struct stage *s = NULL;
    int fds[TARGETS];
    int r = from ? targets_stage(j->t, fds, e) : targets_open_staged(j->t, fds, e);
    if (r == 0)
        r = stage_new(j->t, fds, &s, e);
    if (r == 0)
        r = stage_fill(s, j->t, from, j->run, j->nrun, e);
    return r < 0 ? r : stage_finish(s, e);
}

/* The store is to be replaced by what follows what it is as of. */
static int job_still_fits(void *arg, struct err *e)
{
    const struct job *j = arg;
    int r = record_fits(j->record, j->t);
    if (r < 0)
        return err_sys(e, r, "cannot find out whether the store has changed");
    return r == 1 ? 0
                  : err_set(e, -ESTALE, "the store has moved on since snapshot %s was restored",
                            j->before);
}

static int job_is_unchanged(void *arg, struct err *e)
{
    const struct job *j = arg;
    uint8_t now[SHA256_BYTES];
    int r = unchanged_digest(j->t, now, e);
    if (r == 0 && memcmp(now, j->was, sizeof(now)) != 0)
        r = err_set(e, -EBUSY,
                    "the store was changed while it was put together with the snapshot; try again "
                    "when nothing uses it");
    return r;
}

/* Puts what is staged together with the store, if only a part of it is asked for; looks at what
 * influxd will find; and records it. */
static int job_prepare(struct job *j, struct err *e)
{
    cleanup(targets_closep) int fds[TARGETS] = {-1, -1, -1};
    cleanup(composed_clear) struct composed did = {0};
    int r = j->request ? unchanged_digest(j->t, j->was, e) : 0;
    if (r == 0 && j->request)
        r = compose_run(j->t, j->request, j->state, &did, e);
    if (r == 0)
        r = targets_open_staged(j->t, fds, e);
    if (r == 0 && j->cut)
        r = advice_take_cut(j->state, j->cut->use, j->cut->copies, fds, j->keep_expired, &j->advice,
                            e);
    else if (r == 0)
        r = advice_take(j->state, fds, j->keep_expired, j->request ? &did : NULL, &j->advice, e);
    if (r < 0 || j->request)
        return r;
    return j->cut ? record_prepare_cut(j->record, j->state, j->cut->use, fds, &j->note, e)
                  : record_prepare(j->record, j->state, fds, &j->note, e);
}

/* Whether the store still is as of the snapshot that the staged one follows. */
static bool job_follows(const struct job *j)
{
    cleanup(manifest_freep) struct manifest *present = NULL;
    bool moved_on;
    return j->follows && !j->request && !record_unsettled(j->record) &&
           record_look(j->record, j->t, &present, &moved_on, NULL) == 0 && present && !moved_on &&
           strcmp(present->id, j->follows) == 0;
}

int job_run(struct job *j, const struct manifest *from, struct err *e)
{
    struct err note = {0};
    j->before = from ? from->id : job_follows(j) ? j->follows : NULL;
    int r = from || j->nrun ? job_fill(j, from, e) : 0;
    if (r == 0)
        r = job_prepare(j, e);
    if (r < 0) {
        targets_tidy(j->t, NULL);
        return r;
    }
    j->check.arg = j;
    if (j->before)
        j->check.still = job_still_fits;
    else if (j->request)
        j->check.still = job_is_unchanged;
    j->t->discard = j->before != NULL;
    r = install_run(j->t, &j->check, j->state->id, &note, e);
    if (r < 0 && !j->t->half && !j->request)
        record_end(j->record, false);
    if (note.text[0])
        err_set(&j->note, 0, "left over, to be removed at the next mount: %s", note.text);
    return r;
}
