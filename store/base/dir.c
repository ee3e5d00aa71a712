/* SPDX-License-Identifier: MIT */
#include "store/base/dir.h"

#include "store/base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

struct growing {
    char *arena;
    size_t used, cap;
    size_t n;
};

static int dir_add(struct growing *g, const struct dirent *e)
{
    size_t len = strlen(e->d_name) + 2;
    if (g->used + len > g->cap) {
        size_t cap = (g->cap + len) * 2;
        char *p = realloc(g->arena, cap);
        if (!p)
            return -ENOMEM;
        g->arena = p;
        g->cap = cap;
    }
    g->arena[g->used] = (char)e->d_type;
    memcpy(g->arena + g->used + 1, e->d_name, len - 1);
    g->used += len;
    g->n++;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int dir_index(struct growing *g, struct dir *out)
{
    char **names = malloc((g->n + 1) * sizeof(*names));
    if (!names)
        return -ENOMEM;
    char *p = g->arena;
    for (size_t i = 0; i < g->n; i++) {
        names[i] = ++p;
        p += strlen(p) + 1;
    }
    if (g->n)
        qsort(names, g->n, sizeof(*names), by_name);
    *out = (struct dir){names, g->n, steal_ptr(&g->arena)};
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
    struct growing g = {0};
    int r = 0;
    for (;;) {
        errno = 0;
        const struct dirent *e = readdir(d);
        if (!e) {
            r = r ? r : -errno;
            break;
        }
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        r = dir_add(&g, e);
        if (r < 0)
            break;
    }
    if (r == 0)
        r = dir_index(&g, out);
    free(g.arena);
    return r;
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
