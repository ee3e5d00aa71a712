/* SPDX-License-Identifier: MIT */
#include "store/base/dir.h"

#include "store/base/buffer.h"
#include "store/base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Takes over the entries; each is a type and a NUL-terminated name. */
static int dir_index(struct buffer *entries, size_t n, struct dir *out)
{
    char **names = malloc((n + 1) * sizeof(*names));
    char *arena = entries->failed || !names ? NULL : realloc(entries->p, entries->n + 1);
    if (!arena) {
        free(names);
        return -ENOMEM;
    }
    *entries = (struct buffer){0};
    *out = (struct dir){names, n, arena};
    for (size_t i = 0; i < n; i++) {
        names[i] = ++arena;
        arena += strlen(arena) + 1;
    }
    if (n)
        qsort(names, n, sizeof(*names), by_name);
    return 0;
}

int dir_read(int fd, struct dir *out)
{
    autoclose int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (own < 0)
        return -errno;
    autoclosedir DIR *d = fdopendir(own);
    if (!d)
        return -errno;
    own = -1;
    cleanup(buffer_free) struct buffer entries = {0};
    size_t n = 0;
    const struct dirent *e;
    while (errno = 0, e = readdir(d)) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        buffer_add(&entries, &e->d_type, 1);
        buffer_add(&entries, e->d_name, strlen(e->d_name) + 1);
        n++;
    }
    return errno ? -errno : dir_index(&entries, n, out);
}

static bool is_name(const char *name)
{
    return *name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

int dir_pick(int fd, const char *const *names, size_t n, struct dir *out)
{
    cleanup(buffer_free) struct buffer entries = {0};
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        struct stat st;
        if (!is_name(names[i]))
            continue;
        if (fstatat(fd, names[i], &st, AT_SYMLINK_NOFOLLOW) < 0) {
            if (errno != ENOENT && errno != ENAMETOOLONG)
                return -errno;
            continue;
        }
        buffer_add(&entries, &(char){(char)IFTODT(st.st_mode)}, 1);
        buffer_add(&entries, names[i], strlen(names[i]) + 1);
        found++;
    }
    return dir_index(&entries, found, out);
}

long dir_find(const struct dir *d, const char *name)
{
    char *const *p = bsearch(&name, d->names, d->n, sizeof(*d->names), by_name);
    return p ? (long)(p - d->names) : -1;
}

void dir_free(struct dir *d)
{
    free(d->names);
    free(d->arena);
    *d = (struct dir){0};
}
