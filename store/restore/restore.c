/* SPDX-License-Identifier: MIT */
#include "store/restore/restore.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/restore/install.h"
#include "store/restore/progress.h"
#include "store/restore/reslog.h"
#include "store/restore/room.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define CLAIM_SECONDS 2 /* what a copy waits for another that may have broken off */

struct restore {
    struct store_paths paths;
    struct restore_options options; /* paths and state_fd are not used from here */
    int log;

    pthread_mutex_t lock;    /* what follows; held for moments only */
    pthread_cond_t freed;    /* nobody has the staging folders */
    const void *owner;       /* the drop that has them, or is about to */
    bool probing;            /* somebody asks whether a restore could begin, and has the lock */
    struct targets *targets; /* its; used by that drop's threads without the lock */
    char id[129];            /* of its snapshot */
    bool half;               /* an exchange was begun and could not be finished */
    uint64_t count;
    struct progress status;
};

void room_say(struct restore *r, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    reslog_add(r->log, fmt, ap);
    va_end(ap);
}

static struct install_check check_of(const struct restore *r)
{
    return (struct install_check){r->options.in_use, &r->paths};
}

static bool store_in_use(struct restore *r)
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

/* Opens the targets and deals with what a killed restore has left. */
static int open_targets(struct restore *r, struct targets **out, struct err *e)
{
    struct err done = {0};
    const struct install_check check = check_of(r);
    cleanup(targets_freep) struct targets *t = NULL;
    int ret = targets_open(&r->paths, r->options.uid, r->options.gid, &t, e);
    if (ret < 0)
        return ret;
    ret = install_recover(t, &check, &done, e);
    if (ret < 0)
        return ret;
    if (done.text[0])
        room_say(r, "%s", done.text);
    /* A folder may have come or gone by that. */
    targets_free(steal_ptr(&t));
    ret = targets_open(&r->paths, r->options.uid, r->options.gid, &t, e);
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
    r->log = reslog_open(o->state_fd);
    if (r->log < 0)
        return err_sys(e, r->log, "restore/log");
    int ret = copy_paths(o->paths, &r->paths);
    if (ret < 0)
        return err_sys(e, ret, "restore");
    struct err why = {0};
    cleanup(targets_freep) struct targets *t = NULL;
    ret = open_targets(r, &t, &why);
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
    targets_free(r->targets);
    free(r->paths.meta);
    free(r->paths.data);
    free(r->paths.wal);
    free(r->paths.config);
    progress_clear(&r->status);
    cleanup_close(&r->log);
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

static int probe(struct restore *r, struct err *e)
{
    cleanup(targets_freep) struct targets *t = NULL;
    int ret = open_targets(r, &t, e);
    if (ret < 0 || (ret = targets_lock(t, false, e)) < 0)
        return ret;
    return targets_probe(t, e);
}

static int may_begin(struct restore *r, struct err *e)
{
    int ret = check_half(r, e);
    if (ret == 0 && r->options.in_use)
        ret = r->options.in_use(&r->paths, e);
    if (ret < 0)
        return ret;
    pthread_mutex_lock(&r->lock);
    bool busy = r->owner || r->probing;
    if (!busy)
        r->probing = true;
    pthread_mutex_unlock(&r->lock);
    if (busy)
        return 0; /* the other one probes; this one is told when it is clear what it is */
    ret = probe(r, e);
    pthread_mutex_lock(&r->lock);
    r->probing = false;
    pthread_cond_broadcast(&r->freed);
    pthread_mutex_unlock(&r->lock);
    return ret;
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

static int prepare_staging(struct restore *r, struct targets **out, struct stage **stage,
                           struct err *e)
{
    int fds[TARGETS];
    cleanup(targets_freep) struct targets *t = NULL;
    int ret = check_half(r, e);
    if (ret == 0 && r->options.in_use)
        ret = r->options.in_use(&r->paths, e);
    if (ret < 0 || (ret = open_targets(r, &t, e)) < 0 || (ret = targets_lock(t, true, e)) < 0 ||
        (ret = targets_probe(t, e)) < 0 || (ret = targets_stage(t, fds, e)) < 0)
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

static bool take_room(struct restore *r, const void *who)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += CLAIM_SECONDS;
    pthread_mutex_lock(&r->lock);
    int ret = 0;
    while (ret == 0 && (r->owner || r->probing))
        ret = pthread_cond_timedwait(&r->freed, &r->lock, &until);
    bool taken = !r->owner && !r->probing;
    if (taken)
        r->owner = who;
    pthread_mutex_unlock(&r->lock);
    return taken;
}

int room_claim(struct restore *r, const void *who, const char *name, const struct manifest *m,
               struct stage **out, struct err *e)
{
    if (!take_room(r, who))
        return err_set(e, -EAGAIN, "another restore is under way; copy %s when it is done", name);
    reslog_begin(r->log);
    room_say(r, "restoring %s: snapshot %s of %s, taken %s, %zu files, %llu bytes", name, m->id,
             m->host, m->created, m->nfiles, (unsigned long long)m->bytes);
    struct targets *t = NULL;
    int ret = prepare_staging(r, &t, out, e);
    pthread_mutex_lock(&r->lock);
    if (ret < 0) {
        r->owner = NULL;
        pthread_cond_broadcast(&r->freed);
    } else {
        r->targets = t;
        snprintf(r->id, sizeof(r->id), "%s", m->id);
        progress_begin(&r->status, name); /* again, if it had to wait for another */
        progress_manifest(&r->status, m);
    }
    pthread_mutex_unlock(&r->lock);
    return ret;
}

/* Takes the targets out of the room, if they are this drop's. */
static struct targets *take_targets(struct restore *r, const void *who)
{
    pthread_mutex_lock(&r->lock);
    struct targets *t = r->owner == who && !r->half ? steal_ptr(&r->targets) : NULL;
    pthread_mutex_unlock(&r->lock);
    return t;
}

static void end_ownership(struct restore *r, const void *who)
{
    pthread_mutex_lock(&r->lock);
    if (r->owner == who && !r->half)
        r->owner = NULL;
    pthread_cond_broadcast(&r->freed);
    pthread_mutex_unlock(&r->lock);
}

void room_release(struct restore *r, const void *who)
{
    struct err why = {0};
    struct targets *t = take_targets(r, who);
    if (!t)
        return;
    if (targets_tidy(t, &why) < 0)
        room_say(r, "%s", why.text);
    if (!store_in_use(r))
        targets_remove_homes(t);
    targets_free(t);
    end_ownership(r, who);
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

int room_install(struct restore *r, const void *who, const char *name, struct err *e)
{
    struct err note = {0};
    const struct install_check check = check_of(r);
    struct targets *t = take_targets(r, who);
    if (!t)
        return err_set(e, -EINVAL, "%s is not verified", name);
    pthread_mutex_lock(&r->lock);
    progress_state(&r->status, PROGRESS_INSTALLING, name, NULL);
    pthread_mutex_unlock(&r->lock);
    room_say(r, "installing %s", name);
    int ret = install_run(t, &check, r->id, &note, e);
    bool half = t->half;
    if (ret == 0)
        note_kept(r, t);
    if (!half)
        targets_free(t); /* and its lock, before anybody else begins */
    pthread_mutex_lock(&r->lock);
    r->half = half;
    r->count += ret == 0;
    if (half)
        r->targets = t; /* with its lock: nobody else may begin before this is finished */
    else
        r->owner = NULL;
    pthread_cond_broadcast(&r->freed);
    progress_state(&r->status, ret == 0 ? PROGRESS_RESTORED : PROGRESS_REFUSED, name,
                   ret == 0 ? NULL : e->text);
    pthread_mutex_unlock(&r->lock);
    if (note.text[0])
        room_say(r, "left over, to be removed at the next mount: %s", note.text);
    room_say(r, ret == 0 ? "restored %s%s%s" : "refused %s%s%s", name, ret == 0 ? "" : ": ",
             ret == 0 ? "" : e->text);
    if (ret == 0 && r->options.restored)
        r->options.restored(r->options.arg);
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

int restore_log_fd(const struct restore *r)
{
    return r->log;
}

int restore_statvfs(struct restore *r, struct statvfs *out)
{
    cleanup(targets_freep) struct targets *t = NULL;
    int ret = targets_open(&r->paths, (uid_t)-1, (gid_t)-1, &t, NULL);
    return ret < 0 ? ret : targets_statvfs(t, out);
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

/* Whether this drop is the one that the status speaks of; r->lock is held. */
static bool speaks(const struct restore *r, const void *who)
{
    return !r->owner || r->owner == who;
}

void room_receiving(struct restore *r, const void *who, const char *name)
{
    pthread_mutex_lock(&r->lock);
    if (speaks(r, who))
        progress_begin(&r->status, name);
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
