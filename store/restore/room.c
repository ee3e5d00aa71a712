/* SPDX-License-Identifier: MIT */
/* Who is at work in the room: drops that come, restore and go, and what is told of them. */
#include "store/base/cleanup.h"
#include "store/restore/reslog.h"
#include "store/restore/restore_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define CLAIM_SECONDS 2 /* what a copy waits for another that may have broken off */

static int prepare_staging(struct restore *r, struct targets **out, struct stage **stage,
                           struct err *e)
{
    int fds[TARGETS];
    cleanup(targets_freep) struct targets *t = NULL;
    int ret = room_prepare(r, &t, e);
    if (ret < 0 || (ret = targets_stage(t, fds, e)) < 0)
        return ret;
    if ((ret = stage_new(t, fds, stage)) < 0) {
        for (int i = 0; i < TARGETS; i++)
            close(fds[i]);
        targets_tidy(t, NULL);
        return err_sys(e, ret, "staging");
    }
    *out = steal_ptr(&t);
    return 0;
}

bool room_take(struct restore *r, const void *who)
{
    struct timespec until = {0};
    pthread_mutex_lock(&r->lock);
    while ((r->owner || r->probing) && !r->half) {
        if (!r->at_mercy) {
            until.tv_sec = 0;
            pthread_cond_wait(&r->freed, &r->lock);
            continue;
        }
        if (!until.tv_sec) {
            clock_gettime(CLOCK_MONOTONIC, &until);
            until.tv_sec += CLAIM_SECONDS;
        }
        if (pthread_cond_timedwait(&r->freed, &r->lock, &until) == ETIMEDOUT && r->at_mercy)
            break;
    }
    bool taken = !r->owner && !r->probing;
    if (taken)
        r->owner = who;
    pthread_mutex_unlock(&r->lock);
    return taken;
}

/* What the operator should know of what he restores: what the snapshot lacks, and what it changes.
 */
static void say_omissions(struct restore *r, const struct manifest *m)
{
    char line[1024];
    if (omissions_that_count(&m->left_out)) {
        omissions_say(&m->left_out, line, sizeof(line));
        room_say(r, "the snapshot lacks what was %s", line);
    }
    for (size_t i = 0; i < m->nlinks; i++)
        room_say(r, "a symbolic link when it was taken, a plain folder now: %s", m->links[i]);
}

int room_claim(struct restore *r, const void *who, const char *name, const struct manifest *m,
               struct stage **out, struct err *e)
{
    cleanup(manifest_freep) struct manifest *copy = NULL;
    if (manifest_copy(m, &copy) < 0)
        return err_sys(e, -ENOMEM, "restore");
    if (!room_take(r, who))
        return err_set(e, -EAGAIN, "another restore is under way; copy %s when it is done", name);
    reslog_begin(r->log);
    aside_expire(r);
    room_say(r, "restoring %s: snapshot %s of %s, taken %s, %zu files, %llu bytes", name, m->id,
             m->host, manifest_time(m), m->nfiles, (unsigned long long)m->bytes);
    say_omissions(r, m);
    struct targets *t = NULL;
    int ret = prepare_staging(r, &t, out, e);
    if (ret < 0) {
        room_leave(r, who);
        return ret;
    }
    pthread_mutex_lock(&r->lock);
    r->targets = t;
    r->full = steal_ptr(&copy);
    r->at_mercy = true;
    pthread_cond_broadcast(&r->freed);
    progress_begin(&r->status, name); /* again, if it had to wait for another */
    progress_manifest(&r->status, m);
    pthread_mutex_unlock(&r->lock);
    return 0;
}

/* Takes the targets out of the room, if they are this drop's, and the manifest of what it staged.
 */
static struct targets *take_targets(struct restore *r, const void *who, struct manifest **full)
{
    pthread_mutex_lock(&r->lock);
    bool mine = r->owner == who && !r->half;
    struct targets *t = mine ? steal_ptr(&r->targets) : NULL;
    *full = t ? steal_ptr(&r->full) : NULL;
    r->at_mercy &= !t;
    pthread_mutex_unlock(&r->lock);
    return t;
}

void room_leave(struct restore *r, const void *who)
{
    pthread_mutex_lock(&r->lock);
    if (r->owner == who && !r->half)
        r->owner = NULL;
    pthread_cond_broadcast(&r->freed);
    pthread_mutex_unlock(&r->lock);
    numbers_pick_up(r);
}

void room_release(struct restore *r, const void *who)
{
    struct err why = {0};
    cleanup(manifest_freep) struct manifest *full = NULL;
    struct targets *t = take_targets(r, who, &full);
    if (!t)
        return;
    if (targets_tidy(t, &why) < 0)
        room_say(r, "%s", why.text);
    if (!room_store_in_use(r))
        targets_remove_homes(t);
    targets_free(t);
    room_leave(r, who);
}

/* Names the folders in which the old store was kept. */
static void note_kept(struct restore *r, const struct targets *t)
{
    char *kept[TARGETS] = {0};
    for (int i = 0; i < TARGETS; i++)
        if (target_has_side(&t->at[i], SIDE_KEPT))
            kept[i] = target_side_path(&t->at[i], SIDE_KEPT);
    pthread_mutex_lock(&r->lock);
    progress_kept(&r->status, kept, TARGETS);
    pthread_mutex_unlock(&r->lock);
    for (int i = 0; i < TARGETS; i++)
        free(kept[i]);
}

struct job room_job(const struct restore *r)
{
    return (struct job){
        .record = r->record, .check = room_check_of(r), .keep_expired = r->options.keep_expired};
}

static void advise(void *arg, const char *line, bool warning)
{
    struct restore *r = arg;
    room_say(r, "%s%s", warning ? "warning: " : "", line);
    if (!warning)
        return;
    pthread_mutex_lock(&r->lock);
    progress_warn(&r->status, line);
    pthread_mutex_unlock(&r->lock);
}

/* Takes over what was found out about the store that is there now. */
static void note_advice(struct restore *r, struct job *j)
{
    advice_clear(&r->advice);
    r->advice = j->advice;
    j->advice = (struct restore_advice){0};
    pthread_mutex_lock(&r->lock);
    progress_forget_warnings(&r->status);
    pthread_mutex_unlock(&r->lock);
    advice_lines(&r->advice, advise, r);
}

void room_say_restored(struct restore *r, const char *name)
{
    room_say(r, "restored %s into %s, %s and %s", name, r->paths.meta, r->paths.data, r->paths.wal);
}

void room_job_done(struct restore *r, struct job *j, int ret)
{
    bool half = j->t->half;
    if (ret == 0) {
        note_kept(r, j->t);
        note_advice(r, j);
    }
    if (j->note.text[0])
        room_say(r, "%s", j->note.text);
    if (!half)
        targets_free(j->t); /* and its lock, before anybody else begins */
    pthread_mutex_lock(&r->lock);
    r->half = half;
    r->count += ret == 0;
    if (half)
        r->targets = j->t; /* with its lock: nobody else may begin before this is finished */
    pthread_mutex_unlock(&r->lock);
}

void room_tell(struct restore *r, enum progress_state state, const char *name, const char *why)
{
    pthread_mutex_lock(&r->lock);
    progress_state(&r->status, state, name, why);
    pthread_mutex_unlock(&r->lock);
}

static int install(struct restore *r, struct job *j, const struct manifest *full, struct err *e)
{
    struct candidates c = {0};
    int ret = numbers_list(r, j->t, full, NULL, &c, e);
    j->all = c.all;
    j->n = c.n;
    if (ret == 0)
        ret = job_plan(j, full, e);
    if (ret < 0)
        targets_tidy(j->t, NULL);
    else
        ret = job_run(j, NULL, e);
    if (ret == 0)
        numbers_settle(r, j, &c, NULL);
    numbers_free(&c);
    if (ret == 0)
        aside_clear(r);
    return ret;
}

int room_install(struct restore *r, const void *who, const char *name, struct err *e)
{
    cleanup(manifest_freep) struct manifest *full = NULL;
    struct job j = room_job(r);
    j.t = take_targets(r, who, &full);
    if (!j.t)
        return err_set(e, -EINVAL, "%s is not verified", name);
    room_tell(r, PROGRESS_INSTALLING, name, NULL);
    room_say(r, "installing %s", name);
    int ret = install(r, &j, full, e);
    room_job_done(r, &j, ret);
    job_clear(&j);
    room_tell(r, ret == 0 ? PROGRESS_RESTORED : PROGRESS_REFUSED, name, ret == 0 ? NULL : e->text);
    if (ret == 0)
        room_say_restored(r, name);
    else
        room_say(r, "refused %s: %s", name, e->text);
    if (ret == 0 && r->options.restored)
        r->options.restored(r->options.arg);
    room_leave(r, who);
    return ret;
}

int room_spool(struct restore *r, struct err *e)
{
    autofree char *up = strdup(r->paths.data);
    if (!up)
        return err_sys(e, -ENOMEM, "restore");
    for (;;) {
        int fd = open(up, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (fd >= 0)
            return fd;
        int code = -errno;
        if (code == -EOPNOTSUPP || code == -EISDIR) {
            autofree char *name = NULL;
            if (asprintf(&name, "%s/.influxfs-spool.XXXXXX", up) >= 0) {
                fd = mkostemp(name, O_CLOEXEC);
                if (fd >= 0 && unlink(name) == 0)
                    return fd;
                cleanup_close(&fd);
            }
        }
        char *slash = strrchr(up, '/');
        if (!slash || slash == up || code == -ENOSPC)
            return err_sys(e, code, "%s: no place for bytes that come out of order", r->paths.data);
        *slash = 0;
    }
}

/* Whether this drop is the one that the status speaks of; r->lock is held. Of several numbers that
 * come at once it is the last to begin, until that has ended. */
static bool speaks(const struct restore *r, const void *who)
{
    return r->owner ? r->owner == who : r->subject == who || progress_ended(&r->status);
}

void room_receiving(struct restore *r, const void *who, const char *name)
{
    pthread_mutex_lock(&r->lock);
    if (!r->owner || r->owner == who) {
        progress_begin(&r->status, name);
        r->subject = who;
    }
    pthread_mutex_unlock(&r->lock);
}

void room_member(struct restore *r, const void *who, const char *name, uint64_t size)
{
    room_say(r, "unpacking %s (%llu bytes)", name, (unsigned long long)size);
    pthread_mutex_lock(&r->lock);
    if (speaks(r, who))
        r->status.files++;
    pthread_mutex_unlock(&r->lock);
}

void room_progress(struct restore *r, const void *who, uint64_t bytes)
{
    pthread_mutex_lock(&r->lock);
    if (speaks(r, who))
        r->status.bytes += bytes;
    pthread_mutex_unlock(&r->lock);
}

static void tell(struct restore *r, const void *who, enum progress_state state, const char *name,
                 const char *why)
{
    pthread_mutex_lock(&r->lock);
    if (speaks(r, who))
        progress_state(&r->status, state, name, why);
    pthread_mutex_unlock(&r->lock);
}

void room_verified(struct restore *r, const void *who, const char *name)
{
    room_say(r, "verified %s", name);
    tell(r, who, PROGRESS_VERIFIED, name, NULL);
}

void room_refused(struct restore *r, const void *who, const char *name, const char *why)
{
    room_say(r, "refused %s: %s", name, why);
    tell(r, who, PROGRESS_REFUSED, name, why);
}

void room_pending(struct restore *r, const void *who, const char *name, const char *why)
{
    room_say(r, "refused %s: %s", name, why);
    tell(r, who, PROGRESS_RECEIVING, name, why);
}

void room_ended(struct restore *r, const void *who, const char *name, const char *why)
{
    tell(r, who, PROGRESS_REFUSED, name, why);
}
