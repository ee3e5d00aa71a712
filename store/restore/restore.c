/* SPDX-License-Identifier: MIT */
#include "store/restore/restore_impl.h"

#include "store/base/cleanup.h"
#include "store/influx/seen.h"
#include "store/restore/reslog.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#define LAYOUT_SECONDS 2

void room_say(struct restore *r, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    reslog_add(r->log, fmt, ap);
    va_end(ap);
}

bool room_store_in_use(struct restore *r)
{
    return r->options.in_use && r->options.in_use(&r->paths, NULL) < 0;
}

static int copy_paths(const struct store_paths *from, struct store_paths *to)
{
    to->meta = strdup(from->meta ? from->meta : "");
    to->data = strdup(from->data ? from->data : "");
    to->wal = strdup(from->wal ? from->wal : "");
    to->config = from->config ? strdup(from->config) : NULL;
    return to->meta && to->data && to->wal && (to->config || !from->config) ? 0 : -ENOMEM;
}

static void tell_left(void *arg, const char *text)
{
    struct restore *r = arg;
    room_say(r, "%s", text);
    if (r->options.notice)
        r->options.notice(r->options.arg, text);
}

/* That know whom to tell what they leave. */
static int open_targets(struct restore *r, struct targets **out, struct err *e)
{
    int ret = targets_open(&r->paths, r->options.uid, r->options.gid, out, e);
    if (ret == 0)
        targets_tell(*out, tell_left, r);
    return ret;
}

int room_open_targets(struct restore *r, struct targets **out, struct err *e)
{
    struct err done = {0};
    const struct install_check check = room_check_of(r);
    cleanup(targets_freep) struct targets *t = NULL;
    int ret = open_targets(r, &t, e);
    if (ret < 0)
        return ret;
    ret = install_recover(t, &check, &done, e);
    if (ret < 0)
        return ret;
    if (done.text[0])
        room_say(r, "%s", done.text);
    /* A folder may have come or gone by that. */
    targets_free(steal_ptr(&t));
    ret = open_targets(r, &t, e);
    if (ret < 0)
        return ret;
    *out = steal_ptr(&t);
    return 0;
}

int restore_open(const struct restore_options *o, struct restore **out, struct err *e)
{
    cleanup(restore_closep) struct restore *r = calloc(1, sizeof(*r));
    if (!r)
        return err_sys(e, -ENOMEM, "restore");
    r->options = *o;
    pthread_mutex_init(&r->lock, NULL);
    pthread_condattr_t mono;
    pthread_condattr_init(&mono);
    pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
    pthread_cond_init(&r->freed, &mono);
    pthread_condattr_destroy(&mono);
    r->state = o->state_fd < 0 ? -1 : fcntl(o->state_fd, F_DUPFD_CLOEXEC, 0);
    r->log = reslog_open(o->state_fd);
    if (r->log < 0)
        return err_sys(e, r->log, "restore/log");
    if (record_open(o->state_fd, &r->record) < 0)
        return err_sys(e, -ENOMEM, "restore");
    int ret = copy_paths(o->paths, &r->paths);
    if (ret < 0)
        return err_sys(e, ret, "restore");
    struct err why = {0};
    cleanup(targets_freep) struct targets *t = NULL;
    ret = room_open_targets(r, &t, &why);
    if (ret == 0)
        numbers_open(r, t);
    /* Folders that cannot be restored into can still be read: that is said when it is tried. */
    if (ret == -EINVAL || ret == -ENOENT || ret == -ENOTDIR || ret == -EACCES)
        room_say(r, "restore is not possible: %s", why.text);
    else if (ret < 0)
        return err_set(e, ret, "%s", why.text);
    *out = steal_ptr(&r);
    return 0;
}

void restore_close(struct restore *r)
{
    if (!r)
        return;
    aside_clear(r);
    targets_free(r->targets);
    manifest_free(r->full);
    record_close(r->record);
    free(r->paths.meta);
    free(r->paths.data);
    free(r->paths.wal);
    free(r->paths.config);
    progress_clear(&r->status);
    advice_clear(&r->advice);
    cleanup_close(&r->log);
    cleanup_close(&r->state);
    pthread_cond_destroy(&r->freed);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static int check_half(struct restore *r, struct err *e)
{
    pthread_mutex_lock(&r->lock);
    bool half = r->half;
    pthread_mutex_unlock(&r->lock);
    return half ? err_set(e, -EIO,
                          "a restore was begun and could not be finished: influxd does not start "
                          "on this store until it is mounted again, which finishes it")
                : 0;
}

int room_check(struct restore *r, struct err *e)
{
    int ret = check_half(r, e);
    if (ret < 0 || !r->options.in_use)
        return ret;
    ret = r->options.in_use(&r->paths, e);
    return ret == 0 ? seen_check(&r->paths, r->state, e) : ret;
}

static void remember_layout(struct restore *r, const struct targets *t)
{
    pthread_mutex_lock(&r->lock);
    r->probed = true;
    for (int i = 0; i < TARGETS; i++)
        r->inside[i] = t->at[i].inside;
    pthread_mutex_unlock(&r->lock);
}

int room_prepare(struct restore *r, struct targets **out, struct err *e)
{
    cleanup(targets_freep) struct targets *t = NULL;
    int ret = room_check(r, e);
    if (ret < 0 || (ret = room_open_targets(r, &t, e)) < 0 ||
        (ret = targets_lock(t, true, e)) < 0 || (ret = targets_probe(t, e)) < 0)
        return ret;
    remember_layout(r, t);
    *out = steal_ptr(&t);
    return 0;
}

/* The caller has set r->probing. */
static int probe(struct restore *r, struct err *e)
{
    cleanup(targets_freep) struct targets *t = NULL;
    int ret = room_open_targets(r, &t, e);
    if (ret == 0)
        ret = targets_lock(t, false, e);
    if (ret == 0)
        ret = targets_probe(t, e);
    if (ret == 0)
        remember_layout(r, t);
    targets_free(steal_ptr(&t));
    pthread_mutex_lock(&r->lock);
    r->probing = false;
    pthread_cond_broadcast(&r->freed);
    pthread_mutex_unlock(&r->lock);
    return ret;
}

int room_layout(struct restore *r, bool inside[TARGETS], struct err *e)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += LAYOUT_SECONDS;
    int ret = 0;
    pthread_mutex_lock(&r->lock);
    while (ret == 0 && !r->probed && (r->probing || r->owner))
        ret = pthread_cond_timedwait(&r->freed, &r->lock, &until);
    bool known = r->probed, mine = !known && !r->probing && !r->owner;
    r->probing |= mine;
    pthread_mutex_unlock(&r->lock);
    if (!known && !mine)
        return err_set(e, -EAGAIN, "another restore is beginning; copy it again");
    ret = mine ? probe(r, e) : 0;
    pthread_mutex_lock(&r->lock);
    memcpy(inside, r->inside, sizeof(r->inside));
    pthread_mutex_unlock(&r->lock);
    return ret;
}

static int may_begin(struct restore *r, struct err *e)
{
    int ret = room_check(r, e);
    if (ret < 0)
        return ret;
    pthread_mutex_lock(&r->lock);
    bool busy = r->owner || r->probing;
    if (!busy)
        r->probing = true;
    pthread_mutex_unlock(&r->lock);
    if (busy)
        return 0; /* the other one probes; this one is told when it is clear what it is */
    return probe(r, e);
}

int restore_may_begin(struct restore *r, struct err *e)
{
    struct err why = {0};
    int ret = may_begin(r, &why);
    if (ret < 0) {
        room_say(r, "refused: %s", why.text);
        err_set(e, ret, "%s", why.text);
    }
    return ret;
}

int restore_check_mounts(const struct store_paths *paths, struct err *e)
{
    cleanup(targets_freep) struct targets *t = NULL;
    int ret = targets_open(paths, (uid_t)-1, (gid_t)-1, &t, e);
    return ret < 0 ? ret : targets_check_mounts(t, e);
}

int restore_look(const struct store_paths *paths, struct err *what, struct err *e)
{
    cleanup(targets_freep) struct targets *t = NULL;
    int ret = targets_open(paths, (uid_t)-1, (gid_t)-1, &t, e);
    return ret < 0 ? ret : install_look(t, what, e);
}

int restore_log_fd(const struct restore *r)
{
    return r->log;
}

const struct restore_advice *restore_advised(const struct restore *r)
{
    return &r->advice;
}

uint64_t restore_count(struct restore *r)
{
    pthread_mutex_lock(&r->lock);
    uint64_t n = r->count;
    pthread_mutex_unlock(&r->lock);
    return n;
}

int restore_status_json(struct restore *r, char **text)
{
    pthread_mutex_lock(&r->lock);
    int ret = progress_json(&r->status, r->count, text);
    pthread_mutex_unlock(&r->lock);
    return ret;
}
