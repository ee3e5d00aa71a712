/* SPDX-License-Identifier: MIT */
#include "store/sets/madeshards.h"

#include "store/base/io.h"
#include "store/base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <utlist.h>

struct madeshard {
    pthread_mutex_t making; /* guards the making */
    struct settled *files;  /* NULL: not made */
    uint64_t made;          /* bytes in a file without a name */
    unsigned users;
    struct madeshard *prev, *next; /* among the idle, that longest unused first */
};

struct madeshards {
    atomic_uint refs;
    struct capture *capture;
    struct catalog *catalog;
    struct shards *list;
    int folder;
    pthread_mutex_t lock; /* guards files, users and what follows */
    struct madeshard *idle;
    uint64_t nidle; /* bytes of the idle */
    struct madeshard at[];
};

static int madeshards_open_folder(const char *folder, int *fd, struct err *e)
{
    if (!folder)
        folder = io_temporary_folder();
    *fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *fd < 0 ? err_sys(e, -errno, "%s", folder) : 0;
}

int madeshards_new(struct capture *c, struct catalog *k, const char *folder,
                   struct madeshards **out, struct err *e)
{
    cleanup(shards_freep) struct shards *list = NULL;
    autoclose int fd = -1;
    int r = shards_open(c, &list, e);
    if (r == 0)
        r = madeshards_open_folder(folder, &fd, e);
    if (r < 0)
        return r;
    size_t n = shards_count(list);
    struct madeshards *m = calloc(1, sizeof(*m) + n * sizeof(m->at[0]));
    if (!m)
        return err_sys(e, -ENOMEM, "the shards of a set");
    atomic_init(&m->refs, 1);
    pthread_mutex_init(&m->lock, NULL);
    for (size_t i = 0; i < n; i++)
        pthread_mutex_init(&m->at[i].making, NULL);
    m->capture = capture_ref(c);
    m->catalog = k;
    m->list = steal_ptr(&list);
    m->folder = steal_fd(&fd);
    *out = m;
    return 0;
}

struct madeshards *madeshards_ref(struct madeshards *m)
{
    atomic_fetch_add(&m->refs, 1);
    return m;
}

void madeshards_unref(struct madeshards *m)
{
    if (!m || atomic_fetch_sub(&m->refs, 1) > 1)
        return;
    for (size_t i = 0; i < shards_count(m->list); i++) {
        settled_free(m->at[i].files);
        pthread_mutex_destroy(&m->at[i].making);
    }
    close(m->folder);
    shards_free(m->list);
    capture_unref(m->capture);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

struct capture *madeshards_capture(const struct madeshards *m)
{
    return m->capture;
}

struct catalog *madeshards_catalog(const struct madeshards *m)
{
    return m->catalog;
}

const struct shards *madeshards_list(const struct madeshards *m)
{
    return m->list;
}

static struct settled_query madeshards_query(const struct madeshards *m, size_t i)
{
    return (struct settled_query){
        .capture = m->capture,
        .shard = shards_at(m->list, i),
        .range = SETTLED_ALL,
        .folder = m->folder,
    };
}

bool madeshards_is_plain(const struct madeshards *m, size_t i)
{
    const struct settled_query q = madeshards_query(m, i);
    return settled_is_plain(&q);
}

int madeshards_digest(const struct madeshards *m, size_t i, uint8_t out[SHA256_BYTES],
                      struct err *e)
{
    const struct settled_query q = madeshards_query(m, i);
    return settled_digest(&q, out, e);
}

static uint64_t madeshards_bytes(const struct settled *files)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < settled_count(files); i++)
        if (settled_at(files, i)->member == MEMBER_NONE)
            bytes += settled_at(files, i)->size;
    return bytes;
}

/* The files of s for one more user, if they are made. */
static const struct settled *madeshards_take(struct madeshards *m, struct madeshard *s)
{
    lock_scope(&m->lock);
    if (!s->files)
        return NULL;
    if (s->users++ == 0 && s->made) {
        DL_DELETE(m->idle, s);
        m->nidle -= s->made;
    }
    return s->files;
}

int madeshards_get(struct madeshards *m, size_t i, const struct tarball_reader *reader,
                   const struct settled **out, struct err *e)
{
    struct madeshard *s = &m->at[i];
    struct settled_query q = madeshards_query(m, i);
    struct settled *files = NULL;
    q.reader = reader;
    int r =
        lock_unless(&s->making, reader ? reader->interrupted : NULL, reader ? reader->ctx : NULL);
    if (r < 0)
        return err_set(e, r, "interrupted");
    *out = madeshards_take(m, s);
    if (!*out)
        r = settled_open(&q, &files, e);
    if (files) {
        lock_scope(&m->lock);
        s->made = madeshards_bytes(files);
        s->users = 1;
        *out = s->files = files;
    }
    pthread_mutex_unlock(&s->making);
    return r;
}

/* Takes out what has been idle longest, while there is too much of it. Called with the lock. */
static struct settled *madeshards_take_idle(struct madeshards *m)
{
    struct madeshard *s = m->idle;
    if (!s || m->nidle <= MADESHARDS_IDLE)
        return NULL;
    DL_DELETE(m->idle, s);
    m->nidle -= s->made;
    return steal_ptr(&s->files);
}

void madeshards_put(struct madeshards *m, size_t i)
{
    struct madeshard *s = &m->at[i];
    struct settled *old;
    pthread_mutex_lock(&m->lock);
    if (--s->users == 0 && s->made) {
        DL_APPEND(m->idle, s);
        m->nidle += s->made;
    }
    while ((old = madeshards_take_idle(m))) {
        pthread_mutex_unlock(&m->lock);
        settled_free(old);
        pthread_mutex_lock(&m->lock);
    }
    /* What was not made is had again for nothing. */
    old = s->users || s->made ? NULL : steal_ptr(&s->files);
    pthread_mutex_unlock(&m->lock);
    settled_free(old);
}
