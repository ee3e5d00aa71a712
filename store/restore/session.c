/* SPDX-License-Identifier: MIT */
#include "store/restore/session_impl.h"

#include "store/base/cleanup.h"
#include "store/influx/seen.h"
#include "store/restore/reslog.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#define LAYOUT_SECONDS 2

void session_say(struct session *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    reslog_add(s->log, fmt, ap);
    va_end(ap);
}

bool session_store_in_use(struct session *s)
{
    return s->options.in_use && s->options.in_use(&s->paths, NULL) < 0;
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
    struct session *s = arg;
    session_say(s, "%s", text);
    if (s->options.notice)
        s->options.notice(s->options.arg, text);
}

/* That know whom to tell what they leave. */
static int open_targets(struct session *s, struct targets **out, struct err *e)
{
    int ret = targets_open(&s->paths, s->options.uid, s->options.gid, out, e);
    if (ret == 0)
        targets_tell(*out, tell_left, s);
    return ret;
}

int session_open_targets(struct session *s, struct targets **out, struct err *e)
{
    struct err done = {0};
    const struct install_check check = session_check_of(s);
    cleanup(targets_freep) struct targets *t = NULL;
    int ret = open_targets(s, &t, e);
    if (ret < 0)
        return ret;
    ret = install_recover(t, &check, &done, e);
    if (ret < 0)
        return ret;
    if (done.text[0])
        session_say(s, "%s", done.text);
    /* A folder may have come or gone by that. */
    targets_free(steal_ptr(&t));
    ret = open_targets(s, &t, e);
    if (ret < 0)
        return ret;
    *out = steal_ptr(&t);
    return 0;
}

int session_open(const struct session_options *o, struct session **out, struct err *e)
{
    cleanup(session_closep) struct session *s = calloc(1, sizeof(*s));
    if (!s)
        return err_sys(e, -ENOMEM, "restore");
    s->options = *o;
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_t mono;
    pthread_condattr_init(&mono);
    pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
    pthread_cond_init(&s->freed, &mono);
    pthread_condattr_destroy(&mono);
    s->state = o->state_fd < 0 ? -1 : fcntl(o->state_fd, F_DUPFD_CLOEXEC, 0);
    s->log = reslog_open(o->state_fd);
    if (s->log < 0)
        return err_sys(e, s->log, "restore/log");
    if (record_open(o->state_fd, &s->record) < 0)
        return err_sys(e, -ENOMEM, "restore");
    int ret = copy_paths(o->paths, &s->paths);
    if (ret < 0)
        return err_sys(e, ret, "restore");
    struct err why = {0};
    cleanup(targets_freep) struct targets *t = NULL;
    ret = session_open_targets(s, &t, &why);
    if (ret == 0)
        numbers_open(s, t);
    /* Folders that cannot be restored into can still be read: that is said when it is tried. */
    if (ret == -EINVAL || ret == -ENOENT || ret == -ENOTDIR || ret == -EACCES)
        session_say(s, "restore is not possible: %s", why.text);
    else if (ret < 0)
        return err_set(e, ret, "%s", why.text);
    *out = steal_ptr(&s);
    return 0;
}

void session_close(struct session *s)
{
    if (!s)
        return;
    aside_clear(s);
    targets_free(s->targets);
    manifest_free(s->full);
    record_close(s->record);
    free(s->paths.meta);
    free(s->paths.data);
    free(s->paths.wal);
    free(s->paths.config);
    progress_clear(&s->status);
    advice_clear(&s->advice);
    cleanup_close(&s->log);
    cleanup_close(&s->state);
    pthread_cond_destroy(&s->freed);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static int check_half(struct session *s, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    bool half = s->half;
    pthread_mutex_unlock(&s->lock);
    return half ? err_set(e, -EIO,
                          "a restore was begun and could not be finished: influxd does not start "
                          "on this store until it is mounted again, which finishes it")
                : 0;
}

int session_check(struct session *s, struct err *e)
{
    int ret = check_half(s, e);
    if (ret < 0 || !s->options.in_use)
        return ret;
    ret = s->options.in_use(&s->paths, e);
    return ret == 0 ? seen_check(&s->paths, s->state, e) : ret;
}

static void remember_layout(struct session *s, const struct targets *t)
{
    pthread_mutex_lock(&s->lock);
    s->probed = true;
    for (int i = 0; i < TARGETS; i++)
        s->inside[i] = t->at[i].inside;
    pthread_mutex_unlock(&s->lock);
}

int session_prepare(struct session *s, struct targets **out, struct err *e)
{
    cleanup(targets_freep) struct targets *t = NULL;
    int ret = session_check(s, e);
    if (ret < 0 || (ret = session_open_targets(s, &t, e)) < 0 ||
        (ret = targets_lock(t, true, e)) < 0 || (ret = targets_probe(t, e)) < 0)
        return ret;
    remember_layout(s, t);
    *out = steal_ptr(&t);
    return 0;
}

/* The caller has set s->probing. */
static int probe(struct session *s, struct err *e)
{
    cleanup(targets_freep) struct targets *t = NULL;
    int ret = session_open_targets(s, &t, e);
    if (ret == 0)
        ret = targets_lock(t, false, e);
    if (ret == 0)
        ret = targets_probe(t, e);
    if (ret == 0)
        remember_layout(s, t);
    targets_free(steal_ptr(&t));
    pthread_mutex_lock(&s->lock);
    s->probing = false;
    pthread_cond_broadcast(&s->freed);
    pthread_mutex_unlock(&s->lock);
    return ret;
}

int session_layout(struct session *s, bool inside[TARGETS], struct err *e)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += LAYOUT_SECONDS;
    int ret = 0;
    pthread_mutex_lock(&s->lock);
    while (ret == 0 && !s->probed && (s->probing || s->owner))
        ret = pthread_cond_timedwait(&s->freed, &s->lock, &until);
    bool known = s->probed, mine = !known && !s->probing && !s->owner;
    s->probing |= mine;
    pthread_mutex_unlock(&s->lock);
    if (!known && !mine)
        return err_set(e, -EAGAIN, "another restore is beginning; copy it again");
    ret = mine ? probe(s, e) : 0;
    pthread_mutex_lock(&s->lock);
    memcpy(inside, s->inside, sizeof(s->inside));
    pthread_mutex_unlock(&s->lock);
    return ret;
}

static int may_begin(struct session *s, struct err *e)
{
    int ret = session_check(s, e);
    if (ret < 0)
        return ret;
    pthread_mutex_lock(&s->lock);
    bool busy = s->owner || s->probing;
    if (!busy)
        s->probing = true;
    pthread_mutex_unlock(&s->lock);
    if (busy)
        return 0; /* the other one probes; this one is told when it is clear what it is */
    return probe(s, e);
}

int session_may_begin(struct session *s, struct err *e)
{
    struct err why = {0};
    int ret = may_begin(s, &why);
    if (ret < 0) {
        session_say(s, "refused: %s", why.text);
        err_set(e, ret, "%s", why.text);
    }
    return ret;
}

int session_check_mounts(const struct store_paths *paths, struct err *e)
{
    cleanup(targets_freep) struct targets *t = NULL;
    int ret = targets_open(paths, (uid_t)-1, (gid_t)-1, &t, e);
    return ret < 0 ? ret : targets_check_mounts(t, e);
}

int session_look(const struct store_paths *paths, struct err *what, struct err *e)
{
    cleanup(targets_freep) struct targets *t = NULL;
    int ret = targets_open(paths, (uid_t)-1, (gid_t)-1, &t, e);
    return ret < 0 ? ret : install_look(t, what, e);
}

int session_log_fd(const struct session *s)
{
    return s->log;
}

const struct advice *session_advised(const struct session *s)
{
    return &s->advice;
}

uint64_t session_count(struct session *s)
{
    pthread_mutex_lock(&s->lock);
    uint64_t n = s->count;
    pthread_mutex_unlock(&s->lock);
    return n;
}

int session_status_json(struct session *s, char **text)
{
    pthread_mutex_lock(&s->lock);
    int ret = progress_json(&s->status, s->count, text);
    pthread_mutex_unlock(&s->lock);
    return ret;
}

void session_status(struct session *s, struct progress *out, uint64_t *restores)
{
    pthread_mutex_lock(&s->lock);
    progress_copy(&s->status, out);
    *restores = s->count;
    pthread_mutex_unlock(&s->lock);
}
