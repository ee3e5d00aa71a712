/* SPDX-License-Identifier: MIT */
#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/influx/names.h"
#include "store/rewrite/selected_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ROOT, DATABASE, POLICY, SHARD, LEVELS };

struct picking {
    const struct capture *whole;
    const struct meta *meta;
    size_t *at;
    size_t n;
    /* The folders above the next shard that are not taken yet; SIZE_MAX: taken, or none. */
    size_t above[SHARD];
    bool in; /* the last shard is taken, and so all in it */
};

bool selected_is_meta(const struct member *m)
{
    char path[MEMBER_PATH_MAX];
    return member_path_len(m) == sizeof(NAME_META_MEMBER) - 1 &&
           strcmp(member_path(m, path), NAME_META_MEMBER) == 0;
}

static size_t members_find_meta(const struct capture *whole)
{
    size_t i = 0;
    while (i < capture_count(whole) && !selected_is_meta(capture_member(whole, i)))
        i++;
    return i;
}

int selected_read_meta(const struct capture *whole, struct partmeta **out, struct err *e)
{
    size_t i = members_find_meta(whole);
    if (i == capture_count(whole))
        return err_set(e, -EIO, "the snapshot has no " NAME_META_MEMBER);
    size_t len = capture_member(whole, i)->attr.size;
    char *buf = malloc(len + 1);
    if (!buf)
        return err_sys(e, -ENOMEM, NAME_META_MEMBER);
    int r = capture_read(whole, i, buf, len, 0, e);
    if (r < 0) {
        free(buf);
        return r;
    }
    return partmeta_new(buf, len, out, e);
}

/* Cuts a path into the names of its first levels, in place; how many it has, with `rest` as one
 * more. */
static size_t split(char *path, char *names[LEVELS])
{
    size_t n = 0;
    for (char *p = path; p && n < LEVELS; n++) {
        names[n] = p;
        if ((p = strchr(p, '/')))
            *p++ = 0;
        if (p && n == LEVELS - 1)
            return LEVELS + 1;
    }
    return n;
}

/* Whether all in a folder of the store is of a database that is not selected. */
static bool members_are_others(const struct picking *p, const char *dir)
{
    char path[MEMBER_PATH_MAX];
    const char *db = strchr(dir, '/');
    if (!db || strlen(db) >= sizeof(path))
        return false;
    strcpy(path, db + 1);
    path[strcspn(path, "/")] = 0;
    return !meta_has_database(p->meta, path);
}

static int take(struct picking *p, size_t i)
{
    if (i == SIZE_MAX)
        return 0;
    if (!array_grow(&p->at, p->n))
        return -ENOMEM;
    p->at[p->n++] = i;
    return 0;
}

/* A shard that is taken takes along the folders that it is in. */
static int members_take_shard(struct picking *p, size_t i, char *names[LEVELS])
{
    uint64_t id;
    size_t k;
    int r = 0;
    p->in = (name_is_shard(names[SHARD], &id) || name_is_padded_shard(names[SHARD], &id)) &&
            meta_live_find(p->meta, names[DATABASE], names[POLICY], id, &k);
    if (!p->in)
        return 0;
    for (int level = DATABASE; r == 0 && level < SHARD; level++) {
        r = take(p, p->above[level]);
        p->above[level] = SIZE_MAX;
    }
    return r < 0 ? r : take(p, i);
}

static int members_look(struct picking *p, size_t i)
{
    char path[MEMBER_PATH_MAX], *names[LEVELS] = {0};
    const struct member *m = capture_member(p->whole, i);
    if (member_path_len(m) >= sizeof(path))
        return -ENAMETOOLONG;
    size_t levels = split(member_path(m, path), names);
    if (levels == ROOT + 1 || strcmp(names[ROOT], "meta") == 0)
        return take(p, i);
    if (levels > LEVELS)
        return p->in ? take(p, i) : 0;
    if (levels == LEVELS)
        return members_take_shard(p, i, names);
    for (size_t level = levels - 1; level < SHARD; level++)
        p->above[level] = SIZE_MAX;
    p->above[levels - 1] = i;
    p->in = false;
    return 0;
}

int selected_members(const struct capture *whole, const struct meta *meta, size_t **out,
                     size_t *count)
{
    struct picking p = {.whole = whole, .meta = meta, .above = {SIZE_MAX, SIZE_MAX, SIZE_MAX}};
    int r = 0;
    for (size_t k = 0; r == 0 && k < capture_runs(whole); k++) {
        const struct capture_run run = capture_run(whole, k);
        const size_t n = members_are_others(&p, run.dir) ? 0 : run.n;
        for (size_t i = 0; r == 0 && i < n; i++)
            r = members_look(&p, run.first + i);
    }
    if (r < 0) {
        free(p.at);
        return r;
    }
    *out = p.at;
    *count = p.n;
    return 0;
}
