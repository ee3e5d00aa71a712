/* SPDX-License-Identifier: MIT */
#include "store/chain/cut_loss.h"

#include "store/base/arena.h"
#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/json.h"
#include "store/base/path.h"
#include "store/influx/names.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

/* A shard; until all files are seen, its part in one of the two folders. */
struct shard_loss {
    const char *key; /* "DB/RP/ID", not ended */
    size_t len;
    uint64_t files, bytes; /* in the previous cut */
    uint64_t now;          /* bytes now */
    uint64_t newest;       /* one more than the latest generation of a new TSM file; 0: none */
    uint64_t lost_files, lost_bytes;
};

/* A file that has gone, or has become smaller. */
struct gone {
    const char *path;
    uint64_t bytes;
    bool replaced;
};

struct policy_loss {
    const char *name; /* "DB/RP", not ended */
    size_t len;
    uint64_t bytes;
};

struct loss {
    struct shard_loss *shards;
    size_t n;
    struct gone *gone;
    size_t ngone;
    struct arena memory; /* of keys and paths */
};

struct loss *loss_new(void)
{
    return calloc(1, sizeof(struct loss));
}

void loss_free(struct loss *l)
{
    if (!l)
        return;
    free(l->shards);
    free(l->gone);
    arena_free(&l->memory);
    free(l);
}

/* "DB/RP/ID" in "data/DB/RP/ID/NAME"; NULL: no file of a shard. */
static const char *loss_shard_key(const char *path, size_t *len)
{
    const char *key = strchr(path, '/'), *end = key;
    if (!key || strncmp(path, "meta/", 5) == 0)
        return NULL;
    for (int i = 0; i < 3 && end; i++)
        end = strchr(end + 1, '/');
    if (!end)
        return NULL;
    key++;
    *len = (size_t)(end - key);
    return key;
}

static int by_key(const void *a, const void *b)
{
    const struct shard_loss *x = a, *y = b;
    int d = memcmp(x->key, y->key, x->len < y->len ? x->len : y->len);
    return d ? d : (x->len > y->len) - (x->len < y->len);
}

/* Files come sorted: usually a file is of the same shard as its predecessor. */
static struct shard_loss *shard_of(struct loss *l, const char *key, size_t len)
{
    const struct shard_loss fresh = {.key = key, .len = len};
    if (l->n && by_key(&l->shards[l->n - 1], &fresh) == 0)
        return &l->shards[l->n - 1];
    const char *own = array_grow(&l->shards, l->n) ? arena_text(&l->memory, key, len) : NULL;
    if (!own)
        return NULL;
    l->shards[l->n] = (struct shard_loss){.key = own, .len = len};
    return &l->shards[l->n++];
}

static uint64_t generation(const char *path)
{
    return strtoull(path_last(path), NULL, 10);
}

int loss_see(struct loss *l, const char *path, const struct file_attr *was,
             const struct file_attr *now)
{
    size_t len;
    const char *key = loss_shard_key(path, &len);
    if (!key || name_in_database(path, NAME_INTERNAL))
        return 0;
    struct shard_loss *s = shard_of(l, key, len);
    if (!s)
        return -ENOMEM;
    uint64_t before = was ? was->size : 0, after = now ? now->size : 0;
    s->files += was != NULL;
    s->bytes += before;
    s->now += after;
    /* The same size under the same name is the same file, after a restore for example. */
    if (now && !(was && before == after) && name_is_tsm(path_last(path)) &&
        generation(path) >= s->newest)
        s->newest = generation(path) + 1;
    if (!before || (now && after >= before))
        return 0;
    const char *own =
        array_grow(&l->gone, l->ngone) ? arena_text(&l->memory, path, strlen(path)) : NULL;
    if (!own)
        return -ENOMEM;
    l->gone[l->ngone++] = (struct gone){own, before - after, now != NULL};
    return 0;
}

int loss_see_same(struct loss *l, const char *folder, uint64_t files, uint64_t bytes)
{
    const char *key = strchr(folder, '/') + 1;
    if (name_in_database(folder, NAME_INTERNAL))
        return 0;
    struct shard_loss *s = shard_of(l, key, strlen(key));
    if (!s)
        return -ENOMEM;
    s->files += files;
    s->bytes += bytes;
    s->now += bytes;
    return 0;
}

void loss_forget(struct loss *l, const char *folder)
{
    const char *key = strchr(folder, '/') + 1;
    const struct shard_loss sought = {.key = key, .len = strlen(key)};
    size_t kept = 0;
    for (size_t i = 0; i < l->n; i++)
        if (by_key(&l->shards[i], &sought) == 0)
            l->shards[i] = (struct shard_loss){.key = l->shards[i].key, .len = l->shards[i].len};
    for (size_t i = 0; i < l->ngone; i++)
        if (!path_below(l->gone[i].path, folder))
            l->gone[kept++] = l->gone[i];
    l->ngone = kept;
}

/* Joins the parts of a shard in the data and WAL folders. */
static void loss_join_shards(struct loss *l)
{
    size_t n = 0;
    if (l->n)
        qsort(l->shards, l->n, sizeof(*l->shards), by_key);
    for (size_t i = 0; i < l->n; i++) {
        const struct shard_loss *s = &l->shards[i];
        struct shard_loss *last = n ? &l->shards[n - 1] : NULL;
        if (!last || by_key(last, s) != 0) {
            l->shards[n++] = *s;
            continue;
        }
        last->files += s->files;
        last->bytes += s->bytes;
        last->now += s->now;
        last->newest = s->newest > last->newest ? s->newest : last->newest;
    }
    l->n = n;
}

static bool is_lost(const struct shard_loss *s, const struct gone *g)
{
    const char *name = path_last(g->path);
    if (name_is_wal(name))
        return s->newest == 0;
    return name_is_tsm(name) && (g->replaced || generation(g->path) >= s->newest);
}

static void loss_count_files(struct loss *l)
{
    for (size_t i = 0; i < l->ngone; i++) {
        const struct gone *g = &l->gone[i];
        struct shard_loss key = {0};
        key.key = loss_shard_key(g->path, &key.len);
        struct shard_loss *s = bsearch(&key, l->shards, l->n, sizeof(key), by_key);
        if (!s || s->now == 0 || !is_lost(s, g))
            continue;
        s->lost_files++;
        s->lost_bytes += g->bytes;
    }
}

static int by_bytes(const void *a, const void *b)
{
    const struct policy_loss *x = a, *y = b;
    return (x->bytes < y->bytes) - (x->bytes > y->bytes);
}

/* Whole names, those of the largest losses first; control bytes would end a name. */
static void put_names(const struct policy_loss *list, size_t n, char out[CUT_LOST_NAMES])
{
    size_t at = 0;
    for (size_t i = 0; i < n && at + list[i].len + 2 <= CUT_LOST_NAMES; i++) {
        if (at)
            out[at++] = '\n';
        for (size_t k = 0; k < list[i].len; k++)
            out[at++] = (unsigned char)list[i].name[k] < ' ' ? '?' : list[i].name[k];
    }
}

static int loss_name_policies(const struct loss *l, struct cut_lost *out)
{
    autofree struct policy_loss *list = calloc(l->n + 1, sizeof(*list));
    size_t n = 0;
    if (!list)
        return -ENOMEM;
    for (size_t i = 0; i < l->n; i++) {
        const struct shard_loss *s = &l->shards[i];
        size_t len = (size_t)((const char *)memrchr(s->key, '/', s->len) - s->key);
        if (!s->lost_files)
            continue;
        if (n == 0 || list[n - 1].len != len || memcmp(list[n - 1].name, s->key, len) != 0)
            list[n++] = (struct policy_loss){s->key, len, 0};
        list[n - 1].bytes += s->lost_bytes;
    }
    if (n)
        qsort(list, n, sizeof(*list), by_bytes);
    out->policies = n;
    put_names(list, n, out->names);
    return 0;
}

int loss_sum(struct loss *l, struct cut_lost *out)
{
    struct cut_lost sum = {0};
    loss_join_shards(l);
    loss_count_files(l);
    for (size_t i = 0; i < l->n; i++) {
        struct shard_loss *s = &l->shards[i];
        if (s->now == 0 && s->bytes > 0) {
            s->lost_files = s->files;
            s->lost_bytes = s->bytes;
            sum.shards++;
        }
        sum.files += s->lost_files;
        sum.bytes += s->lost_bytes;
        sum.of += s->bytes;
    }
    int r = loss_name_policies(l, &sum);
    if (r == 0)
        *out = sum;
    return r;
}

bool loss_exceeds(const struct cut_lost *lost, double part)
{
    return lost->bytes > 0 && (double)lost->bytes > part * (double)lost->of;
}

static uint64_t named(const struct cut_lost *lost)
{
    uint64_t n = *lost->names != 0;
    for (const char *p = lost->names; *p; p++)
        n += *p == '\n';
    return n;
}

static double percent(const struct cut_lost *lost)
{
    return lost->of ? 100.0 * (double)lost->bytes / (double)lost->of : 0;
}

const char *loss_words(const struct cut_lost *lost, char out[LOSS_WORDS])
{
    out[0] = 0;
    if (!lost->files)
        return out;
    int n = snprintf(out, LOSS_WORDS,
                     "%" PRIu64 " shard%s, %" PRIu64 " file%s, %" PRIu64
                     " bytes are gone (%.1f %% of what there was): ",
                     lost->shards, plural(lost->shards), lost->files, plural(lost->files),
                     lost->bytes, percent(lost));
    for (const char *p = lost->names; *p && n < LOSS_WORDS - 40; p++) {
        if (*p == '\n')
            out[n++] = ',';
        out[n++] = *p == '\n' ? ' ' : *p;
    }
    out[n] = 0;
    if (lost->policies > named(lost))
        snprintf(out + n, (size_t)(LOSS_WORDS - n), " and %" PRIu64 " more",
                 lost->policies - named(lost));
    return out;
}

struct json_object *loss_json(const struct cut_lost *lost)
{
    struct json_object *o = json_object_new_object(), *names = json_object_new_array();
    for (const char *p = lost->names; *p;) {
        int len = (int)strcspn(p, "\n");
        json_object_array_add(names, json_text_len(p, (size_t)len));
        p += len + (p[len] == '\n');
    }
    json_object_object_add(o, "shards", json_object_new_uint64(lost->shards));
    json_object_object_add(o, "files", json_object_new_uint64(lost->files));
    json_object_object_add(o, "bytes", json_object_new_uint64(lost->bytes));
    json_object_object_add(o, "of_bytes", json_object_new_uint64(lost->of));
    json_object_object_add(o, "policies", json_object_new_uint64(lost->policies));
    json_object_object_add(o, "names", names);
    return o;
}

struct json_object *loss_json_of_cut(const struct cut_head *h)
{
    struct json_object *o = loss_json(&h->lost);
    json_object_object_add(o, "tripped", json_object_new_boolean(h->guard != CUT_GUARD_FINE));
    json_object_object_add(o, "accepted", json_object_new_boolean(h->guard == CUT_GUARD_ACCEPTED));
    return o;
}
