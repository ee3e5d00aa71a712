/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/remote_internal.h"
#include "mount-helper/nightly/remote_retry.h"
#include "store/base/cleanup.h"
#include "store/base/path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CANNOT_REMOVE "cannot be removed"

int remote_make(struct remote *r, const char *folder, struct err *e)
{
    static const char *const words[] = {"mkdir", NULL};
    struct remote_retry again = {.remote = r};
    int code;
    do
        code = remote_run(r, words, folder, "cannot be made", e);
    while (remote_retry_again(&again, &code, e));
    return code;
}

/* Without looking at the object first. */
static int change_remove_listed(struct remote *r, const char *path, struct err *e)
{
    autofree char *folder = strdup(path), *pattern = remote_pattern(path_last(path));
    if (!folder || !pattern)
        return err_sys(e, -ENOMEM, "%s", path);
    path_up(folder);
    const char *const words[] = {"delete", "--include", pattern, NULL};
    return remote_run(r, words, folder, CANNOT_REMOVE, e);
}

/* rclone also says that an object does not exist where the store did not answer: a listing decides. One
 * that is listed and still does not answer goes from the listing by being deleted, though that fails. */
static int change_remove(struct remote *r, const char *path, struct err *e)
{
    static const char *const words[] = {"deletefile", NULL};
    struct err why;
    int code = remote_run(r, words, path, CANNOT_REMOVE, e);
    if (code != -ENOENT)
        return code;
    code = remote_listed(r, path, e);
    if (code == 0)
        code = change_remove_listed(r, path, e);
    if (code == -EIO && remote_listed(r, path, &why) == -ENOENT)
        code = -ENOENT;
    return code == -ENOENT ? 0 : code;
}

int remote_remove(struct remote *r, const char *path, struct err *e)
{
    struct remote_retry again = {.remote = r};
    int code;
    do
        code = change_remove(r, path, e);
    while (remote_retry_again(&again, &code, e));
    return code;
}

static int change_remove_empty(struct remote *r, const char *path, struct err *e)
{
    static const char *const words[] = {"rmdirs", NULL};
    struct remote_retry again = {.remote = r};
    int code;
    do
        code = remote_run(r, words, path, CANNOT_REMOVE, e);
    while (remote_retry_again(&again, &code, e));
    return code == -ENOENT || code == -ENOTEMPTY ? 0 : code;
}

/* What rclone made beside a container for the segments of its objects goes with it. */
static int change_remove_segments(struct remote *r, const char *path, struct err *e)
{
    cleanup(remote_root_free) struct remote_root root = {0};
    int code = remote_root_of(r, path, &root, e);
    if (code < 0 || strchr(root.path, '/'))
        return code;
    autofree char *segments = remote_segments(root.path);
    return segments ? change_remove_empty(&root.remote, segments, e)
                    : err_sys(e, -ENOMEM, "%s", path);
}

int remote_remove_empty(struct remote *r, const char *path, struct err *e)
{
    int code = remote_ask_patiently(r, e);
    if (code == 0)
        code = change_remove_empty(r, path, e);
    if (code == 0 && r->kind == REMOTE_SWIFT)
        code = change_remove_segments(r, path, e);
    return code;
}

int remote_remove_folders(struct remote *r, const char *path, struct err *e)
{
    autofree char *at = strdup(path);
    int code = at ? 0 : err_sys(e, -ENOMEM, "%s", path);
    while (code == 0 && *at && (code = remote_remove_empty(r, at, e)) == 0)
        path_up(at);
    return code;
}
