/* SPDX-License-Identifier: MIT */
#include "store/base/copying.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE ((size_t)1 << 20)

/* These say that the kernel cannot copy between these two files. */
static bool cannot_copy(int code)
{
    return code == -EXDEV || code == -EINVAL || code == -ENOSYS || code == -EOPNOTSUPP;
}

/* Copies n bytes at off through memory. -EBUSY: the file has become shorter. */
static int copying_by_hand(int from, int to, off_t off, off_t n)
{
    autofree char *buf = malloc(PIECE);
    if (!buf)
        return -ENOMEM;
    while (n > 0) {
        ssize_t got = pread(from, buf, (size_t)n < PIECE ? (size_t)n : PIECE, off);
        if (got <= 0)
            return got < 0 ? -errno : -EBUSY;
        int r = io_pwrite_all(to, buf, (size_t)got, (uint64_t)off);
        if (r < 0)
            return r;
        off += got;
        n -= got;
    }
    return 0;
}

static int copying_range(int from, int to, off_t off, off_t end)
{
    off_t in = off, out = off;
    while (in < end) {
        ssize_t n = copy_file_range(from, &in, to, &out, (size_t)(end - in), 0);
        if (n == 0)
            return -EBUSY;
        if (n < 0 && errno != EINTR)
            return cannot_copy(-errno) ? copying_by_hand(from, to, in, end - in) : -errno;
    }
    return 0;
}

int copying_file(int from, int to)
{
    struct stat st;
    if (fstat(from, &st) < 0)
        return -errno;
    for (off_t data = 0, hole; data < st.st_size; data = hole) {
        data = lseek(from, data, SEEK_DATA);
        if (data < 0 && errno == ENXIO)
            break; /* a hole to the end */
        hole = data < 0 ? -1 : lseek(from, data, SEEK_HOLE);
        if (hole < 0)
            return -errno;
        int r = copying_range(from, to, data, hole);
        if (r < 0)
            return r;
    }
    return ftruncate(to, st.st_size) < 0 ? -errno : 0;
}

bool copying_instead(int code)
{
    return code == -EXDEV || code == -EPERM || code == -EMLINK || code == -EOPNOTSUPP ||
           code == -ENOSYS || code == -EACCES;
}
