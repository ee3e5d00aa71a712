/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/tarend.h"

#include "store/base/cleanup.h"
#include "store/restore/tar_frame.h"
#include "store/snapshot/tarhead.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE 65536
#define HEX 64         /* digits of a sum */
#define LINE (HEX + 2) /* of a line of SHA256SUMS, before the name */

/* The place after the last byte that is not zero; 0: there is none. */
static int tarend_find(int fd, uint64_t size, uint64_t *out)
{
    char buf[PIECE];
    *out = 0;
    for (uint64_t end = size; end > 0;) {
        size_t n = end < PIECE ? (size_t)end : PIECE;
        ssize_t got = pread(fd, buf, n, (off_t)(end - n));
        if (got != (ssize_t)n)
            return got < 0 ? -errno : -EBADMSG;
        end -= n;
        while (n > 0 && !buf[n - 1])
            n--;
        if (n > 0) {
            *out = end + n;
            return 0;
        }
    }
    return 0;
}

/* The last line of a text that goes on for n bytes to its newline. The first line of a member comes
 * after the zeros that fill up its header. */
static const char *tarend_line(const char *text, size_t n)
{
    while (n > 0 && text[n - 1] != '\n' && text[n - 1])
        n--;
    return text + n;
}

/* Whether the text ends with a line of SHA256SUMS for a file of the snapshot. */
static bool tarend_is_sums(char *text, size_t n, const struct manifest *m)
{
    if (n < LINE + 2 || text[n - 1] != '\n')
        return false;
    text[--n] = 0;
    const char *line = tarend_line(text, n);
    size_t skip = *line == '\\'; /* before a name with an escape in it */
    if (strlen(line) <= LINE + skip || line[skip + HEX] != ' ')
        return false;
    for (size_t i = 0; i < HEX; i++)
        if (!isxdigit((unsigned char)line[skip + i]))
            return false;
    const char *name = line + skip + LINE;
    return skip || strcmp(name, "manifest") == 0 || manifest_find(m, name);
}

static int tarend_look(int fd, const struct manifest *m)
{
    struct stat st;
    uint64_t end;
    char text[2 * PATH_MAX + LINE + 2];
    if (fstat(fd, &st) < 0)
        return -errno;
    int r = tarend_find(fd, (uint64_t)st.st_size, &end);
    if (r < 0)
        return r;
    uint64_t whole = tar_round_up(end);
    size_t n = end < sizeof(text) - 1 ? (size_t)end : sizeof(text) - 1;
    ssize_t got = pread(fd, text, n, (off_t)(end - n));
    if (got < 0)
        return -errno;
    return (size_t)got == n && st.st_size % TAR_BLOCK == 0 &&
                   (uint64_t)st.st_size >= whole + TAR_END && tarend_is_sums(text, n, m)
               ? 0
               : -EBADMSG;
}

int tarend_check(const char *path, const struct manifest *m, struct err *e)
{
    unsigned char head[TAR_BLOCK];
    autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, -errno, "%s", path);
    ssize_t n = pread(fd, head, sizeof(head), 0);
    if (n < 0)
        return err_sys(e, -errno, "%s", path);
    if (n < TAR_BLOCK || !tar_frame_header_ok(head))
        return 0;
    int r = tarend_look(fd, m);
    if (r == -EBADMSG)
        return err_set(e, r,
                       "%s: is cut off, or something was put after its end; `influxsnap verify` "
                       "tells which files are damaged",
                       path);
    return r < 0 ? err_sys(e, r, "%s", path) : 0;
}
