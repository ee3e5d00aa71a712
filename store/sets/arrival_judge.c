/* SPDX-License-Identifier: MIT */
/* The verdict on a set that has arrived: it is read, and goes through an upload as a snapshot does,
 * in a thread of its own, so that who waits for it can be released. */
#include "store/sets/arrival_impl.h"

#include "store/base/cleanup.h"
#include "store/base/lock.h"
#include "store/base/time.h"
#include "store/restore/account.h"
#include "store/sets/set.h"

#include <errno.h>
#include <string.h>

#define POLL_NS (50 * MILLISECOND_NS)

/* One at a time: each is complete, so that a second one need not be refused while the first is
 * under way, as a file is that may wait for its writer. */
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

static int judge_stopped(void *arg)
{
    struct arrival *a = arg;
    lock_scope(&a->lock);
    return a->stop ? -EINTR : 0;
}

static void judge_say_notes(struct arrival *a, const struct set *s, bool warn)
{
    struct account *account = session_account(a->session);
    bool warns;
    for (size_t i = 0; i < set_notes(s); i++) {
        const char *text = set_note(s, i, &warns);
        if (!warn)
            account_say(account, "%s: %s", a->path, text);
        else if (warns)
            account_warn(account, text);
    }
}

/* Writes the set as a snapshot; the upload's verdict. */
static int judge_pour(struct arrival *a, struct set *s, struct upload *u, struct err *e)
{
    const void *block;
    uint64_t at = 0;
    ssize_t n;
    int r = 0;
    while ((n = set_next(s, &block, e)) > 0) {
        r = judge_stopped(a);
        if (r < 0)
            return err_set(e, r, "interrupted");
        if ((r = upload_write(u, block, (size_t)n, at, NULL, e)) < 0)
            return r;
        at += (uint64_t)n;
    }
    return n < 0 ? (int)n : upload_flush(u, NULL, e);
}

/* Reads the set, and has it restored. */
static int judge_set(struct arrival *a, struct upload *u, struct err *e)
{
    struct account *account = session_account(a->session);
    cleanup(set_freep) struct set *s = NULL;
    const struct set_options o = {
        .unite = a->asked && a->asked->all_shards, .stop = judge_stopped, .arg = a};
    struct err why = {0};
    account_receiving(account, u, a->path);
    int r = set_open(a->judged, a->path, &o, &s, &why);
    if (r < 0) {
        account_refused(account, u, a->path, arrival_reason(a->path, why.text));
        return err_set(e, r, "%s: %s", a->path, arrival_reason(a->path, why.text));
    }
    judge_say_notes(a, s, false);
    upload_open(u);
    if (a->restored)
        r = upload_follow(u, a->restored);
    if (r == 0)
        r = judge_pour(a, s, u, &why);
    if (r < 0)
        upload_abandon(u, why.text, NULL);
    upload_close(u);
    if (r == 0) {
        judge_say_notes(a, s, true);
        free(a->restored);
        a->restored = strdup(set_manifest(s)->id);
    }
    return r < 0 ? err_set(e, r, "%s: %s", a->path, arrival_reason(a->path, why.text)) : 0;
}

static void judge_hold(struct arrival *a, struct upload *u)
{
    lock_scope(&a->lock);
    a->upload = u;
}

/* What is asked, now: a database that an earlier run of the set has made under the asked name is
 * there, and more is added to it. */
static int judge_new_upload(const struct arrival *a, struct upload **out)
{
    struct restore_request asked;
    if (!a->restored || !a->asked || !a->asked->as)
        return upload_new(a->session, a->path, a->asked, out);
    asked = *a->asked;
    asked.merge = MERGE_THEIRS;
    return upload_new(a->session, a->path, &asked, out);
}

static void *judge_run(void *arg)
{
    struct arrival *a = arg;
    cleanup(upload_freep) struct upload *u = NULL;
    struct err why = {0};
    lock_scope(&turn);
    int r = judge_stopped(a);
    if (r == 0)
        r = judge_new_upload(a, &u);
    if (r < 0)
        err_sys(&why, r, "%s", a->path);
    judge_hold(a, u);
    if (r == 0)
        r = judge_set(a, u, &why);
    judge_hold(a, NULL);
    pthread_mutex_lock(&a->lock);
    a->code = r;
    a->why = why;
    a->round++;
    a->judging = false;
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

/* The lock is held in what follows, but in arrival_stop. */

static bool at_once(void *arg)
{
    (void)arg;
    return true;
}

static void judge_interrupt(struct arrival *a)
{
    const struct tarball_reader who = {at_once, NULL};
    a->stop = true;
    if (a->upload)
        upload_abandon(a->upload, "it was interrupted", &who);
}

int arrival_wait(struct arrival *a, const struct tarball_reader *who, struct err *e)
{
    while (a->judging) {
        if (reader_interrupted(who))
            return err_set(e, -EINTR, "%s: interrupted", a->path);
        cond_wait_until(&a->changed, &a->lock, who ? time_mono_ns() + POLL_NS : INT64_MAX);
    }
    return 0;
}

int arrival_judge(struct arrival *a, const struct tarball_reader *who, struct err *e)
{
    if (a->joinable)
        pthread_join(a->thread, NULL);
    a->stop = false;
    a->judged = spool_folder_fd(a->folder);
    int r = -pthread_create(&a->thread, NULL, judge_run, a);
    a->joinable = a->judging = r == 0;
    if (r < 0)
        return err_sys(e, r, "%s", a->path);
    if ((r = arrival_wait(a, who, e)) < 0) {
        judge_interrupt(a);
        return r;
    }
    return a->code < 0 ? err_set(e, a->code, "%s", a->why.text) : 0;
}

void arrival_stop(struct arrival *a)
{
    lock_scope(&a->lock);
    if (a->judging)
        judge_interrupt(a);
    arrival_wait(a, NULL, NULL);
    if (a->joinable)
        pthread_join(a->thread, NULL);
    a->joinable = false;
}
