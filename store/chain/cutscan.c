/* SPDX-License-Identifier: MIT */
#include "store/chain/cutscan.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/path.h"
#include "store/chain/cutscan_section.h"
#include "store/snapshot/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PIECE ((size_t)256 << 10)

struct cutscan {
    char name[32];
    int fd;
    struct cutscan_section entries, removed, removed_folders, rest;
    struct cut_entry entry; /* the one at hand */
    bool have;              /* there is one */
    char last[PATH_MAX];    /* its path: they must rise */
    struct gone {           /* the name at which a list of those that have gone stands */
        char path[PATH_MAX];
        bool begun, ended;
    } file, folder;
};

void cutscan_close(struct cutscan *f)
{
    if (!f)
        return;
    cutscan_section_clear(&f->entries);
    cutscan_section_clear(&f->removed);
    cutscan_section_clear(&f->removed_folders);
    cutscan_section_clear(&f->rest);
    cleanup_close(&f->fd);
    free(f);
}

static int cutscan_bad(const struct cutscan *f, struct err *e)
{
    return err_set(e, -EBADMSG,
                   "the manifest of cut %s is damaged: names out of order, or what may not stand "
                   "there",
                   f->name);
}

static bool is_of_lower_rank(const void *key, char *line)
{
    return cut_line_rank(line) < *(const int *)key;
}

/* Where the lines of a rank begin, at or after `at`. */
static int cutscan_begins(struct cutscan *f, uint64_t at, uint64_t end, int wanted, uint64_t *out,
                          struct err *e)
{
    struct cutscan_section s = {.name = f->name, .fd = f->fd, .at = at, .end = end};
    char *line = NULL;
    int r = cutscan_section_seek(&s, is_of_lower_rank, &wanted, e);
    do {
        *out = s.at;
        if (r == 0)
            r = cutscan_section_line(&s, &line, e);
    } while (r == 0 && line && cut_line_rank(line) < wanted);
    cutscan_section_clear(&s);
    return r;
}

static int cutscan_find_sections(struct cutscan *f, uint64_t end, struct err *e)
{
    uint64_t at[5] = {0};
    int r = 0;
    for (int i = 1; r == 0 && i < 5; i++)
        r = cutscan_begins(f, at[i - 1], end, i, &at[i], e);
    struct cutscan_section *const all[] = {&f->entries, &f->removed, &f->removed_folders, &f->rest};
    for (int i = 0; i < 4; i++)
        *all[i] = (struct cutscan_section){.name = f->name,
                                           .fd = f->fd,
                                           .begin = at[i + 1],
                                           .at = at[i + 1],
                                           .end = i < 3 ? at[i + 2] : end};
    return r;
}

static int cutscan_check_seal(struct cutscan *f, uint64_t size, bool sealed, struct err *e)
{
    char head[CUT_MAGIC_BYTES], seal[CUT_SEAL_BYTES];
    if (size < sizeof(head) + sizeof(seal))
        return cut_seal_check(f->name, NULL, NULL, NULL, e);
    int r = io_pread_all(f->fd, head, sizeof(head), 0);
    if (r == 0)
        r = io_pread_all(f->fd, seal, sizeof(seal), size - sizeof(seal));
    cleanup(sha256_freep) struct sha256 *h = sealed ? NULL : sha256_new();
    autofree char *buf = sealed ? NULL : malloc(PIECE);
    if (!sealed && (!h || !buf))
        r = -ENOMEM;
    for (uint64_t at = 0, end = size - sizeof(seal); r == 0 && !sealed && at < end;) {
        const size_t n = end - at < PIECE ? (size_t)(end - at) : PIECE;
        if ((r = io_pread_all(f->fd, buf, n, at)) == 0)
            sha256_add(h, buf, n);
        at += n;
    }
    return r < 0 ? err_sys(e, r, "the manifest of cut %s", f->name)
                 : cut_seal_check(f->name, head, seal, h, e);
}

int cutscan_open(int dirfd, const char *name, bool sealed, struct cutscan **out, struct err *e)
{
    cleanup(cutscan_closep) struct cutscan *f = calloc(1, sizeof(*f));
    struct stat st;
    if (!f)
        return err_sys(e, -ENOMEM, "the manifest of cut %s", name);
    snprintf(f->name, sizeof(f->name), "%s", name);
    f->fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (f->fd < 0 || fstat(f->fd, &st) < 0)
        return err_sys(e, -errno, "the manifest of cut %s", name);
    const uint64_t size = (uint64_t)st.st_size;
    int r = cutscan_check_seal(f, size, sealed, e);
    if (r == 0)
        r = cutscan_find_sections(f, size - CUT_SEAL_BYTES, e);
    if (r == 0)
        r = cutscan_next(f, e);
    if (r == 0)
        *out = steal_ptr(&f);
    return r;
}

const struct cut_entry *cutscan_entry(const struct cutscan *f)
{
    return f->have ? &f->entry : NULL;
}

int cutscan_next(struct cutscan *f, struct err *e)
{
    struct cut_reader reader = {.name = f->name, .e = e};
    char *line;
    f->have = false;
    int r = cutscan_section_line(&f->entries, &line, e);
    if (r < 0 || !line)
        return r;
    const char kind = cut_line_kind(line);
    if (kind != 'f' && kind != 'd')
        return cutscan_bad(f, e);
    if ((r = cut_line_read(&reader, kind == 'd', line + 2, &f->entry)) < 0)
        return r;
    if (*f->last && cut_path_cmp(f->last, f->entry.path) >= 0)
        return cutscan_bad(f, e);
    strcpy(f->last, f->entry.path); /* shorter than PATH_MAX: manifest_name_ok */
    f->have = true;
    return 0;
}

/* What is sought: the first path that is not before this one; below: nor below it, nor it itself. */
struct sought {
    const char *path;
    bool below;
};

static bool is_before(const struct sought *s, const char *path)
{
    return cut_path_cmp(path, s->path) < 0 || (s->below && path_below(path, s->path));
}

static bool is_line_before(const void *key, char *line)
{
    const char kind = cut_line_kind(line);
    char *path = line;
    for (int words = kind == 'f' ? 10 : kind == 'd' ? 5 : 1; words > 0 && path; words--) {
        path = strchr(path, ' ');
        path = path ? path + 1 : NULL;
    }
    /* What is damaged is found when it is read. */
    return path && cut_text_decode(path) && *path && is_before(key, path);
}

static int cutscan_go(struct cutscan *f, const struct sought *s, struct err *e)
{
    int r = 0;
    for (int near = 0; r == 0 && f->have && is_before(s, f->entry.path); near++) {
        if (near == 16 && (r = cutscan_section_seek(&f->entries, is_line_before, s, e)) < 0)
            return r;
        r = cutscan_next(f, e);
    }
    return r;
}

int cutscan_seek(struct cutscan *f, const char *path, struct err *e)
{
    return cutscan_go(f, &(struct sought){path, false}, e);
}

int cutscan_skip(struct cutscan *f, const char *folder, struct err *e)
{
    return cutscan_go(f, &(struct sought){folder, true}, e);
}

int cutscan_restart(struct cutscan *f, const char *path, struct err *e)
{
    const struct sought sought = {path, false};
    cutscan_section_rewind(&f->entries);
    cutscan_section_rewind(&f->removed);
    cutscan_section_rewind(&f->removed_folders);
    f->file.begun = f->folder.begun = false;
    *f->last = 0;
    int r = cutscan_section_seek(&f->entries, is_line_before, &sought, e);
    if (r == 0)
        r = cutscan_next(f, e);
    return r < 0 ? r : cutscan_go(f, &sought, e);
}

static int cutscan_next_gone(struct cutscan *f, struct cutscan_section *s, struct gone *g,
                             bool folder, struct err *e)
{
    char *line;
    g->begun = true;
    int r = cutscan_section_line(s, &line, e);
    g->ended = r == 0 && !line;
    if (r < 0 || !line)
        return r;
    char *path = line + 2;
    if (!cut_text_decode(path) || !manifest_name_ok(path, folder))
        return cutscan_bad(f, e);
    strcpy(g->path, path);
    return 0;
}

int cutscan_next_removed(struct cutscan *f, bool folder, const char **path, struct err *e)
{
    struct gone *g = folder ? &f->folder : &f->file;
    int r = cutscan_next_gone(f, folder ? &f->removed_folders : &f->removed, g, folder, e);
    *path = r == 0 && !g->ended ? g->path : NULL;
    return r;
}

int cutscan_removes(struct cutscan *f, const char *path, bool folder, struct err *e)
{
    struct cutscan_section *s = folder ? &f->removed_folders : &f->removed;
    struct gone *g = folder ? &f->folder : &f->file;
    const struct sought sought = {path, false};
    int r = g->begun ? 0 : cutscan_next_gone(f, s, g, folder, e);
    for (int near = 0; r == 0 && !g->ended && is_before(&sought, g->path); near++) {
        if (near == 16 && (r = cutscan_section_seek(s, is_line_before, &sought, e)) < 0)
            return r;
        r = cutscan_next_gone(f, s, g, folder, e);
    }
    return r < 0 ? r : !g->ended && strcmp(g->path, path) == 0;
}

int cutscan_rest(struct cutscan *f, char **line, struct err *e)
{
    return cutscan_section_line(&f->rest, line, e);
}
