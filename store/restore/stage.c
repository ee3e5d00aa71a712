/* SPDX-License-Identifier: MIT */
#include "store/restore/stage_impl.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/path.h"
#include "store/base/time.h"
#include "store/restore/labels.h"
#include "store/restore/originals.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

/* Data is written back as it arrives, to keep the last wait short; not more often, since data on
 * its way to the disk cannot be changed. */
#define WRITEBACK_BYTES (64 << 20)

/* Gives a staged folder the labels of the one that it is to replace. */
static int stage_labels(struct stage *s, int fd, const char *name)
{
    const char *path;
    char failed[XATTR_NAME_MAX + 1];
    enum target_kind kind = target_kind_of(name, &path);
    autoclose int old = s->store[kind] < 0
                            ? -ENOENT
                            : io_open_beneath(s->store[kind], path, O_RDONLY | O_DIRECTORY);
    if (old < 0) /* a link or a file was there, if anything */
        return old == -EMFILE || old == -ENFILE ? old : 0;
    int r = labels_copy(old, fd, failed);
    if (r < 0 && !s->lacking.text[0])
        err_sys(&s->lacking, r,
                "warning: %s, and perhaps other folders, cannot be given the %s of the folder "
                "replaced; compare them with `getfattr -d -m -`",
                name, failed);
    return 0;
}

static int stage_label_roots(struct stage *s)
{
    int r = 0;
    for (int i = 0; r == 0 && i < TARGETS; i++)
        r = stage_labels(s, s->fds[i], target_kind_name((enum target_kind)i));
    return r;
}

int stage_new(const struct targets *t, int fds[TARGETS], struct stage **out, struct err *e)
{
    cleanup(stage_freep) struct stage *s = calloc(1, sizeof(*s));
    if (!s) {
        targets_close(fds);
        return err_sys(e, -ENOMEM, "staging");
    }
    s->tell = t->at[TARGET_META].tell;
    s->tell_arg = t->at[TARGET_META].tell_arg;
    for (int i = 0; i < TARGETS; i++) {
        s->fds[i] = fds[i];
        s->store[i] = -1;
        s->uid[i] = t->at[i].uid;
        s->gid[i] = t->at[i].gid;
    }
    s->parent = s->file = -1;
    int r = targets_open_store(t, s->store, e);
    if (r < 0)
        return r;
    if ((r = stage_label_roots(s)) < 0)
        return err_sys(e, r, "staging");
    *out = steal_ptr(&s);
    return 0;
}

void stage_free(struct stage *s)
{
    if (!s)
        return;
    for (int i = 0; i < TARGETS; i++) {
        cleanup_close(&s->fds[i]);
        cleanup_close(&s->store[i]);
    }
    cleanup_close(&s->parent);
    cleanup_close(&s->file);
    originals_close(s->originals);
    for (size_t i = 0; i < s->nfolders; i++)
        free(s->folders[i].name);
    free(s->folders);
    free(s);
}

void stage_limit(struct stage *s, stage_takes_fn *fn, void *arg)
{
    s->takes = fn;
    s->takes_arg = arg;
}

bool stage_is_limited(const struct stage *s)
{
    return s->takes != NULL;
}

bool stage_takes(const struct stage *s, const char *name)
{
    return !s->takes || s->takes(s->takes_arg, name);
}

int stage_check_space(const struct stage *s, const uint64_t need[TARGETS], struct err *e)
{
    for (int i = 0; i < TARGETS; i++) {
        struct statvfs v;
        uint64_t sum = 0;
        char names[32] = "";
        if (fstatvfs(s->fds[i], &v) < 0)
            return err_sys(e, -errno, "%s", target_kind_name((enum target_kind)i));
        for (int k = 0; k < TARGETS; k++) {
            struct stat a, b;
            const char *name = target_kind_name((enum target_kind)k);
            if (need[k] == 0 || fstat(s->fds[i], &a) < 0 || fstat(s->fds[k], &b) < 0 ||
                a.st_dev != b.st_dev)
                continue;
            snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", sum ? ", " : "",
                     name);
            sum += need[k];
        }
        uint64_t blocks = geteuid() == 0 ? v.f_bfree : v.f_bavail;
        uint64_t avail = blocks * (v.f_frsize ? v.f_frsize : v.f_bsize);
        if (sum > avail)
            return err_set(e, -ENOSPC,
                           "no room: the snapshot needs %llu bytes for %s, %llu are free beside "
                           "the store; free some, such as by removing what an earlier restore has "
                           "kept (*.before-restore)",
                           (unsigned long long)sum, names, (unsigned long long)avail);
    }
    return 0;
}

int stage_note(struct stage *s, enum folder_note note, const char *name, mode_t mode,
               int64_t mtime_ns)
{
    char *copy = strdup(name);
    if (!copy || !array_grow(&s->folders, s->nfolders)) {
        free(copy);
        return -ENOMEM;
    }
    s->folders[s->nfolders] = (struct staged_folder){copy, note, mode, mtime_ns, s->nfolders};
    s->nfolders++;
    return 0;
}

/* Opens a folder; makes it, and those above it, if no member for it came first. */
static int stage_open_folder(struct stage *s, const char *name)
{
    const char *path;
    enum target_kind kind = target_kind_of(name, &path);
    int fd = io_open_beneath(s->fds[kind], path, O_RDONLY | O_DIRECTORY);
    if (fd != -ENOENT || !*path)
        return fd;
    autofree char *up = strdup(name);
    if (!up)
        return -ENOMEM;
    path_up(up);
    autoclose int parent = stage_open_folder(s, up);
    if (parent < 0)
        return parent;
    const char *last = path_last(name);
    if (mkdirat(parent, last, 0700) < 0)
        return -errno;
    if (s->uid[kind] != (uid_t)-1 &&
        fchownat(parent, last, s->uid[kind], s->gid[kind], AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    autoclose int made = io_open_beneath(parent, last, O_RDONLY | O_DIRECTORY);
    int r = made < 0 ? made : stage_labels(s, made, name);
    if (r == 0)
        r = stage_note(s, FOLDER_IMPLIED, name, 0755, -1);
    return r < 0 ? r : steal_fd(&made);
}

int stage_folder(struct stage *s, const char *name, mode_t mode, int64_t mtime_ns, struct err *e)
{
    autoclose int fd = stage_open_folder(s, name);
    int r = fd < 0 ? fd : stage_note(s, FOLDER_GIVEN, name, mode & 0777, mtime_ns);
    if (r == -ENOTDIR || r == -ELOOP)
        return err_set(e, -EBADMSG, "hostile: %s is a file and a folder", name);
    return r < 0 ? err_sys(e, r, "staging %s", name) : 0;
}

int stage_each_folder(const struct stage *s, stage_folder_fn *fn, void *arg)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < s->nfolders; i++) {
        const struct staged_folder *f = &s->folders[i];
        if (f->note == FOLDER_GIVEN)
            r = fn(arg, &(struct stage_folder){f->name, f->mode, f->mtime_ns});
    }
    return r;
}

int stage_parent(struct stage *s, const char *name)
{
    char up[PATH_MAX];
    strcpy(up, name);
    path_up(up);
    if (s->parent >= 0 && strcmp(up, s->parent_name) == 0)
        return 0;
    int fd = stage_open_folder(s, up);
    if (fd < 0)
        return fd;
    cleanup_close(&s->parent);
    s->parent = fd;
    strcpy(s->parent_name, up);
    return 0;
}

int stage_open(struct stage *s, const char *name, mode_t mode, struct err *e)
{
    const char *path;
    enum target_kind kind = target_kind_of(name, &path);
    if (!stage_takes(s, name))
        return 0; /* s->file stays -1 */
    int r = stage_parent(s, name);
    if (r == 0) {
        s->file = openat(s->parent, path_last(name),
                         O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        r = s->file < 0 ? -errno : 0;
    }
    if (r == -EEXIST || r == -ENOTDIR || r == -ELOOP)
        return err_set(e, -EBADMSG, "hostile: %s comes twice", name);
    if (r == 0 && s->uid[kind] != (uid_t)-1 && fchown(s->file, s->uid[kind], s->gid[kind]) < 0)
        r = -errno;
    if (r == 0 && fchmod(s->file, mode & 0777) < 0)
        r = -errno;
    strcpy(s->file_name, name);
    s->written = s->pushed = 0;
    return r < 0 ? err_sys(e, r, "staging %s", name) : 0;
}

int stage_write(struct stage *s, const void *buf, size_t n, struct err *e)
{
    if (s->file < 0)
        return 0;
    int r = io_write_all(s->file, buf, n);
    if (r < 0)
        return err_sys(e, r, "staging %s", s->file_name);
    s->written += n;
    if (s->written - s->pushed >= WRITEBACK_BYTES) {
        /* Only a hint: the sync at the end writes the rest. */
        sync_file_range(s->file, (off_t)s->pushed, (off_t)(s->written - s->pushed),
                        SYNC_FILE_RANGE_WRITE);
        s->pushed = s->written;
    }
    return 0;
}

int stage_close(struct stage *s, int64_t mtime_ns, struct err *e)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, time_to_spec(mtime_ns)};
    if (s->file < 0)
        return 0;
    if (s->written > s->pushed)
        sync_file_range(s->file, (off_t)s->pushed, 0, SYNC_FILE_RANGE_WRITE);
    int r = futimens(s->file, times) < 0 ? -errno : 0;
    int c = io_close(&s->file);
    if (r == 0)
        r = c;
    return r < 0 ? err_sys(e, r, "staging %s", s->file_name) : 0;
}

int stage_read_file(const struct stage *s, const char *name, size_t max, char **buf, size_t *len)
{
    const char *path;
    const int fd = s->fds[target_kind_of(name, &path)];
    return io_read_file(fd, path, max, buf, len);
}

/* The mode would cut down an ACL, whose mask it is; so the ACL, which holds a mode, comes last. */
static int stage_finish_folder(struct stage *s, const struct staged_folder *f)
{
    const char *path;
    enum target_kind kind = target_kind_of(f->name, &path);
    autoclose int fd = io_open_beneath(s->fds[kind], path, O_RDONLY | O_DIRECTORY);
    if (fd < 0 || fchmod(fd, f->mode) < 0)
        return fd < 0 ? fd : -errno;
    int r = stage_labels(s, fd, f->name);
    if (r < 0)
        return r;
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, time_to_spec(f->mtime_ns)};
    return f->mtime_ns >= 0 && futimens(fd, times) < 0 ? -errno : 0;
}

/* By name, parents first; for one name, the last note last. */
static int by_name(const void *a, const void *b)
{
    const struct staged_folder *x = a, *y = b;
    int c = strcmp(x->name, y->name);
    return c ? c : x->order < y->order ? -1 : 1;
}

void stage_unsynced(struct stage *s)
{
    s->unsynced = true;
}

/* Syncs each file system once, since it may have much else to write. */
static int stage_sync(const struct stage *s, struct err *e)
{
    dev_t done[TARGETS];
    for (int i = 0; i < TARGETS; i++) {
        struct stat st;
        bool again = false;
        if (fstat(s->fds[i], &st) < 0)
            return err_sys(e, -errno, "staging %s", target_kind_name((enum target_kind)i));
        done[i] = st.st_dev;
        for (int k = 0; k < i; k++)
            again |= done[k] == st.st_dev;
        /* Reports any writeback error of this file system since it was opened. */
        if ((!again && syncfs(s->fds[i]) < 0) || fsync(s->fds[i]) < 0)
            return err_sys(e, -errno, "staging %s: cannot be written to disk",
                           target_kind_name((enum target_kind)i));
    }
    return 0;
}

int stage_finish(struct stage *s, struct err *e)
{
    if (s->nfolders)
        qsort(s->folders, s->nfolders, sizeof(*s->folders), by_name);
    /* Deepest first, so that entries below a locked folder are still reachable. */
    const char *done = "";
    for (size_t i = s->nfolders; i-- > 0; done = s->folders[i].name) {
        const struct staged_folder *f = &s->folders[i];
        int r =
            f->note == FOLDER_REMOVED || strcmp(f->name, done) == 0 ? 0 : stage_finish_folder(s, f);
        if (r < 0)
            return err_sys(e, r, "staging %s", f->name);
    }
    if (s->unsynced)
        return 0;
    if (s->lacking.text[0] && s->tell)
        s->tell(s->tell_arg, s->lacking.text);
    return stage_sync(s, e);
}
