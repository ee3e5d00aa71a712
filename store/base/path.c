/* SPDX-License-Identifier: MIT */
#include "store/base/path.h"

#include <stdio.h>
#include <string.h>

const char *path_last(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

bool path_up(char *path)
{
    char *slash = strrchr(path, '/');
    char *end = !slash ? path : slash > path ? slash : path + 1;
    bool cut = *end;
    *end = 0;
    return cut;
}

const char *path_below(const char *path, const char *folder)
{
    size_t n = strlen(folder);
    if (n == 0)
        return *path == '/' ? NULL : path;
    if (strncmp(path, folder, n) != 0)
        return NULL;
    if (folder[n - 1] == '/' || !path[n])
        return path + n;
    return path[n] == '/' ? path + n + 1 : NULL;
}

char *path_join(const char *folder, const char *name)
{
    char *out;
    size_t n = strlen(folder);
    const char *gap = n && *name && folder[n - 1] != '/' ? "/" : "";
    return asprintf(&out, "%s%s%s", folder, gap, name) < 0 ? NULL : out;
}
