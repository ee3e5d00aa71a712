/* SPDX-License-Identifier: MIT */
/* The kernel offers it by a flag in the second half of FUSE's first exchange. libfuse before 3.15
 * cannot set that flag; so it is set in the answer as it passes by. */
#include "fs/daemon.h"

#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/uio.h>
#include <unistd.h>

#define ALLOW_MMAP_2 (1u << (36 - 32)) /* FUSE_DIRECT_IO_ALLOW_MMAP, as in flags2 */

/* The number of the first request if the kernel offers the flag there; else 0. A process has one
 * session. */
static atomic_uint_fast64_t offered;

static ssize_t mapping_receive(int fd, void *buf, size_t n, void *userdata)
{
    const struct fuse_in_header *head = buf;
    (void)userdata;
    ssize_t got = read(fd, buf, n);
    if (got >= (ssize_t)(sizeof(*head) + sizeof(struct fuse_init_in)) &&
        head->opcode == FUSE_INIT) {
        const struct fuse_init_in *in = (const struct fuse_init_in *)(head + 1);
        if ((in->flags & FUSE_INIT_EXT) && (in->flags2 & ALLOW_MMAP_2))
            atomic_store(&offered, head->unique);
    }
    return got;
}

static ssize_t mapping_answer(int fd, struct iovec *iov, int count, void *userdata)
{
    const struct fuse_out_header *head = iov[0].iov_base;
    (void)userdata;
    uint64_t unique = atomic_load_explicit(&offered, memory_order_relaxed);
    if (unique && head->unique == unique) {
        struct fuse_init_out *out = count > 1 ? iov[1].iov_base : NULL;
        if (out && head->error == 0 && iov[1].iov_len >= sizeof(*out)) {
            out->flags |= FUSE_INIT_EXT;
            out->flags2 |= ALLOW_MMAP_2;
        }
        atomic_store(&offered, 0);
    }
    return writev(fd, iov, count);
}

int mapping_allow(struct fuse_session *session)
{
    const struct fuse_custom_io io = {.read = mapping_receive, .writev = mapping_answer};
    return fuse_session_custom_io(session, &io, fuse_session_fd(session));
}
