/* SPDX-License-Identifier: MIT */
#include "store/influx/processes.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/base/lock.h"
#include "store/base/time.h"
#include "store/influx/names.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#define LOOK_MAX_NS (10 * SECOND_NS)

/* A look at one process, by a thread that may be left behind: then it is away, and known as far as it has
 * been seen. */
struct look {
    struct process_away away;
    struct process_seen seen; /* guarded by the lock */
    int64_t since_ns;
};

/* One list of all processes; it belongs to those who wait for it and the threads that look for them. */
struct sweep {
    enum processes_want want;
    int proc;
    struct dir names;
    size_t next; /* of names */
    unsigned refs, turn;
    struct look *at; /* of the thread whose turn it is, or NULL */
    bool done;
    int failed;
    struct processes found;
};

/* Guards all sweeps and the list of those away. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct process_away *away;

static void processes_begin(void)
{
    cond_init(&changed);
}

static void process_seen_free(struct process_seen *p)
{
    process_close(&p->process);
    free(p->files);
}

void processes_free(struct processes *p)
{
    for (size_t i = 0; i < p->n; i++)
        process_seen_free(&p->list[i]);
    free(p->list);
    *p = (struct processes){.n = 0};
}

void processes_asked_by(struct process_away *a, pid_t pid)
{
    pthread_once(&once, processes_begin);
    lock_scope(&lock);
    *a = (struct process_away){.pid = pid};
    DL_APPEND(away, a);
    pthread_cond_broadcast(&changed);
}

void processes_answered(struct process_away *a)
{
    lock_scope(&lock);
    DL_DELETE(away, a);
}

/* One that asks, rather than one that a thread waits for; NULL: the process may be looked at. Called with
 * the lock. */
static const struct process_away *process_away_of(pid_t pid)
{
    const struct process_away *a, *found = NULL;
    assert_locked(&lock);
    DL_FOREACH(away, a)
    {
        if (a->pid == pid && (!found || !a->known))
            found = a;
    }
    return found;
}

/* Called with the lock. */
static void sweep_unref(struct sweep *s)
{
    if (--s->refs > 0)
        return;
    processes_free(&s->found);
    dir_free(&s->names);
    cleanup_close(&s->proc);
    free(s);
}

static int process_seen_remember(void *arg, const struct process_file *file)
{
    struct process_seen *p = arg;
    lock_scope(&lock);
    if (!array_grow(&p->files, p->n))
        return -ENOMEM;
    p->files[p->n++] = *file;
    return 0;
}

/* What is seen is put down as it is seen. 0, or -errno where there is nothing to remember. */
static int processes_look_into(const struct sweep *s, const char *name, struct process_seen *p)
{
    struct process one;
    int r = process_open(s->proc, name, &one);
    if (r < 0)
        return r;
    pthread_mutex_lock(&lock);
    p->process = one;
    pthread_mutex_unlock(&lock);
    const bool influxd = one.is_influxd || process_runs_influxd(&one);
    pthread_mutex_lock(&lock);
    p->process.is_influxd = influxd;
    pthread_mutex_unlock(&lock);
    r = s->want == PROCESSES_FILES ? process_files(&one, !influxd, process_seen_remember, p) : 0;
    lock_scope(&lock);
    p->error = r;
    if (!influxd)
        process_close(&p->process);
    return 0;
}

/* Takes p over. Called with the lock. */
static void sweep_add(struct sweep *s, struct process_seen *p)
{
    if (!array_grow(&s->found.list, s->found.n)) {
        s->failed = -ENOMEM;
        process_seen_free(p);
        return;
    }
    s->found.list[s->found.n++] = *p;
}

/* Adds what is known of a process that cannot be looked at. Called with the lock. */
static void processes_add_known(struct sweep *s, const struct process_seen *known)
{
    struct process_seen p = *known;
    if (!p.process.pid)
        return;
    p.process.dir = 0;
    p.error = -ETIMEDOUT;
    p.files = malloc(known->n * sizeof(*p.files) + 1);
    if (!p.files) {
        s->failed = -ENOMEM;
        return;
    }
    if (known->n)
        memcpy(p.files, known->files, known->n * sizeof(*p.files));
    sweep_add(s, &p);
}

/* Called with the lock. false: the turn is another thread's now. */
static bool processes_look_at(struct sweep *s, const char *name)
{
    struct look l = {.away = {.pid = (pid_t)strtol(name, NULL, 10), .known = &l.seen}};
    const struct process_away *gone = process_away_of(l.away.pid);
    const unsigned turn = s->turn;
    if (gone && gone->known)
        processes_add_known(s, gone->known);
    if (gone)
        return true;
    s->at = &l;
    l.since_ns = time_mono_ns();
    pthread_mutex_unlock(&lock);
    int r = processes_look_into(s, name, &l.seen);
    pthread_mutex_lock(&lock);
    const bool mine = s->turn == turn;
    if (mine)
        s->at = NULL;
    else
        DL_DELETE(away, &l.away);
    if (mine && r == 0)
        sweep_add(s, &l.seen);
    else
        process_seen_free(&l.seen);
    return mine;
}

static void *processes_run(void *arg)
{
    struct sweep *s = arg;
    uint64_t pid;
    bool mine = true;
    lock_scope(&lock);
    while (mine && s->next < s->names.n && s->failed == 0) {
        const char *name = s->names.names[s->next++];
        if (name_is_shard(name, &pid))
            mine = processes_look_at(s, name);
    }
    if (mine) {
        s->done = true;
        pthread_cond_broadcast(&changed);
    }
    sweep_unref(s);
    return NULL;
}

/* Called with the lock. */
static int sweep_start(struct sweep *s, pthread_t *thread)
{
    int r = -pthread_create(thread, NULL, processes_run, s);
    if (r == 0)
        s->refs++;
    return r;
}

/* The thread that looks waits, maybe for this process: another one goes on with the next process.
 * Called with the lock. */
static int processes_leave_behind(struct sweep *s, pthread_t *thread)
{
    struct look *l = s->at;
    const struct process_away *asks = process_away_of(l->away.pid);
    if (!asks || asks->known)
        processes_add_known(s, &l->seen);
    pthread_detach(*thread);
    s->turn++;
    s->at = NULL;
    DL_APPEND(away, &l->away);
    pthread_cond_broadcast(&changed); /* others may wait for the same process */
    return sweep_start(s, thread);
}

/* Called with the lock. */
static int processes_wait(struct sweep *s)
{
    pthread_t thread;
    int r = sweep_start(s, &thread);
    while (r == 0 && !s->done) {
        const int64_t now = time_mono_ns(), until = (s->at ? s->at->since_ns : now) + LOOK_MAX_NS;
        if (s->at && (now >= until || process_away_of(s->at->away.pid)))
            r = processes_leave_behind(s, &thread);
        else
            cond_wait_until(&changed, &lock, until);
    }
    if (r < 0)
        return r;
    pthread_mutex_unlock(&lock);
    pthread_join(thread, NULL);
    pthread_mutex_lock(&lock);
    return s->failed;
}

/* The caller's own process is left out of the names. */
static int processes_find(struct sweep *s)
{
    char self[32];
    s->proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ssize_t len = s->proc < 0 ? -1 : readlinkat(s->proc, "self", self, sizeof(self) - 1);
    if (len < 0)
        return -errno;
    self[len] = 0;
    int r = dir_read(s->proc, &s->names);
    for (size_t i = 0; r == 0 && i < s->names.n; i++)
        if (strcmp(s->names.names[i], self) == 0)
            *s->names.names[i] = 0;
    return r;
}

int processes_read(enum processes_want want, struct processes *out)
{
    pthread_once(&once, processes_begin);
    *out = (struct processes){.n = 0};
    struct sweep *s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    *s = (struct sweep){.want = want, .proc = -1, .refs = 1};
    int r = processes_find(s);
    lock_scope(&lock);
    if (r == 0)
        r = processes_wait(s);
    if (r == 0) {
        *out = s->found;
        s->found = (struct processes){.n = 0};
    }
    sweep_unref(s);
    return r;
}
