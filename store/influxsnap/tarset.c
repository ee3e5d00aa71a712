/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/tarset.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/influxsnap/tarlook.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Gathering */

static int tarset_add(struct tarset *s, const char *path, size_t argument, struct err *e)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return err_sys(e, -errno, "%s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, -EINVAL, "%s: not a file", path);
    for (size_t i = 0; i < s->n; i++)
        if (s->at[i].dev == st.st_dev && s->at[i].ino == st.st_ino)
            return 0;
    if (!array_grow(&s->at, s->n))
        return err_sys(e, -ENOMEM, "%s", path);
    struct tarset_file *f = &s->at[s->n];
    *f = (struct tarset_file){.path = strdup(path),
                              .size = (uint64_t)st.st_size,
                              .argument = argument,
                              .dev = st.st_dev,
                              .ino = st.st_ino};
    if (!f->path)
        return err_sys(e, -ENOMEM, "%s", path);
    s->n++;
    f->code = tar_manifest(path, &f->m, &f->why);
    return f->code == -EINTR || f->code == -ENOMEM ? err_set(e, f->code, "%s", f->why.text) : 0;
}

static bool is_number(const char *text, size_t n)
{
    return n > 0 && n < 19 && strspn(text, "0123456789") >= n && (n == 1 || text[0] != '0');
}

/* N.tar, base.tar, and the names that compressors make of these. */
static bool is_of_chain(const char *name)
{
    static const char *const ends[] = {".tar", ".tar.gz", ".tar.zst", ".tar.xz", ".tar.lz4"};
    size_t n = strcspn(name, ".");
    if (!is_number(name, n) && strncmp(name, "base", n) != 0)
        return false;
    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
        if (n > 0 && strcmp(name + n, ends[i]) == 0)
            return true;
    return false;
}

/* Adds the folder's files with a name of the chain; with a stem: STEM.N. prefix is the folder with
 * a slash, or empty. */
static int tarset_add_folder(struct tarset *s, const char *prefix, const char *stem,
                             size_t argument, struct err *e)
{
    const char *folder = *prefix ? prefix : ".";
    autoclose int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup(dir_free) struct dir names = {0};
    int r = fd < 0 ? -errno : dir_read(fd, &names);
    if (r < 0)
        return err_sys(e, r, "%s", folder);
    size_t len = stem ? strlen(stem) : 0, found = 0;
    for (size_t i = 0; i < names.n; i++) {
        const char *name = names.names[i];
        bool wanted = stem ? strncmp(name, stem, len) == 0 && name[len] == '.' &&
                                 is_number(name + len + 1, strlen(name + len + 1))
                           : is_of_chain(name);
        autofree char *path = NULL;
        if (!wanted)
            continue;
        if (asprintf(&path, "%s%s", prefix, name) < 0)
            return err_sys(e, -ENOMEM, "%s", folder);
        if ((r = tarset_add(s, path, argument, e)) < 0)
            return r;
        found++;
    }
    return found || stem ? 0
                         : err_set(e, -ENOENT,
                                   "%s: no base.tar or 0.tar, 1.tar, … in it; give other "
                                   "snapshots by their own names",
                                   folder);
}

static int add_numbers(struct tarset *s, const char *path, size_t argument, struct err *e)
{
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash + 1 - path) : 0;
    autofree char *prefix = strndup(path, n);
    return prefix ? tarset_add_folder(s, prefix, path + n, argument, e)
                  : err_sys(e, -ENOMEM, "%s", path);
}

static int tarset_add_argument(struct tarset *s, const char *path, size_t argument, bool numbers,
                               struct err *e)
{
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        autofree char *prefix = NULL;
        if (asprintf(&prefix, "%s/", path) < 0)
            return err_sys(e, -ENOMEM, "%s", path);
        return tarset_add_folder(s, prefix, NULL, argument, e);
    }
    int r = tarset_add(s, path, argument, e);
    return r == 0 && numbers ? add_numbers(s, path, argument, e) : r;
}

/* The order of the set: by chain, numbers rising, a full snapshot after the number that it stands
 * for. */

/* A full snapshot not known to belong to a chain may start one. */
static const char *chain_of(const struct manifest *m)
{
    return m->chain ? m->chain : m->kind == MANIFEST_INCREMENTAL ? "" : m->id;
}

static bool is_full(const struct tarset_file *f)
{
    return f->m->kind != MANIFEST_INCREMENTAL;
}

static int tarset_by_chain(const void *a, const void *b)
{
    const struct tarset_file *x = a, *y = b;
    if (x->argument != y->argument)
        return x->argument < y->argument ? -1 : 1;
    if (!x->m || !y->m)
        return (x->m != NULL) - (y->m != NULL);
    int d = strcmp(chain_of(x->m), chain_of(y->m));
    if (d)
        return d;
    if (x->m->number != y->m->number)
        return x->m->number < y->m->number ? -1 : 1;
    return is_full(x) - is_full(y);
}

/* The argument that has the full snapshot of f's chain, preferring f's own; else the first argument
 * with a number of the chain. */
static size_t tarset_home_of(const struct tarset *s, const struct tarset_file *f)
{
    size_t home = f->argument;
    bool found = false;
    for (size_t i = 0; i < s->n; i++)
        if (s->at[i].m && s->at[i].argument < home &&
            strcmp(chain_of(s->at[i].m), chain_of(f->m)) == 0)
            home = s->at[i].argument;
    for (size_t i = 0; i < s->n; i++) {
        const struct tarset_file *g = &s->at[i];
        if (!g->m || !is_full(g) || strcmp(chain_of(g->m), chain_of(f->m)) != 0)
            continue;
        if (g->argument == f->argument)
            return f->argument;
        if (!found)
            home = g->argument;
        found = true;
    }
    return home;
}

static int tarset_finish(struct tarset *s, int r, struct tarset *out)
{
    if (r < 0) {
        tarset_clear(s);
        return r;
    }
    bool several = false;
    for (size_t i = 0; i < s->n; i++)
        several |= s->at[i].argument != s->at[0].argument;
    for (size_t i = 0; several && i < s->n; i++)
        if (s->at[i].m && !is_full(&s->at[i]))
            s->at[i].argument = tarset_home_of(s, &s->at[i]);
    if (s->n)
        qsort(s->at, s->n, sizeof(*s->at), tarset_by_chain);
    *out = *s;
    return 0;
}

int tarset_numbers(const char *path, struct tarset *out, struct err *e)
{
    struct tarset s = {0};
    return tarset_finish(&s, add_numbers(&s, path, 0, e), out);
}

int tarset_gather(char *const *paths, size_t n, bool numbers, struct tarset *out, struct err *e)
{
    struct tarset s = {0};
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++)
        r = tarset_add_argument(&s, paths[i], i, numbers, e);
    return tarset_finish(&s, r, out);
}

static char *tarset_name_of(const struct tarset_given *g, size_t place)
{
    char *name = NULL;
    if (g->name)
        return strdup(g->name);
    return asprintf(&name, "manifest %zu", place + 1) < 0 ? NULL : name;
}

int tarset_of(const struct tarset_given *given, size_t n, struct tarset *out, struct err *e)
{
    struct tarset s = {.at = calloc(n + 1, sizeof(*s.at))};
    int r = s.at ? 0 : err_sys(e, -ENOMEM, "manifests");
    for (size_t i = 0; i < n; i++) {
        struct tarset_file f = {.m = given[i].m, .size = given[i].size};
        if (r == 0 && !(f.path = tarset_name_of(&given[i], i)))
            r = err_sys(e, -ENOMEM, "manifests");
        if (r == 0)
            s.at[s.n++] = f;
        else
            manifest_free(f.m);
    }
    return tarset_finish(&s, r, out);
}

void tarset_clear(struct tarset *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->at[i].path);
        manifest_free(s->at[i].m);
    }
    free(s->at);
    *s = (struct tarset){0};
}

const struct manifest **tarset_manifests(const struct tarset *s, size_t *n)
{
    const struct manifest **list = calloc(s->n + 1, sizeof(*list));
    *n = 0;
    for (size_t i = 0; list && i < s->n; i++)
        if (!s->at[i].superseded)
            list[(*n)++] = s->at[i].m;
    return list;
}

uint64_t tarset_bytes(const struct tarset *s)
{
    uint64_t total = 0;
    for (size_t i = 0; i < s->n; i++)
        if (!s->at[i].superseded)
            total += s->at[i].size;
    return total;
}

/* Whether a chain is whole */

size_t tarset_chain_end(const struct tarset *s, size_t first)
{
    size_t end = first + 1;
    while (s->at[first].m && end < s->n && s->at[end].m &&
           s->at[end].argument == s->at[first].argument &&
           strcmp(chain_of(s->at[first].m), chain_of(s->at[end].m)) == 0)
        end++;
    return end;
}

static int check_same_number(const struct tarset_file *a, const struct tarset_file *b,
                             struct err *e)
{
    if (strcmp(a->m->id, b->m->id) == 0)
        return err_set(e, -ESTALE, "%s and %s are the same snapshot: leave one of them out",
                       a->path, b->path);
    return err_set(e, -ESTALE, "%s and %s are both number %" PRId64 " of one chain, and differ",
                   a->path, b->path, b->m->number);
}

static int tarset_check_next(const struct tarset_file *before, const struct tarset_file *f,
                             struct err *e)
{
    int64_t wanted = before->m->number + 1;
    if (f->m->number < wanted)
        return check_same_number(before, f, e);
    if (f->m->number == wanted + 1)
        return err_set(e, -ESTALE, "number %" PRId64 " is missing, which %s builds on", wanted,
                       f->path);
    if (f->m->number > wanted)
        return err_set(e, -ESTALE,
                       "numbers %" PRId64 " to %" PRId64 " are missing, which %s builds on", wanted,
                       f->m->number - 1, f->path);
    if (!f->m->parent || strcmp(f->m->parent, before->m->id) != 0)
        return err_set(e, -ESTALE, "%s builds on snapshot %s, but %s before it is snapshot %s",
                       f->path, f->m->parent ? f->m->parent : "(none)", before->path,
                       before->m->id);
    if (!selection_same(f->m->selection, before->m->selection))
        return err_set(e, -ESTALE, "%s and %s are not of the same part of the store", before->path,
                       f->path);
    return 0;
}

int tarset_check(struct tarset *s, size_t first, size_t end, struct err *e)
{
    size_t base = end;
    for (size_t i = first; i < end; i++)
        if (s->at[i].m->number == INT64_MAX)
            return err_set(e, -ESTALE, "%s: no number can follow its number", s->at[i].path);
    while (base > first && !is_full(&s->at[base - 1]))
        base--;
    if (base == first)
        return err_set(e, -ESTALE, "the full snapshot that %s builds on is missing",
                       s->at[first].path);
    base--;
    for (size_t i = first; i < base; i++) {
        if (is_full(&s->at[i]) && s->at[i].m->number == s->at[base].m->number)
            return check_same_number(&s->at[i], &s->at[base], e);
        s->at[i].superseded = true;
    }
    for (size_t i = base + 1; i < end; i++) {
        int r = tarset_check_next(&s->at[i - 1], &s->at[i], e);
        if (r < 0)
            return r;
    }
    return 0;
}

int tarset_one_chain(struct tarset *s, struct err *e)
{
    if (!s->at[0].m)
        return err_set(e, s->at[0].code, "%s", s->at[0].why.text);
    if (tarset_chain_end(s, 0) != s->n)
        return err_set(e, -ESTALE, "%s and %s do not belong together", s->at[0].path,
                       s->at[s->n - 1].path);
    int r = tarset_check(s, 0, s->n, e);
    for (size_t i = 0; r == 0 && i < s->n; i++)
        if (s->at[i].m->kind == MANIFEST_DATABASE && !s->at[i].m->selection)
            r = err_set(e, -EINVAL, "%s: does not say which databases it holds", s->at[i].path);
    return r;
}
