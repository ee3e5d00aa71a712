/* SPDX-License-Identifier: MIT */
#include "store/chain/cuts.h"

#include "store/base/dir.h"
#include "store/base/io.h"
#include "store/base/lock.h"
#include "store/base/time.h"
#include "store/chain/cuts_internal.h"
#include "store/chain/pool.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define USAGE_NS (30 * SECOND_NS) /* influxd's compactions change it without a sign */

void cuts_file_name(const struct cut_info *i, char out[32])
{
    if (i->base)
        strcpy(out, CUTS_BASE);
    else
        snprintf(out, 32, "%" PRId64, i->head.number);
}

void cut_record(const struct cut_head *h, struct catalog_record *out)
{
    *out = (struct catalog_record){.created_ns = h->created_ns,
                                   .wall_ns = h->wall_ns,
                                   .index = h->index,
                                   .skew_ns = h->skew_ns};
    snprintf(out->id, sizeof(out->id), "%.*s", CATALOG_ID_HEX, h->id);
    snprintf(out->host, sizeof(out->host), "%s", h->host);
}

static const struct known *find_known(const struct cuts *c, const char *name, const struct stat *st)
{
    for (size_t i = 0; i < c->n; i++) {
        char own[32];
        cuts_file_name(&c->list[i].info, own);
        if (strcmp(own, name) == 0 && c->list[i].ino == st->st_ino &&
            c->list[i].size == (uint64_t)st->st_size &&
            c->list[i].mtime_ns == time_from_spec(&st->st_mtim))
            return &c->list[i];
    }
    return NULL;
}

static int cuts_look_at(struct cuts *c, const char *name, bool base, struct known *out,
                        struct err *e)
{
    struct stat st;
    if (fstatat(c->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? -ENOENT : err_sys(e, -errno, "the manifest of cut %s", name);
    const struct known *k = find_known(c, name, &st);
    if (k) {
        *out = *k;
        return 0;
    }
    *out = (struct known){.info.base = base,
                          .ino = st.st_ino,
                          .size = (uint64_t)st.st_size,
                          .mtime_ns = time_from_spec(&st.st_mtim)};
    struct cut_summary sum;
    int r = cuts_sum_up(c, name, &st, &sum, e);
    if (r == 0) {
        out->info.head = sum.head;
        out->info.files = sum.files;
        out->info.bytes = sum.bytes;
        out->info.left_out = sum.left_out;
    }
    return r;
}

bool cuts_is_sealed(struct cuts *c, const char *name)
{
    struct stat st;
    lock_scope(&c->lock);
    return c->fd >= 0 && fstatat(c->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           find_known(c, name, &st);
}

static int check_base(const struct cut_head *h, struct err *e)
{
    if (h->serial != cuts_serial_of(h->number) || *h->parent)
        return err_set(e, -EBADMSG, "the manifest of the base contradicts itself");
    return 0;
}

static int cuts_check_next(const struct cut_head *before, const struct cut_head *h, int64_t number,
                           struct err *e)
{
    if (h->number != number || h->serial != cuts_serial_of(number))
        return err_set(e, -EBADMSG, "the manifest of cut %" PRId64 " is that of another cut",
                       number);
    if (strcmp(h->chain, before->chain) != 0 || strcmp(h->parent, before->id) != 0)
        return err_set(e, -EBADMSG,
                       "the chain of cuts is broken: cut %" PRId64
                       " builds on state %s, but what comes before it is %s",
                       number, h->parent, before->id);
    return 0;
}

/* The greatest number among the names; -1: none. */
static int64_t last_number(const struct dir *list)
{
    int64_t last = -1;
    uint64_t n;
    for (size_t i = 0; i < list->n; i++)
        if (cut_parse_uint(list->names[i], 10, INT64_MAX, &n) && (int64_t)n > last)
            last = (int64_t)n;
    return last;
}

/* Reads the base, then the following numbers until one is missing or broken. */
static int cuts_read_chain(struct cuts *c, const struct dir *names, struct known **out, size_t *n,
                           struct err *broken)
{
    int64_t last = last_number(names);
    char name[32];
    bool any = dir_find(names, CUTS_BASE) >= 0;
    struct known *list = calloc(1, sizeof(*list));
    if (!list)
        return -ENOMEM;
    *n = 0;
    *out = list;
    if (!any && last >= 0)
        err_set(broken, 0, "the manifest cuts/" CUTS_BASE " is missing");
    if (!any)
        return 0;
    int r = cuts_look_at(c, CUTS_BASE, true, &list[0], broken);
    if (r == 0)
        r = check_base(&list[0].info.head, broken);
    for (*n = r == 0; r == 0 && list[*n - 1].info.head.number < last; ++*n) {
        int64_t next = list[*n - 1].info.head.number + 1;
        struct known *more = realloc(list, (*n + 1) * sizeof(*list));
        if (!more)
            return -ENOMEM;
        *out = list = more;
        snprintf(name, sizeof(name), "%" PRId64, next);
        r = cuts_look_at(c, name, false, &list[*n], broken);
        if (r == 0)
            r = cuts_check_next(&list[*n - 1].info.head, &list[*n].info.head, next, broken);
        if (r == -ENOENT)
            err_set(broken, 0, "the chain of cuts has a gap: the manifest cuts/%s is missing",
                    name);
        if (r < 0)
            break;
    }
    return r == -ENOMEM ? r : 0;
}

static void forget(struct cuts *c)
{
    free(c->list);
    c->list = NULL;
    c->n = 0;
    c->broken.text[0] = 0;
    c->version++;
    c->usage_ns = 0;
}

/* Reads the current cuts. c->lock is held. */
static int cuts_refresh(struct cuts *c, struct err *e)
{
    struct folder_seen seen;
    if (c->fd >= 0 && folder_same(c->state_fd, CUTS_FOLDER, &c->seen))
        return 0;
    autoclose int fd = folder_open(c->state_fd, CUTS_FOLDER, FOLLOW_NONE, &seen);
    if (fd == -ENOENT) {
        if (c->fd >= 0)
            forget(c);
        cleanup_close(&c->fd);
        c->fd = -1;
        return 0;
    }
    if (fd < 0)
        return err_sys(e, fd, "the folder " CUTS_FOLDER " in the state folder");
    cleanup(dir_free) struct dir names = {0};
    int r = dir_read(fd, &names);
    if (r < 0)
        return err_sys(e, r, "the folder " CUTS_FOLDER " in the state folder");
    cleanup_close(&c->fd);
    c->fd = steal_fd(&fd);
    struct known *list = NULL;
    size_t n;
    struct err broken = {0};
    r = cuts_read_chain(c, &names, &list, &n, &broken);
    if (r < 0) {
        free(list);
        return err_sys(e, r, "cuts");
    }
    bool same = n == c->n && strcmp(broken.text, c->broken.text) == 0 &&
                (n == 0 || memcmp(list, c->list, n * sizeof(*list)) == 0);
    free(c->list);
    c->list = list;
    c->n = n;
    c->broken = broken;
    c->seen = seen;
    c->version += !same;
    c->usage_ns = same ? c->usage_ns : 0;
    return 0;
}

int cuts_list(struct cuts *c, struct cut_info **out, size_t *n, struct err *broken, struct err *e)
{
    lock_scope(&c->lock);
    int r = cuts_refresh(c, e);
    if (r < 0)
        return r;
    if (c->broken.text[0] && !broken)
        return err_set(e, -EBADMSG, "%s", c->broken.text);
    struct cut_info *list = calloc(c->n + 1, sizeof(*list));
    if (!list)
        return -ENOMEM;
    for (size_t i = 0; i < c->n; i++)
        list[i] = c->list[i].info;
    *n = c->n;
    *out = list;
    if (broken)
        *broken = c->broken;
    return 0;
}

typedef bool match_fn(const struct cut_info *i, int64_t key);

/* The last cut that matches. */
static int cuts_find(struct cuts *c, match_fn *match, int64_t key, struct cut_info *out,
                     struct err *e)
{
    lock_scope(&c->lock);
    int r = cuts_refresh(c, e);
    size_t i = r == 0 ? c->n : 0;
    while (i > 0 && !match(&c->list[i - 1].info, key))
        i--;
    if (r == 0 && i == 0)
        r = c->broken.text[0] ? err_set(e, -ENOENT, "there is no such cut; %s", c->broken.text)
            : c->n            ? err_set(e, -ENOENT, "there is no such cut: see influxsnap list")
                              : err_set(e, -ENOENT, "there are no cuts yet");
    if (r == 0)
        *out = c->list[i - 1].info;
    return r;
}

static bool has_serial(const struct cut_info *i, int64_t key)
{
    return i->head.serial == (uint64_t)key;
}

static bool has_number(const struct cut_info *i, int64_t key)
{
    return key >= 0 && i->head.number == key;
}

static bool is_any(const struct cut_info *i, int64_t key)
{
    (void)i, (void)key;
    return true;
}

static bool is_at_or_before(const struct cut_info *i, int64_t key)
{
    return i->head.wall_ns <= key;
}

int cuts_by_serial(struct cuts *c, uint64_t serial, struct cut_info *out, struct err *e)
{
    return cuts_find(c, has_serial, (int64_t)serial, out, e);
}

int cuts_by_number(struct cuts *c, int64_t number, struct cut_info *out, struct err *e)
{
    return cuts_find(c, has_number, number, out, e);
}

int cuts_latest(struct cuts *c, struct cut_info *out, struct err *e)
{
    return cuts_find(c, is_any, 0, out, e);
}

int cuts_at_time(struct cuts *c, int64_t ns, struct cut_info *out, struct err *e)
{
    return cuts_find(c, is_at_or_before, ns, out, e);
}

uint64_t cuts_version(struct cuts *c)
{
    lock_scope(&c->lock);
    cuts_refresh(c, NULL);
    return c->version;
}

int cuts_folder(struct cuts *c, struct err *e)
{
    int fd = io_open_beneath(c->state_fd, CUTS_FOLDER, O_RDONLY | O_DIRECTORY);
    if (fd == -ENOENT)
        return err_set(e, fd, "there are no cuts yet");
    return fd < 0 ? err_sys(e, fd, "the folder " CUTS_FOLDER " in the state folder") : fd;
}

int cuts_usage(struct cuts *c, uint64_t *files, uint64_t *bytes, uint64_t *only_ours, struct err *e)
{
    uint64_t u[3] = {0};
    pthread_mutex_lock(&c->lock);
    int r = cuts_refresh(c, e);
    int64_t now = time_mono_ns();
    bool known = c->usage_ns && now - c->usage_ns < USAGE_NS;
    if (known)
        memcpy(u, c->usage, sizeof(u));
    uint64_t version = c->version;
    pthread_mutex_unlock(&c->lock);
    if (r == 0 && !known) {
        autoclose int fd = cuts_folder(c, e);
        r = fd < 0 ? fd : pool_usage(fd, &u[0], &u[1], &u[2], e);
        r = r == -ENOENT ? 0 : r;
        pthread_mutex_lock(&c->lock);
        if (r == 0 && c->version == version) {
            memcpy(c->usage, u, sizeof(u));
            c->usage_ns = now;
        }
        pthread_mutex_unlock(&c->lock);
    }
    if (r < 0)
        return r;
    *files = u[0];
    *bytes = u[1];
    *only_ours = u[2];
    return 0;
}
