/* SPDX-License-Identifier: MIT */
#include "store/restore/labels.h"

#include "store/base/cleanup.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#define ACL "system.posix_acl_"
#define LABEL "security.selinux"
#define USER "user."

static bool is_acl(const char *name)
{
    return strncmp(name, ACL, strlen(ACL)) == 0;
}

static bool is_label(const char *name)
{
    return is_acl(name) || strcmp(name, LABEL) == 0 || strncmp(name, USER, strlen(USER)) == 0;
}

/* Its value; *len is 0 and there is none if the folder lacks it. */
static int label_get(int fd, const char *name, char **value, size_t *len)
{
    autofree char *v = malloc(XATTR_SIZE_MAX);
    if (!v)
        return -ENOMEM;
    ssize_t n = fgetxattr(fd, name, v, XATTR_SIZE_MAX);
    if (n < 0 && errno != ENODATA && errno != EOPNOTSUPP)
        return -errno;
    *len = n < 0 ? 0 : (size_t)n;
    *value = n < 0 ? NULL : steal_ptr(&v);
    return 0;
}

/* One that is the same is not set: what was inherited may be what may not be set. */
static int label_copy(int from, int to, const char *name)
{
    autofree char *want = NULL, *have = NULL;
    size_t want_len, have_len;
    int r = label_get(from, name, &want, &want_len);
    if (r == 0)
        r = label_get(to, name, &have, &have_len);
    if (r < 0 || (!want && (!have || !is_acl(name))))
        return r;
    if (!want)
        return fremovexattr(to, name) < 0 ? -errno : 0;
    if (have && want_len == have_len && memcmp(want, have, want_len) == 0)
        return 0;
    return fsetxattr(to, name, want, want_len, 0) < 0 ? -errno : 0;
}

/* Copies those that `listed`, which is one of the two, has. */
static int labels_copy_listed(int listed, int from, int to, char failed[XATTR_NAME_MAX + 1])
{
    int first = 0;
    autofree char *names = malloc(XATTR_LIST_MAX);
    ssize_t n = names ? flistxattr(listed, names, XATTR_LIST_MAX) : 0;
    if (!names || n < 0)
        return !names ? -ENOMEM : errno == EOPNOTSUPP ? 0 : -errno;
    for (const char *name = names; name < names + n; name += strlen(name) + 1) {
        int r = is_label(name) ? label_copy(from, to, name) : 0;
        if (r < 0 && first == 0) {
            snprintf(failed, XATTR_NAME_MAX + 1, "%s", name);
            first = r;
        }
    }
    return first;
}

int labels_copy(int from, int to, char failed[XATTR_NAME_MAX + 1])
{
    snprintf(failed, XATTR_NAME_MAX + 1, "its labels");
    int r = labels_copy_listed(from, from, to, failed);
    return r < 0 ? r : labels_copy_listed(to, from, to, failed);
}
