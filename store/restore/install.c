/* SPDX-License-Identifier: MIT */
#include "store/restore/install.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/log.h"
#include "store/restore/exchange.h"
#include "store/restore/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

static int ask_use(const struct install_check *c, struct err *e)
{
    return c->in_use ? c->in_use(c->paths, e) : 0;
}

/* Undoes it, from any point before the exchange. The journal goes last. */
static int install_undo(struct targets *t, bool in_use, struct err *e)
{
    const struct target *meta = &t->at[TARGET_META];
    int r = fence_lift(meta, e);
    if (r == 0)
        r = targets_tidy(t, e);
    if (r == 0 && !meta->existed && meta->parent >= 0 && !in_use)
        unlinkat(meta->parent, meta->name, AT_REMOVEDIR); /* ours, unless something is in it */
    if (r == 0)
        r = journal_remove(t, e);
    if (r == 0 && !in_use)
        targets_remove_homes(t);
    return r;
}

/* Steps 1 to 4. */
static int install_prepare(struct targets *t, const struct install_check *c, const char *id,
                           struct err *e)
{
    enum fence fence;
    const struct target *meta = &t->at[TARGET_META];
    int r = ask_use(c, e);
    if (r < 0 || (r = targets_check_mounts(t, e)) < 0 || (r = fence_look(meta, &fence, e)) < 0)
        return r;
    if (fence != FENCE_NONE)
        return err_set(e, -EEXIST,
                       "%s/raft.db exists, but is not from this restore: influxd does not start "
                       "with it; find out which program made it, and remove it",
                       meta->path);
    for (int i = 0; r == 0 && i < TARGETS; i++)
        r = exchange_prepare(&t->at[i], e);
    if (r == 0)
        r = journal_write(t, JOURNAL_PREPARED, id, e);
    if (r < 0)
        return r;
    log_debug("restore of %s: prepared; putting up the fence", id);
    if ((r = fence_raise(meta, e)) == 0)
        r = ask_use(c, e);
    if (r == 0 && c->still)
        r = c->still(c->arg, e);
    if (r == 0)
        r = targets_check_mounts(t, e);
    if (r < 0)
        fence_lift(meta, NULL);
    return r;
}

/* Steps 6 and 7, from any point on. */
static int install_finish(struct targets *t, struct err *e)
{
    for (int i = 0; i < TARGETS; i++) {
        int r = exchange_run(&t->at[i], t->discard, e);
        if (r < 0)
            return r;
    }
    for (int i = 0; i < TARGETS; i++) {
        int r = io_sync_dir(t->at[i].parent);
        if (r < 0)
            return err_sys(e, r, "%s", t->at[i].path);
    }
    return fence_lift(&t->at[TARGET_META], e);
}

/* Step 8. A folder that did not exist before left no store to keep. */
static int install_clean(struct targets *t, bool in_use, struct err *e)
{
    int r = targets_tidy(t, e);
    for (int i = 0; r == 0 && !t->discard && i < TARGETS; i++)
        if (!t->at[i].existed && target_remove_empty_side(&t->at[i], SIDE_KEPT) < 0)
            r = err_set(e, -EIO, "%s: cannot remove an empty folder beside it", t->at[i].path);
    if (r == 0)
        r = journal_remove(t, e);
    if (r == 0 && !in_use)
        targets_remove_homes(t);
    return r;
}

int install_run(struct targets *t, const struct install_check *c, const char *id, struct err *note,
                struct err *e)
{
    note->text[0] = 0;
    int r = install_prepare(t, c, id, e);
    if (r == 0 && (r = journal_write(t, JOURNAL_EXCHANGE, id, e)) < 0) {
        /* It may be on disk although its sync failed: first write `prepared` again. */
        journal_write(t, JOURNAL_PREPARED, id, NULL);
    }
    if (r < 0) {
        log_debug("restore of %s: undone before the exchange", id);
        install_undo(t, false, NULL);
        return r;
    }
    t->half = true;
    log_debug("restore of %s: exchanging the folders", id);
    if ((r = install_finish(t, e)) < 0)
        return r;
    t->half = false;
    log_debug("restore of %s: committed", id);
    install_clean(t, false, note);
    return 0;
}

/* Something of an earlier restore cannot be removed: it holds a mount, or rights are missing. That is
 * no fault of the store, which can be read; a restore is refused. */
static bool is_stuck(int r)
{
    return r == -EBUSY || r == -EPERM || r == -EACCES || r == -EROFS;
}

static enum install_found stuck(int r)
{
    return r == -EPERM || r == -EACCES ? INSTALL_HIDDEN : INSTALL_STUCK;
}

/* Without a journal the layout is unknown, so both are searched. */
static int install_remove_litter(struct targets *t, bool in_use, struct err *done, struct err *e)
{
    bool litter = false;
    struct err why = {0};
    enum install_found found = INSTALL_IN_ORDER;
    targets_remove_probes(t);
    for (int inside = 0; inside < 2; inside++) {
        for (int i = 0; i < TARGETS; i++) {
            t->at[i].inside = inside;
            litter |= target_has_side(&t->at[i], SIDE_NEW) ||
                      target_has_side(&t->at[i], SIDE_TRASH) ||
                      target_has_side(&t->at[i], SIDE_INCOMING) ||
                      target_has_side(&t->at[i], SIDE_KEPT_TMP);
        }
        int r = targets_tidy(t, &why);
        if (is_stuck(r)) {
            found = stuck(r);
            *done = why;
        } else if (r < 0) {
            return err_set(e, r, "%s", why.text);
        }
        journal_remove_unwritten(&t->at[TARGET_META]);
    }
    for (int i = 0; i < TARGETS; i++)
        t->at[i].inside = false;
    if (!in_use)
        targets_remove_homes(t);
    if (found == INSTALL_IN_ORDER && litter)
        err_set(done, 0,
                "removed what a restore that was cut off had staged; the store is as it was");
    return found;
}

static int install_resume(struct targets *t, const char *id, enum fence fence,
                          const struct err *use, struct err *done, struct err *e)
{
    const char *meta = t->at[TARGET_META].path;
    if (fence != FENCE_OURS) {
        for (int i = 0; i < TARGETS; i++)
            if (target_has_side(&t->at[i], SIDE_NEW) || target_has_side(&t->at[i], SIDE_KEPT_TMP))
                return err_set(e, -EIO,
                               "%s: the restore of snapshot %s was cut off half way and its fence, "
                               "raft.db, was removed by hand; put its parts in order by hand too "
                               "(*.restoring is the new store, *.before-restore* the old one)",
                               meta, id);
        int r = install_clean(t, use->text[0] != 0, e);
        if (is_stuck(r))
            r = err_set(done, stuck(r), "the restore of snapshot %s is complete, but %s", id,
                        e->text);
        else
            err_set(done, 0, "cleaned up after the restore of snapshot %s, which was complete", id);
        return r;
    }
    if (use->text[0])
        return err_set(e, -EBUSY, "%s: an unfinished restore must be completed first, but %s", meta,
                       use->text);
    t->half = true;
    int r = targets_check_mounts(t, e);
    if (r == 0)
        r = install_finish(t, e);
    if (r < 0)
        return r;
    t->half = false;
    err_set(done, 0, "finished the restore of snapshot %s, which was cut off", id);
    return install_clean(t, false, e);
}

static int say_no_journal(const char *meta, struct err *e)
{
    return err_set(e, -EIO,
                   "%s/raft.db says that a restore was cut off, but its journal was removed; "
                   "put its parts in order by hand (*.restoring is the new store, "
                   "*.before-restore* the old one), then remove raft.db",
                   meta);
}

static int install_recover_locked(struct targets *t, const struct install_check *c,
                                  struct err *done, struct err *e)
{
    char id[129];
    enum fence fence;
    enum journal_phase phase;
    struct err use = {0};
    const char *meta = t->at[TARGET_META].path;
    int r = journal_read(t, &phase, id, e);
    if (r < 0 || (r = fence_look(&t->at[TARGET_META], &fence, e)) < 0)
        return r;
    /* Asking takes a while in a large store, so only where it matters. */
    if ((phase != JOURNAL_NONE || targets_have_homes(t)) && ask_use(c, &use) < 0 && !use.text[0])
        err_set(&use, 0, "influxd uses the store");
    if (phase == JOURNAL_EXCHANGE)
        return install_resume(t, id, fence, &use, done, e);
    if (phase == JOURNAL_PREPARED) {
        err_set(done, 0, "undid the restore of snapshot %s, which was cut off before it began", id);
        r = install_undo(t, use.text[0] != 0, e);
        return r == -EBUSY /* as where it is stuck */
                   ? err_set(done, 0, "the restore of snapshot %s is undone, but %s", id, e->text)
                   : r;
    }
    if (fence == FENCE_OURS)
        return say_no_journal(meta, e);
    return install_remove_litter(t, use.text[0] != 0, done, e);
}

int install_recover(struct targets *t, const struct install_check *c, struct err *done,
                    struct err *e)
{
    struct err locked = {0};
    done->text[0] = 0;
    int r = targets_lock(t, false, &locked);
    if (r == -EBUSY) {
        err_set(done, 0, "%s; nothing was tidied up", locked.text);
        return INSTALL_ELSEWHERE;
    }
    if (r < 0)
        return err_set(e, r, "%s", locked.text);
    if (t->at[TARGET_META].parent >= 0)
        r = install_recover_locked(t, c, done, e);
    targets_unlock(t);
    return r;
}

#define NEXT "the next mount or `influxsnap recover` "

int install_look(struct targets *t, struct err *what, struct err *e)
{
    char id[129];
    enum fence fence = FENCE_NONE;
    enum journal_phase phase;
    what->text[0] = 0;
    if (t->at[TARGET_META].parent < 0)
        return 0;
    int r = journal_read(t, &phase, id, e);
    if (r < 0 || (r = fence_look(&t->at[TARGET_META], &fence, e)) < 0 ||
        (phase == JOURNAL_NONE && fence != FENCE_OURS))
        return r;
    /* A restoring process takes the lock before it writes either of them. */
    if (targets_lock(t, false, NULL) == -EBUSY) {
        err_set(what, 0, "under way");
        return 1;
    }
    targets_unlock(t);
    if (phase == JOURNAL_NONE)
        say_no_journal(t->at[TARGET_META].path, what);
    else if (phase == JOURNAL_PREPARED)
        err_set(what, 0, "cut off, snapshot %s, before it began; " NEXT "undoes it", id);
    else if (fence == FENCE_OURS)
        err_set(what, 0, "cut off, snapshot %s; " NEXT "finishes it", id);
    else
        err_set(what, 0, "complete, snapshot %s; " NEXT "cleans up after it", id);
    return 0;
}
