/* SPDX-License-Identifier: MIT */
/* The files of a set that arrives: made, written, renamed and removed. */
#include "store/sets/arrival_impl.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/lock.h"
#include "store/restore/account.h"
#include "store/sets/set.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int arrival_new(struct session *s, const char *path, const struct restore_request *asked,
                struct arrival **out, struct err *e)
{
    struct arrival *a = calloc(1, sizeof(*a));
    if (!a)
        return err_sys(e, -ENOMEM, "%s", path);
    a->session = s;
    a->refs = a->round = 1;
    a->code = 1;
    pthread_mutex_init(&a->lock, NULL);
    cond_init(&a->changed);
    a->path = strdup(path);
    int r = a->path ? restore_request_copy(asked, &a->asked) : -ENOMEM;
    r = r < 0 ? err_sys(e, r, "%s", path) : session_folder_new(s, &a->folder, e);
    if (r < 0) {
        arrival_unref(a);
        return r;
    }
    account_say(session_account(s), "receiving %s: files of a set of influxd", path);
    account_receiving(session_account(s), arrival_as_upload(a), path);
    *out = a;
    return 0;
}

struct arrival *arrival_ref(struct arrival *a)
{
    lock_scope(&a->lock);
    a->refs++;
    return a;
}

void arrival_unref(struct arrival *a)
{
    if (!a)
        return;
    pthread_mutex_lock(&a->lock);
    bool last = --a->refs == 0;
    pthread_mutex_unlock(&a->lock);
    if (!last)
        return;
    arrival_stop(a);
    session_folder_free(a->session, a->folder);
    restore_request_free(a->asked);
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->lock);
    free(a->restored);
    free(a->path);
    free(a);
}

bool arrival_waits(struct arrival *a)
{
    lock_scope(&a->lock);
    bool waits = a->code == 1;
    for (const struct arrival_name *n = a->names; n && !waits; n = n->hh.next)
        waits = n->file ? !n->file->arrived || arrival_is_fresh(n->file) : n->wanted > 0;
    return waits && a->folder && a->names;
}

bool arrival_is_judged(struct arrival *a)
{
    lock_scope(&a->lock);
    return a->judging;
}

void arrival_drop(struct arrival *a)
{
    struct err why, line;
    struct spool_folder *folder;
    bool waits = arrival_waits(a);
    pthread_mutex_lock(&a->lock);
    folder = steal_ptr(&a->folder); /* first: nobody who waits for the verdict begins another one */
    if (waits)
        arrival_say_missing(a, &why);
    pthread_mutex_unlock(&a->lock);
    arrival_stop(a);
    session_folder_free(a->session, folder);
    if (!waits)
        return;
    err_set(&line, 0, "never complete: %s", why.text);
    arrival_log_refused(a, line.text);
}

static int arrival_gone(const struct arrival *a, struct err *e)
{
    return a->folder ? 0 : err_set(e, -ESTALE, "%s: what was copied before is gone", a->path);
}

/* Takes the lock, once nothing is judged. On failure it is not taken. */
static int arrival_enter(struct arrival *a, const struct tarball_reader *who, struct err *e)
{
    pthread_mutex_lock(&a->lock);
    int r = arrival_wait(a, who, e);
    if (r == 0)
        r = arrival_gone(a, e);
    if (r < 0)
        pthread_mutex_unlock(&a->lock);
    return r;
}

int arrival_done(struct arrival *a, const struct tarball_reader *who, struct err *e)
{
    int r = arrival_enter(a, who, e);
    if (r < 0)
        return r;
    bool fresh = a->code != 0;
    struct err why;
    for (const struct arrival_name *n = a->names; n; n = n->hh.next) {
        if (n->file ? !n->file->arrived : n->wanted > 0)
            r = -EBADMSG; /* what comes next may complete it */
        fresh |= arrival_is_fresh(n->file);
    }
    if (r < 0) {
        arrival_say_missing(a, &why);
        arrival_log_refused(a, why.text);
        err_set(e, r, "%s: %s", a->path, why.text);
    } else if (fresh) {
        r = arrival_judge(a, who, e);
    }
    pthread_mutex_unlock(&a->lock);
    return r;
}

/* Files; the lock is held in what is static */

/* The name by which the set is judged belongs to the file, which has it on disk too. */
static int arrival_name_file(struct arrival_file *f, const char *name, bool temporary, char **disk,
                             struct arrival_name **as)
{
    bool counts = !temporary && set_name_kind(name) != SET_NO_NAME;
    *as = NULL;
    if (counts)
        *disk = strdup(name);
    else if (asprintf(disk, ".%u", f->in->next++) < 0)
        *disk = NULL;
    if (*disk && counts && !(*as = arrival_name_get(f->in, name)))
        free(steal_ptr(disk));
    return *disk ? 0 : -ENOMEM;
}

/* It does not count any more, and has no name. */
static void arrival_detach(struct arrival_file *f)
{
    struct arrival_name *as = steal_ptr(&f->as);
    arrival_take_back(f);
    free(steal_ptr(&f->disk));
    if (as) {
        as->file = NULL;
        arrival_name_forget(f->in, as);
    }
}

static int arrival_make(struct arrival *a, struct arrival_file *f, const char *name, bool temporary)
{
    int r = arrival_name_file(f, name, temporary, &f->disk, &f->as);
    if (r < 0)
        return r;
    if (f->as && f->as->file)
        r = -EEXIST;
    autoclose int fd = r < 0 ? -1
                             : openat(spool_folder_fd(a->folder), f->disk,
                                      O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (r == 0 && fd < 0)
        r = -errno;
    if (r == 0 && f->as)
        f->as->file = f;
    if (r < 0) {
        struct arrival_name *as = steal_ptr(&f->as);
        if (as)
            arrival_name_forget(a, as);
        free(steal_ptr(&f->disk));
    }
    return r;
}

int arrival_add(struct arrival *a, const char *name, bool temporary,
                const struct tarball_reader *who, struct arrival_file **out, struct err *e)
{
    struct arrival_file *f = calloc(1, sizeof(*f));
    if (!f)
        return err_sys(e, -ENOMEM, "%s/%s", a->path, name);
    int r = arrival_enter(a, who, e);
    if (r == 0) {
        f->in = a;
        r = arrival_make(a, f, name, temporary);
        if (r == 0)
            a->refs++;
        else
            err_sys(e, r, "%s/%s", a->path, name);
        pthread_mutex_unlock(&a->lock);
    }
    if (r < 0)
        free(f);
    else
        *out = f;
    return r;
}

static int arrival_move(struct arrival_file *f, const char *name, bool temporary)
{
    struct arrival *a = f->in;
    const int folder = spool_folder_fd(a->folder);
    struct arrival_name *as;
    autofree char *disk = NULL;
    int r = arrival_name_file(f, name, temporary, &disk, &as);
    if (r == 0 && renameat(folder, f->disk, folder, disk) < 0)
        r = -errno;
    if (r < 0) {
        if (as)
            arrival_name_forget(a, as);
        return r;
    }
    if (as && as->file && as->file != f)
        arrival_detach(as->file);
    bool arrived = f->arrived;
    arrival_detach(f);
    f->disk = steal_ptr(&disk);
    /* Both may have forgotten the name. */
    f->as = as ? arrival_name_get(a, name) : NULL;
    if (as && !f->as)
        return -ENOMEM;
    if (f->as)
        f->as->file = f;
    f->arrived = arrived;
    return 0;
}

int arrival_rename(struct arrival_file *f, const char *name, bool temporary,
                   const struct tarball_reader *who, bool *renamed, struct err *e)
{
    struct arrival *a = f->in;
    *renamed = false;
    if (!temporary && strcmp(name, ARRIVAL_DONE) == 0) {
        int r = arrival_done(a, who, e);
        if (r < 0)
            return r;
    }
    int r = arrival_enter(a, who, e);
    if (r < 0)
        return r;
    r = !f->disk ? -ESTALE : arrival_move(f, name, temporary);
    *renamed = r == 0;
    if (r < 0)
        err_sys(e, r, "%s/%s", a->path, name);
    else if (f->as && f->arrived && (r = arrival_take_in(f, e)) == 0 && arrival_is_ready(a))
        r = arrival_judge(a, who, e);
    pthread_mutex_unlock(&a->lock);
    return r;
}

void arrival_remove(struct arrival_file *f)
{
    struct arrival *a = f->in;
    lock_scope(&a->lock);
    if (a->folder && f->disk)
        unlinkat(spool_folder_fd(a->folder), f->disk, 0);
    arrival_detach(f);
}

void arrival_file_free(struct arrival_file *f)
{
    if (!f)
        return;
    arrival_remove(f);
    arrival_unref(f->in);
    free(f);
}

bool arrival_refused(struct arrival_file *f)
{
    lock_scope(&f->in->lock);
    return f->arrived && !arrival_is_fresh(f) && f->in->code < 0;
}

uint64_t arrival_size(struct arrival_file *f)
{
    lock_scope(&f->in->lock);
    return f->arrived && !arrival_is_fresh(f) && f->in->code < 0 ? 0 : f->size;
}
