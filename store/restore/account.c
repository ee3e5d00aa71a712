/* SPDX-License-Identifier: MIT */
#include "store/restore/account.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/lock.h"
#include "store/base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LOG_MAX (8 << 20) /* past this it is emptied */

struct account {
    int log;
    void (*on_end)(void *arg, const struct account_end *end); /* or NULL */
    void *on_end_arg;
    pthread_mutex_t lock; /* what follows */
    struct progress status;
    bool taken;                  /* the staging area is: */
    const struct upload *holder; /* this upload, or NULL: the session itself */
    const struct upload *newest; /* the last upload to begin while the area was free */
};

/* Without memory a text is missing: the status is no reason to fail. */
static void set(char **to, const char *text)
{
    char *copy = text ? strdup(text) : NULL;
    free(*to);
    *to = copy;
}

/* In memory if there is no folder, or the file cannot be opened. */
static int account_open_log(int state_fd)
{
    int fd = state_fd < 0
                 ? -1
                 : openat(state_fd, "restore.log",
                          O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
    if (fd >= 0)
        return fd;
    autoclose int memory = memfd_create("restore.log", MFD_CLOEXEC);
    return memory < 0 || fcntl(memory, F_SETFL, O_APPEND) < 0 ? -errno : steal_fd(&memory);
}

int account_open(int state_fd, struct account **out)
{
    struct account *a = calloc(1, sizeof(*a));
    if (!a)
        return -ENOMEM;
    a->log = account_open_log(state_fd);
    if (a->log < 0) {
        int ret = a->log;
        free(a);
        return ret;
    }
    pthread_mutex_init(&a->lock, NULL);
    *out = a;
    return 0;
}

void account_close(struct account *a)
{
    if (!a)
        return;
    progress_clear(&a->status);
    cleanup_close(&a->log);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

void account_on_end(struct account *a, void (*fn)(void *arg, const struct account_end *end),
                    void *arg)
{
    a->on_end = fn;
    a->on_end_arg = arg;
}

void account_say(struct account *a, const char *fmt, ...)
{
    va_list ap;
    char line[2048];
    time_text(time_wall_ns(), line);
    size_t n = strlen(line);
    line[n++] = ' ';
    va_start(ap, fmt);
    vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
    va_end(ap);
    for (; line[n]; n++)
        if ((unsigned char)line[n] < ' ' || line[n] == 0x7f)
            line[n] = '?';
    line[n++] = '\n';
    io_write_all(a->log, line, n); /* a log that cannot be written must not fail a restore */
}

void account_trim_log(struct account *a)
{
    struct stat st;
    if (fstat(a->log, &st) == 0 && st.st_size > LOG_MAX && ftruncate(a->log, 0) < 0)
        return; /* it goes on growing, which harms nothing yet */
}

int account_log_fd(const struct account *a)
{
    return a->log;
}

int account_json(struct account *a, char **text)
{
    pthread_mutex_lock(&a->lock);
    struct json_object *o = progress_object(&a->status);
    pthread_mutex_unlock(&a->lock);
    if (!o)
        return -ENOMEM;
    const char *json =
        json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
    int ret = json && asprintf(text, "%s\n", json) >= 0 ? 0 : -ENOMEM;
    json_object_put(o);
    return ret;
}

void account_status(struct account *a, struct progress *out)
{
    lock_scope(&a->lock);
    progress_copy(&a->status, out);
}

uint64_t account_restores(struct account *a)
{
    lock_scope(&a->lock);
    return a->status.restores;
}

/* Whether the status describes this upload. With the lock. */
static bool is_subject(const struct account *a, const struct upload *u)
{
    return a->taken ? a->holder == u : a->newest == u || progress_ended(&a->status);
}

/* With the lock. */
static void account_set_begun(struct progress *s, const char *name, const struct manifest *m)
{
    set(&s->name, name);
    set(&s->id, m ? m->id : NULL);
    set(&s->error, NULL);
    s->state = PROGRESS_RECEIVING;
    s->bytes = 0;
    s->files = 0;
    s->total_bytes = m ? m->bytes : 0;
    s->total_files = m ? m->nfiles + m->unlisted : 0;
    s->started_ns = time_wall_ns();
    s->ended_ns = 0;
}

/* With the lock. */
static void set_state(struct progress *s, enum progress_state state, const char *name,
                      const char *error)
{
    if (!s->name || strcmp(s->name, name) != 0)
        set(&s->name, name);
    set(&s->error, error);
    s->state = state;
    s->ended_ns = progress_ended(s) ? time_wall_ns() : 0;
}

/* Sets the state, if the status describes what this is of; and tells of an end, of which only the
 * status knows the size. */
static void account_report(struct account *a, const struct upload *u, bool owner,
                           enum progress_state state, const char *name, const char *why)
{
    struct account_end end = {.restored = state == PROGRESS_RESTORED, .name = name, .why = why};
    struct progress *s = &a->status;
    autofree char *id = NULL;
    pthread_mutex_lock(&a->lock);
    if (owner || is_subject(a, u)) {
        set_state(s, state, name, why);
        end.id = id = s->id ? strdup(s->id) : NULL;
        end.bytes = s->bytes;
        end.took_ns = s->started_ns ? s->ended_ns - s->started_ns : 0;
    }
    pthread_mutex_unlock(&a->lock);
    if (a->on_end && (state == PROGRESS_RESTORED || state == PROGRESS_REFUSED))
        a->on_end(a->on_end_arg, &end);
}

void account_receiving(struct account *a, const struct upload *u, const char *name)
{
    lock_scope(&a->lock);
    if (!a->taken || a->holder == u) {
        account_set_begun(&a->status, name, NULL);
        a->newest = u;
    }
}

void account_member(struct account *a, const struct upload *u, const char *name, uint64_t size)
{
    account_say(a, "unpacking %s (%llu bytes)", name, (unsigned long long)size);
    lock_scope(&a->lock);
    if (is_subject(a, u))
        a->status.files++;
}

void account_progress(struct account *a, const struct upload *u, uint64_t bytes)
{
    lock_scope(&a->lock);
    if (is_subject(a, u))
        a->status.bytes += bytes;
}

void account_staged(struct account *a, const char *name, uint64_t size, bool linked)
{
    account_say(a, "%s %s (%llu bytes)", linked ? "linking" : "copying", name,
                (unsigned long long)size);
    lock_scope(&a->lock);
    a->status.files++;
    a->status.bytes += size;
}

void account_verified(struct account *a, const struct upload *u, const char *name)
{
    account_say(a, "verified %s", name);
    account_report(a, u, false, PROGRESS_VERIFIED, name, NULL);
}

void account_refused(struct account *a, const struct upload *u, const char *name, const char *why)
{
    account_say(a, "refused %s: %s", name, why);
    account_report(a, u, false, PROGRESS_REFUSED, name, why);
}

void account_incomplete(struct account *a, const struct upload *u, const char *name,
                        const char *why)
{
    account_say(a, "refused %s: %s", name, why);
    account_report(a, u, false, PROGRESS_RECEIVING, name, why);
}

void account_ended(struct account *a, const struct upload *u, const char *name, const char *why)
{
    account_report(a, u, false, PROGRESS_REFUSED, name, why);
}

void account_hold(struct account *a, const struct upload *u)
{
    lock_scope(&a->lock);
    a->taken = true;
    a->holder = u;
}

void account_release(struct account *a)
{
    lock_scope(&a->lock);
    a->taken = false;
}

void account_begin(struct account *a, const char *name, const struct manifest *m)
{
    lock_scope(&a->lock);
    account_set_begun(&a->status, name, m);
}

void account_state(struct account *a, enum progress_state state, const char *name, const char *why)
{
    account_report(a, NULL, true, state, name, why);
}

void account_describe(struct account *a, const char *name, const struct manifest *m)
{
    lock_scope(&a->lock);
    if (!a->taken && a->status.name && strcmp(a->status.name, name) == 0) {
        set(&a->status.id, m->id);
        a->status.total_bytes = m->bytes;
        a->status.total_files = m->nfiles;
    }
}

void account_restored(struct account *a, char *const kept[TARGETS], const struct composed *did)
{
    lock_scope(&a->lock);
    a->status.restores++;
    for (int i = 0; i < TARGETS; i++)
        set(&a->status.kept[i], kept[i]);
    progress_forget_warnings(&a->status);
    composed_clear(&a->status.composed);
    composed_copy(did, &a->status.composed); /* without memory, it is not said */
}

void account_warn(struct account *a, const char *text)
{
    lock_scope(&a->lock);
    struct progress *s = &a->status;
    char *copy = strdup(text);
    if (copy && array_grow(&s->warnings, s->nwarnings))
        s->warnings[s->nwarnings++] = steal_ptr(&copy);
    free(copy);
}

void account_set_waiting(struct account *a, struct waiting_list *list)
{
    pthread_mutex_lock(&a->lock);
    struct waiting_list was = a->status.waiting;
    a->status.waiting = *list;
    pthread_mutex_unlock(&a->lock);
    *list = (struct waiting_list){0};
    waiting_free(&was);
}

void account_add_waiting(struct account *a, const char *name, const struct manifest *m,
                         const char *waits_for)
{
    bool listed = false;
    lock_scope(&a->lock);
    struct waiting_list *list = &a->status.waiting;
    for (size_t i = 0; i < list->n; i++)
        listed = listed || strcmp(list->at[i].id, m->id) == 0;
    if (!listed)
        waiting_add(list, name, m, waits_for);
}

int account_waiting(struct account *a, struct waiting_list *out)
{
    lock_scope(&a->lock);
    return waiting_copy(&a->status.waiting, out);
}
