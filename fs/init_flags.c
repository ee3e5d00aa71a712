/* SPDX-License-Identifier: MIT */
/* The kernel offers these flags in the second half of FUSE's first exchange. libfuse before 3.15 can
 * set no flag of that half; so they are set in the answer as it passes by. */
#include "fs/daemon.h"

#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/uio.h>
#include <unistd.h>

/* As in flags2. */
#define ALLOW_MMAP (1u << (36 - 32)) /* FUSE_DIRECT_IO_ALLOW_MMAP */
#define NO_EXPORT (1u << (38 - 32))  /* FUSE_NO_EXPORT_SUPPORT */
#define WANTED (ALLOW_MMAP | NO_EXPORT)

/* The number of the first request if the kernel offers flags there, else 0; and those flags. A
 * process has one session. */
static atomic_uint_fast64_t offered;
static atomic_uint flags;

static ssize_t init_flags_receive(int fd, void *buf, size_t n, void *userdata)
{
    const struct fuse_in_header *head = buf;
    (void)userdata;
    ssize_t got = read(fd, buf, n);
    if (got >= (ssize_t)(sizeof(*head) + sizeof(struct fuse_init_in)) &&
        head->opcode == FUSE_INIT) {
        const struct fuse_init_in *in = (const struct fuse_init_in *)(head + 1);
        if ((in->flags & FUSE_INIT_EXT) && (in->flags2 & WANTED)) {
            atomic_store(&flags, in->flags2 & WANTED);
            atomic_store(&offered, head->unique);
        }
    }
    return got;
}

static ssize_t init_flags_answer(int fd, struct iovec *iov, int count, void *userdata)
{
    const struct fuse_out_header *head = iov[0].iov_base;
    (void)userdata;
    uint64_t unique = atomic_load_explicit(&offered, memory_order_relaxed);
    if (unique && head->unique == unique) {
        struct fuse_init_out *out = count > 1 ? iov[1].iov_base : NULL;
        if (out && head->error == 0 && iov[1].iov_len >= sizeof(*out)) {
            out->flags |= FUSE_INIT_EXT;
            out->flags2 |= atomic_load(&flags);
        }
        atomic_store(&offered, 0);
    }
    return writev(fd, iov, count);
}

int init_flags_ask(struct fuse_session *session)
{
    const struct fuse_custom_io io = {.read = init_flags_receive, .writev = init_flags_answer};
    return fuse_session_custom_io(session, &io, fuse_session_fd(session));
}
