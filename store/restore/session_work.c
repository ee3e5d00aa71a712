/* SPDX-License-Identifier: MIT */
/* Who is at work in a session: drops that come, restore and go, and what is told of them. */
#include "store/base/cleanup.h"
#include "store/restore/reslog.h"
#include "store/restore/session_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define CLAIM_SECONDS 2 /* what a copy waits for another that may have broken off */

static int prepare_staging(struct session *s, struct targets **out, struct stage **stage,
                           struct err *e)
{
    int fds[TARGETS];
    cleanup(targets_freep) struct targets *t = NULL;
    int ret = session_prepare(s, &t, e);
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

bool session_take(struct session *s, const void *who)
{
    struct timespec until = {0};
    pthread_mutex_lock(&s->lock);
    while ((s->owner || s->probing) && !s->half) {
        if (!s->at_mercy) {
            until.tv_sec = 0;
            pthread_cond_wait(&s->freed, &s->lock);
            continue;
        }
        if (!until.tv_sec) {
            clock_gettime(CLOCK_MONOTONIC, &until);
            until.tv_sec += CLAIM_SECONDS;
        }
        if (pthread_cond_timedwait(&s->freed, &s->lock, &until) == ETIMEDOUT && s->at_mercy)
            break;
    }
    bool taken = !s->owner && !s->probing;
    if (taken)
        s->owner = who;
    pthread_mutex_unlock(&s->lock);
    return taken;
}

/* What the operator should know of what he restores: what the snapshot lacks, and what it changes.
 */
static void say_omissions(struct session *s, const struct manifest *m)
{
    char line[1024];
    if (omissions_that_count(&m->left_out)) {
        omissions_say(&m->left_out, line, sizeof(line));
        session_say(s, "the snapshot lacks what was %s", line);
    }
    for (size_t i = 0; i < m->nlinks; i++)
        session_say(s, "a symbolic link when it was taken, a plain folder now: %s", m->links[i]);
}

int session_claim(struct session *s, const void *who, const char *name, const struct manifest *m,
                  struct stage **out, struct err *e)
{
    cleanup(manifest_freep) struct manifest *copy = NULL;
    if (manifest_copy(m, &copy) < 0)
        return err_sys(e, -ENOMEM, "restore");
    if (!session_take(s, who))
        return err_set(e, -EAGAIN, "another restore is under way; copy %s when it is done", name);
    reslog_begin(s->log);
    aside_expire(s);
    session_say(s, "restoring %s: snapshot %s of %s, taken %s, %zu files, %llu bytes", name, m->id,
                m->host, manifest_time(m), m->nfiles, (unsigned long long)m->bytes);
    say_omissions(s, m);
    struct targets *t = NULL;
    int ret = prepare_staging(s, &t, out, e);
    if (ret < 0) {
        session_leave(s, who);
        return ret;
    }
    pthread_mutex_lock(&s->lock);
    s->targets = t;
    s->full = steal_ptr(&copy);
    s->at_mercy = true;
    pthread_cond_broadcast(&s->freed);
    progress_begin(&s->status, name); /* again, if it had to wait for another */
    progress_manifest(&s->status, m);
    pthread_mutex_unlock(&s->lock);
    return 0;
}

/* Takes the targets out of the session, if they are this drop's, and the manifest of what it
 * staged.
 */
static struct targets *take_targets(struct session *s, const void *who, struct manifest **full)
{
    pthread_mutex_lock(&s->lock);
    bool mine = s->owner == who && !s->half;
    struct targets *t = mine ? steal_ptr(&s->targets) : NULL;
    *full = t ? steal_ptr(&s->full) : NULL;
    s->at_mercy &= !t;
    pthread_mutex_unlock(&s->lock);
    return t;
}

void session_leave(struct session *s, const void *who)
{
    pthread_mutex_lock(&s->lock);
    if (s->owner == who && !s->half)
        s->owner = NULL;
    pthread_cond_broadcast(&s->freed);
    pthread_mutex_unlock(&s->lock);
    numbers_pick_up(s);
}

void session_release(struct session *s, const void *who)
{
    struct err why = {0};
    cleanup(manifest_freep) struct manifest *full = NULL;
    struct targets *t = take_targets(s, who, &full);
    if (!t)
        return;
    if (targets_tidy(t, &why) < 0)
        session_say(s, "%s", why.text);
    if (!session_store_in_use(s))
        targets_remove_homes(t);
    targets_free(t);
    session_leave(s, who);
}

/* Names the folders in which the old store was kept. */
static void note_kept(struct session *s, const struct targets *t)
{
    char *kept[TARGETS] = {0};
    for (int i = 0; i < TARGETS; i++)
        if (target_has_side(&t->at[i], SIDE_KEPT))
            kept[i] = target_side_path(&t->at[i], SIDE_KEPT);
    pthread_mutex_lock(&s->lock);
    progress_kept(&s->status, kept, TARGETS);
    pthread_mutex_unlock(&s->lock);
    for (int i = 0; i < TARGETS; i++)
        free(kept[i]);
}

struct job session_job(const struct session *s)
{
    return (struct job){
        .record = s->record, .check = session_check_of(s), .keep_expired = s->options.keep_expired};
}

static void advise(void *arg, const char *line, bool warning)
{
    struct session *s = arg;
    session_say(s, "%s%s", warning ? "warning: " : "", line);
    if (!warning)
        return;
    pthread_mutex_lock(&s->lock);
    progress_warn(&s->status, line);
    pthread_mutex_unlock(&s->lock);
}

/* Takes over what was found out about the store that is there now. */
static void note_advice(struct session *s, struct job *j)
{
    advice_clear(&s->advice);
    s->advice = j->advice;
    j->advice = (struct advice){0};
    pthread_mutex_lock(&s->lock);
    progress_forget_warnings(&s->status);
    pthread_mutex_unlock(&s->lock);
    advice_lines(&s->advice, advise, s);
}

void session_say_restored(struct session *s, const char *name)
{
    session_say(s, "restored %s into %s, %s and %s", name, s->paths.meta, s->paths.data,
                s->paths.wal);
}

void session_job_done(struct session *s, struct job *j, int ret)
{
    bool half = j->t->half;
    if (ret == 0) {
        note_kept(s, j->t);
        note_advice(s, j);
    }
    if (j->note.text[0])
        session_say(s, "%s", j->note.text);
    if (!half)
        targets_free(j->t); /* and its lock, before anybody else begins */
    pthread_mutex_lock(&s->lock);
    s->half = half;
    s->count += ret == 0;
    if (half)
        s->targets = j->t; /* with its lock: nobody else may begin before this is finished */
    pthread_mutex_unlock(&s->lock);
}

void session_tell(struct session *s, enum progress_state state, const char *name, const char *why)
{
    pthread_mutex_lock(&s->lock);
    progress_state(&s->status, state, name, why);
    pthread_mutex_unlock(&s->lock);
}

static int install(struct session *s, struct job *j, const struct manifest *full, struct err *e)
{
    struct candidates c = {0};
    int ret = numbers_list(s, j->t, full, NULL, &c, e);
    j->all = c.all;
    j->n = c.n;
    if (ret == 0)
        ret = job_plan(j, full, e);
    if (ret < 0)
        targets_tidy(j->t, NULL);
    else
        ret = job_run(j, NULL, e);
    if (ret == 0)
        numbers_settle(s, j, &c, NULL);
    numbers_free(&c);
    if (ret == 0)
        aside_clear(s);
    return ret;
}

int session_install(struct session *s, const void *who, const char *name, struct err *e)
{
    cleanup(manifest_freep) struct manifest *full = NULL;
    struct job j = session_job(s);
    j.t = take_targets(s, who, &full);
    if (!j.t)
        return err_set(e, -EINVAL, "%s is not verified", name);
    session_tell(s, PROGRESS_INSTALLING, name, NULL);
    session_say(s, "installing %s", name);
    int ret = install(s, &j, full, e);
    session_job_done(s, &j, ret);
    job_clear(&j);
    session_tell(s, ret == 0 ? PROGRESS_RESTORED : PROGRESS_REFUSED, name,
                 ret == 0 ? NULL : e->text);
    if (ret == 0)
        session_say_restored(s, name);
    else
        session_say(s, "refused %s: %s", name, e->text);
    if (ret == 0 && s->options.restored)
        s->options.restored(s->options.arg);
    session_leave(s, who);
    return ret;
}

int session_spool(struct session *s, struct err *e)
{
    autofree char *up = strdup(s->paths.data);
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
            return err_sys(e, code, "%s: no place for bytes that come out of order", s->paths.data);
        *slash = 0;
    }
}

/* Whether this drop is the one that the status speaks of; s->lock is held. Of several numbers that
 * come at once it is the last to begin, until that has ended. */
static bool speaks(const struct session *s, const void *who)
{
    return s->owner ? s->owner == who : s->subject == who || progress_ended(&s->status);
}

void session_receiving(struct session *s, const void *who, const char *name)
{
    pthread_mutex_lock(&s->lock);
    if (!s->owner || s->owner == who) {
        progress_begin(&s->status, name);
        s->subject = who;
    }
    pthread_mutex_unlock(&s->lock);
}

void session_member(struct session *s, const void *who, const char *name, uint64_t size)
{
    session_say(s, "unpacking %s (%llu bytes)", name, (unsigned long long)size);
    pthread_mutex_lock(&s->lock);
    if (speaks(s, who))
        s->status.files++;
    pthread_mutex_unlock(&s->lock);
}

void session_progress(struct session *s, const void *who, uint64_t bytes)
{
    pthread_mutex_lock(&s->lock);
    if (speaks(s, who))
        s->status.bytes += bytes;
    pthread_mutex_unlock(&s->lock);
}

static void tell(struct session *s, const void *who, enum progress_state state, const char *name,
                 const char *why)
{
    pthread_mutex_lock(&s->lock);
    if (speaks(s, who))
        progress_state(&s->status, state, name, why);
    pthread_mutex_unlock(&s->lock);
}

void session_verified(struct session *s, const void *who, const char *name)
{
    session_say(s, "verified %s", name);
    tell(s, who, PROGRESS_VERIFIED, name, NULL);
}

void session_refused(struct session *s, const void *who, const char *name, const char *why)
{
    session_say(s, "refused %s: %s", name, why);
    tell(s, who, PROGRESS_REFUSED, name, why);
}

void session_pending(struct session *s, const void *who, const char *name, const char *why)
{
    session_say(s, "refused %s: %s", name, why);
    tell(s, who, PROGRESS_RECEIVING, name, why);
}

void session_ended(struct session *s, const void *who, const char *name, const char *why)
{
    tell(s, who, PROGRESS_REFUSED, name, why);
}
