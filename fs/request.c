/* SPDX-License-Identifier: MIT */
#include "fs/request.h"

#include "fs/caller.h"
#include "fs/fs.h"

#include <errno.h>

bool request_interrupted(void *ctx)
{
    const struct request *r = ctx;
    /* The kernel reports the first signal only; the caller's state shows a later one. */
    return fuse_session_exited(r->fs->session) ||
           (fuse_req_interrupted(r->req) && caller_ends(r->ctx->pid));
}

struct request request_of(fuse_req_t req)
{
    return (struct request){fuse_req_userdata(req), req, fuse_req_ctx(req)};
}

void request_reply(fuse_req_t req, int r)
{
    struct fs *fs = fuse_req_userdata(req);
    counters_answered(&fs->counters, r);
    /* The limit is not the caller's. */
    fuse_reply_err(req, r == -EMFILE ? ENFILE : -r);
}

struct node *request_node(const struct request *r, fuse_ino_t ino)
{
    struct node *n = node_pin(r->fs->nodes, ino);
    if (!n)
        request_reply(r->req, -ESTALE);
    return n;
}

int request_entry(struct request *r, struct node *n, struct fuse_entry_param *e)
{
    const struct cache_policy *cache = node_policy(n);
    *e = (struct fuse_entry_param){.ino = n->id,
                                   .generation = r->fs->generation,
                                   .attr_timeout = cache->attr,
                                   .entry_timeout = cache->entry};
    return n->ops->getattr(r, n, NULL, &e->attr);
}

void request_reply_entry(struct request *r, struct node *n)
{
    struct fuse_entry_param e;
    int rc = request_entry(r, n, &e);
    if (rc < 0) {
        request_reply(r->req, rc);
    } else {
        node_looked_up(r->fs->nodes, n);
        if (fuse_reply_entry(r->req, &e) < 0)
            node_forget(r->fs->nodes, n->id, 1);
    }
    node_unpin(r->fs->nodes, n);
}
