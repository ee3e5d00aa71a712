/* SPDX-License-Identifier: MIT */
#include "store/snapshot/place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int place_look(int root, const char *path, enum place_kind *kind, size_t *len)
{
    char part[PATH_MAX];
    *kind = PLACE_FOLDER;
    for (const char *end = path; *kind == PLACE_FOLDER && *end;) {
        struct stat st;
        end += *end == '/';
        end += strcspn(end, "/");
        *len = (size_t)(end - path);
        if (*len >= sizeof(part))
            return -ENAMETOOLONG;
        memcpy(part, path, *len);
        part[*len] = 0;
        /* All before this component was a folder a moment ago. */
        if (fstatat(root, part, &st, AT_SYMLINK_NOFOLLOW) < 0) {
            if (errno != ENOENT && errno != ENOTDIR)
                return -errno;
            *kind = PLACE_NOTHING;
        } else if (S_ISLNK(st.st_mode)) {
            *kind = PLACE_LINK;
        } else if (!S_ISDIR(st.st_mode)) {
            *kind = PLACE_OTHER;
        }
    }
    return 0;
}

char *place_link(int root, const char *path)
{
    enum place_kind kind;
    size_t len = 0;
    char part[PATH_MAX], target[PATH_MAX];
    if (place_look(root, path, &kind, &len) < 0 || kind != PLACE_LINK)
        return NULL;
    memcpy(part, path, len);
    part[len] = 0;
    ssize_t n = readlinkat(root, part, target, sizeof(target) - 1);
    if (n < 0)
        return NULL;
    target[n] = 0;
    for (ssize_t i = 0; i < n; i++)
        if ((unsigned char)target[i] < ' ' || target[i] == 0x7f)
            target[i] = '?';
    return strdup(target);
}
