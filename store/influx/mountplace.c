/* SPDX-License-Identifier: MIT */
#include "store/influx/mountplace.h"

#include "store/base/cleanup.h"
#include "store/base/path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void mountplace_strip(char *path)
{
    for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--)
        path[n - 1] = 0;
}

/* realpath(3) fails on what is missing and on a dead mount, so these are put aside. */
int mountplace_find(const char *path, char **out)
{
    autofree char *there = strdup(path), *rest = strdup("");
    if (!there || !rest)
        return -ENOMEM;
    if (!*path)
        return -ENOENT;
    for (;;) {
        autofree char *real = realpath(*there ? there : ".", NULL);
        if (real) {
            *out = path_join(real, rest);
            return *out ? 0 : -ENOMEM;
        }
        if (errno != ENOENT && errno != ENOTCONN)
            return -errno;
        mountplace_strip(there);
        const char *name = path_last(there);
        if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            return -ENOENT;
        char *more = path_join(name, rest);
        if (!more)
            return -ENOMEM;
        free(rest);
        rest = more;
        path_up(there);
    }
}

/* Whether the folder hides what path leads to: each step of the path may be a link. */
static int mountplace_hides(const char *folder, const char *path, bool *out)
{
    autofree char *up = strdup(path);
    if (!up)
        return -ENOMEM;
    do {
        autofree char *real = NULL;
        int r = mountplace_find(up, &real);
        if (r == -ENOMEM)
            return r;
        *out = path_below(real ? real : up, folder) != NULL;
    } while (!*out && path_up(up));
    return 0;
}

/* is_file: it is enough not to be above it. */
static int mountplace_check_one(const char *place, const char *path, bool is_file, const char *what,
                                struct err *e)
{
    autofree char *real = NULL;
    bool hides = false;
    const char *within = NULL;
    int r = mountplace_find(path, &real);
    if (r == 0 && !is_file)
        within = path_below(place, real);
    if (within)
        return err_set(e, -EINVAL, "mountpoint %s: %s the %s %s; take a folder elsewhere", place,
                       *within ? "lies within" : "is", what, path);
    r = mountplace_hides(place, path, &hides);
    if (r < 0)
        return err_sys(e, r, "mountpoint %s", place);
    return hides
               ? err_set(e, -EINVAL, "mountpoint %s: would hide the %s %s; take a folder elsewhere",
                         place, what, path)
               : 0;
}

int mountplace_check(const char *place, const struct store_paths *store, const char *state,
                     struct err *e)
{
    autofree char *folder = NULL;
    int r = 0;
    for (size_t i = 0; r == 0 && i < STORE_FOLDERS; i++)
        r = mountplace_check_one(place, store_folder(store, i), false, "store's folder", e);
    if (r == 0)
        state_folder(store, state, false, &folder); /* whether it can be used is not asked here */
    if (r == 0 && folder)
        r = mountplace_check_one(place, folder, false, "state folder", e);
    if (r == 0 && store->config)
        r = mountplace_check_one(place, store->config, true, "configuration", e);
    return r;
}
