/* SPDX-License-Identifier: MIT */
/* A FUSE request: the caller, the node, and the answers that most kinds of request share. */
#ifndef INFLUXFS_FS_REQUEST_H
#define INFLUXFS_FS_REQUEST_H

#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fs;
struct node;
struct handle;

struct request {
    struct fs *fs;
    fuse_req_t req;
    const struct fuse_ctx *ctx;
};

struct request request_of(fuse_req_t req);
/* The requested node, pinned; NULL after a reply of ESTALE. */
struct node *request_node(const struct request *r, fuse_ino_t ino);
static inline struct handle *request_handle(const struct fuse_file_info *fi)
{
    return fi ? (struct handle *)(uintptr_t)fi->fh : NULL;
}

/* True when a signal is ending the caller (caller.h), or the mount is ending: for waits of the
 * store. ctx is a struct request. */
bool request_interrupted(void *ctx);

/* Answers 0 or -errno. */
void request_reply(fuse_req_t req, int r);
/* Fills in the entry of a node that was looked up. 0 or -errno. */
int request_entry(struct request *r, struct node *n, struct fuse_entry_param *e);
/* Answers with a pinned node, and drops the pin. */
void request_reply_entry(struct request *r, struct node *n);

#endif
