/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/remote_internal.h"
#include "mount-helper/nightly/remote_words.h"
#include "store/base/cleanup.h"
#include "store/base/path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* NAME: and the path, or NAME:BASE/path, or FOLDER/path. */
static char *remote_join(const struct remote *r, const char *path)
{
    char *joined = NULL;
    const size_t n = strlen(r->name);
    if (n && r->name[n - 1] == ':')
        return asprintf(&joined, "%s%s", r->name, path) < 0 ? NULL : joined;
    return path_join(r->name, path);
}

static size_t count(const void *list)
{
    size_t n = 0;
    for (const char *const *p = list; p && *p; p++)
        n++;
    return n;
}

int remote_start(struct remote *r, const char *const *words, const char *path,
                 enum remote_child_use use, struct remote_child **out, struct err *e)
{
    const size_t n = count(words), extra = count(r->extra);
    autofree char *where = path ? remote_join(r, path) : NULL;
    autofree char **argv = calloc(n + extra + 3, sizeof(*argv));
    if (!argv || (path && !where))
        return err_sys(e, -ENOMEM, "%s", r->shown);
    argv[0] = r->program;
    memcpy(argv + 1, words, n * sizeof(*argv));
    if (extra)
        memcpy(argv + 1 + n, r->extra, extra * sizeof(*argv));
    argv[1 + n + extra] = where;
    char **env = r->env[use == REMOTE_CHILD_FEED];
    return remote_child_start(argv, env, use, &r->times, out, e);
}

const char *remote_slash(const struct remote *r)
{
    const size_t n = strlen(r->shown);
    return n && strchr(":/", r->shown[n - 1]) ? "" : "/";
}

int remote_failed(const struct remote *r, int code, const char *path, const char *what,
                  const char *why, struct err *e)
{
    const char *remedy = "";
    if (code == -ENOSPC)
        remedy = "; make space there, or raise its quota";
    else if (code == -EACCES)
        remedy = "; see what this user may do there, and rclone's configuration";
    const char *slash = path && *path ? remote_slash(r) : "";
    return err_set(e, code, "%s%s%s %s: %s%s", r->shown, slash, path ? path : "", what, why,
                   remedy);
}

int remote_cut_short(const struct remote *r, ssize_t code, const char *path, const char *what,
                     struct err *e)
{
    const char *why = code == -EINTR ? "this program was asked to stop" : strerror((int)-code);
    return remote_failed(r, (int)code, path, what, why, e);
}

int remote_finish(const struct remote *r, struct remote_child *c, const char *path,
                  const char *what, struct err *e)
{
    char words[REMOTE_WORDS];
    const int code = remote_child_wait(c);
    if (code == -EINTR)
        return remote_cut_short(r, code, path, what, e);
    if (code == 0)
        return 0;
    remote_words(remote_child_text(c), code, words);
    return remote_failed(r, remote_words_code(words, path, code), path, what, words, e);
}

int remote_run(struct remote *r, const char *const *words, const char *path, const char *what,
               struct err *e)
{
    cleanup(remote_child_closep) struct remote_child *c = NULL;
    const int code = remote_start(r, words, path, REMOTE_CHILD_RUN, &c, e);
    return code < 0 ? code : remote_finish(r, c, path, what, e);
}

int remote_capture(struct remote *r, const char *const *words, const char *path, const char *what,
                   size_t max, struct buffer *out, struct err *e)
{
    cleanup(remote_child_closep) struct remote_child *c = NULL;
    char piece[16384];
    const size_t before = out->n;
    ssize_t n = remote_start(r, words, path, REMOTE_CHILD_READ, &c, e);
    if (n < 0)
        return (int)n;
    while ((n = remote_child_read(c, piece, sizeof(piece))) > 0) {
        buffer_add(out, piece, (size_t)n);
        if (out->failed)
            return remote_failed(r, -ENOMEM, path, what, "out of memory", e);
        if (out->n - before > max)
            return remote_failed(r, -EFBIG, path, what, "it is too large", e);
    }
    return n < 0 ? remote_cut_short(r, n, path, what, e) : remote_finish(r, c, path, what, e);
}
