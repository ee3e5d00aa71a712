/* SPDX-License-Identifier: MIT */
#include "store/restore/increment.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/base/io.h"
#include "store/base/rmtree.h"
#include "store/base/sha256.h"
#include "store/influx/written.h"
#include "store/restore/slot.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#define UNVERIFIED SLOT_NEW
#define SLOT_HEX 32
#define ABOUT_MAX (64 << 20)

/* Slots */

/* Opens the folder of all slots; *data is a borrowed copy of the target with that layout. */
static int open_place(const struct targets *t, bool inside, struct target *data)
{
    *data = t->at[TARGET_DATA];
    data->inside = inside;
    return target_open_side(data, SIDE_PENDING);
}

static bool is_unverified(const char *slot)
{
    size_t n = strlen(slot), k = strlen(UNVERIFIED);
    return n > k && strcmp(slot + n - k, UNVERIFIED) == 0;
}

/* Whether the name is of a slot. */
static bool is_slot(const char *name)
{
    size_t hex = strspn(name, "0123456789abcdef");
    return (hex == SLOT_HEX && !name[hex]) ||
           ((hex == SLOT_HEX || hex == SLOT_HEX / 2) && strcmp(name + hex, UNVERIFIED) == 0);
}

static bool is_ours(const void *ctx, const char *path, const struct statx *st)
{
    (void)ctx;
    if (!*path)
        return S_ISDIR(st->stx_mode);
    if (!strchr(path, '/') && S_ISREG(st->stx_mode) &&
        (strcmp(path, "about") == 0 || strcmp(path, "about.tmp") == 0 ||
         strcmp(path, "manifest") == 0 || strcmp(path, "manifest.tmp") == 0))
        return true;
    return written_by_influxd(path, st->stx_mode);
}

/* Unknown things in a slot stay, in a place where no slot is looked for. */
static int remove_slot(const struct target *data, int place, const char *slot)
{
    struct err said;
    int r = rmtree_clear(place, slot, "", &(struct rmtree_of){is_ours, NULL}, &said, NULL);
    target_say_left(data, &said);
    return r;
}

/* Removes the slot, and the folder of all slots if it is then empty. */
static int drop_slot(const struct target *data, const char *slot)
{
    autoclose int place = target_open_side(data, SIDE_PENDING);
    if (place < 0)
        return place == -ENOENT ? 0 : place;
    int r = remove_slot(data, place, slot);
    target_remove_empty_side(data, SIDE_PENDING);
    return r;
}

/* An id may be any text, unlike a name. */
static int slot_of(const char *id, char **out)
{
    char hex[SHA256_HEX + 1];
    if (sha256_of(id, strlen(id), hex) < 0)
        return -ENOMEM;
    hex[SLOT_HEX] = 0;
    *out = strdup(hex);
    return *out ? 0 : -ENOMEM;
}

static int increment_open_kinds(int slot, int fds[TARGETS])
{
    int r = 0;
    for (int k = 0; k < TARGETS; k++) {
        fds[k] = r < 0 ? -1
                       : io_open_beneath(slot, target_kind_name((enum target_kind)k),
                                         O_RDONLY | O_DIRECTORY);
        if (r == 0 && fds[k] < 0)
            r = fds[k];
    }
    if (r < 0)
        targets_close(fds);
    return r;
}

/* One increment */

static int increment_make_slot(struct increment *i)
{
    char name[SLOT_NAME_BYTES];
    int r = target_make_side(&i->data, SIDE_PENDING, 0700);
    autoclose int place = r < 0 ? r : target_open_side(&i->data, SIDE_PENDING);
    autoclose int fd = -1;
    if (place < 0 || (r = slot_make(place, name, &fd)) < 0)
        return place < 0 ? place : r;
    if (!(i->slot = strdup(name)))
        return -ENOMEM;
    i->fd = steal_fd(&fd);
    return 0;
}

/* Without a slot yet. */
static int increment_alloc(const struct targets *t, bool inside, const struct manifest *m,
                           enum increment_state state, struct increment **out)
{
    cleanup(increment_freep) struct increment *i = calloc(1, sizeof(*i));
    if (!i)
        return -ENOMEM;
    i->fd = -1;
    i->state = state;
    i->data = t->at[TARGET_DATA];
    i->data.path = NULL;
    i->data.inside = i->inside = inside;
    i->data.name = strdup(t->at[TARGET_DATA].name);
    i->data.parent = fcntl(i->data.parent, F_DUPFD_CLOEXEC, 0);
    if (i->data.parent < 0)
        return -errno;
    if (!i->data.name || manifest_copy(m, &i->m) < 0)
        return -ENOMEM;
    *out = steal_ptr(&i);
    return 0;
}

int increment_new(struct targets *t, const struct manifest *m, struct increment **out,
                  struct stage **stage, struct err *e)
{
    int fds[TARGETS];
    cleanup(increment_freep) struct increment *i = NULL;
    int r = targets_make_parents(t, e);
    if (r < 0)
        return r;
    r = increment_alloc(t, t->at[TARGET_DATA].inside, m, INCREMENT_INCOMING, &i);
    for (int tries = 0; r == 0 && i->fd < 0 && tries < SLOT_TRIES; tries++) {
        r = increment_make_slot(i);
        if (r == -ENOENT && tries + 1 < SLOT_TRIES)
            r = 0;
    }
    for (int k = 0; r == 0 && k < TARGETS; k++)
        if (mkdirat(i->fd, target_kind_name((enum target_kind)k), 0700) < 0)
            r = -errno;
    if (r == 0)
        r = increment_open_kinds(i->fd, fds);
    if (r < 0)
        return err_sys(e, r, "%s.pending: no place for a number", t->at[TARGET_DATA].path);
    if ((r = stage_new(t, fds, stage, e)) < 0)
        return r;
    stage_unsynced(*stage);
    *out = steal_ptr(&i);
    return 0;
}

static int add_folder(void *arg, const struct stage_folder *f)
{
    struct increment *i = arg;
    char *name = strdup(f->name);
    if (!name || !array_grow(&i->folders, i->nfolders)) {
        free(name);
        return -ENOMEM;
    }
    i->folders[i->nfolders++] = (struct stage_folder){name, f->mode, f->mtime_ns};
    return 0;
}

int increment_seal(struct increment *i, const struct stage *s, struct err *e)
{
    int r = stage_each_folder(s, add_folder, i);
    return r < 0 ? err_sys(e, r, "restore") : 0;
}

int increment_name(struct increment *i, const char *name)
{
    char *copy = strdup(name);
    if (!copy)
        return -ENOMEM;
    for (char *c = copy; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    free(i->name);
    i->name = copy;
    return 0;
}

static int increment_write_about(const struct increment *i)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    if (!f)
        return -ENOMEM;
    fprintf(f, "name %s\n", i->name);
    for (size_t k = 0; k < i->nfolders; k++)
        fprintf(f, "d %o %" PRId64 " %s\n", (unsigned)i->folders[k].mode, i->folders[k].mtime_ns,
                i->folders[k].name);
    int r = fclose(f) != 0 ? -ENOMEM : io_replace_file(i->fd, "about", text, len, 0600);
    free(text);
    return r;
}

/* Writes what makes a slot wait, its manifest last. */
static int increment_write(const struct increment *i)
{
    autofree char *text = NULL;
    size_t len = 0;
    int r = syncfs(i->fd) < 0 ? -errno : increment_write_about(i);
    if (r == 0)
        r = manifest_write(i->m, &text, &len);
    return r < 0 ? r : io_replace_file(i->fd, "manifest", text, len, 0600);
}

int increment_keep(struct increment *i, enum increment_state as, struct err *e)
{
    autofree char *slot = NULL;
    autoclose int place = target_open_side(&i->data, SIDE_PENDING);
    int r = place < 0 ? place : slot_of(i->m->id, &slot);
    if (r == 0)
        r = increment_write(i);
    if (r == 0 && renameat(place, i->slot, place, slot) < 0)
        r = -errno;
    if (r == -ENOTEMPTY || r == -EEXIST)
        return 1;
    if (r == 0) {
        free(i->slot);
        i->slot = steal_ptr(&slot);
        i->state = as;
        r = io_sync_dir(place);
    }
    return r < 0 ? err_sys(e, r, "%s: it cannot be kept until its parent comes", i->name) : 0;
}

int increment_park(const struct targets *t, const struct increment *waiting, struct increment **out)
{
    char fresh[NAME_MAX + 1];
    cleanup(increment_freep) struct increment *i = NULL;
    int r = increment_alloc(t, waiting->inside, waiting->m, INCREMENT_PARKED, &i);
    for (size_t k = 0; r == 0 && k < waiting->nfolders; k++)
        r = add_folder(i, &waiting->folders[k]);
    if (r == 0)
        r = increment_name(i, waiting->name);
    if (r < 0)
        return r;
    autoclose int place = target_open_side(&i->data, SIDE_PENDING);
    i->fd = place < 0 ? -1 : io_open_beneath(place, waiting->slot, O_RDONLY | O_DIRECTORY);
    if (i->fd < 0 || flock(i->fd, LOCK_EX | LOCK_NB) < 0)
        return i->fd < 0 ? -ENOENT : -errno;
    snprintf(fresh, sizeof(fresh), "%s" UNVERIFIED, waiting->slot);
    remove_slot(&i->data, place, fresh); /* of an earlier time */
    if (!(i->slot = strdup(fresh)))
        return -ENOMEM;
    if (renameat(place, waiting->slot, place, fresh) < 0)
        return -errno;
    *out = steal_ptr(&i);
    return 0;
}

void increment_free(struct increment *i)
{
    if (!i)
        return;
    if (i->slot && (i->state == INCREMENT_INCOMING || i->state == INCREMENT_PARKED))
        drop_slot(&i->data, i->slot);
    cleanup_close(&i->fd);
    cleanup_close(&i->data.parent);
    free(i->data.name);
    free(i->slot);
    free(i->name);
    manifest_free(i->m);
    for (size_t k = 0; k < i->nfolders; k++)
        free((char *)i->folders[k].name);
    free(i->folders);
    free(i);
}

/* The increments that wait */

int increment_open(const struct targets *t, const struct increment *i, int fds[TARGETS],
                   struct err *e)
{
    struct target data;
    autoclose int place = open_place(t, i->inside, &data);
    autoclose int slot =
        place < 0 ? place : io_open_beneath(place, i->slot, O_RDONLY | O_DIRECTORY);
    int r = slot < 0 ? slot : increment_open_kinds(slot, fds);
    return r < 0 ? err_sys(e, r, "%s: what was received of it", i->name) : 0;
}

int increment_remove(const struct targets *t, const struct increment *waiting)
{
    struct target data = t->at[TARGET_DATA];
    data.inside = waiting->inside;
    return drop_slot(&data, waiting->slot);
}

/* One line of `about`, without its newline. */
static int increment_parse_about(struct increment *i, char *line)
{
    if (strncmp(line, "name ", 5) == 0)
        return increment_name(i, line + 5);
    unsigned mode;
    int64_t mtime;
    int at = 0;
    if (sscanf(line, "d %o %" SCNd64 " %n", &mode, &mtime, &at) != 2 || !at ||
        !manifest_name_ok(line + at, true))
        return -EBADMSG;
    return add_folder(i, &(struct stage_folder){line + at, mode & 0777, mtime});
}

static int increment_read(int place, const char *slot, bool inside, struct increment **out)
{
    autofree char *text = NULL, *about = NULL;
    size_t len;
    autoclose int fd = io_open_beneath(place, slot, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return fd;
    cleanup(increment_freep) struct increment *i = calloc(1, sizeof(*i));
    if (!i)
        return -ENOMEM;
    i->state = INCREMENT_PENDING;
    i->inside = inside;
    i->fd = i->data.parent = -1;
    if (!(i->slot = strdup(slot)))
        return -ENOMEM;
    int r = io_read_file(fd, "manifest", MANIFEST_MAX, &text, &len);
    if (r == 0)
        r = manifest_parse(text, len, &i->m, NULL);
    if (r == 0 && (i->m->kind != MANIFEST_INCREMENTAL || !i->m->parent))
        r = -EBADMSG;
    if (r == 0)
        r = io_read_file(fd, "about", ABOUT_MAX, &about, &len);
    for (char *p = about, *nl; r == 0 && (nl = strchr(p, '\n')); p = nl + 1) {
        *nl = 0;
        r = increment_parse_about(i, p);
    }
    if (r == 0 && !i->name)
        r = -EBADMSG;
    if (r == 0)
        *out = steal_ptr(&i);
    return r;
}

static int by_number(const void *a, const void *b)
{
    const struct increment *x = *(struct increment *const *)a, *y = *(struct increment *const *)b;
    return (x->m->number > y->m->number) - (x->m->number < y->m->number);
}

static int increment_list_place(const struct targets *t, bool inside, struct increment_list *out)
{
    struct target data;
    cleanup(dir_free) struct dir list = {0};
    autoclose int place = open_place(t, inside, &data);
    if (place == -ENOENT || place == -ENOTDIR)
        return 0;
    int r = place < 0 ? place : dir_read(place, &list);
    for (size_t k = 0; r == 0 && k < list.n; k++) {
        cleanup(increment_freep) struct increment *i = NULL;
        if (is_unverified(list.names[k]))
            continue;
        int got = increment_read(place, list.names[k], inside, &i);
        if (got == -ENOMEM || got == -EIO || (got == 0 && !array_grow(&out->at, out->n)))
            r = got < 0 ? got : -ENOMEM;
        else if (got == 0)
            out->at[out->n++] = steal_ptr(&i);
    }
    return r;
}

int increment_list(const struct targets *t, struct increment_list *out, struct err *e)
{
    struct increment_list list = {0};
    int r = increment_list_place(t, false, &list);
    if (r == 0)
        r = increment_list_place(t, true, &list);
    if (r < 0) {
        increment_list_free(&list);
        return err_sys(e, r, "%s: the numbers that wait", t->at[TARGET_DATA].path);
    }
    if (list.n)
        qsort(list.at, list.n, sizeof(*list.at), by_number);
    *out = list;
    return 0;
}

void increment_list_free(struct increment_list *list)
{
    for (size_t k = 0; k < list->n; k++)
        increment_free(list->at[k]);
    free(list->at);
    *list = (struct increment_list){0};
}

/* Whether no process will come back for it. */
static bool increment_is_litter(int place, const char *slot, bool inside, bool *unreadable)
{
    cleanup(increment_freep) struct increment *i = NULL;
    *unreadable = false;
    if (!is_slot(slot))
        return false; /* a stranger's */
    if (!is_unverified(slot)) {
        int r = increment_read(place, slot, inside, &i);
        *unreadable = r < 0 && r != -ENOMEM && r != -EIO && r != -EACCES;
        return *unreadable;
    }
    return slot_is_dead(place, slot);
}

static void increment_tidy_place(const struct targets *t, bool inside, struct err *said)
{
    struct target data;
    cleanup(dir_free) struct dir list = {0};
    autoclose int place = open_place(t, inside, &data);
    if (place >= 0 && dir_read(place, &list) < 0)
        return;
    for (size_t k = 0; k < list.n; k++) {
        bool unreadable;
        if (increment_is_litter(place, list.names[k], inside, &unreadable) &&
            remove_slot(&data, place, list.names[k]) == 0)
            err_set(said, 0,
                    unreadable ? "removed a number that was waiting and cannot be read"
                               : "removed a number that was not received to its end");
    }
    target_remove_empty_side(&data, SIDE_PENDING);
}

void increment_tidy(const struct targets *t, struct err *said)
{
    said->text[0] = 0;
    increment_tidy_place(t, false, said);
    increment_tidy_place(t, true, said);
}
