/* SPDX-License-Identifier: MIT */
#include "store/chain/cutstream.h"

#include "store/base/cleanup.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct cutstream {
    struct cutscan **files; /* the later one counts */
    size_t n;
    struct cut_entry entry; /* the last one given */
    char path[PATH_MAX];    /* its path; "": none yet */
};

int cutstream_new(struct cutscan **files, size_t n, struct cutstream **out, struct err *e)
{
    struct cutstream *s = calloc(1, sizeof(*s));
    struct cutscan **own = calloc(n + 1, sizeof(struct cutscan *));
    if (!s || !own) {
        for (size_t i = 0; i < n; i++)
            cutscan_close(files[i]);
        free(s);
        free(own);
        return err_sys(e, -ENOMEM, "cuts");
    }
    if (n)
        memcpy(own, files, n * sizeof(struct cutscan *));
    *s = (struct cutstream){.files = own, .n = n};
    *out = s;
    return 0;
}

void cutstream_free(struct cutstream *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n; i++)
        cutscan_close(s->files[i]);
    free(s->files);
    free(s);
}

/* The least path that any file has at hand, in the latest file that has it; SIZE_MAX: the end. */
static size_t cutstream_least(const struct cutstream *s)
{
    const char *least = NULL;
    size_t found = SIZE_MAX;
    for (size_t i = s->n; i-- > 0;) {
        const struct cut_entry *e = cutscan_entry(s->files[i]);
        if (!e || (least && cut_path_cmp(e->path, least) >= 0))
            continue;
        least = e->path;
        found = i;
    }
    return found;
}

/* All files go beyond the last one given. */
static int cutstream_pass(struct cutstream *s, struct err *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && *s->path && i < s->n; i++) {
        const struct cut_entry *at = cutscan_entry(s->files[i]);
        if (at && strcmp(at->path, s->path) == 0)
            r = cutscan_next(s->files[i], e);
    }
    return r;
}

/* Whether a later file than `of` says that the entry at hand has gone. */
static int cutstream_is_gone(struct cutstream *s, size_t of, struct err *e)
{
    int r = 0;
    for (size_t i = of + 1; r == 0 && i < s->n; i++)
        r = cutscan_removes(s->files[i], s->path, cut_is_folder(&s->entry), e);
    return r;
}

int cutstream_next(struct cutstream *s, const struct cut_entry **out, struct err *e)
{
    for (;;) {
        int r = cutstream_pass(s, e);
        const size_t i = r == 0 ? cutstream_least(s) : SIZE_MAX;
        *out = NULL;
        if (i == SIZE_MAX)
            return r;
        s->entry = *cutscan_entry(s->files[i]);
        strcpy(s->path, s->entry.path);
        s->entry.path = s->path;
        if ((r = cutstream_is_gone(s, i, e)) < 0)
            return r;
        if (r == 0) {
            *out = &s->entry;
            return 0;
        }
    }
}

int cutstream_seek(struct cutstream *s, const char *path, struct err *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < s->n; i++)
        r = cutscan_seek(s->files[i], path, e);
    return r;
}

int cutstream_skip(struct cutstream *s, const char *folder, struct err *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < s->n; i++)
        r = cutscan_skip(s->files[i], folder, e);
    return r;
}

int cutstream_restart(struct cutstream *s, const char *path, struct err *e)
{
    int r = 0;
    *s->path = 0;
    for (size_t i = 0; r == 0 && i < s->n; i++)
        r = cutscan_restart(s->files[i], path, e);
    return r;
}
