/* SPDX-License-Identifier: MIT */
/* A session opened and closed, and asked; what is done in one is in session.c. */
#include "store/base/cleanup.h"
#include "store/base/path.h"
#include "store/restore/increments.h"
#include "store/restore/install.h"
#include "store/restore/session.h"
#include "store/restore/session_parts.h"
#include "store/restore/session_upload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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
    ret = staging_recover(s->staging, &t, &why);
    if (ret == 0)
        increments_open(s, t);
    /* Folders that cannot be restored into can still be read: that is said when it is tried. */
    if (ret == -EINVAL || ret == -ENOENT || ret == -ENOTDIR || ret == -EACCES)
        account_say(s->account, "restore is not possible: %s", why.text);
    else if (ret < 0)
        return err_set(e, ret, "%s", why.text);
    *out = steal_ptr(&s);
    return 0;
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

int session_may_begin(struct session *s, struct err *e)
{
    struct err why = {0};
    int ret = staging_may_begin(s->staging, &why);
    if (ret < 0) {
        account_say(s->account, "refused: %s", why.text);
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

struct account *session_account(struct session *s)
{
    return s->account;
}

const struct advice *session_advised(const struct session *s)
{
    return &s->advice;
}

/* A file without a name in this folder, where the file system has such, else one that loses its
 * name at once. */
static int open_nameless(const char *folder)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    int code = fd < 0 ? -errno : fd;
    if (code != -EOPNOTSUPP && code != -EISDIR)
        return code;
    autofree char *name = path_join(folder, ".influxfs-spool.XXXXXX");
    fd = name ? mkostemp(name, O_CLOEXEC) : -1;
    if (fd >= 0 && unlink(name) == 0)
        return fd;
    cleanup_close(&fd);
    return code;
}

int session_spool(void *session, struct err *e)
{
    struct session *s = session;
    const char *data = staging_paths(s->staging)->data;
    autofree char *up = strdup(data);
    if (!up)
        return err_sys(e, -ENOMEM, "restore");
    for (;;) {
        int fd = open_nameless(up);
        if (fd >= 0)
            return fd;
        if (fd == -ENOSPC || !path_up(up) || !*up || strcmp(up, "/") == 0)
            return err_sys(e, fd, "%s: no place for bytes that come out of order", data);
    }
}
