/* SPDX-License-Identifier: MIT */
#include "store/influx/state.h"

#include "store/base/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int default_path(const char *data, char **out)
{
    autofree char *real = realpath(data, NULL);
    const char *path = real ? real : data;
    const char *slash = strrchr(path, '/');
    return asprintf(out, "%.*s/influxfs", slash ? (int)(slash - path) : 1, slash ? path : ".") < 0
               ? -ENOMEM
               : 0;
}

static int absolute(const char *given, char **out)
{
    autofree char *here = *given == '/' ? NULL : getcwd(NULL, 0);
    if (*given != '/' && !here)
        return -errno;
    return asprintf(out, "%s%s%s", here ? here : "", here ? "/" : "", given) < 0 ? -ENOMEM : 0;
}

/* Its parent must exist: a store that does not exist yet gets no folders for our sake. */
static int check(const char *path, bool make)
{
    if (make && mkdir(path, 0700) < 0 && errno != EEXIST)
        return -errno;
    return access(path, R_OK | W_OK | X_OK) < 0 ? -errno : 0;
}

int state_folder(const struct store_paths *paths, const char *given, bool make, char **out)
{
    char *path = NULL;
    int r = given ? absolute(given, &path) : default_path(paths->data, &path);
    *out = r < 0 ? NULL : path;
    return r < 0 ? r : check(path, make);
}
