/* SPDX-License-Identifier: MIT */
/* What is refused in restore/ before anything is copied. */
#include "fs/uploads_internal.h"

#include "fs/recorder.h"
#include "fs/request.h"
#include "fs/status.h"
#include "store/restore/account.h"

#include <errno.h>

int upload_refuse(struct request *r, const char *path, int code, const struct err *why)
{
    account_say(session_account(r->fs->restore), "refused %s: %s", path, why->text);
    status_failed(r->fs->status, "restore", why->text);
    recorder_restore_ended(r->fs, &(struct account_end){.name = path, .why = why->text});
    return code;
}

int upload_may_begin(struct request *r, const char *name)
{
    struct err why = {0};
    int rc = r->fs->restore ? session_may_begin(r->fs->restore, &why) : -EROFS;
    if (rc == 0 || !why.text[0])
        return rc;
    status_failed(r->fs->status, "restore", why.text);
    recorder_restore_ended(r->fs, &(struct account_end){.name = name, .why = why.text});
    return rc;
}
