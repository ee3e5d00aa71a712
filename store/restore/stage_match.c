/* SPDX-License-Identifier: MIT */
#include "store/restore/stage_match.h"

#include "store/base/path.h"
#include "store/restore/stage_impl.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

void stage_match_with(struct stage *s, struct originals *o)
{
    originals_close(s->originals);
    s->originals = o;
}

size_t stage_match_linked(const struct stage *s)
{
    return s->originals ? originals_linked(s->originals) : 0;
}

/* How a file of this name is staged, and on which file system. */
static bool stage_match_wants(const struct stage *s, const char *name, uint64_t size, mode_t mode,
                              struct file_attr *as, dev_t *dev)
{
    struct stat st;
    const char *path;
    const enum target_kind kind = target_kind_of(name, &path);
    if (!s->originals || !stage_takes(s, name) || fstat(s->fds[kind], &st) < 0)
        return false;
    *dev = st.st_dev;
    *as = (struct file_attr){
        .size = size, .mode = S_IFREG | (mode & 0777), .uid = s->uid[kind], .gid = s->gid[kind]};
    return true;
}

bool stage_match_may(const struct stage *s, const char *name, uint64_t size)
{
    struct file_attr as;
    dev_t dev;
    return stage_match_wants(s, name, size, 0, &as, &dev) &&
           originals_has(s->originals, name, &as, dev);
}

int stage_match_open(struct stage *s, const char *name, uint64_t size, mode_t mode, struct err *e)
{
    struct file_attr as;
    dev_t dev;
    s->matching = stage_match_wants(s, name, size, mode, &as, &dev) &&
                  originals_begin(s->originals, name, &as, dev);
    if (!s->matching)
        return stage_open(s, name, mode, e);
    strcpy(s->match_name, name);
    s->match_mode = mode;
    return 0;
}

/* It is another file after all: writes what has come of it so far. */
static int stage_match_give_up(struct stage *s, struct err *e)
{
    const void *bytes;
    size_t n = 0;
    uint64_t at = 0;
    s->matching = false;
    int r = stage_open(s, s->match_name, s->match_mode, e);
    do {
        if (r == 0 && (r = originals_piece(s->originals, at, &bytes, &n)) < 0)
            err_sys(e, r, "staging %s", s->match_name);
        if (r == 0 && n)
            r = stage_write(s, bytes, n, e);
        at += n;
    } while (r == 0 && n);
    return r;
}

int stage_match_write(struct stage *s, const void *buf, size_t n, struct err *e)
{
    if (s->matching && originals_match(s->originals, buf, n))
        return 0;
    int r = s->matching ? stage_match_give_up(s, e) : 0;
    return r < 0 ? r : stage_write(s, buf, n, e);
}

int stage_match_close(struct stage *s, int64_t mtime_ns, struct err *e)
{
    int r = s->matching ? stage_parent(s, s->match_name) : 0;
    if (r < 0)
        return err_sys(e, r, "staging %s", s->match_name);
    if (s->matching) {
        r = originals_link(s->originals, mtime_ns, s->parent, path_last(s->match_name), e);
        if (r == -EEXIST)
            return err_set(e, -EBADMSG, "hostile: %s comes twice", s->match_name);
        if (r == 0)
            r = stage_match_give_up(s, e);
        else if (r > 0)
            return 0;
    }
    return r < 0 ? r : stage_close(s, mtime_ns, e);
}
