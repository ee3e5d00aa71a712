/* SPDX-License-Identifier: MIT */
#include "store/sets/set_impl.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

int set_open_file(int folder, const char *name, uint64_t *size, struct err *e)
{
    struct stat st;
    autoclose int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ELOOP)
        return err_set(e, -EBADMSG, "hostile: %s is a link", name);
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(e, errno == ENXIO ? -EBADMSG : -errno, "%s", name);
    if (!S_ISREG(st.st_mode))
        return err_set(e, -EBADMSG, "hostile: %s is no plain file", name);
    *size = (uint64_t)st.st_size;
    return steal_fd(&fd);
}

size_t set_shard_end(const struct set *s, size_t i)
{
    size_t end = i + 1;
    while (end < s->narchives && s->archives[end].id == s->archives[i].id)
        end++;
    return end;
}

static int set_add_said(struct set *s, bool warns, const char *fmt, va_list ap)
{
    struct err text;
    err_format(&text, fmt, ap);
    if (!array_grow(&s->notes, s->nnotes))
        return -ENOMEM;
    s->notes[s->nnotes] = (struct set_said){strdup(text.text), warns};
    return s->notes[s->nnotes++].text ? 0 : -ENOMEM;
}

int set_add_note(struct set *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int r = set_add_said(s, false, fmt, ap);
    va_end(ap);
    return r;
}

int set_add_warning(struct set *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int r = set_add_said(s, true, fmt, ap);
    va_end(ap);
    return r;
}
