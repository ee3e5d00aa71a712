/* SPDX-License-Identifier: MIT */
#include "store/base/cleanup.h"
#include "store/base/lock.h"
#include "store/base/time.h"
#include "store/restore/upload_impl.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#define LAST_CLOSE_NS SECOND_NS /* how late the kernel may tell of a last close */
#define KILLED "its writer was killed"

/* u->lock is held in all that follows up to the public functions. */

static int refusal(const struct upload *u, struct err *e)
{
    return err_set(e, u->code, "%s", u->why.text);
}

static int wait_while_installing(struct upload *u, const struct tarball_reader *who)
{
    const unsigned mine = u->attempt; /* others may end it too, and start it over */
    int r = 0;
    while (r == 0 && u->state == UPLOAD_INSTALLING && u->attempt == mine)
        r = feed_wait(u->feed, who);
    return r;
}

static void cancel(struct upload *u, int code, const char *why)
{
    u->cancelled = true;
    u->code = code;
    err_set(&u->why, code, "%s", why);
    if (u->state == UPLOAD_EMPTY)
        u->state = UPLOAD_REFUSED;
    feed_cancel(u->feed);
    pthread_cond_broadcast(&u->changed);
}

/* Ends the work under way, for this reason. On 0, what was staged is gone: the upload is REFUSED,
 * RESTORED, or already started over by another thread. -EINTR: it ends by itself, unless an
 * exchange had begun, which goes on. */
static int upload_end(struct upload *u, int code, const char *why, const struct tarball_reader *who)
{
    const unsigned mine = u->attempt;
    int r = wait_while_installing(u, who);
    if (r < 0)
        return r;
    if (u->attempt == mine && !upload_dead(u) && !u->told && u->state != UPLOAD_RESTORED)
        cancel(u, code, why);
    while (r == 0 && u->attempt == mine && u->state == UPLOAD_RECEIVING)
        r = feed_wait(u->feed, who);
    if (r == 0 && u->attempt == mine && u->state == UPLOAD_VERIFIED)
        r = upload_discard(u);
    return r < 0 ? r : wait_while_installing(u, who);
}

/* Resets all but the writers to what upload_new made. */
static int upload_restart(struct upload *u, const struct tarball_reader *who)
{
    const unsigned mine = u->attempt;
    int r = upload_end(u, -ECANCELED, "it was started over", who);
    while (r == 0 && u->attempt == mine && u->users > 0)
        r = feed_wait(u->feed, who);
    if (r < 0 || u->attempt != mine)
        return r; /* another thread was faster */
    upload_reap(u);
    feed_reset(u->feed);
    u->state = UPLOAD_EMPTY;
    u->cancelled = u->told = u->waits = u->killed = false;
    u->code = u->incomplete = 0;
    u->why.text[0] = 0;
    u->attempt++;
    pthread_cond_broadcast(&u->changed);
    return 0;
}

/* Encloses waits: until the call leaves, the upload is not started over or freed. */
static void enter(struct upload *u)
{
    pthread_mutex_lock(&u->lock);
    u->users++;
}

static void leave(struct upload *u)
{
    u->users--;
    pthread_cond_broadcast(&u->changed);
    pthread_mutex_unlock(&u->lock);
}

int upload_follow(struct upload *u, const char *id)
{
    lock_scope(&u->lock);
    free(u->follows);
    u->follows = strdup(id);
    return u->follows ? 0 : -ENOMEM;
}

void upload_open(struct upload *u)
{
    lock_scope(&u->lock);
    u->writers++;
}

void upload_killed(struct upload *u)
{
    lock_scope(&u->lock);
    u->killed = true;
}

void upload_close(struct upload *u)
{
    lock_scope(&u->lock);
    const struct err before = u->why;
    bool last = --u->writers == 0 && !upload_dead(u);
    const bool receiving = last && u->state == UPLOAD_RECEIVING, begun = receiving && !u->told;
    const char *why = u->incomplete ? before.text : u->killed ? KILLED : "ends early";
    if (u->incomplete && (begun || (last && u->state == UPLOAD_EMPTY)))
        account_ended(u->account, u, u->name, why); /* the flush has logged it */
    else if (begun)
        account_refused(u->account, u, u->name, why);
    if (receiving)
        upload_end(u, u->incomplete ? u->incomplete : u->killed ? -EINTR : -EBADMSG, why, NULL);
    pthread_cond_broadcast(&u->changed);
}

int upload_rewind(struct upload *u, const struct tarball_reader *who)
{
    const int64_t until = time_mono_ns() + LAST_CLOSE_NS;
    static const struct tarball_reader nobody;
    lock_scope(&u->lock);
    int r = 0;
    while (r == 0 && u->state != UPLOAD_EMPTY && u->writers > 1 && time_mono_ns() < until)
        r = feed_wait(u->feed, who ? who : &nobody);
    if (r == 0 && u->writers <= 1 && u->state != UPLOAD_EMPTY &&
        (feed_fed(u->feed) > 0 || u->state != UPLOAD_RECEIVING))
        r = upload_restart(u, who);
    return r;
}

/* Taking bytes failed; they will not come again, so the whole upload has failed. */
static int upload_spoil(struct upload *u, int code, const struct tarball_reader *who,
                        const struct err *e)
{
    if (u->state == UPLOAD_RECEIVING && !u->cancelled && !u->told) {
        account_refused(u->account, u, u->name, e->text);
        upload_end(u, code, e->text, who);
    }
    return code;
}

static int upload_take(struct upload *u, const void *buf, size_t n, uint64_t off,
                       const struct tarball_reader *who, struct err *e)
{
    if (upload_dead(u))
        return refusal(u, e);
    int r = upload_start(u, e);
    if (r < 0)
        return r;
    r = feed_write(u->feed, buf, n, off, who, e);
    if (upload_dead(u))
        return refusal(u, e);
    if (r == -EINTR)
        return err_set(e, r, "%s: interrupted", u->name);
    u->killed = false;
    if (r == -EALREADY)
        return err_set(e, -EIO,
                       "%s: byte %llu was written again after it was unpacked; copy it in order",
                       u->name, (unsigned long long)off);
    if (r == -EPIPE)
        return err_set(e, -EIO, "%s: bytes were written past its end", u->name);
    u->incomplete = 0;
    return r < 0 ? upload_spoil(u, r, who, e) : 0;
}

int upload_write(struct upload *u, const void *buf, size_t n, uint64_t off,
                 const struct tarball_reader *who, struct err *e)
{
    struct err why = {0};
    if (n == 0)
        return 0;
    if (off > MANIFEST_FILE_MAX || n > MANIFEST_FILE_MAX - off)
        return err_sys(e, -EFBIG, "restore");
    enter(u);
    int r = upload_take(u, buf, n, off, who, &why);
    leave(u);
    return r < 0 ? err_set(e, r, "%s", why.text) : 0;
}

int upload_truncate(struct upload *u, uint64_t size, const struct tarball_reader *who,
                    struct err *e)
{
    if (size > MANIFEST_FILE_MAX)
        return err_sys(e, -EFBIG, "restore");
    lock_scope(&u->lock);
    if (size == 0)
        return upload_restart(u, who);
    if (upload_dead(u))
        return refusal(u, e);
    if (size == feed_size(u->feed))
        return 0;
    if (feed_truncate(u->feed, size) < 0)
        return err_set(e, -EIO, "%s: its size was changed after it was unpacked", u->name);
    u->incomplete = 0;
    return 0;
}

/* Such a name as rsync gives a file that is not complete yet. */
static bool is_temporary(const char *name)
{
    return name[0] == '.' || strstr(name, "/.") != NULL;
}

/* Exchanges what is verified with the store. */
static int upload_install(struct upload *u, const char *name, const struct tarball_reader *who,
                          struct err *e)
{
    free(u->target);
    u->target = strdup(name);
    int r = u->target ? upload_exchange(u) : -ENOMEM;
    if (r < 0)
        return err_sys(e, r, "%s", name);
    r = wait_while_installing(u, who);
    if (r < 0)
        return err_set(e, r, "%s: interrupted while it was put in place, which goes on", name);
    return u->state == UPLOAD_RESTORED ? 0 : refusal(u, e);
}

static int upload_incomplete(struct upload *u, int code, struct err *e)
{
    const struct err before = u->why;
    if (code == -EINVAL)
        err_set(&u->why, code, "%s",
                feed_size(u->feed) ? "not a snapshot" : "empty: not a snapshot");
    else if (code == -EINTR)
        err_set(&u->why, code, KILLED);
    else
        err_set(&u->why, code, "ends early: it is not complete after %llu bytes",
                (unsigned long long)feed_size(u->feed));
    u->incomplete = code;
    if (strcmp(before.text, u->why.text) != 0)
        account_incomplete(u->account, u, u->name, u->why.text);
    return err_set(e, code, "%s: %s", u->name, u->why.text);
}

static int upload_judge(struct upload *u, const struct tarball_reader *who, struct err *e)
{
    int r = wait_while_installing(u, who);
    if (r < 0)
        return err_set(e, r, "%s: interrupted", u->name);
    if (!upload_dead(u) && u->state == UPLOAD_EMPTY)
        return upload_incomplete(u, -EINVAL, e);
    if (!upload_dead(u) && u->state == UPLOAD_RECEIVING) {
        r = feed_finish(u->feed, who, e);
        if (u->state == UPLOAD_RECEIVING && !u->cancelled)
            return upload_incomplete(u, r, e);
    }
    r = wait_while_installing(u, who);
    if (r < 0)
        return err_set(e, r, "%s: interrupted", u->name);
    if (upload_dead(u))
        return refusal(u, e);
    if (u->state == UPLOAD_VERIFIED && !is_temporary(u->name))
        return upload_install(u, u->name, who, e);
    return 0;
}

int upload_flush(struct upload *u, const struct tarball_reader *who, struct err *e)
{
    enter(u);
    int r = upload_judge(u, who, e);
    leave(u);
    return r;
}

int upload_rename(struct upload *u, const char *name, const struct tarball_reader *who,
                  struct err *e)
{
    autofree char *copy = strdup(name);
    if (!copy)
        return err_sys(e, -ENOMEM, "%s", name);
    enter(u);
    int r = wait_while_installing(u, who);
    if (r < 0)
        err_set(e, r, "%s: interrupted", u->name);
    else if (u->state == UPLOAD_VERIFIED && !upload_dead(u) && !is_temporary(name))
        r = upload_install(u, name, who, e);
    else if (upload_dead(u) && is_temporary(u->name) && !is_temporary(name))
        r = refusal(u, e);
    if (r == 0) {
        free(u->name);
        u->name = steal_ptr(&copy);
    }
    leave(u);
    return r;
}

int upload_new(struct session *s, const char *name, const struct restore_request *asked,
               struct upload **out)
{
    struct upload *u = calloc(1, sizeof(*u));
    if (!u)
        return -ENOMEM;
    u->session = s;
    u->account = session_account(s);
    u->name = strdup(name);
    if (!u->name || restore_request_copy(asked, &u->asked) < 0 ||
        feed_new(&u->lock, &u->changed, session_spool, s, &u->feed) < 0) {
        restore_request_free(u->asked);
        free(u->name);
        free(u);
        return -ENOMEM;
    }
    pthread_mutex_init(&u->lock, NULL);
    cond_init(&u->changed);
    *out = u;
    return 0;
}

int upload_abandon(struct upload *u, const char *why, const struct tarball_reader *who)
{
    lock_scope(&u->lock);
    if (!upload_dead(u) && !u->told &&
        (u->state == UPLOAD_RECEIVING || u->state == UPLOAD_VERIFIED))
        account_refused(u->account, u, u->name, why);
    return upload_end(u, -ECANCELED, why, who);
}

void upload_free(struct upload *u)
{
    if (!u)
        return;
    upload_abandon(u, "it was given up before it was restored", NULL);
    pthread_mutex_lock(&u->lock);
    while (u->users > 0)
        pthread_cond_wait(&u->changed, &u->lock);
    upload_reap(u);
    pthread_mutex_unlock(&u->lock);
    feed_free(u->feed);
    pthread_cond_destroy(&u->changed);
    pthread_mutex_destroy(&u->lock);
    restore_request_free(u->asked);
    free(u->follows);
    free(u->target);
    free(u->name);
    free(u);
}

uint64_t upload_size(struct upload *u)
{
    lock_scope(&u->lock);
    return upload_dead(u) ? 0 : feed_size(u->feed);
}

bool upload_refused(struct upload *u)
{
    lock_scope(&u->lock);
    return upload_dead(u);
}

bool upload_restored(struct upload *u)
{
    lock_scope(&u->lock);
    return u->state == UPLOAD_RESTORED && !u->waits;
}
