/* SPDX-License-Identifier: MIT */
/* What an upload's own thread does: unpacking it, and installing or discarding it. */
#include "store/base/cleanup.h"
#include "store/base/lock.h"
#include "store/influx/meta.h"
#include "store/influx/names.h"
#include "store/restore/stage_match.h"
#include "store/restore/translator.h"
#include "store/restore/unpack.h"
#include "store/restore/upload_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* A copy, so that callbacks run without the lock. */
static char *work_name(struct upload *u)
{
    lock_scope(&u->lock);
    return strdup(u->name);
}

/* Once meta.db is staged, it is learned; a tar that was repacked may have it later. */
static bool work_wants(void *arg, const char *name)
{
    struct upload *u = arg;
    autofree char *meta = NULL;
    size_t len;
    if (wanted_needs_meta(u->wanted) &&
        stage_read_file(u->stage, NAME_META_MEMBER, META_DB_MAX, &meta, &len) == 0)
        wanted_learn(u->wanted, meta, len);
    return wanted_has(u->wanted, name);
}

/* Whether to log what is done now; asked, and logged, under the lock. Of an upload that was ended, the
 * reason why stays the last line of the log, but for a member that is just begun. */
static bool work_says(const struct upload *u)
{
    return !u->cancelled;
}

/* Tells what was begun, or was refused as it began, with result r. */
static void work_say_begun(struct upload *u, const char *name, const struct manifest *m, int r)
{
    lock_scope(&u->lock);
    if (!work_says(u) || r == -EAGAIN) /* of another restore, which is told */
        return;
    if (u->increment)
        increments_say_begun(u->session, name, m);
    else if (m->kind != MANIFEST_INCREMENTAL)
        session_say_begun(u->session, name, m);
    if (r == 0 && !u->increment)
        account_begin(u->account, name, m); /* again, if it had to wait for another */
}

static int work_begin(void *arg, const struct manifest *m, struct stage **out, struct err *e)
{
    struct upload *u = arg;
    autofree char *name = work_name(u);
    if (!name)
        return err_sys(e, -ENOMEM, "restore");
    if (m->kind == MANIFEST_INCREMENTAL && restore_request_composes(u->asked))
        return err_set(e, -EINVAL,
                       "%s is number %" PRId64 ", which holds only changes: copy a whole snapshot "
                       "here, such as at/%" PRId64 ".tar",
                       name, m->number, m->number);
    if (wanted_new(u->asked, &u->wanted) < 0)
        return err_sys(e, -ENOMEM, "restore");
    int r = feed_stopped(u->feed);
    if (r < 0)
        return r;
    r = m->kind == MANIFEST_INCREMENTAL
            ? increments_receive(u->session, name, m, &u->increment, &u->stage, e)
            : session_claim(u->session, u, name, m, u->asked, &u->stage, e);
    work_say_begun(u, name, m, r);
    if (r < 0)
        return r;
    if (restore_request_composes(u->asked))
        stage_limit(u->stage, work_wants, u);
    *out = u->stage;
    return 0;
}

static void member(void *arg, const char *name, uint64_t size)
{
    struct upload *u = arg;
    if (feed_stopped(u->feed) ==
        0) /* not under the lock: there are many, and the log's disk may hang */
        account_member(u->account, u, name, size);
}

static void progress(void *arg, uint64_t n)
{
    struct upload *u = arg;
    account_progress(u->account, u, n);
}

static void work_give_up(struct upload *u)
{
    if (u->increment)
        increments_discard(u->session, steal_ptr(&u->increment));
    else
        session_release(u->session, u);
}

/* The thread's result; it also wakes those that wait. */
static void upload_becomes(struct upload *u, enum upload_state state, int code,
                           const struct err *why)
{
    u->state = state;
    if (!u->cancelled) {
        u->code = code;
        u->why = *why;
    }
    pthread_cond_broadcast(&u->changed);
}

static void work_say_refused(struct upload *u, const char *name, const struct err *why)
{
    lock_scope(&u->lock);
    if (!work_says(u))
        return;
    account_refused(u->account, u, name, why->text);
    u->told = true;
}

/* The lock is held. */
static void work_say_verified(struct upload *u, const char *name, size_t linked)
{
    if (linked)
        account_say(u->account, "%s is a cut that is retained here: %zu file%s linked, not written",
                    name, linked, linked == 1 ? " is" : "s are");
    account_verified(u->account, u, name);
}

/* The last step of unpacking, whose result is r; of what was refused nothing is staged any more. */
static void work_unpacked(struct upload *u, const char *name, int r, size_t linked,
                          const struct err *why)
{
    pthread_mutex_lock(&u->lock);
    if (r == 0 && u->cancelled) {
        pthread_mutex_unlock(&u->lock);
        work_give_up(u);
        pthread_mutex_lock(&u->lock);
        r = -ECANCELED;
    }
    if (r == 0)
        work_say_verified(u, name, linked);
    feed_done(u->feed);
    upload_becomes(u, r == 0 ? UPLOAD_VERIFIED : UPLOAD_REFUSED, r, why);
    pthread_mutex_unlock(&u->lock);
}

/* Unpacks what was written, which may be what can be read as a snapshot. */
static int work_run(struct upload *u, struct err *why)
{
    const struct translator *translator = session_translator(u->session);
    const struct tar_input in = {feed_next, feed_stopped, u->feed};
    struct unpack_io io = {in, work_begin, member, progress, u};
    autofree char *name = work_name(u);
    int r = !name ? -ENOMEM : translator ? translator->open(u->session, name, &in, &io.input) : 0;
    if (r < 0)
        return err_sys(why, r, "restore");
    r = unpack_run(&io, NULL, NULL, why);
    if (!translator)
        return r;
    if (r < 0 && *translator->said(&io.input))
        err_set(why, r, "%s", translator->said(&io.input));
    translator->close(&io.input);
    return r;
}

static void *work_unpack(void *arg)
{
    struct upload *u = arg;
    struct err why = {0};
    int r = work_run(u, &why);
    if (r == 0 && u->increment)
        r = increment_seal(u->increment, u->stage, &why);
    if (r == 0)
        r = feed_stopped(u->feed);
    autofree char *name = work_name(u);
    const size_t linked = u->stage ? stage_match_linked(u->stage) : 0;
    stage_free(steal_ptr(&u->stage));
    wanted_free(steal_ptr(&u->wanted));
    const char *shown = name ? name : "?";
    if (r < 0) {
        work_say_refused(u, shown, &why);
        work_give_up(u);
    }
    work_unpacked(u, shown, r, linked, &why);
    return NULL;
}

/* Exchanges what is verified with the store, even if the caller has gone. */
static void *work_install(void *arg)
{
    struct upload *u = arg;
    struct err why = {0};
    bool waits = false;
    autofree char *name = steal_ptr(&u->target);
    int r = u->increment
                ? increments_accept(u->session, u, steal_ptr(&u->increment), name, &waits, &why)
                : session_install(u->session, u, name, u->asked, u->follows, NULL, &why);
    lock_scope(&u->lock);
    u->waits = waits;
    upload_becomes(u, r == 0 ? UPLOAD_RESTORED : UPLOAD_REFUSED, r, &why);
    return NULL;
}

static void *work_discard(void *arg)
{
    struct upload *u = arg;
    work_give_up(u);
    lock_scope(&u->lock);
    u->state = UPLOAD_REFUSED;
    pthread_cond_broadcast(&u->changed);
    return NULL;
}

/* The writers' side; u->lock is held in all that follows */

void upload_reap(struct upload *u)
{
    if (u->joinable)
        pthread_join(u->thread, NULL);
    u->joinable = false;
}

/* From VERIFIED to INSTALLING, and on to the thread's result. */
static int hand_over(struct upload *u, void *(*thread)(void *))
{
    upload_reap(u);
    int r = -pthread_create(&u->thread, NULL, thread, u);
    u->joinable = r == 0;
    if (r == 0)
        u->state = UPLOAD_INSTALLING;
    return r;
}

int upload_start(struct upload *u, struct err *e)
{
    if (u->state != UPLOAD_EMPTY)
        return 0;
    int r = feed_open(u->feed);
    if (r == 0)
        r = -pthread_create(&u->thread, NULL, work_unpack, u);
    if (r < 0)
        return err_sys(e, r, "%s", u->name);
    u->joinable = true;
    u->state = UPLOAD_RECEIVING;
    account_receiving(u->account, u, u->name);
    return 0;
}

int upload_exchange(struct upload *u)
{
    return hand_over(u, work_install);
}

int upload_discard(struct upload *u)
{
    return hand_over(u, work_discard);
}
