/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/loosefind.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/influx/names.h"
#include "store/influxsnap/snap.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct finding {
    const struct store_paths *p;
    const struct meta *known;
    const struct remeta_rules *rules;
    struct loose *l;
    struct err *e;
};

bool loosefind_is_folder(const char *path, bool follow)
{
    struct stat st;
    return (follow ? stat(path, &st) : lstat(path, &st)) == 0 && S_ISDIR(st.st_mode);
}

int loosefind_each(const char *folder, loosefind_fn *fn, void *arg, struct err *e)
{
    cleanup(dir_free) struct dir list = {0};
    autoclose int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return 0;
    int r = fd < 0 ? -errno : dir_read(fd, &list);
    if (r < 0)
        return err_sys(e, r, "%s", folder);
    for (size_t i = 0; r == 0 && i < list.n; i++) {
        autofree char *path = NULL;
        if (asprintf(&path, "%s/%s", folder, list.names[i]) < 0)
            return err_sys(e, -ENOMEM, "%s", folder);
        r = fn(arg, path, list.names[i]);
    }
    return r;
}

/* ---- a whole store ---- */

/* Where a walk of the data or the WAL folder is. */
struct spot {
    const struct finding *f;
    bool wal;
    const char *db, *rp;
};

static int is_entry(void *arg, const char *path, const char *name)
{
    (void)arg, (void)path, (void)name;
    return 1;
}

/* The index of a tsi1 shard means nothing without the series file of its database. */
static int loosefind_check_index(const struct spot *at, const char *path)
{
    const struct finding *f = at->f;
    autofree char *index = NULL, *series = NULL;
    if (asprintf(&index, "%s/" NAME_INDEX, path) < 0 ||
        asprintf(&series, "%s/%s/" NAME_SERIES, f->p->data, at->db) < 0)
        return err_sys(f->e, -ENOMEM, "%s", path);
    if (loosefind_is_folder(series, true) || !loosefind_is_folder(index, true) ||
        loosefind_each(index, is_entry, NULL, NULL) != 1)
        return 0;
    remeta_say(f->rules, true,
               "%s is of a series file that is not there (%s): influxd shows no point of the shard "
               "until fields.idx, and what is in index, is moved away",
               index, series);
    return 0;
}

static int loosefind_found(const struct spot *at, const char *path, uint64_t id)
{
    const struct finding *f = at->f;
    autofree char *other = NULL;
    if (asprintf(&other, "%s/%s/%s/%" PRIu64, at->wal ? f->p->data : f->p->wal, at->db, at->rp,
                 id) < 0)
        return err_sys(f->e, -ENOMEM, "%s", path);
    const bool both = loosefind_is_folder(other, true);
    if (at->wal && both)
        return 0; /* it was found in the data folder */
    int r = at->wal ? 0 : loosefind_check_index(at, path);
    if (r < 0)
        return r;
    if (loose_begin(f->l, at->db, at->rp, id) < 0)
        return err_sys(f->e, -ENOMEM, "%s", path);
    r = loose_add_folder(f->l, path, at->wal, f->e);
    return r == 0 && both ? loose_add_folder(f->l, other, true, f->e) : r;
}

static int loosefind_shard(void *arg, const char *path, const char *name)
{
    const struct spot *at = arg;
    const struct finding *f = at->f;
    uint64_t id;
    if (!loosefind_is_folder(path, true))
        return 0;
    if (!at->wal && name_is_padded_shard(name, &id))
        remeta_say(f->rules, true,
                   "left out: %s: influxd serves it as shard %" PRIu64
                   "; rename the folder to that, and run this again",
                   path, id);
    if (!name_is_shard(name, &id))
        return 0;
    if (f->known && meta_shard(f->known, at->db, at->rp, id) != META_UNKNOWN)
        return 0;
    return loosefind_found(at, path, id);
}

static int loosefind_policy(void *arg, const char *path, const char *name)
{
    struct spot at = *(struct spot *)arg;
    if (name_is_series(name) || !loosefind_is_folder(path, at.wal))
        return 0;
    at.rp = name;
    return loosefind_each(path, loosefind_shard, &at, at.f->e);
}

static int loosefind_database(void *arg, const char *path, const char *name)
{
    struct spot at = *(struct spot *)arg;
    if (name_is_hidden(name) || name_is_foreign(name) || !loosefind_is_folder(path, at.wal))
        return 0;
    at.db = name;
    return loosefind_each(path, loosefind_policy, &at, at.f->e);
}

int loosefind_store(const struct store_paths *p, const struct meta *known,
                    const struct remeta_rules *rules, struct loose *l, struct err *e)
{
    const struct finding f = {p, known, rules, l, e};
    struct spot data = {.f = &f}, wal = {.f = &f, .wal = true};
    int r = loosefind_each(p->data, loosefind_database, &data, e);
    return r < 0 ? r : loosefind_each(p->wal, loosefind_database, &wal, e);
}

/* ---- what was found, as a meta.db ---- */

static void say_damage(void *arg, const char *text)
{
    const struct remeta_rules *rules = arg;
    remeta_say(rules, true, "unreadable, at least in part: %s", text);
}

static bool is_stopped(void *arg)
{
    (void)arg;
    return snap_stopped(NULL);
}

static void show_shard(struct meter *meter, const struct loose_shard *s)
{
    autofree char *name = NULL;
    if (asprintf(&name, "%s/%s/%" PRIu64, s->db, s->rp, s->id) >= 0)
        meter_file(meter, name, s->bytes);
    meter_add(meter, s->bytes);
}

int loosefind_remeta(struct loose *l, struct metaedit *m, const struct remeta_rules *rules,
                     struct meter *meter, size_t *made, struct err *e)
{
    const struct loose_reader reader = {say_damage, is_stopped, (void *)rules};
    autofree struct remeta_shard *list = calloc(loose_count(l) + 1, sizeof(*list));
    size_t n = 0;
    if (!list)
        return err_sys(e, -ENOMEM, "the list of shards");
    for (size_t i = 0; i < loose_count(l); i++) {
        const struct loose_shard s = loose_at(l, i);
        struct remeta_shard *to = &list[n];
        *to = (struct remeta_shard){.db = s.db, .rp = s.rp, .id = s.id};
        int r = loose_times(l, i, &reader, &to->min, &to->max, e);
        if (r < 0)
            return r;
        if (meter)
            show_shard(meter, &s);
        n += r > 0;
        if (r == 0 && (s.ndata || s.nwal))
            remeta_say(rules, false, "%s/%s/%" PRIu64 " is not wanted: it holds no point", s.db,
                       s.rp, s.id);
    }
    *made = n;
    int r = remeta_add(m, list, n, rules, e);
    for (size_t i = 0; r == 0 && i < loose_count(l); i++)
        if (metaedit_avoid(m, loose_at(l, i).id) < 0)
            r = err_sys(e, -ENOMEM, "meta.db");
    return r;
}
