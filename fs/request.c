/* SPDX-License-Identifier: MIT */
#include "fs/caller.h"
#include "fs/fs.h"

bool request_interrupted(void *ctx)
{
    const struct request *r = ctx;
    /* The kernel tells of the first signal only: another that comes later is seen by the caller. */
    return fuse_session_exited(r->fs->session) ||
           (fuse_req_interrupted(r->req) && caller_ends(r->ctx->pid));
}
