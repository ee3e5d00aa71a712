/* SPDX-License-Identifier: MIT */
#include "store/snapshot/run.h"

#include "store/base/cleanup.h"
#include "store/base/lock.h"
#include "store/base/owner.h"

#include <errno.h>
#include <string.h>

/* Guards the sums of WAL segments, which no table of held files keeps: the same segment has other
 * bytes in another capture. */
static pthread_mutex_t sums_lock = PTHREAD_MUTEX_INITIALIZER;

/* Two texts stand behind the members: the path of the folder, and the same without its last name,
 * which is the first member. */
struct member_run *run_new(const char *root, const char *path, const struct file_attr *folder,
                           size_t files)
{
    const size_t cap = files + 1, len = strlen(root) + 1 + strlen(path) + 1;
    struct member_run *r = calloc(1, sizeof(*r) + cap * sizeof(r->members[0]) + 2 * len);
    if (!r)
        return NULL;
    char *whole = (char *)&r->members[cap], *parent = whole + len;
    stpcpy(stpcpy(stpcpy(whole, root), *path ? "/" : ""), path);
    strcpy(parent, whole);
    char *slash = strrchr(parent, '/');
    if (slash)
        *slash = 0;
    atomic_init(&r->refs, 1);
    r->dir = whole;
    r->cap = cap;
    r->n = 1;
    r->members[0] = (struct member){
        .dir = slash ? parent : "", .name = slash ? slash + 1 : parent, .attr = *folder};
    return r;
}

struct member *run_add(struct member_run *r, const char *name)
{
    assert(r->n < r->cap && !r->sealed);
    struct member *m = &r->members[r->n++];
    *m = (struct member){.dir = r->dir, .name = name};
    return m;
}

static void seal_member(struct sha256 *h, const struct member *m)
{
    const char *user = owner_user(m->attr.uid), *group = owner_group(m->attr.gid);
    const uint64_t f[] = {m->attr.size, (uint64_t)m->attr.mtime_ns,       m->attr.mode, m->attr.uid,
                          m->attr.gid,  m->held ? held_inode(m->held) : 0};
    sha256_add(h, m->name, strlen(m->name) + 1);
    sha256_add(h, f, sizeof(f));
    sha256_add(h, user, strlen(user) + 1);
    sha256_add(h, group, strlen(group) + 1);
}

int run_seal(struct member_run *r)
{
    if (r->sealed)
        return 0;
    cleanup(sha256_freep) struct sha256 *h = sha256_new();
    if (!h)
        return -ENOMEM;
    sha256_add(h, r->dir, strlen(r->dir) + 1);
    for (size_t i = 0; i < r->n; i++) {
        const struct member *m = &r->members[i];
        if (member_path_len(m) >= MEMBER_PATH_MAX)
            return -ENAMETOOLONG;
        seal_member(h, m);
        r->bytes += m->attr.size;
        r->nfiles += !member_is_folder(m);
        r->cut_off |= m->wal_cut && m->wal_cut->nbad;
    }
    sha256_end(h, r->digest);
    r->sealed = true;
    return 0;
}

void run_remember(struct member_run *r, enum run_files holds, const uint8_t digest[SHA256_BYTES],
                  size_t nfiles, uint64_t bytes)
{
    memcpy(r->digest, digest, SHA256_BYTES);
    r->holds = holds;
    r->nfiles = nfiles;
    r->bytes = bytes;
    r->sealed = true;
}

struct member_run *run_ref(struct member_run *r)
{
    atomic_fetch_add(&r->refs, 1);
    return r;
}

void run_unref(struct member_run *r)
{
    if (!r || atomic_fetch_sub(&r->refs, 1) > 1)
        return;
    for (size_t i = 0; i < r->n; i++) {
        held_put(r->members[i].held);
        free(r->members[i].wal_cut);
    }
    free(r->names);
    free(atomic_load(&r->layout));
    free(r);
}

/* The names in one block, each at the same place of the copy's. */
static char *copy_names(const struct member_run *r, struct member_run *to)
{
    size_t len = 1;
    for (size_t i = 1; i < r->n; i++)
        len += strlen(r->members[i].name) + 1;
    char *names = malloc(len), *at = names;
    for (size_t i = 1; names && i < r->n; i++) {
        run_add(to, at);
        at = stpcpy(at, r->members[i].name) + 1;
    }
    return names;
}

static struct wal_cut *copy_cut(const struct wal_cut *cut)
{
    const size_t n = sizeof(*cut) + cut->nparts * sizeof(cut->part[0]);
    struct wal_cut *to = malloc(n);
    if (!to)
        return NULL;
    lock_scope(&sums_lock);
    return memcpy(to, cut, n);
}

struct member_run *run_copy(const struct member_run *r)
{
    struct member_run *to = run_new(r->dir, "", &r->members[0].attr, r->n - 1);
    if (!to || !(to->names = copy_names(r, to))) {
        run_unref(to);
        return NULL;
    }
    for (size_t i = 1; i < r->n; i++) {
        const struct member *m = &r->members[i];
        to->members[i].attr = m->attr;
        to->members[i].index = m->index;
        to->members[i].held = m->held ? held_ref(m->held) : NULL;
        if (m->wal_cut && !(to->members[i].wal_cut = copy_cut(m->wal_cut))) {
            run_unref(to);
            return NULL;
        }
    }
    memcpy(to->digest, r->digest, SHA256_BYTES);
    to->bytes = r->bytes;
    to->nfiles = r->nfiles;
    to->sealed = r->sealed;
    to->cut_off = r->cut_off;
    return to;
}

bool run_sum(const struct member_run *r, size_t i, uint8_t out[SHA256_BYTES])
{
    const struct member *m = &r->members[i];
    if (!m->wal_cut)
        return held_sum(m->held, &m->attr, out);
    lock_scope(&sums_lock);
    if (m->wal_cut->have_sum)
        memcpy(out, m->wal_cut->sum, SHA256_BYTES);
    return m->wal_cut->have_sum;
}

bool run_damaged(const struct member_run *r, size_t i)
{
    const struct member *m = &r->members[i];
    return m->wal_cut ? m->wal_cut->nbad > 0 : held_damaged(m->held);
}

void run_set_sum(struct member_run *r, size_t i, const uint8_t sum[SHA256_BYTES])
{
    const struct member *m = &r->members[i];
    if (!m->wal_cut) {
        held_set_sum(m->held, &m->attr, sum);
        return;
    }
    lock_scope(&sums_lock);
    memcpy(m->wal_cut->sum, sum, SHA256_BYTES);
    m->wal_cut->have_sum = true;
}
