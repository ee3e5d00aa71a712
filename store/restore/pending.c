/* SPDX-License-Identifier: MIT */
#include "store/restore/pending.h"

#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/base/io.h"
#include "store/base/rmtree.h"
#include "store/base/sha256.h"
#include "store/influx/written.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>

#define UNVERIFIED ".new"
#define SLOT_HEX 32
#define ABOUT_MAX (64 << 20)
#define TRIES 5 /* another one may tidy up just now */

struct incoming {
    struct target data; /* borrows nothing but its parent's descriptor, which is a copy */
    int fd;             /* the slot, locked */
    struct number n;
};

static void number_clear(struct number *n)
{
    free(n->slot);
    free(n->name);
    manifest_free(n->m);
    for (size_t i = 0; i < n->nfolders; i++)
        free((char *)n->folders[i].name);
    free(n->folders);
    *n = (struct number){0};
}

static void number_free(struct number *n)
{
    if (n)
        number_clear(n);
    free(n);
}

static void number_freep(struct number **n)
{
    number_free(*n);
}

static int open_folder(int dir, const char *name)
{
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* The folder of all slots, as a copy of the target with that layout. */
static int open_place(const struct targets *t, bool inside, struct target *data)
{
    *data = t->at[TARGET_DATA];
    data->inside = inside;
    return target_open_side(data, SIDE_PENDING);
}

static bool ends_new(const char *slot)
{
    size_t n = strlen(slot), k = strlen(UNVERIFIED);
    return n > k && strcmp(slot + n - k, UNVERIFIED) == 0;
}

/* Whether pending.c makes slots of such names. */
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

/* What is not ours in a slot stays, where no slot is looked for. */
static int remove_slot(const struct target *data, int place, const char *slot)
{
    struct err said;
    int r = rmtree_clear(place, slot, "", &(struct rmtree_of){is_ours, NULL}, &said, NULL);
    target_say_left(data, &said);
    return r;
}

/* An id may be any text, a name may not. */
static int slot_of(const char *id, char **out)
{
    uint8_t sum[SHA256_BYTES];
    char hex[SHA256_HEX + 1];
    cleanup(sha256_freep) struct sha256 *s = sha256_new();
    if (!s)
        return -ENOMEM;
    sha256_add(s, id, strlen(id));
    sha256_end(s, sum);
    sha256_hex(sum, hex);
    hex[SLOT_HEX] = 0;
    *out = strdup(hex);
    return *out ? 0 : -ENOMEM;
}

static int make_slot(struct incoming *in)
{
    struct stat st;
    uint64_t random;
    char name[32];
    int r = target_make_side(&in->data, SIDE_PENDING, 0700);
    autoclose int place = r < 0 ? r : target_open_side(&in->data, SIDE_PENDING);
    if (place < 0)
        return place;
    if (getrandom(&random, sizeof(random), 0) != sizeof(random))
        return -EIO;
    snprintf(name, sizeof(name), "%016" PRIx64 UNVERIFIED, random);
    if (mkdirat(place, name, 0700) < 0)
        return -errno;
    autoclose int fd = open_folder(place, name);
    if (fd < 0)
        return fd;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &st) < 0 || st.st_nlink == 0)
        return -ENOENT; /* it was taken for litter */
    if (!(in->n.slot = strdup(name)))
        return -ENOMEM;
    in->fd = steal_fd(&fd);
    return 0;
}

static int open_kinds(int slot, int fds[TARGETS])
{
    int r = 0;
    for (int i = 0; i < TARGETS; i++) {
        fds[i] = r < 0 ? -1 : open_folder(slot, target_kind_name((enum target_kind)i));
        if (r == 0 && fds[i] < 0)
            r = fds[i];
    }
    if (r < 0)
        targets_close(fds);
    return r;
}

static int new_incoming(const struct targets *t, bool inside, const struct manifest *m,
                        struct incoming **out)
{
    cleanup(incoming_freep) struct incoming *in = calloc(1, sizeof(*in));
    if (!in)
        return -ENOMEM;
    in->fd = -1;
    in->data = t->at[TARGET_DATA];
    in->data.path = in->data.name = NULL;
    in->data.inside = in->n.inside = inside;
    in->data.parent = fcntl(in->data.parent, F_DUPFD_CLOEXEC, 0);
    if (in->data.parent < 0)
        return -errno;
    in->data.name = strdup(t->at[TARGET_DATA].name);
    if (!in->data.name || manifest_copy(m, &in->n.m) < 0)
        return -ENOMEM;
    *out = steal_ptr(&in);
    return 0;
}

int incoming_new(struct targets *t, const struct manifest *m, int fds[TARGETS],
                 struct incoming **out, struct err *e)
{
    cleanup(incoming_freep) struct incoming *in = NULL;
    int r = targets_make_parents(t, e);
    if (r < 0)
        return r;
    r = new_incoming(t, t->at[TARGET_DATA].inside, m, &in);
    for (int tries = 0; r == 0 && in->fd < 0 && tries < TRIES; tries++) {
        r = make_slot(in);
        if (r == -ENOENT && tries + 1 < TRIES)
            r = 0;
    }
    for (int i = 0; r == 0 && i < TARGETS; i++)
        if (mkdirat(in->fd, target_kind_name((enum target_kind)i), 0700) < 0)
            r = -errno;
    if (r == 0)
        r = open_kinds(in->fd, fds);
    if (r < 0)
        return err_sys(e, r, "%s.pending: no place for a number", t->at[TARGET_DATA].path);
    *out = steal_ptr(&in);
    return 0;
}

static int add_folder(void *arg, const struct stage_folder *f)
{
    struct number *n = arg;
    struct stage_folder *more = realloc(n->folders, (n->nfolders + 1) * sizeof(*more));
    if (!more)
        return -ENOMEM;
    n->folders = more;
    more[n->nfolders] = *f;
    if (!(more[n->nfolders].name = strdup(f->name)))
        return -ENOMEM;
    n->nfolders++;
    return 0;
}

int incoming_seal(struct incoming *in, const struct stage *s, struct err *e)
{
    int r = stage_each_folder(s, add_folder, &in->n);
    return r < 0 ? err_sys(e, r, "restore") : 0;
}

const struct number *incoming_number(const struct incoming *in)
{
    return &in->n;
}

int incoming_name(struct incoming *in, const char *name)
{
    char *copy = strdup(name);
    if (!copy)
        return -ENOMEM;
    for (char *c = copy; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    free(in->n.name);
    in->n.name = copy;
    return 0;
}

static int write_about(int slot, const struct number *n)
{
    char *own = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&own, &len);
    if (!f)
        return -ENOMEM;
    fprintf(f, "name %s\n", n->name);
    for (size_t i = 0; i < n->nfolders; i++)
        fprintf(f, "d %o %" PRId64 " %s\n", (unsigned)n->folders[i].mode, n->folders[i].mtime_ns,
                n->folders[i].name);
    int r = fclose(f) != 0 ? -ENOMEM : io_replace_file(slot, "about", own, len, 0600);
    free(own);
    return r;
}

int incoming_keep(struct incoming *in, struct err *e)
{
    autofree char *text = NULL, *slot = NULL;
    size_t len = 0;
    autoclose int place = target_open_side(&in->data, SIDE_PENDING);
    int r = place < 0 ? place : slot_of(in->n.m->id, &slot);
    if (r == 0 && syncfs(in->fd) < 0)
        r = -errno;
    if (r == 0)
        r = write_about(in->fd, &in->n);
    if (r == 0)
        r = manifest_write(in->n.m, &text, &len);
    if (r == 0)
        r = io_replace_file(in->fd, "manifest", text, len, 0600);
    if (r == 0 && renameat(place, in->n.slot, place, slot) < 0)
        r = -errno;
    if (r == -ENOTEMPTY || r == -EEXIST)
        return 1;
    if (r < 0)
        return err_sys(e, r, "%s: it cannot be kept until its parent comes", in->n.name);
    free(in->n.slot);
    in->n.slot = steal_ptr(&slot);
    r = io_sync_dir(place);
    return r < 0 ? err_sys(e, r, "%s: it cannot be kept until its parent comes", in->n.name) : 0;
}

int incoming_take(const struct targets *t, const struct number *n, struct incoming **out)
{
    char fresh[NAME_MAX + 1];
    cleanup(incoming_freep) struct incoming *in = NULL;
    int r = new_incoming(t, n->inside, n->m, &in);
    if (r < 0)
        return r;
    for (size_t i = 0; r == 0 && i < n->nfolders; i++)
        r = add_folder(&in->n, &n->folders[i]);
    if (r == 0)
        r = incoming_name(in, n->name);
    if (r < 0)
        return r;
    autoclose int place = target_open_side(&in->data, SIDE_PENDING);
    in->fd = place < 0 ? -1 : open_folder(place, n->slot);
    if (in->fd < 0 || flock(in->fd, LOCK_EX | LOCK_NB) < 0)
        return in->fd < 0 ? -ENOENT : -errno;
    snprintf(fresh, sizeof(fresh), "%s" UNVERIFIED, n->slot);
    remove_slot(&in->data, place, fresh); /* of an earlier time */
    if (!(in->n.slot = strdup(fresh)))
        return -ENOMEM;
    if (renameat(place, n->slot, place, fresh) < 0)
        return -errno;
    *out = steal_ptr(&in);
    return 0;
}

void incoming_free(struct incoming *in)
{
    if (!in)
        return;
    if (in->n.slot && ends_new(in->n.slot)) {
        autoclose int place = target_open_side(&in->data, SIDE_PENDING);
        if (place >= 0)
            remove_slot(&in->data, place, in->n.slot);
        target_remove_empty_side(&in->data, SIDE_PENDING); /* unless others are there */
    }
    cleanup_close(&in->fd);
    cleanup_close(&in->data.parent);
    free(in->data.name);
    number_clear(&in->n);
    free(in);
}

/* One line of `about`, without its newline. */
static int parse_about(struct number *n, char *line)
{
    if (strncmp(line, "name ", 5) == 0) {
        free(n->name);
        n->name = strdup(line + 5);
        return n->name ? 0 : -ENOMEM;
    }
    unsigned mode;
    int64_t mtime;
    int at = 0;
    if (sscanf(line, "d %o %" SCNd64 " %n", &mode, &mtime, &at) != 2 || !at ||
        !manifest_name_ok(line + at, true))
        return -EBADMSG;
    return add_folder(n, &(struct stage_folder){line + at, mode & 0777, mtime});
}

static int read_number(int place, const char *slot, bool inside, struct number **out)
{
    autofree char *text = NULL, *about = NULL;
    size_t len;
    autoclose int fd = open_folder(place, slot);
    cleanup(number_freep) struct number *n = calloc(1, sizeof(*n));
    if (fd < 0 || !n || !(n->slot = strdup(slot)))
        return fd < 0 ? fd : -ENOMEM;
    n->inside = inside;
    int r = io_read_file(fd, "manifest", MANIFEST_MAX, &text, &len);
    if (r == 0)
        r = manifest_parse(text, len, &n->m, NULL);
    if (r == 0 && (n->m->kind != MANIFEST_INCREMENTAL || !n->m->parent))
        r = -EBADMSG;
    if (r == 0)
        r = io_read_file(fd, "about", ABOUT_MAX, &about, &len);
    for (char *p = about, *nl; r == 0 && (nl = strchr(p, '\n')); p = nl + 1) {
        *nl = 0;
        r = parse_about(n, p);
    }
    if (r == 0 && !n->name)
        r = -EBADMSG;
    if (r == 0)
        *out = steal_ptr(&n);
    return r;
}

static int by_number(const void *a, const void *b)
{
    int64_t x = (*(struct number *const *)a)->m->number,
            y = (*(struct number *const *)b)->m->number;
    return x < y ? -1 : x > y;
}

static int list_at(const struct targets *t, bool inside, struct pending *out)
{
    struct target data;
    cleanup(dir_free) struct dir list = {0};
    autoclose int place = open_place(t, inside, &data);
    if (place == -ENOENT || place == -ENOTDIR)
        return 0;
    int r = place < 0 ? place : dir_read(place, &list);
    for (size_t i = 0; r == 0 && i < list.n; i++) {
        cleanup(number_freep) struct number *n = NULL;
        if (ends_new(list.names[i]))
            continue;
        r = read_number(place, list.names[i], inside, &n);
        if (r == -ENOMEM || r == -EIO)
            return r;
        if (r < 0) {
            r = 0;
            continue;
        }
        struct number **more = realloc(out->at, (out->n + 1) * sizeof(*more));
        if (!more)
            return -ENOMEM;
        out->at = more;
        more[out->n++] = steal_ptr(&n);
    }
    return r;
}

int pending_list(const struct targets *t, struct pending *out, struct err *e)
{
    *out = (struct pending){0};
    int r = list_at(t, false, out);
    if (r == 0)
        r = list_at(t, true, out);
    if (r < 0) {
        pending_free(out);
        return err_sys(e, r, "%s: the numbers that wait", t->at[TARGET_DATA].path);
    }
    if (out->n)
        qsort(out->at, out->n, sizeof(*out->at), by_number);
    return 0;
}

void pending_free(struct pending *p)
{
    for (size_t i = 0; i < p->n; i++)
        number_free(p->at[i]);
    free(p->at);
    *p = (struct pending){0};
}

int pending_open(const struct targets *t, const struct number *n, int fds[TARGETS], struct err *e)
{
    struct target data;
    autoclose int place = open_place(t, n->inside, &data);
    autoclose int slot = place < 0 ? place : open_folder(place, n->slot);
    int r = slot < 0 ? slot : open_kinds(slot, fds);
    return r < 0 ? err_sys(e, r, "%s: what was received of it", n->name) : 0;
}

int pending_remove(const struct targets *t, const struct number *n)
{
    struct target data;
    autoclose int place = open_place(t, n->inside, &data);
    if (place < 0)
        return place == -ENOENT ? 0 : place;
    int r = remove_slot(&data, place, n->slot);
    target_remove_empty_side(&data, SIDE_PENDING); /* unless others are there */
    return r;
}

/* Whether nobody will come back for it. */
static bool is_litter(int place, const char *slot, bool inside, bool *unreadable)
{
    cleanup(number_freep) struct number *n = NULL;
    *unreadable = false;
    if (!is_slot(slot))
        return false; /* somebody's own */
    if (!ends_new(slot)) {
        int r = read_number(place, slot, inside, &n);
        *unreadable = r < 0 && r != -ENOMEM && r != -EIO && r != -EACCES;
        return *unreadable;
    }
    autoclose int fd = open_folder(place, slot);
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
}

void pending_tidy(const struct targets *t, struct err *said)
{
    said->text[0] = 0;
    for (int inside = 0; inside < 2; inside++) {
        struct target data;
        cleanup(dir_free) struct dir list = {0};
        autoclose int place = open_place(t, inside, &data);
        if (place >= 0 && dir_read(place, &list) < 0)
            continue;
        for (size_t i = 0; i < list.n; i++) {
            bool unreadable;
            if (!is_litter(place, list.names[i], inside, &unreadable))
                continue;
            if (remove_slot(&data, place, list.names[i]) < 0)
                continue;
            err_set(said, 0,
                    unreadable ? "removed a number that was waiting and cannot be read"
                               : "removed a number that was not received to its end");
        }
        target_remove_empty_side(&data, SIDE_PENDING);
    }
}
