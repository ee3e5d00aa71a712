/* SPDX-License-Identifier: MIT */
#include "store/restore/staging.h"

#include "store/base/cleanup.h"
#include "store/base/lock.h"
#include "store/base/log.h"
#include "store/base/time.h"
#include "store/influx/seen.h"
#include "store/restore/install.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define CLAIM_NS (2 * SECOND_NS)  /* what a copy waits for another that may have broken off */
#define LAYOUT_NS (2 * SECOND_NS) /* and for another that looks how folders can be exchanged */

enum staging_state { FREE, PROBING, WORKING, RECEIVING, HALF };

struct staging {
    struct store_paths paths;
    struct session_options options; /* paths and state_fd are not used from here */
    struct account *account;
    int state_folder; /* or -1 */

    pthread_mutex_t lock;   /* what follows; held for moments only */
    pthread_cond_t changed; /* the state, or what is probed */
    enum staging_state state;
    const struct upload *holder;  /* the upload that owns the area; NULL: the session */
    struct targets *targets;      /* while RECEIVING, or HALF */
    struct manifest *full;        /* while RECEIVING */
    bool probed, inside[TARGETS]; /* how the folders were found to be exchanged */
    int held;  /* the targets' lock, from staging_hold to the next targets; or -1 */
    bool owed; /* an increment was kept because another had it */
};

int staging_open(const struct session_options *o, struct account *a, struct staging **out)
{
    struct staging *st = calloc(1, sizeof(*st));
    if (!st)
        return -ENOMEM;
    st->options = *o;
    st->account = a;
    st->held = -1;
    st->state_folder = o->state_fd < 0 ? -1 : fcntl(o->state_fd, F_DUPFD_CLOEXEC, 0);
    pthread_mutex_init(&st->lock, NULL);
    cond_init(&st->changed);
    int ret = store_paths_copy(o->paths, &st->paths);
    if (ret < 0) {
        staging_close(st);
        return ret;
    }
    *out = st;
    return 0;
}

void staging_close(struct staging *st)
{
    if (!st)
        return;
    targets_free(st->targets);
    manifest_free(st->full);
    store_paths_free(&st->paths);
    cleanup_close(&st->state_folder);
    cleanup_close(&st->held);
    pthread_cond_destroy(&st->changed);
    pthread_mutex_destroy(&st->lock);
    free(st);
}

const struct store_paths *staging_paths(const struct staging *st)
{
    return &st->paths;
}

int staging_state_folder(const struct staging *st)
{
    return st->state_folder;
}

/* The store, and obstacles to its exchange */

void staging_remove_homes(const struct staging *st, const struct targets *t)
{
    if (!st->options.in_use || st->options.in_use(&st->paths, NULL) == 0)
        targets_remove_homes(t);
}

int staging_check(struct staging *st, struct err *e)
{
    pthread_mutex_lock(&st->lock);
    bool half = st->state == HALF;
    pthread_mutex_unlock(&st->lock);
    if (half)
        return err_set(e, -EIO,
                       "a restore was begun and could not be finished: influxd does not start on "
                       "this store until it is mounted again, which finishes it");
    if (!st->options.in_use)
        return 0;
    int ret = st->options.in_use(&st->paths, e);
    return ret == 0 ? seen_check(&st->paths, st->state_folder, e) : ret;
}

static void staging_tell(void *arg, const char *text)
{
    struct staging *st = arg;
    account_say(st->account, "%s", text);
    if (st->options.notice)
        st->options.notice(st->options.arg, text);
}

int staging_targets(struct staging *st, struct targets **out, struct err *e)
{
    int ret = targets_open(&st->paths, st->options.uid, st->options.gid, out, e);
    if (ret == 0)
        targets_tell(*out, staging_tell, st);
    return ret;
}

int staging_recover(struct staging *st, struct targets **out, struct err *done, struct err *e)
{
    const struct install_check check = {.in_use = st->options.in_use, .paths = &st->paths};
    cleanup(targets_freep) struct targets *t = NULL;
    done->text[0] = 0;
    int ret = staging_targets(st, &t, e);
    if (ret < 0 || (ret = install_recover(t, &check, done, e)) < 0)
        return ret;
    if (done->text[0]) {
        account_say(st->account, "%s", done->text);
        log_info("%s", done->text);
    }
    /* That may have made or removed a folder. */
    int again = staging_targets(st, out, e);
    return again < 0 ? again : ret;
}

int staging_lock(struct staging *st, struct targets *t, bool make, struct err *e)
{
    if (st->held >= 0 && t->lock < 0) {
        t->lock = st->held;
        st->held = -1;
    }
    return targets_lock(t, make, e);
}

/* Recovers, locks and probes, and remembers how the folders can be exchanged. */
static int staging_ready(struct staging *st, bool make, struct targets **out, struct err *e)
{
    struct err done;
    cleanup(targets_freep) struct targets *t = NULL;
    /* Nothing can have been cut off since it is held. */
    int ret = st->held >= 0 ? staging_targets(st, &t, e) : staging_recover(st, &t, &done, e);
    if (ret < 0 || (ret = staging_lock(st, t, make, e)) < 0 || (ret = targets_probe(t, e)) < 0)
        return ret;
    pthread_mutex_lock(&st->lock);
    st->probed = true;
    for (int i = 0; i < TARGETS; i++)
        st->inside[i] = t->at[i].inside;
    pthread_mutex_unlock(&st->lock);
    *out = steal_ptr(&t);
    return 0;
}

int staging_prepare(struct staging *st, struct targets **out, struct err *e)
{
    int ret = staging_check(st, e);
    return ret < 0 ? ret : staging_ready(st, true, out, e);
}

/* The owner */

/* With the lock. */
static void set_state(struct staging *st, enum staging_state state)
{
    assert_locked(&st->lock);
    st->state = state;
    pthread_cond_broadcast(&st->changed);
}

/* Takes it if it is free. With the lock. */
static bool take_if_free(struct staging *st, const struct upload *u)
{
    assert_locked(&st->lock);
    if (st->state != FREE)
        return false;
    st->state = WORKING;
    st->holder = u;
    account_hold(st->account, u);
    return true;
}

bool staging_take(struct staging *st, const struct upload *u)
{
    int64_t until = 0; /* when one that waits for its writer has been waited for long enough */
    bool waits = true;
    lock_scope(&st->lock);
    while (waits && st->state != FREE && st->state != HALF) {
        if (st->state != RECEIVING) {
            until = 0;
            pthread_cond_wait(&st->changed, &st->lock);
        } else {
            until = until ? until : time_mono_ns() + CLAIM_NS;
            waits = cond_wait_until(&st->changed, &st->lock, until) || st->state != RECEIVING;
        }
    }
    return take_if_free(st, u);
}

bool staging_take_free(struct staging *st)
{
    lock_scope(&st->lock);
    return take_if_free(st, NULL);
}

bool staging_leave(struct staging *st)
{
    lock_scope(&st->lock);
    if (st->state != HALF) {
        account_release(st->account);
        set_state(st, FREE);
    }
    return st->owed;
}

void staging_owe(struct staging *st)
{
    lock_scope(&st->lock);
    st->owed = true;
}

bool staging_take_owed(struct staging *st)
{
    lock_scope(&st->lock);
    while (st->owed && st->state == PROBING)
        pthread_cond_wait(&st->changed, &st->lock);
    bool taken = st->owed && take_if_free(st, NULL);
    st->owed = st->owed && !taken;
    return taken;
}

int staging_begin(struct staging *st, const struct manifest *full, struct stage **out,
                  struct err *e)
{
    int fds[TARGETS];
    cleanup(manifest_freep) struct manifest *copy = NULL;
    cleanup(targets_freep) struct targets *t = NULL;
    if (manifest_copy(full, &copy) < 0)
        return err_sys(e, -ENOMEM, "restore");
    int ret = staging_prepare(st, &t, e);
    if (ret < 0 || (ret = targets_stage(t, fds, e)) < 0)
        return ret;
    if ((ret = stage_new(t, fds, out, e)) < 0) {
        targets_tidy(t, NULL);
        return ret;
    }
    lock_scope(&st->lock);
    st->targets = steal_ptr(&t);
    st->full = steal_ptr(&copy);
    set_state(st, RECEIVING);
    return 0;
}

struct targets *staging_take_back(struct staging *st, const struct upload *u,
                                  struct manifest **full)
{
    lock_scope(&st->lock);
    bool mine = st->state == RECEIVING && st->holder == u;
    struct targets *t = mine ? steal_ptr(&st->targets) : NULL;
    *full = mine ? steal_ptr(&st->full) : NULL;
    if (mine)
        st->state = WORKING;
    return t;
}

void staging_keep_half(struct staging *st, struct targets *t)
{
    lock_scope(&st->lock);
    st->targets = t;
    set_state(st, HALF);
}

/* A look at the folders, without a restore */

/* The caller has set the state PROBING. */
static int staging_probe(struct staging *st, bool hold, struct err *e)
{
    cleanup(targets_freep) struct targets *t = NULL;
    int ret = staging_ready(st, false, &t, e);
    if (ret == 0 && hold) {
        st->held = t->lock;
        t->lock = -1;
    }
    targets_free(steal_ptr(&t)); /* with its lock, before another begins */
    lock_scope(&st->lock);
    set_state(st, FREE);
    return ret;
}

/* How the folders can be exchanged, as last found; finds out if that is unknown. */
static int staging_layout(struct staging *st, bool inside[TARGETS], struct err *e)
{
    const int64_t until = time_mono_ns() + LAYOUT_NS;
    pthread_mutex_lock(&st->lock);
    while (!st->probed && st->state != FREE)
        if (!cond_wait_until(&st->changed, &st->lock, until))
            break;
    bool known = st->probed, mine = !known && st->state == FREE;
    if (mine)
        st->state = PROBING;
    pthread_mutex_unlock(&st->lock);
    if (!known && !mine)
        return err_set(e, -EAGAIN, "another restore is beginning; copy it again");
    int ret = mine ? staging_probe(st, false, e) : 0;
    pthread_mutex_lock(&st->lock);
    memcpy(inside, st->inside, sizeof(st->inside));
    pthread_mutex_unlock(&st->lock);
    return ret;
}

int staging_aside(struct staging *st, struct targets **out, struct err *e)
{
    bool inside[TARGETS] = {false};
    int ret = staging_check(st, e);
    if (ret < 0 || (ret = staging_layout(st, inside, e)) < 0 ||
        (ret = staging_targets(st, out, e)) < 0)
        return ret;
    for (int k = 0; k < TARGETS; k++)
        (*out)->at[k].inside = inside[k];
    return 0;
}

int staging_may_begin(struct staging *st, bool hold, struct err *e)
{
    int ret = staging_check(st, e);
    if (ret < 0)
        return ret;
    pthread_mutex_lock(&st->lock);
    bool mine = st->state == FREE;
    if (mine)
        st->state = PROBING;
    pthread_mutex_unlock(&st->lock);
    return mine ? staging_probe(st, hold, e) : 0; /* its owner probes too */
}
