/* SPDX-License-Identifier: MIT */
/*
 * A session opened, asked and closed, and the story of a restore from its first bytes to the
 * verdict. What is uploaded is either
 *
 *   a full snapshot   session_claim, then session_install or session_release; or
 *   an increment      increments_receive, then increments_accept or increments_discard.
 *
 * In between it is unpacked and verified by its upload, and nothing here is waited for.
 */
#include "store/restore/session.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/log.h"
#include "store/base/path.h"
#include "store/restore/compose.h"
#include "store/restore/increments.h"
#include "store/restore/install.h"
#include "store/restore/session_folder.h"
#include "store/restore/session_parts.h"
#include "store/restore/session_upload.h"
#include "store/restore/stage_match.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

int session_open(const struct session_options *o, struct session **out, struct err *e)
{
    cleanup(session_closep) struct session *s = calloc(1, sizeof(*s));
    if (!s)
        return err_sys(e, -ENOMEM, "restore");
    s->options = *o;
    int ret = account_open(o->state_fd, &s->account);
    if (ret < 0)
        return err_sys(e, ret, "restore/log");
    if (staging_open(o, s->account, &s->staging) < 0 || parked_open(o->collect, &s->parked) < 0 ||
        record_open(o->state_fd, &s->record) < 0)
        return err_sys(e, -ENOMEM, "restore");
    struct err why = {0};
    cleanup(targets_freep) struct targets *t = NULL;
    ret = staging_recover(s->staging, &t, &s->recovered, &why);
    if (ret != INSTALL_IN_ORDER) /* then it says why nothing was done */
        s->recovered.text[0] = 0;
    if (ret >= 0) {
        increments_open(s, t);
        session_folders_tidy(s, t);
    }
    /* Folders that cannot be restored into can still be read; a restore will say so. */
    if (ret == -EINVAL || ret == -ENOENT || ret == -ENOTDIR || ret == -EACCES)
        account_say(s->account, "restore is not possible: %s", why.text);
    else if (ret < 0)
        return err_set(e, ret, "%s", why.text);
    *out = steal_ptr(&s);
    return 0;
}

const char *session_recovered(const struct session *s)
{
    return s->recovered.text;
}

int session_recover(const struct session_options *o, struct err *done, struct err *e)
{
    cleanup(session_closep) struct session *s = calloc(1, sizeof(*s));
    cleanup(targets_freep) struct targets *t = NULL;
    if (!s)
        return err_sys(e, -ENOMEM, "restore");
    int ret = account_open(o->state_fd, &s->account);
    if (ret == 0)
        ret = staging_open(o, s->account, &s->staging);
    return ret < 0 ? err_sys(e, ret, "restore/log") : staging_recover(s->staging, &t, done, e);
}

void session_close(struct session *s)
{
    if (!s)
        return;
    parked_close(s->parked);
    staging_close(s->staging);
    record_close(s->record);
    account_close(s->account);
    advice_clear(&s->advice);
    free(s);
}

static int session_begins(struct session *s, bool hold, struct err *e)
{
    struct err why = {0};
    int ret = staging_may_begin(s->staging, hold, &why);
    if (ret < 0) {
        account_say(s->account, "refused: %s", why.text);
        err_set(e, ret, "%s", why.text);
    }
    return ret;
}

int session_may_begin(struct session *s, struct err *e)
{
    return session_begins(s, false, e);
}

int session_hold(struct session *s, struct err *e)
{
    return session_begins(s, true, e);
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

struct account *session_account(struct session *s)
{
    return s->account;
}

const struct advice *session_advised(const struct session *s)
{
    return &s->advice;
}

/* A restore */

int session_spool(void *session, struct err *e)
{
    struct session *s = session;
    const char *data = staging_paths(s->staging)->data;
    autofree char *up = strdup(data);
    if (!up)
        return err_sys(e, -ENOMEM, "restore");
    for (;;) {
        int fd = io_open_nameless(AT_FDCWD, up);
        if (fd >= 0)
            return fd;
        if (fd == -ENOSPC || !path_up(up) || !*up || strcmp(up, "/") == 0)
            return err_sys(e, fd, "%s: no place for bytes that come out of order", data);
    }
}

const struct translator *session_translator(const struct session *s)
{
    return s->options.translator;
}

/* After leaving the staging area, handles the increments that were kept meanwhile. */
static void session_leave(struct session *s)
{
    if (staging_leave(s->staging))
        increments_catch_up(s);
}

void session_say_begun(struct session *s, const char *name, const struct manifest *m)
{
    char line[1024];
    account_say(s->account, "restoring %s: snapshot %s of %s, taken %s, %llu files, %llu bytes",
                name, m->id, m->host, manifest_time(m), (unsigned long long)m->nfiles + m->unlisted,
                (unsigned long long)m->bytes);
    if (omissions_that_count(&m->left_out)) {
        omissions_say(&m->left_out, line, sizeof(line));
        account_say(s->account, "the snapshot lacks what was %s", line);
    }
    for (size_t i = 0; i < m->nlinks; i++)
        account_say(s->account, "a symbolic link when it was taken, a plain folder now: %s",
                    m->links[i]);
}

/* Before all is unpacked. */
static int session_check_name(struct session *s, const struct restore_request *asked, struct err *e)
{
    cleanup(targets_freep) struct targets *t = NULL;
    int ret = asked && asked->as ? staging_targets(s->staging, &t, e) : 0;
    return t ? compose_check_name(t, asked, e) : ret;
}

void session_use_cuts(struct session *s, struct cuts *c)
{
    s->cuts = c;
}

/* Of a snapshot that is retained as a cut, files are linked if they arrive as they are there. */
static void session_match_cut(const struct session *s, const struct manifest *m,
                              const struct restore_request *asked, struct stage *stage)
{
    struct originals *o = NULL;
    struct err why = {0};
    if (!s->cuts || restore_request_composes(asked))
        return;
    int r = originals_open(s->cuts, m->id, &o, &why);
    if (r == 0)
        stage_match_with(stage, o);
    else if (r != -ENOENT)
        log_info("snapshot %s is written anew: %s", m->id, why.text[0] ? why.text : strerror(-r));
}

int session_claim(struct session *s, const struct upload *u, const char *name,
                  const struct manifest *m, const struct restore_request *asked, struct stage **out,
                  struct err *e)
{
    if (!staging_take(s->staging, u))
        return err_set(e, -EAGAIN, "another restore is under way; copy %s when it is done", name);
    account_trim_log(s->account);
    parked_expire(s->parked);
    int ret = session_check_name(s, asked, e);
    if (ret == 0)
        ret = staging_begin(s->staging, m, out, e);
    if (ret < 0)
        session_leave(s);
    if (ret < 0)
        return ret;
    session_match_cut(s, m, asked, *out);
    return 0;
}

void session_release(struct session *s, const struct upload *u)
{
    struct err why = {0};
    cleanup(manifest_freep) struct manifest *full = NULL;
    struct targets *t = staging_take_back(s->staging, u, &full);
    if (!t)
        return;
    if (targets_tidy(t, &why) < 0)
        account_say(s->account, "%s", why.text);
    staging_remove_homes(s->staging, t);
    targets_free(t);
    session_leave(s);
}

/* Exchanges the store with the staged full snapshot and the increments that follow. Of increments
 * that wait for what the store may become, none is for a part of a snapshot. */
static int session_exchange(struct session *s, struct job *j, const struct manifest *full,
                            struct err *e)
{
    const bool alone = j->request && !s->options.collect;
    int ret = alone ? 0 : increments_gather(s, j, full, NULL, e);
    if (ret == 0)
        ret = job_plan(j, full, e);
    if (ret < 0)
        targets_tidy(j->t, NULL);
    else
        ret = job_run(j, NULL, e);
    if (ret < 0)
        return ret;
    if (alone)
        return 0;
    if (!j->request)
        increments_settle(s, j, NULL);
    parked_clear(s->parked);
    return 0;
}

static void session_say_installing(struct session *s, const char *name,
                                   const struct restore_request *q)
{
    struct err words;
    account_state(s->account, PROGRESS_INSTALLING, name, NULL);
    if (q)
        restore_request_words(q, &words);
    if (q)
        account_say(s->account, "installing of %s: %s", name, words.text);
    else
        account_say(s->account, "installing %s", name);
}

int session_install(struct session *s, const struct upload *u, const char *name,
                    const struct restore_request *asked, const char *follows,
                    const struct staged_cut *cut, struct err *e)
{
    cleanup(manifest_freep) struct manifest *full = NULL;
    cleanup(restore_request_freep) struct restore_request *q = NULL;
    struct targets *t = staging_take_back(s->staging, u, &full);
    if (!t)
        return err_set(e, -EINVAL, "%s is not verified", name);
    struct job j = outcome_begin(s, t);
    int ret = compose_asked(t, full, asked, &q, e);
    session_say_installing(s, name, q);
    j.request = q;
    j.follows = follows;
    j.cut = cut;
    if (ret == 0)
        ret = session_exchange(s, &j, full, e);
    else
        targets_tidy(t, NULL);
    outcome_end(s, &j, ret == 0 ? PROGRESS_RESTORED : PROGRESS_REFUSED, ret == 0, name, e->text);
    session_leave(s);
    return ret;
}

int session_forget_waiting(struct session *s, struct err *e)
{
    if (!staging_take(s->staging, NULL))
        return err_set(e, -EAGAIN, "another restore is under way");
    int ret = increments_forget(s, e);
    session_leave(s);
    return ret;
}

void session_expire(struct session *s)
{
    if (!parked_any(s->parked) || !staging_take_free(s->staging))
        return;
    parked_expire(s->parked);
    session_leave(s);
}
