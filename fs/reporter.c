/* SPDX-License-Identifier: MIT */
#include "fs/reporter.h"

#include "fs/backup_sets.h"
#include "fs/cutter.h"
#include "fs/dumps.h"
#include "fs/instant.h"
#include "fs/pace.h"
#include "fs/parts.h"
#include "fs/status.h"
#include "fs/survey.h"
#include "store/base/cleanup.h"
#include "store/base/time.h"
#include "store/base/worker.h"
#include "store/restore/account.h"

#include <errno.h>
#include <stdlib.h>
#include <utlist.h>

#define POLL_NS (50 * MILLISECOND_NS) /* between looks whether the reader was interrupted */

struct job {
    struct fs *fs;
    int (*print)(const struct report *report, char **text);
    char *text;
    int result;
    bool done;
    atomic_bool left; /* by its reader: the thread frees it */
    struct job *next;
};

struct reporter {
    struct fs *fs;
    struct worker *worker; /* its lock guards what follows, and the jobs */
    struct job *first;     /* those that wait for the thread */
};

static bool job_is_left(void *arg)
{
    const struct job *j = arg;
    return j->left || fuse_session_exited(j->fs->session);
}

static void reporter_cuts(struct fs *fs, struct report *r)
{
    struct err e = {0};
    if (!fs->cuts)
        return;
    report_cuts(r, fs->cuts, &e); /* what fails is null, or in r->broken */
    r->links = fs->links;
    if (fs->cutter)
        cutter_get(fs->cutter, &r->mount->timer);
}

/* Gathers all that the mount can tell. -EINTR. The caller clears *r, also after an error. */
static int reporter_gather(struct job *j, struct report *r, struct report_mount *m)
{
    struct fs *fs = j->fs;
    report_store(r, fs->paths, fs->state, fs->options);
    r->mount = m;
    err_set(&r->lacks, 0, "%s", fs->lacks);
    if (!*fs->lacks)
        catalog_trouble(snapshots_catalog(fs->snapshots), &r->lacks);
    *m = (struct report_mount){
        .mounted_ns = fs->started_ns,
        .mountpoint = fs->mountpoint,
        .captures_held = instants_count(fs->instants) + parts_count(fs->parts),
        .held_to = pace_held_to(fs->pace),
        .restores = fs->restore,
    };
    counters_get(&fs->counters, &m->counters);
    dumps_spilled(fs->dumps, &m->spilled, &m->spilled_most);
    int ret = status_get(fs->status, &m->last);
    if (ret == 0)
        ret = survey_get(fs->survey, job_is_left, j, r);
    if (ret == 0 && fs->options->skip_damaged)
        ret = dumps_lacks(fs->dumps, &m->dumps_lack, &m->dumps_lack_more);
    if (ret == 0)
        ret = backup_sets_lacks(fs->backups, &m->backups_lack);
    if (ret == 0)
        reporter_cuts(fs, r);
    if (ret == 0 && m->restores)
        account_status(session_account(fs->restore), &m->restore);
    return ret;
}

static int reporter_print(struct job *j)
{
    struct report report;
    struct report_mount mount;
    int r = reporter_gather(j, &report, &mount);
    if (r == 0)
        r = j->print(&report, &j->text);
    report_clear(&report);
    return r;
}

static void job_free(struct job *j)
{
    free(j->text);
    free(j);
}

static int64_t reporter_step(struct worker *w, void *arg)
{
    struct reporter *r = arg;
    struct job *j = r->first;
    if (!j)
        return WORKER_SLEEP;
    LL_DELETE(r->first, j);
    worker_unlock(w);
    int result = reporter_print(j);
    worker_lock(w);
    j->result = result;
    j->done = true;
    if (j->left)
        job_free(j);
    else
        worker_wake(w);
    return WORKER_GO_ON;
}

int reporter_new(struct fs *fs, struct reporter **out)
{
    struct reporter *r = calloc(1, sizeof(*r));
    if (!r)
        return -ENOMEM;
    r->fs = fs;
    int ret = worker_start(reporter_step, r, &r->worker);
    if (ret < 0)
        free(r);
    else
        *out = r;
    return ret;
}

void reporter_free(struct reporter *r)
{
    if (r)
        worker_stop(r->worker);
    free(r);
}

/* Leaves a job that is not done. With the lock. */
static void reporter_leave(struct reporter *r, struct job *j)
{
    struct job *waits;
    for (waits = r->first; waits && waits != j;)
        waits = waits->next;
    j->left = true;
    if (!waits)
        return; /* the thread has it */
    LL_DELETE(r->first, j);
    job_free(j);
}

int reporter_ask(struct reporter *r, int (*print)(const struct report *report, char **text),
                 bool (*interrupted)(void *arg), void *arg, char **text)
{
    struct job *j = calloc(1, sizeof(*j));
    if (!j)
        return -ENOMEM;
    j->fs = r->fs;
    j->print = print;
    worker_lock(r->worker);
    LL_APPEND(r->first, j);
    worker_wake(r->worker);
    while (!j->done) {
        worker_wait_until(r->worker, time_mono_ns() + POLL_NS);
        if (j->done || !interrupted(arg))
            continue;
        reporter_leave(r, j);
        worker_unlock(r->worker);
        return -EINTR;
    }
    worker_unlock(r->worker);
    int ret = j->result;
    if (ret == 0)
        *text = steal_ptr(&j->text);
    job_free(j);
    return ret;
}
